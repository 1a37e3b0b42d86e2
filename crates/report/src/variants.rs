//! What tells several configurations of one model apart, and how far two configurations are apart.

use crate::study::{Cell, short};
use crate::tuning::Defaults;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// More differing keys than this are not all named.
const NAMED_KEYS: usize = 3;
/// Of many the ones that say most of how a model was trained; others tend to go along with them.
const TELLING: [&str; 3] =
    ["train.optimizer.kind", "train.optimizer.learning_rate", "train.batch_size"];

/// What tells a cell from the other configurations of its model.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Label {
    /// The preset, empty where all runs on the dataset have the same.
    pub preset: String,
    /// What differs within the preset, empty where the model has one configuration in it.
    pub difference: String,
}

impl Label {
    /// Both parts in one text.
    pub(crate) fn text(&self) -> String {
        let parts = [self.preset.as_str(), self.difference.as_str()];
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ")
    }
}

/// A label for each cell of each block of one dataset.
pub(crate) fn labels(blocks: &[&[Cell]]) -> Vec<Vec<Label>> {
    let presets: BTreeSet<&str> = blocks.iter().copied().flatten().map(preset).collect();
    let label = |cell: &Cell, cells: &[Cell]| {
        let alike = |other: &&Cell| model(other) == model(cell) && preset(other) == preset(cell);
        let rivals: Vec<&Cell> = cells.iter().filter(alike).collect();
        Label {
            preset: match preset(cell) {
                _ if presets.len() < 2 => String::new(),
                "" => "no preset".into(),
                preset => preset.into(),
            },
            difference: match rivals.len() {
                1 => String::new(),
                _ => difference(cell, &rivals),
            },
        }
    };
    blocks.iter().map(|cells| cells.iter().map(|cell| label(cell, cells)).collect()).collect()
}

fn model(cell: &Cell) -> &str {
    cell.runs.first().map_or("", |run| &run.record.model.id)
}

pub(crate) fn preset(cell: &Cell) -> &str {
    cell.config().get("preset").and_then(Value::as_str).unwrap_or_default()
}

/// The first of these that no rival shares: the keys in which the rivals differ with this cell's values
/// (`regularizer=mba`), of many keys the telling ones, the first digits of the configuration's hash, the whole hash.
fn difference(cell: &Cell, rivals: &[&Cell]) -> String {
    let flat: Vec<BTreeMap<String, String>> =
        rivals.iter().map(|rival| flatten(rival.config())).collect();
    let keys: BTreeSet<&String> = flat
        .iter()
        .flat_map(BTreeMap::keys)
        .filter(|key| flat.iter().any(|other| other.get(*key) != flat[0].get(*key)))
        .collect();
    let named = |cell: &Cell, keys: &[&String]| {
        let own = flatten(cell.config());
        let value = |key: &String| own.get(key).map_or("none", String::as_str).to_string();
        let name = |key: &String| key.rsplit('.').next().unwrap_or(key).to_string();
        let pieces = keys.iter().map(|key| format!("{}={}", name(key), value(key)));
        pieces.collect::<Vec<_>>().join(", ")
    };
    let digits = |cell: &Cell| format!("config {}", short(cell.config_sha256()));
    let unique = |form: &dyn Fn(&Cell) -> String| {
        rivals.iter().filter(|rival| form(rival) == form(cell)).count() == 1
    };
    let all: Vec<&String> = keys.into_iter().collect();
    let telling: Vec<&String> =
        all.iter().copied().filter(|key| TELLING.contains(&key.as_str())).collect();
    if (1..=NAMED_KEYS).contains(&all.len()) && unique(&|cell| named(cell, &all)) {
        named(cell, &all)
    } else if !telling.is_empty() && unique(&|cell| named(cell, &telling)) {
        named(cell, &telling)
    } else if unique(&digits) {
        digits(cell)
    } else {
        format!("config {}", cell.config_sha256())
    }
}

/// The keys outside `model` in which two configurations differ: how unlike two models were trained.
pub(crate) fn training_differences(one: &Value, other: &Value) -> Vec<String> {
    let (one, other) = (flatten(one), flatten(other));
    let keys: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
    keys.into_iter()
        .filter(|key| *key != "model" && !key.starts_with("model."))
        .filter(|key| one.get(*key) != other.get(*key))
        .cloned()
        .collect()
}

