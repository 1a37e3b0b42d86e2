//! A model with its weights.

use crate::distributed::{Alone, Communicator, pass_over_owned, uses_of_rows};
use crate::lookup::IdColumns;
use crate::memory::Pool;
use crate::regularizer::{FeatureDropout, RowPenalties};
use crate::shards::Shard;
use crate::step::{Passed, StepMemory};
use crate::sums::Sums;
use crate::{Error, Graph, Matrix, Optimizer, Result, Scoring, Tape, Training, Weights};
use ctr_core::{Batch, SeedStreams};
use dfdx::prelude::Cpu;
use std::sync::Arc;

/// What distinguishes one model from another: the way from a batch to logits.
pub trait Architecture: Send + Sync + 'static {
    /// Rows × 1 logits of the graph's batch. Positives and negatives take this one way together.
    ///
    /// # Errors
    /// When the batch does not fit the schema that the model was built for.
    fn logits<T: Tape>(&self, graph: &mut Graph<'_, T>) -> Result<Matrix>;

    /// Whether [`Architecture::logits`] can give the logits of many candidates for one history without a
    /// copy of it for each: its parts then are those of [`crate::EmbeddingMlp`] and
    /// [`crate::ActivationUnit`] alone.
    fn shares_history(&self) -> bool {
        false
    }
}

/// [`Architecture`] without its type parameter, so that a model can be chosen at run time.
pub trait CtrModel: Send + Sync {
    /// Logits with a tape.
    ///
    /// # Errors
    /// Those of [`Architecture::logits`].
    fn training_logits(&self, graph: &mut Graph<'_, Training>) -> Result<Matrix>;

    /// Logits without one.
    ///
    /// # Errors
    /// Those of [`Architecture::logits`].
    fn scoring_logits(&self, graph: &mut Graph<'_, Scoring>) -> Result<Matrix>;

    /// See [`Architecture::shares_history`].
    fn can_share_history(&self) -> bool;
}

impl<A: Architecture> CtrModel for A {
    fn training_logits(&self, graph: &mut Graph<'_, Training>) -> Result<Matrix> {
        self.logits(graph)
    }

    fn scoring_logits(&self, graph: &mut Graph<'_, Scoring>) -> Result<Matrix> {
        self.logits(graph)
    }

    fn can_share_history(&self) -> bool {
        self.shares_history()
    }
}

/// Weight of the past in running statistics: TensorFlow 1's default.
const STATISTICS_MOMENTUM: f32 = 0.99;

/// Gradients of one table's rows.
#[derive(Clone, Debug)]
pub struct RowGradients {
    /// The rows of the batch, each once, in rising order.
    pub rows: Vec<u32>,
    /// One gradient a row, row by row.
    pub values: Vec<f32>,
}

/// Gradients of one batch.
#[derive(Clone, Debug)]
pub struct BatchGradients {
    /// Mean logistic loss.
    pub loss: f64,
    /// One a dense parameter.
    pub parameters: Vec<Vec<f32>>,
    /// One a table.
    pub tables: Vec<RowGradients>,
}

/// What a step did.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepReport {
    /// Mean logistic loss of the batch before the step.
    pub loss: f64,
    /// Global norm of the gradient before clipping, where the optimizer clips.
    pub gradient_norm: Option<f64>,
    /// Whether a rank wishes to stop, see [`Network::wants_stop`]; all ranks are told alike.
    pub stop: bool,
}

/// Memory reused from one scoring call to the next.
#[derive(Debug, Default)]
pub struct ScoringMemory {
    pub(crate) free: Vec<Vec<f32>>,
    pub(crate) device: Cpu,
}

/// A model, its weights, and the memory that steps reuse.
pub struct Network {
    pub(crate) model: Box<dyn CtrModel>,
    /// The weights.
    pub weights: Weights,
    /// Penalties on table rows; none at first.
    pub penalties: RowPenalties,
    /// Dropout of feature ids in training steps; none at first.
    pub dropout: Option<FeatureDropout>,
    /// Those who do each step together with this process; nobody at first. All must have the same weights, and
    /// are given the same batches.
    pub ranks: Arc<dyn Communicator>,
    /// Told to all ranks in the next step.
    pub wants_stop: bool,
    memory: StepMemory,
}

impl Network {
    /// A model with the weights that were built for it.
    pub fn new(model: impl CtrModel + 'static, weights: Weights) -> Self {
        Self {
            model: Box::new(model),
            weights,
            penalties: RowPenalties::default(),
            dropout: None,
            ranks: Arc::new(Alone),
            wants_stop: false,
            memory: StepMemory::default(),
        }
    }

