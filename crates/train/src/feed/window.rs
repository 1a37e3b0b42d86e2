//! Shards that are in memory together, and the thread that loads the next ones.

use super::plan::{Plan, WindowId};
use crate::{Error, Result};
use ctr_core::{Batch, Dataset, Split, TrainShards, panic_text};
use std::ops::Range;
use std::sync::Arc;
use std::thread::JoinHandle;

/// A row of a shard that another process reads.
const ELSEWHERE: u32 = u32::MAX;

/// Some shards in memory, and the order of their rows.
#[derive(Debug)]
pub(super) struct Window {
    pub id: WindowId,
    dataset: Dataset,
    /// Where each row of the window, or of the whole dataset, lies in `dataset`; empty when that is its own number.
    lies: Vec<u32>,
    /// Rows of `dataset`, or [`ELSEWHERE`], in the order of training.
    order: Vec<u32>,
}

impl Window {
    /// Reads the window's shards, those of the plan's part, and draws the order of rows.
    pub fn load(shards: &dyn TrainShards, plan: &Plan, id: WindowId) -> Result<Self> {
        let (epoch, number) = id;
        let windows = plan.windows(epoch);
        let all = windows.shards.get(number).map_or(&[][..], Vec::as_slice);
        let own: Vec<usize> = all.iter().copied().filter(|&shard| plan.part.has(shard)).collect();
        let dataset = shards.load(&own)?;
        let expected: u64 = own.iter().map(|&shard| plan.rows_of(shard)).sum();
        if dataset.train.rows() as u64 != expected {
            return Err(Error::Config(format!(
                "{}: shards {own:?} have {} training rows, expected {expected}; prepare the data again",
                dataset.id,
                dataset.train.rows()
            )));
        }
        let lies = lies(plan, all, own.len() == all.len());
        let mut window = Self { id, dataset, lies, order: Vec::new() };
        window.order = window.drawn(plan);
        Ok(window)
    }

    /// The same rows in the order of another epoch.
    pub fn permute(&mut self, epoch: u64, plan: &Plan) {
        self.id = (epoch, self.id.1);
        self.order = self.drawn(plan);
    }

    fn drawn(&self, plan: &Plan) -> Vec<u32> {
        if self.lies.is_empty() {
            return plan.permutation(self.id, self.dataset.train.rows());
        }
        let mut order = plan.permutation(self.id, self.lies.len());
        order.iter_mut().for_each(|row| *row = self.lies[*row as usize]);
        order
    }

    /// Fills `batch` with the rows at some places of the order. Where shards are read elsewhere too, `places` gets
    /// the places of those that are here, counted from `first`.
    pub fn fill(
        &self,
        wanted: Range<usize>,
        first: u32,
        history: Option<u32>,
        batch: &mut Batch,
        places: Option<&mut Vec<u32>>,
    ) {
        let rows = &self.order[wanted];
        let Some(places) = places else {
            self.dataset.fill_batch(Split::Train, rows, history, batch);
            return;
        };
        let here = (first..).zip(rows).filter(|&(_, &row)| row != ELSEWHERE);
        let mut own = Vec::with_capacity(rows.len());
        for (place, &row) in here {
            places.push(place);
            own.push(row);
        }
        self.dataset.fill_batch(Split::Train, &own, history, batch);
    }
}

/// Where the rows of a window lie in the dataset made of its own shards; nothing where that is their number.
fn lies(plan: &Plan, all: &[usize], whole: bool) -> Vec<u32> {
    if !plan.is_one_window() && whole {
        return Vec::new();
    }
    // Where each shard's next row lies.
    let mut next: Vec<Option<u32>> = Vec::new();
    let mut row = 0;
    for &shard in all {
        next.resize(next.len().max(shard + 1), None);
        if plan.part.has(shard) {
            next[shard] = Some(row);
            row += plan.rows_of(shard) as u32;
        }
    }
    let mut lies = Vec::new();
    let mut take = |shard: usize, rows: u64| {
        let own = next.get_mut(shard).and_then(Option::as_mut);
        match own {
            Some(next) => {
                lies.extend(*next..*next + rows as u32);
                *next += rows as u32;
            }
            None => lies.extend(std::iter::repeat_n(ELSEWHERE, rows as usize)),
        }
    };
    if plan.is_one_window() {
        plan.natural.iter().for_each(|run| take(run.shard as usize, u64::from(run.rows)));
    } else {
        all.iter().for_each(|&shard| take(shard, plan.rows_of(shard)));
    }
    lies
}

/// A window on its way into memory, on a thread of its own.
#[derive(Debug)]
pub(super) struct Ahead {
    pub id: WindowId,
    /// None once it was waited for.
    thread: Option<JoinHandle<Result<Window>>>,
}

impl Ahead {
    /// Begins to load a window; none where there is no thread to be had, and the window is loaded when its turn
    /// comes.
    pub fn begin(shards: Arc<dyn TrainShards>, plan: Arc<Plan>, id: WindowId) -> Option<Self> {
        let load = move || Window::load(shards.as_ref(), &plan, id);
        let thread = std::thread::Builder::new().name("prefetch".into()).spawn(load);
        if let Err(error) = &thread {
            tracing::debug!("shards are not loaded ahead: {error}");
        }
        Some(Self { id, thread: Some(thread.ok()?) })
    }

    /// The window, or why it could not be loaded.
    pub fn wait(mut self) -> Result<Window> {
        let Some(thread) = self.thread.take() else { return Err(Error::Prefetch(String::new())) };
        thread.join().unwrap_or_else(|payload| {
            Err(Error::Prefetch(panic_text(&*payload).unwrap_or("no message").into()))
        })
    }
}

impl Drop for Ahead {
    /// No thread outlives the run that it reads for.
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
