#![doc = include_str!("../README.md")]
//! ## The model
//!
//! PNN as the paper's comparison has it (section 6.2; authors' code `pnn/model.py`): BaseModel whose MLP
//! also reads the product block u ⊙ i of user vector and candidate.

use ctr_core::{Schema, SeedStreams};
use ctr_nn::{
    Architecture, EmbeddingMlp, EmbeddingMlpConfig, Graph, Matrix, Network, Pooling, Result, Tape,
    Weights, WeightsBuilder,
};
use serde::{Deserialize, Serialize};

/// Settings.
///
/// | name | default | source |
/// |---|---|---|
/// | `pooling` | mean | authors' code |
/// | `network` | see [`EmbeddingMlpConfig`] | authors' code |
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PnnConfig {
    /// How the history becomes one vector.
    pub pooling: Pooling,
    /// Embeddings and MLP.
    pub network: EmbeddingMlpConfig,
}

impl Default for PnnConfig {
    fn default() -> Self {
        Self { pooling: Pooling::Mean, network: EmbeddingMlpConfig::default() }
    }
}

/// PNN.
#[derive(Clone, Debug)]
pub struct Pnn {
    frame: EmbeddingMlp,
    pooling: Pooling,
}

impl Pnn {
    /// A network with initial weights from `seeds`.
    ///
    /// # Errors
    /// When the schema has no behaviors or the configuration is empty.
    pub fn network(schema: &Schema, config: &PnnConfig, seeds: SeedStreams) -> Result<Network> {
        let mut weights = Weights::default();
        let mut builder = WeightsBuilder::new(&mut weights, seeds);
        let frame = EmbeddingMlp::build(&mut builder, schema, &config.network, 1)?;
        Ok(Network::new(Self { frame, pooling: config.pooling }, weights))
    }
}

impl Architecture for Pnn {
    fn shares_history(&self) -> bool {
        true
    }

    fn logits<T: Tape>(&self, graph: &mut Graph<'_, T>) -> Result<Matrix> {
        let user = self.frame.pooled_user(graph, self.pooling)?;
        let candidate = self.frame.candidate(graph)?;
        let product = graph.multiply(&user, &candidate)?;
        self.frame.logit(graph, &[&user, &candidate, &product])
    }
}
