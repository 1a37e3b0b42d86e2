//! How settings were chosen: what was tried for each model, what validation chose, and how much it mattered.

use crate::choice::{Choice, choose_searched};
use crate::models;
use crate::regularizers::Kind;
use crate::study::{Block, Cell, DatasetStudy, Study, short};
use crate::variants;
use ctr_core::{Protocol, RunRecord};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// The configuration that a model has in a preset when nothing is set, by model and preset; none where the
/// caller does not know.
pub type Defaults<'a> = &'a dyn Fn(&str, &str) -> Option<Value>;

/// Rows of one table: the models of one dataset, content, preset and regularizer.
#[derive(Clone, Debug)]
pub(crate) struct Search<'a> {
    pub dataset: &'a DatasetStudy,
    pub block: &'a Block,
    pub preset: &'a str,
    /// The regularizer's settings, empty without one.
    pub regularizer: String,
    /// In the paper's order; at least one of them has two points or more.
    pub rows: Vec<Tuned<'a>>,
}

/// A model with what was tried for it.
#[derive(Clone, Debug)]
pub(crate) struct Tuned<'a> {
    pub model: &'a str,
    pub points: Vec<Point<'a>>,
}

/// One setting.
#[derive(Clone, Debug)]
pub(crate) struct Point<'a> {
    pub cell: &'a Cell,
    /// Such as `adam, learning rate 0.003, batch 256`.
    pub setting: String,
    /// Validation gAUC at the seeds that all settings of the model have; none if one of them diverged.
    pub value: Option<f64>,
    pub chosen: bool,
    pub default: bool,
}

/// Settings that are tuned: the optimizer's, and these. Length and times of evaluation are none: runs of
/// other suites differ in them for other reasons than to find the best.
const TUNED: [&str; 3] = ["train.batch_size", "train.min_epochs", "train.patience"];
/// Those that only go along with another, and are named when nothing else tells two points apart.
const COMPANIONS: [&str; 2] = ["train.min_epochs", "train.patience"];
/// Those that are always named.
const NAMED: [&str; 3] =
    ["train.optimizer.kind", "train.optimizer.learning_rate", "train.batch_size"];

fn is_tuned(key: &str) -> bool {
    key.starts_with("train.optimizer.") || TUNED.contains(&key)
}

/// A configuration's tuned settings, and all others.
fn split(config: &Value) -> (BTreeMap<String, String>, BTreeMap<String, String>) {
    variants::settings(config).into_iter().partition(|(key, _)| is_tuned(key))
}

/// Everything that was tuned under the held-out protocol. Under the authors' there is no validation set, so
/// that only test could choose.
pub(crate) fn searches<'a>(study: &'a Study, defaults: Option<Defaults>) -> Vec<Search<'a>> {
    let defaults: Defaults = defaults.unwrap_or(&|_, _| None);
    let mut searches = Vec::new();
    for dataset in &study.datasets {
        for (index, block) in dataset.blocks.iter().enumerate() {
            if block.protocol != Protocol::HeldOut {
                continue;
            }
            let mut groups: BTreeMap<(&str, String), Vec<(&str, &Cell)>> = BTreeMap::new();
            for (row, cell) in dataset.cells(index) {
                let key = (variants::preset(cell), regularizer(cell));
                groups.entry(key).or_default().push((&row.model, cell));
            }
            for ((preset, regularizer), cells) in groups {
                let rows = rows(&cells, preset, defaults);
                if rows.iter().any(|row| row.points.len() > 1) {
                    searches.push(Search { dataset, block, preset, regularizer, rows });
                }
            }
        }
    }
    searches
}

/// The settings of a cell's regularizer in one text, empty for none.
fn regularizer(cell: &Cell) -> String {
    if Kind::of(cell.config()) == Kind::None {
        return String::new();
    }
    let settings = variants::settings(cell.config());
    let own = settings
        .iter()
        .filter_map(|(key, value)| Some(format!("{}={value}", key.strip_prefix("regularizer.")?)));
    own.collect::<Vec<_>>().join(", ")
}

/// One row a model and a kind of it: cells of a row differ in tuned settings alone.
fn rows<'a>(cells: &[(&'a str, &'a Cell)], preset: &str, defaults: Defaults) -> Vec<Tuned<'a>> {
    type Key<'a> = ((usize, &'a str), BTreeMap<String, String>);
    let mut alike: BTreeMap<Key, Vec<&Cell>> = BTreeMap::new();
    for &(model, cell) in cells {
        let key = (models::rank(model), split(cell.config()).1);
        alike.entry(key).or_default().push(cell);
    }
    let mut rows: Vec<Tuned> = Vec::new();
    let several: BTreeSet<&str> =
        alike.iter().filter(|(_, cells)| cells.len() > 1).map(|(key, _)| key.0.1).collect();
    // What a model that was not searched was run with most; its other runs belong to other questions.
    let mut single: BTreeMap<&str, &Cell> = BTreeMap::new();
    for ((rank, _), cells) in &alike {
        if let (false, [only]) = (several.contains(rank.1), cells.as_slice()) {
            let most = single.entry(rank.1).or_insert(*only);
            if only.runs.len() > most.runs.len() {
                *most = *only;
            }
        }
    }
    let of_one = single.into_iter().map(|(model, cell)| (model, vec![cell]));
    let of_several = alike.into_iter().filter(|(_, cells)| cells.len() > 1);
    for (model, cells) in of_several.map(|(key, cells)| (key.0.1, cells)).chain(of_one) {
        rows.push(tuned(model, &cells, preset, defaults));
    }
    rows.sort_by_key(|row| models::rank(row.model));
    rows
}

