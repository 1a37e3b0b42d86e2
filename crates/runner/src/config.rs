//! A run's configuration: documented defaults, then a preset, a file, and `--set`, in that order.

use crate::registry::{ModelConfig, ModelId};
use crate::regularizer::Regularizer;
use crate::suggest::{did_you_mean, in_message};
use anyhow::{Context, Result, anyhow, bail};
use ctr_train::TrainConfig;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::path::Path;

/// Everything that decides a run, beside data, protocol and seed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunConfig {
    /// The preset it began from.
    pub preset: String,
    /// The model.
    pub model: ModelConfig,
    /// The regularizer.
    pub regularizer: Regularizer,
    /// Training.
    pub train: TrainConfig,
}

/// A named set of settings for all models.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Preset {
    /// What it is for.
    description: String,
    /// The preset that it changes.
    based_on: Option<String>,
    /// Over the defaults of [`TrainConfig`].
    train: Map<String, Value>,
    /// Over the defaults of every model that has the tables named here: all but LR.
    deep: Map<String, Value>,
    /// Over the defaults of single models, by their names.
    models: BTreeMap<String, PresetModel>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct PresetModel {
    model: Map<String, Value>,
    train: Map<String, Value>,
}

const PRESETS: [(&str, &str); 7] = [
    ("alibaba", include_str!("../presets/alibaba.toml")),
    ("alibaba_batch_500", include_str!("../presets/alibaba_batch_500.toml")),
    ("authors", include_str!("../presets/authors.toml")),
    ("paper", include_str!("../presets/paper.toml")),
    ("small", include_str!("../presets/small.toml")),
    ("small_no_stop", include_str!("../presets/small_no_stop.toml")),
    ("small_sgd", include_str!("../presets/small_sgd.toml")),
];

/// Names and purposes of the presets.
#[cfg(test)]
fn presets() -> Result<Vec<(&'static str, String)>> {
    PRESETS.iter().map(|(name, _)| Ok((*name, preset(name)?.description))).collect()
}

fn preset(name: &str) -> Result<Preset> {
    let (_, text) = PRESETS.iter().find(|(known, _)| *known == name).ok_or_else(|| {
        let known: Vec<&str> = PRESETS.iter().map(|(name, _)| *name).collect();
        anyhow!(
            "unknown preset {name:?}: expected one of {}{}",
            known.join(", "),
            did_you_mean(name, known.iter().copied())
        )
    })?;
    let own: Preset = toml::from_str(text).with_context(|| format!("preset {name}"))?;
    let Some(base) = &own.based_on else { return Ok(own) };
    let base = preset(base)?;
    let mut models = base.models;
    for (model, own) in &own.models {
        let of_model = models.entry(model.clone()).or_default();
        of_model.model = merged(&of_model.model, &own.model);
        of_model.train = merged(&of_model.train, &own.train);
    }
    Ok(Preset {
        train: merged(&base.train, &own.train),
        deep: merged(&base.deep, &own.deep),
        models,
        ..own
    })
}

/// `over` on top of `base`.
fn merged(base: &Map<String, Value>, over: &Map<String, Value>) -> Map<String, Value> {
    let mut value = Value::Object(base.clone());
    merge(&mut value, &Value::Object(over.clone()));
    match value {
        Value::Object(map) => map,
        _ => base.clone(),
    }
}

/// Puts a configuration together.
///
/// `file` is TOML, or JSON by its ending; a run's `record.json` stands for the configuration in it.
/// `settings` are `key=value` texts with dotted keys; values are TOML, or plain text.
pub fn resolve(
    model: ModelId,
    preset_name: &str,
    file: Option<&Path>,
    settings: &[String],
) -> Result<RunConfig> {
    let preset_settings = preset(preset_name)?;
    let of_model = preset_settings.models.get(model.name()).cloned().unwrap_or_default();
    let mut value = serde_json::to_value(RunConfig {
        preset: preset_name.into(),
        model: ModelConfig::default_of(model)?,
        regularizer: Regularizer::None,
        train: TrainConfig::default(),
    })?;
    merge(&mut value["train"], &Value::Object(preset_settings.train));
    merge(&mut value["train"], &Value::Object(of_model.train));
    let mut deep = preset_settings.deep;
    deep.retain(|key, _| value["model"].get(key).is_some());
    merge(&mut value["model"], &Value::Object(deep));
    merge(&mut value["model"], &Value::Object(of_model.model));
    let mut source = format!("preset {preset_name}");
    if let Some(path) = file {
        merge(&mut value, &read_file(path, model)?);
        source = path.display().to_string();
        typed(&value).with_context(|| source.clone())?;
    }
    for setting in settings {
        let (key, text) = setting
            .split_once('=')
            .ok_or_else(|| anyhow!("--set {setting}: expected key=value"))?;
        set(&mut value, key.trim(), &parse(text.trim()))
            .with_context(|| format!("--set {setting}"))?;
        // Checked one by one, so that the message names the right one.
        typed(&value).with_context(|| format!("--set {setting}"))?;
    }
    typed(&value).context(source)
}

