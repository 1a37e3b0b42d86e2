//! `datasets`, `prep`, `simulate`, `stats`.

use crate::cli::{DatasetsArguments, PrepArguments, SimulateArguments, StatsArguments};
use crate::failure::Failure;
use crate::output::{self, Format, grouped};
use crate::{data, environment};
use anyhow::{Result, bail};
use ctr_core::Protocol;
use ctr_dataset_prep::{
    Check, PrepOptions, Prepared, Statistics, ads_dataset_id, ads_scale, catalog, merge_parts,
    prepare_part,
};
use serde_json::json;
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
    if let Some(scale) = ads_scale(&arguments.dataset) {
        if arguments.partition.is_some() || arguments.merge.is_some() {
            bail!("a simulation is not prepared in parts: leave --partition and --merge out");
        }
        let (seed, protocol) = (arguments.seed, arguments.protocol);
        let (out, shards) = (arguments.out.as_deref(), arguments.shards);
        return simulate_log((scale, seed, protocol), shards, out, arguments.format);
    }
    let options = PrepOptions {
        seed: arguments.seed,
        history: arguments.history,
        history_limit: arguments.history_limit,
        memory_limit: arguments.memory_limit.unwrap_or_else(environment::half_of_memory),
        ..PrepOptions::new(&arguments.dataset, Path::new(""), arguments.protocol)
    };
    if arguments.partition.is_some() {
        return prep_part(arguments, options);
    }
    let expected = data::known(&arguments.dataset).map(|known| known.expected).unwrap_or_default();
    let (out, format) = (arguments.out.as_deref(), arguments.format);
    let checks = match &arguments.merge {
        Some(parts) => {
            let folder = folder(out, &options.id);
            let merged = merge_parts(&options, parts, &folder)?;
            let checks = merged.checks(&expected);
            tell(&merged.manifest.id, &checks, &folder);
            print(format, &merged.statistics)?;
            checks
        }
        None => {
            let raw = arguments.raw.as_deref();
            let prepared = data::make(options, raw, arguments.data_dir.as_deref())?;
            let checks = prepared.checks(&expected)?;
            write(&prepared, out, arguments.shards, format, &checks)?;
            checks
        }
    };
    let wrong = checks.iter().filter(|check| !check.holds()).count();
    if arguments.strict && wrong > 0 {
        let message = format!("{wrong} of {} counts are not the published ones", checks.len());
        return Err(Failure::Expectation(message).into());
    }
    Ok(())
}

/// One part of a dataset, such as a task of an array prepares.
fn prep_part(arguments: &PrepArguments, mut options: PrepOptions) -> Result<()> {
    let (Some(partition), Some(parts)) = (arguments.partition, &arguments.out) else {
        bail!("--partition needs --out, the folder of all parts");
    };
    let raw = arguments.raw.as_deref();
    options.raw = data::raw_folder(&options.id, raw, arguments.data_dir.as_deref())?;
    let part = prepare_part(&options, partition, parts)?;
    output::formatted(arguments.format, &part, || {
        format!(
            "part {partition} of {}: {} of {} events",
            part.id,
            grouped(part.events),
            grouped(part.events_read)
        )
    })
}

pub fn simulate(arguments: &SimulateArguments) -> Result<()> {
    let (seed, scale, protocol) = (arguments.seed, arguments.scale, arguments.protocol);
    if arguments.preset == ads_dataset_id(1.0) {
        let (out, shards) = (arguments.out.as_deref(), arguments.shards);
        return simulate_log((scale, seed, protocol), shards, out, arguments.format);
    }
    let prepared = data::simulate(&arguments.preset, seed, scale, protocol)?;
    write(&prepared, arguments.out.as_deref(), arguments.shards, arguments.format, &[])
}

/// Simulates the log of ads, which is larger than memory may be: its manifest is all there is to print.
fn simulate_log(
    (scale, seed, protocol): (f64, u64, Protocol),
    shards: Option<u32>,
    out: Option<&Path>,
    format: Format,
) -> Result<()> {
    let folder = folder(out, &ads_dataset_id(scale));
    let manifest = data::simulate_log(scale, seed, protocol, shards, &folder)?;
    tracing::info!("written to {}", folder.display());
    output::formatted(format, &manifest, || {
        let mut text = format!("{} (simulated)\n", manifest.id);
        for (name, &count) in &manifest.counts {
            text.push_str(&format!("{}: {}\n", name.replace('_', " "), grouped(count)));
        }
        if let Some(ceiling) = manifest.simulation.as_ref().and_then(|it| it.ceiling) {
            text.push_str(&format!(
                "the true probabilities reach on test: gAUC {:.4}, AUC {:.4}, LogLoss {:.4}\n",
                ceiling.test_gauc, ceiling.test_auc, ceiling.test_log_loss
            ));
        }
        text + &format!("content sha256 {}", manifest.content_sha256)
    })
}

/// The folder asked for, or the dataset's own.
fn folder(out: Option<&Path>, id: &str) -> PathBuf {
    out.map_or_else(|| PathBuf::from(data::PREPARED_FOLDER).join(id), Path::to_path_buf)
}

fn write(
    prepared: &Prepared,
    out: Option<&Path>,
    shards: Option<u32>,
    format: Format,
    checks: &[Check],
) -> Result<()> {
    let manifest = prepared.manifest();
    let folder = folder(out, &manifest.id);
    let statistics = prepared.statistics()?;
    match shards {
        None => prepared.write(&folder)?,
        Some(shards) => drop(prepared.write_sharded(&folder, shards)?),
    }
    tell(&manifest.id, checks, &folder);
    print(format, &statistics)
}

/// Says where a dataset is, and how its counts compare with the published ones.
fn tell(id: &str, checks: &[Check], folder: &Path) {
    for check in checks {
        let (name, wanted) = (check.name.replace('_', " "), grouped(check.expected));
        match check.found {
            None => tracing::info!("{name}: {wanted} published, not in this form of the files"),
            Some(found) if check.holds() => {
                tracing::info!("{name}: {}, as published", grouped(found));
            }
            Some(found) => tracing::warn!(
                "{} {name}, the published {id} has {wanted}: is this another release?",
                grouped(found)
            ),
        }
    }
    tracing::info!("written to {}", folder.display());
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
