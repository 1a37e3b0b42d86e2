//! The crate's error.

use std::path::PathBuf;

/// What can go wrong in a run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A setting that makes no run.
    #[error("configuration: {0}")]
    Config(String),
    /// The model or its optimizer.
    #[error(transparent)]
    Model(#[from] ctr_nn::Error),
    /// A metric that cannot be computed.
    #[error("{split}: {source}")]
    Metric {
        /// The split it was computed on.
        split: &'static str,
        /// Why not.
        source: ctr_metrics::Error,
    },
    /// Shared types and writing of files.
    #[error(transparent)]
    Core(#[from] ctr_core::Error),
    /// A checkpoint that cannot be continued.
    #[error("{path}: {reason}; train without --resume, or remove the run's folder, to begin anew")]
    Checkpoint {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A rank is gone, so that the others cannot go on.
    #[error(
        "{reason}; the run stopped after step {step} and its checkpoint is {path}: the same command with \
         --resume goes on from there, on any number of ranks"
    )]
    RankLost {
        /// What is known of it.
        reason: String,
        /// Steps done.
        step: u64,
        /// The checkpoint.
        path: PathBuf,
    },
    /// A rank is gone, and with it the rows of the tables that it had.
    #[error(
        "{reason}; the run stopped after step {step}, but a part of its tables went with the rank: with --resume \
         the same command goes on from the last checkpoint, {path} (train.checkpoint_every_steps says how often \
         there is one), on any number of ranks"
    )]
    RankLostWithRows {
        /// What is known of it.
        reason: String,
        /// Steps done.
        step: u64,
        /// The checkpoint.
        path: PathBuf,
    },
    /// Shards that cannot be had.
    #[error(transparent)]
    Shards(#[from] ctr_core::ShardError),
    /// The thread that loads shards ahead ended without a result, which is a fault of this program.
    #[error(
        "loading shards ahead gave up ({0}); please report this with the command that you gave"
    )]
    Prefetch(String),
    /// Asked to stop.
    #[error("stopped")]
    Interrupted,
    /// A file that cannot be read or written.
    #[error(
        "cannot read or write {path}: {source}; check that the folder is writable and has space"
    )]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// Result of this crate.
pub type Result<T> = std::result::Result<T, Error>;
