//! Several ranks compute what one process computes, bit by bit, and a lost rank loses no work.

// Helpers outside of test functions may panic too.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;
#[path = "common/shards.rs"]
mod shards;

use common::{MODELS, dataset, network};
use ctr_core::{CurvePoint, Dataset, Protocol, SeedStreams, Status};
use ctr_nn::{
    Communicator, FeatureDropout, Network, OptimizerConfig, OptimizerKind, Partition, Penalty,
    PenaltyNorm, RowPenalties, Schedule, ThreadRanks,
};
use ctr_train::{
    CHECKPOINT_FILE, Chosen, Error, Observer, Outcome, RunSpec, Silent, TrainConfig,
    count_occurrences, kept_step, train, train_streamed,
};
use shards::{Fate, Shards};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

fn config(kind: OptimizerKind, batch_size: usize) -> TrainConfig {
    let (learning_rate, clip_norm) = match kind {
        OptimizerKind::Sgd => (0.5, 1.0),
        OptimizerKind::Adam => (0.01, 0.0),
    };
    let schedule = Schedule::Step { at: vec![20], factor: 0.5 };
    TrainConfig {
        batch_size,
        epochs: 2,
        evaluate_every_steps: 0,
        evaluations_per_epoch: 1,
        evaluation_batch_size: 7,
        optimizer: OptimizerConfig { kind, learning_rate, schedule, clip_norm },
        ..TrainConfig::default()
    }
}

/// A network with everything that touches tables.
fn regularized(model: &str, data: &Dataset) -> Network {
    let mut network = network(model, data, 5);
    let counts = count_occurrences(data, &network.weights, None).unwrap();
    let penalty = Penalty::MiniBatchAware { lambda: 0.01, norm: PenaltyNorm::L2 };
    network.penalties =
        RowPenalties::new(&network.weights, penalty, |_| true, counts.counts()).unwrap();
    let dropout = FeatureDropout::new(&network.weights, 0.2, SeedStreams::new(5), |_| true);
    network.dropout = Some(dropout.unwrap());
    network
}

/// Whether every rank has all rows or some.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Tables {
    Whole,
    Spread,
}

/// Where training rows are; in shards, what each rank reads them from.
#[derive(Clone, Copy, Debug)]
enum Rows<'s> {
    InMemory,
    InShards(&'s [Arc<Shards>]),
}

/// Told the rank, its communicator, the step and its flag to stop, after every step.
type Watcher<'w> = &'w (dyn Fn(usize, &Arc<ThreadRanks>, u64, &AtomicBool) + Sync);

type Built<'b> = &'b (dyn Fn() -> Network + Sync);

/// One run on so many ranks, each a thread with a folder of its own; the outcomes in the order of ranks.
fn run_on(
    folders: &[PathBuf],
    data: &Dataset,
    config: &TrainConfig,
    build: Built<'_>,
    tables: Tables,
    rows: Rows<'_>,
    observer: Watcher<'_>,
) -> Vec<ctr_train::Result<Outcome>> {
    struct Watch<'w>(&'w (dyn Fn(u64) + Sync));
    impl Observer for Watch<'_> {
        fn stepped(&self, step: u64, _: f64) {
            self.0(step);
        }
    }
    std::thread::scope(|scope| {
        let ranks = ThreadRanks::group(folders.len());
        let threads: Vec<_> = ranks
            .into_iter()
            .zip(folders)
            .enumerate()
            .map(|(rank, (communicator, folder))| {
                scope.spawn(move || {
                    let communicator = Arc::new(communicator);
                    let mut network = match tables {
                        Tables::Whole => build(),
                        Tables::Spread => Partition::build(rank, communicator.size(), build),
                    };
                    network.ranks = communicator.clone();
                    let stop = AtomicBool::new(false);
                    let step = |step| observer(rank, &communicator, step, &stop);
                    let shared = (rank > 0).then_some(folders[0].as_path());
                    let spec = RunSpec {
                        run_id: "run",
                        config,
                        seed: 5,
                        directory: folder,
                        shared,
                        resume: true,
                    };
                    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
                    let watch = Watch(&step);
                    let ended = pool.install(|| match rows {
                        Rows::InMemory => train(&spec, data, network, &watch, &stop),
                        Rows::InShards(shards) => {
                            let shards = shards[rank].clone();
                            train_streamed(&spec, data, shards, network, &watch, &stop)
                        }
                    });
                    if ended.is_err() {
                        communicator.leave();
                    }
                    ended
                })
            })
            .collect();
        // A rank that was killed gives nothing.
        let nothing = |_| Err(Error::Interrupted);
        threads.into_iter().map(|thread| thread.join().unwrap_or_else(nothing)).collect()
    })
}