/// The configuration of a model in a preset when nothing is set, both by their names in records; none for
/// names of other versions.
pub fn default_of(model: &str, preset: &str) -> Option<Value> {
    let model = ModelId::named(model).ok()?;
    serde_json::to_value(resolve(model, preset, None, &[]).ok()?).ok()
}

fn typed(value: &Value) -> Result<RunConfig> {
    let config: RunConfig = serde_json::from_value(value.clone())
        .map_err(|error| anyhow!("{error}{}", in_message(&error.to_string())))?;
    if let Some(unknown) = ignored(value, &serde_json::to_value(&config)?) {
        bail!("unknown field {unknown}");
    }
    config.train.validate()?;
    config.regularizer.validate()?;
    Ok(config)
}

/// The first key that did not come back, with the nearest that did: a kind without settings of its own takes any
/// without a word.
fn ignored(given: &Value, understood: &Value) -> Option<String> {
    let (Value::Object(given), Value::Object(understood)) = (given, understood) else {
        return None;
    };
    ignored_in(given, understood).map(|(path, hint)| format!("`{path}`{hint}"))
}

/// Settings that are left out where they have their default, 0.
const LEFT_OUT: [&str; 2] = ["shuffle_buffer", "shards"];

fn ignored_in(
    given: &Map<String, Value>,
    understood: &Map<String, Value>,
) -> Option<(String, String)> {
    given.iter().find_map(|(key, value)| match (value, understood.get(key)) {
        (Value::Object(value), Some(Value::Object(understood))) => {
            let (path, hint) = ignored_in(value, understood)?;
            Some((format!("{key}.{path}"), hint))
        }
        (_, Some(_)) => None,
        (value, None) if LEFT_OUT.contains(&key.as_str()) && value == 0 => None,
        (_, None) => Some((key.clone(), did_you_mean(key, understood.keys().map(String::as_str)))),
    })
}

fn read_file(path: &Path, model: ModelId) -> Result<Value> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read the configuration {}", path.display()))?;
    let mut value: Value = if path.extension().is_some_and(|ending| ending == "json") {
        serde_json::from_str(&text).with_context(|| format!("{}", path.display()))?
    } else {
        toml::from_str(&text).with_context(|| format!("{}", path.display()))?
    };
    if value.get("schema_version").is_some()
        && let Some(config) = value.get_mut("config")
    {
        value = config.take();
    }
    if let Some(id) = value.pointer("/model/id").and_then(Value::as_str)
        && id != model.name()
    {
        bail!("{} configures model {id}, but --model is {}", path.display(), model.name());
    }
    Ok(value)
}

/// Tables that stand for one choice: another choice replaces them as a whole.
const CHOICES: [&str; 3] = ["schedule", "embedding_init", "regularizer"];

/// A kind alone stands for the table of that kind.
fn as_choice(key: &str, value: &Value) -> Value {
    match value {
        Value::String(kind) if key == "regularizer" => serde_json::json!({ "kind": kind }),
        value => value.clone(),
    }
}

fn merge(base: &mut Value, over: &Value) {
    match (base, over) {
        (Value::Object(base), Value::Object(over)) => {
            for (key, value) in over {
                let value = &as_choice(key, value);
                match base.get_mut(key) {
                    Some(existing) if !CHOICES.contains(&key.as_str()) => merge(existing, value),
                    _ => {
                        base.insert(key.clone(), value.clone());
                    }
                }
            }
        }
        (base, over) => *base = over.clone(),
    }
}

fn set(value: &mut Value, key: &str, to: &Value) -> Result<()> {
    let path: Vec<&str> = key.split('.').collect();
    let mut place = value;
    for (depth, part) in path.iter().enumerate() {
        let Value::Object(table) = place else {
            bail!("{} has no parts", path[..depth].join("."));
        };
        if depth + 1 == path.len() {
            // Another kind of schedule has other settings.
            let to = as_choice(part, to);
            if *part == "kind" && depth > 0 && CHOICES.contains(&path[depth - 1]) {
                table.clear();
            }
            table.insert((*part).to_string(), to);
            return Ok(());
        }
        place = table.entry(*part).or_insert_with(|| Value::Object(Map::new()));
    }
    Ok(())
}

