//! The run itself.

use crate::checkpoint::{self, CHECKPOINT_FILE, LOCK_FILE, MODEL_FILE, Progress};
use crate::evaluate::{ScoringMemories, score_split_in};
use crate::events::EventLog;
use crate::losses::{LOSSES_FILE, LossLog, read_losses};
use crate::{Error, Evaluation, Feed, Observer, Outcome, Result, RunSpec};
use ctr_core::{
    AtomicFile, Batch, Best, CurvePoint, Dataset, FileLock, Part, Protocol, SeedStreams, Split,
    Status, TrainShards, write_atomic,
};
use ctr_nn::{Network, Optimizer};
use serde_json::json;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

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

/// A run under way.
pub(crate) struct Run<'r> {
    pub spec: &'r RunSpec<'r>,
    pub dataset: &'r Dataset,
    pub feed: Feed<'r>,
    pub network: Network,
    pub optimizer: Optimizer,
    pub events: EventLog,
    pub losses: LossLog,
    pub progress: Progress,
    pub scoring: ScoringMemories,
    /// Whether a rank wishes to stop, as all were told in the last step.
    pub stop_agreed: bool,
    /// Steps of this process, and what they gave to other ranks.
    pub network_bytes: (u64, u64),
}

impl Run<'_> {
    fn go(mut self, observer: &dyn Observer, stop: &AtomicBool) -> Result<Outcome> {
        match self.steps(observer, stop) {
            Ok(Some(status)) => self.ending(|run| run.finish(status, stop)),
            Ok(None) => self.ending(Self::interrupted),
            Err(Error::Model(ctr_nn::Error::Rank(reason))) => Err(self.rank_lost(reason)),
            Err(error) => Err(error),
        }
    }

    /// What comes after the last step. The state after it is on the disk of the first rank, or was left there by the others
    /// before they took the chosen weights in its place.
    fn ending(self, end: impl FnOnce(Self) -> Result<Outcome>) -> Result<Outcome> {
        let (spec, step, spread) = (self.spec, self.progress.step, self.network.is_partitioned());
        end(self).map_err(|error| match error {
            Error::Model(ctr_nn::Error::Rank(reason)) => {
                let own = spec.directory.join(CHECKPOINT_FILE);
                let kept = match spec.shared {
                    Some(place) if !spread && own.exists() => {
                        leave(spec, place, step, || copy(&own, &place.join(CHECKPOINT_FILE)))
                    }
                    _ => Ok(()),
                };
                kept.err().unwrap_or_else(|| lost(spec, spread, step, reason))
            }
            error => error,
        })
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
    /// so the state is that after the last step. With tables spread, rows of the lost rank are missing, and what is on
    /// disk has to do.
    fn rank_lost(mut self, reason: String) -> Error {
        let (spec, step, spread) = (self.spec, self.progress.step, self.network.is_partitioned());
        let kept = match spec.shared {
            _ if spread => Ok(()),
            None => self.save(),
            Some(place) => self.losses.sync().and_then(|()| {
                leave(spec, place, step, || {
                    checkpoint::save(place, &self.network, &self.optimizer, &self.progress)
                })
            }),
        };
        kept.err().unwrap_or_else(|| lost(spec, spread, step, reason))
    }

    /// A checkpoint. Other ranks than the first keep theirs in memory until one is lost.
    fn save(&mut self) -> Result<()> {
        self.losses.sync()?;
        if self.spec.shared.is_some() && !self.network.is_partitioned() {
            return Ok(());
        }
        self.save_here()
    }

    pub fn save_here(&mut self) -> Result<()> {
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

    pub fn score(&mut self, split: Split, stop: &AtomicBool) -> Result<Vec<f32>> {
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
}

/// Leaves what this rank has in `place`, the run's directory, unless what is there is as late: each rank may be the only
/// one that sees the directory, and they can be one step apart. The checkpoint comes last: it must not know of steps and
/// choices that the other files do not have.
fn leave(
    spec: &RunSpec<'_>,
    place: &Path,
    step: u64,
    write_checkpoint: impl FnOnce() -> Result<()>,
) -> Result<()> {
    let lock = place.join(LOCK_FILE);
    // On another machine there may be no such folder; nor is there one where the run has come to its end.
    let there = || lock.parent().is_some_and(Path::exists);
    if !there() {
        return Ok(());
    }
    // The first rank has it while it lives, so that nobody writes beside it.
    let _one_at_a_time = FileLock::wait(&lock, || ())?;
    if !there() || checkpoint::kept_step(place, Some(spec.run_id)) >= Some(step) {
        return Ok(());
    }
    for name in [LOSSES_FILE, MODEL_FILE] {
        let own = spec.directory.join(name);
        if own.exists() {
            copy(&own, &place.join(name))?;
        }
    }
    write_checkpoint()
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    let fail = |source| Error::Io { path: from.to_path_buf(), source };
    let mut file = AtomicFile::new(to)?;
    std::io::copy(&mut File::open(from).map_err(fail)?, &mut file).map_err(fail)?;
    Ok(file.finish()?)
}

/// What there is to say of a lost rank.
fn lost(spec: &RunSpec<'_>, spread: bool, step: u64, reason: String) -> Error {
    let place = spec.shared.unwrap_or(spec.directory);
    let (path, kept) =
        (place.join(CHECKPOINT_FILE), checkpoint::kept_step(place, Some(spec.run_id)));
    if spread {
        Error::RankLostWithRows { reason, step, kept, path }
    } else {
        Error::RankLost { reason, step, kept, path }
    }
}
