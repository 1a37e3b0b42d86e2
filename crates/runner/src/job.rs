//! One run from configuration to record.

use crate::config::{self, RunConfig};
use crate::environment;
use crate::failure::Failure;
use crate::interrupt;
use crate::registry::ModelId;
use crate::streamed::{self, Shards};
use crate::together::{Together, readers};
use anyhow::{Context, Result, bail};
use ctr_core::{
    Dataset, DatasetReference, Environment, FileLock, MetricValues, ModelInfo,
    RECORD_SCHEMA_VERSION, RunRecord, Schema, SeedStreams, Split, Timing, TrainingCounts,
    canonical_json, remove_half_written, sha256_hex, write_atomic,
};
use ctr_nn::{NamedTensors, Network};
use ctr_train::{Chosen, LOCK_FILE, MODEL_FILE, Observer, Outcome, RunSpec};
use std::io::ErrorKind;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::{SystemTime, UNIX_EPOCH};

/// The record of a finished run, the last file written into its directory.
pub const RECORD_FILE: &str = "record.json";
/// Users, labels and logits of the test rows.
pub const PREDICTIONS_FILE: &str = "predictions.parquet";

/// A run to be done.
#[derive(Clone, Debug)]
pub struct Job<'d> {
    /// The data, opened under the protocol wanted.
    pub dataset: &'d Dataset,
    /// Training rows that are not in memory, where the configuration streams them.
    pub shards: Shards,
    /// The configuration.
    pub config: RunConfig,
    /// The seed.
    pub seed: u64,
}

