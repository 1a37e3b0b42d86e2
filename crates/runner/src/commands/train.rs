//! `train`.

use super::pool;
use crate::cli::TrainArguments;
use crate::failure::{Failure, is_interruption, is_lost_rank};
use crate::job::Job;
use crate::progress::Progress;
use crate::tensorboard::{Board, Watch};
use crate::together::{Together, readers};
use crate::{config, data, grid, interrupt, output};
use anyhow::{Context, Result};
use ctr_core::{Protocol, RunRecord, Status};
use ctr_train::{Observer, Silent};
use std::path::{Path, PathBuf};

pub fn train(arguments: &TrainArguments, quiet: bool) -> Result<()> {
    let mut settings = arguments.settings.clone();
    let flags = [
        ("train.batch_size", arguments.batch_size.map(|value| value.to_string())),
        ("train.epochs", arguments.epochs.map(|value| value.to_string())),
        ("train.max_steps", arguments.max_steps.map(|value| value.to_string())),
    ];
    for (key, value) in flags {
        settings.extend(value.map(|value| format!("{key}={value}")));
    }
    let config = config::resolve(
        arguments.model,
        &arguments.preset,
        arguments.config.as_deref(),
        &settings,
    )?;
    let mut together = Together::join(arguments.spread_tables)?;
    let (dataset, shards, config) =
        data::open_for(&arguments.data, arguments.protocol, config, readers(together.as_ref()))?;
    let progress = Progress::new(quiet);
    if dataset.protocol == Protocol::Authors {
        tracing::warn!(
            "under the authors' protocol the best test evaluation is reported, which is \
             optimistic; use --protocol held-out for an unbiased number"
        );
    }
    let job = Job { dataset: &dataset, shards, config, seed: arguments.seed };
    let directory = match &arguments.out {
        Some(directory) => directory.clone(),
        None => PathBuf::from("reports/runs").join(job.directory_name()?),
    };
    // SIGTERM to one of several is news for all: none of them ends by itself before they have parted.
    let _watch = together.as_ref().map(|_| interrupt::watch());
    if let Some(together) = &mut together {
        together.meet(&job, &directory, arguments.resume)?;
    }
    let record = match &together {
        Some(together) if !together.is_first() => beside(together, &job, arguments).map(|()| None),
        _ => first(together.as_ref(), &job, &directory, arguments, progress).map(Some),
    };
    // Who is asked to stop waits as well: the launcher would end the others by force, whatever they are writing.
    if let (Some(together), true) =
        (together, record.as_ref().map_or_else(is_interruption, |_| true))
    {
        together.end();
    }
    let record = record.map_err(|error| match is_lost_rank(&error) {
        true => error.context("the same command with --resume goes on from the last checkpoint"),
        false => error,
    });
    let Some(record) = record? else { return Ok(()) };
    output::formatted(arguments.format, &record, || {
        format!(
            "{}\n{}\n{} = {}\nrun directory {}",
            job.title(),
            grid::summary(&record),
            record.signature,
            record.metrics.test_gauc.map_or("no number".into(), |gauc| format!("{gauc:.6} (n=1)")),
            directory.display()
        )
    })?;
    match record.status {
        Status::Finished => Ok(()),
        Status::Diverged => Err(Failure::Expectation(
            "the loss diverged; the record says so and holds no number".into(),
        )
        .into()),
    }
}

/// The run, or the record of one that is finished.
fn first(
    together: Option<&Together>,
    job: &Job<'_>,
    directory: &Path,
    arguments: &TrainArguments,
    progress: Progress,
) -> Result<RunRecord> {
    let board = arguments
        .tensorboard
        .then(|| Board::new(directory, &job.title(), &job.config))
        .transpose()?;
    if let Some(record) = job.finished(directory)? {
        if let Some(together) = together {
            together.agree(false)?;
        }
        tracing::info!("this run is finished already; here is its record");
        if let Some(board) = &board {
            board.write_finished(directory, &record)?;
        }
        return Ok(record);
    }
    let observer = progress.run(job.titles());
    let watch = Watch { progress: &observer, board: board.as_ref() };
    let record = run(together, job, directory, arguments, &watch);
    observer.close();
    record?.with_context(|| {
        format!(
            "another process is at this run in {}: wait for it, or choose another --out",
            directory.display()
        )
    })
}

/// The part of a process that is not the first, in a folder of its own that goes with it.
fn beside(together: &Together, job: &Job<'_>, arguments: &TrainArguments) -> Result<()> {
    run(Some(together), job, together.directory(), arguments, &Silent).map(|_| ())
}

fn run(
    together: Option<&Together>,
    job: &Job<'_>,
    directory: &Path,
    arguments: &TrainArguments,
    observer: &dyn Observer,
) -> Result<Option<RunRecord>> {
    let threads = pool(arguments.threads)?;
    let resume = arguments.resume;
    threads.install(|| job.run_as(together, directory, resume, observer, interrupt::flag()))
}
