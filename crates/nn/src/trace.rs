//! What a model computes, operation by operation: recorded in one scoring pass, so that other programs can
//! repeat it. A model needs nothing of its own for that.
//!
//! Every operation of [`Graph`] says here what it is. One that does not can be computed with, but a later
//! operation on its result is an error while recording.

use crate::graph::Slot;
use crate::lookup::IdColumns;
use crate::memory::Pool;
use crate::shards::Shard;
use crate::{
    Error, Graph, Matrix, Network, ParameterId, Pooling, Result, Scoring, StatisticsId, TableId,
    Tape,
};
use ctr_core::{Batch, Cardinality, EventColumn, GroupEvents, Role, Schema};
use dfdx::prelude::Cpu;
use std::rc::Rc;
use std::sync::Arc;

/// The result of an earlier operation: its place in [`Trace::steps`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Value(pub usize);

/// Which events the rows of a matrix are.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Events {
    /// One a row of the batch.
    OneARow,
    /// The history in a group of the schema.
    Group(usize),
    /// Those events, and after them the row's candidate as one more.
    WithCandidate(Box<Self>),
}

/// An operation of [`Graph`], with the meaning that its method there describes.
#[derive(Clone, Debug, PartialEq)]
pub enum Operation {
    /// [`Graph::embed`].
    Embed {
        /// Tables and columns of their sources.
        parts: Vec<(TableId, usize)>,
    },
    /// [`Graph::concat`].
    Concat {
        /// From left to right.
        parts: Vec<Value>,
    },
    /// [`Graph::add`].
    Add {
        /// The two sides.
        sides: [Value; 2],
    },
    /// [`Graph::multiply`].
    Multiply {
        /// The two sides.
        sides: [Value; 2],
    },
    /// [`Graph::sigmoid`].
    Sigmoid {
        /// What it is applied to.
        input: Value,
    },
    /// [`Graph::sum_columns`].
    SumColumns {
        /// What is summed.
        input: Value,
        /// Added to each sum.
        bias: Option<ParameterId>,
    },
    /// [`Graph::columns`].
    Columns {
        /// Where they are taken from.
        input: Value,
        /// Which ones.
        wanted: Vec<usize>,
    },
    /// [`Graph::pairwise_products`].
    PairwiseProducts {
        /// The vectors.
        vectors: Vec<Value>,
    },
    /// [`Graph::standardize`] by the running statistics.
    Standardize {
        /// What is standardized.
        input: Value,
        /// Mean and variance.
        statistics: StatisticsId,
        /// Added to the variance.
        epsilon: f32,
    },
    /// [`Graph::scale_columns`].
    ScaleColumns {
        /// What is scaled.
        input: Value,
        /// A factor a column.
        scale: ParameterId,
        /// A summand a column.
        bias: Option<ParameterId>,
        /// A factor of all.
        factor: f32,
    },
    /// [`Graph::scale`].
    Scale {
        /// What is scaled.
        input: Value,
        /// By what.
        factor: f32,
    },
    /// [`Graph::gate`].
    Gate {
        /// The pre-activations.
        s: Value,
        /// What opens the gate.
        z: Value,
        /// The slope of the closed side.
        alpha: ParameterId,
    },
    /// [`Graph::prelu`].
    Prelu {
        /// The pre-activations.
        input: Value,
        /// Slopes.
        alpha: ParameterId,
    },
    /// [`Graph::leaky_relu`].
    LeakyRelu {
        /// The pre-activations.
        input: Value,
        /// The slope.
        slope: f32,
    },
    /// [`Graph::layer_normalization`].
    LayerNormalization {
        /// What is normalized.
        input: Value,
        /// Factors.
        scale: ParameterId,
        /// Summands.
        bias: ParameterId,
        /// Added to the variance.
        epsilon: f32,
    },
    /// [`crate::Dense`].
    Dense {
        /// The input.
        input: Value,
        /// Inputs × outputs.
        weight: ParameterId,
        /// 1 × outputs.
        bias: Option<ParameterId>,
        /// Whether the logistic function is on top.
        sigmoid: bool,
    },
    /// The first layer of [`crate::ActivationUnit`] on [q, k, q − k, q ⊙ k], or without q − k.
    UnitLayer {
        /// q, one a row.
        candidates: Value,
        /// k, one an event.
        behaviors: Value,
        /// The layer's weight for all its inputs.
        weight: ParameterId,
        /// Its bias.
        bias: ParameterId,
        /// Whether q − k is among the inputs.
        difference: bool,
        /// Whether the logistic function is on top.
        sigmoid: bool,
    },
    /// [`Graph::pool`].
    Pool {
        /// What is pooled.
        input: Value,
        /// Its events.
        events: Events,
        /// How.
        pooling: Pooling,
    },
    /// [`Graph::attention_pool`].
    AttentionPool {
        /// Weights before normalization, one an event.
        scores: Value,
        /// What is pooled.
        input: Value,
        /// Its events.
        events: Events,
        /// The factor inside the softmax; none without one.
        softmax: Option<f32>,
    },
    /// [`Graph::last_events`].
    LastEvents {
        /// Of what.
        input: Value,
        /// Its events.
        events: Events,
    },
    /// [`Graph::with_candidate`].
    WithCandidate {
        /// The events.
        input: Value,
        /// Whose they are.
        events: Events,
        /// One more event for each row.
        candidates: Value,
        /// A row for each position.
        positions: Option<ParameterId>,
    },
    /// [`Graph::attend`].
    Attend {
        /// Queries and whose events they are.
        queries: (Value, Events),
        /// Keys and whose events they, and the values, are.
        keys: (Value, Events),
        /// The values.
        values: Value,
        /// Heads.
        heads: usize,
    },
    /// [`Graph::gated_recurrent`].
    GatedRecurrent {
        /// What the events give to the gates.
        input: Value,
        /// The events.
        events: Events,
        /// Of the state.
        weight: ParameterId,
        /// Of the candidate state.
        bias: ParameterId,
    },
}

