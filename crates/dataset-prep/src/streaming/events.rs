//! Users' events in shards.

use super::StoredShards;
use crate::splits::{self, SplitRows};
use crate::store::{self, ShardEvents};
use crate::{Error, Result};
use ctr_core::{Dataset, ShardReaders, Split, read_shared};
use serde::{Deserialize, Serialize};

/// What of a shard is kept beside its training rows, user by user.
#[derive(Serialize, Deserialize)]
struct HeldEvents {
    users: Vec<u32>,
    /// How many each user has.
    events: Vec<u32>,
    goods: Vec<u32>,
    /// Of the last two events.
    negatives: Vec<[u32; 2]>,
}

impl HeldEvents {
    fn of(shard: &ShardEvents) -> Self {
        let (mut counts, mut negatives) = (Vec::new(), Vec::new());
        for (_, events) in shard.of_users() {
            counts.push(events.len() as u32);
            let of_user = &shard.negatives[events];
            let mut last = [0; 2];
            let pairs = of_user.iter().rev().zip(last.iter_mut().rev());
            pairs.for_each(|(&negative, place)| *place = negative);
            negatives.push(last);
        }
        Self { users: shard.users.clone(), events: counts, goods: shard.goods.clone(), negatives }
    }
}

impl StoredShards {
    fn read_events(&self, shard: usize) -> Result<ShardEvents> {
        store::read_shard(&self.dir, &self.manifest, &self.sharding, shard)
    }

    /// The rows that are not for training, with the histories of all users, in the order of the whole dataset.
    pub fn held_events(&self, categories: &[u32], readers: &dyn ShardReaders) -> Result<Dataset> {
        let users = store::read_users(&self.dir, &self.manifest, &self.sharding)?;
        let mut offsets = vec![0u32; users.len() + 1];
        for (user, &(_, events)) in users.iter().enumerate() {
            offsets[user + 1] = offsets[user].checked_add(events).ok_or_else(|| {
                Error::damaged(&self.dir, "more events than a prepared dataset can hold")
            })?;
        }
        let total = offsets.last().map_or(0, |&end| end as usize);
        let counts = [("users", users.len()), ("samples", total)];
        store::check_counts(&self.dir, &self.manifest, &counts)?;
        let mut goods = vec![0u32; total];
        // The negatives of the last two events; training has those before.
        let mut negatives = vec![[0u32; 2]; users.len()];
        let read = |shard| Ok(HeldEvents::of(&self.read_events(shard)?));
        read_shared(readers, self.rows.len(), read, |shard, part| {
            let mut seen = part.goods.as_slice();
            for ((&user, &events), last) in part.users.iter().zip(&part.events).zip(part.negatives)
            {
                let Some(history) = seen.split_off(..events as usize) else { break };
                if users.get(user as usize) != Some(&(shard as u32, events)) {
                    let reason = format!(
                        "users.parquet does not have user {user} in shard {shard} with {events} events; prepare \
                         the dataset again"
                    );
                    return Err(Error::damaged(&self.dir, reason));
                }
                let from = offsets[user as usize] as usize;
                goods[from..from + history.len()].copy_from_slice(history);
                negatives[user as usize] = last;
            }
            Ok(())
        })?;
        if let Some(place) = goods.iter().position(|&good| good == 0) {
            let reason = format!("the shards lack event {place}; prepare the dataset again");
            return Err(Error::damaged(&self.dir, reason));
        }
        let mut rows = SplitRows::new(self.protocol, &[Split::Validation, Split::Test]);
        for (user, last) in negatives.iter().enumerate() {
            let events = &goods[offsets[user] as usize..offsets[user + 1] as usize];
            rows.push_last(user as u32, events, last);
        }
        let samples = rows.finish(categories);
        let sequences = splits::sequences(offsets, goods, categories);
        self.dataset(sequences, samples)
    }

    /// The training rows of some shards.
    pub fn load_events(&self, categories: &[u32], shards: &[usize]) -> Result<Dataset> {
        let mut rows = SplitRows::new(self.protocol, &[Split::Train]);
        let (mut users, mut offsets, mut goods) = (Vec::new(), vec![0u32], Vec::new());
        for &shard in shards {
            let part = self.read_events(shard)?;
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
        let [mut train, validation, test] = rows.finish(categories);
        train.sequences = train.users.clone();
        train.users.iter_mut().for_each(|user| *user = users[*user as usize]);
        let sequences = splits::sequences(offsets, goods, categories);
        self.dataset(sequences, [train, validation, test])
    }
}
