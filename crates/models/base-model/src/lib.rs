#![doc = include_str!("../README.md")]
//! ## The model
//!
//! BaseModel: Embedding&MLP (paper, section 4.1 and figure 2 left; authors' code `base_model/model.py`).
//!
//! Every id becomes a row of a table, the history is pooled into one user vector u that does not depend
//! on the candidate, and an MLP reads [u, candidate, other groups].

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
/// | `pooling` | mean | authors' code; figure 2 shows a sum |
/// | `network` | see [`EmbeddingMlpConfig`] | authors' code |
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BaseModelConfig {
    /// How the history becomes one vector.
    pub pooling: Pooling,
    /// Embeddings and MLP.
    pub network: EmbeddingMlpConfig,
}

impl Default for BaseModelConfig {
    fn default() -> Self {
        Self { pooling: Pooling::Mean, network: EmbeddingMlpConfig::default() }
    }
}

/// The base model.
#[derive(Clone, Debug)]
pub struct BaseModel {
    frame: EmbeddingMlp,
    pooling: Pooling,
}

impl BaseModel {
    /// A network with initial weights from `seeds`.
    ///
    /// # Errors
    /// When the schema has no behaviors or the configuration is empty.
    pub fn network(
        schema: &Schema,
        config: &BaseModelConfig,
        seeds: SeedStreams,
    ) -> Result<Network> {
        let mut weights = Weights::default();
        let mut builder = WeightsBuilder::new(&mut weights, seeds);
        let frame = EmbeddingMlp::build(&mut builder, schema, &config.network, 0)?;
        Ok(Network::new(Self { frame, pooling: config.pooling }, weights))
    }
}

impl Architecture for BaseModel {
    fn shares_history(&self) -> bool {
        true
    }

    fn logits<T: Tape>(&self, graph: &mut Graph<'_, T>) -> Result<Matrix> {
        let user = self.frame.pooled_user(graph, self.pooling)?;
        let candidate = self.frame.candidate(graph)?;
        self.frame.logit(graph, &[&user, &candidate])
    }
}
