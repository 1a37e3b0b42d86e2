//! Operations on a [`crate::Graph`]: forward pass and hand-written backward pass.

mod attention;
mod combine;
mod embed;
mod factorization;
mod layer_normalization;
mod loss;
mod pool;
mod recurrent;
mod sequence;
mod standardize;

pub use attention::Side;
pub use pool::Pooling;
pub(crate) use pool::check_offsets;
