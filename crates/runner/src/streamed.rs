//! Training rows in shards as models see them under a regularizer.

use crate::regularizer::Regularizer;
use anyhow::{Result, anyhow};
use ctr_core::{
    Dataset, ShardError, ShardReaders, ShardRun, TrainShards, TrainingCounts, for_each_shard_of,
    share_values,
};
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

/// Dataset and shards as models see them under a regularizer; what it counts, each of the readers counts in its shards.
pub fn features<'d>(
    regularizer: &Regularizer,
    dataset: &'d Dataset,
    shards: &Shards,
    readers: &dyn ShardReaders,
) -> Result<(Cow<'d, Dataset>, Shards)> {
    let Some(shards) = shards else { return Ok((regularizer.features(dataset)?, None)) };
    let count = |name: &str| frequencies(dataset, shards.as_ref(), name, readers);
    let Some(change) = regularizer.change(dataset, count)? else {
        return Ok((Cow::Borrowed(dataset), Some(Arc::clone(shards))));
    };
    let changed = Cow::Owned(change.apply(dataset)?);
    Ok((changed, Some(Arc::new(Changed { shards: Arc::clone(shards), change }))))
}

/// Counts that are exchanged at a time: a vocabulary may have more than fit into a message.
const COUNTS: usize = 1 << 22;

/// In how many training rows' histories each id of a vocabulary occurs.
fn frequencies(
    dataset: &Dataset,
    shards: &dyn TrainShards,
    vocabulary: &str,
    readers: &dyn ShardReaders,
) -> Result<Vec<u32>> {
    // Of no training row, but of the right length also where this process has no shard.
    let mut sums = dataset.rows_with(vocabulary)?;
    for_each_shard_of(shards, readers.part(), |shard| -> Result<(), ShardError> {
        add(&mut sums, &shard.rows_with(vocabulary)?);
        Ok(())
    })
    .map_err(|error| anyhow!(error))?;
    for sums in sums.chunks_mut(COUNTS) {
        let all: Vec<Vec<u32>> = share_values(readers, &*sums).map_err(|error| anyhow!(error))?;
        sums.fill(0);
        all.iter().for_each(|counts| add(sums, counts));
    }
    Ok(sums)
}

fn add(sums: &mut [u32], counts: &[u32]) {
    sums.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
}

/// What [`Dataset::field_summaries`] counts, of training rows wherever they are.
pub fn training_counts(
    dataset: &Dataset,
    shards: &Shards,
    readers: &dyn ShardReaders,
) -> Result<TrainingCounts> {
    let mut counts = TrainingCounts::default();
    let Some(shards) = shards else {
        counts.add(dataset);
        return Ok(counts);
    };
    for_each_shard_of(shards.as_ref(), readers.part(), |shard| -> Result<(), ShardError> {
        counts.add(shard);
        Ok(())
    })
    .map_err(|error| anyhow!(error))?;
    let all: Vec<TrainingCounts> =
        share_values(readers, &counts).map_err(|error| anyhow!(error))?;
    let mut sum = TrainingCounts::default();
    all.iter().for_each(|counts| sum.merge(counts));
    Ok(sum)
}
