//! Names of models and what they build: nine of our own, and those that a program of somebody else's adds.

use crate::suggest::did_you_mean;
use anyhow::{Result, bail};
use clap::builder::{PossibleValue, StringValueParser, TypedValueParser};
use clap::{Arg, Command};
use ctr_base_model::{BaseModel, BaseModelConfig};
use ctr_bst::{Bst, BstConfig};
use ctr_core::{Schema, SeedStreams};
use ctr_deepfm::{DeepFm, DeepFmConfig};
use ctr_din::{Din, DinConfig};
use ctr_gru::{GruConfig, GruModel};
use ctr_lr::{Lr, LrConfig};
use ctr_nn::Network;
use ctr_pnn::{Pnn, PnnConfig};
use ctr_wide_deep::{WideDeep, WideDeepConfig};
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};
use std::any::Any;
use std::ffi::OsStr;
use std::fmt;
use std::sync::{Arc, OnceLock};

/// The models that a program can train, each with a name, a line about it, default settings and what makes a
/// network of settings.
#[derive(Default)]
pub struct Models {
    entries: Vec<Entry>,
    ids: Vec<ModelId>,
}

struct Entry {
    id: &'static str,
    title: &'static str,
    kind: Box<dyn Kind>,
}

impl Models {
    /// Those of the paper's table 3 in its order, then two sequence models that the paper does not have.
    pub fn built_in() -> Self {
        Self::default()
            .with("lr", "Logistic regression on sparse ids", LrConfig::default(), Lr::network)
            .with("base_model", "Embedding&MLP", BaseModelConfig::default(), BaseModel::network)
            .with(
                "wide_deep",
                "BaseModel plus a wide part of crosses",
                WideDeepConfig::default(),
                WideDeep::network,
            )
            .with("pnn", "BaseModel plus a product block", PnnConfig::default(), Pnn::network)
            .with(
                "deepfm",
                "BaseModel plus a factorization machine",
                DeepFmConfig::default(),
                DeepFm::network,
            )
            .with("din", "Deep Interest Network", DinConfig::default(), Din::network)
            .with(
                "din_dice",
                "Deep Interest Network with Dice",
                DinConfig::with_dice(),
                Din::network,
            )
            .with(
                "gru",
                "BaseModel with a gated recurrent unit over the history",
                GruConfig::default(),
                GruModel::network,
            )
            .with("bst", "Behavior Sequence Transformer", BstConfig::default(), Bst::network)
    }

    /// One more model.
    ///
    /// `id` is what `--model`, suites and records call it: small letters, digits and `_`. `title` is one line for
    /// `--help`. The fields of `default` become the settings `model.*`; they must be a struct, and `id` is not
    /// among them. `network` builds the model for a schema, with initial weights from the seeds.
    #[must_use]
    pub fn with<C: Settings>(
        mut self,
        id: &'static str,
        title: &'static str,
        default: C,
        network: fn(&Schema, &C, SeedStreams) -> ctr_nn::Result<Network>,
    ) -> Self {
        self.ids.push(ModelId(self.entries.len()));
        self.entries.push(Entry { id, title, kind: Box::new(Of { default, network }) });
        self
    }

    fn check(&self) -> Result<()> {
        for (index, Entry { id, kind, .. }) in self.entries.iter().enumerate() {
            let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
            if id.is_empty() || !id.chars().all(allowed) {
                bail!("the model name {id:?} must be of small letters, digits and _");
            }
            if self.entries[..index].iter().any(|other| other.id == *id) {
                bail!("two models are called {id}: choose another name for the second one");
            }
            if kind.default()?.values.contains_key("id") {
                bail!("a setting of model {id} is called id, which is its name: call it otherwise");
            }
        }
        Ok(())
    }
}

/// What the settings of a model can do; serde derives it all.
pub trait Settings: Clone + Serialize + DeserializeOwned + Send + Sync + 'static {}
impl<C: Clone + Serialize + DeserializeOwned + Send + Sync + 'static> Settings for C {}

