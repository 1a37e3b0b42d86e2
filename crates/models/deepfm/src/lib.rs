#![doc = include_str!("../README.md")]
//! ## The model
//!
//! DeepFM (Guo et al., IJCAI 2017; paper, section 6.2; authors' code `deepFM/model.py`): BaseModel plus
//! a factorization machine that shares its embeddings.

use ctr_core::{Schema, SeedStreams};
use ctr_nn::{
    Architecture, Dense, EmbeddingMlp, EmbeddingMlpConfig, Graph, LinearPart, Matrix, Network,
    Pooling, Result, Tape, Weights, WeightsBuilder,
};
use serde::{Deserialize, Serialize};

/// Which factorization machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FactorizationMachine {
    /// Guo et al., equation 2: a weight per id, plus the inner products of all pairs of field vectors
    /// (each field of the user vector and of the candidate).
    Paper,
    /// The authors' code: a linear layer on the two numbers [Σ u ⊙ i, u₀ + i₀].
    Authors,
}

/// Settings.
///
/// | name | default | source |
/// |---|---|---|
/// | `pooling` | mean | authors' code |
/// | `factorization_machine` | authors | authors' code |
/// | `network` | see [`EmbeddingMlpConfig`] | authors' code |
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DeepFmConfig {
    /// How the history becomes one vector.
    pub pooling: Pooling,
    /// Which factorization machine.
    pub factorization_machine: FactorizationMachine,
    /// Embeddings and MLP.
    pub network: EmbeddingMlpConfig,
}

impl Default for DeepFmConfig {
    fn default() -> Self {
        Self {
            pooling: Pooling::Mean,
            factorization_machine: FactorizationMachine::Authors,
            network: EmbeddingMlpConfig::default(),
        }
    }
}

#[derive(Clone, Debug)]
enum Machine {
    Paper { first_order: LinearPart, dim: usize },
    Authors { dense: Dense },
}

/// DeepFM.
#[derive(Clone, Debug)]
pub struct DeepFm {
    frame: EmbeddingMlp,
    machine: Machine,
    pooling: Pooling,
}

impl DeepFm {
    /// A network with initial weights from `seeds`.
    ///
    /// # Errors
    /// When the schema has no behaviors or the configuration is empty.
    pub fn network(schema: &Schema, config: &DeepFmConfig, seeds: SeedStreams) -> Result<Network> {
        let mut weights = Weights::default();
        let mut builder = WeightsBuilder::new(&mut weights, seeds);
        let frame = EmbeddingMlp::build(&mut builder, schema, &config.network, 0)?;
        let mut builder = builder.scope("fm");
        let machine = match config.factorization_machine {
            FactorizationMachine::Paper => Machine::Paper {
                first_order: LinearPart::build(&mut builder, schema, config.pooling)?,
                dim: config.network.embedding_dim,
            },
            FactorizationMachine::Authors => {
                Machine::Authors { dense: Dense::build(&mut builder, "dense", 2, 1)? }
            }
        };
        Ok(Network::new(Self { frame, machine, pooling: config.pooling }, weights))
    }
}

impl Architecture for DeepFm {
    fn logits<T: Tape>(&self, graph: &mut Graph<'_, T>) -> Result<Matrix> {
        let user = self.frame.pooled_user(graph, self.pooling)?;
        let candidate = self.frame.candidate(graph)?;
        let deep = self.frame.logit(graph, &[&user, &candidate])?;
        let machine = match &self.machine {
            Machine::Paper { first_order, dim } => {
                let first = first_order.logit(graph)?;
                let mut vectors = Vec::new();
                for side in [&user, &candidate] {
                    for start in (0..self.frame.vector_dim()).step_by(*dim) {
                        let wanted: Vec<usize> = (start..start + dim).collect();
                        vectors.push(graph.columns(side, &wanted)?);
                    }
                }
                let second = graph.pairwise_products(&vectors.iter().collect::<Vec<_>>())?;
                graph.add(&first, &second)?
            }
            Machine::Authors { dense } => {
                let product = graph.multiply(&user, &candidate)?;
                let second = graph.sum_columns(&product, None)?;
                let sum = graph.add(&user, &candidate)?;
                let first = graph.columns(&sum, &[0])?;
                let both = graph.concat(&[&second, &first])?;
                dense.forward(graph, &both)?
            }
        };
        graph.add(&deep, &machine)
    }
}
