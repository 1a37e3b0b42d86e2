//! Parts of a step that run beside each other.

use rayon::prelude::*;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// A part of a step.
pub(crate) type Task<'t, R> = Box<dyn FnOnce() -> R + Send + 't>;

/// Runs tasks on rayon's current threads; results are in the order of the tasks.
pub(crate) fn run_all<R: Send>(tasks: Vec<Task<'_, R>>) -> Vec<R> {
    if rayon::current_num_threads() == 1 {
        tasks.into_iter().map(|task| task()).collect()
    } else {
        tasks.into_par_iter().with_max_len(1).map(|task| task()).collect()
    }
}

/// Keeps a thread awake for a moment when its lane is done and another's is not: what follows the lanes
/// is short, and to fall asleep and be woken takes as long.
pub(crate) struct Finish {
    lanes: usize,
    begun: AtomicUsize,
    done: AtomicUsize,
}

impl Finish {
    /// About the difference between two lanes of a small batch.
    const LONGEST: Duration = Duration::from_micros(60);

    /// Before `lanes` lanes.
    pub fn new(lanes: usize) -> Self {
        Self { lanes, begun: AtomicUsize::new(0), done: AtomicUsize::new(0) }
    }

    /// Runs a lane and waits a little for the others.
    pub fn after<R>(&self, lane: impl FnOnce() -> R) -> R {
        self.begun.fetch_add(1, Ordering::Relaxed);
        let result = lane();
        self.done.fetch_add(1, Ordering::Release);
        let waited = Instant::now();
        // With a lane not yet begun there is better to do.
        while self.begun.load(Ordering::Relaxed) == self.lanes
            && self.done.load(Ordering::Acquire) < self.lanes
            && waited.elapsed() < Self::LONGEST
        {
            std::hint::spin_loop();
        }
        result
    }
}
