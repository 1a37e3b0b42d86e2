//! How a batch is cut into parts that are computed side by side.
//!
//! The cut depends on the batch alone, never on the number of threads, and sums over parts run in their
//! order: so a step has the same bits on one thread and on many.

use ctr_core::Batch;
use std::ops::Range;
use std::sync::Arc;

/// Consecutive rows of a batch with their events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shard {
    /// Rows of the batch.
    pub rows: Range<usize>,
    /// Events of each group; the rows themselves for a group with one event a row.
    pub events: Vec<Range<usize>>,
    /// Event boundaries of each group, counted from the shard's first event; empty for a group with one
    /// event a row.
    pub offsets: Vec<Arc<Vec<u32>>>,
}

impl Shard {
    /// Some rows of a batch.
    pub fn new(batch: &Batch, rows: Range<usize>) -> Self {
        let (mut events, mut offsets) = (Vec::new(), Vec::new());
        for group in &batch.groups {
            if group.offsets.is_empty() {
                events.push(rows.clone());
                offsets.push(Arc::default());
            } else {
                let bounds = &group.offsets[rows.start..=rows.end];
                let first = bounds[0];
                events.push(first as usize..bounds[rows.len()] as usize);
                offsets.push(Arc::new(bounds.iter().map(|bound| bound - first).collect()));
            }
        }
        Self { rows, events, offsets }
    }
}

/// Rows that a shard should have at least: below, its products are too thin to be fast.
const FEWEST_ROWS: usize = 16;
/// Rows that a shard should have at most: its matrices then stay in the second-level cache.
const MOST_ROWS: usize = 64;
/// Lanes at most. Each has its own gradient of all dense parameters, to be summed in the end.
const MOST_LANES: usize = 8;
/// Arithmetic of a row without behaviors, counted in behaviors: for shards of like cost.
const ROW_COST: usize = 2;

/// The lanes of a training step: each a list of shards, to be computed one after the other.
///
/// `tied` lanes are one shard each and fewer, because statistics over the whole batch tie the rows
/// together: all lanes meet in the middle, which costs the more the more there are.
pub(crate) fn lanes(batch: &Batch, tied: bool) -> Vec<Vec<Shard>> {
    let rows = batch.rows();
    let rows_a_lane = if tied { 4 * MOST_ROWS } else { MOST_ROWS };
    let lanes = (rows / rows_a_lane).clamp(2, MOST_LANES).min(rows / FEWEST_ROWS).max(1);
    let shards_a_lane = if tied { 1 } else { rows.div_ceil(lanes * MOST_ROWS).max(1) };
    let mut shards = split(batch, lanes * shards_a_lane).into_iter();
    (0..lanes).map(|_| shards.by_ref().take(shards_a_lane).collect()).collect()
}

/// Cuts a batch into `count` shards of about equal cost. The last ones may be empty.
fn split(batch: &Batch, count: usize) -> Vec<Shard> {
    let rows = batch.rows();
    let ragged: Vec<&[u32]> = batch
        .groups
        .iter()
        .map(|group| group.offsets.as_slice())
        .filter(|offsets| !offsets.is_empty())
        .collect();
    let cost = |row: usize| {
        row * ROW_COST + ragged.iter().map(|offsets| offsets[row] as usize).sum::<usize>()
    };
    let whole = cost(rows);
    let mut shards = Vec::with_capacity(count);
    let mut start = 0;
    for part in 1..=count {
        let bound = whole * part / count;
        let mut end = start;
        while end < rows && (part == count || cost(end + 1) <= bound) {
            end += 1;
        }
        shards.push(Shard::new(batch, start..end));
        start = end;
    }
    shards
}

#[cfg(test)]
mod tests {
    use super::*;
    use ctr_core::{EventColumn, GroupEvents};

    fn batch(lengths: &[u32]) -> Batch {
        let mut offsets = vec![0];
        offsets.extend(lengths.iter().scan(0, |end, length| {
            *end += length;
            Some(*end)
        }));
        let events = offsets[lengths.len()];
        Batch {
            labels: vec![0.0; lengths.len()],
            groups: vec![
                GroupEvents { offsets, fields: vec![EventColumn::single((0..events).collect())] },
                GroupEvents { offsets: vec![], fields: vec![EventColumn::default()] },
            ],
        }
    }

    #[test]
    fn shards_are_all_rows_in_order_with_their_events() {
        for count in [1, 2, 3, 7, 20] {
            let batch = batch(&[3, 0, 9, 1, 0, 0, 40, 2, 2, 2, 1, 1]);
            let shards = split(&batch, count);
            assert_eq!(shards.len(), count);
            let mut row = 0;
            for shard in &shards {
                assert_eq!(shard.rows.start, row);
                row = shard.rows.end;
                let bounds = &batch.groups[0].offsets;
                assert_eq!(shard.events[0].start, bounds[shard.rows.start] as usize);
                assert_eq!(shard.events[0].end, bounds[shard.rows.end] as usize);
                assert_eq!(shard.offsets[0][0], 0);
                assert_eq!(shard.offsets[0].len(), shard.rows.len() + 1);
                assert_eq!(shard.offsets[0][shard.rows.len()] as usize, shard.events[0].len());
                assert_eq!(shard.events[1], shard.rows);
            }
            assert_eq!(row, 12);
        }
    }

    #[test]
    fn shards_of_like_rows_are_equal_and_lanes_few() {
        let sizes = |rows: usize, whole| -> Vec<Vec<usize>> {
            let lanes = lanes(&batch(&vec![5; rows]), whole);
            lanes.iter().map(|lane| lane.iter().map(|shard| shard.rows.len()).collect()).collect()
        };
        assert_eq!(sizes(1, false), [[1]]);
        assert_eq!(sizes(32, false), [[16], [16]]);
        assert_eq!(sizes(256, false), [[64]; 4]);
        assert_eq!(sizes(1024, false), [[64, 64]; 8]);
        assert_eq!(sizes(256, true), [[128]; 2]);
        assert_eq!(sizes(1024, true), [[256]; 4]);
    }
}
