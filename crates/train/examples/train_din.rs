//! DIN on the smallest simulation, by the libraries alone: `cargo run --release -p ctr-train --example train_din`.
#![allow(clippy::print_stdout)]

use ctr_core::{Protocol, SeedStreams};
use ctr_dataset_prep::{SimulateOptions, simulate};
use ctr_din::{Din, DinConfig};
use ctr_nn::{OptimizerConfig, OptimizerKind, Schedule};
use ctr_train::{Outcome, RunSpec, Silent, TrainConfig, train};
use std::{error::Error, sync::atomic::AtomicBool};

/// Test gAUC of the evaluation with the best one on validation.
pub fn gauc_of_din() -> Result<f64, Box<dyn Error>> {
    let protocol = Protocol::HeldOut;
    let options = SimulateOptions { preset: "tiny".into(), seed: 1234, scale: 1.0, protocol };
    let dataset = simulate(&options)?.dataset(protocol)?;
    let network = Din::network(&dataset.schema, &DinConfig::default(), SeedStreams::new(1))?;
    let (kind, schedule) = (OptimizerKind::Adam, Schedule::Constant);
    let optimizer = OptimizerConfig { kind, learning_rate: 0.003, schedule, clip_norm: 5.0 };
    let config =
        TrainConfig { epochs: 3, evaluations_per_epoch: 2, optimizer, ..TrainConfig::default() };
    let folder = tempfile::tempdir()?;
    let directory = folder.path();
    let spec = RunSpec {
        run_id: "example",
        config: &config,
        seed: 1,
        directory,
        shared: None,
        resume: false,
    };
    match train(&spec, &dataset, network, &Silent, &AtomicBool::new(false))? {
        Outcome::Ended { chosen: Some(run), .. } => run.metrics.test_gauc,
        _ => None,
    }
    .ok_or_else(|| "the loss diverged".into())
}

#[allow(dead_code)] // the test that includes this file calls the function
fn main() -> Result<(), Box<dyn Error>> {
    println!("test gAUC {:.4}", gauc_of_din()?);
    Ok(())
}
