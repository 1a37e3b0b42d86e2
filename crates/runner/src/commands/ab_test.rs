//! `ab-test`.

use super::pool;
use super::reproduce::lock_report;
use crate::cli::AbTestArguments;
use crate::serving::{Arm, Serving, check_schema};
use crate::{data, job, output};
use anyhow::{Context, Result, bail};
use ctr_core::{AB_TEST_SCHEMA_VERSION, AbArm, AbTestRecord, Dataset, SeedStreams, write_atomic};
use ctr_dataset_prep::{AdWorld, ads_scale, read_manifest};
use ctr_nn::Network;
use std::path::Path;

pub fn ab_test(arguments: &AbTestArguments) -> Result<()> {
    let (first, _) = job::read_run(&arguments.a)?;
    let folder = arguments
        .data
        .clone()
        .unwrap_or_else(|| Path::new(data::PREPARED_FOLDER).join(&first.dataset.id));
    let dataset = data::open(&folder, Some(first.protocol))?;
    let Some(scale) = ads_scale(&dataset.id) else {
        bail!(
            "{} is not a simulated log of ads: nobody knows what its users would click; make one with \
             `din-repro simulate alibaba-sim`",
            dataset.id
        );
    };
    let world = AdWorld::new(scale, read_manifest(&folder)?.seed)?;
    let (model_a, mut a) = arm("A", &arguments.a, &dataset, &world)?;
    let (model_b, mut b) = arm("B", &arguments.b, &dataset, &world)?;
    let serving = Serving {
        world: &world,
        seeds: SeedStreams::new(arguments.seed),
        requests: arguments.requests,
        candidates: arguments.candidates,
    };
    tracing::info!("measuring the time of single requests");
    a.latency = Some(serving.latency(&model_a)?);
    b.latency = Some(serving.latency(&model_b)?);
    let truth =
        AbArm { name: "truth".into(), model: None, run_id: None, days: Vec::new(), latency: None };
    let mut arms = [a, b, truth];
    let rankings = [Arm::Model(&model_a), Arm::Model(&model_b), Arm::Truth];
    let threads = pool(arguments.threads)?;
    for day in 0..arguments.days {
        let served = threads.install(|| serving.day(day, &rankings))?;
        for (arm, day) in arms.iter_mut().zip(served) {
            arm.days.push(day);
        }
        tracing::info!("day {} of {} served", day + 1, arguments.days);
    }
    let record = AbTestRecord {
        schema_version: AB_TEST_SCHEMA_VERSION,
        dataset: dataset.id.clone(),
        content_sha256: dataset.content_sha256.clone(),
        seed: arguments.seed,
        requests: arguments.requests,
        candidates: arguments.candidates,
        arms: arms.into(),
    };
    let folder = arguments.out.parent().filter(|folder| !folder.as_os_str().is_empty());
    let _lock = lock_report(folder.unwrap_or(Path::new(".")))?;
    let text = serde_json::to_string_pretty(&record)? + "\n";
    write_atomic(&arguments.out, text.as_bytes())?;
    tracing::info!("written to {}", arguments.out.display());
    output::formatted(arguments.format, &record, || ctr_report::ab_test_markdown(&record))
}

/// A run's network and its arm, with nothing served yet.
fn arm(
    name: &str,
    directory: &Path,
    dataset: &Dataset,
    world: &AdWorld,
) -> Result<(Network, AbArm)> {
    let (record, config) = job::read_run(directory)?;
    if record.dataset.content_sha256 != dataset.content_sha256 {
        bail!(
            "{} was trained on {} with content {}, which is not {}: name its data by --data, and take two \
             runs on the same",
            directory.display(),
            record.dataset.id,
            record.dataset.content_sha256,
            dataset.content_sha256
        );
    }
    let features = config.regularizer.features(dataset)?;
    check_schema(world, &features.schema).with_context(|| format!("{}", directory.display()))?;
    if matches!(features, std::borrow::Cow::Owned(_)) {
        bail!("{} has filtered ids, which only its training data knows", directory.display());
    }
    let network = job::stored_network(directory, &config, &features.schema, &record)?;
    let arm = AbArm {
        name: name.into(),
        model: Some(format!("{}, regularizer {}", record.model.id, config.regularizer)),
        run_id: Some(record.run_id),
        days: Vec::new(),
        latency: None,
    };
    Ok((network, arm))
}
