//! Runs on several ranks that are threads, each with a folder of its own.

#![allow(dead_code)] // not every test needs all of it

use crate::common::network;
use crate::shards::Shards;
use ctr_core::{CurvePoint, Dataset, SeedStreams, Status};
use ctr_nn::{
    Communicator, FeatureDropout, Network, OptimizerConfig, OptimizerKind, Parcels, Partition,
    Penalty, PenaltyNorm, RowPenalties, Schedule, ThreadRanks,
};
use ctr_train::{
    CHECKPOINT_FILE, Chosen, Error, Observer, Outcome, RunSpec, Silent, TrainConfig,
    count_occurrences, train, train_streamed,
};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

pub fn config(kind: OptimizerKind, batch_size: usize) -> TrainConfig {
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
pub fn regularized(model: &str, data: &Dataset) -> Network {
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
pub enum Tables {
    Whole,
    Spread,
}

/// Told the rank, its communicator, the step and its flag to stop, after every step.
type Watcher<'w> = &'w (dyn Fn(usize, &Mortal, u64, &AtomicBool) + Sync);

pub type Built<'b> = &'b (dyn Fn() -> Network + Sync);

/// What several ranks are to do.
#[derive(Clone, Copy)]
pub struct Several<'s> {
    pub data: &'s Dataset,
    pub config: &'s TrainConfig,
    pub build: Built<'s>,
    pub tables: Tables,
    /// What each rank reads its training rows from, where they are in shards.
    pub shards: Option<&'s [Arc<Shards>]>,
}

/// A rank that dies when it is about to exchange for the last time that it is given.
#[derive(Debug)]
pub struct Mortal {
    ranks: ThreadRanks,
    pub exchanges: AtomicU64,
    last: u64,
}

/// A test that fails on one rank must not leave the others waiting.
impl Drop for Mortal {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.ranks.leave();
        }
    }
}

impl Mortal {
    /// As `kill -9` does it: the others learn it, and no destructor of the run does anything.
    pub fn die(&self) -> ! {
        self.ranks.leave();
        std::panic::resume_unwind(Box::new("killed"))
    }

    fn count(&self) {
        if self.exchanges.fetch_add(1, Ordering::Relaxed) + 1 == self.last {
            self.die();
        }
    }
}

impl Communicator for Mortal {
    fn rank(&self) -> usize {
        self.ranks.rank()
    }
    fn size(&self) -> usize {
        self.ranks.size()
    }
    fn all_gather(&self, mine: &[u32]) -> ctr_nn::Result<Parcels> {
        self.count();
        self.ranks.all_gather(mine)
    }
    fn all_to_all(&self, parcels: Parcels) -> ctr_nn::Result<Parcels> {
        self.count();
        self.ranks.all_to_all(parcels)
    }
    fn bytes_sent(&self) -> u64 {
        self.ranks.bytes_sent()
    }
}

