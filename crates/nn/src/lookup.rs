//! Which rows of which tables a batch needs.

use crate::weights::EmbeddingTable;
use crate::{Error, Result, Weights};
use ctr_core::{Batch, FieldReference};
use std::borrow::Cow;
use std::ops::Range;

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

/// One column of ids of a table, event by event.
#[derive(Clone, Debug)]
pub(crate) struct IdColumn<'b> {
    /// Group of the events.
    pub group: usize,
    pub ids: Cow<'b, [u32]>,
    /// Boundaries of bags; empty when every event has exactly one id.
    pub bags: &'b [u32],
    /// For each id whether dropout kept it, and the factor on those kept; none without dropout.
    kept: Option<(Vec<bool>, f32)>,
}

impl IdColumn<'_> {
    pub fn events(&self) -> usize {
        if self.bags.is_empty() { self.ids.len() } else { self.bags.len() - 1 }
    }

    /// Where the ids of some events lie.
    pub fn places(&self, events: Range<usize>) -> Range<usize> {
        if self.bags.is_empty() {
            events
        } else {
            self.bags[events.start] as usize..self.bags[events.end] as usize
        }
    }

    /// The share of each id of an event in the event's vector: 1 over their number, times the factor of
    /// dropout.
    #[inline(always)]
    pub fn share(&self, event: usize) -> f32 {
        let mean = match self.bags.get(event..event + 2) {
            Some(bounds) => 1.0 / (bounds[1] - bounds[0]).max(1) as f32,
            None => 1.0,
        };
        self.kept.as_ref().map_or(mean, |(_, factor)| mean * factor)
    }

    /// The ids of an event that dropout kept.
    pub fn uses(&self, event: usize) -> impl Iterator<Item = u32> {
        let kept = |place: &usize| self.kept.as_ref().is_none_or(|(kept, _)| kept[*place]);
        self.places(event..event + 1).filter(kept).map(|place| self.ids[place])
    }

    /// Whether every event is exactly one row of the table as it is.
    pub fn is_plain(&self) -> bool {
        self.bags.is_empty() && self.kept.is_none()
    }

    /// Drops ids: `kept` says for each which stay, to be multiplied by `factor`.
    pub fn keep(&mut self, kept: Vec<bool>, factor: f32) {
        self.kept = Some((kept, factor));
    }
}

/// All ids of a batch, by table and column.
#[derive(Clone, Debug)]
pub(crate) struct IdColumns<'b> {
    pub tables: Vec<Vec<IdColumn<'b>>>,
    /// Rows of the batch.
    pub rows: usize,
}

impl<'b> IdColumns<'b> {
    /// The columns of all tables, after a check that every id has a row.
    pub fn new(weights: &Weights, batch: &'b Batch) -> Result<Self> {
        let tables =
            weights.tables.iter().map(|table| columns(table, batch)).collect::<Result<_>>();
        Ok(Self { tables: tables?, rows: batch.rows() })
    }
}

fn columns<'b>(table: &EmbeddingTable, batch: &'b Batch) -> Result<Vec<IdColumn<'b>>> {
    let columns = match &table.source {
        TableSource::Fields(fields) => fields
            .iter()
            .map(|&FieldReference { group, field }| {
                let column = batch.groups.get(group).and_then(|events| events.fields.get(field));
                let column = column.ok_or_else(|| {
                    Error::Batch(format!("field {field} of group {group} is missing"))
                })?;
                let ids = Cow::Borrowed(column.ids.as_slice());
                Ok(IdColumn { group, ids, bags: &column.offsets, kept: None })
            })
            .collect::<Result<Vec<_>>>()?,
        TableSource::Crosses { behavior, candidate } => {
            let ids = Cow::Owned(crosses(batch, *behavior, *candidate, table.vocabulary)?);
            vec![IdColumn { group: behavior.group, ids, bags: &[], kept: None }]
        }
    };
    for column in &columns {
        let largest = column.ids.iter().copied().fold(0, u32::max);
        if largest as usize >= table.vocabulary && !column.ids.is_empty() {
            return Err(Error::Batch(format!(
                "id {largest} is outside table {} of {} rows",
                table.name, table.vocabulary
            )));
        }
        let events = &batch.groups[column.group];
        let count = events.offsets.last().map_or(batch.rows(), |&end| end as usize);
        if column.events() != count {
            return Err(Error::Shape {
                op: "embed",
                left: (count, 1),
                right: (column.events(), 1),
            });
        }
    }
    Ok(columns)
}

