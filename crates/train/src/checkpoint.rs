//! Everything needed to go on as if nothing had happened.

use crate::{Error, Result};
use ctr_core::{AtomicFile, Best, CurvePoint, write_atomic};
use ctr_nn::{NamedTensors, Network, Optimizer, read_spread, write_spread};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Weights of the chosen evaluation.
pub const MODEL_FILE: &str = "model.safetensors";
/// Held by the process that does the run, as long as it lives.
pub const LOCK_FILE: &str = "checkpoint/lock";
/// State of an unfinished run, in its directory.
pub const CHECKPOINT_FILE: &str = "checkpoint/state.safetensors";

/// What a run remembers beside weights and optimizer. Random streams need no state: the permutation of
/// an epoch comes from the stream of that epoch's name, and the cursor says how far it was used.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Progress {
    /// The run that wrote it.
    pub run_id: String,
    /// Steps done; also the data cursor.
    pub step: u64,
    /// Sum of the losses since the last evaluation, and their number.
    pub loss_sum: f64,
    pub loss_count: u64,
    /// Evaluations so far.
    pub curve: Vec<CurvePoint>,
    /// The chosen one and its criterion.
    pub best: Option<Best>,
    pub best_value: f64,
    /// Evaluations since then.
    pub worse: u64,
    /// Seconds and rows so far.
    pub train_seconds: f64,
    pub train_rows: u64,
    pub eval_seconds: f64,
    pub eval_rows: u64,
}

/// Writes the checkpoint: one file, replaced at once.
pub(crate) fn save(
    directory: &Path,
    network: &Network,
    optimizer: &Optimizer,
    progress: &Progress,
) -> Result<()> {
    let metadata = serde_json::to_string(progress).map_err(ctr_core::Error::from)?;
    let path = directory.join(CHECKPOINT_FILE);
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)
            .map_err(|source| Error::Io { path: folder.to_path_buf(), source })?;
    }
    if network.is_partitioned() {
        return write_together(&path, network, Some(optimizer), &metadata);
    }
    let mut state = network.weights.export();
    state.append(optimizer.export(&network.weights));
    state.metadata = metadata;
    let bytes = state.to_bytes()?;
    write_atomic(&path, &bytes)?;
    tracing::debug!("{}: step {}, {} bytes", path.display(), progress.step, bytes.len());
    Ok(())
}

/// Writes weights that are spread over ranks, all of whom must call it: the first one has the file.
pub(crate) fn write_together(
    path: &Path,
    network: &Network,
    optimizer: Option<&Optimizer>,
    metadata: &str,
) -> Result<()> {
    if network.ranks.rank() > 0 {
        return Ok(write_spread(network, optimizer, metadata, None)?);
    }
    let mut file = AtomicFile::new(path)?;
    write_spread(network, optimizer, metadata, Some(&mut file))?;
    Ok(file.finish()?)
}

/// Reads this rank's part of weights that are spread over ranks, and all that is not spread.
pub(crate) fn read_part(
    path: &Path,
    network: &mut Network,
    optimizer: Option<&mut Optimizer>,
) -> Result<NamedTensors> {
    let fail = |source| Error::Io { path: path.to_path_buf(), source };
    let mut file = std::fs::File::open(path).map_err(fail)?;
    Ok(read_spread(network, optimizer, &mut file)?)
}

/// The step that a run would go on from in a directory, by the head of its checkpoint, whose tensors may be large; none
/// where there is no checkpoint to be read, or that of another run than the one named.
pub fn kept_step(directory: &Path, run_id: Option<&str>) -> Option<u64> {
    let mut file = std::fs::File::open(directory.join(CHECKPOINT_FILE)).ok()?;
    let metadata = ctr_nn::read_metadata(&mut file).ok()?;
    let progress: Progress = serde_json::from_str(&metadata).ok()?;
    run_id.is_none_or(|run_id| progress.run_id == run_id).then_some(progress.step)
}

/// Removes a checkpoint, if there is one.
pub(crate) fn remove(directory: &Path) -> Result<()> {
    let path = directory.join(CHECKPOINT_FILE);
    match std::fs::remove_file(&path) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::Io { path, source })
        }
        _ => Ok(()),
    }
}

/// Reads the checkpoint of `run_id` into network and optimizer.
pub(crate) fn load(
    directory: &Path,
    run_id: &str,
    network: &mut Network,
    optimizer: &mut Optimizer,
) -> Result<Progress> {
    let path = directory.join(CHECKPOINT_FILE);
    let fail = |reason: String| Error::Checkpoint { path: path.clone(), reason };
    let state = if network.is_partitioned() {
        read_part(&path, network, Some(optimizer)).map_err(|error| fail(error.to_string()))?
    } else {
        let bytes =
            std::fs::read(&path).map_err(|source| Error::Io { path: path.clone(), source })?;
        NamedTensors::from_bytes(&bytes).map_err(|error| fail(error.to_string()))?
    };
    let progress: Progress =
        serde_json::from_str(&state.metadata).map_err(|error| fail(error.to_string()))?;
    if progress.run_id != run_id {
        return Err(fail(format!(
            "it belongs to run {}, this is run {run_id}: another configuration, seed or dataset",
            progress.run_id
        )));
    }
    network.weights.import(&state).map_err(|error| fail(error.to_string()))?;
    optimizer
        .import(&network.weights, &state, progress.step)
        .map_err(|error| fail(error.to_string()))?;
    tracing::debug!("{}: goes on after step {}", path.display(), progress.step);
    Ok(progress)
}
