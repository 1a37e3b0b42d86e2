//! The crate's error.

use std::path::PathBuf;

/// What can go wrong in the shared types.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A schema that contradicts itself.
    #[error("schema: {0}")]
    Schema(String),
    /// Columns of a dataset that do not fit its schema or one another.
    #[error("dataset {dataset}: {reason}")]
    Dataset {
        /// Identifier of the dataset.
        dataset: String,
        /// What does not fit, with the values.
        reason: String,
    },
    /// A signature that cannot be read back.
    #[error("signature {text:?}: {reason}")]
    Signature {
        /// The text given.
        text: String,
        /// The first thing wrong with it.
        reason: String,
    },
    /// A file that could not be written.
    #[error(
        "cannot write {path}: {source}; check that the folder exists, is writable and has space"
    )]
    Write {
        /// The file meant to be written.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A value that cannot be written as JSON.
    #[error("cannot encode as JSON: {0}")]
    Json(#[from] serde_json::Error),
}

/// Result of this crate.
pub type Result<T> = std::result::Result<T, Error>;