impl Several<'_> {
    /// The run, on as many ranks as there are folders; the outcomes in the order of ranks.
    pub fn run(&self, folders: &[PathBuf]) -> Vec<ctr_train::Result<Outcome>> {
        self.watched(folders, &|_, _, _, _| ())
    }

    /// [`Several::run`] with something done after steps.
    pub fn watched(
        &self,
        folders: &[PathBuf],
        watcher: Watcher<'_>,
    ) -> Vec<ctr_train::Result<Outcome>> {
        self.all(folders, watcher, None)
    }

    /// [`Several::run`], but a rank dies when it is about to exchange for the last time that it is given.
    pub fn killed(
        &self,
        folders: &[PathBuf],
        rank: usize,
        last: u64,
    ) -> Vec<ctr_train::Result<Outcome>> {
        self.all(folders, &|_, _, _, _| (), Some((rank, last)))
    }

    fn all(
        &self,
        folders: &[PathBuf],
        watcher: Watcher<'_>,
        victim: Option<(usize, u64)>,
    ) -> Vec<ctr_train::Result<Outcome>> {
        std::thread::scope(|scope| {
            let ranks = ThreadRanks::group(folders.len()).into_iter().enumerate();
            let threads: Vec<_> = ranks
                .map(|(rank, ranks)| {
                    let last =
                        victim.filter(|victim| victim.0 == rank).map_or(0, |victim| victim.1);
                    let ranks = Arc::new(Mortal { ranks, exchanges: AtomicU64::new(0), last });
                    scope.spawn(move || self.one(folders, rank, &ranks, watcher))
                })
                .collect();
            // A rank that was killed gives nothing.
            let nothing = |_| Err(Error::Interrupted);
            threads.into_iter().map(|thread| thread.join().unwrap_or_else(nothing)).collect()
        })
    }

    fn one(
        &self,
        folders: &[PathBuf],
        rank: usize,
        ranks: &Arc<Mortal>,
        watcher: Watcher<'_>,
    ) -> ctr_train::Result<Outcome> {
        struct Watch<'w>(&'w (dyn Fn(u64) + Sync));
        impl Observer for Watch<'_> {
            fn stepped(&self, step: u64, _: f64) {
                self.0(step);
            }
        }
        let mut network = match self.tables {
            Tables::Whole => (self.build)(),
            Tables::Spread => Partition::build(rank, folders.len(), self.build),
        };
        network.ranks = ranks.clone();
        let stop = AtomicBool::new(false);
        let spec = RunSpec {
            run_id: "run",
            config: self.config,
            seed: 5,
            directory: &folders[rank],
            shared: (rank > 0).then_some(folders[0].as_path()),
            resume: true,
        };
        let step = |step| watcher(rank, ranks, step, &stop);
        let watch = Watch(&step);
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        let outcome = pool.install(|| match self.shards {
            None => train(&spec, self.data, network, &watch, &stop),
            Some(shards) => {
                train_streamed(&spec, self.data, shards[rank].clone(), network, &watch, &stop)
            }
        });
        if outcome.is_err() {
            ranks.ranks.leave();
        }
        outcome
    }

    /// What one process has.
    pub fn alone(&self) -> (Vec<CurvePoint>, Chosen) {
        let (_folder, all) = folders(1);
        let spec = RunSpec {
            run_id: "run",
            config: self.config,
            seed: 5,
            directory: &all[0],
            shared: None,
            resume: false,
        };
        let stop = AtomicBool::new(false);
        ended(train(&spec, self.data, (self.build)(), &Silent, &stop).unwrap())
    }

    /// What so many ranks have that go on from a folder.
    pub fn go_on(&self, from: &Path, size: usize) -> Vec<(Vec<CurvePoint>, Chosen)> {
        let (_folder, all) = folders(size);
        all.iter().for_each(|folder| hand_out(from, folder));
        self.run(&all).into_iter().map(|outcome| ended(outcome.unwrap())).collect()
    }
}

pub fn folders(count: usize) -> (tempfile::TempDir, Vec<PathBuf>) {
    let folder = tempfile::tempdir().unwrap();
    let all: Vec<PathBuf> = (0..count).map(|rank| folder.path().join(rank.to_string())).collect();
    // As the runner does, for its lock.
    all.iter().for_each(|folder| std::fs::create_dir_all(folder.join("checkpoint")).unwrap());
    (folder, all)
}

pub fn ended(outcome: Outcome) -> (Vec<CurvePoint>, Chosen) {
    match outcome {
        Outcome::Ended { status: Status::Finished, curve, chosen, .. } => (curve, *chosen.unwrap()),
        other => panic!("{other:?}"),
    }
}

/// Copies what a run goes on from.
fn hand_out(from: &Path, to: &Path) {
    for name in [CHECKPOINT_FILE, "losses.f64", "model.safetensors"] {
        if from.join(name).exists() {
            std::fs::copy(from.join(name), to.join(name)).unwrap();
        }
    }
}
