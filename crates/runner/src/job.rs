//! One run from configuration to record.

use crate::config::RunConfig;
use crate::environment;
use crate::failure::Failure;
use anyhow::{Context, Result, bail};
use ctr_core::{
    Dataset, DatasetReference, MetricValues, ModelInfo, RECORD_SCHEMA_VERSION, RunRecord, Schema,
    SeedStreams, Split, Timing, canonical_json, sha256_hex, write_atomic,
};
use ctr_nn::{NamedTensors, Network};
use ctr_train::{Chosen, MODEL_FILE, Observer, Outcome, RunSpec};
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

    /// A short name for progress bars and messages.
    pub fn title(&self) -> String {
        format!("{} {} seed {}", self.dataset.id, self.config.model.id().name(), self.seed)
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

    /// Trains, and writes model, predictions and record into `directory`.
    ///
    /// # Errors
    /// When the run cannot be done; [`Failure::Interrupted`] when `stop` was raised.
    pub fn run(
        &self,
        directory: &Path,
        resume: bool,
        observer: &dyn Observer,
        stop: &AtomicBool,
    ) -> Result<RunRecord> {
        std::fs::create_dir_all(directory)
            .with_context(|| format!("cannot make the folder {}", directory.display()))?;
        let regularizer = &self.config.regularizer;
        let features = regularizer.features(self.dataset)?;
        let seeds = SeedStreams::new(self.seed);
        let mut network = self.config.model.network(&features.schema, seeds)?;
        let model = ModelInfo {
            id: self.config.model.id().name().into(),
            num_params_dense: network.weights.num_params_dense(),
            num_params_embedding: network.weights.num_params_embedding(),
        };
        regularizer.install(&mut network, &features, &self.config.train, seeds)?;
        let run_id = self.run_id()?;
        let spec = RunSpec {
            run_id: &run_id,
            config: &self.config.train,
            seed: self.seed,
            directory,
            resume,
        };
        let outcome = ctr_train::train(&spec, &features, network, observer, stop)?;
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
            } => {
                let timing = Timing {
                    finished_unix_seconds: SystemTime::now()
                        .duration_since(UNIX_EPOCH)
                        .map_or(0, |time| time.as_secs()),
                    train_seconds,
                    train_samples_per_second,
                    eval_samples_per_second,
                    peak_rss_bytes: environment::peak_rss_bytes(),
                };
                (status, curve, chosen, timing)
            }
        };
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
            dataset: reference(self.dataset),
            protocol: self.dataset.protocol,
            seed: self.seed,
            model,
            env: environment::describe(rayon::current_num_threads()),
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
        // A finished run is not continued, so its checkpoint is only weight; a leftover harms nobody.
        let _ = std::fs::remove_dir_all(directory.join("checkpoint"));
        Ok(record)
    }
}

fn reference(dataset: &Dataset) -> DatasetReference {
    DatasetReference {
        id: dataset.id.clone(),
        content_sha256: dataset.content_sha256.clone(),
        simulated: dataset.simulated,
        negatives: dataset.negatives.clone(),
        rows: Split::ALL
            .into_iter()
            .map(|split| (split.name().to_string(), dataset.split(split).rows() as u64))
            .collect(),
        statistics: dataset.statistics.clone(),
        fields: dataset.field_summaries(),
        ceiling: dataset.ceiling,
    }
}

/// The network of a finished run, for data of `schema`, with its stored weights.
pub fn stored_network(
    directory: &Path,
    config: &RunConfig,
    schema: &Schema,
    seed: u64,
) -> Result<Network> {
    let path = directory.join(MODEL_FILE);
    let bytes = std::fs::read(&path)
        .with_context(|| format!("cannot read the weights {}", path.display()))?;
    let mut network = config.model.network(schema, SeedStreams::new(seed))?;
    network
        .weights
        .import(&NamedTensors::from_bytes(&bytes)?)
        .with_context(|| format!("{}", path.display()))?;
    Ok(network)
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
    let text = std::fs::read_to_string(&path).with_context(|| {
        format!("{} holds no finished run: cannot read {RECORD_FILE}", directory.display())
    })?;
    let value: serde_json::Value =
        serde_json::from_str(&text).with_context(|| format!("{}", path.display()))?;
    let version = value.get("schema_version").and_then(serde_json::Value::as_u64).unwrap_or(0);
    if version > u64::from(RECORD_SCHEMA_VERSION) {
        bail!(
            "{} has schema version {version}, this program reads up to {RECORD_SCHEMA_VERSION}: \
             use a newer din-repro",
            path.display()
        );
    }
    serde_json::from_value(value).with_context(|| format!("{}", path.display()))
}
