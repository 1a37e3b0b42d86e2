//! Suites: which models, data and seeds a reproduction runs.

use crate::registry::ModelId;
use anyhow::{Context, Result, anyhow};
use ctr_core::Protocol;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

/// A grid of runs.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Suite {
    /// What it is for.
    pub description: String,
    /// Datasets wanted; those without files are left out and named.
    pub datasets: Vec<String>,
    /// A small dataset to fetch and run on when none of them is there.
    #[serde(default)]
    pub newcomer: Option<String>,
    /// The simulation to run on when that cannot be had either.
    pub fallback: String,
    /// Protocols.
    pub protocols: Vec<Protocol>,
    /// Models.
    pub models: Vec<ModelId>,
    /// Seeds.
    pub seeds: Vec<u64>,
    /// Presets.
    pub presets: Vec<String>,
    /// Settings (`key = value` as for `--set`) of all models, over the presets.
    #[serde(default)]
    pub common: BTreeMap<String, Value>,
    /// Settings of all models on single datasets, over those of all.
    #[serde(default)]
    pub on: BTreeMap<String, BTreeMap<String, Value>>,
    /// Settings of single models, over those.
    #[serde(default)]
    pub settings: BTreeMap<ModelId, BTreeMap<String, Value>>,
    /// Alternatives of which validation chooses one for each model and dataset: each is a list of
    /// settings over those above.
    #[serde(default)]
    pub variants: Vec<BTreeMap<String, Value>>,
}

const SUITES: [(&str, &str); 4] = [
    ("quick", include_str!("../suites/quick.toml")),
    ("paper", include_str!("../suites/paper.toml")),
    ("smoke", include_str!("../suites/smoke.toml")),
    ("tuning", include_str!("../suites/tuning.toml")),
];

impl Suite {
    /// The suite of a name, or the one in a TOML file.
    pub fn find(name: &str) -> Result<Self> {
        if let Some((_, text)) = SUITES.iter().find(|(known, _)| *known == name) {
            return toml::from_str(text).with_context(|| format!("suite {name}"));
        }
        let path = Path::new(name);
        if path.extension().is_some_and(|ending| ending == "toml") {
            let text = std::fs::read_to_string(path)
                .with_context(|| format!("cannot read the suite {name}"))?;
            return toml::from_str(&text).with_context(|| format!("suite {name}"));
        }
        let known: Vec<&str> = SUITES.iter().map(|(name, _)| *name).collect();
        Err(anyhow!(
            "unknown suite {name:?}: expected one of {}, or a .toml file",
            known.join(", ")
        ))
    }

    /// The settings of a model on a dataset in `--set` form, one list for each variant.
    pub fn settings_of(&self, model: ModelId, dataset: &str) -> Vec<Vec<String>> {
        let texts = |table: &BTreeMap<String, Value>| -> Vec<String> {
            table.iter().map(|(key, value)| format!("{key}={value}")).collect()
        };
        let single = self.settings.get(&model).map(texts).unwrap_or_default();
        let on = self.on.get(dataset).map(texts).unwrap_or_default();
        let own = [texts(&self.common), on, single].concat();
        if self.variants.is_empty() {
            return vec![own];
        }
        self.variants.iter().map(|variant| [own.clone(), texts(variant)].concat()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_suite_resolves_for_all_its_models() {
        for (name, _) in SUITES {
            let suite = Suite::find(name).unwrap();
            for &model in &suite.models {
                for preset in &suite.presets {
                    for dataset in &suite.datasets {
                        for settings in suite.settings_of(model, dataset) {
                            crate::config::resolve(model, preset, None, &settings).unwrap();
                        }
                    }
                }
            }
            let named = suite.datasets.iter().chain(&suite.newcomer).chain(suite.on.keys());
            for dataset in named.chain([&suite.fallback]) {
                assert!(crate::data::known(dataset).is_ok(), "{name}: {dataset}");
            }
        }
        assert!(Suite::find("fast").unwrap_err().to_string().contains("quick, paper"));
    }
}
