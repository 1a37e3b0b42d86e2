//! One run, scored in every wrong way.

use super::{A, AB, B, C, C_IF, D};
use crate::config::RunConfig;
use crate::interrupt;
use crate::job::Job;
use crate::registry::ModelConfig;
use anyhow::Result;
use ctr_base_model::BaseModelConfig;
use ctr_core::{Batch, CurvePoint, Dataset, SeedStreams, Split};
use ctr_deepfm::DeepFmConfig;
use ctr_din::DinConfig;
use ctr_metrics::{GaucVariant, gauc};
use ctr_nn::{Activation, EmbeddingMlpConfig, NamedTensors, Network, Normalization};
use ctr_pnn::PnnConfig;
use ctr_train::{Observer, score_split};
use ctr_wide_deep::WideDeepConfig;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// Pairs scored at a time in (a).
const PAIRS: usize = 32;
/// Rows of a batch in (d): the authors' test batches.
const BATCH: usize = 512;

/// A run whose test rows are scored wrong.
pub struct Case<'d> {
    config: &'d RunConfig,
    seed: u64,
    dataset: &'d Dataset,
    features: &'d Dataset,
    pairs: &'d [(u32, u32)],
    /// All weights as they were before training.
    initial: NamedTensors,
    /// The highest value of each wrong way over the evaluations of training.
    peaks: Mutex<BTreeMap<&'static str, f64>>,
    failed: Mutex<Option<anyhow::Error>>,
}

impl<'d> Case<'d> {
    pub fn new(job: &'d Job<'d>, features: &'d Dataset, pairs: &'d [(u32, u32)]) -> Result<Self> {
        let initial = job.config.model.network(&features.schema, SeedStreams::new(job.seed))?;
        Ok(Self {
            config: &job.config,
            seed: job.seed,
            dataset: job.dataset,
            features,
            pairs,
            initial: initial.weights.export(),
            peaks: Mutex::default(),
            failed: Mutex::default(),
        })
    }

    fn history(&self) -> Option<u32> {
        let limit = self.config.train.max_history;
        (limit > 0).then_some(limit)
    }

    pub fn score(&self, network: &Network) -> Result<Vec<f32>> {
        let size = self.config.train.evaluation_batch_size;
        let stop = interrupt::flag();
        Ok(score_split(network, self.features, Split::Test, size, self.history(), stop)?)
    }

    pub fn gauc(&self, scores: &[f32]) -> Result<f64> {
        let test = &self.dataset.test;
        Ok(gauc(&test.users, &test.labels, scores, GaucVariant::Paper)?.value)
    }

    /// The same weights, of which those wanted are as before training.
    fn untrained(&self, network: &Network, wanted: impl Fn(&str) -> bool) -> Result<Network> {
        let schema = &self.features.schema;
        let mut partly = self.config.model.network(schema, SeedStreams::new(self.seed))?;
        let mut weights = network.weights.export();
        weights.append(self.initial.clone().only(wanted));
        partly.weights.import(&weights)?;
        Ok(partly)
    }

