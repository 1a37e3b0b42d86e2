//! How the withdrawn numbers came about: finished runs scored in the wrong ways of the authors' earlier code.
//!
//! The weights are those of an honest run; only the scoring of the test set is wrong, as it was there. Values go
//! into a file of their own beside the record (`exhibits.json`), which no table but the exhibits' reads.

use crate::config::RunConfig;
use crate::job::{self, Job, RECORD_FILE};
use crate::registry::ModelConfig;
use anyhow::{Context, Result, bail};
use ctr_core::{
    Batch, Dataset, EXHIBIT_FILE, EXHIBIT_SCHEMA_VERSION, ExhibitRecord, RunRecord, Samples,
    SeedStreams, Split, Status, write_atomic,
};
use ctr_metrics::{GaucVariant, gauc};
use ctr_nn::{Activation, Network, Normalization};
use ctr_train::score_split;
use std::collections::BTreeMap;
use std::path::Path;

/// (a) Code of January 2018: the negative is scored with the user vector that attended to the positive.
pub const A: &str = "exhibit_a_attends_to_positive";
/// (b) Dice code of January 2018 (`name='dice_1_j'`): the negative goes through a Dice whose α never trained.
pub const B: &str = "exhibit_b_untrained_dice";
/// Both at once, as the Dice model of January 2018 had them: the log with the 0.9049.
pub const AB: &str = "exhibit_ab_january_2018";
/// (c) Code of December 2018 (`batch_normalization(hist_j)` without `reuse`): the negative's user vector goes
/// through a second normalization that never trained.
pub const C: &str = "exhibit_c_untrained_normalization";
/// What (c) would do to a model that has one user vector for both candidates and so normalizes it once.
pub const C_IF: &str = "exhibit_c_if_normalized_twice";
/// (d) Statistics of the batch at test, positives and negatives in batches of their own.
pub const D: &str = "exhibit_d_batch_statistics";
/// (e) The best of all test evaluations.
pub const E: &str = "exhibit_e_peak_on_test";

/// Pairs scored at a time in (a).
const PAIRS: usize = 32;
/// Rows of a batch in (d): the authors' test batches.
const BATCH: usize = 512;

/// Scores a finished run's test rows in every wrong way and stores the values beside its record. None where
/// users have other test rows than one positive and one negative, or the run diverged.
///
/// # Errors
/// When the run cannot be read or its weights do not give the record's number.
pub fn write(job: &Job<'_>, directory: &Path) -> Result<Option<ExhibitRecord>> {
    let (record, config) = job::read_run(directory)?;
    if record.status == Status::Diverged {
        return Ok(None);
    }
    let Some(pairs) = pairs(&job.dataset.test) else { return Ok(None) };
    if let Some(done) = finished(directory, &record)? {
        return Ok(Some(done));
    }
    let exhibits = values(job.dataset, &config, &record, directory, &pairs)?;
    let exhibit = ExhibitRecord {
        schema_version: EXHIBIT_SCHEMA_VERSION,
        run_id: record.run_id.clone(),
        model_sha256: record.model_sha256.clone(),
        test_gauc: record.metrics.test_gauc.context("the record has no test gAUC")?,
        exhibits,
    };
    let text = serde_json::to_string_pretty(&exhibit)? + "\n";
    write_atomic(&directory.join(EXHIBIT_FILE), text.as_bytes())?;
    Ok(Some(exhibit))
}

/// What an earlier call stored for the same weights.
fn finished(directory: &Path, record: &RunRecord) -> Result<Option<ExhibitRecord>> {
    let path = directory.join(EXHIBIT_FILE);
    if !path.exists() {
        return Ok(None);
    }
    let text = std::fs::read_to_string(&path)
        .with_context(|| format!("cannot read {}", path.display()))?;
    // Anything else than this version's is made again.
    let stored = serde_json::from_str::<ExhibitRecord>(&text).ok();
    Ok(stored.filter(|stored| {
        stored.schema_version == EXHIBIT_SCHEMA_VERSION
            && stored.run_id == record.run_id
            && stored.model_sha256 == record.model_sha256
    }))
}

/// Positive and negative row of each user, where each has just these two.
fn pairs(samples: &Samples) -> Option<Vec<(u32, u32)>> {
    let mut of_user: BTreeMap<u32, (Option<u32>, Option<u32>)> = BTreeMap::new();
    for (row, (&user, &label)) in (0u32..).zip(samples.users.iter().zip(&samples.labels)) {
        let pair = of_user.entry(user).or_default();
        let place = if label == 1 { &mut pair.0 } else { &mut pair.1 };
        if place.replace(row).is_some() {
            return None;
        }
    }
    of_user.into_values().map(|(positive, negative)| Some((positive?, negative?))).collect()
}

