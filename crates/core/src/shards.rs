//! Training rows in shards, of which some are in memory at a time.

use crate::Dataset;

/// Why shards cannot be had: which file, what is wrong with it and what to do.
pub type ShardError = Box<dyn std::error::Error + Send + Sync>;

/// Consecutive training rows of the whole dataset that lie in one shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShardRun {
    /// The shard.
    pub shard: u32,
    /// How many rows.
    pub rows: u32,
}

/// The training rows of a dataset in shards. A user's rows all lie in one shard.
pub trait TrainShards: std::fmt::Debug + Send + Sync {
    /// Number of training rows of each shard.
    fn rows(&self) -> &[u64];

    /// The training rows of some shards, shard by shard as asked for, with their histories. Within a shard rows
    /// stand in the order of the whole dataset; validation and test are empty.
    ///
    /// # Errors
    /// Names the file that is missing or damaged.
    fn load(&self, shards: &[usize]) -> Result<Dataset, ShardError>;

    /// The order of the whole dataset's training rows, run by run. It is known without loading any shard, so that
    /// who loads only some of them knows where their rows belong.
    ///
    /// # Errors
    /// Names the file that is missing or damaged.
    fn order(&self) -> Result<Vec<ShardRun>, ShardError>;
}

/// Calls `each` with every shard, one in memory at a time.
///
/// # Errors
/// Those of loading, and those of `each`.
pub fn for_each_shard<E: From<ShardError>>(
    shards: &dyn TrainShards,
    mut each: impl FnMut(&Dataset) -> Result<(), E>,
) -> Result<(), E> {
    for shard in 0..shards.rows().len() {
        each(&shards.load(&[shard])?)?;
    }
    Ok(())
}
