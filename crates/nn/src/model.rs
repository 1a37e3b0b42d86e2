//! A model with its weights.

use crate::graph::Gradient;
use crate::lookup::Indexer;
use crate::weights::BatchStatistics;
use crate::{
    Error, Graph, Matrix, Optimizer, Result, Scoring, StatisticsId, Tape, Training, Weights,
};
use ctr_core::Batch;

/// What distinguishes one model from another: the way from a batch to logits.
pub trait Architecture: Send + Sync + 'static {
    /// Rows × 1 logits of the graph's batch. Positives and negatives take this one way together.
    ///
    /// # Errors
    /// When the batch does not fit the schema that the model was built for.
    fn logits<T: Tape>(&self, graph: &mut Graph<'_, T>) -> Result<Matrix>;
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
}

impl<A: Architecture> CtrModel for A {
    fn training_logits(&self, graph: &mut Graph<'_, Training>) -> Result<Matrix> {
        self.logits(graph)
    }

    fn scoring_logits(&self, graph: &mut Graph<'_, Scoring>) -> Result<Matrix> {
        self.logits(graph)
    }
}

/// Weight of the past in running statistics: TensorFlow 1's default.
const STATISTICS_MOMENTUM: f32 = 0.99;

/// Gradients of one table's rows.
#[derive(Clone, Debug)]
pub struct RowGradients {
    /// The rows of the batch, each once.
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
    moved_statistics: Vec<(StatisticsId, BatchStatistics)>,
}

/// What a step did.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepReport {
    /// Mean logistic loss of the batch before the step.
    pub loss: f64,
    /// Global norm of the gradient before clipping, where the optimizer clips.
    pub gradient_norm: Option<f64>,
}

/// Memory reused from one scoring call to the next.
#[derive(Clone, Debug, Default)]
pub struct ScoringMemory {
    indexer: Indexer,
}

/// A model, its weights, and the memory that steps reuse.
pub struct Network {
    model: Box<dyn CtrModel>,
    /// The weights.
    pub weights: Weights,
    indexer: Indexer,
}

impl Network {
    /// A model with the weights that were built for it.
    pub fn new(model: impl CtrModel + 'static, weights: Weights) -> Self {
        Self { model: Box::new(model), weights, indexer: Indexer::default() }
    }

    /// Loss and gradients of a batch; nothing changes.
    ///
    /// # Errors
    /// When the batch is empty or does not fit the model.
    pub fn gradients(&mut self, batch: &Batch) -> Result<BatchGradients> {
        let indexed = self.indexer.index(&self.weights, batch)?;
        let mut graph = Graph::<Training>::new(&self.weights, &indexed);
        let logits = self.model.training_logits(&mut graph)?;
        let (tensor, loss) = graph.log_loss(&logits)?;
        let moved_statistics = std::mem::take(&mut graph.moved_statistics);
        let mut gradients = graph.backward(tensor)?;
        let parameters = self
            .weights
            .parameters
            .iter()
            .map(|parameter| take(&mut gradients, &parameter.slot(), parameter.values().len()))
            .collect::<Result<_>>()?;
        let tables = indexed
            .tables
            .into_iter()
            .zip(&self.weights.tables)
            .map(|(lookup, table)| {
                let len = lookup.rows.len() * table.dim;
                Ok(RowGradients {
                    values: take(&mut gradients, &lookup.slot, len)?,
                    rows: lookup.rows,
                })
            })
            .collect::<Result<_>>()?;
        Ok(BatchGradients { loss, parameters, tables, moved_statistics })
    }

    /// One step: forward, backward, update of dense parameters and of the rows of this batch.
    ///
    /// # Errors
    /// When the batch does not fit, or [`Error::Diverged`] when the loss is not finite; the weights are
    /// then those before the step.
    pub fn train_step(&mut self, batch: &Batch, optimizer: &mut Optimizer) -> Result<StepReport> {
        let mut gradients = self.gradients(batch)?;
        if !gradients.loss.is_finite() {
            return Err(Error::Diverged { step: optimizer.steps() + 1, loss: gradients.loss });
        }
        let loss = gradients.loss;
        let moved_statistics = std::mem::take(&mut gradients.moved_statistics);
        let gradient_norm = optimizer.apply(&mut self.weights, &gradients)?;
        for (id, seen) in &moved_statistics {
            self.weights.statistics[id.0].absorb(seen, STATISTICS_MOMENTUM);
        }
        Ok(StepReport { loss, gradient_norm })
    }

    /// Logits of a batch, one a row. Labels are not looked at.
    ///
    /// # Errors
    /// When the batch does not fit the model.
    pub fn score(&self, batch: &Batch, memory: &mut ScoringMemory) -> Result<Vec<f32>> {
        let indexed = memory.indexer.index(&self.weights, batch)?;
        let mut graph = Graph::<Scoring>::new(&self.weights, &indexed);
        let logits = self.model.scoring_logits(&mut graph)?;
        Ok(crate::graph::values(&logits))
    }
}

fn take(gradients: &mut Gradient, slot: &Matrix, len: usize) -> Result<Vec<f32>> {
    let gradient = gradients.get_or_alloc_mut(slot)?;
    gradient.resize(len, 0.0);
    Ok(std::mem::take(&mut **gradient))
}
