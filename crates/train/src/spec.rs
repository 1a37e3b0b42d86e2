//! What a run is given and gives.

use crate::TrainConfig;
use ctr_core::{Best, CurvePoint, MetricValues, Status};
use ctr_nn::Network;
use std::path::Path;

/// Receives what a progress bar shows.
pub trait Observer: Sync {
    /// The run goes on at `step` of at most `steps`, `batch_size` rows each.
    fn started(&self, step: u64, steps: u64, batch_size: usize) {
        let _ = (step, steps, batch_size);
    }
    /// After [`Observer::started`]: what was done before, the losses of all steps and all evaluations. Empty for a
    /// run from the beginning.
    fn begun(&self, losses: &[f64], curve: &[CurvePoint]) {
        let _ = (losses, curve);
    }
    /// A step was done; its mean loss.
    fn stepped(&self, step: u64, loss: f64) {
        let _ = (step, loss);
    }
    /// An evaluation of `network` was done; `chosen` if it is the best so far.
    fn evaluated(&self, point: &CurvePoint, chosen: bool, network: &Network) {
        let _ = (point, chosen, network);
    }
}

/// An observer that does nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;
impl Observer for Silent {}

/// What to run.
#[derive(Clone, Copy, Debug)]
pub struct RunSpec<'r> {
    /// Identity, see [`ctr_core::RunRecord::compute_run_id`].
    pub run_id: &'r str,
    /// Settings.
    pub config: &'r TrainConfig,
    /// Seed of all streams.
    pub seed: u64,
    /// The run's own directory; it must exist. Each rank has one of its own, and that of the first one counts.
    pub directory: &'r Path,
    /// Where the first rank's is, for a rank that is to leave a checkpoint there when another one is lost.
    pub shared: Option<&'r Path>,
    /// Continue from the checkpoint there, if there is one.
    pub resume: bool,
}

/// The evaluation that was chosen, scored again from its stored weights.
#[derive(Clone, Debug, PartialEq)]
pub struct Chosen {
    /// Where it was.
    pub best: Best,
    /// Its values.
    pub metrics: MetricValues,
    /// Logits of the test rows, in order.
    pub test_scores: Vec<f32>,
    /// SHA-256 over users, labels and scores of the test rows.
    pub predictions_sha256: String,
    /// SHA-256 of [`crate::MODEL_FILE`].
    pub model_sha256: String,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// At its end or early stop, or with a loss that was no number.
    Ended {
        /// Which of the two.
        status: Status,
        /// All evaluations.
        curve: Vec<CurvePoint>,
        /// The chosen one; none when the run diverged.
        chosen: Option<Box<Chosen>>,
        /// Seconds in training steps, rows a second in training and in scoring.
        train_seconds: f64,
        /// Rows trained on in a second.
        train_samples_per_second: f64,
        /// Rows scored in a second.
        eval_samples_per_second: f64,
        /// Bytes that this rank gave to others in a step, on average over the steps since this process began; none
        /// for a process alone.
        network_bytes_per_step: Option<f64>,
    },
    /// Asked to stop; a checkpoint was written.
    Interrupted {
        /// Steps done.
        step: u64,
    },
}