    /// Loss and gradients of a batch, without dropout; nothing changes. Table rows' gradients include
    /// their penalties.
    ///
    /// # Errors
    /// When the batch is empty or does not fit the model.
    pub fn gradients(&mut self, batch: &Batch) -> Result<BatchGradients> {
        let Self { model, weights, penalties, ranks, memory, .. } = self;
        let ids = IdColumns::new(weights, batch)?;
        let loss = memory.pass(&**model, weights, &ids, batch, penalties, (ranks, false))?.loss;
        let mut sums = memory.sums(weights, &ids);
        sums.dense.iter_mut().for_each(crate::sums::DenseSum::run);
        for part in sums.tables.iter_mut().flatten() {
            let values = weights.tables[part.table].values();
            part.run(penalties, values, 0);
        }
        let parameters = weights
            .parameters
            .iter()
            .map(|parameter| memory.dense()[parameter.place().range()].to_vec())
            .collect();
        let tables = memory
            .tables()
            .iter()
            .map(|table| RowGradients {
                rows: table.uses.rows.clone(),
                values: table.values.clone(),
            })
            .collect();
        Ok(BatchGradients { loss, parameters, tables })
    }

    /// One step: forward, backward, update of dense parameters and of the rows of this batch. Runs on
    /// rayon's current threads; the bits do not depend on their number.
    ///
    /// # Errors
    /// When the batch does not fit, or [`Error::Diverged`] when the loss is not finite; the weights are
    /// then those before the step.
    pub fn train_step(&mut self, batch: &Batch, optimizer: &mut Optimizer) -> Result<StepReport> {
        let Self { model, weights, penalties, dropout, ranks, wants_stop, memory } = self;
        // After a step nothing is outdated; before the first, all.
        weights.parameters.iter_mut().for_each(crate::Parameter::refresh);
        let mut ids = IdColumns::new(weights, batch)?;
        if let Some(dropout) = dropout {
            dropout.apply(&mut ids, batch, optimizer.steps() + 1);
        }
        let told = (&*ranks, *wants_stop);
        let finite = |passed: &Passed| match passed.loss.is_finite() {
            true => Ok(()),
            false => Err(Error::Diverged { step: optimizer.steps() + 1, loss: passed.loss }),
        };
        let (passed, gradient_norm) = if weights
            .tables
            .iter()
            .any(|table| table.partition.is_some())
        {
            let uses = uses_of_rows(&ids);
            let (passed, mut rows) =
                pass_over_owned(memory, &**model, weights, (&uses, &ids), batch, penalties, told)?;
            finite(&passed)?;
            let clips = optimizer.clips();
            let squares = clips.then(|| rows.squares(weights, &uses, &**ranks)).transpose()?;
            let sums = Sums { tables: rows.sums(weights), ..memory.sums(weights, &ids) };
            (passed, optimizer.apply(weights, penalties, sums, squares.as_deref())?)
        } else {
            let passed = memory.pass(&**model, weights, &ids, batch, penalties, told)?;
            finite(&passed)?;
            let sums = memory.sums(weights, &ids);
            (passed, optimizer.apply(weights, penalties, sums, None)?)
        };
        for (id, seen) in &passed.moved_statistics {
            weights.statistics[id.0].absorb(seen, STATISTICS_MOMENTUM);
        }
        Ok(StepReport { loss: passed.loss, gradient_norm, stop: passed.stop })
    }

    /// Draws all tables again, each from the stream `init/<name>/<label>`, as when the network was built.
    pub fn draw_tables_again(&mut self, seeds: SeedStreams, label: &str) {
        self.weights.tables.iter_mut().for_each(|table| table.draw_again(seeds, label));
    }

    /// Logits of a batch, one a row, on this thread. Labels are not looked at.
    ///
    /// # Errors
    /// When the batch does not fit the model.
    pub fn score(&self, batch: &Batch, memory: &mut ScoringMemory) -> Result<Vec<f32>> {
        if self.is_partitioned() {
            return Err(Error::Config(
                "rows of other ranks have to be fetched before scoring".into(),
            ));
        }
        self.score_with(&self.weights, &IdColumns::new(&self.weights, batch)?, batch, memory)
    }

    /// Logits of a batch by weights that fit its ids.
    pub(crate) fn score_with(
        &self,
        weights: &Weights,
        ids: &IdColumns<'_>,
        batch: &Batch,
        memory: &mut ScoringMemory,
    ) -> Result<Vec<f32>> {
        let pool = Pool::with(std::mem::take(&mut memory.free));
        let mut scores = Vec::with_capacity(batch.rows());
        for start in (0..batch.rows()).step_by(SCORING_ROWS) {
            let shard = Shard::new(batch, start..(start + SCORING_ROWS).min(batch.rows()));
            let device = memory.device.clone();
            let mut graph = Graph::<Scoring>::new(weights, ids, &shard, pool.clone(), device);
            let logits = self.model.scoring_logits(&mut graph)?;
            if logits.shape() != (shard.rows.len(), 1) {
                let right = (shard.rows.len(), 1);
                return Err(Error::Shape { op: "score", left: logits.shape(), right });
            }
            scores.extend_from_slice(logits.values());
        }
        memory.free = pool.drain();
        Ok(scores)
    }
}

/// Rows scored at a time, so that their matrices stay in the second-level cache.
const SCORING_ROWS: usize = 64;
