//! Names of models and what they build.

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
use serde::{Deserialize, Serialize};

/// A model of the paper's comparison, or one of the two beside it.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum, Serialize, Deserialize,
)]
#[value(rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum ModelId {
    /// Logistic regression on sparse ids
    Lr,
    /// Embedding&MLP
    BaseModel,
    /// BaseModel plus a wide part of crosses
    WideDeep,
    /// BaseModel plus a product block
    Pnn,
    /// BaseModel plus a factorization machine
    #[value(name = "deepfm")]
    #[serde(rename = "deepfm")]
    DeepFm,
    /// Deep Interest Network
    Din,
    /// Deep Interest Network with Dice
    DinDice,
    /// BaseModel with a gated recurrent unit over the history
    Gru,
    /// Behavior Sequence Transformer
    Bst,
}

impl ModelId {
    /// All: those of table 3 in its order, then those that the paper does not have.
    #[cfg(test)]
    pub const ALL: [Self; 9] = [
        Self::Lr,
        Self::BaseModel,
        Self::WideDeep,
        Self::Pnn,
        Self::DeepFm,
        Self::Din,
        Self::DinDice,
        Self::Gru,
        Self::Bst,
    ];

    /// The name that files and commands use.
    pub fn name(self) -> &'static str {
        match self {
            Self::Lr => "lr",
            Self::BaseModel => "base_model",
            Self::WideDeep => "wide_deep",
            Self::Pnn => "pnn",
            Self::DeepFm => "deepfm",
            Self::Din => "din",
            Self::DinDice => "din_dice",
            Self::Gru => "gru",
            Self::Bst => "bst",
        }
    }
}

/// A model's settings under its name: `{"id": "din", …}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "id", rename_all = "snake_case")]
pub enum ModelConfig {
    /// See [`LrConfig`].
    Lr(LrConfig),
    /// See [`BaseModelConfig`].
    BaseModel(BaseModelConfig),
    /// See [`WideDeepConfig`].
    WideDeep(WideDeepConfig),
    /// See [`PnnConfig`].
    Pnn(PnnConfig),
    /// See [`DeepFmConfig`].
    #[serde(rename = "deepfm")]
    DeepFm(DeepFmConfig),
    /// See [`DinConfig`].
    Din(DinConfig),
    /// See [`DinConfig::with_dice`].
    DinDice(DinConfig),
    /// See [`GruConfig`].
    Gru(GruConfig),
    /// See [`BstConfig`].
    Bst(BstConfig),
}

impl ModelConfig {
    /// The documented defaults of a model.
    pub fn default_of(id: ModelId) -> Self {
        match id {
            ModelId::Lr => Self::Lr(LrConfig::default()),
            ModelId::BaseModel => Self::BaseModel(BaseModelConfig::default()),
            ModelId::WideDeep => Self::WideDeep(WideDeepConfig::default()),
            ModelId::Pnn => Self::Pnn(PnnConfig::default()),
            ModelId::DeepFm => Self::DeepFm(DeepFmConfig::default()),
            ModelId::Din => Self::Din(DinConfig::default()),
            ModelId::DinDice => Self::DinDice(DinConfig::with_dice()),
            ModelId::Gru => Self::Gru(GruConfig::default()),
            ModelId::Bst => Self::Bst(BstConfig::default()),
        }
    }

    /// The model.
    pub fn id(&self) -> ModelId {
        match self {
            Self::Lr(_) => ModelId::Lr,
            Self::BaseModel(_) => ModelId::BaseModel,
            Self::WideDeep(_) => ModelId::WideDeep,
            Self::Pnn(_) => ModelId::Pnn,
            Self::DeepFm(_) => ModelId::DeepFm,
            Self::Din(_) => ModelId::Din,
            Self::DinDice(_) => ModelId::DinDice,
            Self::Gru(_) => ModelId::Gru,
            Self::Bst(_) => ModelId::Bst,
        }
    }

    /// A fresh network for data of `schema`.
    pub fn network(&self, schema: &Schema, seeds: SeedStreams) -> ctr_nn::Result<Network> {
        match self {
            Self::Lr(config) => Lr::network(schema, config, seeds),
            Self::BaseModel(config) => BaseModel::network(schema, config, seeds),
            Self::WideDeep(config) => WideDeep::network(schema, config, seeds),
            Self::Pnn(config) => Pnn::network(schema, config, seeds),
            Self::DeepFm(config) => DeepFm::network(schema, config, seeds),
            Self::Din(config) | Self::DinDice(config) => Din::network(schema, config, seeds),
            Self::Gru(config) => GruModel::network(schema, config, seeds),
            Self::Bst(config) => Bst::network(schema, config, seeds),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_model_builds_from_its_own_json_under_its_name() {
        let schema = Schema::goods_and_categories(10, 3);
        for id in ModelId::ALL {
            let json = serde_json::to_value(ModelConfig::default_of(id)).unwrap();
            assert_eq!(json["id"], id.name());
            let config: ModelConfig = serde_json::from_value(json).unwrap();
            assert_eq!(config.id(), id);
            assert!(config.network(&schema, SeedStreams::new(1)).is_ok());
        }
    }
}
