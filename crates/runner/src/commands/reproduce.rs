//! `reproduce` and `report`.

use crate::cli::{Launcher, ReportArguments, ReproduceArguments, ReproduceCommand};
use crate::data::Places;
use crate::failure::is_interruption;
use crate::job::Job;
use crate::launch::{self, Sent};
use crate::plan::Row;
use crate::progress::Progress;
use crate::regularizer::Regularizer;
use crate::suite::Suite;
use crate::{
    background, config, data, environment, exhibits, expected, fetch, grid, output, plan, visualize,
};
use anyhow::{Context, Result, bail};
use ctr_core::{Dataset, FileLock, Protocol, RunRecord, remove_half_written};
use ctr_report::{Background, ReportOptions, ReportSummary};
use ctr_train::CHECKPOINT_FILE;
use std::path::{Path, PathBuf};

pub fn reproduce(arguments: &ReproduceArguments, quiet: bool) -> Result<()> {
    if let Some(ReproduceCommand::Status(arguments)) = &arguments.instead {
        return launch::status(arguments);
    }
    if let Some(list) = &arguments.launch.list {
        return launch::task(list, arguments, quiet);
    }
    let suite = Suite::find(&arguments.suite)?;
    let progress = Progress::new(quiet);
    tracing::info!("suite {}: {}", arguments.suite, suite.description);
    let runs = arguments.out.join("runs");
    if arguments.dry_run {
        return dry_run(&suite, arguments, &runs, progress);
    }
    // A folder that cannot be written should be known before hours of training.
    std::fs::create_dir_all(&runs)
        .with_context(|| format!("cannot make the folder {}", runs.display()))?;
    let datasets = datasets(&suite, arguments, progress)?;
    let suites = suite.with_included()?;
    let rows = plan::rows(&suites, &datasets)?;
    let workers = arguments.jobs.unwrap_or_else(environment::cores).max(1);
    let jobs = plan::first_jobs(&rows);
    if let Sent::Away = launched(&rows, &jobs, &runs, &datasets, arguments)? {
        return Ok(());
    }
    tracing::info!("{} runs, {workers} at a time", jobs.len());
    let total = progress.grid(jobs.len() + plan::repetitions(&rows), workers);
    let records = grid::run_all(&jobs, &runs, workers, &progress, &total)?;
    let chosen = plan::second_jobs(&rows, &records)?;
    total.set_all(jobs.len() + chosen.len());
    if !chosen.is_empty() {
        tracing::info!("{} runs with what validation chose", chosen.len());
        grid::run_all(&chosen, &runs, workers, &progress, &total)?;
    }
    let ended = total.end();
    let exhibited = plan::exhibited(&suites, &datasets)?;
    if !exhibited.is_empty() {
        let written = exhibits::write_all(&exhibited, &runs, workers)?;
        tracing::info!("{written} runs scored in wrong ways on purpose, for the exhibits");
    }
    let _lock = lock_report(&arguments.out)?;
    visualize::write_histograms(&datasets, &arguments.out)?;
    look_into(&jobs, &runs, arguments)?;
    let summary = write_report(&runs, &arguments.out)?;
    tracing::info!("{ended}; the report is {}", arguments.out.join("index.html").display());
    if arguments.check_claims { expected::check(&suite, &summary.verdicts) } else { Ok(()) }
}

