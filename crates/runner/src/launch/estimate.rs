//! What a run will need, from the records of runs that were.
//!
//! A run like it is one of the same model on the same data, by one process with all rows in memory, as suites have
//! it. Its seconds are scaled by the steps that the two may take: equal settings cost what they cost, early stop
//! included. Its memory is the peak of the process that it ran in, which is too much rather than too little when several
//! ran in one.

use crate::config::RunConfig;
use crate::job::{self, Job};
use ctr_core::RunRecord;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;

/// Memory of a run of which no record tells.
const UNKNOWN_MEMORY: u64 = 4 << 30;
/// Seconds of a run of which no record tells. Too few cost a restart from the checkpoint, no result.
const UNKNOWN_SECONDS: u64 = 4 * 3600;
/// What is asked for over what was needed: another seed may stop later, another node be slower.
const SECONDS_MARGIN: f64 = 2.0;
const MEMORY_MARGIN: f64 = 1.5;
/// For opening the data and writing results.
const SECONDS_AROUND: f64 = 120.0;
/// What a process takes in any case.
const LEAST_MEMORY: u64 = 256 << 20;

/// Memory and time to ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Need {
    /// Memory.
    pub bytes: u64,
    /// Time.
    pub seconds: u64,
    /// How many records it is from; of none it is the default.
    pub records: usize,
}

impl Need {
    /// What is asked for where nothing is known.
    pub const UNKNOWN: Self = Self { bytes: UNKNOWN_MEMORY, seconds: UNKNOWN_SECONDS, records: 0 };

    /// Enough for both.
    pub fn with(self, other: Self) -> Self {
        Self {
            bytes: self.bytes.max(other.bytes),
            seconds: self.seconds.max(other.seconds),
            records: self.records.min(other.records),
        }
    }

    /// In MiB, the unit of both schedulers.
    pub fn mebibytes(self) -> u64 {
        self.bytes.div_ceil(1 << 20)
    }

    /// In minutes, the unit of Slurm.
    pub fn minutes(self) -> u64 {
        self.seconds.div_ceil(60)
    }
}

/// What finished runs took.
pub struct Experience {
    records: Vec<RunRecord>,
}

impl Experience {
    /// Of all runs below a folder whose records can be read.
    pub fn below(runs: &Path) -> Self {
        let entries = std::fs::read_dir(runs).into_iter().flatten().flatten();
        Self { records: entries.filter_map(|entry| job::read_record(&entry.path()).ok()).collect() }
    }

    /// What a run will need.
    pub fn need(&self, job: &Job<'_>) -> Need {
        let steps = job.config.train.steps(job.dataset.train.rows() as u64);
        let like = self.records.iter().filter(|record| {
            record.model.id == job.config.model.id().name()
                && record.dataset.id == job.dataset.id
                && record.env.ranks.is_none()
        });
        let needs = like.filter_map(|record| need_of(record, steps, job.config.train.batch_size));
        needs
            .reduce(|one, other| Need { records: one.records + 1, ..one.with(other) })
            .unwrap_or(Need::UNKNOWN)
    }
}

/// What a run of so many steps would need, by one record.
fn need_of(record: &RunRecord, steps: u64, batch_size: usize) -> Option<Need> {
    let config: RunConfig = serde_json::from_value(record.config.clone()).ok()?;
    if config.train.shuffle_buffer > 0 {
        return None;
    }
    let of_record = config.train.steps(record.dataset.rows.get("train").copied()?);
    let rows = |steps: u64, batch_size: usize| (steps * batch_size as u64) as f64;
    let factor = rows(steps, batch_size) / rows(of_record, config.train.batch_size).max(1.0);
    let scored: u64 =
        ["validation", "test"].iter().filter_map(|split| record.dataset.rows.get(*split)).sum();
    let timing = &record.timing;
    let scoring =
        (record.curve.len() + 1) as f64 * scored as f64 / timing.eval_samples_per_second.max(1.0);
    let seconds = (timing.train_seconds + scoring) * factor * SECONDS_MARGIN + SECONDS_AROUND;
    let bytes = timing
        .peak_rss_bytes
        .map_or(UNKNOWN_MEMORY, |peak| ((peak as f64 * MEMORY_MARGIN) as u64).max(LEAST_MEMORY));
    Some(Need { bytes, seconds: seconds.ceil() as u64, records: 1 })
}

