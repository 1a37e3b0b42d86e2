//! The test rows behind the records: standard errors from users, and paired comparisons of two cells.

use crate::stats::{Effect, Reach};
use crate::study::{Cell, Run};
use crate::tuning::Defaults;
use ctr_core::Digest;
use ctr_metrics::{
    GaucVariant, PairedComparison, Resampling, SeededUsers, UserAuc, compare_paired,
    standard_error, user_aucs,
};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// What a run left of its test rows, one entry a row.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TestScores {
    /// The user of each row.
    pub users: Vec<u32>,
    /// 1 for a click, 0 for none.
    pub labels: Vec<u8>,
    /// What the model said.
    pub scores: Vec<f32>,
}

/// Reads the test rows of the run in a folder: none where it left none, else a reason.
///
/// Given from outside, because this crate knows no Parquet.
pub type ReadScores<'a> = dyn Fn(&Path) -> Result<Option<TestScores>, String> + Sync + 'a;

/// What a report can use beside the records.
#[derive(Clone, Default)]
pub struct Background<'a> {
    /// Test rows of runs. Without them intervals are over seeds alone.
    pub scores: Option<&'a ReadScores<'a>>,
    /// The configuration of a model in a preset: what a run may differ from.
    pub defaults: Option<Defaults<'a>>,
}

/// Test rows of runs, read when they are needed.
pub(crate) struct Evidence<'a> {
    runs: PathBuf,
    read: Option<&'a ReadScores<'a>>,
    users: Mutex<BTreeMap<String, Option<Arc<Vec<UserAuc>>>>>,
    /// Standard errors by the runs of a cell: several studies of one report have the same cells.
    errors: Mutex<BTreeMap<Vec<String>, Option<f64>>>,
    /// Comparisons by the runs of both cells: claims and ablations ask for some of the same.
    compared: Mutex<BTreeMap<[Vec<String>; 2], Option<PairedComparison>>>,
    warnings: Mutex<BTreeSet<String>>,
    resampling: Resampling,
}

impl<'a> Evidence<'a> {
    /// That of the runs below a folder.
    pub(crate) fn new(runs: &Path, background: &Background<'a>) -> Self {
        Self {
            runs: runs.to_path_buf(),
            read: background.scores,
            users: Mutex::default(),
            errors: Mutex::default(),
            compared: Mutex::default(),
            warnings: Mutex::default(),
            resampling: Resampling::default(),
        }
    }

    /// How often and from which seed users are drawn.
    pub(crate) fn resampling(&self) -> Resampling {
        self.resampling
    }

