//! One pass of some rows of a batch through a model.

use crate::exchange::Exchange;
use crate::lookup::IdColumns;
use crate::memory::{Buffer, Pool};
use crate::shards::Shard;
use crate::trace::Recorder;
use crate::weights::BatchStatistics;
use crate::{Error, Parameter, ParameterId, Result, StatisticsId, Weights};
use dfdx::prelude::{
    Backward, Cpu, CpuError, Gradients, HasShape, PutTape, SplitTape, Tensor, TensorFromVec,
};
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

/// dfdx's tape: `OwnedTape` in a training pass, `NoneTape` in a scoring pass.
pub trait Tape: dfdx::tensor::Tape<f32, Cpu> + 'static {}
impl<T: dfdx::tensor::Tape<f32, Cpu> + 'static> Tape for T {}

/// A tensor without elements: the key under which dfdx keeps a matrix's gradient.
pub(crate) type Slot = Rc<Tensor<(usize, usize), f32, Cpu>>;

/// A dense matrix of f32: rows of a batch (or events of it) by features. It carries no tape; the
/// [`Graph`] does.
///
/// The values are ours rather than a dfdx tensor's, because dfdx 0.13 gives no access to a tensor's data
/// without a copy.
#[derive(Clone, Debug)]
pub struct Matrix {
    values: Rc<Buffer>,
    rows: usize,
    columns: usize,
    slot: Slot,
    /// The operation that made it, for messages.
    op: &'static str,
}

impl Matrix {
    /// Rows and columns.
    pub fn shape(&self) -> (usize, usize) {
        (self.rows, self.columns)
    }

    /// The values, row by row.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// The values, to be kept by a backward pass.
    pub(crate) fn shared(&self) -> Rc<Buffer> {
        self.values.clone()
    }

    pub(crate) fn op(&self) -> &'static str {
        self.op
    }

    pub(crate) fn slot(&self) -> Slot {
        self.slot.clone()
    }
}

/// Gradients of all dense parameters of one lane, one after the other.
#[derive(Debug, Default)]
pub(crate) struct DenseGradients {
    pub values: Vec<f32>,
    /// Whether a parameter's part has been written in this step; before that it holds anything.
    pub written: Vec<bool>,
}

/// Gradients of embedded events: `events` × `width` numbers, of which each part is one table column's.
#[derive(Debug)]
pub(crate) struct EventGradients {
    pub parts: Vec<EventPart>,
    /// The first event of the whole batch that is here.
    pub first: usize,
    pub width: usize,
    pub values: Vec<f32>,
}

/// One table column of embedded events, `dim` numbers wide.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EventPart {
    pub table: usize,
    pub column: usize,
    pub dim: usize,
}

/// What a training pass leaves behind, apart from the gradients inside dfdx's tape.
#[derive(Debug, Default)]
pub(crate) struct Collected {
    pub dense: DenseGradients,
    pub events: Vec<EventGradients>,
}

/// One pass: weights and rows to read, the tape to write.
///
/// Operations are methods that take matrices and give matrices; while training they also put their
/// backward pass on the tape. The tape's type is the mode: statistics of the batch are used and moved
/// only where there is a tape, so no flag can be forgotten.
///
/// A pass may cover a part of a batch only (see `shards.rs`); what a model does row by row need not know
/// it.
pub struct Graph<'p, T: Tape> {
    /// Weights read by this pass.
    pub weights: &'p Weights,
    pub(crate) ids: &'p IdColumns<'p>,
    pub(crate) shard: &'p Shard,
    pub(crate) exchange: Option<(Arc<Exchange>, usize)>,
    pub(crate) moved_statistics: Vec<(StatisticsId, BatchStatistics)>,
    pub(crate) collected: Rc<RefCell<Collected>>,
    pub(crate) pool: Pool,
    /// All rows have the one history that the batch holds (see `rank.rs`).
    pub(crate) shared_history: bool,
    /// Whose candidate each row's user vector attends to, in an exhibit of it (see `exhibits.rs`).
    pub(crate) exhibit_attended: Option<Arc<Vec<u32>>>,
    /// Weights of the events of every attention pooling so far, where someone looks (see `activations.rs`).
    pub(crate) watched: Option<Vec<Vec<f32>>>,
    /// Records the operations (see `trace.rs`).
    pub(crate) recorder: Option<Recorder>,
    tape: T,
    device: Cpu,
}

