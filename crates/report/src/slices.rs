//! Runs that tables 4 and 5 may set beside one another: one dataset, protocol, content and preset. The
//! models differ more between optimizers than between regularizers, so presets are never mixed.

use crate::choice::{Choice, choose};
use crate::claims::Selector;
use crate::reference::is_alibaba_kin;
use crate::regularizers::{Form, Kind, epochs};
use crate::study::{Block, Cell, DatasetStudy, Study};
use crate::variants::{self, Changes, Usual, settings};
use crate::{format, models};
use ctr_core::{RunRecord, Signature};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// Comparable cells with their models and forms.
#[derive(Clone, Debug)]
pub(crate) struct Slice<'a> {
    pub dataset: &'a DatasetStudy,
    pub block: &'a Block,
    pub preset: &'a str,
    /// The dataset has slices of other presets under this block.
    several_presets: bool,
    cells: Vec<(&'a str, Form, &'a Cell)>,
    /// Cells whose model is not as in the preset, each with what is changed.
    changed: Vec<(&'a str, Changes, &'a Cell)>,
}

/// All slices, by dataset, block and preset.
pub(crate) fn slices<'a>(study: &'a Study, usual: &Usual) -> Vec<Slice<'a>> {
    let mut slices = Vec::new();
    for dataset in &study.datasets {
        for (index, block) in dataset.blocks.iter().enumerate() {
            let cells: Vec<(&str, &Cell)> =
                dataset.cells(index).map(|(row, cell)| (row.model.as_str(), cell)).collect();
            let presets: BTreeSet<&str> =
                cells.iter().map(|(_, cell)| variants::preset(cell)).collect();
            for &preset in &presets {
                let (own, changed): (Vec<_>, Vec<_>) = cells
                    .iter()
                    .filter(|(_, cell)| variants::preset(cell) == preset)
                    .map(|&(model, cell)| (model, usual.changes(cell.config()), cell))
                    .partition(|(_, changes, _)| changes.is_empty());
                let own: Vec<(&str, &Cell)> =
                    own.into_iter().map(|(model, _, cell)| (model, cell)).collect();
                let mut longest: BTreeMap<&str, u64> = BTreeMap::new();
                for (model, cell) in &own {
                    let longest = longest.entry(model).or_default();
                    *longest = (*longest).max(epochs(cell.config()));
                }
                let form = |model: &str, cell: &Cell| {
                    Form::of(cell.config(), longest.get(model).copied().unwrap_or(0))
                };
                slices.push(Slice {
                    dataset,
                    block,
                    preset,
                    several_presets: presets.len() > 1,
                    cells: own
                        .into_iter()
                        .map(|(model, cell)| (model, form(model, cell), cell))
                        .collect(),
                    changed,
                });
            }
        }
    }
    slices
}

impl<'a> Slice<'a> {
    /// What stands beside the dataset's name: the block, and the preset where there are several.
    pub(crate) fn column(&self) -> String {
        match (self.several_presets, self.preset) {
            (false, _) => self.block.title.clone(),
            (true, "") => format!("{}, no preset", self.block.title),
            (true, preset) => format!("{}, preset {preset}", self.block.title),
        }
    }

    /// Dataset, block and preset.
    pub(crate) fn title(&self) -> String {
        let simulated = if self.block.data.simulated { ", simulated data" } else { "" };
        format!("{}, {}{simulated}", self.dataset.id, self.column())
    }

    /// The heading of our columns.
    pub(crate) fn heading(&self) -> String {
        let simulated = if self.block.data.simulated { ", simulated" } else { "" };
        format!("ours, {}{simulated}", self.column())
    }

    /// That of its first run, for all runs of the slice are of the same data and metric.
    pub(crate) fn signature(&self) -> Option<Signature> {
        let cells = self.cells.iter().map(|(.., cell)| cell);
        let mut all = cells.chain(self.changed.iter().map(|(.., cell)| cell));
        all.next()?.runs.first()?.record.signature.parse().ok()
    }

    /// Any run has test rows.
    pub(crate) fn knows_users(&self) -> bool {
        self.cells.iter().any(|(.., cell)| cell.users_error.is_some())
    }

    /// For file names and links: the dataset, and what else is needed among its slices.
    pub(crate) fn stem(&self) -> String {
        if self.several_presets || self.dataset.blocks.len() > 1 {
            format::file_name(&format!("{}-{}", self.dataset.id, self.column()))
        } else {
            format::file_name(&self.dataset.id)
        }
    }

    /// The forms that a model was run in, in the order of table 4.
    pub(crate) fn forms(&self, model: &str) -> Vec<&Form> {
        let all: BTreeSet<&Form> =
            self.cells.iter().filter(|(other, ..)| *other == model).map(|(_, f, _)| f).collect();
        all.into_iter().collect()
    }