/// One for the process: records and suites name models, and what reads them has no other way to know.
static MODELS: OnceLock<Models> = OnceLock::new();

/// Makes these the models of this process.
///
/// # Errors
/// When a name is bad or there twice, or the process has its models already.
pub fn install(models: Models) -> Result<()> {
    models.check()?;
    match MODELS.set(models) {
        Ok(()) => Ok(()),
        Err(_) => bail!("the models of a process are given once, when it begins"),
    }
}

fn models() -> &'static Models {
    MODELS.get_or_init(Models::built_in)
}

/// A model of this process by its place among them, which is their order in lists.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ModelId(usize);

impl ModelId {
    /// The model of a name.
    ///
    /// # Errors
    /// When there is none; the message names the nearest one, and all.
    pub fn named(name: &str) -> Result<Self> {
        let all = Self::all();
        let Some(&id) = all.iter().find(|id| id.name() == name) else {
            let names: Vec<&str> = all.iter().map(|id| id.name()).collect();
            bail!(
                "unknown model {name:?}{}; this program has {}",
                did_you_mean(name, names.iter().copied()),
                names.join(", ")
            );
        };
        Ok(id)
    }

    /// All of them.
    pub fn all() -> &'static [Self] {
        &models().ids
    }

    /// The name that files and commands use.
    pub fn name(self) -> &'static str {
        self.entry().id
    }

    fn entry(self) -> &'static Entry {
        &models().entries[self.0]
    }
}

impl fmt::Debug for ModelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Reads a model from the command line. The models are those of the process, so they are no `clap::ValueEnum`.
#[derive(Clone)]
pub struct ModelParser;

impl TypedValueParser for ModelParser {
    type Value = ModelId;

    fn parse_ref(
        &self,
        command: &Command,
        argument: Option<&Arg>,
        value: &OsStr,
    ) -> Result<ModelId, clap::Error> {
        let names = StringValueParser::new().try_map(|name| ModelId::named(&name));
        names.parse_ref(command, argument, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue>>> {
        let value = |id: &ModelId| PossibleValue::new(id.name()).help(id.entry().title);
        Some(Box::new(ModelId::all().iter().map(value)))
    }
}

impl<'de> Deserialize<'de> for ModelId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::named(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// A model's settings under its name: `{"id": "din", …}`.
#[derive(Clone)]
pub struct ModelConfig {
    id: ModelId,
    parts: Parts,
}

impl ModelConfig {
    /// The documented defaults of a model.
    ///
    /// # Errors
    /// When they are no struct of settings.
    pub fn default_of(id: ModelId) -> Result<Self> {
        Ok(Self { id, parts: id.entry().kind.default()? })
    }

    /// The model.
    pub fn id(&self) -> ModelId {
        self.id
    }

    /// The settings, where they are of this type.
    pub fn settings<C: 'static>(&self) -> Option<&C> {
        self.parts.bound.settings().downcast_ref()
    }

    /// A fresh network for data of `schema`.
    ///
    /// # Errors
    /// When schema and settings do not go together.
    pub fn network(&self, schema: &Schema, seeds: SeedStreams) -> ctr_nn::Result<Network> {
        self.parts.bound.network(schema, seeds)
    }

    fn json(&self) -> Map<String, Value> {
        let mut json = self.parts.values.clone();
        json.insert("id".into(), self.id.name().into());
        json
    }
}

impl PartialEq for ModelConfig {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id && self.parts.values == other.parts.values
    }
}

impl fmt::Debug for ModelConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Value::Object(self.json()))
    }
}

impl Serialize for ModelConfig {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.json().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for ModelConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut values = Map::deserialize(deserializer)?;
        let id = values.remove("id").ok_or_else(|| D::Error::missing_field("id"))?;
        let id: ModelId = serde_json::from_value(id).map_err(D::Error::custom)?;
        Ok(Self { id, parts: id.entry().kind.read(values).map_err(D::Error::custom)? })
    }
}