/// Runs, memory and time per model and dataset, and what the largest of them needs.
pub fn table(needs: &[(&Job<'_>, Need)]) -> (String, Option<Need>) {
    let mut groups: BTreeMap<(&str, &str), (usize, Need)> = BTreeMap::new();
    for (job, need) in needs {
        let key = (job.dataset.id.as_str(), job.config.model.id().name());
        let group = groups.entry(key).or_insert((0, *need));
        *group = (group.0 + 1, group.1.with(*need));
    }
    let mut text = String::from("| dataset | model | runs | memory | time | from |\n");
    text.push_str("|---|---|---:|---:|---:|---|\n");
    for ((dataset, model), (runs, need)) in &groups {
        let source = match need.records {
            0 => "no record: default".into(),
            1 => "1 record".into(),
            records => format!("{records} records"),
        };
        text.push_str(&format!(
            "| {dataset} | {model} | {runs} | {} MiB | {} min | {source} |\n",
            need.mebibytes(),
            need.minutes()
        ));
    }
    (text, needs.iter().map(|(_, need)| *need).reduce(Need::with))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::ModelId;
    use crate::{config, data};
    use ctr_core::{Dataset, Protocol};
    use ctr_train::Silent;
    use std::sync::atomic::AtomicBool;

    fn job<'d>(dataset: &'d Dataset, model: &str, settings: &[&str]) -> Job<'d> {
        let settings: Vec<String> = settings.iter().map(ToString::to_string).collect();
        let model = ModelId::named(model).unwrap();
        let config = config::resolve(model, "small", None, &settings).unwrap();
        Job { dataset, shards: None, config, seed: 1 }
    }

    #[test]
    fn a_run_needs_what_runs_like_it_took_scaled_by_its_steps() {
        let prepared = data::simulate("tiny", 1, 0.3, Protocol::HeldOut).unwrap();
        let dataset = prepared.dataset(Protocol::HeldOut).unwrap();
        let runs = tempfile::tempdir().unwrap();
        let done = job(&dataset, "lr", &["train.epochs=2", "train.patience=0"]);
        let directory = runs.path().join("done");
        done.run(&directory, false, &Silent, &AtomicBool::new(false)).unwrap();
        // Numbers that a record may have, in place of those of a run of milliseconds.
        let path = directory.join(job::RECORD_FILE);
        let mut record = job::read_record(&directory).unwrap();
        record.timing.train_seconds = 100.0;
        record.timing.eval_samples_per_second = f64::MAX;
        record.timing.peak_rss_bytes = Some(1 << 30);
        std::fs::write(&path, serde_json::to_string(&record).unwrap()).unwrap();
        std::fs::create_dir(runs.path().join("begun")).unwrap();

        let experience = Experience::below(runs.path());
        let equal = experience.need(&done);
        assert_eq!(equal, Need { bytes: 3 << 29, seconds: 320, records: 1 });
        assert_eq!((equal.mebibytes(), equal.minutes()), (1536, 6));
        let longer = job(&dataset, "lr", &["train.epochs=6", "train.patience=0"]);
        assert_eq!(experience.need(&longer).seconds, 720);
        let unlike = job(&dataset, "din", &[]);
        assert_eq!(experience.need(&unlike), Need::UNKNOWN);

        // Runs of several processes, or of rows that are streamed, say nothing of those of one.
        let directory = runs.path().join("unlike");
        std::fs::create_dir(&directory).unwrap();
        let mut unlike_record = record.clone();
        unlike_record.timing.train_seconds = 1000.0;
        unlike_record.env.ranks = Some(2);
        let text = serde_json::to_string(&unlike_record).unwrap();
        std::fs::write(directory.join(job::RECORD_FILE), text).unwrap();
        assert_eq!(Experience::below(runs.path()).need(&done), equal);
        unlike_record.env.ranks = None;
        unlike_record.config["train"]["shuffle_buffer"] = 100.into();
        let text = serde_json::to_string(&unlike_record).unwrap();
        std::fs::write(directory.join(job::RECORD_FILE), text).unwrap();
        assert_eq!(Experience::below(runs.path()).need(&done), equal);

        // A second record that took more is the one that counts.
        record.timing.train_seconds = 150.0;
        let second = runs.path().join("second");
        std::fs::create_dir(&second).unwrap();
        let text = serde_json::to_string(&record).unwrap();
        std::fs::write(second.join(job::RECORD_FILE), text).unwrap();
        let experience = Experience::below(runs.path());
        let needs = [&done, &longer, &unlike].map(|job| (job, experience.need(job)));
        let (text, largest) = table(&needs);
        assert!(text.contains("| tiny | lr | 2 | 1536 MiB | 17 min | 2 records |"), "{text}");
        assert!(text.contains("| tiny | din | 1 | 4096 MiB | 240 min | no record: default |"));
        assert_eq!(largest, Some(Need::UNKNOWN));
        assert_eq!(table(&[]).1, None);
    }
}
