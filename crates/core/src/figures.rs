//! What looking into a trained network leaves behind: figures 5 and 6 as numbers.

use crate::Protocol;
use serde::{Deserialize, Serialize};

/// Version of the layouts below.
pub const FIGURES_SCHEMA_VERSION: u32 = 1;
/// How figure 5's files in a reports folder begin; the dataset and `.json` follow.
pub const ACTIVATION_FILES: &str = "activation-";
/// How figure 6's files in a reports folder begin; the dataset and `.json` follow.
pub const EMBEDDING_FILES: &str = "embedding-";

/// The data's histograms in a reports folder.
pub const HISTOGRAMS_FILE: &str = "data_histograms.json";

/// What the rows of the datasets are like.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataHistograms {
    /// [`FIGURES_SCHEMA_VERSION`] of the writer.
    pub schema_version: u32,
    /// One entry a dataset and protocol.
    pub datasets: Vec<DatasetHistograms>,
}

/// Histograms of one dataset's training rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatasetHistograms {
    /// The dataset.
    pub dataset: String,
    /// Its content.
    pub content_sha256: String,
    /// How its rows were split.
    pub protocol: Protocol,
    /// True for data of the simulator.
    pub simulated: bool,
    /// Rows by the number of events in their histories.
    pub history_lengths: DoublingBuckets,
    /// Goods by the number of rows with a click on them.
    pub clicks_of_goods: DoublingBuckets,
    /// Users by the number of their rows.
    pub rows_of_users: DoublingBuckets,
}

/// Counts of whole numbers: of 0, 1, 2 to 3, 4 to 7, and so on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DoublingBuckets(pub Vec<u64>);

impl DoublingBuckets {
    /// Counts numbers.
    pub fn of(numbers: impl IntoIterator<Item = u64>) -> Self {
        let mut counts = Vec::new();
        for number in numbers {
            let bucket = (u64::BITS - number.leading_zeros()) as usize;
            if counts.len() <= bucket {
                counts.resize(bucket + 1, 0);
            }
            counts[bucket] += 1;
        }
        Self(counts)
    }

    /// The numbers that a bucket counts, in words.
    pub fn label(bucket: usize) -> String {
        match bucket {
            0 => "0".into(),
            1 => "1".into(),
            _ => {
                let low = 1u64.checked_shl(bucket as u32 - 1).unwrap_or(u64::MAX);
                format!("{low}–{}", low.saturating_mul(2).saturating_sub(1))
            }
        }
    }
}

/// The run that was looked into.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FigureSource {
    /// [`FIGURES_SCHEMA_VERSION`] of the writer.
    pub schema_version: u32,
    /// The run.
    pub run_id: String,
    /// Its model.
    pub model: String,
    /// Its weights.
    pub model_sha256: String,
    /// Its data.
    pub dataset: String,
    /// The data's content.
    pub content_sha256: String,
    /// True for data of the simulator.
    pub simulated: bool,
    /// Whether goods have titles, not only keys.
    pub titled: bool,
    /// How what is shown was chosen, in full sentences.
    pub rule: String,
}

/// A good with what is known of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NamedGood {
    /// Title, or the key of the raw data.
    pub name: String,
    /// Its categories.
    pub categories: Vec<String>,
}

/// Weights of the local activation unit (paper, figure 5).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ActivationFigure {
    /// Where it comes from.
    pub source: FigureSource,
    /// Weights are relative: 1 is what each event would have if all weighed the same. Otherwise they are the
    /// unit's own outputs, which no softmax made to sum to 1.
    pub relative: bool,
    /// Test rows that the two means below are over.
    pub rows: u64,
    /// Mean over rows of the mean weight of events that share a category with the candidate.
    pub same_category: f64,
    /// The same of the row's other events.
    pub other_categories: f64,
    /// The users shown.
    pub users: Vec<ActivatedUser>,
}

/// One history seen by two candidates.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ActivatedUser {
    /// Number of the user in the prepared data.
    pub user: u32,
    /// The candidate that shares categories with some events, and the probability of a click on it.
    pub relevant: (NamedGood, f64),
    /// The candidate that shares none with any.
    pub irrelevant: (NamedGood, f64),
    /// The history, oldest first.
    pub events: Vec<ActivatedEvent>,
}

/// One event of a history.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ActivatedEvent {
    /// The good.
    pub good: NamedGood,
    /// Whether it shares a category with the relevant candidate.
    pub same_category: bool,
    /// Its weight for the relevant candidate and for the irrelevant one.
    pub weights: [f64; 2],
}

/// Embeddings of goods in the plane (paper, figure 6).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmbeddingFigure {
    /// Where it comes from.
    pub source: FigureSource,
    /// Numbers of an embedding.
    pub dim: u32,
    /// Seed of the map's beginning.
    pub seed: u64,
    /// Perplexity of t-SNE.
    pub perplexity: f64,
    /// Nearest neighbors that purity looks at.
    pub neighbors: u32,
    /// Share of a good's nearest neighbors, by distance of embeddings, that are of its category.
    pub purity: f64,
    /// The same by distance on the map.
    pub map_purity: f64,
    /// What goods placed at random would have.
    pub chance: f64,
    /// Number of the user in the prepared data whose click probabilities color the points.
    pub user: u32,
    /// The latest goods of the user's history, oldest first.
    pub history: Vec<NamedGood>,
    /// Names of the categories.
    pub categories: Vec<String>,
    /// The goods.
    pub points: Vec<EmbeddedGood>,
}

/// A good on the map.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmbeddedGood {
    /// Title, or the key of the raw data.
    pub name: String,
    /// Index into [`EmbeddingFigure::categories`].
    pub category: u32,
    /// Probability that the user clicks on it.
    pub probability: f64,
    /// Place on the map.
    pub place: [f64; 2],
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_double() {
        let buckets = DoublingBuckets::of([0, 0, 1, 2, 3, 4, 7, 8]);
        assert_eq!(buckets.0, [2, 1, 2, 2, 1]);
        let labels: Vec<String> = (0..5).map(DoublingBuckets::label).collect();
        assert_eq!(labels, ["0", "1", "2–3", "4–7", "8–15"]);
        assert_eq!(DoublingBuckets::of([u64::MAX]).0.len(), 65);
        assert_eq!(DoublingBuckets::label(64), format!("{}–{}", 1u64 << 63, u64::MAX - 1));
        assert!(DoublingBuckets::of([]).0.is_empty());
    }
}
