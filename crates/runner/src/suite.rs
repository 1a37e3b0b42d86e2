//! Suites: which models, data and seeds a reproduction runs.

use crate::config;
use crate::registry::ModelId;
use crate::suggest::{did_you_mean, in_message};
use anyhow::{Context, Result, anyhow, bail};
use ctr_core::Protocol;
use serde::Deserialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
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
    /// Models, each on all of the datasets.
    #[serde(default)]
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
    /// Further rows, each with settings, datasets and a search of its own.
    #[serde(default)]
    pub arms: Vec<Arm>,
    /// Names of suites that are run with it, on those of its datasets that they name.
    #[serde(default)]
    pub includes: Vec<String>,
    /// Models whose finished runs are also scored in the wrong ways of the authors' earlier code.
    #[serde(default)]
    pub exhibits: Vec<ModelId>,
    /// Verdicts on claims that a run of the suite is expected to end with.
    #[serde(default)]
    pub expected: Vec<Expected>,
}

/// Verdicts on one dataset under one protocol and preset.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expected {
    /// The dataset.
    pub dataset: String,
    /// The protocol.
    pub protocol: Protocol,
    /// The preset.
    pub preset: String,
    /// Verdicts by the claims' names.
    pub verdicts: BTreeMap<String, ctr_report::Verdict>,
}

/// Models trained in one way.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Arm {
    /// Models.
    pub models: Vec<ModelId>,
    /// Datasets instead of the suite's.
    pub datasets: Vec<String>,
    /// Preset instead of the suite's.
    pub preset: Option<String>,
    /// Seeds instead of the suite's.
    pub seeds: Option<Vec<u64>>,
    /// Settings over those of the suite.
    pub set: BTreeMap<String, Value>,
    /// Alternatives to choose from, each a table of settings that go together: every one runs with the first
    /// seed, and the one with the highest validation gAUC with all seeds.
    pub points: Vec<BTreeMap<String, Value>>,
    /// The same for settings that do not depend on one another: every combination of these values, with
    /// each of `points`.
    pub search: BTreeMap<String, Vec<Value>>,
}

/// Reads a suite and resolves every configuration that it asks for.
pub fn check(text: &str) -> Result<()> {
    let suite = Suite::parse(text)?;
    let resolve = |model, preset: &str, settings: &[String]| {
        config::resolve(model, preset, None, settings).map(|_| ())
    };
    for dataset in &suite.datasets {
        for &model in &suite.models {
            for preset in &suite.presets {
                resolve(model, preset, &suite.settings_of(model, dataset))?;
            }
        }
    }
    for arm in &suite.arms {
        let preset = arm.preset.as_ref().or(suite.presets.first());
        let preset = preset.map_or("small", |preset| preset);
        for dataset in if arm.datasets.is_empty() { &suite.datasets } else { &arm.datasets } {
            for &model in &arm.models {
                for settings in suite.points_of(arm, model, dataset) {
                    resolve(model, preset, &settings)?;
                }
            }
        }
    }
    Ok(())
}

/// Settings that one arm may search: a year of runs, and few enough to be listed.
const MOST_POINTS: usize = 10_000;

const SUITES: [(&str, &str); 8] = [
    ("quick", include_str!("../suites/quick.toml")),
    ("paper", include_str!("../suites/paper.toml")),
    ("smoke", include_str!("../suites/smoke.toml")),
    ("tuning", include_str!("../suites/tuning.toml")),
    ("ablations", include_str!("../suites/ablations.toml")),
    ("alibaba", include_str!("../suites/alibaba.toml")),
    ("exhibits", include_str!("../suites/exhibits.toml")),
    ("regularization", include_str!("../suites/regularization.toml")),
];

impl Suite {
    /// The suite of a name, or the one in a TOML file.
    pub fn find(name: &str) -> Result<Self> {
        if let Some((_, text)) = SUITES.iter().find(|(known, _)| *known == name) {
            return Self::parse(text).with_context(|| format!("suite {name}"));
        }
        let path = Path::new(name);
        if path.extension().is_some_and(|ending| ending == "toml") {
            let text = std::fs::read_to_string(path)
                .with_context(|| format!("cannot read the suite {name}"))?;
            return Self::parse(&text).with_context(|| format!("suite {name}"));
        }
        let known: Vec<&str> = SUITES.iter().map(|(name, _)| *name).collect();
        Err(anyhow!(
            "unknown suite {name:?}: expected one of {}, or a .toml file{}",
            known.join(", "),
            did_you_mean(name, known.iter().copied())
        ))
    }

