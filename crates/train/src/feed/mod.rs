//! The rows of every training step: out of memory, or out of shards of which a few are in memory at a time.

mod gather;
mod plan;
mod window;

use crate::{Error, Result, TrainConfig};
use ctr_core::{Batch, Dataset, Part, SeedStreams, Split, TrainShards};
use ctr_nn::Communicator;
use gather::gather_batch;
use plan::Plan;
use std::sync::Arc;
use std::time::Instant;
use window::{Ahead, Window};

/// Gives the rows of each step. The order depends on the seed and, when streamed, on the buffer and on the number
/// of rows in each shard; never on threads or timing.
///
/// Memory keeps what has once been loaded for as long as it is needed: all rows, or one window of shards and the
/// next one.
#[derive(Debug)]
pub struct Feed<'d> {
    source: Source<'d>,
    rows: u64,
    batch_size: u64,
    history: Option<u32>,
    /// Places in the batch of the rows that were filled in last; empty when all were.
    places: Vec<u32>,
    /// The rows of a batch that are of this part.
    own: Batch,
}

/// What streaming cost so far.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Waits {
    /// Windows that were needed.
    pub windows: u64,
    /// Seconds in which a step waited for one of them; the first of a run is always waited for.
    pub seconds: f64,
}

#[derive(Debug)]
enum Source<'d> {
    Memory {
        dataset: &'d Dataset,
        seeds: SeedStreams,
        /// The order of rows in an epoch.
        order: Vec<u32>,
        epoch: Option<u64>,
    },
    Streamed(Box<Streamed>),
}

#[derive(Debug)]
struct Streamed {
    shards: Arc<dyn TrainShards>,
    plan: Arc<Plan>,
    current: Option<Window>,
    ahead: Option<Ahead>,
    waits: Waits,
    /// A batch's rows out of its second and later windows.
    rest: Batch,
}

impl<'d> Feed<'d> {
    /// All rows of a dataset, in an order that is drawn anew for every epoch.
    ///
    /// # Errors
    /// When the settings ask for a buffer, which a dataset in memory has no use for.
    pub fn in_memory(dataset: &'d Dataset, config: &TrainConfig, seed: u64) -> Result<Self> {
        if config.shuffle_buffer > 0 {
            return Err(Error::Config(format!(
                "train.shuffle_buffer is {}, but the rows of {} are all in memory; prepare the data with \
                 --shards, or leave the setting out",
                config.shuffle_buffer, dataset.id
            )));
        }
        let seeds = SeedStreams::new(seed);
        let rows = dataset.train.rows() as u64;
        Ok(Self::new(
            Source::Memory { dataset, seeds, order: Vec::new(), epoch: None },
            rows,
            config,
        ))
    }

    /// Rows out of shards, through a buffer of [`TrainConfig::shuffle_buffer`] rows. Only the shards of `part` are
    /// ever read.
    ///
    /// # Errors
    /// When the settings do not fit the shards, or what tells their order cannot be read.
    pub fn streamed(
        shards: Arc<dyn TrainShards>,
        config: &TrainConfig,
        seed: u64,
        part: Part,
    ) -> Result<Self> {
        let count = shards.rows().len() as u64;
        if config.shards > 0 && config.shards != count {
            return Err(Error::Config(format!(
                "train.shards is {}, the data has {count}: another number of shards is another order of \
                 rows; prepare the data with --shards {0}, or leave the setting out",
                config.shards
            )));
        }
        let plan = Arc::new(Plan::new(shards.as_ref(), config, seed, part)?);
        let rows = plan.rows();
        let streamed = Streamed {
            shards,
            plan,
            current: None,
            ahead: None,
            waits: Waits::default(),
            rest: Batch::default(),
        };
        Ok(Self::new(Source::Streamed(Box::new(streamed)), rows, config))
    }

    fn new(source: Source<'d>, rows: u64, config: &TrainConfig) -> Self {
        let (batch_size, history) = (config.batch_size as u64, config.history_limit());
        Self { source, rows, batch_size, history, places: Vec::new(), own: Batch::default() }
    }

    /// Rows of an epoch, of all parts.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Steps of an epoch.
    pub fn steps(&self) -> u64 {
        self.rows.div_ceil(self.batch_size)
    }

