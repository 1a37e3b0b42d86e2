#![doc = include_str!("../README.md")]
//! ## The model
//!
//! Behavior Sequence Transformer (Chen et al. 2019, arXiv 1905.06874), in the frame that all models here
//! share. The open board BARS has it above DIN on AmazonElectronics_x1 (gAUC 0.8841, run
//! `BST_amazonelectronics_x1_044_3f4303a7`, in FuxiCTR 2.0.1).
//!
//! The history and, after it, the candidate are one sequence. Each element is its embedding and beside it
//! that of its position; blocks of self-attention let elements look at each other, and the user vector is
//! what comes out at the candidate's place.
//!
//! Where this differs from the paper:
//! - A position there is the time from the behavior to the recommendation. Batches carry no times, so here it
//!   is the behavior's rank, the latest first, as in FuxiCTR up to the direction: FuxiCTR counts places of a
//!   padded window whose last one is the candidate's.
//! - Out of the sequence a linear layer makes a vector as wide as the candidate's, because the frame's user
//!   vector and u ⊙ i need that; the paper and FuxiCTR give the sequence's own width to the MLP. The rest of
//!   the frame is that of DIN here ([`EmbeddingMlpConfig`]), so that the two differ in what reads the history.
//! - No dropout, neither in attention nor after it. The paper has it, and BARS's best run with 0.1;
//!   FuxiCTR's default is 0.
//!
//! A transformer wants a lower learning rate than the other models: on Beauty, Adam at 0.003 (the preset
//! `small`) leaves it at the popularity of goods, at 0.001 it comes to DIN's gAUC in two epochs.

use ctr_core::{Schema, SeedStreams};
use ctr_nn::{
    Architecture, Dense, EmbeddingMlp, EmbeddingMlpConfig, Error, Graph, Init, Matrix, Network,
    ParameterId, Pooling, Result, Tape, TransformerBlock, TransformerConfig, Weights,
    WeightsBuilder,
};
use serde::{Deserialize, Serialize};

/// What becomes of the sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Readout {
    /// What stands at the candidate's place. The last block then computes nothing else.
    Candidate,
    /// The mean of all elements, the candidate among them.
    Mean,
}

/// Settings. "BARS" is the run above, "FuxiCTR" the defaults of its class, "DeepCTR" those of version 0.9.1.
///
/// | name | default | source |
/// |---|---|---|
/// | `blocks` | 1 | paper (more did not help), FuxiCTR, BARS |
/// | `heads` | 8 | BARS, DeepCTR; FuxiCTR 2 |
/// | `positions` | 100 | BARS: histories of 100 |
/// | `position_dim` | `embedding_dim` | FuxiCTR; beside the embedding, not added to it, as in the paper; zeros at first (ours) |
/// | `layer_normalization` | true | paper, FuxiCTR; BARS false |
/// | `readout` | candidate | BARS (`target`); FuxiCTR mean; the paper gives all elements to the MLP |
/// | `product` | true | u ⊙ i in the MLP's input, as DIN's default, so that both read the same blocks |
/// | `network` | see [`EmbeddingMlpConfig`] | authors' code of DIN |
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BstConfig {
    /// Blocks of self-attention and feed-forward layers, one after the other.
    pub blocks: usize,
    /// Heads of each self-attention.
    pub heads: usize,
    /// Behaviors with a position of their own, the latest ones; older ones share the last position.
    pub positions: usize,
    /// Numbers of a position's embedding; 0 for none, and then the order of events does not matter.
    pub position_dim: Option<usize>,
    /// Layer normalization after each sum in a block.
    pub layer_normalization: bool,
    /// What becomes of the sequence.
    pub readout: Readout,
    /// Whether the MLP reads u ⊙ i.
    pub product: bool,
    /// Embeddings and MLP.
    pub network: EmbeddingMlpConfig,
}

impl Default for BstConfig {
    fn default() -> Self {
        Self {
            blocks: 1,
            heads: 8,
            positions: 100,
            position_dim: None,
            layer_normalization: true,
            readout: Readout::Candidate,
            product: true,
            network: EmbeddingMlpConfig::default(),
        }
    }
}

/// Behavior Sequence Transformer.
#[derive(Clone, Debug)]
pub struct Bst {
    frame: EmbeddingMlp,
    positions: Option<ParameterId>,
    blocks: Vec<TransformerBlock>,
    output: Dense,
    readout: Readout,
    product: bool,
}

impl Bst {
    /// A network with initial weights from `seeds`.
    ///
    /// # Errors
    /// When the schema has no behaviors or the configuration is empty.
    pub fn network(schema: &Schema, config: &BstConfig, seeds: SeedStreams) -> Result<Network> {
        if config.blocks == 0 || config.heads == 0 || config.positions == 0 {
            return Err(Error::Config("blocks, heads and positions must be at least 1".into()));
        }
        let mut weights = Weights::default();
        let mut builder = WeightsBuilder::new(&mut weights, seeds);
        let extra = usize::from(config.product);
        let frame = EmbeddingMlp::build(&mut builder, schema, &config.network, extra)?;
        let position_dim = config.position_dim.unwrap_or(config.network.embedding_dim);
        let mut builder = builder.scope("transformer");
        // No table: every row of every batch has positions, so their gradients are not sparse. From zeros:
        // goods begin within ±0.01 by Glorot's rule, and 101 positions would within ±0.19.
        let positions = (position_dim > 0)
            .then(|| {
                let rows = config.positions + 1;
                builder.parameter("positions", rows, position_dim, Init::Constant(0.0))
            })
            .transpose()?;
        let width = frame.vector_dim() + position_dim;
        let sizes = TransformerConfig {
            width,
            heads: config.heads,
            layer_normalization: config.layer_normalization,
        };
        let blocks = (0..config.blocks)
            .map(|block| TransformerBlock::build(&mut builder.scope(block), sizes))
            .collect::<Result<_>>()?;
        let output = Dense::build(&mut builder, "output", width, frame.vector_dim())?;
        let (readout, product) = (config.readout, config.product);
        Ok(Network::new(Self { frame, positions, blocks, output, readout, product }, weights))
    }
}

impl Architecture for Bst {
    fn logits<T: Tape>(&self, graph: &mut Graph<'_, T>) -> Result<Matrix> {
        let behaviors = self.frame.behaviors(graph)?;
        let candidate = self.frame.candidate(graph)?;
        let offsets = self.frame.offsets(graph);
        let (mut sequence, offsets) =
            graph.with_candidate(&behaviors, &candidate, &offsets, self.positions)?;
        let Some((last, others)) = self.blocks.split_last() else {
            return Err(Error::Config("a transformer without blocks".into()));
        };
        for block in others {
            sequence = block.forward(graph, &sequence, &offsets)?;
        }
        let interest = match self.readout {
            Readout::Candidate => last.forward_last(graph, &sequence, &offsets)?,
            Readout::Mean => {
                let sequence = last.forward(graph, &sequence, &offsets)?;
                graph.pool(&sequence, &offsets, Pooling::Mean)?
            }
        };
        let interest = self.output.forward(graph, &interest)?;
        let user = self.frame.user(graph, interest)?;
        if self.product {
            let product = graph.multiply(&user, &candidate)?;
            self.frame.logit(graph, &[&user, &candidate, &product])
        } else {
            self.frame.logit(graph, &[&user, &candidate])
        }
    }
}