impl Job<'_> {
    /// SHA-256 of the configuration.
    fn config_sha256(&self) -> Result<String> {
        Ok(sha256_hex(canonical_json(&self.config)?.as_bytes()))
    }

    /// The run's identity.
    pub fn run_id(&self) -> Result<String> {
        Ok(RunRecord::compute_run_id(
            &self.config_sha256()?,
            &self.dataset.content_sha256,
            self.dataset.protocol,
            self.seed,
        )?)
    }

    /// A name for the run's directory: readable, and unique by the run's identity.
    pub fn directory_name(&self) -> Result<String> {
        let Dataset { id, protocol, .. } = self.dataset;
        let model = self.config.model.id().name();
        Ok(format!("{id}-{protocol}-{model}-seed{}-{}", self.seed, &self.run_id()?[..8]))
    }

    /// Whether the model is DIN as its preset has it, however it is trained.
    pub fn is_plain_din(&self) -> bool {
        let usual = ModelId::named("din")
            .and_then(|din| config::resolve(din, &self.config.preset, None, &[]));
        usual.is_ok_and(|usual| usual.model == self.config.model)
    }

    /// A short name for messages.
    pub fn title(&self) -> String {
        let [title, _] = self.titles();
        title
    }

    /// The same and a shorter one, for progress bars.
    pub fn titles(&self) -> [String; 2] {
        let short = format!("{} seed {}", self.config.model.id().name(), self.seed);
        [format!("{} {short}", self.dataset.id), short]
    }

    /// The record in `directory`, if the run is finished.
    ///
    /// # Errors
    /// When the record cannot be read or belongs to another run.
    pub fn finished(&self, directory: &Path) -> Result<Option<RunRecord>> {
        if !directory.join(RECORD_FILE).exists() {
            return Ok(None);
        }
        let record = read_record(directory)?;
        let run_id = self.run_id()?;
        if record.run_id != run_id {
            bail!(
                "{} holds run {}, this is run {run_id} (another configuration, seed, protocol or \
                 dataset): choose another --out",
                directory.display(),
                record.run_id
            );
        }
        Ok(Some(record))
    }

    /// [`Job::run`] once more from the beginning, in a temporary folder that nobody else knows.
    ///
    /// # Errors
    /// As there.
    pub fn repeat(&self, folder: &Path, observer: &dyn Observer) -> Result<RunRecord> {
        self.run(folder, false, observer, interrupt::flag())?
            .context("another process is in a temporary folder of this one")
    }

    /// Trains, and writes model, predictions and record into `directory`; gives what is there when the run is
    /// finished already, and none when another process is at it.
    ///
    /// # Errors
    /// When the run cannot be done; [`Failure::Interrupted`] when `stop` was raised.
    pub fn run(
        &self,
        directory: &Path,
        resume: bool,
        observer: &dyn Observer,
        stop: &AtomicBool,
    ) -> Result<Option<RunRecord>> {
        self.run_as(None, directory, resume, observer, stop)
    }

    /// [`Job::run`] as one of several processes, of which the first one alone gives a record.
    ///
    /// # Errors
    /// As there; and when one of the others is gone.
    pub fn run_as(
        &self,
        together: Option<&Together>,
        directory: &Path,
        resume: bool,
        observer: &dyn Observer,
        stop: &AtomicBool,
    ) -> Result<Option<RunRecord>> {
        let lock = lock(directory)?;
        // Under the lock, so that no other process can come in between.
        let mut finished = None;
        if lock.is_some() {
            remove_half_written(directory);
            remove_half_written(&directory.join(CHECKPOINT_FOLDER));
            finished = self.finished(directory)?;
        }
        let to_do = lock.is_some() && finished.is_none();
        if !together.map_or(Ok(to_do), |together| together.agree(to_do))? {
            match lock {
                // Another process has just done it.
                Some(_) => remove_checkpoint(directory),
                None => tracing::debug!("{}: another process is at it", directory.display()),
            }
            return Ok(finished);
        }
        if let (true, Some(together)) = (resume, together) {
            together.hand_out()?;
        }
        let record = self.train(together, directory, resume, observer, stop)?;
        remove_checkpoint(directory);
        Ok(record)
    }

    fn train(
        &self,
        together: Option<&Together>,
        directory: &Path,
        resume: bool,
        observer: &dyn Observer,
        stop: &AtomicBool,
    ) -> Result<Option<RunRecord>> {
        let _watch = interrupt::watch();
        let regularizer = &self.config.regularizer;
        let readers = readers(together);
        let (features, shards) =
            streamed::features(regularizer, self.dataset, &self.shards, readers)?;
        let seeds = SeedStreams::new(self.seed);
        let build = || self.config.model.network(&features.schema, seeds);
        let mut network = match together {
            Some(together) => together.build(build)?,
            None => build()?,
        };
        let model = ModelInfo {
            id: self.config.model.id().name().into(),
            num_params_dense: network.weights.num_params_dense(),
            num_params_embedding: network.weights.num_params_embedding(),
        };
        if let Some(together) = together {
            network.ranks = together.ranks();
        }
        let ranks = network.ranks.size();
        regularizer.install(&mut network, &features, &shards, &self.config.train, seeds)?;
        let run_id = self.run_id()?;
        tracing::debug!(
            "{}: run {run_id} in {}, {} dense and {} table parameters",
            self.title(),
            directory.display(),
            model.num_params_dense,
            model.num_params_embedding
        );
        let spec = RunSpec {
            run_id: &run_id,
            config: &self.config.train,
            seed: self.seed,
            directory,
            resume,
            shared: together.and_then(Together::shared),
        };
        let outcome = match shards {
            None => ctr_train::train(&spec, &features, network, observer, stop)?,
            Some(shards) => {
                ctr_train::train_streamed(&spec, &features, shards, network, observer, stop)?
            }
        };
        let (status, curve, chosen, timing) = match outcome {
            Outcome::Interrupted { step } => {
                return Err(Failure::Interrupted(format!(
                    "{} stopped after step {step}; the same command with --resume continues",
                    self.title()
                ))
                .into());
            }
            Outcome::Ended {
                status,
                curve,
                chosen,
                train_seconds,
                train_samples_per_second,
                eval_samples_per_second,
                network_bytes_per_step,
            } => {
                let timing = Timing {
                    finished_unix_seconds: SystemTime::now()
                        .duration_since(UNIX_EPOCH)
                        .map_or(0, |time| time.as_secs()),
                    train_seconds,
                    train_samples_per_second,
                    eval_samples_per_second,
                    peak_rss_bytes: environment::peak_rss_bytes(),
                    network_bytes_per_step,
                };
                (status, curve, chosen, timing)
            }
        };
        let counts = streamed::training_counts(self.dataset, &self.shards, readers)?;
        if together.is_some_and(|together| !together.is_first()) {
            return Ok(None);
        }
        if let Some(chosen) = &chosen {
            let test = &self.dataset.test;
            ctr_dataset_prep::write_predictions(
                &directory.join(PREDICTIONS_FILE),
                &test.users,
                &test.labels,
                &chosen.test_scores,
            )?;
        }
        let hash = |of: fn(&Chosen) -> &String| {
            chosen.as_deref().map(|chosen| of(chosen).clone()).unwrap_or_default()
        };
        let mut record = RunRecord {
            schema_version: RECORD_SCHEMA_VERSION,
            signature: ctr_train::signature(self.dataset, &self.config.regularizer.to_string())
                .to_string(),
            config: serde_json::to_value(&self.config)?,
            config_sha256: self.config_sha256()?,
            dataset: self.reference(&counts),
            protocol: self.dataset.protocol,
            seed: self.seed,
            model,
            env: Environment {
                ranks: (ranks > 1).then_some(ranks as u64),
                ..environment::describe(rayon::current_num_threads())
            },
            timing,
            curve,
            best: chosen.as_deref().map(|chosen| chosen.best),
            metrics: chosen
                .as_deref()
                .map_or_else(MetricValues::default, |chosen| chosen.metrics.clone()),
            predictions_sha256: hash(|chosen| &chosen.predictions_sha256),
            model_sha256: hash(|chosen| &chosen.model_sha256),
            result_sha256: String::new(),
            status,
            run_id,
        };
        record.result_sha256 = record.compute_result_sha256()?;
        let text = serde_json::to_string_pretty(&record)? + "\n";
        write_atomic(&directory.join(RECORD_FILE), text.as_bytes())?;
        Ok(Some(record))
    }

    fn reference(&self, counts: &TrainingCounts) -> DatasetReference {
        let dataset = self.dataset;
        let rows = |split: Split| match split {
            Split::Train => counts.rows(),
            split => dataset.split(split).rows() as u64,
        };
        DatasetReference {
            id: dataset.id.clone(),
            content_sha256: dataset.content_sha256.clone(),
            simulated: dataset.simulated,
            negatives: dataset.negatives.clone(),
            rows: Split::ALL.map(|split| (split.name().to_string(), rows(split))).into(),
            statistics: dataset.statistics.clone(),
            fields: counts.summaries(&dataset.schema),
            ceiling: dataset.ceiling,
        }
    }
}

