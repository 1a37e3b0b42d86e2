#![doc = include_str!("../README.md")]
//! ## The model
//!
//! Logistic regression on the sparse ids of all groups: the paper's weak baseline (section 6.2).
//!
//! `logit = b + Σ_fields w_field[id]`; a history adds the sum of its ids' weights, which are not those of
//! the same ids as candidate. The authors published no code for it. Since a user's history adds the same to a positive and a negative, what gAUC sees of it is
//! the candidate's weights: little more than popularity.

use ctr_core::{Schema, SeedStreams};
use ctr_nn::{
    Architecture, Graph, LinearPart, Matrix, Network, Pooling, Result, Tape, Weights,
    WeightsBuilder,
};
use serde::{Deserialize, Serialize};

/// Settings.
///
/// | name | default | source |
/// |---|---|---|
/// | `pooling` | sum | multi-hot encoding, section 4.1: each id of the history is one 1 of the input |
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LrConfig {
    /// How a history's weights count.
    pub pooling: Pooling,
}

impl Default for LrConfig {
    fn default() -> Self {
        Self { pooling: Pooling::Sum }
    }
}

/// Logistic regression.
#[derive(Clone, Debug)]
pub struct Lr {
    linear: LinearPart,
}

impl Lr {
    /// A network with all weights 0.
    ///
    /// # Errors
    /// When memory runs out.
    pub fn network(schema: &Schema, config: &LrConfig, seeds: SeedStreams) -> Result<Network> {
        let mut weights = Weights::default();
        let mut builder = WeightsBuilder::new(&mut weights, seeds);
        let model = Self { linear: LinearPart::build(&mut builder, schema, config.pooling)? };
        Ok(Network::new(model, weights))
    }
}

impl Architecture for Lr {
    fn logits<T: Tape>(&self, graph: &mut Graph<'_, T>) -> Result<Matrix> {
        self.linear.logit(graph)
    }
}
