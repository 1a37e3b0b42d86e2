//! Runs of a suite on a cluster: what is to be done, handed to Slurm or Kubernetes.
//!
//! A scheduler gets a list of runs and a task for each. A task does one run by `reproduce --list FILE --index N`, as any
//! grid would: in its own directory below the shared reports' folder, from its checkpoint if there is one. What
//! decides is always the files: a run with a record is finished, whoever did it.

mod command;
mod estimate;
mod kubernetes;
mod list;
mod queue;
mod script;
mod slurm;
mod state;
mod status;

pub use kubernetes::{manifest, print as print_manifest};
pub use slurm::{Sent, preview, send};
pub use status::status;

use crate::cli::ReproduceArguments;
use crate::job::{self, Job};
use crate::plan::{self, Row};
use crate::progress::Progress;
use crate::{data, grid};
use anyhow::{Context, Result, bail};
use list::{ListFile, Listed};
use std::path::{Path, PathBuf};

/// Where lists, scripts and outputs of jobs lie.
fn folder(out: &Path) -> PathBuf {
    out.join("launch")
}

/// The runs that can begin now and have no record: those that begin at once, or, when all of them are finished, those with
/// what validation chose.
pub fn open_runs<'d>(rows: &[Row<'d>], first: &[Job<'d>], runs: &Path) -> Result<Vec<Job<'d>>> {
    let mut records = Vec::new();
    let mut open = Vec::new();
    for job in first {
        let directory = runs.join(job.directory_name()?);
        match job.finished(&directory)? {
            Some(record) => records.push(record),
            None => open.push(job.clone()),
        }
    }
    if open.is_empty() {
        for job in plan::second_jobs(rows, &records)? {
            if job.finished(&runs.join(job.directory_name()?))?.is_none() {
                open.push(job);
            }
        }
    }
    Ok(open)
}

/// One run of a list: what a task of a job does.
pub fn task(path: &Path, arguments: &ReproduceArguments, quiet: bool) -> Result<()> {
    let list = ListFile::at(path)
        .with_context(|| format!("{} is no list of runs by its name", path.display()))?;
    let listed = list.read()?;
    let index = arguments.launch.index;
    let Some(Listed { directory, dataset, protocol, seed, config, .. }) = listed.get(index) else {
        bail!("{} has {} runs, there is none with index {index}", path.display(), listed.len());
    };
    let dataset = data::open(&arguments.prepared.join(dataset), Some(*protocol))?;
    let job = Job { dataset: &dataset, shards: None, config: config.clone(), seed: *seed };
    let name = job.directory_name()?;
    if name != *directory {
        bail!(
            "{}, line {}: {directory} would be {name} now: data or program are others than when it was \
             submitted; submit again",
            path.display(),
            index + 1
        );
    }
    let runs = arguments.out.join("runs");
    let progress = Progress::new(quiet);
    let total = progress.grid(1, 1);
    // A run that somebody else is at, such as a node that is thought dead, is waited for.
    grid::run_all(&[job], &runs, 1, &progress, &total)?;
    total.end();
    job::tidy(&runs.join(name))
}
