//! `datasets`, `prep`, `simulate`, `stats`.

use crate::cli::{DatasetsArguments, PrepArguments, SimulateArguments, StatsArguments};
use crate::data;
use crate::output::{self, Format, grouped};
use anyhow::Result;
use ctr_dataset_prep::{Prepared, Statistics, catalog};
use serde_json::json;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub fn datasets(arguments: &DatasetsArguments) -> Result<()> {
    let folders = data::raw_folders(arguments.data_dir.as_deref())?;
    let mut rows = Vec::new();
    let mut text = String::new();
    for dataset in catalog()? {
        let raw = dataset.locate(&folders);
        let simulated = ctr_dataset_prep::presets().contains(&dataset.id.as_str());
        let state = match &raw {
            _ if simulated => "made by the simulator: din-repro simulate".to_string(),
            Some(folder) => format!("raw files in {}", folder.display()),
            None => "missing".into(),
        };
        text.push_str(&format!("{}  {}\n    {state}\n", dataset.id, dataset.title));
        if raw.is_none() && !simulated {
            for line in dataset.where_to_get().lines() {
                text.push_str(&format!("    {line}\n"));
            }
        }
        rows.push(json!({
            "id": dataset.id,
            "title": dataset.title,
            "simulated": simulated,
            "raw": raw,
            "where_to_get": dataset.where_to_get(),
        }));
    }
    output::formatted(arguments.format, &rows, || text)
}

pub fn prep(arguments: &PrepArguments) -> Result<()> {
    let prepared = data::make(
        &arguments.dataset,
        arguments.raw.as_deref(),
        arguments.data_dir.as_deref(),
        arguments.seed,
        arguments.protocol,
    )?;
    let expected = data::known(&arguments.dataset).map(|known| known.expected).unwrap_or_default();
    write(&prepared, arguments.out.as_deref(), arguments.format, &expected)
}

pub fn simulate(arguments: &SimulateArguments) -> Result<()> {
    let prepared =
        data::simulate(&arguments.preset, arguments.seed, arguments.scale, arguments.protocol)?;
    write(&prepared, arguments.out.as_deref(), arguments.format, &BTreeMap::new())
}

fn write(
    prepared: &Prepared,
    out: Option<&Path>,
    format: Format,
    expected: &BTreeMap<String, u64>,
) -> Result<()> {
    let manifest = prepared.manifest();
    let folder = out
        .map_or_else(|| PathBuf::from(data::PREPARED_FOLDER).join(&manifest.id), Path::to_path_buf);
    let statistics = prepared.statistics()?;
    prepared.write(&folder)?;
    for (name, found) in [
        ("users", statistics.users),
        ("goods", statistics.goods),
        ("categories", statistics.categories),
        ("samples", statistics.samples),
    ] {
        if let Some(&wanted) = expected.get(name).filter(|&&wanted| wanted != found) {
            output::message(&format!(
                "warning: {} {name}, the published {} has {}: is this another release?",
                grouped(found),
                manifest.id,
                grouped(wanted)
            ));
        }
    }
    output::message(&format!("written to {}", folder.display()));
    print(format, &statistics)
}

pub fn stats(arguments: &StatsArguments) -> Result<()> {
    let dataset = data::open(&arguments.dir, arguments.protocol)?;
    print(arguments.format, &Statistics::of(&dataset))
}

fn print(format: Format, statistics: &Statistics) -> Result<()> {
    output::formatted(format, statistics, || {
        let history = &statistics.history;
        format!(
            "| dataset | users | goods | categories | samples |\n|---|---|---|---|---|\n\
             | {}{} | {} | {} | {} | {} |\n\n\
             protocol {}: {} training rows, {} validation rows, {} test rows (positives and \
             negatives)\n\
             events a user: min {}, median {}, mean {:.2}, 95% {}, max {}\n\
             content sha256 {}",
            statistics.id,
            if statistics.simulated { " (simulated)" } else { "" },
            grouped(statistics.users),
            grouped(statistics.goods),
            grouped(statistics.categories),
            grouped(statistics.samples),
            statistics.protocol,
            grouped(statistics.train_rows),
            grouped(statistics.validation_rows),
            grouped(statistics.test_rows),
            history.min,
            history.median,
            history.mean,
            history.p95,
            history.max,
            statistics.content_sha256,
        )
    })
}
