//! DIN's local activation unit (paper, section 4.3 and figure 2).

use super::split_layer::SplitLayer;
use super::{Activation, ActivationLayer, Mlp};
use crate::{Error, Graph, Matrix, Result, Tape, WeightsBuilder};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What the unit sees of a behavior k and a candidate q.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnitInputs {
    /// [q, k, q − k, q ⊙ k]: the authors' code.
    WithDifference,
    /// [q, k, q ⊙ k]: the paper's text, whose "out product" the authors call element-wise.
    Paper,
}

/// What becomes of the unit's outputs before they weight the behaviors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttentionNormalization {
    /// Softmax of a/√d over the row's behaviors: the authors' code on Amazon, and better there than
    /// none in BARS's grid.
    ScaledSoftmax,
    /// Softmax of a.
    Softmax,
    /// None: "normalization with softmax on the output of a(·) is abandoned" (section 4.3).
    None,
}

impl AttentionNormalization {
    /// The factor inside the softmax, or none without one.
    pub(crate) fn scale(self, dim: usize) -> Option<f32> {
        match self {
            Self::ScaledSoftmax => Some(1.0 / (dim as f32).sqrt()),
            Self::Softmax => Some(1.0),
            Self::None => None,
        }
    }
}

/// Settings of the unit.
///
/// | name | default | source |
/// |---|---|---|
/// | `hidden_units` | [80, 40] | authors' code; the paper's text names none |
/// | `activation` | sigmoid | authors' code; the paper says PReLU or Dice |
/// | `inputs` | with_difference | authors' code |
/// | `normalization` | scaled_softmax | authors' code |
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ActivationUnitConfig {
    /// Widths of the hidden layers; at least one.
    pub hidden_units: Vec<usize>,
    /// Their activation.
    pub activation: Activation,
    /// What the unit sees.
    pub inputs: UnitInputs,
    /// What becomes of its outputs.
    pub normalization: AttentionNormalization,
}

impl Default for ActivationUnitConfig {
    fn default() -> Self {
        Self {
            hidden_units: vec![80, 40],
            activation: Activation::Sigmoid,
            inputs: UnitInputs::WithDifference,
            normalization: AttentionNormalization::ScaledSoftmax,
        }
    }
}

/// The unit a(e_j, v_A): a small network that weighs each behavior by its relevance to the candidate.
#[derive(Clone, Debug)]
pub struct ActivationUnit {
    first: SplitLayer,
    first_activation: ActivationLayer,
    rest: Mlp,
    normalization: AttentionNormalization,
}

impl ActivationUnit {
    /// A unit for vectors of `dim` numbers.
    ///
    /// # Errors
    /// When there is no hidden layer, or one without units.
    pub fn build(
        builder: &mut WeightsBuilder<'_>,
        config: &ActivationUnitConfig,
        dim: usize,
    ) -> Result<Self> {
        let Some((&units, rest)) = config.hidden_units.split_first() else {
            return Err(Error::Config("activation_unit.hidden_units is empty".into()));
        };
        if config.hidden_units.contains(&0) {
            return Err(Error::Config("activation_unit.hidden_units must be at least 1".into()));
        }
        let first = SplitLayer::build(&mut builder.scope("first"), config.inputs, dim, units)?;
        let first_activation =
            ActivationLayer::build(&mut builder.scope("first"), config.activation, units)?;
        let rest = Mlp::build(&mut builder.scope("rest"), units, rest, config.activation)?;
        Ok(Self { first, first_activation, rest, normalization: config.normalization })
    }

    /// Unnormalized weights: one for each event, events × 1.
    ///
    /// # Errors
    /// When shapes and offsets do not fit.
    pub fn scores<T: Tape>(
        &self,
        graph: &mut Graph<'_, T>,
        candidates: &Matrix,
        behaviors: &Matrix,
        offsets: &Arc<Vec<u32>>,
    ) -> Result<Matrix> {
        // The logistic function is one operation with the layer: its derivative needs only the output.
        let sigmoid = matches!(self.first_activation, ActivationLayer::Sigmoid);
        let first = self.first.forward(graph, candidates, behaviors, offsets, sigmoid)?;
        let hidden = if sigmoid { first } else { self.first_activation.forward(graph, &first)? };
        self.rest.forward_from_first(graph, hidden)
    }

    /// The user's interest in each row's candidate, equation 3: rows × d, from candidates (rows × d) and
    /// behaviors (events × d).
    ///
    /// # Errors
    /// When shapes and offsets do not fit.
    pub fn forward<T: Tape>(
        &self,
        graph: &mut Graph<'_, T>,
        candidates: &Matrix,
        behaviors: &Matrix,
        offsets: &Arc<Vec<u32>>,
    ) -> Result<Matrix> {
        if graph.shared_history {
            let first = self.first.forward_shared(graph, candidates, behaviors)?;
            let hidden = self.first_activation.forward(graph, &first)?;
            let scores = self.rest.forward_from_first(graph, hidden)?;
            return graph.attention_pool_shared(&scores, behaviors, self.normalization);
        }
        let scores = self.scores(graph, candidates, behaviors, offsets)?;
        graph.attention_pool(&scores, behaviors, offsets, self.normalization)
    }
}
