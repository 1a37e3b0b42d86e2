//! What each part of a model is worth: cells whose model was changed, each against the model unchanged and
//! trained in the same way; and what of DIN's gain is attention, and what the product block.

use crate::changes;
use crate::choice::choose;
use crate::claims::Selector;
use crate::evidence::Evidence;
use crate::models;
use crate::regularizers::Kind;
use crate::slices::Slice;
use crate::stats::Effect;
use crate::study::Cell;
use crate::variants::{self, Changes};
use ctr_metrics::holm;
use std::collections::BTreeMap;
use std::fmt;

/// Chance of any false difference among those of a table that is accepted.
const LEVEL: f64 = 0.05;
const DIN: &str = "din";
/// DIN with another activation: an ablation under a name of its own.
const DIN_DICE: &str = "din_dice";
const PNN: &str = "pnn";

/// A cell against another one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Difference<'a> {
    pub to: &'a Cell,
    /// None where nothing was trained like it.
    pub from: Option<&'a Cell>,
    pub effect: Option<Effect>,
    /// Corrected for the differences of the same table.
    pub p_holm: Option<f64>,
}

/// What is shown of a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    Better,
    Worse,
    NotShown,
}

/// A change of a model.
#[derive(Clone, Debug)]
pub(crate) struct Ablation<'a> {
    /// The model that is changed.
    pub model: &'a str,
    pub changes: Changes,
    /// The kind of regularizer, which is no part of the change.
    pub regularizer: Kind,
    pub difference: Difference<'a>,
}

/// From one model to another that has one part more.
#[derive(Clone, Debug)]
pub(crate) struct Step<'a> {
    pub from: &'static str,
    pub to: &'static str,
    /// What the step adds.
    pub adds: &'static str,
    pub difference: Difference<'a>,
}

/// All of one slice.
#[derive(Clone, Debug)]
pub(crate) struct Ablations<'a> {
    pub slice: &'a Slice<'a>,
    pub rows: Vec<Ablation<'a>>,
    /// With and without attention, with and without u ⊙ i; empty where a corner is missing that says so.
    pub steps: Vec<Step<'a>>,
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Better => "better",
            Self::Worse => "worse",
            Self::NotShown => "no difference shown",
        })
    }
}

impl<'a> Difference<'a> {
    fn new(from: Option<&'a Cell>, to: &'a Cell, evidence: &Evidence) -> Self {
        let effect = from.and_then(|from| evidence.difference(to, from));
        Self { to, from, effect, p_holm: None }
    }

    /// In percent of what the other one is above chance. From the difference itself, so that it has its sign
    /// where one of the two has further seeds.
    pub(crate) fn rela_impr(&self) -> Option<f64> {
        let above_chance = self.from?.gauc()?.mean - 0.5;
        (above_chance > 0.0).then_some(100.0 * self.effect?.mean / above_chance)
    }

    /// The interval, if more than one seed stands behind it.
    pub(crate) fn interval(&self) -> Option<(f64, f64)> {
        let effect = self.effect.filter(|effect| effect.n > 1)?;
        effect.interval
    }

    /// The verdict; none where there is nothing to compare.
    pub(crate) fn direction(&self) -> Option<Direction> {
        self.effect?;
        let sure = self.p_holm.is_some_and(|p| p < LEVEL);
        Some(match self.interval() {
            Some((low, _)) if sure && low > 0.0 => Direction::Better,
            Some((_, high)) if sure && high < 0.0 => Direction::Worse,
            _ => Direction::NotShown,
        })
    }
}

impl<'a> Ablation<'a> {
    /// Place in tables: DIN is what the paper is about, and the models that it is compared with follow.
    pub(crate) fn order(&self) -> impl Ord + use<'a> {
        let model = (self.model != DIN, models::rank(self.model));
        (model, changes::rank(&self.changes), self.regularizer.clone())
    }

    /// What is changed, in words.
    pub(crate) fn change(&self) -> String {
        let words = changes::words(&self.changes);
        match &self.regularizer {
            Kind::None => words,
            kind => format!("{words}, both with regularizer {}", kind.id()),
        }
    }

    /// Model and change.
    pub(crate) fn title(&self) -> String {
        format!("{}: {}", models::title(self.model), self.change())
    }
}