    fn parse(text: &str) -> Result<Self> {
        let suite: Self = toml::from_str(text).map_err(|error| {
            let message = error.to_string();
            anyhow!("{}{}", message.trim_end(), in_message(&message))
        })?;
        let empty = [
            ("protocols", suite.protocols.is_empty()),
            ("seeds", suite.seeds.is_empty()),
            ("presets", suite.presets.is_empty()),
        ];
        if let Some((key, _)) = empty.iter().find(|(_, empty)| *empty) {
            bail!("{key} is empty, so nothing would run");
        }
        for arm in &suite.arms {
            let sizes = arm.search.values().map(Vec::len);
            let points = sizes.fold(arm.points.len().max(1), usize::saturating_mul);
            if points > MOST_POINTS {
                bail!("an arm has {points} points to search, more than {MOST_POINTS}");
            }
        }
        Ok(suite)
    }

    /// The settings that an arm chooses from, in `--set` form: one list a point.
    pub fn points_of(&self, arm: &Arm, model: ModelId, dataset: &str) -> Vec<Vec<String>> {
        let own = [self.settings_of(model, dataset), texts(&arm.set)].concat();
        let points = match arm.points.as_slice() {
            [] => vec![own],
            points => points.iter().map(|point| [own.clone(), texts(point)].concat()).collect(),
        };
        arm.search.iter().fold(points, |points, (key, values)| {
            let with = |value| {
                let added = format!("{key}={value}");
                points.iter().map(move |point| [point.clone(), vec![added.clone()]].concat())
            };
            values.iter().flat_map(with).collect()
        })
    }

    /// The suite and those that it includes.
    pub fn with_included(&self) -> Result<Vec<Self>> {
        let included = self.includes.iter().map(|name| Self::find(name));
        std::iter::once(Ok(self.clone())).chain(included).collect()
    }

    /// The settings of a model on a dataset in `--set` form.
    pub fn settings_of(&self, model: ModelId, dataset: &str) -> Vec<String> {
        let single = self.settings.get(&model).map(texts).unwrap_or_default();
        let on = self.on.get(dataset).map(texts).unwrap_or_default();
        [texts(&self.common), on, single].concat()
    }

    /// Whether the suite's models run on a dataset: on its own, or what stands for them, but not on one
    /// that only an arm asks for.
    pub fn datasets_of_models(&self, dataset: &str) -> bool {
        let own = self.datasets.iter().any(|id| id == dataset);
        own || !self.datasets_of_arms().any(|id| id == dataset)
    }

    /// Whether an arm runs on a dataset.
    pub fn runs_on(&self, arm: &Arm, dataset: &str) -> bool {
        match arm.datasets.is_empty() {
            true => self.datasets_of_models(dataset),
            false => arm.datasets.iter().any(|id| id == dataset),
        }
    }

    /// The datasets that arms ask for, each once.
    pub fn datasets_of_arms(&self) -> impl Iterator<Item = &str> {
        let all: BTreeSet<&str> =
            self.arms.iter().flat_map(|arm| &arm.datasets).map(String::as_str).collect();
        all.into_iter()
    }
}

