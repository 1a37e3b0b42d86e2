//! Which shards are in memory together, and in which order rows come.

use crate::{Error, Result, TrainConfig};
use ctr_core::{Part, SeedStreams, ShardRun, TrainShards};
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

/// An epoch and the number of a window in it.
pub(super) type WindowId = (u64, usize);

/// The stream of an epoch whose rows are all in memory.
pub(super) fn whole_epoch(epoch: u64) -> String {
    format!("shuffle/epoch-{epoch}")
}

/// Windows of an epoch: their shards, and where their rows begin and end.
#[derive(Debug, Default)]
pub(super) struct EpochWindows {
    epoch: u64,
    pub shards: Vec<Vec<usize>>,
    bounds: Vec<Range<u64>>,
}

/// Draws the windows of every epoch.
#[derive(Debug)]
pub(super) struct Plan {
    seeds: SeedStreams,
    /// Rows of each shard.
    rows: Vec<u64>,
    buffer: u64,
    epochs: u64,
    pub part: Part,
    /// The order of rows in the whole dataset, where all fit into the buffer.
    pub natural: Vec<ShardRun>,
    /// The windows asked for last: of the epoch under way, or of the one that its last window is followed by.
    drawn: Mutex<[Arc<EpochWindows>; 2]>,
}

impl Plan {
    pub fn new(
        shards: &dyn TrainShards,
        config: &TrainConfig,
        seed: u64,
        part: Part,
    ) -> Result<Self> {
        let fail = |reason: String| Err(Error::Config(reason));
        if config.shuffle_buffer == 0 {
            return fail(
                "train.shuffle_buffer is 0, expected the rows that streaming may mix".into(),
            );
        }
        if part.index >= part.of {
            return fail(format!("part {} of {}, expected one from 0", part.index, part.of));
        }
        let mut plan = Self {
            seeds: SeedStreams::new(seed),
            rows: shards.rows().to_vec(),
            buffer: config.shuffle_buffer,
            epochs: config.epochs,
            part,
            natural: Vec::new(),
            drawn: Mutex::default(),
        };
        if plan.largest() > u64::from(u32::MAX) {
            return fail(format!(
                "a window of {} rows is more than can be numbered; prepare the data in more shards, or \
                 lower train.shuffle_buffer",
                plan.largest()
            ));
        }
        if plan.is_one_window() {
            plan.natural = shards.order()?;
            let known: u64 = plan.natural.iter().map(|run| u64::from(run.rows)).sum();
            if known != plan.rows() {
                return fail(format!(
                    "the shards say {} rows and {known}; prepare the data again",
                    plan.rows()
                ));
            }
        }
        Ok(plan)
    }

    pub fn rows(&self) -> u64 {
        self.rows.iter().sum()
    }

    /// Most rows that a window can have.
    fn largest(&self) -> u64 {
        let shard = self.rows.iter().copied().max().unwrap_or_default();
        self.rows().min(self.buffer.max(shard))
    }

    /// Whether all rows fit into the buffer.
    pub fn is_one_window(&self) -> bool {
        self.rows() <= self.buffer
    }

    pub fn rows_of(&self, shard: usize) -> u64 {
        self.rows.get(shard).copied().unwrap_or_default()
    }

    /// The windows of an epoch.
    pub fn windows(&self, epoch: u64) -> Arc<EpochWindows> {
        let mut drawn = self.drawn.lock().unwrap_or_else(PoisonError::into_inner);
        let place = &mut drawn[(epoch % 2) as usize];
        if place.shards.is_empty() || place.epoch != epoch {
            *place = Arc::new(self.draw(epoch));
        }
        Arc::clone(place)
    }

    /// Shards in a random order, as many whole ones a window as fit into the buffer, at least one.
    fn draw(&self, epoch: u64) -> EpochWindows {
        // A shard without training rows is never read.
        let mut order: Vec<usize> =
            (0..self.rows.len()).filter(|&shard| self.rows[shard] > 0).collect();
        if !self.is_one_window() {
            self.seeds.stream(&format!("{}/shards", whole_epoch(epoch))).shuffle(&mut order);
        }
        let (mut shards, mut bounds) = (Vec::<Vec<usize>>::new(), Vec::<Range<u64>>::new());
        for shard in order {
            let rows = self.rows[shard];
            match (shards.last_mut(), bounds.last_mut()) {
                (Some(window), Some(range)) if range.end - range.start + rows <= self.buffer => {
                    window.push(shard);
                    range.end += rows;
                }
                (_, last) => {
                    let from = last.map_or(0, |range| range.end);
                    shards.push(vec![shard]);
                    bounds.push(from..from + rows);
                }
            }
        }
        EpochWindows { epoch, shards, bounds }
    }

    /// The windows that rows of an epoch lie in, with their own rows.
    pub fn overlapping(&self, epoch: u64, rows: &Range<u64>) -> Vec<(usize, Range<u64>)> {
        let windows = self.windows(epoch);
        let first = windows.bounds.partition_point(|own| own.end <= rows.start);
        let bounds = windows.bounds.iter().cloned().enumerate().skip(first);
        bounds.take_while(|(_, own)| own.start < rows.end).collect()
    }

    /// The window after another one; none after the last of all.
    pub fn after(&self, (epoch, number): WindowId) -> Option<WindowId> {
        if number + 1 < self.windows(epoch).shards.len() {
            return Some((epoch, number + 1));
        }
        (epoch + 1 < self.epochs).then_some((epoch + 1, 0))
    }

    /// The order of a window's rows, which are counted shard by shard; of the whole dataset's rows where they are
    /// all in one window.
    pub fn permutation(&self, (epoch, number): WindowId, rows: usize) -> Vec<u32> {
        let name = match self.is_one_window() {
            true => whole_epoch(epoch),
            false => format!("{}/window-{number}", whole_epoch(epoch)),
        };
        let mut order: Vec<u32> = (0..rows as u32).collect();
        self.seeds.stream(&name).shuffle(&mut order);
        order
    }
}
