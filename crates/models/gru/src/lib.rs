#![doc = include_str!("../README.md")]
//! ## The model
//!
//! BaseModel with a gated recurrent unit instead of pooling: the sequence model that the paper leaves out.
//!
//! Section 4.3 reports that an LSTM over the behaviors "shows no improvement". Here the simpler unit of Cho
//! et al. (2014, equations 5 to 8) reads each history oldest event first, the order in which batches have it
//! ([`ctr_core::Role::Behaviors`]); the user vector is its last state and does not depend on the candidate.
//! The unit has the form of cuDNN and PyTorch's `nn.GRU`: the reset gate stands behind the product with the
//! state ([`ctr_nn::Graph::gated_recurrent`]).

use ctr_core::{Schema, SeedStreams};
use ctr_nn::{
    Architecture, Dense, EmbeddingMlp, EmbeddingMlpConfig, Error, Graph, Gru, Matrix, Network,
    Pooling, Result, Tape, Weights, WeightsBuilder,
};
use serde::{Deserialize, Serialize};

/// What becomes of the states.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Readout {
    /// The state after the latest event.
    Last,
    /// The mean of the states after all events.
    Mean,
}

/// Settings.
///
/// | name | default | source |
/// |---|---|---|
/// | `units` | d, the width of a behavior | ours: the user vector is as wide as BaseModel's |
/// | `readout` | last | ours: the encoder of Cho et al. |
/// | `product` | true | u ⊙ i in the MLP's input, as DIN's default, so that both read the same blocks |
/// | `network` | see [`EmbeddingMlpConfig`] | authors' code |
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GruConfig {
    /// Numbers a state. Other than d, a linear layer makes d of them.
    pub units: Option<usize>,
    /// What becomes of the states. Without events it is zeros in either case.
    pub readout: Readout,
    /// Whether the MLP reads u ⊙ i.
    pub product: bool,
    /// Embeddings and MLP.
    pub network: EmbeddingMlpConfig,
}

impl Default for GruConfig {
    fn default() -> Self {
        Self {
            units: None,
            readout: Readout::Last,
            product: true,
            network: EmbeddingMlpConfig::default(),
        }
    }
}

/// BaseModel with a gated recurrent unit.
#[derive(Clone, Debug)]
pub struct GruModel {
    frame: EmbeddingMlp,
    gru: Gru,
    output: Option<Dense>,
    readout: Readout,
    product: bool,
}

impl GruModel {
    /// A network with initial weights from `seeds`.
    ///
    /// # Errors
    /// When the schema has no behaviors or the configuration is empty.
    pub fn network(schema: &Schema, config: &GruConfig, seeds: SeedStreams) -> Result<Network> {
        if config.units == Some(0) {
            return Err(Error::Config("units must be at least 1".into()));
        }
        let mut weights = Weights::default();
        let mut builder = WeightsBuilder::new(&mut weights, seeds);
        let extra = usize::from(config.product);
        let frame = EmbeddingMlp::build(&mut builder, schema, &config.network, extra)?;
        let dim = frame.vector_dim();
        let units = config.units.unwrap_or(dim);
        let mut builder = builder.scope("gru");
        let gru = Gru::build(&mut builder, dim, units)?;
        let output =
            (units != dim).then(|| Dense::build(&mut builder, "output", units, dim)).transpose()?;
        let (readout, product) = (config.readout, config.product);
        Ok(Network::new(Self { frame, gru, output, readout, product }, weights))
    }
}

impl Architecture for GruModel {
    fn logits<T: Tape>(&self, graph: &mut Graph<'_, T>) -> Result<Matrix> {
        let behaviors = self.frame.behaviors(graph)?;
        let offsets = self.frame.offsets(graph);
        let states = self.gru.forward(graph, &behaviors, &offsets)?;
        let interest = match self.readout {
            Readout::Last => graph.last_events(&states, &offsets)?,
            Readout::Mean => graph.pool(&states, &offsets, Pooling::Mean)?,
        };
        let interest = match &self.output {
            Some(output) => output.forward(graph, &interest)?,
            None => interest,
        };
        let user = self.frame.user(graph, interest)?;
        let candidate = self.frame.candidate(graph)?;
        if self.product {
            let product = graph.multiply(&user, &candidate)?;
            self.frame.logit(graph, &[&user, &candidate, &product])
        } else {
            self.frame.logit(graph, &[&user, &candidate])
        }
    }
}
