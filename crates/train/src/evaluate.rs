//! Scoring a split.

use crate::{Error, Result};
use ctr_core::{Batch, Dataset, Part, Split, TrainShards, for_each_shard_of};
use ctr_metrics::GaucVariant;
use ctr_nn::{Communicator, Network, Occurrences, ScoringMemory, Weights, share_of};
use rayon::prelude::*;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

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

/// What scoring needs beside the weights, kept from one evaluation to the next: else every evaluation would
/// take memory anew, and the allocator keeps more of it each time.
#[derive(Debug, Default)]
pub struct ScoringMemories(Mutex<Vec<(Batch, ScoringMemory)>>);

impl ScoringMemories {
    fn lend(&self) -> Lent<'_> {
        let mut free = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Lent { of: self, memory: free.pop().unwrap_or_default() }
    }
}

/// The memory of one thread, which goes back in the end.
struct Lent<'m> {
    of: &'m ScoringMemories,
    memory: (Batch, ScoringMemory),
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        let mut free = self.of.0.lock().unwrap_or_else(PoisonError::into_inner);
        free.push(std::mem::take(&mut self.memory));
    }
}

/// Logits of all rows of a split, in order. Batches are scored in parallel on rayon's current threads, and by
/// all ranks of the network, each some of them; their boundaries do not depend on the number of threads or
/// ranks, so neither do the bits.
///
/// # Errors
/// When the dataset does not fit the network; [`Error::Interrupted`] when `stop` was raised in between, here or
/// on another rank.
pub fn score_split(
    network: &Network,
    dataset: &Dataset,
    split: Split,
    batch_size: usize,
    max_history: Option<u32>,
    stop: &AtomicBool,
) -> Result<Vec<f32>> {
    let memories = ScoringMemories::default();
    score_split_in(&memories, network, dataset, split, batch_size, max_history, stop)
}

/// [`score_split`] in memory that the caller keeps.
pub(crate) fn score_split_in(
    memories: &ScoringMemories,
    network: &Network,
    dataset: &Dataset,
    split: Split,
    batch_size: usize,
    max_history: Option<u32>,
    stop: &AtomicBool,
) -> Result<Vec<f32>> {
    let (ranks, batch_size) = (&*network.ranks, batch_size.max(1));
    let count = dataset.split(split).rows();
    let batches = count.div_ceil(batch_size);
    let own = share_of(batches, ranks.rank(), ranks.size());
    let row = |batch: usize| (batch * batch_size).min(count) as u32;
    let rows: Vec<u32> = (row(own.start)..row(own.end)).collect();
    if network.is_partitioned() {
        let rounds = batches.div_ceil(ranks.size()).div_ceil(BATCHES_A_ROUND);
        let fill = |rows: &[u32]| {
            let mut batch = Batch::default();
            dataset.fill_batch(split, rows, max_history, &mut batch);
            batch
        };
        let scores = score_fetched(memories, network, &rows, batch_size, rounds, fill, stop);
        return gather(ranks, scores);
    }
    let parts: Result<Vec<Vec<f32>>> = rows
        .par_chunks(batch_size)
        .map_init(
            || memories.lend(),
            |lent, rows| {
                if stop.load(Ordering::Relaxed) {
                    return Err(Error::Interrupted);
                }
                let (batch, memory) = &mut lent.memory;
                dataset.fill_batch(split, rows, max_history, batch);
                Ok(network.score(batch, memory)?)
            },
        )
        .collect();
    if ranks.size() == 1 {
        return Ok(parts?.concat());
    }
    gather(ranks, parts.map(|parts| parts.concat()))
}

/// Batches for which a rank fetches rows at a time.
const BATCHES_A_ROUND: usize = 16;

/// Scores with rows that other ranks have. All take part in each of the `rounds`, with batches or without.
fn score_fetched(
    memories: &ScoringMemories,
    network: &Network,
    rows: &[u32],
    batch_size: usize,
    rounds: usize,
    fill: impl Fn(&[u32]) -> Batch + Sync,
    stop: &AtomicBool,
) -> Result<Vec<f32>> {
    let mut scores = Vec::with_capacity(rows.len());
    let mut chunks = rows.chunks(batch_size * BATCHES_A_ROUND);
    for _ in 0..rounds {
        let rows: Vec<&[u32]> = chunks.next().unwrap_or_default().chunks(batch_size).collect();
        let batches: Vec<Batch> = rows.into_par_iter().map(&fill).collect();
        let Some(fetched) = network.fetch_rows(&batches, stop.load(Ordering::Relaxed))? else {
            return Err(Error::Interrupted);
        };
        let parts: Result<Vec<Vec<f32>>> = batches
            .par_iter()
            .map_init(
                || memories.lend(),
                |lent, batch| Ok(network.score_fetched(&fetched, batch, &mut lent.memory.1)?),
            )
            .collect();
        scores.extend(parts?.concat());
    }
    Ok(scores)
}

/// The scores of all ranks in their order; an end of one of them ends all.
fn gather(ranks: &dyn Communicator, own: Result<Vec<f32>>) -> Result<Vec<f32>> {
    let mut message = vec![u32::from(matches!(own, Err(Error::Interrupted)))];
    if let Ok(scores) = &own {
        message.extend(scores.iter().map(|score| score.to_bits()));
    } else if message[0] == 0 {
        own?;
    }
    let all = ranks.all_gather(&message)?;
    if all.iter().any(|words| words.first() != Some(&0)) {
        return Err(Error::Interrupted);
    }
    Ok(all.iter().flat_map(|words| &words[1..]).map(|&bits| f32::from_bits(bits)).collect())
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
/// Each of the `ranks` counts in its own shards, and all get the sums.
///
/// # Errors
/// When a shard cannot be read, or does not fit the weights, or a rank is lost.
pub fn count_occurrences_in_shards(
    shards: &dyn TrainShards,
    weights: &Weights,
    max_history: Option<u32>,
    ranks: &dyn Communicator,
) -> Result<Occurrences> {
    let mut occurrences = Occurrences::new(weights);
    let part = Part { index: ranks.rank(), of: ranks.size() };
    for_each_shard_of(shards, part, |shard| {
        add_occurrences(&mut occurrences, shard, weights, max_history)
    })?;
    occurrences.sum_over(ranks)?;
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
