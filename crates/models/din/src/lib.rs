#![doc = include_str!("../README.md")]
//! ## The model
//!
//! Deep Interest Network (paper, section 4.3, equation 3 and figure 2 right; authors' code `din/model.py`
//! at its head of June 2020, after both evaluation leaks were mended).
//!
//! The user vector depends on the candidate: a local activation unit weighs each behavior by its
//! relevance. Positives and negatives go through this one network in one pass; a test swaps them. "DIN
//! with Dice" is this model with another activation.

use ctr_core::{Schema, SeedStreams};
use ctr_nn::{
    Activation, ActivationUnit, ActivationUnitConfig, Architecture, EmbeddingMlp,
    EmbeddingMlpConfig, Graph, Matrix, Network, Result, Tape, Weights, WeightsBuilder,
};
use serde::{Deserialize, Serialize};

/// Settings.
///
/// | name | default | source |
/// |---|---|---|
/// | `product` | true | u ⊙ i in the MLP's input: the authors' code since June 2020, the same block as PNN's; the paper has none |
/// | `activation_unit` | see [`ActivationUnitConfig`] | authors' code |
/// | `network` | see [`EmbeddingMlpConfig`] | authors' code |
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DinConfig {
    /// Whether the MLP reads u ⊙ i.
    pub product: bool,
    /// The local activation unit.
    pub activation_unit: ActivationUnitConfig,
    /// Embeddings and MLP.
    pub network: EmbeddingMlpConfig,
}

impl Default for DinConfig {
    fn default() -> Self {
        Self {
            product: true,
            activation_unit: ActivationUnitConfig::default(),
            network: EmbeddingMlpConfig::default(),
        }
    }
}

impl DinConfig {
    /// "DIN with Dice": the paper's Dice (equation 9) in the MLP. In the activation unit the authors'
    /// `model_dice.py` keeps the sigmoid, as here; the paper's figure 2 shows Dice there too.
    pub fn with_dice() -> Self {
        let mut config = Self::default();
        config.network.activation = Activation::Dice;
        config
    }
}

/// Deep Interest Network.
#[derive(Clone, Debug)]
pub struct Din {
    frame: EmbeddingMlp,
    unit: ActivationUnit,
    product: bool,
}

impl Din {
    /// A network with initial weights from `seeds`.
    ///
    /// # Errors
    /// When the schema has no behaviors or the configuration is empty.
    pub fn network(schema: &Schema, config: &DinConfig, seeds: SeedStreams) -> Result<Network> {
        let mut weights = Weights::default();
        let mut builder = WeightsBuilder::new(&mut weights, seeds);
        let extra = usize::from(config.product);
        let frame = EmbeddingMlp::build(&mut builder, schema, &config.network, extra)?;
        let unit = ActivationUnit::build(
            &mut builder.scope("activation_unit"),
            &config.activation_unit,
            frame.vector_dim(),
        )?;
        Ok(Network::new(Self { frame, unit, product: config.product }, weights))
    }
}

impl Architecture for Din {
    fn shares_history(&self) -> bool {
        true
    }

    fn logits<T: Tape>(&self, graph: &mut Graph<'_, T>) -> Result<Matrix> {
        let behaviors = self.frame.behaviors(graph)?;
        let candidate = self.frame.candidate(graph)?;
        let offsets = self.frame.offsets(graph);
        let attended = graph.attended(&candidate)?;
        let interest = self.unit.forward(graph, &attended, &behaviors, &offsets)?;
        let user = self.frame.user(graph, interest)?;
        if self.product {
            let product = graph.multiply(&user, &candidate)?;
            self.frame.logit(graph, &[&user, &candidate, &product])
        } else {
            self.frame.logit(graph, &[&user, &candidate])
        }
    }
}