/// Hands the runs that are to do to the launcher; [`Sent::Nothing`] when the rest is to be done here.
fn launched<'d>(
    rows: &[Row<'d>],
    jobs: &[Job<'d>],
    runs: &Path,
    datasets: &[Dataset],
    arguments: &ReproduceArguments,
) -> Result<Sent> {
    let open = || launch::open_runs(rows, jobs, runs);
    let sent = match arguments.launch.launcher {
        Launcher::Local => Sent::Nothing,
        Launcher::Slurm => launch::send(&open()?, arguments)?,
        Launcher::Kubernetes => {
            launch::print_manifest(&open()?, arguments)?;
            Sent::Away
        }
    };
    if let Sent::Stuck(reason) = &sent {
        // What is finished is worth a report.
        let _lock = lock_report(&arguments.out)?;
        visualize::write_histograms(datasets, &arguments.out)?;
        if let Err(error) = write_report(runs, &arguments.out) {
            tracing::warn!("no report of the runs that are finished: {error:#}");
        }
        bail!("{reason}");
    }
    Ok(sent)
}

/// Figures 5 and 6 of one finished run of DIN a dataset.
fn look_into(jobs: &[Job<'_>], runs: &Path, arguments: &ReproduceArguments) -> Result<()> {
    // Without a regularizer before with one, honest choices before the best of the test set, then the first seed.
    let mut of_din: Vec<&Job<'_>> = jobs.iter().filter(|job| job.is_plain_din()).collect();
    of_din.sort_by_key(|job| {
        let regularized = job.config.regularizer != Regularizer::None;
        (regularized, job.dataset.protocol == Protocol::Authors, job.seed)
    });
    let mut places: Vec<(PathBuf, &Job<'_>)> = Vec::new();
    for job in of_din {
        if places.iter().all(|(_, other)| other.dataset.id != job.dataset.id) {
            places.push((runs.join(job.directory_name()?), job));
        }
    }
    for (directory, job) in places {
        let folder = arguments.prepared.join(&job.dataset.id);
        visualize::write_both(&directory, job.dataset, &folder, &arguments.out)?;
    }
    Ok(())
}

/// The suite's datasets that are there, under each of its protocols. When none is, that for newcomers,
/// which comes by pip; else the fallback simulation.
fn datasets(
    suite: &Suite,
    arguments: &ReproduceArguments,
    progress: Progress,
) -> Result<Vec<Dataset>> {
    let places = Places {
        raw: arguments.data_dir.as_deref(),
        prepared: &arguments.prepared,
        dry_run: arguments.dry_run,
    };
    let provide = |id: &str| data::provide(id, places, &suite.protocols);
    let mut found = Vec::new();
    let mut provided = false;
    for id in &suite.datasets {
        match provide(id)? {
            Some(datasets) => {
                provided = true;
                found.extend(datasets);
            }
            None => tracing::info!(
                "{id}: no raw files, left out (`din-repro datasets` says where to get them)"
            ),
        }
    }
    if let (false, Some(id)) = (provided, &suite.newcomer)
        && let Some(datasets) = newcomer(id, provide, !arguments.dry_run, progress)?
    {
        provided = true;
        found.extend(datasets);
    }
    if !provided {
        if !suite.datasets.is_empty() {
            tracing::info!(
                "no real data is there: running on {}, which is SIMULATED; give DATA_DIR or place files \
                 in {}",
                suite.fallback,
                data::RAW_FOLDER
            );
        }
        found.extend(provide(&suite.fallback)?.into_iter().flatten());
    }
    for id in suite.datasets_of_arms().filter(|id| !suite.datasets.iter().any(|own| own == id)) {
        found.extend(provide(id)?.into_iter().flatten());
    }
    Ok(found)
}

/// The dataset for newcomers, fetched when it is not there. None, with the reason told, when it cannot be
/// had: no pip, no network.
fn newcomer(
    id: &str,
    provide: impl Fn(&str) -> Result<Option<Vec<Dataset>>>,
    fetch: bool,
    progress: Progress,
) -> Result<Option<Vec<Dataset>>> {
    if let Some(datasets) = provide(id)? {
        return Ok(Some(datasets));
    }
    if !fetch {
        tracing::info!(
            "no data is there yet: {id} would be fetched first; its runs are not listed"
        );
        return Ok(Some(Vec::new()));
    }
    let dataset = data::known(id)?;
    let folder = Path::new(data::RAW_FOLDER).join(&dataset.folder);
    tracing::info!("no data is there yet: getting {id}, which is small");
    if let Err(error) = fetch::fetch(&dataset, &folder, &progress) {
        if is_interruption(&error) {
            return Err(error);
        }
        tracing::info!("{id} could not be had: {error:#}");
        return Ok(None);
    }
    provide(id)
}

/// Says which runs there are to be and which of them are finished; writes nothing.
fn dry_run(
    suite: &Suite,
    arguments: &ReproduceArguments,
    runs: &Path,
    progress: Progress,
) -> Result<()> {
    let datasets = datasets(suite, arguments, progress)?;
    let rows = plan::rows(&suite.with_included()?, &datasets)?;
    let jobs = plan::first_jobs(&rows);
    let open = || launch::open_runs(&rows, &jobs, runs);
    if arguments.launch.launcher == Launcher::Kubernetes {
        return output::result(&launch::manifest(&open()?, arguments)?);
    }
    let mut listed = Listed::default();
    let records = listed.add(&jobs, runs)?;
    let mut more = 0;
    if records.len() == jobs.len() {
        listed.add(&plan::second_jobs(&rows, &records)?, runs)?;
    } else {
        more = plan::repetitions(&rows);
    }
    let [finished, begun, fresh] = listed.counts;
    let mut text = listed.text;
    text.push_str(&format!("{finished} runs are finished, {begun} begun and {fresh} to do"));
    if more > 0 {
        text.push_str(&format!("; {more} more repeat what validation chooses in searches"));
    }
    if arguments.launch.launcher == Launcher::Slurm {
        text.push_str(&format!("\n\n{}", launch::preview(&open()?, arguments)?));
    }
    output::result(&text)
}

/// Runs and how far they are.
#[derive(Default)]
struct Listed {
    text: String,
    /// Finished, begun, to do.
    counts: [usize; 3],
}

impl Listed {
    /// Adds runs, and gives the records of those that are finished.
    fn add(&mut self, jobs: &[Job<'_>], runs: &Path) -> Result<Vec<RunRecord>> {
        let mut records = Vec::new();
        for job in jobs {
            let name = job.directory_name()?;
            let directory = runs.join(&name);
            let record = job.finished(&directory)?;
            let (state, word) = match &record {
                Some(_) => (0, "finished"),
                None if directory.join(CHECKPOINT_FILE).exists() => (1, "begun"),
                None => (2, "to do"),
            };
            self.counts[state] += 1;
            self.text.push_str(&format!("{word:9} {name}\n"));
            records.extend(record);
        }
        Ok(records)
    }
}

pub fn report(arguments: &ReportArguments) -> Result<()> {
    let _lock = lock_report(&arguments.out)?;
    write_report(&arguments.runs, &arguments.out).map(|_| ())
}

/// The right to write into a folder of reports, which is made if need be and swept of what a killed process left; none
/// where the file system has no locks.
pub fn lock_report(out: &Path) -> Result<Option<FileLock>> {
    std::fs::create_dir_all(out)
        .with_context(|| format!("cannot make the folder {}", out.display()))?;
    let lock = FileLock::wait_for_folder(out, || {
        tracing::info!("another process writes the report; waiting for it");
    });
    if lock.is_some() {
        remove_half_written(out);
    }
    Ok(lock)
}

/// Writes the report of all runs, for who has [`lock_report`]. Of two processes the later one sees all of them, and its report is the one that stays.
fn write_report(runs: &Path, out: &Path) -> Result<ReportSummary> {
    let options = ReportOptions { runs: runs.to_path_buf(), out: out.to_path_buf() };
    let background =
        Background { scores: Some(&background::test_scores), defaults: Some(&config::default_of) };
    let summary = ctr_report::write_report(&options, &background)?;
    for warning in &summary.warnings {
        tracing::warn!("{warning}");
    }
    output::result(&format!(
        "{}\n{} runs on {}; the report is {}",
        summary.tables_markdown,
        summary.runs,
        summary.datasets.join(", "),
        out.join("index.html").display()
    ))?;
    Ok(summary)
}
