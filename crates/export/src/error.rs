//! The crate's error.

use std::path::PathBuf;

/// What keeps a result from leaving.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A model that a graph cannot hold.
    #[error("this model cannot be an ONNX file: {0}")]
    Model(String),
    /// An operation that has no form outside.
    #[error(transparent)]
    Network(#[from] ctr_nn::Error),
    /// The system refused to read or write a file.
    #[error("{}: {source}; check that the folder is writable and has space", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// An error of the shared types.
    #[error(transparent)]
    Core(#[from] ctr_core::Error),
}

/// Result of this crate.
pub type Result<T> = std::result::Result<T, Error>;
