//! Building weights under scoped names, so that a checkpoint's keys follow the model's structure and
//! every initial value comes from a stream of its own name.

use crate::derived::Rule;
use crate::graph::GradientPlace;
use crate::{EmbeddingTable, Error, Init, Parameter, Result, Statistics, TableSource, Weights};
use ctr_core::SeedStreams;

/// Index of a dense parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParameterId(pub(crate) usize);

/// Index of running statistics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatisticsId(pub(crate) usize);

/// Index of an embedding table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableId(pub(crate) usize);

/// Adds weights under a path.
pub struct WeightsBuilder<'w> {
    weights: &'w mut Weights,
    seeds: SeedStreams,
    path: String,
}

impl<'w> WeightsBuilder<'w> {
    /// A builder at the root. Initial values come from the streams `init/<path>` of `seeds`.
    pub fn new(weights: &'w mut Weights, seeds: SeedStreams) -> Self {
        Self { weights, seeds, path: String::new() }
    }

    /// The same builder one level deeper.
    pub fn scope(&mut self, name: impl std::fmt::Display) -> WeightsBuilder<'_> {
        WeightsBuilder {
            path: self.join(&name.to_string()),
            weights: self.weights,
            seeds: self.seeds,
        }
    }

    fn join(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_string() } else { format!("{}/{name}", self.path) }
    }

    /// A dense parameter of `rows` × `columns`.
    ///
    /// # Errors
    /// When there is one of that name already.
    pub fn parameter(
        &mut self,
        name: &str,
        rows: usize,
        columns: usize,
        init: Init,
    ) -> Result<ParameterId> {
        self.matrix(name, (rows, columns), init, Rule::Plain)
    }

    /// A dense parameter of which layers need other forms too.
    pub(crate) fn matrix(
        &mut self,
        name: &str,
        (rows, columns): (usize, usize),
        init: Init,
        rule: Rule,
    ) -> Result<ParameterId> {
        let name = self.join(name);
        if self.weights.parameters.iter().any(|parameter| parameter.name == name) {
            return Err(Error::Config(format!("two parameters are called {name}")));
        }
        let values = init.values(rows, columns, &mut self.seeds.stream(&format!("init/{name}")));
        let index = self.weights.parameters.len();
        let last = self.weights.parameters.last();
        let start = last.map_or(0, |last| last.place().range().end);
        let place = GradientPlace { index, start, len: values.len() };
        let parameter = Parameter::new(name, (rows, columns), values, rule, place);
        self.weights.parameters.push(parameter);
        Ok(ParameterId(index))
    }

    /// Running statistics of `columns` columns.
    pub fn statistics(&mut self, name: &str, columns: usize) -> StatisticsId {
        self.weights.statistics.push(Statistics {
            name: self.join(name),
            mean: vec![0.0; columns],
            variance: vec![1.0; columns],
            batches: 0,
        });
        StatisticsId(self.weights.statistics.len() - 1)
    }

    /// An embedding table of `vocabulary` × `dim`.
    pub fn table(
        &mut self,
        name: &str,
        vocabulary: usize,
        dim: usize,
        init: Init,
        source: TableSource,
    ) -> TableId {
        let name = self.join(name);
        let table = EmbeddingTable::new(name, (vocabulary, dim), source, init, self.seeds);
        self.weights.tables.push(table);
        TableId(self.weights.tables.len() - 1)
    }
}
