//! Ragged rows ready for a model.

use serde::{Deserialize, Serialize};
use std::ops::Range;

/// One field's ids, event by event.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventColumn {
    /// For a field of one id an event: empty, and `ids[e]` belongs to event `e`. For a bag: event `e`
    /// has `ids[offsets[e]..offsets[e + 1]]`, and there is one offset more than events.
    pub offsets: Vec<u32>,
    /// The ids.
    pub ids: Vec<u32>,
}

impl EventColumn {
    /// A column with exactly one id an event.
    pub fn single(ids: Vec<u32>) -> Self {
        Self { offsets: Vec::new(), ids }
    }

    /// Number of events.
    pub fn events(&self) -> usize {
        if self.offsets.is_empty() { self.ids.len() } else { self.offsets.len() - 1 }
    }

    /// Ids of event `event`.
    pub fn event(&self, event: usize) -> &[u32] {
        if self.offsets.is_empty() {
            &self.ids[event..=event]
        } else {
            &self.ids[self.offsets[event] as usize..self.offsets[event + 1] as usize]
        }
    }

    /// Forgets the values, keeps the memory. `bag` says which of the two forms follows.
    pub fn clear(&mut self, bag: bool) {
        self.ids.clear();
        self.offsets.clear();
        if bag {
            self.offsets.push(0);
        }
    }

    /// Appends events `from..to` of `source`, which must be of the same form.
    pub fn extend_from(&mut self, source: &Self, from: usize, to: usize) {
        if source.offsets.is_empty() {
            self.ids.extend_from_slice(&source.ids[from..to]);
        } else {
            for event in from..to {
                self.ids.extend_from_slice(source.event(event));
                self.offsets.push(self.ids.len() as u32);
            }
        }
    }
}

/// The events of one group for all rows of a batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupEvents {
    /// For behaviors: row `r` has events `offsets[r]..offsets[r + 1]`. Empty for groups with one event
    /// a row.
    pub offsets: Vec<u32>,
    /// One column a field of the group.
    pub fields: Vec<EventColumn>,
}

impl GroupEvents {
    /// The events of row `row`: the row itself for a group with one event a row.
    pub fn of_row(&self, row: usize) -> Range<usize> {
        match self.offsets.get(row..=row + 1) {
            Some(bounds) => bounds[0] as usize..bounds[1] as usize,
            None => row..row + 1,
        }
    }
}

/// Rows for one step or one scoring call: compressed sparse rows, no padding, so that cost follows the
/// number of real behaviors. The memory is kept from batch to batch.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Batch {
    /// 1 for a click, 0 for none; one a row.
    pub labels: Vec<f32>,
    /// One entry a group of the schema.
    pub groups: Vec<GroupEvents>,
}

impl Batch {
    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.labels.len()
    }

    /// Appends the rows of `more`, a batch of the same schema that was filled as this one was.
    pub fn append(&mut self, more: &Self) {
        self.labels.extend_from_slice(&more.labels);
        self.groups.resize_with(more.groups.len(), Default::default);
        for (to, from) in self.groups.iter_mut().zip(&more.groups) {
            let last = to.offsets.last().copied();
            // The first bound of what follows is the last one of what is there.
            let skipped = usize::from(last.is_some());
            let base = last.unwrap_or_default();
            to.offsets.extend(from.offsets.iter().skip(skipped).map(|&bound| base + bound));
            to.fields.resize_with(from.fields.len(), Default::default);
            for (to, from) in to.fields.iter_mut().zip(&from.fields) {
                if to.offsets.is_empty() && !from.offsets.is_empty() {
                    to.offsets.push(0);
                }
                to.extend_from(from, 0, from.events());
            }
        }
    }

    /// Copies some rows into `to`, whose memory is reused.
    pub fn copy_rows(&self, rows: Range<usize>, to: &mut Self) {
        to.labels.clear();
        to.labels.extend_from_slice(&self.labels[rows.clone()]);
        to.groups.resize_with(self.groups.len(), Default::default);
        for (from, to) in self.groups.iter().zip(&mut to.groups) {
            let events = if from.offsets.is_empty() {
                rows.clone()
            } else {
                from.offsets[rows.start] as usize..from.offsets[rows.end] as usize
            };
            let bounds = from.offsets.get(rows.start..=rows.end).unwrap_or_default();
            to.offsets.clear();
            to.offsets.extend(bounds.iter().map(|bound| bound - bounds[0]));
            to.fields.resize_with(from.fields.len(), Default::default);
            for (from, to) in from.fields.iter().zip(&mut to.fields) {
                to.clear(!from.offsets.is_empty());
                to.extend_from(from, events.start, events.end);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_copied_with_their_events_and_memory_is_reused() {
        let batch = Batch {
            labels: vec![1.0, 0.0, 1.0],
            groups: vec![
                GroupEvents {
                    offsets: vec![0, 2, 2, 3],
                    fields: vec![EventColumn { offsets: vec![0, 1, 3, 3], ids: vec![7, 8, 9] }],
                },
                GroupEvents { offsets: vec![], fields: vec![EventColumn::single(vec![4, 5, 6])] },
            ],
        };
        let mut copy = Batch::default();
        batch.copy_rows(0..3, &mut copy);
        assert_eq!(copy, batch);
        batch.copy_rows(1..3, &mut copy);
        assert_eq!(copy.labels, [0.0, 1.0]);
        assert_eq!(copy.groups[0].offsets, [0, 0, 1]);
        assert_eq!(copy.groups[0].fields[0], EventColumn { offsets: vec![0, 0], ids: vec![] });
        assert_eq!(copy.groups[1].fields[0].ids, [5, 6]);
        // Parts of a batch put together again are the batch.
        for cut in 0..=3 {
            let [mut first, mut second] = [Batch::default(), Batch::default()];
            batch.copy_rows(0..cut, &mut first);
            batch.copy_rows(cut..3, &mut second);
            first.append(&second);
            assert_eq!(first, batch, "{cut}");
        }
        let mut whole = Batch::default();
        whole.append(&batch);
        assert_eq!(whole, batch);
    }

    #[test]
    fn events_of_both_forms_are_copied() {
        let single = EventColumn::single(vec![4, 5, 6]);
        let mut copy = EventColumn::default();
        copy.clear(false);
        copy.extend_from(&single, 1, 3);
        assert_eq!(copy.ids, [5, 6]);
        assert_eq!(copy.event(1), [6]);

        let bags = EventColumn { offsets: vec![0, 2, 2, 3], ids: vec![7, 8, 9] };
        let mut copy = EventColumn::default();
        copy.clear(true);
        copy.extend_from(&bags, 1, 3);
        assert_eq!(copy.events(), 2);
        assert!(copy.event(0).is_empty());
        assert_eq!(copy.event(1), [9]);
    }
}
