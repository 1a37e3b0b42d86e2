//! Which rows of which tables a batch needs.

use crate::weights::gradient_slot;
use crate::{Error, Result, Weights};
use ctr_core::{Batch, FieldReference};
use dfdx::prelude::{Cpu, Tensor};
use std::sync::Arc;

/// Where a table's ids come from. Each source gives one or more columns of ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TableSource {
    /// One column a field.
    Fields(Vec<FieldReference>),
    /// One column of crosses: for each behavior of a row, the pair (behavior's id, candidate's id),
    /// hashed into the table's rows. Wide&Deep's cross-product features.
    Crosses {
        /// Field of the behaviors group.
        behavior: FieldReference,
        /// Field of the candidate group.
        candidate: FieldReference,
    },
}

/// The rows of one table for one batch.
#[derive(Clone, Debug)]
pub(crate) struct TableLookup {
    /// Each row needed, once, in the order of first use.
    pub rows: Vec<u32>,
    /// One a column of the source.
    pub columns: Vec<LookupColumn>,
    /// Key of the gradient of `rows`.
    pub slot: Tensor<(usize, usize), f32, Cpu>,
}

/// One column of ids, event by event.
#[derive(Clone, Debug)]
pub(crate) struct LookupColumn {
    /// Positions in [`TableLookup::rows`].
    pub positions: Arc<Vec<u32>>,
    /// Boundaries of bags; empty when every event has exactly one id.
    pub bags: Arc<Vec<u32>>,
}

impl LookupColumn {
    pub fn events(&self) -> usize {
        if self.bags.is_empty() { self.positions.len() } else { self.bags.len() - 1 }
    }
}

/// A batch with its table rows looked up.
#[derive(Clone, Debug)]
pub struct IndexedBatch {
    /// Labels, one a row.
    pub(crate) labels: Arc<Vec<f32>>,
    /// Event boundaries of each group; empty for groups with one event a row.
    pub(crate) offsets: Vec<Arc<Vec<u32>>>,
    /// One a table.
    pub(crate) tables: Vec<TableLookup>,
}

impl IndexedBatch {
    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.labels.len()
    }

    /// The distinct rows of table `table` that this batch uses.
    pub fn table_rows(&self, table: usize) -> &[u32] {
        &self.tables[table].rows
    }
}

/// Memory for finding distinct ids: for each id the batch that last used it and its position there.
/// Reused from batch to batch; a step's cost does not depend on its size.
#[derive(Clone, Debug, Default)]
pub(crate) struct Indexer {
    seen: Vec<Vec<(u32, u32)>>,
    generation: u32,
}

impl Indexer {
    /// Looks up all tables of `weights` for `batch`.
    pub fn index(&mut self, weights: &Weights, batch: &Batch) -> Result<IndexedBatch> {
        if self.generation == u32::MAX {
            self.seen.clear();
            self.generation = 0;
        }
        self.generation += 1;
        self.seen.resize_with(weights.tables.len(), Vec::new);
        let mut tables = Vec::with_capacity(weights.tables.len());
        for (table, seen) in weights.tables.iter().zip(&mut self.seen) {
            if seen.len() != table.vocabulary {
                *seen = vec![(0, 0); table.vocabulary];
            }
            let mut distinct = Distinct { seen, generation: self.generation, rows: Vec::new() };
            let columns = match &table.source {
                TableSource::Fields(fields) => fields
                    .iter()
                    .map(|&field| {
                        let column = &batch.groups[field.group].fields[field.field];
                        Ok(LookupColumn {
                            positions: Arc::new(distinct.positions(&table.name, &column.ids)?),
                            bags: Arc::new(column.offsets.clone()),
                        })
                    })
                    .collect::<Result<Vec<_>>>()?,
                TableSource::Crosses { behavior, candidate } => {
                    let ids = crosses(batch, *behavior, *candidate, table.vocabulary)?;
                    vec![LookupColumn {
                        positions: Arc::new(distinct.positions(&table.name, &ids)?),
                        bags: Arc::default(),
                    }]
                }
            };
            tables.push(TableLookup { rows: distinct.rows, columns, slot: gradient_slot()? });
        }
        Ok(IndexedBatch {
            labels: Arc::new(batch.labels.clone()),
            offsets: batch.groups.iter().map(|group| Arc::new(group.offsets.clone())).collect(),
            tables,
        })
    }
}

