//! The crate's error.

/// What can go wrong in layers and models.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Two shapes that do not fit.
    #[error("{op}: shape mismatch, {left:?} against {right:?}")]
    Shape {
        /// The operation.
        op: &'static str,
        /// Rows and columns of the one.
        left: (usize, usize),
        /// Rows and columns of the other.
        right: (usize, usize),
    },
    /// A batch that a model cannot take.
    #[error("batch: {0}")]
    Batch(String),
    /// A configuration that makes no model.
    #[error("configuration: {0}")]
    Config(String),
    /// Stored weights that do not belong to this model.
    #[error("stored weights: {0}; repeat the run, or name the run that they belong to")]
    Stored(String),
    /// An operation that cannot be told to other programs.
    #[error(
        "the operation {op} has no form outside of this program, so the model cannot be exported"
    )]
    Untraced {
        /// The operation.
        op: &'static str,
    },
    /// dfdx could not allocate.
    #[error("tensor: {0}")]
    Tensor(String),
    /// Threads that could not be started.
    #[error("cannot start threads: {0}")]
    Threads(String),
    /// Another rank of a step that several do together is gone.
    #[error("{0}")]
    Rank(String),
    /// What ranks exchange does not fit together.
    #[error("{0}")]
    Exchange(String),
    /// A loss that is infinite or not a number.
    #[error("the loss became {loss} at step {step}: lower the learning rate or clip the gradient")]
    Diverged {
        /// The step, counted from 1.
        step: u64,
        /// The loss.
        loss: f64,
    },
}

impl From<dfdx::tensor::CpuError> for Error {
    fn from(error: dfdx::tensor::CpuError) -> Self {
        Self::Tensor(error.to_string())
    }
}

/// Result of this crate.
pub type Result<T> = std::result::Result<T, Error>;
