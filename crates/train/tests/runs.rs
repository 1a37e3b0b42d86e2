//! Runs repeat bit by bit: twice, on one thread or two, stopped and continued.

// Helpers outside of test functions may panic too.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use common::{MODELS, dataset, network};
use ctr_core::{CurvePoint, Dataset, Protocol, Status};
use ctr_nn::{OptimizerConfig, OptimizerKind, Schedule};
use ctr_train::{CHECKPOINT_FILE, Chosen, Observer, Outcome, RunSpec, Silent, TrainConfig, train};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

fn config(kind: OptimizerKind) -> TrainConfig {
    let learning_rate = match kind {
        OptimizerKind::Sgd => 0.5,
        OptimizerKind::Adam => 0.01,
    };
    TrainConfig {
        batch_size: 16,
        epochs: 4,
        evaluate_every_steps: 0,
        evaluations_per_epoch: 2,
        optimizer: OptimizerConfig {
            kind,
            learning_rate,
            schedule: Schedule::Step { at: vec![20], factor: 0.5 },
            clip_norm: 1.0,
        },
        ..TrainConfig::default()
    }
}

fn run_in(
    directory: &Path,
    model: &str,
    data: &Dataset,
    config: &TrainConfig,
    resume: bool,
    observer: &dyn Observer,
    stop: &AtomicBool,
) -> ctr_train::Result<Outcome> {
    let spec = RunSpec { run_id: model, config, seed: 5, directory, shared: None, resume };
    train(&spec, data, network(model, data, 5), observer, stop)
}

fn run(model: &str, data: &Dataset, config: &TrainConfig) -> (Vec<CurvePoint>, Chosen) {
    let folder = tempfile::tempdir().unwrap();
    let stop = AtomicBool::new(false);
    ended(run_in(folder.path(), model, data, config, false, &Silent, &stop).unwrap())
}

fn ended(outcome: Outcome) -> (Vec<CurvePoint>, Chosen) {
    match outcome {
        Outcome::Ended { status: Status::Finished, curve, chosen, .. } => (curve, *chosen.unwrap()),
        other => panic!("{other:?}"),
    }
}

/// Raises the flag after a given step.
struct StopAfter<'f> {
    step: u64,
    stop: &'f AtomicBool,
}

impl Observer for StopAfter<'_> {
    fn stepped(&self, step: u64, _: f64) {
        if step == self.step {
            self.stop.store(true, Ordering::Relaxed);
        }
    }
}

#[test]
fn every_model_learns_and_repeats_on_any_number_of_threads() {
    let data = dataset(Protocol::HeldOut);
    for model in MODELS {
        let first = run(model, &data, &config(OptimizerKind::Adam));
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        let alone = pool.install(|| run(model, &data, &config(OptimizerKind::Adam)));
        assert_eq!(first, alone, "{model}");
        let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
        assert_eq!(first, pool.install(|| run(model, &data, &config(OptimizerKind::Adam))));
        let (curve, chosen) = first;
        assert_eq!(curve.len(), 8, "{model}");
        // Test is scored again from the stored weights; it must be what the curve says.
        let point = curve.iter().find(|point| point.step == chosen.best.step).unwrap();
        assert_eq!(point.test_gauc, chosen.metrics.test_gauc, "{model}");
        // A good is as often positive as negative here, so without the history nothing can be learned.
        if model != "lr" {
            assert!(curve[0].train_loss > curve[7].train_loss, "{model}");
        }
    }
}

#[test]
fn a_run_stopped_anywhere_and_continued_ends_with_the_same_bits() {
    let data = dataset(Protocol::HeldOut);
    for model in MODELS {
        for kind in [OptimizerKind::Sgd, OptimizerKind::Adam] {
            let config = config(kind);
            let whole = run(model, &data, &config);
            // Before the first evaluation, at an epoch's end, in the middle.
            for steps in [vec![1], vec![20, 33]] {
                let folder = tempfile::tempdir().unwrap();
                for &step in &steps {
                    let stop = AtomicBool::new(false);
                    let observer = StopAfter { step, stop: &stop };
                    let outcome =
                        run_in(folder.path(), model, &data, &config, true, &observer, &stop)
                            .unwrap();
                    assert_eq!(outcome, Outcome::Interrupted { step }, "{model}");
                }
                let stop = AtomicBool::new(false);
                let rest = run_in(folder.path(), model, &data, &config, true, &Silent, &stop);
                assert_eq!(ended(rest.unwrap()), whole, "{model} {kind:?} stopped at {steps:?}");
            }
        }
    }
}

