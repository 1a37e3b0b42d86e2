//! Settings of a run.

use crate::{Error, Result};
use ctr_nn::OptimizerConfig;
use serde::{Deserialize, Serialize};

/// How to train. In files and on the command line, 0 stands for "none" where the table says so.
///
/// | name | default | source |
/// |---|---|---|
/// | `batch_size` | 32 | paper, 6.2; authors' code |
/// | `epochs` | 50 | authors' code (30 for Wide&Deep) |
/// | `max_steps` | 0: none | ours |
/// | `max_history` | 0: none | authors' code has no cap |
/// | `evaluate_every_steps` | 1000 | authors' code; 0: only at the parts of an epoch below |
/// | `evaluations_per_epoch` | 0: none | ours, for data sets of other sizes: at equal parts of every epoch |
/// | `patience` | 0: never stop early | ours: evaluations without a better one before stopping |
/// | `min_epochs` | 0 | ours: no early stop before |
/// | `reinitialize_embeddings` | false | MEDA (arXiv 2305.19531): all tables are drawn again at the beginning of every epoch but the first |
/// | `evaluation_batch_size` | 512 | authors' code; moves no number |
/// | `checkpoint_every_steps` | 0: at evaluations only | ours; moves no number |
/// | `shuffle_buffer` | 0: all rows in memory | ours: rows that streaming from shards may mix at a time |
/// | `shards` | 0: those of the data | ours: the number of shards to stream from, which decides the order of rows |
/// | `optimizer` | SGD 1.0, 0.1 from step 336,000, clip norm 5 | authors' code |
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TrainConfig {
    /// Rows a step.
    pub batch_size: usize,
    /// Passes over the training rows.
    pub epochs: u64,
    /// Steps after which to stop.
    pub max_steps: u64,
    /// Latest events of a history to keep.
    pub max_history: u32,
    /// Steps from one evaluation to the next.
    pub evaluate_every_steps: u64,
    /// Evaluations in an epoch.
    pub evaluations_per_epoch: u64,
    /// Evaluations without a better one before stopping.
    pub patience: u64,
    /// Epochs before patience counts.
    pub min_epochs: f64,
    /// Draw all tables again at the beginning of every epoch but the first.
    pub reinitialize_embeddings: bool,
    /// Rows scored at once.
    pub evaluation_batch_size: usize,
    /// Steps from one checkpoint to the next.
    pub checkpoint_every_steps: u64,
    /// Rows that are in memory and mixed at a time when training rows are streamed from shards; 0 for all.
    #[serde(skip_serializing_if = "is_zero")]
    pub shuffle_buffer: u64,
    /// Shards that rows are streamed from.
    #[serde(skip_serializing_if = "is_zero")]
    pub shards: u64,
    /// Optimizer.
    pub optimizer: OptimizerConfig,
}

/// Settings with this value are left out, so that the configurations of runs without them stay what they were.
fn is_zero(value: &u64) -> bool {
    *value == 0
}

impl Default for TrainConfig {
    fn default() -> Self {
        Self {
            batch_size: 32,
            epochs: 50,
            max_steps: 0,
            max_history: 0,
            evaluate_every_steps: 1000,
            evaluations_per_epoch: 0,
            patience: 0,
            min_epochs: 0.0,
            reinitialize_embeddings: false,
            evaluation_batch_size: 512,
            checkpoint_every_steps: 0,
            shuffle_buffer: 0,
            shards: 0,
            optimizer: OptimizerConfig::default(),
        }
    }
}

impl TrainConfig {
    /// Checks that the settings make a run.
    ///
    /// # Errors
    /// Names the first setting that does not, and its value.
    pub fn validate(&self) -> Result<()> {
        let fail = |reason: String| Err(Error::Config(reason));
        if self.batch_size == 0 || self.evaluation_batch_size == 0 {
            return fail("batch_size and evaluation_batch_size must be at least 1".into());
        }
        if self.epochs == 0 {
            return fail("epochs is 0, expected at least 1".into());
        }
        if !(self.min_epochs >= 0.0 && self.min_epochs.is_finite()) {
            return fail(format!("min_epochs is {}, expected 0 or more", self.min_epochs));
        }
        if self.shards > 0 && self.shuffle_buffer == 0 {
            return fail(format!(
                "shards is {} without shuffle_buffer, the rows that are mixed at a time",
                self.shards
            ));
        }
        Ok(())
    }

    /// Steps of a run on so many training rows that does not stop early.
    pub fn steps(&self, rows: u64) -> u64 {
        let steps = rows.div_ceil(self.batch_size.max(1) as u64).saturating_mul(self.epochs);
        if self.max_steps > 0 { steps.min(self.max_steps) } else { steps }
    }

    /// `max_history` as a batch wants it.
    pub fn history_limit(&self) -> Option<u32> {
        (self.max_history > 0).then_some(self.max_history)
    }
}
