//! Wrong ways to score, on purpose: what versions of the authors' code, and of DIEN's, did to the rows of a test
//! set.
//!
//! Nothing here is reachable from training, evaluation or ranking; only the suite `exhibits` calls it, and what
//! it gives is kept apart from results.

use crate::lookup::IdColumns;
use crate::memory::Pool;
use crate::shards::Shard;
use crate::{Error, Graph, Matrix, Network, Result, Scoring, Tape, Training};
use ctr_core::Batch;
use dfdx::prelude::Cpu;
use std::sync::Arc;

impl Network {
    /// Logits, one a row, where the user vector of each row attends to the candidate of row `attended[row]`,
    /// while the rest of the network sees the row's own candidate (authors' code of January 2018,
    /// `din/model.py`: one user vector, attended to the positive, for both candidates). Models whose user
    /// vector does not depend on the candidate are untouched.
    ///
    /// # Errors
    /// When the batch does not fit the model, or `attended` has other rows than the batch.
    pub fn exhibit_attended(&self, batch: &Batch, attended: &[u32]) -> Result<Vec<f32>> {
        let rows = batch.rows();
        if attended.len() != rows || attended.iter().any(|&row| row as usize >= rows) {
            return Err(Error::Batch(format!(
                "{} rows to attend to, all within the batch, are needed for {rows} rows",
                attended.len()
            )));
        }
        let ids = IdColumns::new(&self.weights, batch)?;
        let shard = Shard::new(batch, 0..rows);
        let mut graph = Graph::<Scoring>::new(
            &self.weights,
            &ids,
            &shard,
            Pool::with(Vec::new()),
            Cpu::default(),
        );
        graph.exhibit_attended = Some(Arc::new(attended.to_vec()));
        Ok(self.model.scoring_logits(&mut graph)?.values().to_vec())
    }

    /// Logits, one a row, with the mean and variance of this batch instead of the running ones, as in training
    /// (mouna99/dien, `script/Dice.py`, whose Dice normalizes by the batch at test too): a score then depends
    /// on the batch's other rows. Models without statistics are untouched.
    ///
    /// # Errors
    /// When the batch does not fit the model.
    pub fn exhibit_batch_statistics(&self, batch: &Batch) -> Result<Vec<f32>> {
        let ids = IdColumns::new(&self.weights, batch)?;
        let shard = Shard::new(batch, 0..batch.rows());
        let mut graph = Graph::<Training>::new(
            &self.weights,
            &ids,
            &shard,
            Pool::with(Vec::new()),
            Cpu::default(),
        );
        Ok(self.model.training_logits(&mut graph)?.values().to_vec())
    }
}

impl<T: Tape> Graph<'_, T> {
    /// What a user vector that depends on the candidate attends to: the candidates, outside of
    /// [`Network::exhibit_attended`].
    ///
    /// # Errors
    /// Inside of it, when the candidates have other rows.
    pub fn attended(&self, candidates: &Matrix) -> Result<Matrix> {
        let Some(rows) = &self.exhibit_attended else { return Ok(candidates.clone()) };
        let (count, width) = candidates.shape();
        if count != rows.len() {
            let right = (rows.len(), width);
            return Err(Error::Shape { op: "attended", left: (count, width), right });
        }
        let mut values = Vec::with_capacity(count * width);
        for &row in &**rows {
            let start = row as usize * width;
            values.extend_from_slice(&candidates.values()[start..start + width]);
        }
        self.matrix(values, count, width)
    }
}
