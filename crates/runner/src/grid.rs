//! The runs of a suite.

use crate::interrupt;
use crate::job::{self, Job};
use crate::progress::{Came, GridProgress, Progress};
use crate::queue::{self, Turn};
use anyhow::{Context, Result};
use ctr_core::{RunRecord, Status};
use std::path::Path;

/// Does all jobs that have no record yet below `runs`, `workers` at a time, and gives the records in the
/// order of the jobs; `total` counts them. A run left half done by an earlier call is continued; one that another process is at is
/// left to it.
///
/// # Errors
/// Those of the runs, and of the user's wish to stop.
pub fn run_all(
    jobs: &[Job<'_>],
    runs: &Path,
    workers: usize,
    progress: &Progress,
    total: &GridProgress,
) -> Result<Vec<RunRecord>> {
    queue::work_off(jobs, workers, |job| {
        let directory = runs.join(job.directory_name()?);
        let record = match job.finished(&directory)? {
            Some(record) => {
                job::tidy(&directory)?;
                tracing::info!("{}: finished before{}", job.title(), total.count(Came::Before));
                record
            }
            None => {
                let observer = progress.run(job.titles());
                let record = job.run(&directory, true, &observer, interrupt::flag());
                observer.close();
                let Some(record) = record.with_context(|| job.title())? else {
                    return Ok(Turn::Elsewhere);
                };
                let diverged = record.status == Status::Diverged;
                let far = total.count(if diverged { Came::Diverged } else { Came::Trained });
                tracing::info!("{}: {}{far}", job.title(), summary(&record));
                record
            }
        };
        Ok(Turn::Done(record))
    })
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
