//! The crate's error.

use std::path::{Path, PathBuf};

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
        "{reason}; the run stopped after step {step}. {}", next(path, *kept)
    )]
    RankLost {
        /// What is known of it.
        reason: String,
        /// Steps done.
        step: u64,
        /// The step of the checkpoint, if there is one.
        kept: Option<u64>,
        /// Where a checkpoint is.
        path: PathBuf,
    },
    /// A rank is gone, and with it the rows of the tables that it had.
    #[error(
        "{reason}; the run stopped after step {step}, but a part of its tables went with the rank \
         (train.checkpoint_every_steps says how often all is kept). {}", next(path, *kept)
    )]
    RankLostWithRows {
        /// What is known of it.
        reason: String,
        /// Steps done.
        step: u64,
        /// The step of the checkpoint, if there is one.
        kept: Option<u64>,
        /// Where a checkpoint is.
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

/// How to go on after a rank was lost.
fn next(path: &Path, kept: Option<u64>) -> String {
    match kept {
        Some(step) => format!(
            "The same command with --resume goes on from step {step} ({}), on any number of ranks",
            path.display()
        ),
        None => format!(
            "There is no checkpoint at {}, as seen from here: the same command begins anew",
            path.display()
        ),
    }
}
