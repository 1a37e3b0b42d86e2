//! How the withdrawn numbers came about: finished runs scored in the wrong ways of the authors' earlier code.
//!
//! The weights are those of an honest run; only the scoring of the test set is wrong, as it was there. Values go
//! into a file of their own beside the record (`exhibits.json`), which no table but the exhibits' reads.

mod case;
#[cfg(test)]
mod tests;

use crate::job::{self, Job, RECORD_FILE};
use crate::queue::{self, Turn};
use anyhow::{Context, Result, bail};
use case::Case;
use ctr_core::{
    EXHIBIT_FILE, EXHIBIT_SCHEMA_VERSION, ExhibitRecord, RunRecord, Samples, Status, Workshop,
    write_atomic,
};
use std::collections::BTreeMap;
use std::path::Path;

/// (a) Code of January 2018: the negative is scored with the user vector that attended to the positive.
const A: &str = "exhibit_a_attends_to_positive";
/// (b) Dice code of January 2018 (`name='dice_1_j'`): the negative goes through a Dice whose α never trained.
const B: &str = "exhibit_b_untrained_dice";
/// Both at once, as the Dice model of January 2018 had them: the log with the 0.9049.
const AB: &str = "exhibit_ab_january_2018";
/// (c) Code of December 2018 (`batch_normalization(hist_j)` without `reuse`): the negative's user vector goes
/// through a second normalization that never trained.
const C: &str = "exhibit_c_untrained_normalization";
/// What (c) would do to a model that has one user vector for both candidates and so normalizes it once.
const C_IF: &str = "exhibit_c_if_normalized_twice";
/// (d) Statistics of the batch at test, positives and negatives in batches of their own.
const D: &str = "exhibit_d_batch_statistics";
/// (e) The best of all test evaluations.
const E: &str = "exhibit_e_peak_on_test";
/// The best of all test evaluations of (a), of (b), of both and of (c): what the logs of that code show.
const AE: &str = "exhibit_ae_peak";
const BE: &str = "exhibit_be_peak";
const ABE: &str = "exhibit_abe_peak";
const CE: &str = "exhibit_ce_peak";

/// Scores a finished run's test rows in every wrong way and stores the values beside its record. None where
/// users have other test rows than one positive and one negative, or the run diverged.
///
/// # Errors
/// When the run cannot be read or its weights do not give the record's number.
pub fn write(job: &Job<'_>, directory: &Path) -> Result<Option<ExhibitRecord>> {
    let record = job::read_record(directory)?;
    if record.status == Status::Diverged {
        return Ok(None);
    }
    let Some(pairs) = pairs(&job.dataset.test) else { return Ok(None) };
    if let Some(done) = finished(directory, &record)? {
        return Ok(Some(done));
    }
    let exhibits = exhibits(job, &record, directory, &pairs)?;
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

fn exhibits(
    job: &Job<'_>,
    record: &RunRecord,
    directory: &Path,
    pairs: &[(u32, u32)],
) -> Result<BTreeMap<String, f64>> {
    let features = job.config.regularizer.features(job.dataset)?;
    let case = Case::new(job, &features, pairs)?;
    let network = job::stored_network(directory, &job.config, &features.schema, record)?;
    let right = case.gauc(&case.score(&network)?)?;
    if record.metrics.test_gauc.map(f64::to_bits) != Some(right.to_bits()) {
        bail!("{}: its weights do not give its gAUC: repeat the run", directory.display());
    }
    let mut exhibits: BTreeMap<String, f64> = BTreeMap::new();
    for (name, value) in case.values(&network)? {
        exhibits.insert(name.into(), value);
    }
    let again = Workshop::new(&std::env::temp_dir(), "din-repro-exhibit-")?;
    let repeated = job.repeat(again.path(), &case)?;
    let peaks = case.into_peaks()?;
    if repeated.result_sha256 != record.result_sha256 {
        bail!("{}: trained again it ends with other bits: repeat the run", directory.display());
    }
    for (way, with_peak) in [(A, AE), (B, BE), (AB, ABE), (C, CE)] {
        exhibits.extend(peaks.get(way).map(|&peak| (with_peak.to_string(), peak)));
    }
    exhibits.extend(record.metrics.peak_test_gauc.map(|peak| (E.to_string(), peak)));
    Ok(exhibits)
}

/// Exhibits every finished run of the jobs, `workers` at a time, and tells how many could be.
///
/// # Errors
/// Those of [`write()`].
pub fn write_all(jobs: &[Job<'_>], runs: &Path, workers: usize) -> Result<usize> {
    let done = queue::work_off(jobs, workers, |job| {
        let directory = runs.join(job.directory_name()?);
        if !directory.join(RECORD_FILE).exists() {
            return Ok(Turn::Done(false));
        }
        let Some(_lock) = job::lock(&directory)? else { return Ok(Turn::Elsewhere) };
        let exhibit = write(job, &directory).with_context(|| job.title())?;
        job::remove_checkpoint(&directory);
        Ok(Turn::Done(exhibit.is_some()))
    })?;
    Ok(done.into_iter().filter(|&exhibited| exhibited).count())
}
