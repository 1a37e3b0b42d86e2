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

use crate::Result;
use crate::content::Content;
use crate::manifest::Manifest;
use ctr_core::{Dataset, EventColumn, Protocol, Samples, Schema, Sequences};

/// The dataset as models see it.
pub(crate) fn dataset(
    content: &Content,
    manifest: &Manifest,
    protocol: Protocol,
) -> Result<Dataset> {
    let categories = |goods: &[u32]| goods.iter().map(|&good| content.category(good)).collect();
    let mut splits = [Rows::default(), Rows::default(), Rows::default()];
    for user in 0..content.user_keys.len() {
        let events = content.events(user);
        let count = events.len();
        for position in 1..count {
            let split = match (protocol, count - position) {
                (_, 1) => TEST,
                (Protocol::HeldOut, 2) => VALIDATION,
                _ => TRAIN,
            };
            let event = events.start + position;
            let targets = [(content.goods[event], 1), (content.negatives[event], 0)];
            for (good, label) in targets {
                splits[split].push(user as u32, position as u32, good, label);
            }
        }
    }
    let [train, validation, test] = splits.map(|rows| {
        let categories = categories(&rows.goods);
        Samples {
            users: rows.users,
            history_lengths: rows.lengths,
            labels: rows.labels,
            groups: vec![
                Vec::new(),
                vec![EventColumn::single(rows.goods), EventColumn::single(categories)],
            ],
        }
    });
    let counts = &manifest.counts;
    let dataset = Dataset {
        id: manifest.id.clone(),
        content_sha256: manifest.content_sha256.clone(),
        protocol,
        negatives: manifest.negatives.clone(),
        simulated: manifest.simulated,
        statistics: [
            ("users", counts.users),
            ("goods", counts.goods),
            ("categories", counts.categories),
            ("reviews", counts.reviews),
        ]
        .map(|(name, count)| (name.to_string(), count))
        .into(),
        schema: Schema::goods_and_categories(
            content.goods_keys.len() as u32,
            content.category_keys.len() as u32,
        ),
        sequences: Sequences {
            offsets: content.offsets.clone(),
            fields: vec![
                EventColumn::single(content.goods.clone()),
                EventColumn::single(categories(&content.goods)),
            ],
        },
        train,
        validation,
        test,
    };
    dataset.validate()?;
    Ok(dataset)
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
    use crate::prepare::manifest_of;

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
        let manifest = manifest_of(&content, "small", Protocol::Authors);
        let dataset = dataset(&content, &manifest, Protocol::Authors).unwrap();
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
        let manifest = manifest_of(&content, "small", Protocol::Authors);
        let authors = dataset(&content, &manifest, Protocol::Authors).unwrap();
        let held_out = dataset(&content, &manifest, Protocol::HeldOut).unwrap();
        assert_eq!(rows(&held_out.train), [(0, 1, 2, 1), (0, 1, 6, 0)]);
        assert_eq!(
            rows(&held_out.validation),
            [(0, 2, 3, 1), (0, 2, 5, 0), (3, 1, 4, 1), (3, 1, 3, 0)]
        );
        assert_eq!(held_out.test, authors.test);
        assert_eq!(held_out.content_sha256, authors.content_sha256);
    }
}