/// Settings in `--set` form.
fn texts(table: &BTreeMap<String, Value>) -> Vec<String> {
    table.iter().map(|(key, value)| format!("{key}={value}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model(name: &str) -> ModelId {
        ModelId::named(name).unwrap()
    }

    #[test]
    fn every_suite_resolves_for_all_its_models() {
        for (name, text) in SUITES {
            check(text).unwrap_or_else(|error| panic!("{name}: {error:#}"));
            let suite = Suite::find(name).unwrap();
            for arm in &suite.arms {
                let nowhere = arm.datasets.is_empty() && suite.datasets.is_empty();
                assert!(!arm.models.is_empty() && !nowhere, "{name}: {arm:?}");
            }
            let named = suite.datasets.iter().chain(&suite.newcomer).chain(suite.on.keys());
            let arms = suite.arms.iter().flat_map(|arm| &arm.datasets);
            for dataset in named.chain(arms).chain([&suite.fallback]) {
                assert!(crate::data::known(dataset).is_ok(), "{name}: {dataset}");
            }
        }
        let claims = ctr_report::claim_names().unwrap();
        for expected in
            ["quick", "paper"].iter().flat_map(|name| Suite::find(name).unwrap().expected)
        {
            assert!(crate::data::known(&expected.dataset).is_ok(), "{expected:?}");
            assert!(config::default_of("din", &expected.preset).is_some(), "{expected:?}");
            assert!(!expected.verdicts.is_empty());
            for claim in expected.verdicts.keys() {
                assert!(claims.contains(claim), "{claim}");
            }
        }
        assert!(Suite::find("fast").unwrap_err().to_string().contains("quick, paper"));
    }

    #[test]
    fn a_search_tries_every_combination_over_the_settings_of_the_arm() {
        let suite: Suite = toml::from_str(
            r#"
            description = "t"
            datasets = ["tiny"]
            fallback = "tiny"
            protocols = ["held-out"]
            seeds = [1]
            presets = ["small"]
            [common]
            "train.epochs" = 3
            [[arms]]
            models = ["din"]
            set = { regularizer = "mba" }
            search = { "regularizer.lambda" = [0.1, 0.2], "train.batch_size" = [32, 64] }
            "#,
        )
        .unwrap();
        let points = suite.points_of(&suite.arms[0], model("din"), "tiny");
        assert_eq!(points.len(), 4);
        assert_eq!(
            points[1],
            [
                "train.epochs=3",
                "regularizer=\"mba\"",
                "regularizer.lambda=0.2",
                "train.batch_size=32"
            ]
        );
    }

    #[test]
    fn points_are_alternatives_that_a_search_multiplies() {
        let suite: Suite = toml::from_str(
            r#"
            description = "t"
            datasets = ["tiny"]
            fallback = "tiny"
            protocols = ["held-out"]
            seeds = [1, 2]
            presets = ["small"]
            [[arms]]
            models = ["din"]
            points = [{ "train.batch_size" = 32, "train.epochs" = 9 }, { "train.batch_size" = 64 }]
            search = { "train.optimizer.learning_rate" = [0.1, 0.2] }
            "#,
        )
        .unwrap();
        let points = suite.points_of(&suite.arms[0], model("din"), "tiny");
        let (slow, fast) =
            ("train.optimizer.learning_rate=0.1", "train.optimizer.learning_rate=0.2");
        let (small, large) = ("train.batch_size=32", "train.batch_size=64");
        assert_eq!(
            points,
            [
                vec![small, "train.epochs=9", slow],
                vec![large, slow],
                vec![small, "train.epochs=9", fast],
                vec![large, fast]
            ]
        );
    }

    #[test]
    fn tuning_gives_every_model_the_same_points() {
        let suite = Suite::find("tuning").unwrap();
        let [arm] = suite.arms.as_slice() else { panic!("{} arms", suite.arms.len()) };
        assert!(suite.models.is_empty() && suite.settings.is_empty());
        // The paper's models; later ones have searches of their own.
        assert_eq!(arm.models, ModelId::all()[..7]);
        let points = suite.points_of(arm, model("din"), "amazon-beauty");
        assert_eq!(points.len(), 4);
        for &model in ModelId::all() {
            assert_eq!(suite.points_of(arm, model, "amazon-beauty"), points);
        }
        assert_eq!(suite.seeds.len(), 3);
    }

    #[test]
    fn ablations_change_one_setting_each_and_share_the_runs_of_quick() {
        use crate::config::resolve;
        let (quick, suite) = (Suite::find("quick").unwrap(), Suite::find("ablations").unwrap());
        let dataset = "amazon-beauty";
        let default = |suite: &Suite, model| {
            resolve(model, "small", None, &suite.settings_of(model, dataset)).unwrap()
        };
        for &model in &suite.models {
            assert_eq!(default(&suite, model), default(&quick, model));
        }
        assert!(suite.seeds == quick.seeds && suite.presets == quick.presets);
        // Models beyond the paper stand beside DIN as they are.
        let later =
            |arm: &&Arm| arm.models.iter().all(|model| !ModelId::all()[..7].contains(model));
        assert_eq!(suite.arms.iter().filter(later).count(), 2);
        for arm in suite.arms.iter().filter(|arm| !later(arm)) {
            assert_eq!(arm.set.len(), 1);
            for &model in &arm.models {
                let [settings] = suite.points_of(arm, model, dataset).try_into().unwrap();
                let changed = resolve(model, "small", None, &settings).unwrap();
                let mut default = default(&suite, model);
                assert_ne!(changed.model, default.model, "{settings:?}");
                default.model = changed.model.clone();
                assert_eq!(changed, default);
            }
        }
        let dice = ["model.network.activation=dice".to_string()];
        let (own, other) = (default(&suite, model("din_dice")), model("din"));
        let mut other =
            serde_json::to_value(resolve(other, "small", None, &dice).unwrap()).unwrap();
        other["model"]["id"] = "din_dice".into();
        assert_eq!(serde_json::to_value(own).unwrap(), other);
    }
}