fn values(
    dataset: &Dataset,
    config: &RunConfig,
    record: &RunRecord,
    directory: &Path,
    pairs: &[(u32, u32)],
) -> Result<BTreeMap<String, f64>> {
    let features = config.regularizer.features(dataset)?;
    let network = job::stored_network(directory, config, &features.schema, record.seed)?;
    let size = config.train.evaluation_batch_size;
    let history = (config.train.max_history > 0).then_some(config.train.max_history);
    let score = |network: &Network| score_split(network, &features, Split::Test, size, history);
    let samples = &dataset.test;
    let value = |scores: &[f32]| -> Result<f64> {
        Ok(gauc(&samples.users, &samples.labels, scores, GaucVariant::Paper)?.value)
    };
    let clean = score(&network)?;
    if record.metrics.test_gauc.map(f64::to_bits) != Some(value(&clean)?.to_bits()) {
        bail!("{}: its weights do not give its gAUC: repeat the run", directory.display());
    }
    // The negatives' scores from elsewhere, the positives' as they are.
    let negatives_of = |other: &[f32]| -> Vec<f32> {
        let pairs = samples.labels.iter().zip(clean.iter().zip(other));
        pairs.map(|(&label, (&clean, &other))| if label == 1 { clean } else { other }).collect()
    };
    // The same weights, of which some are as before training.
    let untrained = |wanted: &dyn Fn(&str) -> bool| -> Result<Network> {
        let mut partly = config.model.network(&features.schema, SeedStreams::new(record.seed))?;
        let mut weights = network.weights.export();
        weights.append(partly.weights.export().only(wanted));
        partly.weights.import(&weights)?;
        Ok(partly)
    };
    let rows = Rows { features: &features, history };
    let mut exhibits = BTreeMap::new();
    let mut add = |name: &str, scores: &[f32]| -> Result<()> {
        exhibits.insert(name.to_string(), value(scores)?);
        Ok(())
    };

    add(A, &rows.attended_to_positives(&network, pairs)?)?;
    let frame = frame(&config.model);
    if let Some(frame) = frame {
        if matches!(frame.activation, Activation::Dice | Activation::DiceAuthors) {
            let of_mlp = |name: &str| name.starts_with("mlp/") && name.ends_with("dice/alpha");
            let dice = untrained(&of_mlp)?;
            add(B, &negatives_of(&score(&dice)?))?;
            add(AB, &negatives_of(&rows.attended_to_positives(&dice, pairs)?))?;
        }
        if frame.normalization != Normalization::None {
            let of_user = |name: &str| name.starts_with("user/") && name.contains("normalization/");
            let twice = negatives_of(&score(&untrained(&of_user)?)?);
            match config.model {
                ModelConfig::Din(_) | ModelConfig::DinDice(_) => add(C, &twice)?,
                // One vector, normalized once: there is no second normalization to forget.
                _ => {
                    add(C, &clean)?;
                    add(C_IF, &twice)?;
                }
            }
        }
        if !network.weights.statistics.is_empty() {
            add(D, &rows.batch_statistics(&network, samples)?)?;
        }
    }
    if let Some(peak) = record.metrics.peak_test_gauc {
        exhibits.insert(E.to_string(), peak);
    }
    Ok(exhibits)
}

fn frame(model: &ModelConfig) -> Option<&ctr_nn::EmbeddingMlpConfig> {
    match model {
        ModelConfig::BaseModel(config) => Some(&config.network),
        ModelConfig::Pnn(config) => Some(&config.network),
        ModelConfig::WideDeep(config) => Some(&config.network),
        ModelConfig::DeepFm(config) => Some(&config.network),
        ModelConfig::Din(config) | ModelConfig::DinDice(config) => Some(&config.network),
        ModelConfig::Lr(_) | ModelConfig::Gru(_) | ModelConfig::Bst(_) => None,
    }
}

/// Test rows, to be put into batches as an exhibit needs them.
struct Rows<'d> {
    features: &'d Dataset,
    history: Option<u32>,
}

impl Rows<'_> {
    /// Gives each chunk of rows to `score` and puts its scores in the rows' places.
    fn scores(
        &self,
        chunks: impl Iterator<Item = Vec<u32>>,
        score: impl Fn(&Batch) -> ctr_nn::Result<Vec<f32>>,
    ) -> Result<Vec<f32>> {
        let mut scores = vec![f32::NAN; self.features.test.rows()];
        let mut batch = Batch::default();
        for rows in chunks {
            self.features.fill_batch(Split::Test, &rows, self.history, &mut batch);
            for (row, score) in rows.iter().zip(score(&batch)?) {
                scores[*row as usize] = score;
            }
        }
        Ok(scores)
    }

    /// (a): both rows of a pair attend to the positive.
    fn attended_to_positives(&self, network: &Network, pairs: &[(u32, u32)]) -> Result<Vec<f32>> {
        let chunks = pairs.chunks(PAIRS).map(|pairs| {
            pairs.iter().flat_map(|&(positive, negative)| [positive, negative]).collect()
        });
        self.scores(chunks, |batch| {
            let attended: Vec<u32> = (0..batch.rows() as u32).map(|row| row & !1).collect();
            network.exhibit_attended(batch, &attended)
        })
    }

    /// (d): positives and negatives in batches of their own.
    fn batch_statistics(&self, network: &Network, samples: &Samples) -> Result<Vec<f32>> {
        let of_label = |wanted: u8| -> Vec<u32> {
            let labels = (0u32..).zip(&samples.labels);
            labels.filter(|&(_, &label)| label == wanted).map(|(row, _)| row).collect()
        };
        let (positives, negatives) = (of_label(1), of_label(0));
        let chunks = positives.chunks(BATCH).chain(negatives.chunks(BATCH)).map(<[u32]>::to_vec);
        self.scores(chunks, |batch| network.exhibit_batch_statistics(batch))
    }
}

