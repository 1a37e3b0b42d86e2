//! Operations on a [`crate::Graph`]: forward pass and hand-written backward pass.

mod combine;
mod embed;
mod factorization;
mod loss;
mod pool;
mod standardize;

pub use pool::Pooling;
pub(crate) use pool::check_offsets;