fn folders(count: usize) -> (tempfile::TempDir, Vec<PathBuf>) {
    let folder = tempfile::tempdir().unwrap();
    let all: Vec<PathBuf> = (0..count).map(|rank| folder.path().join(rank.to_string())).collect();
    // As the runner does, for its lock.
    all.iter().for_each(|folder| std::fs::create_dir_all(folder.join("checkpoint")).unwrap());
    (folder, all)
}

fn alone(data: &Dataset, config: &TrainConfig, build: Built<'_>) -> (Vec<CurvePoint>, Chosen) {
    let (_folder, all) = folders(1);
    let spec =
        RunSpec { run_id: "run", config, seed: 5, directory: &all[0], shared: None, resume: false };
    ended(train(&spec, data, build(), &Silent, &AtomicBool::new(false)).unwrap())
}

fn ended(outcome: Outcome) -> (Vec<CurvePoint>, Chosen) {
    match outcome {
        Outcome::Ended { status: Status::Finished, curve, chosen, .. } => (curve, *chosen.unwrap()),
        other => panic!("{other:?}"),
    }
}

/// Copies what a run goes on from.
fn hand_out(from: &Path, to: &Path) {
    for name in [CHECKPOINT_FILE, "losses.f64", "model.safetensors"] {
        let target = to.join(name);
        std::fs::create_dir_all(target.parent().unwrap()).unwrap();
        if from.join(name).exists() {
            std::fs::copy(from.join(name), target).unwrap();
        }
    }
}

#[test]
fn every_model_has_the_bits_of_one_process_on_one_two_and_three_ranks() {
    let data = dataset(Protocol::HeldOut);
    for model in MODELS {
        for (kind, batch_size) in
            [(OptimizerKind::Adam, 16), (OptimizerKind::Sgd, 40), (OptimizerKind::Adam, 300)]
        {
            let (config, build) = (config(kind, batch_size), || regularized(model, &data));
            let expected = alone(&data, &config, &build);
            let mut forms: Vec<(usize, Tables)> =
                (1..=3).flat_map(|size| [(size, Tables::Whole), (size, Tables::Spread)]).collect();
            if model == "din" {
                // More ranks than lanes, and than rows of the smaller table.
                forms.extend([(8, Tables::Whole), (8, Tables::Spread)]);
            }
            for (size, tables) in forms {
                let (_folder, all) = folders(size);
                for outcome in
                    run_on(&all, &data, &config, &build, tables, Rows::InMemory, &|_, _, _, _| ())
                {
                    let got = ended(outcome.unwrap());
                    assert_eq!(
                        got, expected,
                        "{model}, batches of {batch_size}, {size} ranks, {tables:?}"
                    );
                }
            }
        }
    }
}

#[test]
fn ranks_stop_together_and_go_on_in_another_number() {
    let data = dataset(Protocol::HeldOut);
    for (model, tables) in
        [("din", Tables::Whole), ("din_dice", Tables::Spread), ("pnn", Tables::Spread)]
    {
        let (config, build) = (config(OptimizerKind::Adam, 40), || regularized(model, &data));
        let expected = alone(&data, &config, &build);
        let (_first, two) = folders(2);
        // The second rank is the one that is asked to stop.
        let stopped =
            run_on(&two, &data, &config, &build, tables, Rows::InMemory, &|rank, _, step, stop| {
                stop.store(rank == 1 && step == 5, Ordering::Relaxed);
            });
        for outcome in stopped {
            assert!(matches!(outcome.unwrap(), Outcome::Interrupted { step: 6 }), "{model}");
        }
        assert_eq!(kept_step(&two[0]), Some(6), "{model}");
        let (_second, three) = folders(3);
        three.iter().for_each(|folder| hand_out(&two[0], folder));
        for outcome in
            run_on(&three, &data, &config, &build, tables, Rows::InMemory, &|_, _, _, _| ())
        {
            assert_eq!(ended(outcome.unwrap()), expected, "{model}");
        }
    }
}

