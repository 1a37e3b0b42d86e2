//! `reproduce` and `report`.

use crate::cli::{ReportArguments, ReproduceArguments};
use crate::progress::Progress;
use crate::suite::Suite;
use crate::{background, config, data, environment, exhibits, expected, fetch, grid, output, plan};
use anyhow::{Context, Result};
use ctr_core::Dataset;
use ctr_report::{Background, ReportOptions, ReportSummary};
use std::path::Path;
use std::time::Instant;

pub fn reproduce(arguments: &ReproduceArguments, quiet: bool) -> Result<()> {
    let begun = Instant::now();
    let suite = Suite::find(&arguments.suite)?;
    let progress = Progress::new(quiet);
    progress.line(&format!("suite {}: {}", arguments.suite, suite.description));
    let runs = arguments.out.join("runs");
    // A folder that cannot be written should be known before hours of training.
    std::fs::create_dir_all(&runs)
        .with_context(|| format!("cannot make the folder {}", runs.display()))?;
    let datasets = datasets(&suite, arguments, &progress)?;
    let suites = suite.with_included()?;
    let rows = plan::rows(&suites, &datasets)?;
    let workers = arguments.jobs.unwrap_or_else(environment::cores).max(1);
    let jobs = plan::first_jobs(&rows);
    progress.line(&format!("{} runs, {workers} at a time", jobs.len()));
    let mut records = grid::run_all(&jobs, &runs, workers, &progress)?;
    let chosen = plan::second_jobs(&rows, &records)?;
    if !chosen.is_empty() {
        progress.line(&format!("{} runs with what validation chose", chosen.len()));
        records.extend(grid::run_all(&chosen, &runs, workers, &progress)?);
    }
    let exhibited = plan::exhibited(&suites, &datasets)?;
    if !exhibited.is_empty() {
        let written = exhibits::write_all(&exhibited, &runs, workers)?;
        progress.line(&format!("{written} runs scored in wrong ways on purpose, for the exhibits"));
    }
    let summary = write_report(&runs, &arguments.out, &progress)?;
    progress.line(&format!("{} runs in {:.0} s", records.len(), begun.elapsed().as_secs_f64()));
    if arguments.check_claims {
        expected::check(&suite, &summary.verdicts, &progress)
    } else {
        Ok(())
    }
}

/// The suite's datasets that are there, under each of its protocols. When none is, that for newcomers,
/// which comes by pip; else the fallback simulation.
fn datasets(
    suite: &Suite,
    arguments: &ReproduceArguments,
    progress: &Progress,
) -> Result<Vec<Dataset>> {
    let data_dir = arguments.data_dir.as_deref();
    let provide = |id: &str| data::provide(id, data_dir, &arguments.prepared, &suite.protocols);
    let mut found = Vec::new();
    for id in &suite.datasets {
        match provide(id)? {
            Some(datasets) => found.extend(datasets),
            None => progress.line(&format!(
                "{id}: no raw files, left out (`din-repro datasets` says where to get them)"
            )),
        }
    }
    if let (true, Some(id)) = (found.is_empty(), &suite.newcomer) {
        found.extend(newcomer(id, provide, progress)?.into_iter().flatten());
    }
    if found.is_empty() {
        if !suite.datasets.is_empty() {
            progress.line(&format!(
                "no real data is there: running on {}, which is SIMULATED; give DATA_DIR or place files \
                 in {}",
                suite.fallback,
                data::RAW_FOLDER
            ));
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
    progress: &Progress,
) -> Result<Option<Vec<Dataset>>> {
    if let Some(datasets) = provide(id)? {
        return Ok(Some(datasets));
    }
    let dataset = data::known(id)?;
    let folder = Path::new(data::RAW_FOLDER).join(&dataset.folder);
    progress.line(&format!("no data is there yet: getting {id}, which is small"));
    if let Err(error) = fetch::fetch(&dataset, &folder, progress) {
        progress.line(&format!("{id} could not be had: {error:#}"));
        return Ok(None);
    }
    provide(id)
}

pub fn report(arguments: &ReportArguments, quiet: bool) -> Result<()> {
    write_report(&arguments.runs, &arguments.out, &Progress::new(quiet)).map(|_| ())
}

fn write_report(runs: &Path, out: &Path, progress: &Progress) -> Result<ReportSummary> {
    let options = ReportOptions { runs: runs.to_path_buf(), out: out.to_path_buf() };
    let background =
        Background { scores: Some(&background::test_scores), defaults: Some(&config::default_of) };
    let summary = ctr_report::write_report(&options, &background)?;
    for warning in &summary.warnings {
        progress.line(&format!("warning: {warning}"));
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
