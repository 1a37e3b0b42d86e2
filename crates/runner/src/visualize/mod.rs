//! Looking into a trained network: figures 5 and 6 of the paper as numbers.

mod activation;
mod embedding;
mod goods;
mod histograms;

use crate::config::RunConfig;
use crate::failure::is_interruption;
use crate::job;
use anyhow::{Context, Result, bail};
use ctr_core::{
    ACTIVATION_FILES, Dataset, EMBEDDING_FILES, FIGURES_SCHEMA_VERSION, FigureSource, RunRecord,
    Status, write_atomic,
};
use ctr_dataset_prep::{Keys, read_keys};
use ctr_nn::Network;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::borrow::Cow;
use std::path::{Path, PathBuf};

pub use activation::activation;
pub use embedding::{EmbeddingOptions, embedding};
pub use histograms::write_histograms;

/// A finished run with its network, and its data with the names of the ids.
pub struct Look<'d> {
    record: RunRecord,
    config: RunConfig,
    dataset: &'d Dataset,
    /// Of each vocabulary.
    names: Vec<Keys>,
    network: Network,
}

impl<'d> Look<'d> {
    /// The run in `directory`, which was trained on `dataset`, prepared in `folder`.
    ///
    /// # Errors
    /// When the run has no weights to look into, or its data is not as it was prepared.
    pub fn new(directory: &Path, dataset: &'d Dataset, folder: &Path) -> Result<Self> {
        let (record, config) = job::read_run(directory)?;
        if record.status == Status::Diverged {
            bail!("{} diverged: it has no weights to look into", directory.display());
        }
        if matches!(config.regularizer.features(dataset)?, Cow::Owned(_)) {
            bail!(
                "{} was trained without some ids (regularizer {}): take a run that knows all goods",
                directory.display(),
                config.regularizer
            );
        }
        let network = job::stored_network(directory, &config, &dataset.schema, &record)?;
        Ok(Self { record, config, dataset, names: read_keys(folder)?, network })
    }

    /// The latest events that the model sees, as in its evaluations.
    fn max_history(&self) -> Option<u32> {
        self.config.train.history_limit()
    }

    fn source(&self, rule: String) -> FigureSource {
        FigureSource {
            schema_version: FIGURES_SCHEMA_VERSION,
            run_id: self.record.run_id.clone(),
            model: self.record.model.id.clone(),
            model_sha256: self.record.model_sha256.clone(),
            dataset: self.dataset.id.clone(),
            content_sha256: self.dataset.content_sha256.clone(),
            simulated: self.dataset.simulated,
            titled: self.names.first().is_some_and(|keys| !keys.titles.is_empty()),
            rule,
        }
    }
}

/// The file of a figure's numbers in a reports folder, by the beginning of its name.
pub fn file(out: &Path, begin: &str, dataset: &str) -> PathBuf {
    out.join(format!("{begin}{dataset}.json"))
}

/// Writes both figures of the run in `directory`, which was trained on `dataset`, prepared in `folder`. What a figure
/// cannot be drawn for is told, not an error.
///
/// # Errors
/// When a file cannot be written.
pub fn write_both(directory: &Path, dataset: &Dataset, folder: &Path, out: &Path) -> Result<()> {
    let look = match Look::new(directory, dataset, folder) {
        Ok(look) => look,
        Err(error) => {
            tracing::info!("{}: no figures 5 and 6 of it: {error:#}", directory.display());
            return Ok(());
        }
    };
    write_one("figure 5", &look, &file(out, ACTIVATION_FILES, &dataset.id), activation)?;
    let map = |look: &Look<'_>| embedding(look, &EmbeddingOptions::default());
    write_one("figure 6", &look, &file(out, EMBEDDING_FILES, &dataset.id), map)
}

/// Writes a figure that is not there yet.
fn write_one<F: Serialize>(
    name: &str,
    look: &Look<'_>,
    path: &Path,
    make: impl FnOnce(&Look<'_>) -> Result<F>,
) -> Result<()> {
    if is_of(path, look) {
        return Ok(());
    }
    match make(look) {
        Ok(figure) => store(&figure, path),
        Err(error) if is_interruption(&error) => Err(error),
        Err(error) => {
            tracing::info!("{}: no {name}: {error:#}", look.dataset.id);
            Ok(())
        }
    }
}

/// Whether the file was made from the same weights by this version.
fn is_of(path: &Path, look: &Look<'_>) -> bool {
    #[derive(serde::Deserialize)]
    struct SourceOnly {
        source: FigureSource,
    }
    read::<SourceOnly>(path).is_some_and(|found| {
        found.source.schema_version == FIGURES_SCHEMA_VERSION
            && found.source.model_sha256 == look.record.model_sha256
            && found.source.run_id == look.record.run_id
    })
}

/// Numbers that were stored; none when there are none, or such as this version does not read.
fn read<F: DeserializeOwned>(path: &Path) -> Option<F> {
    serde_json::from_slice(&std::fs::read(path).ok()?).ok()
}

/// Writes a figure's numbers.
///
/// # Errors
/// When they cannot be written.
pub fn store<F: Serialize>(figure: &F, path: &Path) -> Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot make the folder {}", folder.display()))?;
    }
    let text = serde_json::to_string_pretty(figure)? + "\n";
    Ok(write_atomic(path, text.as_bytes())?)
}