#[test]
fn a_lost_rank_ends_the_run_with_a_checkpoint_of_the_last_step() {
    let data = dataset(Protocol::HeldOut);
    // The first rank too, whose folder then has what the others left.
    for (model, lost) in [("din", 1), ("din_dice", 2), ("base_model", 0)] {
        let (config, build) = (config(OptimizerKind::Adam, 40), || regularized(model, &data));
        let expected = alone(&data, &config, &build);
        let (_first, three) = folders(3);
        let outcomes = run_on(
            &three,
            &data,
            &config,
            &build,
            Tables::Whole,
            Rows::InMemory,
            &|rank, ranks, step, _| {
                if rank == lost && step == 7 {
                    ranks.leave();
                    // No destructor of the run, as when it is killed.
                    std::panic::resume_unwind(Box::new("killed"));
                }
            },
        );
        for (rank, outcome) in outcomes.into_iter().enumerate() {
            if rank != lost {
                match outcome {
                    Err(Error::RankLost { step: 7, kept: Some(7), reason, path }) => {
                        assert!(reason.contains(&format!("rank {lost}")), "{reason}");
                        assert!(path.starts_with(&three[0]), "{}", path.display());
                    }
                    other => panic!("{other:?}"),
                }
            }
        }
        assert_eq!(kept_step(&three[0]), Some(7), "{model}");
        let (_second, two) = folders(2);
        two.iter().for_each(|folder| hand_out(&three[0], folder));
        for outcome in
            run_on(&two, &data, &config, &build, Tables::Whole, Rows::InMemory, &|_, _, _, _| ())
        {
            assert_eq!(ended(outcome.unwrap()), expected, "{model}");
        }
    }
}

#[test]
fn a_lost_rank_takes_its_rows_along_and_the_last_checkpoint_serves() {
    let data = dataset(Protocol::HeldOut);
    let build = || regularized("din", &data);
    let config = TrainConfig { checkpoint_every_steps: 4, ..config(OptimizerKind::Adam, 40) };
    let expected = alone(&data, &config, &build);
    let (_first, three) = folders(3);
    let outcomes = run_on(
        &three,
        &data,
        &config,
        &build,
        Tables::Spread,
        Rows::InMemory,
        &|rank, ranks, step, _| {
            if rank == 1 && step == 7 {
                ranks.leave();
                std::panic::resume_unwind(Box::new("killed"));
            }
        },
    );
    for outcome in [&outcomes[0], &outcomes[2]] {
        assert!(
            matches!(outcome, Err(Error::RankLostWithRows { step: 7, kept: Some(4), .. })),
            "{outcome:?}"
        );
    }
    assert_eq!(kept_step(&three[0]), Some(4));
    // Any rank alone goes on from there too.
    for (size, tables) in [(1, Tables::Whole), (2, Tables::Spread)] {
        let (_second, all) = folders(size);
        all.iter().for_each(|folder| hand_out(&three[0], folder));
        for outcome in
            run_on(&all, &data, &config, &build, tables, Rows::InMemory, &|_, _, _, _| ())
        {
            assert_eq!(ended(outcome.unwrap()), expected);
        }
    }
}