/// Every value of nested objects under its path, such as `train.optimizer`; lists stay whole. A
/// regularizer is one value, for its kinds have different settings and would differ in all of them.
fn flatten(value: &Value) -> BTreeMap<String, String> {
    let mut flat = settings(value);
    if let Some(kind) = flat.remove("regularizer.kind") {
        let mut of_it = flat.split_off("regularizer.");
        // What follows the last path below `regularizer`.
        flat.extend(of_it.split_off("regularizer/"));
        let named: Vec<String> = of_it
            .into_iter()
            .map(|(key, value)| format!("{}={value}", key.trim_start_matches("regularizer.")))
            .collect();
        let text = if named.is_empty() { kind } else { format!("{kind}({})", named.join(", ")) };
        flat.insert("regularizer".into(), text);
    }
    flat
}

/// The same with the regularizer's settings under their own paths.
pub(crate) fn settings(value: &Value) -> BTreeMap<String, String> {
    fn visit(path: &str, value: &Value, flat: &mut BTreeMap<String, String>) {
        match value {
            Value::Object(map) => {
                for (key, value) in map {
                    let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                    visit(&path, value, flat);
                }
            }
            Value::String(text) => {
                flat.insert(path.into(), text.clone());
            }
            other => {
                flat.insert(path.into(), other.to_string());
            }
        }
    }
    let mut flat = BTreeMap::new();
    visit("", value, &mut flat);
    flat
}

/// Settings of a model that differ from its preset's, with their values.
pub(crate) type Changes = BTreeMap<String, String>;

/// The models' settings in each preset: what a configuration may differ from.
#[derive(Clone, Copy)]
pub(crate) struct Usual<'a>(Option<Defaults<'a>>);

impl<'a> Usual<'a> {
    pub(crate) fn new(defaults: Option<Defaults<'a>>) -> Self {
        Self(defaults)
    }

    /// What a configuration changes of its model; nothing where the preset is not known.
    pub(crate) fn changes(&self, config: &Value) -> Changes {
        let (model, preset) = (text(config, "/model/id"), text(config, "/preset"));
        let usual = self.0.and_then(|defaults| defaults(model, preset));
        usual.map_or_else(Changes::new, |usual| model_changes(config, &usual))
    }
}

/// The settings of a configuration's model that another one has not, whatever the two models are called.
pub(crate) fn model_changes(config: &Value, other: &Value) -> Changes {
    let other = model_settings(other);
    let differs = |(name, value): &(String, String)| other.get(name) != Some(value);
    model_settings(config).into_iter().filter(differs).collect()
}

fn text<'v>(config: &'v Value, pointer: &str) -> &'v str {
    config.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn model_settings(config: &Value) -> BTreeMap<String, String> {
    let mut settings = settings(config.get("model").unwrap_or(&Value::Null));
    settings.remove("id");
    settings
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn training_differences_leave_the_model_out() {
        let one = json!({"model": {"id": "din"}, "train": {"lr": 1.0, "batch": 32}});
        let other = json!({"model": {"id": "pnn"}, "train": {"lr": 0.1, "batch": 32}});
        assert_eq!(training_differences(&one, &other), ["train.lr"]);
        assert!(training_differences(&json!(3), &json!(3)).is_empty());
        assert_eq!(training_differences(&json!({"a": null}), &json!({})), ["a"]);
    }

    #[test]
    fn changes_are_those_of_the_model_alone() {
        let config = |unit: &str, rate: f64| json!({"preset": "small", "model": {"id": "din", "unit": {"softmax": unit}}, "train": {"rate": rate}});
        let default = |_: &str, preset: &str| (preset == "small").then(|| config("scaled", 1.0));
        let defaults = Usual::new(Some(&default));
        assert!(defaults.changes(&config("scaled", 2.0)).is_empty());
        let changes = defaults.changes(&config("none", 1.0));
        assert_eq!(changes, Changes::from([("unit.softmax".into(), "none".into())]));
        let mut other = config("none", 1.0);
        other["preset"] = json!("mine");
        assert!(defaults.changes(&other).is_empty());
    }

    #[test]
    fn a_regularizer_is_one_value() {
        let one = json!({"regularizer": {"kind": "mba", "lambda": 0.01, "norm": "l2"}, "train": 1});
        let flat = flatten(&one);
        assert_eq!(flat["regularizer"], "mba(lambda=0.01, norm=l2)");
        assert_eq!(flat.keys().collect::<Vec<_>>(), ["regularizer", "train"]);
        let none = json!({"regularizer": {"kind": "none"}, "train": 1});
        assert_eq!(flatten(&none)["regularizer"], "none");
        assert_eq!(training_differences(&one, &none), ["regularizer"]);
    }
}
