//! Dropout of feature ids.

use crate::lookup::{IdColumns, mixed};
use crate::{EmbeddingTable, Error, Result, Weights};
use ctr_core::{Batch, SeedStreams};

/// Leaves out ids at random in training: "randomly discard 50% of feature ids in each sample" (paper,
/// section 6.5).
///
/// An id of a field is dropped or kept once for each sample and step, however often the sample names it.
/// A dropped id has the zero vector and no gradient; the others are multiplied by 1 / (1 − rate), so that
/// the expected vector is that of scoring, which drops nothing. (The paper does not say how it scales.)
#[derive(Clone, Debug)]
pub struct FeatureDropout {
    rate: f64,
    seeds: SeedStreams,
    tables: Vec<bool>,
}

impl FeatureDropout {
    /// Drops ids of the tables that `chosen` says. Draws come from the streams `dropout/step-<number>`.
    ///
    /// # Errors
    /// When the rate is not from 0 to below 1.
    pub fn new(
        weights: &Weights,
        rate: f64,
        seeds: SeedStreams,
        chosen: impl Fn(&EmbeddingTable) -> bool,
    ) -> Result<Self> {
        if !(0.0..1.0).contains(&rate) {
            return Err(Error::Config(format!("dropout rate is {rate}, expected 0 to below 1")));
        }
        Ok(Self { rate, seeds, tables: weights.tables.iter().map(chosen).collect() })
    }

    /// Marks what step number `step` drops of a batch.
    pub(crate) fn apply(&self, ids: &mut IdColumns<'_>, batch: &Batch, step: u64) {
        let mut stream = self.seeds.stream(&format!("dropout/step-{step}"));
        let bound = (self.rate * 2f64.powi(64)) as u64;
        for (columns, _) in ids.tables.iter_mut().zip(&self.tables).filter(|(_, chosen)| **chosen) {
            for column in columns {
                let key = stream.next_u64();
                let group = &batch.groups[column.group];
                let mut kept = Vec::with_capacity(column.ids.len());
                for row in 0..batch.rows() {
                    let keep =
                        |&id: &u32| mixed((((row as u64) << 32) | u64::from(id)) ^ key) >= bound;
                    kept.extend(column.ids[column.places(group.of_row(row))].iter().map(keep));
                }
                column.keep(kept, (1.0 / (1.0 - self.rate)) as f32);
            }
        }
    }
}