impl<'p, T: Tape> Graph<'p, T> {
    /// A pass of one shard.
    pub(crate) fn new(
        weights: &'p Weights,
        ids: &'p IdColumns<'p>,
        shard: &'p Shard,
        pool: Pool,
        device: Cpu,
    ) -> Self {
        Self {
            weights,
            ids,
            shard,
            exchange: None,
            moved_statistics: Vec::new(),
            collected: Rc::default(),
            pool,
            shared_history: false,
            exhibit_attended: None,
            watched: None,
            recorder: None,
            tape: T::default(),
            device,
        }
    }

    /// Number of rows of this pass.
    pub fn rows(&self) -> usize {
        self.shard.rows.len()
    }

    /// The row of the batch with which this pass begins.
    pub fn first_row(&self) -> usize {
        self.shard.rows.start
    }

    /// Event boundaries of a group: `rows() + 1` offsets, none for a group with one event a row.
    pub fn offsets(&self, group: usize) -> Arc<Vec<u32>> {
        self.shard.offsets[group].clone()
    }

    /// A matrix of given values, row by row.
    ///
    /// # Errors
    /// When the number of values is not `rows * columns`.
    pub fn matrix(&self, values: Vec<f32>, rows: usize, columns: usize) -> Result<Matrix> {
        self.matrix_of("matrix", self.pool.adopt(values), rows, columns)
    }

    /// A matrix of a buffer.
    pub(crate) fn matrix_of(
        &self,
        op: &'static str,
        values: Buffer,
        rows: usize,
        columns: usize,
    ) -> Result<Matrix> {
        if values.len() != rows * columns {
            return Err(Error::Shape { op, left: (rows, columns), right: (values.len(), 1) });
        }
        let slot = Rc::new(self.device.try_tensor_from_vec(Vec::new(), (0, 0))?);
        Ok(Matrix { values: Rc::new(values), rows, columns, slot, op })
    }

    /// Puts a backward pass on the tape.
    pub(crate) fn record<F>(&mut self, backward: F)
    where
        F: FnOnce(&mut BackwardPass<'_>) -> std::result::Result<(), CpuError> + 'static,
    {
        let (pool, collected) = (self.pool.clone(), self.collected.clone());
        self.tape.add_backward_op(move |gradients| {
            backward(&mut BackwardPass { gradients, pool, collected })
        });
    }

    /// Runs an operation of dfdx itself on the same tape, for layers that need no speed:
    /// `graph.stock(x, |x| Ok(x.try_tanh()?))`.
    ///
    /// # Errors
    /// Those of the operation. Note that dfdx panics in the backward pass when one tensor is both sides of
    /// a binary operation.
    pub fn stock<F>(&mut self, input: &Matrix, operation: F) -> Result<Matrix>
    where
        F: FnOnce(
            Tensor<(usize, usize), f32, Cpu, T>,
        ) -> Result<Tensor<(usize, usize), f32, Cpu, T>>,
    {
        let tensor = self.device.try_tensor_from_vec(input.values().to_vec(), input.shape())?;
        let (key, slot) = (tensor.ghost(), input.slot());
        self.record(move |pass| {
            let gradient = std::mem::take(&mut **pass.gradients.get_or_alloc_mut(&key)?);
            let gradient = pass.pool.adopt(gradient);
            pass.add(&slot, gradient)
        });
        let (output, tape) =
            operation(tensor.put_tape(std::mem::take(&mut self.tape)))?.split_tape();
        self.tape = tape;
        let &(rows, columns) = output.shape();
        let values = self.pool.adopt(output.as_vec());
        let matrix = self.matrix_of("stock", values, rows, columns)?;
        let slot = matrix.slot();
        self.record(move |pass| {
            let gradient = pass.take(&slot, rows * columns)?;
            pass.gradients.get_or_alloc_mut(&output)?.copy_from_slice(&gradient);
            Ok(())
        });
        Ok(matrix)
    }

    pub(crate) fn parameter(&self, id: ParameterId) -> &'p Parameter {
        &self.weights.parameters[id.0]
    }
}

