//! A model of one's own, with every command of `din-repro`:
//!
//! ```sh
//! cargo run --release -p ctr-example-model -- simulate tiny
//! cargo run --release -p ctr-example-model -- train --model stmp --data datasets/prepared/tiny
//! ```
//!
//! The model is STMP of Liu et al., "STAMP: Short-Term Attention/Memory Priority Model for Session-based
//! Recommendation" (KDD 2018, section 3.3): what a user wants is the product of a long-term and a short-term
//! interest, the mean of the history and its latest event, each through a layer of its own with tanh.
//!
//! There the product with the candidate is summed up and goes into a softmax over all goods. Here it goes into the
//! MLP that the models of the Deep Interest Network paper share, so that its number can stand beside theirs.

use ctr_core::{Schema, SeedStreams};
use ctr_nn::{
    Architecture, Dense, EmbeddingMlp, EmbeddingMlpConfig, Graph, Matrix, Network, Pooling, Result,
    Tape, Weights, WeightsBuilder,
};
use ctr_runner::Models;
use serde::{Deserialize, Serialize};
use std::process::ExitCode;

fn main() -> ExitCode {
    let title = "Long-term times short-term interest (Liu et al. 2018)";
    ctr_runner::main_with(Models::built_in().with(
        "stmp",
        title,
        StmpConfig::default(),
        Stmp::network,
    ))
}

/// Settings: `--set model.short_term=false`, `--set model.network.embedding_dim=16`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StmpConfig {
    /// Whether the latest event has a say; without it, how much it is worth shows.
    pub short_term: bool,
    /// Embeddings and MLP. Presets have settings for a part of this name.
    pub network: EmbeddingMlpConfig,
}

impl Default for StmpConfig {
    fn default() -> Self {
        Self { short_term: true, network: EmbeddingMlpConfig::default() }
    }
}

/// The model: what it keeps is where its weights lie.
pub struct Stmp {
    frame: EmbeddingMlp,
    long_term: Dense,
    short_term: Option<Dense>,
}

impl Stmp {
    /// A network with initial weights from `seeds`.
    ///
    /// # Errors
    /// When the schema has no behaviors or the configuration is empty.
    pub fn network(schema: &Schema, config: &StmpConfig, seeds: SeedStreams) -> Result<Network> {
        let mut weights = Weights::default();
        let mut builder = WeightsBuilder::new(&mut weights, seeds);
        // One block beside user and candidate: their product.
        let frame = EmbeddingMlp::build(&mut builder, schema, &config.network, 1)?;
        let width = frame.vector_dim();
        let mut builder = builder.scope("interest");
        let long_term = Dense::build(&mut builder, "long_term", width, width)?;
        let short_term = config
            .short_term
            .then(|| Dense::build(&mut builder, "short_term", width, width))
            .transpose()?;
        Ok(Network::new(Self { frame, long_term, short_term }, weights))
    }
}

impl Architecture for Stmp {
    fn logits<T: Tape>(&self, graph: &mut Graph<'_, T>) -> Result<Matrix> {
        let behaviors = self.frame.behaviors(graph)?;
        let offsets = self.frame.offsets(graph);
        let mean = graph.pool(&behaviors, &offsets, Pooling::Mean)?;
        let mut interest = tanh(graph, &self.long_term, &mean)?;
        if let Some(short_term) = &self.short_term {
            let latest = graph.last_events(&behaviors, &offsets)?;
            let short = tanh(graph, short_term, &latest)?;
            interest = graph.multiply(&interest, &short)?;
        }
        let user = self.frame.user(graph, interest)?;
        let candidate = self.frame.candidate(graph)?;
        let product = graph.multiply(&user, &candidate)?;
        self.frame.logit(graph, &[&user, &candidate, &product])
    }
}

fn tanh<T: Tape>(graph: &mut Graph<'_, T>, layer: &Dense, input: &Matrix) -> Result<Matrix> {
    let before = layer.forward(graph, input)?;
    // What has no operation here, dfdx has.
    graph.stock(&before, |input| Ok(input.try_tanh()?))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use ctr_nn::model_checks;

    #[test]
    fn gradients_are_right_and_no_candidate_has_a_place_of_its_own() {
        let schema = Schema::goods_and_categories(40, 8);
        let mut config = StmpConfig::default();
        config.network.embedding_dim = 4;
        config.network.hidden_units = vec![10, 6];
        for short_term in [true, false] {
            config.short_term = short_term;
            let build = || Stmp::network(&schema, &config, SeedStreams::new(3));
            let mut stream = SeedStreams::new(7).stream("stmp");
            model_checks::check(&schema, build, &mut stream).unwrap().verdict().unwrap();
        }
    }
}