/// Settings as others see them and as the model does.
#[derive(Clone)]
struct Parts {
    values: Map<String, Value>,
    bound: Arc<dyn Bound>,
}

/// A model without its type of settings, so that it can be chosen at run time.
trait Kind: Send + Sync {
    fn default(&self) -> Result<Parts>;
    fn read(&self, values: Map<String, Value>) -> Result<Parts>;
}

/// Settings and what makes a network of them.
trait Bound: Send + Sync {
    fn settings(&self) -> &dyn Any;
    fn network(&self, schema: &Schema, seeds: SeedStreams) -> ctr_nn::Result<Network>;
}

/// Both of the above: as a kind of model with its default settings, and bound to some.
#[derive(Clone)]
struct Of<C> {
    default: C,
    network: fn(&Schema, &C, SeedStreams) -> ctr_nn::Result<Network>,
}

impl<C: Settings> Kind for Of<C> {
    fn default(&self) -> Result<Parts> {
        match serde_json::to_value(&self.default)? {
            Value::Object(values) => Ok(Parts { values, bound: Arc::new(self.clone()) }),
            other => bail!("the settings of a model are a struct with named fields, not {other}"),
        }
    }

    fn read(&self, values: Map<String, Value>) -> Result<Parts> {
        let settings = serde_json::from_value(Value::Object(values))?;
        Kind::default(&Self { default: settings, network: self.network })
    }
}

impl<C: Settings> Bound for Of<C> {
    fn settings(&self) -> &dyn Any {
        &self.default
    }

    fn network(&self, schema: &Schema, seeds: SeedStreams) -> ctr_nn::Result<Network> {
        (self.network)(schema, &self.default, seeds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_model_builds_from_its_own_json_under_its_name() {
        let schema = Schema::goods_and_categories(10, 3);
        assert_eq!(ModelId::all().len(), 9);
        for &id in ModelId::all() {
            let default = ModelConfig::default_of(id).unwrap();
            let json = serde_json::to_value(&default).unwrap();
            assert_eq!(json["id"], id.name());
            let config: ModelConfig = serde_json::from_value(json).unwrap();
            assert_eq!((config.id(), &config), (id, &default));
            assert!(config.network(&schema, SeedStreams::new(1)).is_ok());
        }
    }

    #[test]
    fn settings_keep_their_type() {
        let config = ModelConfig::default_of(ModelId::named("din_dice").unwrap()).unwrap();
        assert_eq!(config.settings(), Some(&DinConfig::with_dice()));
        assert!(config.settings::<LrConfig>().is_none());
    }

    #[test]
    fn unknown_names_are_answered_with_the_nearest() {
        let message = ModelId::named("dinn").unwrap_err().to_string();
        assert!(message.contains("did you mean `din`?"), "{message}");
        assert!(message.contains("lr, base_model, wide_deep"), "{message}");
        let message = serde_json::from_str::<ModelConfig>(r#"{"id": "pn"}"#).unwrap_err();
        assert!(message.to_string().contains("did you mean `pnn`?"), "{message}");
        let message = serde_json::from_str::<ModelConfig>("{}").unwrap_err().to_string();
        assert!(message.contains("missing field `id`"), "{message}");
    }

    #[test]
    fn bad_names_are_refused() {
        #[derive(Clone, Serialize, Deserialize)]
        struct Named {
            id: u32,
        }
        let lr = |id| Models::built_in().with(id, "", LrConfig::default(), Lr::network);
        let message = |models: Models| models.check().unwrap_err().to_string();
        assert!(lr("lr_2").check().is_ok());
        assert!(message(lr("pnn")).contains("two models are called pnn"));
        assert!(message(lr("My model")).contains("small letters"));
        let network =
            |schema: &Schema, _: &Named, seeds| Lr::network(schema, &LrConfig::default(), seeds);
        let named = Models::default().with("named", "", Named { id: 1 }, network);
        assert!(message(named).contains("is called id"));
        let number = Models::default().with("number", "", 1, |_, _, _| unreachable!());
        assert!(message(number).contains("a struct with named fields"));
    }
}
