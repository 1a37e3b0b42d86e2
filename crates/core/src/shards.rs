//! Training rows in shards, of which some are in memory at a time.

use crate::Dataset;
use serde::Serialize;
use serde::de::DeserializeOwned;

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

/// The shards that one of several processes reads: those whose number leaves `index` when divided by `of`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// From 0.
    pub index: usize,
    /// Number of parts.
    pub of: usize,
}

impl Part {
    /// All shards.
    pub const WHOLE: Self = Self { index: 0, of: 1 };

    /// Whether a shard belongs to it.
    pub fn has(self, shard: usize) -> bool {
        shard % self.of.max(1) == self.index
    }

    /// Those of so many shards that belong to it, in order.
    pub fn shards(self, count: usize) -> impl Iterator<Item = usize> {
        (0..count).filter(move |&shard| self.has(shard))
    }
}

/// Processes that have the same shards, of which each reads its part.
pub trait ShardReaders {
    /// The part of this process.
    fn part(&self) -> Part;

    /// What each process gives, in the order of their parts. All must call it equally often.
    ///
    /// # Errors
    /// When a process is gone.
    fn share(&self, mine: &[u8]) -> Result<Vec<Vec<u8>>, ShardError>;
}

/// A process that reads all shards itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct OneReader;

impl ShardReaders for OneReader {
    fn part(&self) -> Part {
        Part::WHOLE
    }

    fn share(&self, mine: &[u8]) -> Result<Vec<Vec<u8>>, ShardError> {
        Ok(vec![mine.to_vec()])
    }
}

/// What each process has of something, in the order of their parts.
///
/// # Errors
/// When a process is gone, or is another program.
pub fn share_values<T: DeserializeOwned>(
    readers: &dyn ShardReaders,
    mine: &(impl Serialize + ?Sized),
) -> Result<Vec<T>, ShardError> {
    let all = readers.share(&postcard::to_allocvec(mine)?)?;
    all.iter().map(|bytes| decode(bytes)).collect()
}

/// Calls `each` with what one process has `read` of a shard, for all `shards` in order; one a process is in memory at a
/// time.
///
/// # Errors
/// Those of `read` and `each`, and those of [`share_values`].
pub fn read_shared<T: Serialize + DeserializeOwned, E: From<ShardError>>(
    readers: &dyn ShardReaders,
    shards: usize,
    mut read: impl FnMut(usize) -> Result<T, E>,
    mut each: impl FnMut(usize, T) -> Result<(), E>,
) -> Result<(), E> {
    let Part { index, of } = readers.part();
    if of == 1 {
        return (0..shards).try_for_each(|shard| each(shard, read(shard)?));
    }
    for first in (0..shards).step_by(of) {
        let own = first + index;
        let mine = if own < shards { Some(read(own)?) } else { None };
        let mine = postcard::to_allocvec(&mine).map_err(|error| E::from(error.into()))?;
        for (shard, bytes) in (first..shards).zip(readers.share(&mine)?) {
            let value: Option<T> = decode(&bytes)?;
            each(shard, value.ok_or_else(unlike)?)?;
        }
    }
    Ok(())
}

fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ShardError> {
    postcard::from_bytes(bytes).map_err(|_| unlike())
}

fn unlike() -> ShardError {
    "another process has sent something else than this one expects: give all of them the same command, program and \
     prepared data"
        .into()
}

/// Calls `each` with every shard of a part, one in memory at a time.
///
/// # Errors
/// Those of loading, and those of `each`.
pub fn for_each_shard_of<E: From<ShardError>>(
    shards: &dyn TrainShards,
    part: Part,
    mut each: impl FnMut(&Dataset) -> Result<(), E>,
) -> Result<(), E> {
    part.shards(shards.rows().len()).try_for_each(|shard| each(&shards.load(&[shard])?))
}
