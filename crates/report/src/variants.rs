//! What tells several configurations of one model apart, and how far two configurations are apart.

use crate::study::{Cell, short};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// More differing keys than this are named by the configuration's hash.
const NAMED_KEYS: usize = 3;

/// A label for each cell of each block of one dataset, empty where a model has one configuration.
/// Configurations differ by their preset, else by the keys whose values differ (`regularizer=mba`),
/// else by the first digits of their hash.
pub(crate) fn labels(blocks: &[&[Cell]]) -> Vec<Vec<String>> {
    let mut presets: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for cell in blocks.iter().copied().flatten() {
        presets.entry(model(cell)).or_default().insert(preset(cell));
    }
    blocks
        .iter()
        .map(|cells| {
            cells
                .iter()
                .map(|cell| {
                    let mut parts = Vec::new();
                    if presets.get(model(cell)).is_some_and(|all| all.len() > 1) {
                        let preset = preset(cell);
                        parts
                            .push(if preset.is_empty() { "no preset" } else { preset }.to_string());
                    }
                    let rivals: Vec<&Cell> = cells
                        .iter()
                        .filter(|other| {
                            model(other) == model(cell) && preset(other) == preset(cell)
                        })
                        .collect();
                    if rivals.len() > 1 {
                        parts.push(difference(cell, &rivals));
                    }
                    parts.join(", ")
                })
                .collect()
        })
        .collect()
}

fn model(cell: &Cell) -> &str {
    cell.runs.first().map_or("", |run| &run.record.model.id)
}

fn preset(cell: &Cell) -> &str {
    cell.config().get("preset").and_then(Value::as_str).unwrap_or_default()
}

/// The keys in which `rivals` differ with this cell's values, or its hash.
fn difference(cell: &Cell, rivals: &[&Cell]) -> String {
    let flat: Vec<BTreeMap<String, String>> =
        rivals.iter().map(|rival| flatten(rival.config())).collect();
    let keys: BTreeSet<&String> = flat
        .iter()
        .flat_map(BTreeMap::keys)
        .filter(|key| flat.iter().any(|other| other.get(*key) != flat[0].get(*key)))
        .collect();
    let own = flatten(cell.config());
    let named: Vec<String> = keys
        .iter()
        .map(|&key| {
            let name = key.rsplit('.').next().unwrap_or(key);
            format!("{name}={}", own.get(key).map_or("none", String::as_str))
        })
        .collect();
    if named.is_empty() || named.len() > NAMED_KEYS {
        return format!("config {}", short(cell.config_sha256()));
    }
    named.join(", ")
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

/// Every value of nested objects under its path, such as `train.optimizer`; lists stay whole.
fn flatten(value: &Value) -> BTreeMap<String, String> {
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
}