/// The ablations of all slices that have any.
pub(crate) fn ablations<'a>(slices: &'a [Slice<'a>], evidence: &Evidence) -> Vec<Ablations<'a>> {
    let mut all: Vec<Ablations> = Vec::new();
    for slice in slices {
        if all.last().is_some_and(|last| last.slice.dataset.id != slice.dataset.id) {
            evidence.forget();
        }
        let mut rows = rows(slice, evidence);
        if rows.is_empty() {
            continue;
        }
        correct(rows.iter_mut().map(|row| &mut row.difference));
        let mut steps = steps(slice, &rows, evidence);
        correct(steps.iter_mut().map(|step| &mut step.difference));
        all.push(Ablations { slice, rows, steps });
    }
    all
}

/// One row a change. Where it was run in several ways validation chooses, among those that have the model
/// unchanged and trained alike to compare with.
fn rows<'a>(slice: &Slice<'a>, evidence: &Evidence) -> Vec<Ablation<'a>> {
    let mut runs: BTreeMap<(&'a str, &Changes, Kind), Vec<&'a Cell>> = BTreeMap::new();
    for (model, changes, cell) in slice.changed() {
        runs.entry((model, changes, Kind::of(cell.config()))).or_default().push(cell);
    }
    let mut rows = Vec::new();
    for ((model, changes, regularizer), cells) in runs {
        let default = |cell: &Cell| slice.trained_like(model, cell);
        let comparable: Vec<&Cell> =
            cells.iter().copied().filter(|cell| default(cell).is_some()).collect();
        let of = if comparable.is_empty() { cells } else { comparable };
        let Some(cell) = choose(of.into_iter()).chosen else { continue };
        let difference = Difference::new(default(cell), cell, evidence);
        rows.push(Ablation { model, changes: changes.clone(), regularizer, difference });
    }
    let with_dice: Vec<Ablation> = defaults_of(DIN, &rows)
        .into_iter()
        .filter_map(|default| {
            let cell = slice.trained_like(DIN_DICE, default)?;
            let changes = variants::model_changes(cell.config(), default.config());
            let regularizer = Kind::of(cell.config());
            let difference = Difference::new(Some(default), cell, evidence);
            (!changes.is_empty()).then_some(Ablation {
                model: DIN,
                changes,
                regularizer,
                difference,
            })
        })
        .collect();
    rows.extend(with_dice);
    rows.sort_by_cached_key(Ablation::order);
    rows
}

/// What the rows of a model are compared with, each once.
fn defaults_of<'a>(model: &str, rows: &[Ablation<'a>]) -> Vec<&'a Cell> {
    let mut defaults: Vec<&Cell> = Vec::new();
    for default in rows.iter().filter(|row| row.model == model).filter_map(|r| r.difference.from) {
        if !defaults.iter().any(|known| std::ptr::eq(*known, default)) {
            defaults.push(default);
        }
    }
    defaults
}

/// From BaseModel to DIN on both ways: by attention and by the product block. All were trained alike.
fn steps<'a>(slice: &Slice<'a>, rows: &[Ablation<'a>], evidence: &Evidence) -> Vec<Step<'a>> {
    let product = |row: &&Ablation| {
        row.model == DIN && row.changes.len() == 1 && row.changes.contains_key("product")
    };
    let Some(row) = rows.iter().find(product) else { return Vec::new() };
    let Some(default) = row.difference.from else { return Vec::new() };
    let changed = row.difference.to;
    // A preset may have DIN without the block, so that the changed one has it.
    let changed_has_it = row.changes.values().any(|value| value == "true");
    let (with, without) = if changed_has_it { (changed, default) } else { (default, changed) };
    let base = slice.trained_like(models::BASE, default);
    let pnn = slice.trained_like(PNN, default);
    // Beyond the paper, each with the setting that validation chose for it.
    let later = |model: &str| slice.find(&Selector::plain(model));
    let corners = [
        ("BaseModel", "DIN", "attention and u ⊙ i", base, Some(with)),
        ("BaseModel", "DIN without u ⊙ i", "attention", base, Some(without)),
        ("BaseModel", "PNN", "u ⊙ i", base, pnn),
        ("PNN", "DIN", "attention, given u ⊙ i", pnn, Some(with)),
        ("DIN without u ⊙ i", "DIN", "u ⊙ i, given attention", Some(without), Some(with)),
        ("DIN", "GRU", "outlook: order, no attention", Some(with), later("gru")),
        ("DIN", "BST", "outlook: a transformer over behaviors", Some(with), later("bst")),
    ];
    let step = |(from, to, adds, one, other)| {
        let difference = Difference::new(Some(one?), other?, evidence);
        Some(Step { from, to, adds, difference })
    };
    corners.into_iter().filter_map(step).collect()
}

/// Holm's correction over the differences of a table.
fn correct<'d, 'a: 'd>(differences: impl Iterator<Item = &'d mut Difference<'a>>) {
    let tested = |difference: &mut Difference| difference.effect.and_then(|effect| effect.p);
    let mut tested: Vec<(f64, &mut Difference)> =
        differences.filter_map(|of| tested(of).map(|p| (p, of))).collect();
    let p_values: Vec<f64> = tested.iter().map(|(p, _)| *p).collect();
    for ((_, difference), p) in tested.iter_mut().zip(holm(&p_values)) {
        difference.p_holm = Some(p);
    }
}

impl<'a> Ablations<'a> {
    /// The step from one model to another.
    pub(crate) fn step(&self, from: &str, to: &str) -> Option<&Difference<'a>> {
        let step = self.steps.iter().find(|step| step.from == from && step.to == to);
        step.map(|step| &step.difference)
    }
}
