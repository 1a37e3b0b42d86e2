//! One pass of a batch through a model.

use crate::lookup::IndexedBatch;
use crate::weights::{BatchStatistics, slot_gradient};
use crate::{Error, Parameter, ParameterId, Result, StatisticsId, Weights};
use dfdx::prelude::{
    Backward, Cpu, CpuError, Gradients, HasShape, PutTape, SplitTape, Tensor, TensorFromVec,
};
use std::sync::Arc;

/// A dense matrix of f32: rows of a batch (or events of it) by features. It carries no tape; the
/// [`Graph`] does.
pub type Matrix = Tensor<(usize, usize), f32, Cpu>;

/// dfdx's tape: `OwnedTape` in a training pass, `NoneTape` in a scoring pass.
pub trait Tape: dfdx::tensor::Tape<f32, Cpu> + 'static {}
impl<T: dfdx::tensor::Tape<f32, Cpu> + 'static> Tape for T {}

/// dfdx's gradients.
pub(crate) type Gradient = Gradients<f32, Cpu>;

/// Where dfdx keeps the gradient of one matrix, without keeping the matrix alive. dfdx's own type for
/// this cannot be named from outside, so it hides in a closure.
pub(crate) trait GradientKey:
    for<'g> Fn(&'g mut Gradient) -> std::result::Result<&'g mut Vec<f32>, CpuError>
{
}
impl<F> GradientKey for F where
    F: for<'g> Fn(&'g mut Gradient) -> std::result::Result<&'g mut Vec<f32>, CpuError>
{
}

/// The key of a matrix.
pub(crate) fn gradient_key(matrix: &Matrix) -> impl GradientKey + use<> {
    let ghost = matrix.ghost();
    move |gradients: &mut Gradient| -> std::result::Result<&mut Vec<f32>, CpuError> {
        Ok(&mut **gradients.get_or_alloc_mut(&ghost)?)
    }
}

/// One pass: weights and batch to read, the tape to write.
///
/// Operations are methods that take matrices and give matrices; while training they also put their
/// backward pass on the tape. The tape's type is the mode: statistics of the batch are used and moved
/// only where there is a tape, so no flag can be forgotten.
pub struct Graph<'p, T: Tape> {
    /// Weights read by this pass.
    pub weights: &'p Weights,
    pub(crate) batch: &'p IndexedBatch,
    pub(crate) moved_statistics: Vec<(StatisticsId, BatchStatistics)>,
    tape: T,
    device: Cpu,
}

impl<'p, T: Tape> Graph<'p, T> {
    /// A pass of `batch`.
    pub fn new(weights: &'p Weights, batch: &'p IndexedBatch) -> Self {
        Self {
            weights,
            batch,
            moved_statistics: Vec::new(),
            tape: T::default(),
            device: Cpu::default(),
        }
    }

    /// Number of rows of the batch.
    pub fn rows(&self) -> usize {
        self.batch.rows()
    }

    /// Event boundaries of a group: `rows() + 1` offsets, none for a group with one event a row.
    pub fn offsets(&self, group: usize) -> Arc<Vec<u32>> {
        self.batch.offsets[group].clone()
    }

    /// A matrix of given values, row by row.
    ///
    /// # Errors
    /// When the number of values is not `rows * columns`.
    pub fn matrix(&self, values: Vec<f32>, rows: usize, columns: usize) -> Result<Matrix> {
        if values.len() != rows * columns {
            return Err(Error::Shape {
                op: "matrix",
                left: (rows, columns),
                right: (values.len(), 1),
            });
        }
        Ok(self.device.try_tensor_from_vec(values, (rows, columns))?)
    }

    /// Puts a backward pass on the tape.
    pub(crate) fn record<F>(&mut self, backward: F)
    where
        F: FnOnce(&mut Gradient) -> std::result::Result<(), CpuError> + 'static,
    {
        self.tape.add_backward_op(backward);
    }

    /// Runs an operation of dfdx itself on the same tape, for layers that need no speed:
    /// `graph.stock(x, |x| Ok(x.try_tanh()?))`.
    ///
    /// # Errors
    /// Those of the operation. Note that dfdx panics in the backward pass when one tensor is both sides of
    /// a binary operation.
    pub fn stock<F>(&mut self, input: Matrix, operation: F) -> Result<Matrix>
    where
        F: FnOnce(
            Tensor<(usize, usize), f32, Cpu, T>,
        ) -> Result<Tensor<(usize, usize), f32, Cpu, T>>,
    {
        let (output, tape) =
            operation(input.put_tape(std::mem::take(&mut self.tape)))?.split_tape();
        self.tape = tape;
        Ok(output)
    }

    pub(crate) fn parameter(&self, id: ParameterId) -> &'p Parameter {
        &self.weights.parameters[id.0]
    }
}

impl Graph<'_, crate::Training> {
    /// Runs all backward passes, beginning with gradient 1 of `loss`.
    ///
    /// # Errors
    /// When memory runs out.
    pub(crate) fn backward(self, loss: Tensor<(), f32, Cpu>) -> Result<Gradient> {
        Ok(loss.put_tape(self.tape).try_backward()?)
    }
}

/// Shape of a matrix.
pub(crate) fn shape(matrix: &Matrix) -> (usize, usize) {
    *matrix.shape()
}

/// The values of a matrix, copied: dfdx 0.13 lends them to nobody.
pub(crate) fn values(matrix: &Matrix) -> Vec<f32> {
    let (rows, columns) = shape(matrix);
    let mut copy = vec![0.0; rows * columns];
    matrix.copy_into(&mut copy);
    copy
}

/// Takes the gradient of a matrix; it is needed only once, by the operation that made the matrix.
pub(crate) fn take_gradient(
    gradients: &mut Gradient,
    key: &impl GradientKey,
) -> std::result::Result<Vec<f32>, CpuError> {
    Ok(std::mem::take(key(gradients)?))
}

/// The gradient of an operation's input, to be added to.
pub(crate) fn input_gradient<'g>(
    gradients: &'g mut Gradient,
    key: &impl GradientKey,
) -> std::result::Result<&'g mut [f32], CpuError> {
    Ok(key(gradients)?.as_mut_slice())
}

/// The gradient of a parameter, to be added to.
pub(crate) fn parameter_gradient<'g>(
    gradients: &'g mut Gradient,
    slot: &Matrix,
    len: usize,
) -> std::result::Result<&'g mut [f32], CpuError> {
    slot_gradient(gradients, slot, len)
}