impl Graph<'_, crate::Training> {
    /// Runs all backward passes.
    ///
    /// # Errors
    /// When memory runs out.
    pub(crate) fn backward(self) -> Result<()> {
        // dfdx begins a backward pass at a scalar; the loss puts its own gradient on the tape.
        let begin: Tensor<(), f32, Cpu> = self.device.try_tensor_from_vec(vec![0.0], ())?;
        begin.put_tape(self.tape).try_backward()?;
        Ok(())
    }
}

/// A backward pass under way.
pub(crate) struct BackwardPass<'g> {
    gradients: &'g mut Gradients<f32, Cpu>,
    pub pool: Pool,
    collected: Rc<RefCell<Collected>>,
}

type Done<T> = std::result::Result<T, CpuError>;

impl BackwardPass<'_> {
    /// Takes the gradient of a matrix; it is needed only once, by the operation that made the matrix.
    /// Zeros for a matrix that nothing used.
    pub fn take(&mut self, slot: &Slot, len: usize) -> Done<Buffer> {
        let values = std::mem::take(&mut **self.gradients.get_or_alloc_mut(&**slot)?);
        Ok(if values.len() == len { self.pool.adopt(values) } else { self.pool.zeros(len) })
    }

    /// Adds to the gradient of a matrix.
    pub fn add(&mut self, slot: &Slot, gradient: Buffer) -> Done<()> {
        let sum = self.gradients.get_or_alloc_mut(&**slot)?;
        if sum.len() == gradient.len() {
            crate::kernels::add(&gradient, sum);
        } else {
            **sum = gradient.into_vec();
        }
        Ok(())
    }

    /// The gradient of a matrix, to be written, and whether it holds nothing yet: then every number of
    /// it must be written over.
    pub fn target(&mut self, slot: &Slot, len: usize) -> Done<(&mut [f32], bool)> {
        let sum = self.gradients.get_or_alloc_mut(&**slot)?;
        let fresh = sum.len() != len;
        if fresh {
            **sum = self.pool.take(len).into_vec();
        }
        Ok((sum.as_mut_slice(), fresh))
    }

    /// Lets `write` write the gradient of a parameter; told whether it holds nothing yet.
    pub fn parameter(&self, place: GradientPlace, write: impl FnOnce(&mut [f32], bool)) {
        let dense = &mut self.collected.borrow_mut().dense;
        let fresh = !std::mem::replace(&mut dense.written[place.index], true);
        write(&mut dense.values[place.range()], fresh);
    }

    /// Lets `add` add to the gradient of a parameter, which is zero at first.
    pub fn add_to_parameter(&self, place: GradientPlace, add: impl FnOnce(&mut [f32])) {
        self.parameter(place, |gradient, fresh| {
            if fresh {
                gradient.fill(0.0);
            }
            add(gradient);
        });
    }

    /// Leaves the gradients of embedded events for the tables.
    pub fn leave_events(&self, gradients: EventGradients) {
        self.collected.borrow_mut().events.push(gradients);
    }
}

/// Where a parameter's gradient lies among those of all parameters.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GradientPlace {
    pub index: usize,
    pub start: usize,
    pub len: usize,
}

impl GradientPlace {
    /// The numbers themselves.
    pub fn range(self) -> std::ops::Range<usize> {
        self.start..self.start + self.len
    }
}
