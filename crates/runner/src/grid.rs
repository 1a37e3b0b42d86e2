//! Many runs on several cores, one run a core.

use crate::failure::Failure;
use crate::interrupt;
use crate::job::Job;
use crate::progress::Progress;
use anyhow::{Context, Result, anyhow};
use ctr_core::{RunRecord, Status};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// Does all jobs that have no record yet below `runs`, `workers` at a time, each on one thread, and gives
/// the records in the order of the jobs. A run left half done by an earlier call is continued.
///
/// Workers are plain threads with a queue: on one shared pool a run waiting for its scoring would begin
/// another run inside itself. Each worker has a pool of one thread, so that a run computes alike beside
/// others and alone.
pub fn run_all(
    jobs: &[Job<'_>],
    runs: &Path,
    workers: usize,
    progress: &Progress,
) -> Result<Vec<RunRecord>> {
    let total = progress.grid(jobs.len() as u64);
    let next = AtomicUsize::new(0);
    let done: Mutex<Vec<(usize, RunRecord)>> = Mutex::new(Vec::new());
    let failed: Mutex<Option<anyhow::Error>> = Mutex::new(None);
    let work = || -> Result<()> {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build()?;
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let stopped = interrupt::flag().load(Ordering::Relaxed);
            let Some(job) = jobs.get(index).filter(|_| !stopped) else { return Ok(()) };
            let directory = runs.join(job.directory_name()?);
            let record = match job.finished(&directory)? {
                Some(record) => {
                    progress.line(&format!("{}: finished before", job.title()));
                    record
                }
                None => {
                    let observer = progress.run(&job.title());
                    let record =
                        pool.install(|| job.run(&directory, true, &observer, interrupt::flag()));
                    observer.close();
                    let record = record.with_context(|| job.title())?;
                    progress.line(&format!("{}: {}", job.title(), summary(&record)));
                    record
                }
            };
            total.inc(1);
            done.lock().unwrap_or_else(PoisonError::into_inner).push((index, record));
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..workers.clamp(1, jobs.len().max(1)) {
            scope.spawn(|| {
                if let Err(error) = work() {
                    // The others end after the run they are in, whose work is kept.
                    next.store(jobs.len(), Ordering::Relaxed);
                    failed.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
                }
            });
        }
    });
    total.finish_and_clear();
    if let Some(error) = failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
        return Err(error);
    }
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    if done.len() < jobs.len() {
        return Err(anyhow!(Failure::Interrupted(format!(
            "{} of {} runs are finished; the same command goes on from here",
            done.len(),
            jobs.len()
        ))));
    }
    done.sort_by_key(|(index, _)| *index);
    Ok(done.into_iter().map(|(_, record)| record).collect())
}

/// The result of a run in one line.
pub fn summary(record: &RunRecord) -> String {
    match (record.status, record.metrics.test_gauc, record.best) {
        (Status::Finished, Some(gauc), Some(best)) => format!(
            "test gAUC {gauc:.4} at epoch {:.1}, {:.0} s of training",
            best.epoch, record.timing.train_seconds
        ),
        (Status::Diverged, ..) => "diverged: the loss is no number; lower the learning rate".into(),
        _ => "no result".into(),
    }
}
