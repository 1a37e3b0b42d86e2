//! A dataset in shards as training streams it: the rows to choose on and to report in memory, those to learn from
//! shard by shard.

use crate::manifest::{Layout, Manifest, Sharding};
use crate::splits::{self, SplitRows, training_rows};
use crate::store::{self, ShardEvents};
use crate::{Error, Result};
use ctr_core::{Dataset, Protocol, Samples, Sequences, ShardError, ShardRun, Split, TrainShards};
use std::path::{Path, PathBuf};

/// The training rows of a prepared dataset, read from its shards when they are asked for.
#[derive(Debug)]
pub struct StoredShards {
    dir: PathBuf,
    manifest: Manifest,
    sharding: Sharding,
    protocol: Protocol,
    /// Category of each good, good 1 first.
    categories: Vec<u32>,
    rows: Vec<u64>,
}

/// Opens a dataset in shards for streaming: everything but the training rows in memory, and these as shards.
///
/// Each file is compared with the manifest when it is read. The content hash, which goes over all rows, is the
/// manifest's: it is computed again only when the whole dataset is opened.
///
/// # Errors
/// When the dataset is not in shards; names the file that is missing, damaged or does not fit, and what to do.
pub fn open_streamed(dir: &Path, protocol: Option<Protocol>) -> Result<(Dataset, StoredShards)> {
    let manifest = store::read_manifest(dir)?;
    let protocol = protocol.unwrap_or(manifest.protocol);
    let Some(sharding) = manifest.shards.clone() else {
        let reason = "it is not in shards, so its rows cannot be streamed (train.shuffle_buffer); prepare or \
                      simulate it again with --shards N";
        return Err(Error::damaged(dir, reason));
    };
    if manifest.layout != Layout::Reviews {
        return Err(Error::damaged(dir, "rows as a source had them cannot be streamed yet"));
    }
    let rows = sharding.train_rows(protocol);
    let categories = store::read_categories(dir, &manifest)?;
    let shards =
        StoredShards { dir: dir.to_path_buf(), manifest, sharding, protocol, categories, rows };
    let held = shards.held()?;
    Ok((held, shards))
}

impl StoredShards {
    /// A dataset of some rows.
    fn dataset(&self, sequences: Sequences, [train, validation, test]: [Samples; 3]) -> Dataset {
        let manifest = &self.manifest;
        Dataset {
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
        }
    }

    fn read(&self, shard: usize) -> Result<ShardEvents> {
        store::read_shard(&self.dir, &self.manifest, &self.sharding, shard)
    }

    /// The rows that are not for training, with the histories of all users, in the order of the whole dataset.
    fn held(&self) -> Result<Dataset> {
        let users = store::read_users(&self.dir, &self.manifest, &self.sharding)?;
        let mut offsets = vec![0u32; users.len() + 1];
        for (user, &(_, events)) in users.iter().enumerate() {
            offsets[user + 1] = offsets[user].checked_add(events).ok_or_else(|| {
                Error::damaged(&self.dir, "more events than a prepared dataset can hold")
            })?;
        }
        let total = offsets.last().map_or(0, |&end| end as usize);
        let mut goods = vec![0u32; total];
        // The negatives of the last two events; training has those before.
        let mut negatives = vec![[0u32; 2]; users.len()];
        for shard in 0..self.rows.len() {
            let part = self.read(shard)?;
            for (user, events) in part.of_users() {
                if users.get(user as usize) != Some(&(shard as u32, events.len() as u32)) {
                    let reason = format!(
                        "users.parquet does not have user {user} in shard {shard} with {} events; prepare \
                         the dataset again",
                        events.len()
                    );
                    return Err(Error::damaged(&self.dir, reason));
                }
                let from = offsets[user as usize] as usize;
                goods[from..from + events.len()].copy_from_slice(&part.goods[events.clone()]);
                let of_user = &part.negatives[events];
                let last = of_user.iter().rev().zip(negatives[user as usize].iter_mut().rev());
                last.for_each(|(&negative, place)| *place = negative);
            }
        }
        if let Some(place) = goods.iter().position(|&good| good == 0) {
            let reason = format!("the shards lack event {place}; prepare the dataset again");
            return Err(Error::damaged(&self.dir, reason));
        }
        let mut rows = SplitRows::new(self.protocol, &[Split::Validation, Split::Test]);
        for (user, last) in negatives.iter().enumerate() {
            let events = &goods[offsets[user] as usize..offsets[user + 1] as usize];
            rows.push_last(user as u32, events, last);
        }
        let samples = rows.finish(&self.categories);
        let sequences = splits::sequences(offsets, goods, &self.categories);
        let dataset = self.dataset(sequences, samples);
        dataset.validate()?;
        Ok(dataset)
    }

    fn load_shards(&self, shards: &[usize]) -> Result<Dataset> {
        let mut rows = SplitRows::new(self.protocol, &[Split::Train]);
        let (mut users, mut offsets, mut goods) = (Vec::new(), vec![0u32], Vec::new());
        for &shard in shards {
            let part = self.read(shard)?;
            for (user, events) in part.of_users() {
                // Its place among the users that are here, until all are.
                let number = users.len() as u32;
                let seen = &part.goods[events.clone()];
                rows.push(number, seen, &part.negatives[events]);
                users.push(user);
                goods.extend_from_slice(seen);
                offsets.push(goods.len() as u32);
            }
        }
        let [mut train, validation, test] = rows.finish(&self.categories);
        train.sequences = train.users.clone();
        train.users.iter_mut().for_each(|user| *user = users[*user as usize]);
        let sequences = splits::sequences(offsets, goods, &self.categories);
        let dataset = self.dataset(sequences, [train, validation, test]);
        dataset.validate()?;
        Ok(dataset)
    }
}

impl TrainShards for StoredShards {
    fn rows(&self) -> &[u64] {
        &self.rows
    }

    fn load(&self, shards: &[usize]) -> std::result::Result<Dataset, ShardError> {
        Ok(self.load_shards(shards)?)
    }

    fn order(&self) -> std::result::Result<Vec<ShardRun>, ShardError> {
        let users = store::read_users(&self.dir, &self.manifest, &self.sharding)?;
        let run = |(shard, events): (u32, u32)| ShardRun {
            shard,
            rows: training_rows(u64::from(events), self.protocol) as u32,
        };
        Ok(users.into_iter().map(run).filter(|run| run.rows > 0).collect())
    }
}