/// A TOML value, or else the text itself.
fn parse(text: &str) -> Value {
    toml::from_str::<BTreeMap<String, Value>>(&format!("value = {text}"))
        .ok()
        .and_then(|mut table| table.remove("value"))
        .unwrap_or_else(|| Value::String(text.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ctr_nn::{OptimizerKind, PenaltyNorm, Schedule};

    fn resolved(model: &str, preset: &str, settings: &[&str]) -> Result<RunConfig> {
        let settings: Vec<String> = settings.iter().map(|text| (*text).to_string()).collect();
        resolve(ModelId::named(model)?, preset, None, &settings)
    }

    #[test]
    fn every_preset_fits_every_model_and_survives_json() {
        for (name, description) in presets().unwrap() {
            assert!(!description.is_empty());
            for &model in ModelId::all() {
                let config = resolved(model.name(), name, &[]).unwrap();
                assert_eq!(config.model.id(), model);
                let json = serde_json::to_value(&config).unwrap();
                assert_eq!(serde_json::from_value::<RunConfig>(json).unwrap(), config);
            }
        }
    }

    #[test]
    fn defaults_are_found_by_the_names_in_records() {
        let config = default_of("din_dice", "small").unwrap();
        let expected = resolved("din_dice", "small", &[]).unwrap();
        assert_eq!(config, serde_json::to_value(expected).unwrap());
        assert!(default_of("din", "later").is_none() && default_of("later", "small").is_none());
    }

    #[test]
    fn the_authors_preset_is_the_authors_code() {
        let config = resolved("din", "authors", &[]).unwrap();
        assert_eq!(config.train, TrainConfig::default());
        assert_eq!(config.model, ModelConfig::default_of(ModelId::named("din").unwrap()).unwrap());
        let config = resolved("deepfm", "authors", &[]).unwrap();
        assert_eq!(config.train.optimizer.kind, OptimizerKind::Adam);
        assert_eq!(
            config.train.optimizer.schedule,
            Schedule::Exponential { rate: 0.9, every: 336_000, staircase: true }
        );
    }

    #[test]
    fn a_preset_may_change_another_one() {
        let mut base = resolved("din", "alibaba", &[]).unwrap();
        let changed = resolved("din", "alibaba_batch_500", &[]).unwrap();
        assert_eq!((base.train.batch_size, changed.train.batch_size), (5000, 500));
        assert_eq!(changed.train.optimizer.learning_rate, base.train.optimizer.learning_rate);
        base.preset = changed.preset.clone();
        base.train = changed.train.clone();
        assert_eq!(base, changed);
    }

    #[test]
    fn settings_are_typed_and_unknown_keys_are_refused() {
        let config = resolved(
            "din",
            "small",
            &[
                "train.optimizer.schedule.kind=constant",
                "model.network.activation=prelu",
                "model.network.hidden_units=[20, 10]",
                "train.batch_size=64",
            ],
        )
        .unwrap();
        assert_eq!(config.train.optimizer.schedule, Schedule::Constant);
        assert_eq!(config.train.batch_size, 64);

        let regularizer = |settings| resolved("din", "small", settings).unwrap().regularizer;
        let mba =
            |lambda| Regularizer::Mba { lambda, norm: PenaltyNorm::L2, vocabularies: Vec::new() };
        assert_eq!(regularizer(&["regularizer=mba"]), mba(0.01));
        let settings = ["regularizer=mba", "regularizer.lambda=0.5"];
        assert_eq!(regularizer(&settings), mba(0.5));
        let settings = ["regularizer=dropout", "regularizer.vocabularies=['goods_id']"];
        assert_eq!(regularizer(&settings).to_string(), "dropout-0.5-on-goods_id");
        assert_eq!(regularizer(&["regularizer=filter"]).to_string(), "filter-0.0333");
        let settings = ["regularizer=mba", "regularizer.norm=l1"];
        assert_eq!(regularizer(&settings).to_string(), "mba-l1-0.01");
        let settings = ["regularizer=mba", "regularizer.lambda=0.5", "regularizer=none"];
        assert_eq!(regularizer(&settings), Regularizer::None);

        let message = |setting| format!("{:#}", resolved("din", "small", &[setting]).unwrap_err());
        assert!(message("train.batchsize=64").contains("unknown field `batchsize`"));
        for (setting, near) in [
            ("train.batchsize=64", "batch_size"),
            ("model.netwrok.embedding_dim=8", "network"),
            ("model.network.hiden_units=[8]", "hidden_units"),
            ("train.optimizer.kind=adamm", "adam"),
            ("trian.epochs=3", "train"),
            ("regularizer=dropuot", "dropout"),
        ] {
            let message = message(setting);
            assert!(message.ends_with(&format!("did you mean `{near}`?")), "{message}");
        }
        let message_of_preset = resolved("din", "smal", &[]).unwrap_err().to_string();
        assert!(message_of_preset.ends_with("did you mean `small`?"), "{message_of_preset}");
        assert!(message("model.network.depth=2").contains("unknown field `depth`"));
        assert!(message("train.batch_size=many").contains("--set train.batch_size=many"));
        assert!(message("train.batch_size=0").contains("at least 1"));
        assert!(message("regularizer=mba2").contains("unknown variant `mba2`"));
        assert!(message("regularizer.lambda=0.1").contains("unknown field `regularizer.lambda`"));
        assert!(message("regularizer={kind='dropout',rate=1.0}").contains("0 to below 1"));
        assert!(message("regularizer={kind='filter',share=2.0}").contains("0 to 1"));
        assert!(message("regularizer={kind='mba',lambda=-1.0}").contains("a number from 0"));
        assert!(message("nonsense").contains("expected key=value"));
    }
}