    /// The highest value of each wrong way over all evaluations that it watched.
    pub fn into_peaks(self) -> Result<BTreeMap<&'static str, f64>> {
        match self.failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
            Some(error) => Err(error),
            None => Ok(self.peaks.into_inner().unwrap_or_else(PoisonError::into_inner)),
        }
    }

    /// gAUC in every wrong way that applies to the model.
    pub fn values(&self, network: &Network) -> Result<BTreeMap<&'static str, f64>> {
        let clean = self.score(network)?;
        // The negatives' scores from elsewhere, the positives' as they are.
        let negatives_of = |other: &[f32]| -> Vec<f32> {
            let rows = self.dataset.test.labels.iter().zip(clean.iter().zip(other));
            rows.map(|(&label, (&clean, &other))| if label == 1 { clean } else { other }).collect()
        };
        let mut values = BTreeMap::new();
        values.insert(A, self.gauc(&self.attended_to_positives(network)?)?);
        let Some(frame) = frame(&self.config.model) else { return Ok(values) };
        let dice = [Activation::Dice, Activation::DiceAuthors, Activation::DiceJanuary2018];
        if dice.contains(&frame.activation) {
            let of_mlp = |name: &str| name.starts_with("mlp/") && name.ends_with("dice/alpha");
            let dice = self.untrained(network, of_mlp)?;
            values.insert(B, self.gauc(&negatives_of(&self.score(&dice)?))?);
            let both = negatives_of(&self.attended_to_positives(&dice)?);
            values.insert(AB, self.gauc(&both)?);
        }
        if frame.normalization != Normalization::None {
            let of_user = |name: &str| name.starts_with("user/") && name.contains("normalization/");
            let twice = self.score(&self.untrained(network, of_user)?)?;
            let twice = self.gauc(&negatives_of(&twice))?;
            if self.config.model.settings::<DinConfig>().is_some() {
                values.insert(C, twice);
            } else {
                // One vector, normalized once: there is no second normalization to forget.
                values.insert(C, self.gauc(&clean)?);
                values.insert(C_IF, twice);
            }
        }
        if !network.weights.statistics.is_empty() {
            values.insert(D, self.gauc(&self.batch_statistics(network)?)?);
        }
        Ok(values)
    }

    /// Gives each chunk of rows to `score` and puts its scores in the rows' places.
    fn scores(
        &self,
        chunks: impl Iterator<Item = Vec<u32>>,
        score: impl Fn(&Batch) -> ctr_nn::Result<Vec<f32>>,
    ) -> Result<Vec<f32>> {
        let mut scores = vec![f32::NAN; self.features.test.rows()];
        let mut batch = Batch::default();
        for rows in chunks {
            self.features.fill_batch(Split::Test, &rows, self.history(), &mut batch);
            for (row, score) in rows.iter().zip(score(&batch)?) {
                scores[*row as usize] = score;
            }
        }
        Ok(scores)
    }

    /// (a): both rows of a pair attend to the positive.
    fn attended_to_positives(&self, network: &Network) -> Result<Vec<f32>> {
        let chunks = self.pairs.chunks(PAIRS).map(|pairs| {
            pairs.iter().flat_map(|&(positive, negative)| [positive, negative]).collect()
        });
        self.scores(chunks, |batch| {
            let attended: Vec<u32> = (0..batch.rows() as u32).map(|row| row & !1).collect();
            network.exhibit_attended(batch, &attended)
        })
    }

    /// (d): positives and negatives in batches of their own.
    fn batch_statistics(&self, network: &Network) -> Result<Vec<f32>> {
        let (positives, negatives): (Vec<u32>, Vec<u32>) = self.pairs.iter().copied().unzip();
        let chunks = positives.chunks(BATCH).chain(negatives.chunks(BATCH)).map(<[u32]>::to_vec);
        self.scores(chunks, |batch| network.exhibit_batch_statistics(batch))
    }
}

/// Trained once more, the run is scored wrong at every evaluation, as the published logs were.
impl Observer for Case<'_> {
    fn evaluated(&self, _: &CurvePoint, _: bool, network: &Network) {
        match self.values(network) {
            Ok(values) => {
                let mut peaks = self.peaks.lock().unwrap_or_else(PoisonError::into_inner);
                for (name, value) in values {
                    let peak = peaks.entry(name).or_insert(value);
                    *peak = peak.max(value);
                }
            }
            Err(error) => {
                let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
                failed.get_or_insert(error);
            }
        }
    }
}

/// The frame of the models that the authors' code had.
fn frame(model: &ModelConfig) -> Option<&EmbeddingMlpConfig> {
    fn of<C: 'static>(
        model: &ModelConfig,
        frame: fn(&C) -> &EmbeddingMlpConfig,
    ) -> Option<&EmbeddingMlpConfig> {
        model.settings().map(frame)
    }
    of(model, |config: &BaseModelConfig| &config.network)
        .or_else(|| of(model, |config: &PnnConfig| &config.network))
        .or_else(|| of(model, |config: &WideDeepConfig| &config.network))
        .or_else(|| of(model, |config: &DeepFmConfig| &config.network))
        .or_else(|| of(model, |config: &DinConfig| &config.network))
}
