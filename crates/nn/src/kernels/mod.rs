//! Loops over slices, without tensors and tapes.

mod elementwise;
mod product;

pub use elementwise::sigmoid;
pub(crate) use elementwise::{axpy, dot, gate_backward, gate_forward, sigmoid_in_place};
pub(crate) use product::{View, ViewMut, multiply};
