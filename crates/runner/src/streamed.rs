//! Training rows in shards as models see them under a regularizer.

use crate::regularizer::Regularizer;
use anyhow::Result;
use ctr_core::{Dataset, ShardError, ShardRun, TrainShards, TrainingCounts, for_each_shard};
use std::borrow::Cow;
use std::sync::Arc;

/// Training rows in shards; none where the dataset has them in memory.
pub type Shards = Option<Arc<dyn TrainShards>>;

/// What a regularizer takes out of every row.
#[derive(Clone, Debug)]
pub enum Change {
    /// The fields of a vocabulary.
    Without(String),
    /// Ids of a vocabulary that are not frequent.
    Keep {
        /// The vocabulary.
        vocabulary: String,
        /// Its ids that stay.
        kept: Vec<bool>,
        /// Whether others than histories lose the rest too.
        candidates: bool,
    },
}

impl Change {
    /// The dataset as it leaves it.
    pub fn apply(&self, dataset: &Dataset) -> ctr_core::Result<Dataset> {
        match self {
            Self::Without(vocabulary) => dataset.without_vocabulary(vocabulary),
            Self::Keep { vocabulary, kept, candidates } => {
                dataset.keep_ids(vocabulary, kept, *candidates)
            }
        }
    }
}

/// Shards with a change made to each that is loaded.
#[derive(Debug)]
struct Changed {
    shards: Arc<dyn TrainShards>,
    change: Change,
}

impl TrainShards for Changed {
    fn rows(&self) -> &[u64] {
        self.shards.rows()
    }

    fn load(&self, shards: &[usize]) -> Result<Dataset, ShardError> {
        Ok(self.change.apply(&self.shards.load(shards)?)?)
    }

    fn order(&self) -> Result<Vec<ShardRun>, ShardError> {
        self.shards.order()
    }
}

/// Dataset and shards as models see them under a regularizer.
pub fn features<'d>(
    regularizer: &Regularizer,
    dataset: &'d Dataset,
    shards: &Shards,
) -> Result<(Cow<'d, Dataset>, Shards)> {
    let Some(shards) = shards else { return Ok((regularizer.features(dataset)?, None)) };
    let Some(change) = regularizer.change(dataset, |name| frequencies(shards.as_ref(), name))?
    else {
        return Ok((Cow::Borrowed(dataset), Some(Arc::clone(shards))));
    };
    let changed = Cow::Owned(change.apply(dataset)?);
    Ok((changed, Some(Arc::new(Changed { shards: Arc::clone(shards), change }))))
}

/// In how many training rows' histories each id of a vocabulary occurs.
fn frequencies(shards: &dyn TrainShards, vocabulary: &str) -> Result<Vec<u32>> {
    let mut sums: Vec<u32> = Vec::new();
    for_each_shard(shards, |shard| -> Result<(), ShardError> {
        let counts = shard.rows_with(vocabulary)?;
        sums.resize(counts.len(), 0);
        sums.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
        Ok(())
    })
    .map_err(|error| anyhow::anyhow!(error))?;
    Ok(sums)
}

/// What [`Dataset::field_summaries`] counts, of training rows wherever they are.
pub fn training_counts(dataset: &Dataset, shards: &Shards) -> Result<TrainingCounts> {
    let mut counts = TrainingCounts::default();
    match shards {
        None => counts.add(dataset),
        Some(shards) => for_each_shard(shards.as_ref(), |shard| -> Result<(), ShardError> {
            counts.add(shard);
            Ok(())
        })
        .map_err(|error| anyhow::anyhow!(error))?,
    }
    Ok(counts)
}
