//! In how many samples each table row occurs.

use crate::distributed::Communicator;
use crate::lookup::IdColumns;
use crate::{Error, Result, Weights};
use ctr_core::Batch;

/// Counts in how many samples each table row occurs: n_j of equations 4 to 7. A sample that names a row
/// several times, in its history or as candidate, counts once.
#[derive(Clone, Debug)]
pub struct Occurrences {
    counts: Vec<Vec<u32>>,
    /// The last sample that named a row, counted from 1.
    last: Vec<Vec<u32>>,
    samples: u32,
}

impl Occurrences {
    /// No samples yet.
    pub fn new(weights: &Weights) -> Self {
        let zeros: Vec<Vec<u32>> =
            weights.tables.iter().map(|table| vec![0; table.vocabulary]).collect();
        Self { counts: zeros.clone(), last: zeros, samples: 0 }
    }

    /// Counts the samples of a batch.
    ///
    /// # Errors
    /// When the batch does not fit the model.
    pub fn add(&mut self, weights: &Weights, batch: &Batch) -> Result<()> {
        let ids = IdColumns::new(weights, batch)?;
        for row in 0..batch.rows() {
            self.samples = self.samples.checked_add(1).ok_or_else(|| {
                Error::Batch(format!("more than {} samples cannot be counted", u32::MAX))
            })?;
            let tables = ids.tables.iter().zip(&mut self.counts).zip(&mut self.last);
            for ((columns, counts), last) in tables {
                for column in columns {
                    let events = batch.groups[column.group].of_row(row);
                    for id in events.flat_map(|event| column.uses(event)) {
                        let id = id as usize;
                        if last[id] != self.samples {
                            last[id] = self.samples;
                            counts[id] += 1;
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// Adds what other ranks have counted of other samples, as they add this. All must call it together.
    ///
    /// # Errors
    /// When a rank is lost.
    pub fn sum_over(&mut self, ranks: &dyn Communicator) -> Result<()> {
        if ranks.size() == 1 {
            return Ok(());
        }
        // In pieces: a table has more rows than one exchange, or the memory of a rank, takes at once.
        for counts in self.counts.iter_mut().flat_map(|counts| counts.chunks_mut(1 << 22)) {
            let all = ranks.all_gather(counts)?;
            for theirs in all.iter().enumerate().filter(|&(rank, _)| rank != ranks.rank()) {
                counts.iter_mut().zip(theirs.1).for_each(|(count, more)| *count += more);
            }
        }
        Ok(())
    }

    /// n_j of each table's rows.
    pub fn counts(&self) -> &[Vec<u32>] {
        &self.counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Init, TableSource, WeightsBuilder};
    use ctr_core::{EventColumn, FieldReference, GroupEvents, SeedStreams};

    fn weights() -> Weights {
        let mut weights = Weights::default();
        let fields =
            vec![FieldReference { group: 0, field: 0 }, FieldReference { group: 1, field: 0 }];
        WeightsBuilder::new(&mut weights, SeedStreams::new(1)).table(
            "t",
            6,
            2,
            Init::GlorotUniform,
            TableSource::Fields(fields),
        );
        weights
    }

    #[test]
    fn a_sample_counts_a_row_once_however_often_it_names_it() {
        let weights = weights();
        let batch = Batch {
            labels: vec![1.0, 0.0, 0.0],
            groups: vec![
                GroupEvents {
                    offsets: vec![0, 3, 3, 5],
                    fields: vec![EventColumn::single(vec![4, 2, 4, 1, 2])],
                },
                GroupEvents { offsets: vec![], fields: vec![EventColumn::single(vec![2, 3, 4])] },
            ],
        };
        let mut occurrences = Occurrences::new(&weights);
        occurrences.add(&weights, &batch).unwrap();
        assert_eq!(occurrences.counts()[0], [0, 1, 2, 1, 2, 0]);
        occurrences.add(&weights, &batch).unwrap();
        assert_eq!(occurrences.counts()[0], [0, 2, 4, 2, 4, 0]);
    }
}
