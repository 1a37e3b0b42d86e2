//! Loops over slices, without tensors and tapes.

mod elementwise;
mod product;
mod sequence;
mod transpose;

pub use elementwise::sigmoid;
pub(crate) use elementwise::{
    add, axpy, dot, exp_in_place, gate_backward, gate_forward, multiply_add, multiply_into, plain,
    prelu_backward, prelu_forward, repeat_row, scale_rows, sigmoid_backward, sigmoid_in_place,
    standardize_backward, standardize_rows, subtract_into, sum_into, sum_of_squares, sum_products,
    sum_rows, sum_squared_deviations, vectorized,
};
pub use product::{View, Write, multiply};
pub(crate) use sequence::{
    gru_backward_row, gru_forward_row, standardize_each_row, standardize_each_row_backward,
};
pub(crate) use transpose::transpose;
