//! The run itself.

use crate::checkpoint::{self, CHECKPOINT_FILE, MODEL_FILE, Progress};
use crate::evaluate::{ScoringMemories, score_split_in};
use crate::events::EventLog;
use crate::handout::hand_out_file;
use crate::losses::{LOSSES_FILE, LossLog, read_losses};
use crate::{Error, Evaluation, Feed, Part, Result, TrainConfig, Waits};
use ctr_core::{
    Batch, Best, CurvePoint, Dataset, Digest, MetricValues, Protocol, SeedStreams, Signature,
    Split, Status, TrainShards, sha256_hex, sha256_of_file, write_atomic,
};
use ctr_metrics::GaucVariant;
use ctr_nn::{NamedTensors, Network, Optimizer};
use serde_json::json;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

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
    /// SHA-256 of [`MODEL_FILE`].
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

/// Trains `network` (fresh from its initialization) on `dataset`.
///
/// `stop` is looked at after every step and within evaluations; when it is true the run writes a checkpoint and
/// ends as [`Outcome::Interrupted`].
///
/// # Errors
/// When settings, data, checkpoint or disk do not allow the run. A diverged loss is an outcome.
pub fn train(
    spec: &RunSpec<'_>,
    dataset: &Dataset,
    network: Network,
    observer: &dyn Observer,
    stop: &AtomicBool,
) -> Result<Outcome> {
    spec.config.validate()?;
    let feed = Feed::in_memory(dataset, spec.config, spec.seed)?;
    run(spec, dataset, feed, network, observer, stop)
}

/// [`train`] on rows that are streamed from `shards`, as the settings have it; each rank of the network reads its
/// own shards alone. `dataset` has the rows to choose on
/// and to report, and none to learn from.
///
/// # Errors
/// As there, and when a shard cannot be read.
pub fn train_streamed(
    spec: &RunSpec<'_>,
    dataset: &Dataset,
    shards: Arc<dyn TrainShards>,
    network: Network,
    observer: &dyn Observer,
    stop: &AtomicBool,
) -> Result<Outcome> {
    spec.config.validate()?;
    let part = Part { index: network.ranks.rank(), of: network.ranks.size() };
    let feed = Feed::streamed(shards, spec.config, spec.seed, part)?;
    run(spec, dataset, feed, network, observer, stop)
}

fn run(
    spec: &RunSpec<'_>,
    dataset: &Dataset,
    feed: Feed<'_>,
    network: Network,
    observer: &dyn Observer,
    stop: &AtomicBool,
) -> Result<Outcome> {
    let test = dataset.test.rows() as u64;
    for (split, rows) in [(Split::Train, feed.rows()), (Split::Test, test)] {
        if rows == 0 {
            return Err(Error::Config(format!(
                "dataset {} has no {} rows",
                dataset.id,
                split.name()
            )));
        }
    }
    let mut network = network;
    let mut optimizer = Optimizer::new(spec.config.optimizer.clone(), &network.weights)?;
    let mut events = EventLog::open(spec.directory)?;
    let progress = if spec.resume && spec.directory.join(CHECKPOINT_FILE).exists() {
        let progress = checkpoint::load(spec.directory, spec.run_id, &mut network, &mut optimizer)?;
        events.write("resumed", &json!({"step": progress.step}))?;
        progress
    } else {
        // One of an earlier call would name steps whose losses are gone when this one is killed early.
        checkpoint::remove(spec.directory)?;
        events.write("started", &json!({"run_id": spec.run_id}))?;
        // Below every gAUC; JSON knows no infinity.
        Progress { run_id: spec.run_id.to_string(), best_value: -1.0, ..Progress::default() }
    };
    let losses = LossLog::open(spec.directory, progress.step)?;
    let scoring = ScoringMemories::default();
    let (stop_agreed, network_bytes) = (false, (0, 0));
    Run {
        spec,
        dataset,
        feed,
        network,
        optimizer,
        events,
        losses,
        progress,
        scoring,
        stop_agreed,
        network_bytes,
    }
    .go(observer, stop)
}

struct Run<'r> {
    spec: &'r RunSpec<'r>,
    dataset: &'r Dataset,
    feed: Feed<'r>,
    network: Network,
    optimizer: Optimizer,
    events: EventLog,
    losses: LossLog,
    progress: Progress,
    scoring: ScoringMemories,
    /// Whether a rank wishes to stop, as all were told in the last step.
    stop_agreed: bool,
    /// Steps of this process, and what they gave to other ranks.
    network_bytes: (u64, u64),
}

