//! Counts of a dataset: the row of the paper's table 2, the rows of each split, history lengths.

use crate::manifest::Manifest;
use crate::splits::training_rows;
use ctr_core::{Dataset, Protocol};
use serde::{Deserialize, Serialize};

/// Lengths of the users' event sequences, in events.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct HistoryLengths {
    /// Shortest.
    pub min: u64,
    /// The middle one; with an even number of users the lower of the two.
    pub median: u64,
    /// Mean.
    pub mean: f64,
    /// The shortest length that at least 95 % of the users do not exceed.
    pub p95: u64,
    /// Longest.
    pub max: u64,
}

impl HistoryLengths {
    fn of(mut lengths: Vec<u64>) -> Self {
        lengths.sort_unstable();
        let count = lengths.len();
        // Nearest rank: the value at position ceil(share * count), counted from 1.
        let rank = |percent: usize| {
            let position = (count * percent).div_ceil(100).max(1) - 1;
            lengths.get(position).copied().unwrap_or_default()
        };
        Self {
            min: lengths.first().copied().unwrap_or_default(),
            median: rank(50),
            mean: lengths.iter().sum::<u64>() as f64 / count.max(1) as f64,
            p95: rank(95),
            max: lengths.last().copied().unwrap_or_default(),
        }
    }
}

/// Counts of a dataset under a protocol.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Statistics {
    /// Identifier of the dataset.
    pub id: String,
    /// SHA-256 over the content.
    pub content_sha256: String,
    /// True for data of the simulator.
    pub simulated: bool,
    /// The protocol that the rows below belong to.
    pub protocol: Protocol,
    /// Users.
    pub users: u64,
    /// Goods with at least one event.
    pub goods: u64,
    /// Categories of those goods.
    pub categories: u64,
    /// Events: the "samples" of the paper's table 2.
    pub samples: u64,
    /// Training rows: positives and negatives.
    pub train_rows: u64,
    /// Validation rows: positives and negatives.
    pub validation_rows: u64,
    /// Test rows: positives and negatives; half of it is the number of test pairs.
    pub test_rows: u64,
    /// Lengths of the users' whole sequences, test event included.
    pub history: HistoryLengths,
}

impl Statistics {
    /// Counts a dataset of users' events that is on disk, by the number of events of each user.
    pub(crate) fn of_events(manifest: &Manifest, events: &[u32]) -> Self {
        let count = |name: &str| manifest.counts.get(name).copied().unwrap_or_default();
        let rows = |least: u32| 2 * events.iter().filter(|&&events| events >= least).count() as u64;
        let training = |&events: &u32| training_rows(u64::from(events), manifest.protocol);
        Self {
            id: manifest.id.clone(),
            content_sha256: manifest.content_sha256.clone(),
            simulated: manifest.simulated,
            protocol: manifest.protocol,
            users: count("users"),
            goods: count("goods"),
            categories: count("categories"),
            samples: count("samples"),
            train_rows: events.iter().map(training).sum(),
            validation_rows: if manifest.protocol == Protocol::HeldOut { rows(3) } else { 0 },
            test_rows: rows(2),
            history: HistoryLengths::of(events.iter().map(|&events| u64::from(events)).collect()),
        }
    }

    /// Counts a dataset. Users, goods, categories and samples are what the preparation counted (goods and
    /// categories of sources that have no such thing are 0); rows and lengths are counted here.
    pub fn of(dataset: &Dataset) -> Self {
        let sequences = &dataset.sequences;
        let count = |name: &str| dataset.statistics.get(name).copied().unwrap_or_default();
        let lengths: Vec<u64> =
            sequences.offsets.windows(2).map(|pair| u64::from(pair[1] - pair[0])).collect();
        Self {
            id: dataset.id.clone(),
            content_sha256: dataset.content_sha256.clone(),
            simulated: dataset.simulated,
            protocol: dataset.protocol,
            users: count("users"),
            goods: count("goods"),
            categories: count("categories"),
            samples: count("samples"),
            train_rows: dataset.train.rows() as u64,
            validation_rows: dataset.validation.rows() as u64,
            test_rows: dataset.test.rows() as u64,
            history: HistoryLengths::of(lengths),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::tests::small;
    use crate::prepare::manifest_of;

    #[test]
    fn a_small_dataset_is_counted() {
        let content = small();
        let manifest = manifest_of(&content, "small", Protocol::HeldOut);
        let form = crate::form::Form::Reviews(content);
        let dataset = form.dataset(&manifest, Protocol::HeldOut).unwrap();
        let counted = Statistics::of(&dataset);
        assert_eq!((counted.users, counted.goods, counted.categories), (4, 6, 2));
        assert_eq!((counted.samples, counted.train_rows), (10, 2));
        assert_eq!((counted.validation_rows, counted.test_rows), (4, 6));
        let expected = HistoryLengths { min: 1, median: 2, mean: 2.5, p95: 4, max: 4 };
        assert_eq!(counted.history, expected);
        for protocol in [Protocol::HeldOut, Protocol::Authors] {
            let dataset = form.dataset(&manifest, protocol).unwrap();
            let manifest = Manifest { protocol, ..manifest.clone() };
            let counted = Statistics::of_events(&manifest, &[4, 1, 2, 3]);
            assert_eq!(counted, Statistics::of(&dataset));
        }
    }

    #[test]
    fn percentiles_are_nearest_ranks() {
        let lengths = HistoryLengths::of((1..=100).rev().collect());
        assert_eq!((lengths.median, lengths.p95, lengths.mean), (50, 95, 50.5));
        assert_eq!(HistoryLengths::of(vec![7]).p95, 7);
    }
}