struct Distinct<'s> {
    seen: &'s mut [(u32, u32)],
    generation: u32,
    rows: Vec<u32>,
}

impl Distinct<'_> {
    fn positions(&mut self, table: &str, ids: &[u32]) -> Result<Vec<u32>> {
        let size = self.seen.len();
        ids.iter()
            .map(|&id| {
                let entry = self.seen.get_mut(id as usize).ok_or_else(|| {
                    Error::Batch(format!("id {id} is outside table {table} of {size} rows"))
                })?;
                if entry.0 != self.generation {
                    *entry = (self.generation, self.rows.len() as u32);
                    self.rows.push(id);
                }
                Ok(entry.1)
            })
            .collect()
    }
}

/// One id in `1..buckets` for each pair of a behavior and its row's candidate.
fn crosses(
    batch: &Batch,
    behavior: FieldReference,
    candidate: FieldReference,
    buckets: usize,
) -> Result<Vec<u32>> {
    let events = &batch.groups[behavior.group];
    let behaviors = &events.fields[behavior.field];
    let candidates = &batch.groups[candidate.group].fields[candidate.field];
    if events.offsets.len() != batch.rows() + 1 || buckets < 2 {
        return Err(Error::Batch("crosses need a behaviors group and at least 2 buckets".into()));
    }
    let mut ids = Vec::with_capacity(behaviors.ids.len());
    for row in 0..batch.rows() {
        for event in events.offsets[row] as usize..events.offsets[row + 1] as usize {
            // A bag is crossed by its first id: categories are single on all data of the paper.
            let left = behaviors.event(event).first().copied().unwrap_or(0);
            let right = candidates.event(row).first().copied().unwrap_or(0);
            ids.push(1 + (mix(left, right) % (buckets as u64 - 1)) as u32);
        }
    }
    Ok(ids)
}

/// The finalizer of SplitMix64 over both ids: spreads neighboring ids over all buckets.
fn mix(left: u32, right: u32) -> u64 {
    let mut bits = (u64::from(left) << 32 | u64::from(right)).wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Init, WeightsBuilder};
    use ctr_core::{EventColumn, GroupEvents, SeedStreams};

    fn batch() -> Batch {
        Batch {
            labels: vec![1.0, 0.0],
            groups: vec![
                GroupEvents {
                    offsets: vec![0, 2, 3],
                    fields: vec![EventColumn::single(vec![4, 2, 4])],
                },
                GroupEvents { offsets: vec![], fields: vec![EventColumn::single(vec![2, 3])] },
            ],
        }
    }

    #[test]
    fn each_row_is_needed_once_and_positions_lead_back_to_the_ids() {
        let mut weights = Weights::default();
        let fields =
            vec![FieldReference { group: 0, field: 0 }, FieldReference { group: 1, field: 0 }];
        WeightsBuilder::new(&mut weights, SeedStreams::new(1)).table(
            "t",
            5,
            2,
            Init::GlorotUniform,
            TableSource::Fields(fields),
        );
        let mut indexer = Indexer::default();
        for _ in 0..2 {
            let indexed = indexer.index(&weights, &batch()).unwrap();
            assert_eq!(indexed.tables[0].rows, [4, 2, 3]);
            assert_eq!(*indexed.tables[0].columns[0].positions, [0, 1, 0]);
            assert_eq!(*indexed.tables[0].columns[1].positions, [1, 2]);
        }
        let mut outside = batch();
        outside.groups[1].fields[0].ids[0] = 5;
        let message = indexer.index(&weights, &outside).unwrap_err().to_string();
        assert!(message.contains("id 5"), "{message}");
    }

    #[test]
    fn crosses_depend_on_both_ids_and_avoid_the_reserved_row() {
        let ids = crosses(
            &batch(),
            FieldReference { group: 0, field: 0 },
            FieldReference { group: 1, field: 0 },
            1000,
        )
        .unwrap();
        assert_eq!(ids.len(), 3);
        assert!(ids.iter().all(|&id| (1..1000).contains(&id)));
        // Event 0 and event 2 are the same good, crossed with different candidates.
        assert_ne!(ids[0], ids[2]);
        assert_ne!(ids[0], ids[1]);
    }
}