#[test]
fn tables_that_are_spread_refuse_a_regularizer_of_every_row() {
    let data = dataset(Protocol::HeldOut);
    let build = || {
        let mut network = network("din", &data, 5);
        let penalty = Penalty::Dense { lambda: 0.1 };
        network.penalties = RowPenalties::new(&network.weights, penalty, |_| true, &[]).unwrap();
        network
    };
    let (_folder, two) = folders(2);
    let config = config(OptimizerKind::Sgd, 40);
    for outcome in
        run_on(&two, &data, &config, &build, Tables::Spread, Rows::InMemory, &|_, _, _, _| ())
    {
        let message = outcome.unwrap_err().to_string();
        assert!(message.contains("every row in every step"), "{message}");
    }
}

#[test]
fn each_rank_reads_its_own_shards_and_all_have_the_bits_of_one_process() {
    let data = dataset(Protocol::HeldOut);
    for (model, tables) in [("din", Tables::Whole), ("din_dice", Tables::Spread)] {
        let build = || regularized(model, &data);
        let mut config = config(OptimizerKind::Adam, 40);
        config.shuffle_buffer = 120;
        let of = |size: usize| -> Vec<Arc<Shards>> {
            (0..size).map(|_| Shards::new(&data, 7, 3, Fate::Fine)).collect()
        };
        let streamed = |size: usize, tables| {
            let (_folder, all) = folders(size);
            let shards = of(size);
            let rows = Rows::InShards(&shards);
            let outcomes = run_on(&all, &data, &config, &build, tables, rows, &|_, _, _, _| ());
            for (rank, shards) in shards.iter().enumerate() {
                let loaded = shards.loaded.lock().unwrap().concat();
                assert!(!loaded.is_empty(), "rank {rank} of {size}");
                assert!(loaded.iter().all(|shard| shard % size == rank), "{loaded:?}");
            }
            outcomes.into_iter().map(|outcome| ended(outcome.unwrap())).collect::<Vec<_>>()
        };
        let [expected] = &streamed(1, Tables::Whole)[..] else { panic!("one rank, one outcome") };
        let (expected, in_memory) =
            (expected.clone(), alone(&data, &config_in_memory(&config), &build));
        assert_ne!(expected, in_memory, "small windows are another order");
        for size in [2, 3] {
            for got in streamed(size, tables) {
                assert_eq!(got, expected, "{model} on {size} ranks");
            }
        }
    }
}

fn config_in_memory(config: &TrainConfig) -> TrainConfig {
    TrainConfig { shuffle_buffer: 0, ..config.clone() }
}

/// A rank that is lost in an evaluation: its last exchange before is that of the step.
#[test]
fn the_first_rank_lost_after_an_evaluation_leaves_the_chosen_weights_too() {
    let data = dataset(Protocol::HeldOut);
    let build = || regularized("din", &data);
    let config = TrainConfig { epochs: 3, ..config(OptimizerKind::Adam, 40) };
    let expected = alone(&data, &config, &build);
    let (_first, three) = folders(3);
    let per_epoch = data.train.rows().div_ceil(40) as u64;
    let lost = run_on(
        &three,
        &data,
        &config,
        &build,
        Tables::Whole,
        Rows::InMemory,
        &|rank, ranks, step, _| {
            if rank == 0 && step == per_epoch + 2 {
                // As if it had died before it wrote what the evaluation chose.
                std::fs::remove_file(three[0].join("model.safetensors")).unwrap();
                std::fs::remove_file(three[0].join(CHECKPOINT_FILE)).unwrap();
                ranks.leave();
                std::panic::resume_unwind(Box::new("killed"));
            }
        },
    );
    assert!(matches!(lost[1], Err(Error::RankLost { kept: Some(_), .. })), "{:?}", lost[1]);
    assert_eq!(kept_step(&three[0]), Some(per_epoch + 2));
    let weights = |folder: &Path| std::fs::read(folder.join("model.safetensors")).unwrap();
    assert_eq!(weights(&three[0]), weights(&three[1]));
    let (_second, two) = folders(2);
    two.iter().for_each(|folder| hand_out(&three[0], folder));
    for outcome in
        run_on(&two, &data, &config, &build, Tables::Whole, Rows::InMemory, &|_, _, _, _| ())
    {
        assert_eq!(ended(outcome.unwrap()), expected);
    }
}
