//! Scoring with tables that are spread over ranks.

use super::rows::{own_row, renumbered, spread, tables_of};
use super::{Parcels, Words};
use crate::lookup::IdColumns;
use crate::{Network, Result, ScoringMemory, Weights};
use ctr_core::Batch;

/// Weights with the rows that some batches need, from their owners.
pub struct FetchedRows {
    weights: Weights,
    rows: Vec<Vec<u32>>,
}

impl Network {
    /// Whether every rank has a part of the tables only.
    pub fn is_partitioned(&self) -> bool {
        self.weights.tables.iter().any(|table| table.partition.is_some())
    }

    /// Fetches what it takes to score some batches. All ranks must call it together, each with its own batches or
    /// none. `stop` is this rank's wish to stop; none when one of them has it.
    ///
    /// # Errors
    /// When a batch does not fit the model, or a rank is lost.
    pub fn fetch_rows(&self, batches: &[Batch], stop: bool) -> Result<Option<FetchedRows>> {
        let (weights, ranks) = (&self.weights, &*self.ranks);
        let mut rows: Vec<Vec<u32>> = vec![Vec::new(); weights.tables.len()];
        for batch in batches {
            for (rows, columns) in rows.iter_mut().zip(&IdColumns::new(weights, batch)?.tables) {
                columns.iter().for_each(|column| rows.extend_from_slice(&column.ids));
            }
            for rows in &mut rows {
                rows.sort_unstable();
                rows.dedup();
            }
        }
        let mut asked = Parcels::default();
        for owner in 0..ranks.size() {
            asked.words.push(u32::from(stop));
            for (table, rows) in weights.tables.iter().zip(&rows) {
                let partition = spread(table)?;
                let count = asked.words.len();
                asked.words.push(0);
                asked.words.extend(rows.iter().filter(|&&id| partition.owner(id) == owner));
                asked.words[count] = (asked.words.len() - count - 1) as u32;
            }
            asked.close();
        }
        let asked = ranks.all_to_all(asked)?;
        let mut given = Parcels::default();
        let mut stopped = false;
        for words in asked.iter() {
            let mut words = Words(words);
            stopped |= words.one()? == 1;
            for table in &weights.tables {
                let partition = spread(table)?;
                for &id in words.list()? {
                    let row = own_row(table, partition, id);
                    given.words.extend_from_slice(bytemuck::cast_slice(row));
                }
            }
            given.close();
        }
        if stopped {
            return Ok(None);
        }
        let tables = tables_of(weights, &rows, &ranks.all_to_all(given)?)?;
        let parameters = weights.parameters.clone();
        let weights = Weights { parameters, statistics: weights.statistics.clone(), tables };
        Ok(Some(FetchedRows { weights, rows }))
    }

    /// [`Network::score`] with rows that [`Network::fetch_rows`] fetched for this batch.
    ///
    /// # Errors
    /// When the batch does not fit the model.
    pub fn score_fetched(
        &self,
        fetched: &FetchedRows,
        batch: &Batch,
        memory: &mut ScoringMemory,
    ) -> Result<Vec<f32>> {
        let ids = renumbered(&IdColumns::new(&self.weights, batch)?, &fetched.rows);
        self.score_with(&fetched.weights, &ids, batch, memory)
    }
}
