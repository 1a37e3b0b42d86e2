//! `eval`: does a stored number hold?

use super::pool;
use crate::cli::EvalArguments;
use crate::config::RunConfig;
use crate::failure::Failure;
use crate::job;
use crate::streamed::{self, Shards};
use crate::{data, interrupt, output};
use anyhow::{Context, Result, bail};
use ctr_core::{Dataset, OneReader, RunRecord, Split};
use ctr_metrics::{GaucVariant, gauc};
use ctr_train::{Evaluation, score_split};
use serde_json::json;
use std::path::{Path, PathBuf};

/// A finished run and its data.
pub struct Stored {
    /// Where it lies.
    pub directory: PathBuf,
    /// Its record.
    pub record: RunRecord,
    /// The configuration in the record.
    pub config: RunConfig,
    /// Its data, which has the content that the record names.
    pub dataset: Dataset,
    /// Its training rows, where the run streamed them and [`load`] left them on disk.
    pub shards: Shards,
    /// Where the data lies.
    pub folder: PathBuf,
}

impl Stored {
    /// Latest events of a history that the run's rows had.
    pub fn history_limit(&self) -> Option<u32> {
        let limits = [self.config.train.history_limit(), self.dataset.history_limit];
        limits.into_iter().flatten().min()
    }
}

/// Reads the run that the arguments name, and its data.
pub fn load(arguments: &EvalArguments) -> Result<Stored> {
    let directory = arguments
        .run
        .as_ref()
        .or(arguments.positional.as_ref())
        .context("no run directory was given")?;
    let (record, config) = job::read_run(directory)?;
    let folder = folder_of(&record, arguments.data.as_deref());
    let (dataset, shards, config) =
        data::open_for(&folder, Some(record.protocol), config, &OneReader)?;
    stored(directory, record, config, dataset, shards, folder)
}

fn folder_of(record: &RunRecord, data: Option<&Path>) -> PathBuf {
    data.map(Path::to_path_buf)
        .unwrap_or_else(|| Path::new(data::PREPARED_FOLDER).join(&record.dataset.id))
}

/// Reads a run, and all of its data from the folder given or from where prepared datasets lie.
pub fn load_from(directory: &Path, data: Option<&Path>) -> Result<Stored> {
    let (record, config) = job::read_run(directory)?;
    let folder = folder_of(&record, data);
    let dataset = data::open(&folder, Some(record.protocol))?;
    stored(directory, record, config, dataset, None, folder)
}

/// Checks that the data is the run's.
fn stored(
    directory: &Path,
    record: RunRecord,
    config: RunConfig,
    dataset: Dataset,
    shards: Shards,
    folder: PathBuf,
) -> Result<Stored> {
    let directory = directory.to_path_buf();
    if dataset.content_sha256 != record.dataset.content_sha256 {
        bail!(
            "{} holds {} with content {}, the run used {} with content {}: name the right one by \
             --data",
            folder.display(),
            dataset.id,
            dataset.content_sha256,
            record.dataset.id,
            record.dataset.content_sha256
        );
    }
    Ok(Stored { directory, record, config, dataset, shards, folder })
}

pub fn evaluate(arguments: &EvalArguments) -> Result<()> {
    let Stored { directory, record, config, dataset, shards, .. } = load(arguments)?;
    let (features, _) = streamed::features(&config.regularizer, &dataset, &shards, &OneReader)?;
    let network = job::stored_network(&directory, &config, &features.schema, &record)?;
    let history = config.train.history_limit();
    let size = config.train.evaluation_batch_size;
    let scores = pool(arguments.threads)?.install(|| {
        score_split(&network, &features, Split::Test, size, history, interrupt::flag())
    })?;
    let test = Evaluation::of(&dataset, Split::Test, &scores)?;
    let variants: Vec<(&str, f64)> = [
        ("authors", GaucVariant::Authors),
        ("fuxictr", GaucVariant::FuxiCtr),
        ("recbole", GaucVariant::RecBole),
    ]
    .into_iter()
    .map(|(name, variant)| {
        let samples = &dataset.test;
        Ok((name, gauc(&samples.users, &samples.labels, &scores, variant)?.value))
    })
    .collect::<Result<_>>()?;
    let value = json!({
        "run_id": record.run_id,
        "signature": record.signature,
        "test_gauc": test.gauc,
        "test_auc": test.auc,
        "test_log_loss": test.log_loss,
        "test_gauc_variants": variants.iter().copied().collect::<std::collections::BTreeMap<_, _>>(),
    });
    output::formatted(arguments.format, &value, || {
        let mut text = format!(
            "{} = {:.6} (n=1)\ntest AUC {:.6}, test LogLoss {:.6}\n",
            record.signature, test.gauc, test.auc, test.log_loss
        );
        for (name, value) in &variants {
            text.push_str(&format!("gAUC as {name} defines it {value:.6}\n"));
        }
        text
    })?;
    let recorded = record.metrics.test_gauc;
    if recorded.is_some_and(|recorded| recorded.to_bits() != test.gauc.to_bits()) {
        return Err(Failure::Expectation(format!(
            "the record says {}, the stored weights give {}: another version or another machine?",
            recorded.unwrap_or_default(),
            test.gauc
        ))
        .into());
    }
    Ok(())
}