fn tuned<'a>(model: &'a str, cells: &[&'a Cell], preset: &str, defaults: Defaults) -> Tuned<'a> {
    let choice: Choice<'a> = choose_searched(cells.iter().copied());
    let cells: Vec<&Cell> = choice.values().map(|(cell, _)| cell).collect();
    let settings = setting_texts(&cells);
    let default = defaults(model, preset).map(|config| split(&config).0);
    let points = choice.values().zip(settings).map(|((cell, value), setting)| Point {
        cell,
        setting,
        value,
        chosen: choice.chosen.is_some_and(|chosen| std::ptr::eq(chosen, cell)),
        default: default.as_ref().is_some_and(|default| *default == split(cell.config()).0),
    });
    Tuned { model, points: points.collect() }
}

/// A name for each point of a model: optimizer, learning rate, batch, and what else tells them apart.
fn setting_texts(cells: &[&Cell]) -> Vec<String> {
    let all: Vec<BTreeMap<String, String>> =
        cells.iter().map(|cell| split(cell.config()).0).collect();
    let differs = |key: &str| all.iter().any(|other| other.get(key) != all[0].get(key));
    let keys: BTreeSet<&str> =
        all.iter().flat_map(|point| point.keys().map(String::as_str)).collect();
    let named = |companions: bool| {
        let others = keys.iter().copied().filter(|key| {
            !NAMED.contains(key) && differs(key) && (companions || !COMPANIONS.contains(key))
        });
        let shown: Vec<&str> = NAMED.into_iter().chain(others).collect();
        let text = |point: &BTreeMap<String, String>| {
            let pieces = shown.iter().filter_map(|&key| Some(piece(key, point.get(key)?)));
            pieces.collect::<Vec<_>>().join(", ")
        };
        all.iter().map(text).collect::<Vec<String>>()
    };
    let mut texts = named(false);
    if texts.iter().collect::<BTreeSet<_>>().len() < texts.len() {
        texts = named(true);
    }
    for (text, cell) in texts.iter_mut().zip(cells) {
        if text.is_empty() {
            *text = format!("config {}", short(cell.config_sha256()));
        }
    }
    texts
}

fn piece(key: &str, value: &str) -> String {
    match key {
        "train.optimizer.kind" => value.into(),
        "train.optimizer.learning_rate" => format!("learning rate {value}"),
        "train.batch_size" => format!("batch {value}"),
        _ => format!("{}={value}", key.rsplit('.').next().unwrap_or(key)),
    }
}

impl<'a> Tuned<'a> {
    pub(crate) fn chosen(&self) -> Option<&Point<'a>> {
        self.points.iter().find(|point| point.chosen)
    }

    pub(crate) fn default(&self) -> Option<&Point<'a>> {
        self.points.iter().find(|point| point.default)
    }

    /// Lowest and highest value over the points that have one; none with fewer than two of them.
    pub(crate) fn spread(&self) -> Option<(f64, f64)> {
        let values: Vec<f64> = self.points.iter().filter_map(|point| point.value).collect();
        let low = values.iter().copied().fold(f64::INFINITY, f64::min);
        let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        (values.len() > 1).then_some((low, high))
    }
}

/// Runs of settings that were tried for the choice and lost: by their identifiers, with their datasets.
/// Table 3 is about models, not about the search. A setting that has as many seeds as any other of its
/// model was asked for by itself and stays; where all have one, the default does.
pub(crate) fn only_tried<'a>(searches: &[Search<'a>]) -> BTreeMap<&'a str, &'a str> {
    runs(searches, |row, point| {
        let most = row.points.iter().map(|point| point.cell.runs.len()).max().unwrap_or(0);
        let few = point.cell.runs.len() < most || (most == 1 && !point.default);
        row.points.len() > 1 && row.chosen().is_some() && !point.chosen && few
    })
}

/// Runs that tables 4 and 5 must not compare with regularized ones: regularizers are run with the default
/// settings, and beside a row without one that was tuned they would be blamed for it. A model that was
/// never regularized keeps its search, as LR does on ad logs.
pub(crate) fn unlike_regularized<'a>(searches: &[Search<'a>]) -> BTreeMap<&'a str, &'a str> {
    let regularized = |search: &Search, model: &str| {
        search.dataset.rows.iter().filter(|row| row.model == model).any(|row| {
            let mut cells = row.cells.iter().flatten();
            cells.any(|cell| Kind::of(cell.config()) != Kind::None)
        })
    };
    let of_interest: Vec<Search> = searches
        .iter()
        .filter(|search| search.regularizer.is_empty())
        .map(|search| {
            let rows = search.rows.iter().filter(|row| regularized(search, row.model));
            Search { rows: rows.cloned().collect(), ..search.clone() }
        })
        .collect();
    runs(&of_interest, |row, point| row.default().is_some() && !point.default)
}

fn runs<'a>(
    searches: &[Search<'a>],
    wanted: impl Fn(&Tuned, &Point) -> bool,
) -> BTreeMap<&'a str, &'a str> {
    let mut runs = BTreeMap::new();
    for search in searches {
        for row in &search.rows {
            for point in row.points.iter().filter(|point| wanted(row, point)) {
                let ids = point.cell.runs.iter().map(|run| run.record.run_id.as_str());
                runs.extend(ids.map(|id| (id, search.dataset.id.as_str())));
            }
        }
    }
    runs
}

/// The records without some runs.
pub(crate) fn without(
    records: Vec<(PathBuf, RunRecord)>,
    runs: &BTreeMap<&str, &str>,
) -> Vec<(PathBuf, RunRecord)> {
    let kept = |record: &(PathBuf, RunRecord)| !runs.contains_key(record.1.run_id.as_str());
    records.into_iter().filter(kept).collect()
}
