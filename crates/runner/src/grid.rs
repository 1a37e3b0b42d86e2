//! The runs of a suite.

use crate::interrupt;
use crate::job::{self, Job};
use crate::progress::Progress;
use crate::queue::{self, Turn};
use anyhow::{Context, Result};
use ctr_core::{RunRecord, Status};
use std::path::Path;

/// Does all jobs that have no record yet below `runs`, `workers` at a time, and gives the records in the
/// order of the jobs. A run left half done by an earlier call is continued; one that another process is at is
/// left to it.
///
/// # Errors
/// Those of the runs, and of the user's wish to stop.
pub fn run_all(
    jobs: &[Job<'_>],
    runs: &Path,
    workers: usize,
    progress: &Progress,
) -> Result<Vec<RunRecord>> {
    let total = progress.grid(jobs.len() as u64);
    let records = queue::work_off(jobs, workers, |job| {
        let directory = runs.join(job.directory_name()?);
        let record = match job.finished(&directory)? {
            Some(record) => {
                job::tidy(&directory)?;
                tracing::info!("{}: finished before", job.title());
                record
            }
            None => {
                let observer = progress.run(&job.title());
                let record = job.run(&directory, true, &observer, interrupt::flag());
                observer.close();
                let Some(record) = record.with_context(|| job.title())? else {
                    return Ok(Turn::Elsewhere);
                };
                tracing::info!("{}: {}", job.title(), summary(&record));
                record
            }
        };
        total.inc(1);
        Ok(Turn::Done(record))
    });
    total.finish_and_clear();
    records
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
