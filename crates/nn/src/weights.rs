//! All that a model learns, by name: dense parameters, running statistics, embedding tables.

use crate::derived::{Derived, Rule};
use crate::distributed::{Partition, SpreadRows};
use crate::graph::GradientPlace;
use crate::{Init, ParameterId, StatisticsId, TableId, TableSource};
use ctr_core::{RandomStream, SeedStreams};
use std::sync::{Arc, OnceLock};

/// A dense parameter.
///
/// The values are ours rather than a dfdx tensor's, because dfdx 0.13 gives no access to a tensor's data
/// without a copy.
#[derive(Clone, Debug)]
pub struct Parameter {
    /// Path, such as `tower/0/weight`.
    pub name: String,
    /// Rows: the input width of a dense layer.
    pub rows: usize,
    /// Columns: the output width of a dense layer.
    pub columns: usize,
    values: Arc<Vec<f32>>,
    place: GradientPlace,
    rule: Rule,
    derived: OnceLock<Arc<Derived>>,
    /// Memory of an outdated `derived`.
    spare: Option<Arc<Derived>>,
}

impl Parameter {
    pub(crate) fn new(
        name: String,
        (rows, columns): (usize, usize),
        values: Vec<f32>,
        rule: Rule,
        place: GradientPlace,
    ) -> Self {
        let values = Arc::new(values);
        let derived = OnceLock::new();
        Self { name, rows, columns, values, place, rule, derived, spare: None }
    }

    /// The values, row by row.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// The values, to be kept by a backward pass.
    pub(crate) fn shared(&self) -> Arc<Vec<f32>> {
        self.values.clone()
    }

    /// The values, to be changed between passes.
    pub fn values_mut(&mut self) -> &mut [f32] {
        if let Some(outdated) = self.derived.take() {
            self.spare = Some(outdated);
        }
        Arc::make_mut(&mut self.values).as_mut_slice()
    }

    /// The values in the forms that products need.
    pub(crate) fn derived(&self) -> Arc<Derived> {
        let derive = || Arc::new(self.rule.derive(self, Derived::default()));
        self.derived.get_or_init(derive).clone()
    }

    /// Computes [`Parameter::derived`] ahead of its use, in the memory of the last time.
    pub(crate) fn refresh(&mut self) {
        if self.rule != Rule::Plain && self.derived.get().is_none() {
            let spare = self.spare.take().and_then(Arc::into_inner).unwrap_or_default();
            // Nobody else can have set it meanwhile.
            let _ = self.derived.set(Arc::new(self.rule.derive(self, spare)));
        }
    }

    pub(crate) fn place(&self) -> GradientPlace {
        self.place
    }
}

/// Running mean and variance of the columns of a layer's input: not learned by gradient, but part of the
/// model.
#[derive(Clone, Debug, PartialEq)]
pub struct Statistics {
    /// Path, such as `tower/0/dice`.
    pub name: String,
    /// One a column.
    pub mean: Vec<f32>,
    /// One a column; biased (divided by the number of rows).
    pub variance: Vec<f32>,
    /// Number of training batches seen.
    pub batches: u64,
}

/// What a training pass saw of one layer's input.
#[derive(Clone, Debug)]
pub(crate) struct BatchStatistics {
    pub mean: Vec<f32>,
    pub variance: Vec<f32>,
}

impl Statistics {
    /// Moves the running values toward a batch's. The weight of the past is `momentum`, but for the
    /// first batches their plain average, so that the beginning values (0 and 1) never count.
    pub(crate) fn absorb(&mut self, batch: &BatchStatistics, momentum: f32) {
        let past = momentum.min(self.batches as f32 / (self.batches as f32 + 1.0));
        for (running, seen) in
            [(&mut self.mean, &batch.mean), (&mut self.variance, &batch.variance)]
        {
            for (running, &seen) in running.iter_mut().zip(seen) {
                *running = past * *running + (1.0 - past) * seen;
            }
        }
        self.batches += 1;
    }
}