    /// The choice among a model's settings of the forms wanted.
    pub(crate) fn choose(&self, model: &str, wanted: impl Fn(&Form) -> bool) -> Choice<'a> {
        let of_row = |entry: &&(&'a str, Form, &'a Cell)| entry.0 == model && wanted(&entry.1);
        choose(self.cells.iter().filter(of_row).map(|(.., cell)| *cell))
    }

    /// The cell that a claim is about: of several settings, what validation chose.
    pub(crate) fn find(&self, wanted: &Selector) -> Option<&'a Cell> {
        let fits = |cell: &Cell| {
            let has = settings(cell.config());
            wanted.settings.iter().all(|(key, value)| has.get(key) == Some(value))
        };
        let form = |form: &Form| form.is_usual() && form.kind.id() == wanted.regularizer;
        let cells: Vec<&Cell> = match wanted.changes.is_empty() {
            true => {
                let all = self.cells.iter().filter(|(model, ..)| *model == wanted.model);
                all.filter(|(_, of, _)| form(of)).map(|(.., cell)| *cell).collect()
            }
            false => {
                let all = self.changed.iter().filter(|(model, ..)| *model == wanted.model);
                all.filter(|(_, changes, cell)| {
                    *changes == wanted.changes && form(&Form::of(cell.config(), 0))
                })
                .map(|(.., cell)| *cell)
                .collect()
            }
        };
        choose(cells.into_iter().filter(|cell| fits(cell))).chosen
    }

    /// All cells without a regularizer, trained as usual, with what is changed of their models.
    pub(crate) fn all(&self) -> Vec<(&'a str, Changes, &'a Cell)> {
        let own = self.cells.iter().filter(|(_, form, _)| form.is_plain());
        let own = own.map(|&(model, _, cell)| (model, Changes::new(), cell));
        own.chain(self.changed.iter().cloned()).collect()
    }

    /// The cells whose model was changed, with what is changed.
    pub(crate) fn changed(&self) -> &[(&'a str, Changes, &'a Cell)] {
        &self.changed
    }

    /// A model as in its preset, trained like another cell: with the same settings outside of the model.
    pub(crate) fn trained_like(&self, model: &str, other: &Cell) -> Option<&'a Cell> {
        let mut own = self.cells.iter().filter(|(id, ..)| *id == model).map(|(.., cell)| *cell);
        own.find(|cell| variants::training_differences(cell.config(), other.config()).is_empty())
    }

    /// BaseModel was run under several kinds of regularizer.
    pub(crate) fn compares_regularizers(&self) -> bool {
        let forms = self.forms(models::BASE);
        forms.iter().map(|form| &form.kind).collect::<BTreeSet<&Kind>>().len() > 1
    }

    pub(crate) fn is_alibaba_kin(&self) -> bool {
        is_alibaba_kin(&self.dataset.id)
    }
}

/// The records that table 3 and its curves are about, and how many runs of each dataset they leave out.
///
/// Simulated ad logs have tables 4 and 5 in its place. Where a dataset was run with and without
/// regularizers, table 3 has the runs without: its numbers in the paper are without, and a search for λ
/// would bury them. Nor has it models that differ from their preset: the ablations have those.
pub(crate) fn for_table3(
    records: &[(PathBuf, RunRecord)],
    usual: &Usual,
) -> (Vec<(PathBuf, RunRecord)>, BTreeMap<String, usize>) {
    let mut longest: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for (_, record) in records {
        let key = (record.dataset.id.as_str(), record.model.id.as_str());
        let longest = longest.entry(key).or_default();
        *longest = (*longest).max(epochs(&record.config));
    }
    let form = |record: &RunRecord| {
        let key = (record.dataset.id.as_str(), record.model.id.as_str());
        Form::of(&record.config, longest.get(&key).copied().unwrap_or(0))
    };
    let mut forms: BTreeMap<&str, BTreeSet<Form>> = BTreeMap::new();
    for (_, record) in records {
        forms.entry(&record.dataset.id).or_default().insert(form(record));
    }
    let mut left_out: BTreeMap<String, usize> = BTreeMap::new();
    let mut kept = Vec::new();
    for (path, record) in records {
        let id = &record.dataset.id;
        if is_alibaba_kin(id) {
            continue;
        }
        // Without any run of the kind none, the table has what there is.
        let several = forms.get(id.as_str()).is_some_and(|forms| {
            let kinds: BTreeSet<&Kind> = forms.iter().map(|form| &form.kind).collect();
            kinds.len() > 1 && forms.iter().any(Form::is_plain)
        });
        let changed = !usual.changes(&record.config).is_empty();
        if changed || (several && !form(record).is_plain()) {
            *left_out.entry(id.clone()).or_default() += 1;
        } else {
            kept.push((path.clone(), record.clone()));
        }
    }
    (kept, left_out)
}