/// An operation and the width of its result.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// The operation.
    pub operation: Operation,
    /// Columns of its result.
    pub columns: usize,
}

/// All operations of a scoring pass in their order.
#[derive(Clone, Debug, PartialEq)]
pub struct Trace {
    /// Each reads results of earlier ones alone.
    pub steps: Vec<Step>,
    /// The logits, rows × 1.
    pub output: Value,
}

/// A trace under way.
#[derive(Default)]
pub(crate) struct Recorder {
    steps: Vec<Step>,
    /// What each step gave. Kept, so that no other matrix gets its address.
    slots: Vec<Slot>,
    boundaries: Vec<(Arc<Vec<u32>>, Events)>,
}

impl Recorder {
    /// The step that gave a matrix.
    pub fn value(&self, matrix: &Matrix) -> Result<Value> {
        let slot = matrix.slot();
        let place = self.slots.iter().position(|known| Rc::ptr_eq(known, &slot));
        place.map(Value).ok_or(Error::Untraced { op: matrix.op() })
    }

    pub fn values(&self, matrices: &[&Matrix]) -> Result<Vec<Value>> {
        matrices.iter().map(|matrix| self.value(matrix)).collect()
    }

    /// Whose boundaries these are.
    pub fn events(&self, offsets: &Arc<Vec<u32>>) -> Result<Events> {
        let known = self.boundaries.iter().find(|(known, _)| Arc::ptr_eq(known, offsets));
        known.map(|(_, events)| events.clone()).ok_or(Error::Untraced { op: "offsets" })
    }
}

impl<T: Tape> Graph<'_, T> {
    /// Notes which operation gave `output`, while a trace is recorded.
    pub(crate) fn trace(
        &mut self,
        output: &Matrix,
        operation: impl FnOnce(&Recorder) -> Result<Operation>,
    ) -> Result<()> {
        if let Some(recorder) = &mut self.recorder {
            let operation = operation(recorder)?;
            recorder.steps.push(Step { operation, columns: output.shape().1 });
            recorder.slots.push(output.slot());
        }
        Ok(())
    }

    /// Notes whose boundaries `offsets` are, while a trace is recorded.
    pub(crate) fn trace_offsets(
        &mut self,
        offsets: &Arc<Vec<u32>>,
        events: impl FnOnce(&Recorder) -> Result<Events>,
    ) -> Result<()> {
        if let Some(recorder) = &mut self.recorder {
            let events = events(recorder)?;
            recorder.boundaries.push((offsets.clone(), events));
        }
        Ok(())
    }

    /// Boundaries of one event a row.
    pub(crate) fn one_event_a_row(&mut self, rows: usize) -> Result<Arc<Vec<u32>>> {
        let offsets = Arc::new((0..=rows as u32).collect());
        self.trace_offsets(&offsets, |_| Ok(Events::OneARow))?;
        Ok(offsets)
    }
}

impl Network {
    /// The operations by which this network scores rows of `schema`.
    ///
    /// # Errors
    /// When the schema is not the network's, or names the operation that has no form outside of this crate.
    pub fn trace(&self, schema: &Schema) -> Result<Trace> {
        let batch = one_row(schema);
        let ids = IdColumns::new(&self.weights, &batch)?;
        let shard = Shard::new(&batch, 0..1);
        let pool = Pool::with(Vec::new());
        let mut graph = Graph::<Scoring>::new(&self.weights, &ids, &shard, pool, Cpu::default());
        graph.recorder = Some(Recorder::default());
        for (group, offsets) in shard.offsets.iter().enumerate() {
            if !offsets.is_empty() {
                graph.trace_offsets(offsets, |_| Ok(Events::Group(group)))?;
            }
        }
        let logits = self.model.scoring_logits(&mut graph)?;
        let recorder = graph.recorder.take().unwrap_or_default();
        let output = recorder.value(&logits)?;
        Ok(Trace { steps: recorder.steps, output })
    }
}

/// A batch of one row with one event in every group.
fn one_row(schema: &Schema) -> Batch {
    let groups = schema.groups.iter().map(|group| GroupEvents {
        offsets: if group.role == Role::Behaviors { vec![0, 1] } else { Vec::new() },
        fields: group
            .fields
            .iter()
            .map(|field| match field.cardinality {
                Cardinality::One => EventColumn::single(vec![0]),
                Cardinality::Many => EventColumn { offsets: vec![0, 1], ids: vec![0] },
            })
            .collect(),
    });
    Batch { labels: vec![0.0], groups: groups.collect() }
}
