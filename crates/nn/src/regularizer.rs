//! Penalties on table rows.

use crate::{EmbeddingTable, Error, Result, Weights};

/// For each table the factor of each row's penalty: the gradient of row j gains `factor_j · w_j` in
/// batches that contain j. Tables without a penalty have none.
#[derive(Clone, Debug, Default)]
pub struct RowPenalties {
    factors: Vec<Vec<f32>>,
}

impl RowPenalties {
    /// Mini-batch-aware regularization (paper, section 5.1, equation 7): the penalty of feature j is
    /// λ / n_j in batches that contain it and nothing elsewhere, where n_j is the number of training
    /// samples with j. `occurrences` gives n_j for each table and row; a row that no sample has keeps
    /// factor λ.
    ///
    /// # Errors
    /// When the numbers of tables or rows differ, or λ is negative or not a number.
    pub fn mini_batch_aware(
        weights: &Weights,
        lambda: f32,
        occurrences: &[Vec<u32>],
    ) -> Result<Self> {
        if !(lambda >= 0.0 && lambda.is_finite()) {
            return Err(Error::Config(format!("λ is {lambda}, expected a number from 0")));
        }
        let fits = weights.tables.len() == occurrences.len()
            && weights.tables.iter().zip(occurrences).all(|(table, n)| table.vocabulary == n.len());
        if !fits {
            return Err(Error::Config("occurrences are counted for other tables".into()));
        }
        let factors = occurrences
            .iter()
            .map(|counts| counts.iter().map(|&n| lambda / n.max(1) as f32).collect())
            .collect();
        Ok(Self { factors })
    }

    /// Adds the penalty of row `id` of the `index`-th table to its gradient.
    pub(crate) fn add(&self, index: usize, table: &EmbeddingTable, id: u32, gradient: &mut [f32]) {
        if let Some(factors) = self.factors.get(index) {
            crate::kernels::axpy(factors[id as usize], table.row(id), gradient);
        }
    }
}
