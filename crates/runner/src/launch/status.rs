//! `reproduce status`.

use super::list::ListFile;
use super::state::{Lists, Standing, State};
use super::{folder, queue};
use crate::cli::StatusArguments;
use crate::job::{Job, RECORD_FILE};
use crate::suite::Suite;
use crate::{data, output, plan};
use anyhow::Result;
use ctr_core::Dataset;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// All that is told.
#[derive(Debug, Serialize)]
struct Status {
    counts: BTreeMap<&'static str, usize>,
    /// Runs that repeat what validation will choose in searches.
    more: usize,
    runs: Vec<Standing>,
    /// Why Slurm's queue is not part of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    no_queue: Option<String>,
}

/// A run's name, and its steps where the suite tells them.
type Named = (String, Option<u64>);

pub fn status(arguments: &StatusArguments) -> Result<()> {
    let files = ListFile::all(&folder(&arguments.out));
    let (queue, no_queue) = match queue::ask(&files) {
        Ok(queue) => (queue, None),
        Err(error) => (queue::Queue::new(), Some(format!("{error:#}"))),
    };
    let lists = Lists::read(&files, queue);
    let runs = arguments.out.join("runs");
    let (named, more) = match &arguments.suite {
        Some(suite) => of_suite(&Suite::find(suite)?, &arguments.prepared, &runs)?,
        None => {
            let begun = begun(&runs);
            let names: BTreeSet<&String> = begun.iter().chain(lists.names()).collect();
            (names.into_iter().map(|name| (name.clone(), None)).collect(), 0)
        }
    };
    let runs: Vec<Standing> =
        named.iter().map(|(name, steps)| lists.standing(&runs, name, *steps)).collect();
    let count = |state| runs.iter().filter(|run| run.state == state).count();
    let counts = State::ALL.iter().map(|state| (state.key(), count(*state))).collect();
    let status = Status { counts, more, runs, no_queue };
    output::formatted(arguments.format, &status, || text(&status))
}

/// The runs of a suite on prepared data, with their steps, and how many more will repeat what validation chooses.
fn of_suite(suite: &Suite, prepared: &Path, runs: &Path) -> Result<(Vec<Named>, usize)> {
    let datasets = prepared_datasets(suite, prepared)?;
    if datasets.is_empty() {
        tracing::info!(
            "{} has none of the suite's datasets: which runs it has is known when the first `reproduce` has \
             prepared them",
            prepared.display()
        );
    }
    let rows = plan::rows(&suite.with_included()?, &datasets)?;
    let first = plan::first_jobs(&rows);
    let mut records = Vec::new();
    for job in &first {
        records.extend(job.finished(&runs.join(job.directory_name()?))?);
    }
    let whole = records.len() == first.len();
    let second = if whole { plan::second_jobs(&rows, &records)? } else { Vec::new() };
    let named = |job: &Job<'_>| {
        let steps = job.config.train.steps(job.dataset.train.rows() as u64);
        Ok((job.directory_name()?, Some(steps)))
    };
    let named = first.iter().chain(&second).map(named).collect::<Result<_>>()?;
    Ok((named, if whole { 0 } else { plan::repetitions(&rows) }))
}

/// The datasets that `reproduce` would run the suite on, as they were prepared last: raw files are not looked at.
fn prepared_datasets(suite: &Suite, prepared: &Path) -> Result<Vec<Dataset>> {
    let there = |id: &str| prepared.join(id).join("manifest.json").exists();
    let mut ids: Vec<&str> =
        suite.datasets.iter().map(String::as_str).filter(|id| there(id)).collect();
    if ids.is_empty() {
        let other = suite.newcomer.iter().chain([&suite.fallback]).map(String::as_str);
        ids.extend(other.filter(|id| there(id)).take(1));
    }
    let of_arms = suite.datasets_of_arms().filter(|id| there(id));
    for id in of_arms {
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    let open = |id: &&str| {
        let folder = prepared.join(id);
        let protocols = suite.protocols.clone().into_iter();
        protocols.map(move |protocol| data::open(&folder, Some(protocol)))
    };
    ids.iter().flat_map(open).collect()
}

/// Names of directories that hold a run.
fn begun(runs: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(runs).into_iter().flatten().flatten();
    let holds = |path: &Path| path.join(RECORD_FILE).exists() || path.join("events.jsonl").exists();
    entries
        .filter(|entry| holds(&entry.path()))
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect()
}

fn text(status: &Status) -> String {
    let counts = State::ALL.iter().map(|state| {
        let count = status.counts.get(state.key()).copied().unwrap_or_default();
        format!("{count} {}", state.word())
    });
    let mut text = counts.collect::<Vec<_>>().join(", ");
    if status.more > 0 {
        text.push_str(&format!(
            "; {} more repeat what validation chooses in searches",
            status.more
        ));
    }
    text.push('\n');
    for run in &status.runs {
        let mut facts = Vec::new();
        match (run.step, run.steps) {
            (Some(step), Some(steps)) => facts.push(format!("step {step} of {steps}")),
            (Some(step), None) => facts.push(format!("step {step}")),
            _ => {}
        }
        facts.extend(run.job.as_ref().map(|job| format!("job {job}")));
        facts.extend(run.note.clone());
        let facts =
            if facts.is_empty() { String::new() } else { format!("   {}", facts.join(", ")) };
        text.push_str(&format!("{:9} {}{facts}\n", run.state.word(), run.run));
    }
    if let Some(reason) = &status.no_queue {
        text.push_str(&format!("without Slurm's queue: {reason}\n"));
    }
    text
}
