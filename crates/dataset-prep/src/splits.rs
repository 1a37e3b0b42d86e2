//! The splits of both protocols, derived from the events (paper, section 6.1; the authors' code).
//!
//! Of a user with events `0..n`, a row asks for event `k` given the events before it: one positive row
//! and one row with the stored negative of that position, positive first.
//!
//! | protocol | training | validation | test |
//! |---|---|---|---|
//! | `authors` | 1 ≤ k ≤ n − 2 | none | k = n − 1 |
//! | `held-out` | 1 ≤ k ≤ n − 3 | k = n − 2 | k = n − 1 |
//!
//! A row needs a history, so k ≥ 1 everywhere: a user with one event gives no row, one with two events
//! a test row only.

use crate::content::Content;
use ctr_core::{Dataset, EventColumn, Protocol, Samples, Sequences, Split};

/// Sets rows and sequences of a dataset under its protocol.
pub(crate) fn fill(content: &Content, dataset: &mut Dataset) {
    let mut splits = SplitRows::new(dataset.protocol, &Split::ALL);
    for user in 0..content.user_keys.len() {
        let events = content.events(user);
        splits.push(user as u32, &content.goods[events.clone()], &content.negatives[events]);
    }
    let [train, validation, test] = splits.finish(&content.goods_categories);
    dataset.sequences =
        sequences(content.offsets.clone(), content.goods.clone(), &content.goods_categories);
    (dataset.train, dataset.validation, dataset.test) = (train, validation, test);
}

/// Histories of goods with their categories.
pub(crate) fn sequences(offsets: Vec<u32>, goods: Vec<u32>, categories: &[u32]) -> Sequences {
    let of_goods = categories_of(&goods, categories);
    Sequences { offsets, fields: vec![EventColumn::single(goods), EventColumn::single(of_goods)] }
}

fn categories_of(goods: &[u32], categories: &[u32]) -> Vec<u32> {
    goods.iter().map(|&good| categories[good as usize - 1]).collect()
}

/// Training rows of a user with so many events.
pub(crate) fn training_rows(events: u64, protocol: Protocol) -> u64 {
    let held_out = match protocol {
        Protocol::HeldOut => 2,
        Protocol::Authors => 1,
    };
    2 * events.saturating_sub(1 + held_out)
}

/// Collects rows of some splits, user by user.
pub(crate) struct SplitRows {
    protocol: Protocol,
    /// None of a split that is not wanted.
    rows: [Option<Rows>; 3],
}

impl SplitRows {
    pub fn new(protocol: Protocol, wanted: &[Split]) -> Self {
        let rows = Split::ALL.map(|split| wanted.contains(&split).then(Rows::default));
        Self { protocol, rows }
    }

    /// Adds the rows of a user whose events are these.
    pub fn push(&mut self, user: u32, goods: &[u32], negatives: &[u32]) {
        self.push_from(1, user, goods, |position| negatives[position]);
    }

    /// Adds those rows of a user that ask for one of the last two events, whose negatives these are.
    pub fn push_last(&mut self, user: u32, goods: &[u32], negatives: &[u32; 2]) {
        let count = goods.len();
        let from = count.saturating_sub(2).max(1);
        self.push_from(from, user, goods, |position| negatives[position + 2 - count]);
    }

    fn push_from(
        &mut self,
        from: usize,
        user: u32,
        goods: &[u32],
        negative: impl Fn(usize) -> u32,
    ) {
        let count = goods.len();
        for (position, &good) in goods.iter().enumerate().skip(from) {
            let split = match (self.protocol, count - position) {
                (_, 1) => TEST,
                (Protocol::HeldOut, 2) => VALIDATION,
                _ => TRAIN,
            };
            let Some(rows) = &mut self.rows[split] else { continue };
            for (good, label) in [(good, 1), (negative(position), 0)] {
                rows.push(user, position as u32, good, label);
            }
        }
    }

    /// The rows of all three splits, empty where they were not wanted.
    pub fn finish(self, categories: &[u32]) -> [Samples; 3] {
        self.rows.map(|rows| {
            let rows = rows.unwrap_or_default();
            let of_goods = categories_of(&rows.goods, categories);
            Samples {
                users: rows.users,
                sequences: Vec::new(),
                history_lengths: rows.lengths,
                labels: rows.labels,
                groups: vec![
                    Vec::new(),
                    vec![EventColumn::single(rows.goods), EventColumn::single(of_goods)],
                ],
            }
        })
    }
}

const TRAIN: usize = 0;
const VALIDATION: usize = 1;
const TEST: usize = 2;

#[derive(Default)]
struct Rows {
    users: Vec<u32>,
    lengths: Vec<u32>,
    goods: Vec<u32>,
    labels: Vec<u8>,
}

impl Rows {
    fn push(&mut self, user: u32, length: u32, good: u32, label: u8) {
        self.users.push(user);
        self.lengths.push(length);
        self.goods.push(good);
        self.labels.push(label);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::tests::small;
    use crate::form::Form;
    use crate::prepare::manifest_of;

    fn dataset(content: &Content, protocol: Protocol) -> Dataset {
        let manifest = manifest_of(content, "small", protocol);
        Form::Reviews(content.clone()).dataset(&manifest, protocol).unwrap()
    }

    /// (user, history length, good, label) of all rows.
    fn rows(samples: &Samples) -> Vec<(u32, u32, u32, u8)> {
        (0..samples.rows())
            .map(|row| {
                let good = samples.groups[1][0].ids[row];
                (samples.users[row], samples.history_lengths[row], good, samples.labels[row])
            })
            .collect()
    }

    #[test]
    fn the_authors_protocol_row_by_row() {
        let content = small();
        let dataset = dataset(&content, Protocol::Authors);
        // Users have 4, 1, 2 and 3 events.
        assert_eq!(
            rows(&dataset.train),
            [(0, 1, 2, 1), (0, 1, 6, 0), (0, 2, 3, 1), (0, 2, 5, 0), (3, 1, 4, 1), (3, 1, 3, 0)]
        );
        assert_eq!(dataset.validation.rows(), 0);
        assert_eq!(
            rows(&dataset.test),
            [(0, 3, 4, 1), (0, 3, 6, 0), (2, 1, 1, 1), (2, 1, 3, 0), (3, 2, 6, 1), (3, 2, 5, 0)]
        );
        assert_eq!(dataset.train.groups[1][1].ids, [1, 2, 2, 1, 2, 2]);
        assert_eq!(dataset.sequences.fields[1].ids, [1, 1, 2, 2, 1, 2, 1, 1, 2, 2]);
    }

    #[test]
    fn held_out_takes_the_last_but_one_event_out_of_training() {
        let content = small();
        let authors = dataset(&content, Protocol::Authors);
        let held_out = dataset(&content, Protocol::HeldOut);
        assert_eq!(rows(&held_out.train), [(0, 1, 2, 1), (0, 1, 6, 0)]);
        assert_eq!(
            rows(&held_out.validation),
            [(0, 2, 3, 1), (0, 2, 5, 0), (3, 1, 4, 1), (3, 1, 3, 0)]
        );
        assert_eq!(held_out.test, authors.test);
        assert_eq!(held_out.content_sha256, authors.content_sha256);
    }
}
