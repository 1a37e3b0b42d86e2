//! A dataset in shards as training streams it: the rows to choose on and to report in memory, those to learn from
//! shard by shard.

mod events;
mod rows;

use crate::manifest::{Layout, Manifest, Sharding};
use crate::splits::training_rows;
use crate::store;
use crate::{Error, Result};
use ctr_core::{
    Dataset, EventColumn, Protocol, Samples, Sequences, ShardError, ShardReaders, ShardRun,
    TrainShards, share_values,
};
use std::path::{Path, PathBuf};

/// What every shard of a layout needs beside its own files.
#[derive(Debug)]
enum Shared {
    /// Category of each good, good 1 first.
    Events { categories: Vec<u32> },
    /// The bags of each vocabulary.
    Rows { bags: Vec<EventColumn> },
}

/// The training rows of a prepared dataset, read from its shards when they are asked for.
#[derive(Debug)]
pub struct StoredShards {
    dir: PathBuf,
    manifest: Manifest,
    sharding: Sharding,
    protocol: Protocol,
    shared: Shared,
    rows: Vec<u64>,
}

/// Opens a dataset in shards for streaming: everything but the training rows in memory, and these as shards. Each of the
/// readers reads some of the shards and gives the others what all keep.
///
/// Each file is compared with the manifest when it is read. The content hash, which goes over all rows, is the
/// manifest's: it is computed again only when the whole dataset is opened.
///
/// # Errors
/// When the dataset is not in shards; names the file that is missing, damaged or does not fit, and what to do.
pub fn open_streamed(
    dir: &Path,
    protocol: Option<Protocol>,
    readers: &dyn ShardReaders,
) -> Result<(Dataset, StoredShards)> {
    let manifest = store::read_manifest(dir)?;
    let protocol = protocol.unwrap_or(manifest.protocol);
    let Some(sharding) = manifest.shards.clone() else {
        let reason = "it is not in shards, so its rows cannot be streamed (train.shuffle_buffer); prepare or \
                      simulate it again with --shards N";
        return Err(Error::damaged(dir, reason));
    };
    let rows = sharding.train_rows(protocol);
    let same = (&manifest.content_sha256, protocol, &rows);
    let all: Vec<(String, Protocol, Vec<u64>)> = share_values(readers, &same)?;
    if all.iter().any(|(content, protocol, rows)| (content, *protocol, rows) != same) {
        let reason = "another process has opened other data: give all of them the same";
        return Err(Error::damaged(dir, reason));
    }
    let shared = match manifest.layout {
        Layout::Reviews => Shared::Events { categories: store::read_categories(dir, &manifest)? },
        Layout::Rows => {
            manifest.schema.validate()?;
            let vocabularies = 0..manifest.schema.vocabularies.len();
            let bags = vocabularies.map(|one| store::read_bags_of(dir, &manifest, one));
            Shared::Rows { bags: bags.collect::<Result<_>>()? }
        }
    };
    let dir = dir.to_path_buf();
    let shards = StoredShards { dir, manifest, sharding, protocol, shared, rows };
    let held = match &shards.shared {
        Shared::Events { categories } => shards.held_events(categories, readers)?,
        Shared::Rows { bags } => shards.held_rows(bags, readers)?,
    };
    Ok((held, shards))
}

impl StoredShards {
    /// A dataset of some rows.
    fn dataset(
        &self,
        sequences: Sequences,
        [train, validation, test]: [Samples; 3],
    ) -> Result<Dataset> {
        let manifest = &self.manifest;
        let dataset = Dataset {
            id: manifest.id.clone(),
            content_sha256: manifest.content_sha256.clone(),
            protocol: self.protocol,
            split_rule: manifest.split_rule.clone(),
            negatives: manifest.negatives.clone(),
            history_limit: manifest.history_limit,
            simulated: manifest.simulated,
            ceiling: manifest.simulation.as_ref().and_then(|simulation| simulation.ceiling),
            statistics: manifest.counts.clone(),
            schema: manifest.schema.clone(),
            sequences,
            train,
            validation,
            test,
        };
        dataset.validate()?;
        Ok(dataset)
    }
}

impl TrainShards for StoredShards {
    fn rows(&self) -> &[u64] {
        &self.rows
    }

    fn load(&self, shards: &[usize]) -> std::result::Result<Dataset, ShardError> {
        Ok(match &self.shared {
            Shared::Events { categories } => self.load_events(categories, shards)?,
            Shared::Rows { bags } => self.load_rows(bags, shards)?,
        })
    }

    fn order(&self) -> std::result::Result<Vec<ShardRun>, ShardError> {
        let (dir, manifest, sharding) = (&self.dir, &self.manifest, &self.sharding);
        let mut users = match self.shared {
            Shared::Events { .. } => store::read_users(dir, manifest, sharding)?,
            Shared::Rows { .. } => {
                store::read_users_of_rows(dir, manifest, sharding, self.protocol)?
            }
        };
        if matches!(self.shared, Shared::Events { .. }) {
            for (_, events) in &mut users {
                *events = training_rows(u64::from(*events), self.protocol) as u32;
            }
        }
        let runs = users.into_iter().map(|(shard, rows)| ShardRun { shard, rows });
        Ok(runs.filter(|run| run.rows > 0).collect())
    }
}
