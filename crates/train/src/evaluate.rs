//! Scoring a split.

use crate::{Error, Result};
use ctr_core::{Batch, Dataset, Split, TrainShards, for_each_shard};
use ctr_metrics::GaucVariant;
use ctr_nn::{Network, Occurrences, ScoringMemory, Weights};
use rayon::prelude::*;
use std::sync::atomic::{AtomicBool, Ordering};

/// Metrics of one split.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Evaluation {
    /// Impression-weighted AUC over users (paper, equation 10).
    pub gauc: f64,
    /// Pooled AUC.
    pub auc: f64,
    /// Mean logistic loss.
    pub log_loss: f64,
}

impl Evaluation {
    /// Metrics of `logits`, one for each row of the split.
    ///
    /// # Errors
    /// When a metric is not defined: one class only, a score that is not a number.
    pub fn of(dataset: &Dataset, split: Split, logits: &[f32]) -> Result<Self> {
        let samples = dataset.split(split);
        let fail = |source| Error::Metric { split: split.name(), source };
        let gauc = ctr_metrics::gauc(&samples.users, &samples.labels, logits, GaucVariant::Paper)
            .map_err(fail)?;
        Ok(Self {
            gauc: gauc.value,
            auc: ctr_metrics::auc(&samples.labels, logits).map_err(fail)?,
            log_loss: ctr_metrics::log_loss_from_logits(&samples.labels, logits).map_err(fail)?,
        })
    }
}

/// Logits of all rows of a split, in order. Batches are scored in parallel on rayon's current threads;
/// their boundaries do not depend on the number of threads, so neither do the bits.
///
/// # Errors
/// When the dataset does not fit the network; [`Error::Interrupted`] when `stop` was raised in between.
pub fn score_split(
    network: &Network,
    dataset: &Dataset,
    split: Split,
    batch_size: usize,
    max_history: Option<u32>,
    stop: &AtomicBool,
) -> Result<Vec<f32>> {
    let rows: Vec<u32> = (0..dataset.split(split).rows() as u32).collect();
    let parts: Vec<Vec<f32>> = rows
        .par_chunks(batch_size.max(1))
        .map_init(
            || (Batch::default(), ScoringMemory::default()),
            |(batch, memory), rows| {
                if stop.load(Ordering::Relaxed) {
                    return Err(Error::Interrupted);
                }
                dataset.fill_batch(split, rows, max_history, batch);
                Ok(network.score(batch, memory)?)
            },
        )
        .collect::<Result<_>>()?;
    Ok(parts.concat())
}

/// In how many training rows each table row occurs: n_j of the paper's equations 4 to 7.
///
/// # Errors
/// When the dataset does not fit the weights.
pub fn count_occurrences(
    dataset: &Dataset,
    weights: &Weights,
    max_history: Option<u32>,
) -> Result<Occurrences> {
    let mut occurrences = Occurrences::new(weights);
    add_occurrences(&mut occurrences, dataset, weights, max_history)?;
    Ok(occurrences)
}

/// [`count_occurrences`] with one shard in memory at a time.
///
/// # Errors
/// When a shard cannot be read, or does not fit the weights.
pub fn count_occurrences_in_shards(
    shards: &dyn TrainShards,
    weights: &Weights,
    max_history: Option<u32>,
) -> Result<Occurrences> {
    let mut occurrences = Occurrences::new(weights);
    for_each_shard(shards, |shard| add_occurrences(&mut occurrences, shard, weights, max_history))?;
    Ok(occurrences)
}

fn add_occurrences(
    occurrences: &mut Occurrences,
    dataset: &Dataset,
    weights: &Weights,
    max_history: Option<u32>,
) -> Result<()> {
    let rows: Vec<u32> = (0..dataset.train.rows() as u32).collect();
    let mut batch = Batch::default();
    for rows in rows.chunks(4096) {
        dataset.fill_batch(Split::Train, rows, max_history, &mut batch);
        occurrences.add(weights, &batch)?;
    }
    Ok(())
}