/// An embedding table: `vocabulary` rows of `dim` numbers, outside the tape.
#[derive(Clone, Debug)]
pub struct EmbeddingTable {
    /// Path, such as `embedding/goods_id`.
    pub name: String,
    /// Number of rows.
    pub vocabulary: usize,
    /// Numbers a row.
    pub dim: usize,
    /// Where the ids come from.
    pub source: TableSource,
    pub(crate) init: Init,
    /// Of all rows, or of this rank's.
    pub(crate) values: Vec<f32>,
    /// How rows are spread over ranks; none when all are here.
    pub(crate) partition: Option<Partition>,
}

impl EmbeddingTable {
    /// A table whose values are drawn from the stream `init/<name>` of `seeds`.
    pub(crate) fn new(
        name: String,
        (vocabulary, dim): (usize, usize),
        source: TableSource,
        init: Init,
        seeds: SeedStreams,
    ) -> Self {
        let values = Vec::new();
        let partition = Partition::while_building();
        let mut table = Self { name, vocabulary, dim, source, init, values, partition };
        table.draw(&mut seeds.stream(&format!("init/{}", table.name)));
        table
    }

    fn draw(&mut self, stream: &mut RandomStream) {
        let (here, shape) = (self.partition, (self.vocabulary, self.dim));
        let wanted = |row: usize| here.is_none_or(|partition| partition.has(row as u32));
        // Freed first: both do not fit into memory where tables are large.
        self.values = Vec::new();
        self.values = self.init.values_of(shape.0, shape.1, stream, wanted);
    }

    /// Draws all values again, from the stream `init/<name>/<label>`.
    pub(crate) fn draw_again(&mut self, seeds: SeedStreams, label: &str) {
        let mut stream = seeds.stream(&format!("init/{}/{label}", self.name));
        self.draw(&mut stream);
    }

    /// All values, row by row; of this rank's rows alone, where ranks have some each.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// The same, to be changed between passes.
    pub fn values_mut(&mut self) -> &mut [f32] {
        &mut self.values
    }

    /// A description of numbers that lie like this table's rows.
    pub(crate) fn spread_rows<N>(&self, partition: Partition, numbers: N) -> SpreadRows<N> {
        let (name, shape) = (self.name.clone(), vec![self.vocabulary, self.dim]);
        SpreadRows { name, shape, rows: self.vocabulary, dim: self.dim, partition, numbers }
    }

    /// One row, by its id; where ranks have some rows each, by its place among this rank's.
    pub fn row(&self, id: u32) -> &[f32] {
        let start = id as usize * self.dim;
        &self.values[start..start + self.dim]
    }
}

/// A model's weights. Layers hold only indexes into it, so that saving, loading and updating are loops.
#[derive(Clone, Debug, Default)]
pub struct Weights {
    /// Dense parameters, in the order of building.
    pub parameters: Vec<Parameter>,
    /// Running statistics.
    pub statistics: Vec<Statistics>,
    /// Embedding tables.
    pub tables: Vec<EmbeddingTable>,
}

impl Weights {
    /// A dense parameter.
    pub fn parameter(&self, id: ParameterId) -> &Parameter {
        &self.parameters[id.0]
    }

    /// Running statistics.
    pub fn statistics_of(&self, id: StatisticsId) -> &Statistics {
        &self.statistics[id.0]
    }

    /// An embedding table.
    pub fn table(&self, id: TableId) -> &EmbeddingTable {
        &self.tables[id.0]
    }

    /// Numbers trained outside the tables.
    pub fn num_params_dense(&self) -> u64 {
        self.parameters.iter().map(|parameter| parameter.values().len() as u64).sum()
    }

    /// Numbers trained in the tables.
    pub fn num_params_embedding(&self) -> u64 {
        self.tables.iter().map(|table| table.vocabulary as u64 * table.dim as u64).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn running_statistics_begin_as_a_plain_average_and_go_on_exponentially() {
        let mut running =
            Statistics { name: "s".into(), mean: vec![0.0], variance: vec![1.0], batches: 0 };
        let batch = |mean| BatchStatistics { mean: vec![mean], variance: vec![2.0] };
        running.absorb(&batch(4.0), 0.5);
        assert_eq!((running.mean[0], running.variance[0]), (4.0, 2.0));
        running.absorb(&batch(2.0), 0.5);
        assert_eq!(running.mean[0], 3.0);
        running.absorb(&batch(1.0), 0.5);
        assert_eq!(running.mean[0], 2.0);
    }
}