#[test]
fn a_run_stopped_within_an_evaluation_makes_up_for_it() {
    let data = dataset(Protocol::HeldOut);
    let config = config(OptimizerKind::Adam);
    let whole = run("din", &data, &config);
    // Steps after which there is an evaluation: in the middle, and the last of all.
    for step in [whole.0[2].step, whole.0[7].step] {
        let folder = tempfile::tempdir().unwrap();
        let stop = AtomicBool::new(false);
        let observer = StopAfter { step, stop: &stop };
        let outcome = run_in(folder.path(), "din", &data, &config, true, &observer, &stop).unwrap();
        assert_eq!(outcome, Outcome::Interrupted { step });
        let events = || std::fs::read_to_string(folder.path().join("events.jsonl")).unwrap();
        let evaluated = |step: u64| {
            let evaluations = events().lines().filter(|line| line.contains("evaluated")).count();
            whole.0[..evaluations].last().is_some_and(|point| point.step >= step)
        };
        assert!(!evaluated(step), "the evaluation was not left");
        let stop = AtomicBool::new(false);
        let rest = run_in(folder.path(), "din", &data, &config, true, &Silent, &stop);
        assert_eq!(ended(rest.unwrap()), whole);
        assert!(evaluated(step));
    }
    // Begun anew and killed before its first checkpoint, a run does not go on from the old one.
    let folder = tempfile::tempdir().unwrap();
    let go = |step, resume| {
        let stop = AtomicBool::new(false);
        let observer = StopAfter { step, stop: &stop };
        run_in(folder.path(), "din", &data, &config, resume, &observer, &stop).unwrap();
    };
    go(30, false);
    let mut never = TrainConfig { evaluations_per_epoch: 0, ..config.clone() };
    never.max_steps = 3;
    let checkpoint = folder.path().join(CHECKPOINT_FILE);
    assert!(checkpoint.exists());
    let stop = AtomicBool::new(false);
    struct Look<'c>(&'c Path);
    impl Observer for Look<'_> {
        fn stepped(&self, _: u64, _: f64) {
            assert!(!self.0.exists(), "the old checkpoint is still there");
        }
    }
    run_in(folder.path(), "din", &data, &never, false, &Look(&checkpoint), &stop).unwrap();
}

#[test]
fn a_crash_between_two_checkpoints_costs_only_time() {
    // The files of a killed process: events and model newer than the checkpoint.
    let data = dataset(Protocol::HeldOut);
    let config = config(OptimizerKind::Adam);
    let whole = run("din", &data, &config);
    let folder = tempfile::tempdir().unwrap();
    let stop_at = |step| {
        let stop = AtomicBool::new(false);
        let observer = StopAfter { step, stop: &stop };
        run_in(folder.path(), "din", &data, &config, true, &observer, &stop).unwrap()
    };
    stop_at(12);
    let old = std::fs::read(folder.path().join(CHECKPOINT_FILE)).unwrap();
    stop_at(50);
    std::fs::write(folder.path().join(CHECKPOINT_FILE), old).unwrap();
    let stop = AtomicBool::new(false);
    let rest = run_in(folder.path(), "din", &data, &config, true, &Silent, &stop).unwrap();
    assert_eq!(ended(rest), whole);
}

#[test]
fn a_foreign_or_broken_checkpoint_is_refused() {
    let data = dataset(Protocol::HeldOut);
    let folder = tempfile::tempdir().unwrap();
    let stop = AtomicBool::new(true);
    let adam = config(OptimizerKind::Adam);
    run_in(folder.path(), "pnn", &data, &adam, false, &Silent, &stop).unwrap();
    let refused = run_in(folder.path(), "din", &data, &adam, true, &Silent, &stop).unwrap_err();
    assert!(refused.to_string().contains("it belongs to run pnn"), "{refused}");
    std::fs::write(folder.path().join(CHECKPOINT_FILE), b"half a file").unwrap();
    let refused = run_in(folder.path(), "pnn", &data, &adam, true, &Silent, &stop).unwrap_err();
    assert!(refused.to_string().contains("not a valid safetensors file"), "{refused}");
}

#[test]
fn the_choice_follows_the_protocol() {
    let data = dataset(Protocol::HeldOut);
    let (curve, chosen) = run("base_model", &data, &config(OptimizerKind::Adam));
    let best = curve.iter().filter_map(|point| point.valid_gauc).fold(0.0, f64::max);
    assert_eq!(chosen.metrics.valid_gauc, Some(best));

    let data = dataset(Protocol::Authors);
    let (curve, chosen) = run("base_model", &data, &config(OptimizerKind::Adam));
    let best = curve.iter().filter_map(|point| point.test_gauc).fold(0.0, f64::max);
    assert!(curve.iter().all(|point| point.valid_gauc.is_none()));
    assert_eq!(chosen.metrics.test_gauc, Some(best));
    assert_eq!(chosen.metrics.peak_test_gauc, Some(best));
}

#[test]
fn patience_ends_a_run_early_and_max_steps_ends_it_anywhere() {
    let data = dataset(Protocol::HeldOut);
    let patient = TrainConfig { epochs: 40, patience: 3, ..config(OptimizerKind::Adam) };
    let (curve, chosen) = run("pnn", &data, &patient);
    assert!(curve.len() < 80);
    let after = curve.iter().filter(|point| point.step > chosen.best.step).count();
    assert_eq!(after, 3);

    let short = TrainConfig { max_steps: 7, ..config(OptimizerKind::Adam) };
    let (curve, _) = run("pnn", &data, &short);
    assert_eq!(curve.last().unwrap().step, 7);
}

#[test]
fn a_loss_that_overflows_is_recorded_as_diverged_and_gives_no_number() {
    let data = dataset(Protocol::HeldOut);
    let mut config = config(OptimizerKind::Sgd);
    config.optimizer.learning_rate = 1e38;
    config.optimizer.clip_norm = 0.0;
    let folder = tempfile::tempdir().unwrap();
    let stop = AtomicBool::new(false);
    let outcome = run_in(folder.path(), "din", &data, &config, false, &Silent, &stop).unwrap();
    match outcome {
        Outcome::Ended { status, chosen, .. } => {
            assert_eq!(status, Status::Diverged);
            assert!(chosen.is_none());
        }
        other => panic!("{other:?}"),
    }
}