    /// What was odd about test rows so far.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let warnings = self.warnings.lock().unwrap_or_else(PoisonError::into_inner);
        warnings.iter().cloned().collect()
    }

    fn warn(&self, text: String) {
        self.warnings.lock().unwrap_or_else(PoisonError::into_inner).insert(text);
    }

    /// Forgets what was read: the next dataset has other runs.
    pub(crate) fn forget(&self) {
        self.users.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Standard error of a cell's mean gAUC from users alone; none unless all its runs have test rows.
    pub(crate) fn users_error(&self, cell: &Cell) -> Option<f64> {
        let lock = || self.errors.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = lock().get(&folders(cell)) {
            return *known;
        }
        let error = self.measure_error(cell);
        lock().insert(folders(cell), error);
        error
    }

    fn measure_error(&self, cell: &Cell) -> Option<f64> {
        // All of them are looked at, so that one report names every run whose rows do not count.
        let runs: Vec<_> = finished(cell).map(|run| self.users_of(run)).collect();
        let runs: Vec<Arc<Vec<UserAuc>>> = runs.into_iter().collect::<Option<_>>()?;
        let mut mean = (**runs.first()?).clone();
        for (index, user) in mean.iter_mut().enumerate() {
            let of_run = |run: &Arc<Vec<UserAuc>>| run.get(index).map(|user| user.auc);
            user.auc = runs.iter().filter_map(of_run).sum::<f64>() / runs.len() as f64;
        }
        standard_error(&mean)
    }

    /// The difference of two cells in gAUC: over users and seeds where both have test rows, else over seeds
    /// alone. None without runs to compare.
    pub(crate) fn difference(&self, first: &Cell, second: &Cell) -> Option<Effect> {
        match self.compare_once(first, second) {
            Some(found) => Some(Effect {
                mean: found.effect,
                interval: Some(found.interval),
                p: Some(found.p()),
                n: found.runs.0.min(found.runs.1),
                reach: Reach::UsersAndSeeds { users: found.users },
            }),
            None => Effect::over_seeds(&paired(first, second, Run::gauc)),
        }
    }

    fn compare(&self, first: &Cell, second: &Cell) -> Option<PairedComparison> {
        let load = |cell: &Cell| -> Option<Vec<(u64, Arc<Vec<UserAuc>>)>> {
            finished(cell).map(|run| Some((run.record.seed, self.users_of(run)?))).collect()
        };
        let (first, second) = (load(first)?, load(second)?);
        fn seeded(runs: &[(u64, Arc<Vec<UserAuc>>)]) -> Vec<SeededUsers<'_>> {
            runs.iter().map(|(seed, users)| SeededUsers { seed: *seed, users }).collect()
        }
        match compare_paired(&seeded(&first), &seeded(&second), self.resampling) {
            Ok(found) => Some(found),
            Err(error) => {
                self.warn(format!("users are not compared, only seeds: {error}"));
                None
            }
        }
    }

    /// [`Evidence::compare`], each pair of cells once.
    fn compare_once(&self, first: &Cell, second: &Cell) -> Option<PairedComparison> {
        let key = [folders(first), folders(second)];
        let lock = || self.compared.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = lock().get(&key) {
            return *known;
        }
        let found = self.compare(first, second);
        lock().insert(key, found);
        found
    }

    fn users_of(&self, run: &Run) -> Option<Arc<Vec<UserAuc>>> {
        let mut cache = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = cache.get(&run.folder) {
            return known.clone();
        }
        let users = match self.read_users(run) {
            Ok(users) => users.map(Arc::new),
            Err(reason) => {
                self.warn(format!("{}: its test rows do not count: {reason}", run.folder));
                None
            }
        };
        cache.insert(run.folder.clone(), users.clone());
        users
    }

    fn read_users(&self, run: &Run) -> Result<Option<Vec<UserAuc>>, String> {
        let Some(read) = self.read else { return Ok(None) };
        let Some(rows) = read(&self.runs.join(&run.folder))? else { return Ok(None) };
        let mut digest = Digest::new();
        digest.ids(&rows.users);
        digest.update(&rows.labels);
        digest.numbers(&rows.scores);
        if digest.finish() != run.record.predictions_sha256 {
            return Err("they are not those that its record was made of".into());
        }
        user_aucs(&rows.users, &rows.labels, &rows.scores, GaucVariant::Paper)
            .map(Some)
            .map_err(|error| error.to_string())
    }
}

fn finished(cell: &Cell) -> impl Iterator<Item = &Run> {
    cell.runs.iter().filter(|run| run.finished())
}

/// The folders of a cell's runs, which tell it from all others.
fn folders(cell: &Cell) -> Vec<String> {
    finished(cell).map(|run| run.folder.clone()).collect()
}

/// Differences of two cells in a value of a run, one for each seed that both have.
pub(crate) fn paired(first: &Cell, second: &Cell, value: fn(&Run) -> Option<f64>) -> Vec<f64> {
    let pair = |run: &Run| {
        let other = finished(second).find(|other| other.record.seed == run.record.seed)?;
        Some(value(run)? - value(other)?)
    };
    finished(first).filter_map(pair).collect()
}

/// A value of each finished run of a cell.
pub(crate) fn values(cell: &Cell, value: fn(&Run) -> Option<f64>) -> Vec<f64> {
    finished(cell).filter_map(value).collect()
}