    /// Fills `batch`, whose memory is reused, with the rows of an epoch's step, counted from 0, and gives their
    /// number. Of a part it gives those rows that lie in its shards; [`Feed::places`] says which they are.
    ///
    /// Steps are meant to be asked for in order; after a resume the first one may be any.
    ///
    /// # Errors
    /// When a shard cannot be read.
    pub fn fill(&mut self, epoch: u64, step: u64, batch: &mut Batch) -> Result<usize> {
        let from = (step * self.batch_size).min(self.rows);
        let to = (from + self.batch_size).min(self.rows);
        self.places.clear();
        match &mut self.source {
            Source::Memory { dataset, seeds, order, epoch: drawn } => {
                if *drawn != Some(epoch) {
                    // In the memory of the epoch before.
                    order.clear();
                    order.extend(0..self.rows as u32);
                    seeds.stream(&plan::whole_epoch(epoch)).shuffle(order);
                    *drawn = Some(epoch);
                }
                let rows = &order[from as usize..to as usize];
                dataset.fill_batch(Split::Train, rows, self.history, batch);
            }
            Source::Streamed(streamed) => {
                streamed.fill(epoch, from..to, self.history, batch, &mut self.places)?;
            }
        }
        Ok(batch.rows())
    }

    /// [`Feed::fill`] of the whole batch, where other ranks read the other parts. All must call it together.
    ///
    /// # Errors
    /// As there, and when a rank is lost.
    pub fn fill_together(
        &mut self,
        ranks: &dyn Communicator,
        epoch: u64,
        step: u64,
        batch: &mut Batch,
    ) -> Result<usize> {
        if !self.is_part() {
            return self.fill(epoch, step, batch);
        }
        let mut own = std::mem::take(&mut self.own);
        self.fill(epoch, step, &mut own)?;
        gather_batch(ranks, &own, &self.places, batch)?;
        self.own = own;
        Ok(batch.rows())
    }

    fn is_part(&self) -> bool {
        match &self.source {
            Source::Memory { .. } => false,
            Source::Streamed(streamed) => streamed.plan.part.of > 1,
        }
    }

    /// How long steps waited for shards; none where all rows are in memory from the beginning.
    pub fn waits(&self) -> Option<Waits> {
        match &self.source {
            Source::Memory { .. } => None,
            Source::Streamed(streamed) => Some(streamed.waits),
        }
    }

    /// For every row that the last [`Feed::fill`] gave, its place in the step's whole batch; empty when all of the
    /// batch's rows are there, in order.
    pub fn places(&self) -> &[u32] {
        &self.places
    }
}

impl Streamed {
    fn fill(
        &mut self,
        epoch: u64,
        rows: std::ops::Range<u64>,
        history: Option<u32>,
        batch: &mut Batch,
        places: &mut Vec<u32>,
    ) -> Result<()> {
        let plan = Arc::clone(&self.plan);
        let mut first = true;
        for (number, bounds) in plan.overlapping(epoch, &rows) {
            self.make_current(epoch, number)?;
            let Some(window) = &self.current else { continue };
            let from = rows.start.max(bounds.start);
            let to = rows.end.min(bounds.end);
            let wanted = (from - bounds.start) as usize..(to - bounds.start) as usize;
            let filled = if first { &mut *batch } else { &mut self.rest };
            let places = (plan.part.of > 1).then_some(&mut *places);
            window.fill(wanted, (from - rows.start) as u32, history, filled, places);
            if !first {
                batch.append(&self.rest);
            }
            first = false;
        }
        Ok(())
    }

    /// Has a window in memory, and the one after it on its way.
    fn make_current(&mut self, epoch: u64, number: usize) -> Result<()> {
        let id = (epoch, number);
        if self.current.as_ref().is_some_and(|window| window.id == id) {
            return Ok(());
        }
        if self.plan.is_one_window() {
            // The same rows in another order.
            match &mut self.current {
                Some(window) => window.permute(epoch, &self.plan),
                none => *none = Some(Window::load(self.shards.as_ref(), &self.plan, id)?),
            }
            return Ok(());
        }
        let begun = Instant::now();
        let ahead = self.ahead.take().filter(|ahead| ahead.id == id);
        // One fewer in memory while this one is loaded, or waited for.
        if ahead.is_none() {
            self.current = None;
        }
        let window = match ahead {
            Some(ahead) => ahead.wait()?,
            None => Window::load(self.shards.as_ref(), &self.plan, id)?,
        };
        self.current = Some(window);
        self.waits.windows += 1;
        self.waits.seconds += begun.elapsed().as_secs_f64();
        self.ahead = self
            .plan
            .after(id)
            .and_then(|next| Ahead::begin(Arc::clone(&self.shards), Arc::clone(&self.plan), next));
        Ok(())
    }
}
