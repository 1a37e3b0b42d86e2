//! One row, several settings that were tried for it: which of them the row shows.

use crate::format;
use crate::results::summary;
use crate::stats::Summary;
use crate::study::{Cell, Run};
use crate::variants;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

/// The settings tried for a row, and the one it shows.
#[derive(Clone, Debug)]
pub(crate) struct Choice<'a> {
    /// All of them, by their settings.
    tried: Vec<Tried<'a>>,
    /// The one to show; none if nothing was run, or if nothing but test could choose.
    pub chosen: Option<&'a Cell>,
}

/// One setting.
#[derive(Clone, Debug)]
struct Tried<'a> {
    cell: &'a Cell,
    /// Values of the keys in which the row's settings differ.
    values: Vec<String>,
    validation: Option<Summary>,
    /// Mean validation gAUC at the seeds that all settings have.
    at_common_seeds: Option<f64>,
}

/// The setting with most seeds: a search tries each with few and repeats the best. Among equally many
/// the one with the highest mean validation gAUC. Test has no say, so that without a validation set
/// equally many seeds choose nothing.
pub(crate) fn choose<'a>(cells: impl Iterator<Item = &'a Cell>) -> Choice<'a> {
    let tried = all_tried(cells);
    // The smaller setting of two that validation cannot tell apart.
    let best = tried.iter().rev().max_by(|one, other| rank(one, other));
    let rivals = |best: &Tried| tried.iter().filter(|other| seeds(other) == seeds(best)).count();
    let chosen =
        best.filter(|best| best.validation.is_some() || rivals(best) == 1).map(|best| best.cell);
    Choice { tried, chosen }
}

/// The setting with the highest mean validation gAUC at the seeds that all settings have, which is how a
/// suite's search chooses. How many seeds a setting has beyond them does not count, for another suite may
/// have given them to a setting that lost.
pub(crate) fn choose_searched<'a>(cells: impl Iterator<Item = &'a Cell>) -> Choice<'a> {
    let tried = all_tried(cells);
    let value = |tried: &Tried| tried.at_common_seeds.unwrap_or(f64::NEG_INFINITY);
    let best = tried.iter().rev().max_by(|one, other| value(one).total_cmp(&value(other)));
    let chosen = best.filter(|best| best.at_common_seeds.is_some()).map(|best| best.cell);
    Choice { tried, chosen }
}

/// All settings in their order.
fn all_tried<'a>(cells: impl Iterator<Item = &'a Cell>) -> Vec<Tried<'a>> {
    let cells: Vec<&Cell> = cells.collect();
    let keys = keys(&cells);
    let seeds =
        |cell: &Cell| cell.runs.iter().map(|run| run.record.seed).collect::<BTreeSet<u64>>();
    let common = cells.iter().map(|cell| seeds(cell)).reduce(|all, own| &all & &own);
    let common = common.unwrap_or_default();
    let at_common = |cell: &Cell| {
        let counts = |run: &&Run| common.is_empty() || common.contains(&run.record.seed);
        // A setting that diverges at one of the seeds is no choice.
        let value = |run: &Run| run.record.metrics.valid_gauc.filter(|_| run.finished());
        let values: Option<Vec<f64>> = cell.runs.iter().filter(counts).map(value).collect();
        Summary::of(&values?).map(|summary| summary.mean)
    };
    let mut tried: Vec<Tried> = cells
        .into_iter()
        .map(|cell| {
            let settings = variants::settings(cell.config());
            let value = |key: &String| settings.get(key).map_or("—", String::as_str).to_string();
            let validation = summary(cell, |run| run.record.metrics.valid_gauc);
            let at_common_seeds = at_common(cell);
            Tried { cell, values: keys.iter().map(value).collect(), validation, at_common_seeds }
        })
        .collect();
    tried.sort_by(|one, other| {
        by_values(&one.values, &other.values)
            .then_with(|| one.cell.config_sha256().cmp(other.cell.config_sha256()))
    });
    tried
}

/// Seeds with a result: one that diverged is no reason to be chosen.
fn seeds(tried: &Tried) -> usize {
    tried.cell.by_seed().len()
}

fn rank(one: &Tried, other: &Tried) -> Ordering {
    let mean = |tried: &Tried| tried.validation.map_or(f64::NEG_INFINITY, |summary| summary.mean);
    let by_seeds = seeds(one).cmp(&seeds(other));
    by_seeds.then_with(|| mean(one).total_cmp(&mean(other)))
}

