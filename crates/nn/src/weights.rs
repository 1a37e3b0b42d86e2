//! All that a model learns, by name: dense parameters, running statistics, embedding tables.

use crate::{Result, TableSource};
use dfdx::prelude::{Cpu, Gradients, Tensor, TensorFromVec};
use std::sync::Arc;

/// A dense parameter.
///
/// The values are ours rather than a dfdx tensor's, because dfdx 0.13 gives no access to a tensor's data
/// without a copy; `slot`, a tensor without elements, is the key under which dfdx keeps its gradient.
#[derive(Clone, Debug)]
pub struct Parameter {
    /// Path, such as `tower/0/weight`.
    pub name: String,
    /// Rows: the input width of a dense layer.
    pub rows: usize,
    /// Columns: the output width of a dense layer.
    pub columns: usize,
    pub(crate) values: Arc<Vec<f32>>,
    slot: Tensor<(usize, usize), f32, Cpu>,
}

/// An empty tensor: nothing but the key of a gradient.
pub(crate) fn gradient_slot() -> Result<Tensor<(usize, usize), f32, Cpu>> {
    Ok(Cpu::default().try_tensor_from_vec(Vec::new(), (0, 0))?)
}

/// The gradient kept under `slot`, as `len` numbers, zero at first.
pub(crate) fn slot_gradient<'g>(
    gradients: &'g mut Gradients<f32, Cpu>,
    slot: &Tensor<(usize, usize), f32, Cpu>,
    len: usize,
) -> std::result::Result<&'g mut [f32], dfdx::tensor::CpuError> {
    let gradient = gradients.get_or_alloc_mut(slot)?;
    if gradient.len() != len {
        gradient.resize(len, 0.0);
    }
    Ok(gradient.as_mut_slice())
}

impl Parameter {
    pub(crate) fn new(name: String, rows: usize, columns: usize, values: Vec<f32>) -> Result<Self> {
        Ok(Self { name, rows, columns, values: Arc::new(values), slot: gradient_slot()? })
    }

    /// The values, row by row.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// The values, to be changed between passes.
    pub fn values_mut(&mut self) -> &mut [f32] {
        Arc::make_mut(&mut self.values).as_mut_slice()
    }

    /// Key of the gradient.
    pub(crate) fn slot(&self) -> Tensor<(usize, usize), f32, Cpu> {
        self.slot.clone()
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
    pub(crate) values: Vec<f32>,
}

impl EmbeddingTable {
    pub(crate) fn new(
        name: String,
        vocabulary: usize,
        dim: usize,
        source: TableSource,
        values: Vec<f32>,
    ) -> Self {
        Self { name, vocabulary, dim, source, values }
    }

    /// All values, row by row.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// All values, to be changed between passes.
    pub fn values_mut(&mut self) -> &mut [f32] {
        &mut self.values
    }

    /// One row.
    pub fn row(&self, id: u32) -> &[f32] {
        let start = id as usize * self.dim;
        &self.values[start..start + self.dim]
    }

    /// One row, to be changed.
    pub(crate) fn row_mut(&mut self, id: u32) -> &mut [f32] {
        let start = id as usize * self.dim;
        &mut self.values[start..start + self.dim]
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
    /// Numbers trained outside the tables.
    pub fn num_params_dense(&self) -> u64 {
        self.parameters.iter().map(|parameter| parameter.values.len() as u64).sum()
    }

    /// Numbers trained in the tables.
    pub fn num_params_embedding(&self) -> u64 {
        self.tables.iter().map(|table| table.values.len() as u64).sum()
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