/// Scores every finished run of the jobs, and tells how many could be.
///
/// # Errors
/// Those of [`write`].
pub fn write_all(jobs: &[Job<'_>], runs: &Path) -> Result<usize> {
    let mut written = 0;
    for job in jobs {
        let directory = runs.join(job.directory_name()?);
        if directory.join(RECORD_FILE).exists() {
            let exhibit = write(job, &directory).with_context(|| job.title())?;
            written += usize::from(exhibit.is_some());
        }
    }
    Ok(written)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::ModelId;
    use crate::{config, data};
    use ctr_core::Protocol;
    use ctr_train::Silent;
    use std::sync::atomic::AtomicBool;

    /// The small simulation, with a coin for each test user that decides which of his two candidates is called
    /// the positive: the true gAUC of every model is one half.
    fn chance() -> Dataset {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("tiny");
        let prepared = data::simulate("tiny", 1, 3.0, Protocol::HeldOut).unwrap();
        prepared.write(&out).unwrap();
        let mut dataset = data::open(&out, Some(Protocol::HeldOut)).unwrap();
        let mut coins = SeedStreams::new(9).stream("coins");
        for (positive, negative) in pairs(&dataset.test).unwrap() {
            if coins.below(2) == 1 {
                dataset.test.labels.swap(positive as usize, negative as usize);
            }
        }
        dataset.content_sha256 = "chance".into();
        dataset
    }

    fn exhibit(dataset: &Dataset, model: ModelId, settings: &[&str]) -> ExhibitRecord {
        let all: Vec<String> = ["train.epochs=3", "train.patience=0"]
            .iter()
            .chain(settings)
            .map(ToString::to_string)
            .collect();
        let config = config::resolve(model, "small", None, &all).unwrap();
        let job = Job { dataset, config, seed: 1 };
        let folder = tempfile::tempdir().unwrap();
        job.run(folder.path(), false, &Silent, &AtomicBool::new(false)).unwrap();
        let exhibit = write(&job, folder.path()).unwrap().unwrap();
        // Stored, and not made again.
        assert_eq!(write(&job, folder.path()).unwrap().unwrap(), exhibit);
        assert!(folder.path().join(EXHIBIT_FILE).exists());
        exhibit
    }

    #[test]
    fn wrong_ways_find_what_is_not_there() {
        let dataset = chance();
        let error = 0.5 / (pairs(&dataset.test).unwrap().len() as f64).sqrt();
        let near_chance = |value: f64| (value - 0.5).abs() < 3.0 * error;

        let din = exhibit(
            &dataset,
            ModelId::Din,
            &["model.network.activation=dice_authors", "train.epochs=12"],
        );
        assert!(near_chance(din.test_gauc), "{din:?}");
        let added = |name: &str| din.exhibits[name] - din.test_gauc;
        assert!(added(A) > 3.0 * error, "{din:?}, {error}");
        assert!(added(AB).abs() > 0.0 && added(B).abs() > 0.0 && added(C).abs() > 0.0, "{din:?}");
        assert!(!din.exhibits.contains_key(D) && !din.exhibits.contains_key(C_IF));

        let base = exhibit(&dataset, ModelId::BaseModel, &[]);
        assert!(near_chance(base.test_gauc), "{base:?}");
        assert_eq!(base.exhibits[A].to_bits(), base.test_gauc.to_bits());
        assert_eq!(base.exhibits[C].to_bits(), base.test_gauc.to_bits());
        assert!(base.exhibits[C_IF] != base.test_gauc);
        assert!(base.exhibits[E] >= base.test_gauc);

        let batch = exhibit(&dataset, ModelId::Din, &["model.network.normalization=batch"]);
        assert!(batch.exhibits[D] != batch.test_gauc, "{batch:?}");
    }

    #[test]
    fn only_pairs_are_exhibited() {
        let samples = |users: &[u32], labels: &[u8]| Samples {
            users: users.to_vec(),
            labels: labels.to_vec(),
            ..Samples::default()
        };
        assert_eq!(pairs(&samples(&[4, 2, 2, 4], &[1, 0, 1, 0])), Some(vec![(2, 1), (0, 3)]));
        assert_eq!(pairs(&samples(&[1, 1, 1], &[1, 0, 0])), None);
        assert_eq!(pairs(&samples(&[1, 1, 2], &[1, 0, 0])), None);
    }
}