/// Numbers by size, texts by letters.
fn by_values(one: &[String], other: &[String]) -> Ordering {
    let number = |text: &String| text.parse::<f64>().ok();
    let pairs = one.iter().zip(other).map(|(one, other)| match (number(one), number(other)) {
        (Some(one), Some(other)) => one.total_cmp(&other),
        _ => one.cmp(other),
    });
    pairs.fold(Ordering::Equal, Ordering::then)
}

/// Settings that make a row of their own and say nothing new in it.
const OF_THE_ROW: [&str; 2] = ["regularizer.kind", "regularizer.norm"];

/// The paths in which the configurations differ; if there is one configuration, those of the regularizer
/// that say something.
fn keys(cells: &[&Cell]) -> Vec<String> {
    let settings: Vec<BTreeMap<String, String>> =
        cells.iter().map(|cell| variants::settings(cell.config())).collect();
    let all: BTreeSet<&String> = settings.iter().flat_map(BTreeMap::keys).collect();
    let shown = |key: &String| match settings.as_slice() {
        [only] => {
            let says = only.get(key).is_some_and(|value| !["", "[]", "false"].contains(&&**value));
            says && key.starts_with("regularizer.") && !OF_THE_ROW.contains(&key.as_str())
        }
        many => many.iter().any(|other| other.get(key) != many[0].get(key)),
    };
    all.into_iter().filter(|key| shown(key)).cloned().collect()
}

impl<'a> Choice<'a> {
    /// The settings tried, each with its mean validation gAUC at the seeds that all of them have.
    pub(crate) fn values(&self) -> impl Iterator<Item = (&'a Cell, Option<f64>)> {
        self.tried.iter().map(|tried| (tried.cell, tried.at_common_seeds))
    }

    /// Nothing was run.
    pub(crate) fn is_empty(&self) -> bool {
        self.tried.is_empty()
    }

    /// What was tried for a row and what validation said of it; none if nothing was run.
    pub(crate) fn note(&self, title: &str) -> Option<String> {
        let first = self.tried.first()?;
        let cells: Vec<&Cell> = self.tried.iter().map(|tried| tried.cell).collect();
        let names: Vec<String> = keys(&cells).iter().map(|key| name(key)).collect();
        // One key stands before the values, several beside each.
        let heading = match names.as_slice() {
            [only] => format!(" {only}"),
            _ => String::new(),
        };
        let setting = |tried: &Tried| match names.len() {
            0 => String::new(),
            1 => format!("{} → ", tried.values.join("")),
            _ => {
                let pairs = names.iter().zip(&tried.values);
                let pairs = pairs.map(|(name, value)| format!("{name}={value}"));
                format!("{} → ", pairs.collect::<Vec<_>>().join(", "))
            }
        };
        let outcome = |tried: &Tried| match tried.validation {
            Some(summary) => format::gauc_summary(&summary),
            None if tried.cell.diverged() == tried.cell.runs.len() => "diverged".into(),
            None => "no validation".into(),
        };
        if names.is_empty() && self.tried.len() == 1 {
            return Some(format!("{title}: validation gAUC {}.", outcome(first)));
        }
        let several: Vec<String> = self
            .tried
            .iter()
            .map(|tried| {
                let chosen = self.chosen.is_some_and(|chosen| std::ptr::eq(chosen, tried.cell));
                let mark = if chosen { " (chosen)" } else { "" };
                format!("{}{}{mark}", setting(tried), outcome(tried))
            })
            .collect();
        let open = match self.chosen {
            Some(_) => "",
            None => " None is shown, for nothing but test could choose.",
        };
        Some(format!("{title}: tried{heading}, validation gAUC: {}.{open}", several.join("; ")))
    }

    /// The same with all digits, for files.
    pub(crate) fn plain(&self) -> String {
        let lines = self.tried.iter().map(|tried| {
            let value = tried.validation.map_or("none".into(), |summary| summary.mean.to_string());
            format!("{}:{value}", tried.values.join("/"))
        });
        lines.collect::<Vec<_>>().join(" ")
    }
}

/// A setting as the paper writes it.
fn name(key: &str) -> String {
    match key.rsplit('.').next().unwrap_or(key) {
        "lambda" => "λ".into(),
        name => name.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_ordered_by_size() {
        let texts = |values: &[&str]| values.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(by_values(&texts(&["9e-5"]), &texts(&["0.001"])), Ordering::Less);
        assert_eq!(by_values(&texts(&["10"]), &texts(&["9"])), Ordering::Greater);
        assert_eq!(by_values(&texts(&["l1", "2"]), &texts(&["l1", "1"])), Ordering::Greater);
        assert_eq!(by_values(&texts(&["l1"]), &texts(&["l2"])), Ordering::Less);
    }
}
