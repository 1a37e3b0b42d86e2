//! The crate's error.

use std::path::PathBuf;

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A folder or file that cannot be read.
    #[error("cannot read {path}: {source}; check that it exists and is readable")]
    Read {
        /// The folder or file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A folder without a single record.
    #[error(
        "no record.json in {path} or up to {depth} folders below it; train first \
         (`din-repro train` or `din-repro reproduce`) or name the folder of the runs with --runs"
    )]
    NoRecords {
        /// The folder searched.
        path: PathBuf,
        /// Levels searched below it.
        depth: usize,
    },
    /// A record that is no record.
    #[error("{path}: not a run record: {reason}; move the file away or repeat the run")]
    Record {
        /// The file.
        path: PathBuf,
        /// What the parser said, with line and column.
        reason: String,
    },
    /// Numbers beside the records that are none.
    #[error(
        "{path}: {reason}; remove the file, `din-repro reproduce` and `visualize` make such files again"
    )]
    Stored {
        /// The file.
        path: PathBuf,
        /// What the parser said, with line and column.
        reason: String,
    },
    /// A record of a later version of this program.
    #[error(
        "{path}: written with schema_version {found}, this program reads up to {supported}; \
         use the version that wrote it"
    )]
    NewerSchema {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u64,
        /// [`ctr_core::RECORD_SCHEMA_VERSION`].
        supported: u32,
    },
    /// The published numbers in `reports/reference/` contradict their form.
    #[error("reports/reference/{file}: {reason}")]
    Reference {
        /// Name of the file.
        file: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// A picture that cannot be drawn or encoded.
    #[error("picture {name}: {reason}")]
    Picture {
        /// What it should show.
        name: String,
        /// What the drawing library said.
        reason: String,
    },
    /// The HTML template does not fit its data.
    #[error("cannot fill the HTML page: {0}")]
    Template(#[from] minijinja::Error),
    /// A folder that cannot be made.
    #[error("cannot create the folder {path}: {source}; check its parent's permissions")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file that cannot be written, or a signature that cannot be read.
    #[error(transparent)]
    Core(#[from] ctr_core::Error),
}

/// Result of this crate.
pub type Result<T> = std::result::Result<T, Error>;
