//! From a suite to runs: which settings are tried, and which of them validation chose.

use crate::config::{self, RunConfig};
use crate::job::Job;
use crate::registry::ModelId;
use crate::regularizer::Regularizer;
use crate::suite::{Arm, Suite};
use anyhow::Result;
use ctr_core::{Dataset, Protocol, RunRecord};
use std::cmp::Reverse;

/// One row of a table to be: a model on a dataset, trained in one way or in the best of several.
pub struct Row<'d> {
    dataset: &'d Dataset,
    /// Settings to choose from on validation; one when nothing is searched.
    points: Vec<RunConfig>,
    seeds: Vec<u64>,
}

/// All rows of a suite and of those that it includes, on the datasets that are there.
///
/// An included suite runs on the datasets that it names itself; where none of them is there, on all, as it
/// would alone.
pub fn rows<'d>(suites: &[Suite], datasets: &'d [Dataset]) -> Result<Vec<Row<'d>>> {
    let mut rows = Vec::new();
    for (index, suite) in suites.iter().enumerate() {
        rows.extend(of_suite(suite, index > 0, datasets)?);
    }
    Ok(rows)
}

/// The runs to score wrong: of the suites that ask for it, those of the models that they name, chosen on
/// validation and without a regularizer.
pub fn exhibited<'d>(suites: &[Suite], datasets: &'d [Dataset]) -> Result<Vec<Job<'d>>> {
    let mut jobs: Vec<Job> = Vec::new();
    for (index, suite) in suites.iter().enumerate().filter(|(_, suite)| !suite.exhibits.is_empty())
    {
        let rows = of_suite(suite, index > 0, datasets)?;
        jobs.extend(first_jobs(&rows).into_iter().filter(|job| {
            job.dataset.protocol == Protocol::HeldOut
                && suite.exhibits.contains(&job.config.model.id())
                && job.config.regularizer == Regularizer::None
        }));
    }
    Ok(jobs)
}

fn of_suite<'d>(suite: &Suite, included: bool, datasets: &'d [Dataset]) -> Result<Vec<Row<'d>>> {
    let named = |dataset: &Dataset| suite.datasets.contains(&dataset.id);
    let all = !included || !datasets.iter().any(named);
    let mut rows = Vec::new();
    let wanted = datasets
        .iter()
        .filter(|dataset| suite.protocols.contains(&dataset.protocol))
        .filter(|dataset| all || named(dataset));
    for dataset in wanted {
        rows.extend(on_dataset(suite, dataset)?);
    }
    Ok(rows)
}

fn on_dataset<'d>(suite: &Suite, dataset: &'d Dataset) -> Result<Vec<Row<'d>>> {
    let mut rows = Vec::new();
    let of_suite = suite.datasets_of_models(&dataset.id);
    for preset in suite.presets.iter().filter(|_| of_suite) {
        for &model in &suite.models {
            let settings = suite.settings_of(model, &dataset.id);
            let config = config::resolve(model, preset, None, &settings)?;
            rows.push(Row { dataset, points: vec![config], seeds: suite.seeds.clone() });
        }
    }
    for arm in suite.arms.iter().filter(|arm| suite.runs_on(arm, &dataset.id)) {
        for &model in &arm.models {
            rows.extend(of_arm(suite, arm, model, dataset)?);
        }
    }
    Ok(rows)
}

fn of_arm<'d>(
    suite: &Suite,
    arm: &Arm,
    model: ModelId,
    dataset: &'d Dataset,
) -> Result<Vec<Row<'d>>> {
    let presets = arm.preset.as_ref().map_or(&suite.presets[..], std::slice::from_ref);
    let row = |preset: &String| {
        let points = suite.points_of(arm, model, &dataset.id);
        let points = points.iter().map(|settings| config::resolve(model, preset, None, settings));
        let seeds = arm.seeds.as_ref().unwrap_or(&suite.seeds).clone();
        Ok(Row { dataset, points: points.collect::<Result<_>>()?, seeds })
    };
    presets.iter().map(row).collect()
}

/// The runs that can begin at once: all settings of a search with the first seed, and all seeds of rows
/// without one.
pub fn first_jobs<'d>(rows: &[Row<'d>]) -> Vec<Job<'d>> {
    let of_row = |row: &Row<'d>| {
        let seeds = if row.points.len() > 1 { &row.seeds[..1] } else { &row.seeds[..] };
        let jobs = row.points.iter().flat_map(|point| row.jobs(point, seeds));
        jobs.collect::<Vec<_>>()
    };
    longest_first(rows.iter().flat_map(of_row).collect())
}

/// The other seeds of what validation chose in each search; `records` are those of [`first_jobs`].
pub fn second_jobs<'d>(rows: &[Row<'d>], records: &[RunRecord]) -> Result<Vec<Job<'d>>> {
    let mut jobs = Vec::new();
    for row in rows.iter().filter(|row| row.points.len() > 1) {
        let mut best: Option<(f64, &RunConfig)> = None;
        for point in &row.points {
            let Some(job) = row.jobs(point, &row.seeds[..1]).next() else { continue };
            let run_id = job.run_id()?;
            let record = records.iter().find(|record| record.run_id == run_id);
            // A diverged run has no value, and is not chosen while another one has.
            let value = record.and_then(|record| record.metrics.valid_gauc).unwrap_or(-1.0);
            if best.is_none_or(|(other, _)| value > other) {
                best = Some((value, point));
            }
        }
        if let Some((_, point)) = best {
            jobs.extend(row.jobs(point, row.seeds.get(1..).unwrap_or_default()));
        }
    }
    Ok(longest_first(jobs))
}

/// How many runs [`second_jobs`] will give at most, whatever is chosen.
pub fn repetitions(rows: &[Row<'_>]) -> usize {
    let searched = rows.iter().filter(|row| row.points.len() > 1);
    searched.map(|row| row.seeds.len().saturating_sub(1)).sum()
}

impl<'d> Row<'d> {
    fn jobs<'r>(
        &self,
        config: &'r RunConfig,
        seeds: &'r [u64],
    ) -> impl Iterator<Item = Job<'d>> + use<'d, 'r> {
        let dataset = self.dataset;
        seeds.iter().map(move |&seed| Job { dataset, shards: None, config: config.clone(), seed })
    }
}

/// The longest runs first, so that no core waits for one of them at the end. A run that two rows ask for is
/// done once.
fn longest_first(mut jobs: Vec<Job<'_>>) -> Vec<Job<'_>> {
    jobs.sort_by_key(|job| {
        (Reverse(job.config.model.id()), Reverse(job.dataset.train.rows()), job.seed)
    });
    let mut once: Vec<Job<'_>> = Vec::with_capacity(jobs.len());
    for job in jobs {
        let same = |other: &Job<'_>| {
            std::ptr::eq(other.dataset, job.dataset)
                && other.seed == job.seed
                && other.config == job.config
        };
        if !once.iter().any(same) {
            once.push(job);
        }
    }
    once
}