/// Where a run's state lies while it is not finished, and the lock of who is at it.
pub const CHECKPOINT_FOLDER: &str = "checkpoint";

/// The right to write into a run's directory, which is made if need be; none when another process has it.
///
/// The lock goes with the checkpoint when a run is finished. Whoever waited for it and now holds a file that is
/// no longer there finds the record.
pub fn lock(directory: &Path) -> Result<Option<FileLock>> {
    let folder = directory.join(CHECKPOINT_FOLDER);
    let mut attempts = 0;
    loop {
        let locked = std::fs::create_dir_all(&folder)
            .map_err(|source| ctr_core::Error::Write { path: folder.clone(), source })
            .and_then(|()| FileLock::try_new(&directory.join(LOCK_FILE)));
        attempts += 1;
        match locked {
            // Another process finished in between and took the folder away.
            Err(ctr_core::Error::Write { source, .. })
                if source.kind() == ErrorKind::NotFound && attempts < 3 => {}
            other => return Ok(other?),
        }
    }
}

/// A finished run is not continued, so its checkpoint is only weight; a leftover harms nobody.
pub fn remove_checkpoint(directory: &Path) {
    let _ = std::fs::remove_dir_all(directory.join(CHECKPOINT_FOLDER));
}

/// Removes what a process that was killed between record and end left of a finished run.
pub fn tidy(directory: &Path) -> Result<()> {
    if directory.join(CHECKPOINT_FOLDER).exists()
        && let Some(_lock) = lock(directory)?
    {
        remove_half_written(directory);
        remove_checkpoint(directory);
    }
    Ok(())
}

/// The network of a finished run, for data of `schema`, with its stored weights.
pub fn stored_network(
    directory: &Path,
    config: &RunConfig,
    schema: &Schema,
    record: &RunRecord,
) -> Result<Network> {
    let stored = stored_tensors(directory, record)?;
    let mut network = config.model.network(schema, SeedStreams::new(record.seed))?;
    network
        .weights
        .import(&stored)
        .with_context(|| format!("{}", directory.join(MODEL_FILE).display()))?;
    Ok(network)
}

/// The stored weights of a finished run.
pub fn stored_tensors(directory: &Path, record: &RunRecord) -> Result<NamedTensors> {
    let path = directory.join(MODEL_FILE);
    let bytes = std::fs::read(&path)
        .with_context(|| format!("cannot read the weights {}", path.display()))?;
    if sha256_hex(&bytes) != record.model_sha256 {
        bail!(
            "{} is not the file that {RECORD_FILE} describes (its SHA-256 differs): repeat the run",
            path.display()
        );
    }
    NamedTensors::from_bytes(&bytes).with_context(|| format!("{}", path.display()))
}

/// Reads the record of a run directory and the configuration in it.
pub fn read_run(directory: &Path) -> Result<(RunRecord, RunConfig)> {
    let record = read_record(directory)?;
    let config = serde_json::from_value(record.config.clone())
        .with_context(|| format!("configuration in {}", directory.display()))?;
    Ok((record, config))
}

/// Reads the record of a run directory.
pub fn read_record(directory: &Path) -> Result<RunRecord> {
    let path = directory.join(RECORD_FILE);
    if !path.exists() {
        bail!("{} holds no finished run: it has no {RECORD_FILE}", directory.display());
    }
    Ok(ctr_report::read_record(&path)?)
}