impl Run<'_> {
    fn go(mut self, observer: &dyn Observer, stop: &AtomicBool) -> Result<Outcome> {
        match self.steps(observer, stop) {
            Ok(Some(status)) => self.finish(status, stop),
            Ok(None) => self.interrupted(),
            Err(Error::Model(ctr_nn::Error::Rank(reason))) => Err(self.rank_lost(reason)),
            Err(error) => Err(error),
        }
    }

    /// Steps and evaluations until the end; none when asked to stop.
    fn steps(&mut self, observer: &dyn Observer, stop: &AtomicBool) -> Result<Option<Status>> {
        let config = self.spec.config;
        let per_epoch = self.feed.steps();
        let steps = config.steps(self.feed.rows());
        observer.started(self.progress.step, steps, config.batch_size);
        observer.begun(&read_losses(self.spec.directory)?, &self.progress.curve);
        let mut batch = Batch::default();
        let mut status = Status::Finished;
        loop {
            if self.evaluation_is_due(per_epoch, steps) {
                match self.evaluate(per_epoch, observer, stop) {
                    Ok(()) => self.save()?,
                    Err(Error::Interrupted) => return Ok(None),
                    Err(Error::Metric { source: ctr_metrics::Error::Nan { row }, .. }) => {
                        self.events.write("diverged", &json!({"scored_row": row}))?;
                        status = Status::Diverged;
                        break;
                    }
                    Err(error) => return Err(error),
                }
            }
            if self.progress.step >= steps || self.patience_is_over() {
                break;
            }
            // Ranks stop together, after the step in which one of them said so.
            self.network.wants_stop = stop.load(Ordering::Relaxed);
            if self.stop_agreed || (self.network.wants_stop && self.network.ranks.size() == 1) {
                return Ok(None);
            }
            let (epoch, index) = (self.progress.step / per_epoch, self.progress.step % per_epoch);
            if index == 0 && epoch > 0 && config.reinitialize_embeddings {
                let seeds = SeedStreams::new(self.spec.seed);
                self.network.draw_tables_again(seeds, &format!("epoch-{epoch}"));
                self.optimizer.forget_tables();
            }
            let begun = Instant::now();
            let ranks = self.network.ranks.clone();
            let sent = ranks.bytes_sent();
            let rows = self.feed.fill_together(&*ranks, epoch, index, &mut batch)?;
            let loss = match self.network.train_step(&batch, &mut self.optimizer) {
                Ok(report) => {
                    self.progress.loss_sum += report.loss;
                    self.losses.push(report.loss)?;
                    self.stop_agreed = report.stop;
                    report.loss
                }
                Err(ctr_nn::Error::Diverged { step, loss }) => {
                    self.events
                        .write("diverged", &json!({"step": step, "loss": loss.to_string()}))?;
                    status = Status::Diverged;
                    break;
                }
                Err(error) => return Err(error.into()),
            };
            self.network_bytes.0 += 1;
            self.network_bytes.1 += ranks.bytes_sent() - sent;
            self.progress.train_seconds += begun.elapsed().as_secs_f64();
            self.progress.train_rows += rows as u64;
            self.progress.loss_count += 1;
            self.progress.step += 1;
            observer.stepped(self.progress.step, loss);
            let every = config.checkpoint_every_steps;
            if every > 0 && self.progress.step.is_multiple_of(every) {
                self.save()?;
            }
        }
        Ok(Some(status))
    }

    /// Keeps what was done when another rank is gone: nothing of a step changes before all have exchanged theirs,
    /// so the state is that after the last step.
    fn rank_lost(mut self, reason: String) -> Error {
        let step = self.progress.step;
        if self.network.is_partitioned() {
            // The rows of the lost rank are gone; what is on disk is the last checkpoint of all.
            let path = self.spec.shared.unwrap_or(self.spec.directory).join(CHECKPOINT_FILE);
            return Error::RankLostWithRows { reason, step, path };
        }
        let kept = self.save().and_then(|()| match self.spec.shared {
            // On another machine there may be no such folder.
            Some(shared) if shared.exists() => self.save_for_all(shared),
            _ => Ok(self.spec.directory),
        });
        let kept = kept.and_then(|directory| {
            self.events.write("rank_lost", &json!({"step": step, "reason": reason}))?;
            Ok(directory.join(CHECKPOINT_FILE))
        });
        match kept {
            Ok(path) => Error::RankLost { reason, step, path },
            Err(error) => error,
        }
    }

    /// Leaves this rank's state where the first rank's would be, who may be the one that is lost. Both leave the
    /// same state.
    fn save_for_all<'d>(&self, shared: &'d Path) -> Result<&'d Path> {
        let losses = self.spec.directory.join(LOSSES_FILE);
        let bytes =
            std::fs::read(&losses).map_err(|source| Error::Io { path: losses.clone(), source })?;
        write_atomic(&shared.join(LOSSES_FILE), &bytes)?;
        checkpoint::save(shared, &self.network, &self.optimizer, &self.progress)?;
        Ok(shared)
    }

    fn save(&mut self) -> Result<()> {
        self.losses.sync()?;
        checkpoint::save(self.spec.directory, &self.network, &self.optimizer, &self.progress)
    }

    fn interrupted(mut self) -> Result<Outcome> {
        self.save()?;
        let step = self.progress.step;
        self.events.write("interrupted", &json!({"step": step}))?;
        Ok(Outcome::Interrupted { step })
    }

    /// Whether the last step is to be evaluated and was not: a run may have been stopped in its evaluation.
    fn evaluation_is_due(&self, per_epoch: u64, steps: u64) -> bool {
        let (step, config) = (self.progress.step, self.spec.config);
        if step == 0 || self.progress.curve.last().is_some_and(|point| point.step == step) {
            return false;
        }
        let parts = config.evaluations_per_epoch.min(per_epoch);
        let within = (step - 1) % per_epoch + 1;
        let at_part =
            parts > 0 && (1..=parts).any(|part| within == (part * per_epoch).div_ceil(parts));
        let every = config.evaluate_every_steps;
        step == steps || at_part || (every > 0 && step.is_multiple_of(every))
    }

    fn patience_is_over(&self) -> bool {
        let config = self.spec.config;
        config.patience > 0
            && self.progress.worse >= config.patience
            && self.progress.curve.last().is_some_and(|point| point.epoch >= config.min_epochs)
    }

    fn score(&mut self, split: Split, stop: &AtomicBool) -> Result<Vec<f32>> {
        let config = self.spec.config;
        let begun = Instant::now();
        let size = config.evaluation_batch_size;
        let history = config.history_limit();
        let (memories, network) = (&self.scoring, &self.network);
        let scores = score_split_in(memories, network, self.dataset, split, size, history, stop)?;
        self.progress.eval_seconds += begun.elapsed().as_secs_f64();
        self.progress.eval_rows += scores.len() as u64;
        Ok(scores)
    }

    fn evaluate(
        &mut self,
        per_epoch: u64,
        observer: &dyn Observer,
        stop: &AtomicBool,
    ) -> Result<()> {
        let mut of = |split: Split| -> Result<Option<Evaluation>> {
            if self.dataset.split(split).rows() == 0 {
                return Ok(None);
            }
            let scores = self.score(split, stop)?;
            Ok(Some(Evaluation::of(self.dataset, split, &scores)?))
        };
        let (valid, test) = (of(Split::Validation)?, of(Split::Test)?);
        let progress = &mut self.progress;
        let point = CurvePoint {
            step: progress.step,
            epoch: progress.step as f64 / per_epoch as f64,
            train_loss: (progress.loss_count > 0)
                .then(|| progress.loss_sum / progress.loss_count as f64),
            valid_loss: valid.map(|v| v.log_loss),
            valid_auc: valid.map(|v| v.auc),
            valid_gauc: valid.map(|v| v.gauc),
            test_loss: test.map(|t| t.log_loss),
            test_auc: test.map(|t| t.auc),
            test_gauc: test.map(|t| t.gauc),
        };
        (progress.loss_sum, progress.loss_count) = (0.0, 0);
        let criterion = match self.dataset.protocol {
            Protocol::HeldOut => point.valid_gauc,
            Protocol::Authors => point.test_gauc,
        };
        let Some(value) = criterion else {
            return Err(Error::Config(format!(
                "dataset {} has no validation rows; use --protocol authors",
                self.dataset.id
            )));
        };
        let chosen = value > progress.best_value;
        if chosen {
            progress.best = Some(Best { step: point.step, epoch: point.epoch });
            progress.best_value = value;
            progress.worse = 0;
            let path = self.spec.directory.join(MODEL_FILE);
            if self.network.is_partitioned() {
                checkpoint::write_together(&path, &self.network, None, "")?;
            } else {
                write_atomic(&path, &self.network.weights.export().to_bytes()?)?;
            }
        } else {
            progress.worse += 1;
        }
        let event = serde_json::to_value(&point).map_err(ctr_core::Error::from)?;
        self.events.write("evaluated", &event)?;
        observer.evaluated(&point, chosen, &self.network);
        self.progress.curve.push(point);
        Ok(())
    }

    /// Takes the chosen weights back, and gives the hash of their file.
    fn load_chosen(&mut self, path: &Path) -> Result<String> {
        let fail = |source| Error::Io { path: path.to_path_buf(), source };
        if !self.network.is_partitioned() {
            let bytes = std::fs::read(path).map_err(fail)?;
            self.network.weights.import(&NamedTensors::from_bytes(&bytes)?)?;
            return Ok(sha256_hex(&bytes));
        }
        // The others have not written it.
        hand_out_file(&*self.network.ranks, path)?;
        let rest = checkpoint::read_part(path, &mut self.network, None)?;
        self.network.weights.import(&rest)?;
        sha256_of_file(path).map_err(fail)
    }

    /// Scores test once more with the chosen weights, as a stranger with the model file would.
    fn finish(mut self, status: Status, stop: &AtomicBool) -> Result<Outcome> {
        self.losses.sync()?;
        let chosen = match self.progress.best {
            // A run that diverged has no result, whatever it reached before.
            Some(best) if status == Status::Finished => {
                let path = self.spec.directory.join(MODEL_FILE);
                let model_sha256 = self.load_chosen(&path)?;
                let scores = match self.score(Split::Test, stop) {
                    // The checkpoint of the last evaluation has all.
                    Err(Error::Interrupted) => {
                        return Ok(Outcome::Interrupted { step: self.progress.step });
                    }
                    Err(Error::Model(ctr_nn::Error::Rank(reason))) => {
                        let path = self.spec.directory.join(CHECKPOINT_FILE);
                        return Err(Error::RankLost { reason, step: self.progress.step, path });
                    }
                    scores => scores?,
                };
                let test = Evaluation::of(self.dataset, Split::Test, &scores)?;
                let curve = &self.progress.curve;
                let peak = curve.iter().filter_map(|point| point.test_gauc).fold(0.0, f64::max);
                let at_best = curve.iter().find(|point| point.step == best.step);
                Some(Box::new(Chosen {
                    best,
                    metrics: MetricValues {
                        test_gauc: Some(test.gauc),
                        test_auc: Some(test.auc),
                        test_log_loss: Some(test.log_loss),
                        peak_test_gauc: Some(peak),
                        valid_gauc: at_best.and_then(|point| point.valid_gauc),
                    },
                    predictions_sha256: predictions_sha256(self.dataset, &scores),
                    model_sha256,
                    test_scores: scores,
                }))
            }
            _ => None,
        };
        if let Some(Waits { windows, seconds }) = self.feed.waits() {
            let waited = json!({"windows": windows, "waited_seconds": seconds});
            self.events.write("streamed", &waited)?;
        }
        self.events.write("ended", &json!({"status": status, "step": self.progress.step}))?;
        let (steps, bytes) = self.network_bytes;
        let apart = self.network.ranks.size() > 1 && steps > 0;
        let progress = self.progress;
        let rate =
            |rows: u64, seconds: f64| if seconds > 0.0 { rows as f64 / seconds } else { 0.0 };
        Ok(Outcome::Ended {
            status,
            chosen,
            train_seconds: progress.train_seconds,
            train_samples_per_second: rate(progress.train_rows, progress.train_seconds),
            eval_samples_per_second: rate(progress.eval_rows, progress.eval_seconds),
            network_bytes_per_step: apart.then(|| bytes as f64 / steps as f64),
            curve: progress.curve,
        })
    }
}

fn predictions_sha256(dataset: &Dataset, scores: &[f32]) -> String {
    let mut digest = Digest::new();
    digest.ids(&dataset.test.users);
    digest.update(&dataset.test.labels);
    digest.numbers(scores);
    digest.finish()
}

/// The signature of one run's test gAUC on `dataset`, with `regularizer` as the run had it.
pub fn signature(dataset: &Dataset, regularizer: &str) -> Signature {
    let mut signature = Signature::new("gAUC");
    for part in GaucVariant::Paper.signature().split('|') {
        if let Some((key, value)) = part.split_once(':') {
            signature = signature.with(key, value);
        }
    }
    let hash: String = dataset.content_sha256.chars().take(8).collect();
    signature
        .with("ds", format!("{}@{hash}", dataset.id))
        .with("split", &dataset.split_rule)
        .with("neg", &dataset.negatives)
        .with("proto", dataset.protocol)
        .with("seeds", 1)
        .with("reg", regularizer)
        .with("v", env!("CARGO_PKG_VERSION"))
}
