//! `--tensorboard`: a run's numbers as TensorBoard shows them.

use crate::progress::RunProgress;
use anyhow::Result;
use ctr_core::{CurvePoint, RunRecord};
use ctr_export::tensorboard::{EventFile, Scalar};
use ctr_nn::Network;
use ctr_train::{Observer, read_losses};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The event files' folder in a run's directory.
const FOLDER: &str = "tensorboard";
/// Steps whose losses are one number.
const INTERVAL: u64 = 100;
/// What that number is called. The others have their names in `record.json`.
const INTERVAL_LOSS: &str = "train_loss_100_steps";

/// The event file of one run.
pub struct Board {
    folder: PathBuf,
    /// The configuration, as Markdown.
    text: String,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    file: Option<EventFile>,
    /// Losses of the interval under way.
    sum: f64,
    count: u64,
}

impl Board {
    pub fn new(directory: &Path, title: &str, config: &impl serde::Serialize) -> Result<Self> {
        let config = serde_json::to_string_pretty(config)?;
        let text = format!("{title}\n\n    {}", config.replace('\n', "\n    "));
        Ok(Self { folder: directory.join(FOLDER), text, state: Mutex::default() })
    }

    /// Writes the numbers of a run that is finished.
    pub fn write_finished(&self, directory: &Path, record: &RunRecord) -> Result<()> {
        Ok(self.begin(&read_losses(directory)?, &record.curve)?)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self, losses: &[f64], curve: &[CurvePoint]) -> ctr_export::Result<()> {
        let whole = losses.chunks_exact(INTERVAL as usize);
        let rest = whole.remainder();
        let intervals =
            (1..).zip(whole).map(|(number, losses)| interval(number * INTERVAL, losses));
        let mut scalars: Vec<Scalar> = intervals.chain(curve.iter().flat_map(scalars)).collect();
        scalars.sort_by_key(|scalar| scalar.step);
        let file = EventFile::begin(&self.folder, ("run", &self.text), &scalars)?;
        let (sum, count) = (rest.iter().sum(), rest.len() as u64);
        *self.state() = State { file: Some(file), sum, count };
        Ok(())
    }

    fn append(&self, scalars: &[Scalar]) {
        let mut state = self.state();
        if let Some(file) = &mut state.file
            && let Err(error) = file.append(scalars)
        {
            // Training is worth more than its picture.
            tracing::warn!("no more events for TensorBoard: {error}");
            state.file = None;
        }
    }
}

fn interval(step: u64, losses: &[f64]) -> Scalar {
    let value = losses.iter().sum::<f64>() / losses.len() as f64;
    Scalar { tag: INTERVAL_LOSS.into(), step, value }
}

/// The numbers of an evaluation under their names in `record.json`.
fn scalars(point: &CurvePoint) -> Vec<Scalar> {
    let Ok(Value::Object(fields)) = serde_json::to_value(point) else { return Vec::new() };
    let numbers = fields.into_iter().filter(|(tag, _)| tag != "step");
    numbers
        .filter_map(|(tag, value)| Some(Scalar { tag, step: point.step, value: value.as_f64()? }))
        .collect()
}

/// A run's bar, and its board where one is wanted.
pub struct Watch<'w> {
    pub progress: &'w RunProgress,
    pub board: Option<&'w Board>,
}

impl Observer for Watch<'_> {
    fn started(&self, step: u64, steps: u64, batch_size: usize) {
        self.progress.started(step, steps, batch_size);
    }

    fn begun(&self, losses: &[f64], curve: &[CurvePoint]) {
        if let Some(Err(error)) = self.board.map(|board| board.begin(losses, curve)) {
            tracing::warn!("no events for TensorBoard: {error}");
        }
    }

    fn stepped(&self, step: u64, loss: f64) {
        self.progress.stepped(step, loss);
        let Some(board) = self.board else { return };
        let mut state = board.state();
        state.sum += loss;
        state.count += 1;
        if step.is_multiple_of(INTERVAL) {
            let value = state.sum / state.count as f64;
            (state.sum, state.count) = (0.0, 0);
            drop(state);
            board.append(&[Scalar { tag: INTERVAL_LOSS.into(), step, value }]);
        }
    }

    fn evaluated(&self, point: &CurvePoint, chosen: bool, network: &Network) {
        self.progress.evaluated(point, chosen, network);
        if let Some(board) = self.board {
            board.append(&scalars(point));
        }
    }
}
