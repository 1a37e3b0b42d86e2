//! Shards in memory, for the tests of streaming.

use ctr_core::{Dataset, EventColumn, Samples, SeedStreams, ShardError, ShardRun, TrainShards};
use std::sync::{Arc, Mutex};

/// What happens when a shard is read.
#[allow(dead_code)] // not every test breaks one
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fate {
    Fine,
    /// The shard of this number is damaged.
    Damaged(usize),
    /// The shard of this number is read by a program with a fault.
    Fault(usize),
}

/// The training rows of a dataset by shards, and what was read of them.
#[derive(Debug)]
pub struct Shards {
    dataset: Dataset,
    /// The shard of each user.
    pub of_user: Vec<usize>,
    pub rows: Vec<u64>,
    fate: Fate,
    pub loaded: Mutex<Vec<Vec<usize>>>,
}

#[allow(dead_code)] // one test names the type alone
impl Shards {
    pub fn new(dataset: &Dataset, count: usize, seed: u64, fate: Fate) -> Arc<Self> {
        let mut stream = SeedStreams::new(seed).stream("shards");
        let users = dataset.sequences.offsets.len();
        let of_user: Vec<usize> = (0..users).map(|_| stream.below(count as u64) as usize).collect();
        let mut rows = vec![0; count];
        dataset.train.users.iter().for_each(|&user| rows[of_user[user as usize]] += 1);
        let loaded = Mutex::default();
        Arc::new(Self { dataset: dataset.clone(), of_user, rows, fate, loaded })
    }
}

impl TrainShards for Shards {
    fn rows(&self) -> &[u64] {
        &self.rows
    }

    fn load(&self, shards: &[usize]) -> Result<Dataset, ShardError> {
        self.loaded.lock().unwrap().push(shards.to_vec());
        match self.fate {
            Fate::Damaged(shard) if shards.contains(&shard) => {
                return Err("shard-1.parquet: it is damaged; prepare the data again".into());
            }
            Fate::Fault(shard) if shards.contains(&shard) => panic!("a fault"),
            _ => {}
        }
        let all = &self.dataset.train;
        let of = |row: &usize| self.of_user[all.users[*row] as usize];
        let chosen: Vec<usize> = shards
            .iter()
            .flat_map(|&shard| (0..all.rows()).filter(move |row| of(row) == shard))
            .collect();
        let take = |column: &[u32]| chosen.iter().map(|&row| column[row]).collect::<Vec<u32>>();
        let groups = all.groups.iter().map(|fields| {
            fields.iter().map(|field| EventColumn::single(take(&field.ids))).collect()
        });
        let none = Samples {
            groups: vec![Vec::new(), vec![EventColumn::default(); 2]],
            ..Samples::default()
        };
        Ok(Dataset {
            train: Samples {
                users: take(&all.users),
                sequences: take(&all.users),
                history_lengths: take(&all.history_lengths),
                labels: chosen.iter().map(|&row| all.labels[row]).collect(),
                groups: groups.collect(),
            },
            validation: none.clone(),
            test: none,
            ..self.dataset.clone()
        })
    }

    fn order(&self) -> Result<Vec<ShardRun>, ShardError> {
        let shard = |&user: &u32| self.of_user[user as usize] as u32;
        Ok(self
            .dataset
            .train
            .users
            .iter()
            .map(|user| ShardRun { shard: shard(user), rows: 1 })
            .collect())
    }
}