/// Where a table's rows are used in a batch: each row once, in rising order, with its uses in the order
/// of columns and events.
#[derive(Clone, Debug, Default)]
pub(crate) struct RowUses {
    /// Rows of the table.
    pub rows: Vec<u32>,
    /// Where each row's uses begin in `uses`, and their end.
    pub starts: Vec<u32>,
    /// Column and event of each use.
    pub uses: Vec<(u32, u32)>,
    /// (row, position of the use), to be sorted.
    keys: Vec<u64>,
    unsorted: Vec<(u32, u32)>,
}

impl RowUses {
    /// Collects the uses of one table's rows. The cost follows the batch, not the table; but with `all`,
    /// the number of the table's rows, every row is listed, most of them without uses.
    pub fn collect(&mut self, columns: &[IdColumn<'_>], all: Option<usize>) {
        self.keys.clear();
        self.unsorted.clear();
        for (column_index, column) in columns.iter().enumerate() {
            for event in 0..column.events() {
                for id in column.uses(event) {
                    self.keys.push(u64::from(id) << 32 | self.unsorted.len() as u64);
                    self.unsorted.push((column_index as u32, event as u32));
                }
            }
        }
        self.keys.sort_unstable();
        self.rows.clear();
        self.starts.clear();
        self.uses.clear();
        let keys = std::mem::take(&mut self.keys);
        for &key in &keys {
            let id = (key >> 32) as u32;
            if all.is_some() {
                self.list_up_to(id + 1);
            } else if self.rows.last() != Some(&id) {
                self.rows.push(id);
                self.starts.push(self.uses.len() as u32);
            }
            self.uses.push(self.unsorted[key as u32 as usize]);
        }
        self.keys = keys;
        if let Some(all) = all {
            self.list_up_to(all as u32);
        }
        self.starts.push(self.uses.len() as u32);
    }

    /// Lists all rows below `end` that are not listed yet.
    fn list_up_to(&mut self, end: u32) {
        for id in self.rows.len() as u32..end {
            self.rows.push(id);
            self.starts.push(self.uses.len() as u32);
        }
    }

    /// The uses of the `index`-th row.
    pub fn of(&self, index: usize) -> &[(u32, u32)] {
        &self.uses[self.starts[index] as usize..self.starts[index + 1] as usize]
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

/// Both ids mixed: spreads neighboring ids over all buckets.
fn mix(left: u32, right: u32) -> u64 {
    mixed(u64::from(left) << 32 | u64::from(right))
}

/// How the bits of a pair of ids are mixed.
#[derive(Clone, Copy, Debug)]
pub struct Mixing {
    /// Added at first.
    pub start: u64,
    /// In each round the bits meet themselves shifted right (exclusive or), and are multiplied.
    pub rounds: [(u32, Option<u64>); 3],
}

/// The finalizer of SplitMix64. A pair of ids is `behavior << 32 | candidate`; its row among `n` of a table of
/// crosses is 1 + mixed bits modulo n − 1.
pub const CROSS_MIXING: Mixing = Mixing {
    start: 0x9e37_79b9_7f4a_7c15,
    rounds: [(30, Some(0xbf58_476d_1ce4_e5b9)), (27, Some(0x94d0_49bb_1331_11eb)), (31, None)],
};

pub(crate) fn mixed(bits: u64) -> u64 {
    let mut bits = bits.wrapping_add(CROSS_MIXING.start);
    for (shift, factor) in CROSS_MIXING.rounds {
        bits ^= bits >> shift;
        bits = bits.wrapping_mul(factor.unwrap_or(1));
    }
    bits
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
    fn each_row_has_its_uses_in_order() {
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
        let batch = batch();
        let ids = IdColumns::new(&weights, &batch).unwrap();
        let mut uses = RowUses::default();
        for _ in 0..2 {
            uses.collect(&ids.tables[0], None);
            assert_eq!(uses.rows, [2, 3, 4]);
            assert_eq!(uses.of(0), [(0, 1), (1, 0)]);
            assert_eq!(uses.of(1), [(1, 1)]);
            assert_eq!(uses.of(2), [(0, 0), (0, 2)]);
        }
        uses.collect(&ids.tables[0], Some(5));
        assert_eq!(uses.rows, [0, 1, 2, 3, 4]);
        assert!(uses.of(0).is_empty() && uses.of(1).is_empty());
        assert_eq!(uses.of(4), [(0, 0), (0, 2)]);
        let mut outside = batch.clone();
        outside.groups[1].fields[0].ids[0] = 5;
        let message = IdColumns::new(&weights, &outside).unwrap_err().to_string();
        assert!(message.contains("id 5"), "{message}");
        let mut shorter = batch;
        shorter.groups[1].fields[0].ids.pop();
        assert!(IdColumns::new(&weights, &shorter).is_err());
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
