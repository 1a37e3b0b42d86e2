//! Normalization of a layer's input.

use crate::{Graph, Init, Matrix, ParameterId, Result, StatisticsId, Tape, WeightsBuilder};
use serde::{Deserialize, Serialize};

/// Which normalization.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Normalization {
    /// None: the paper mentions none.
    None,
    /// What the authors' code does: `tf.layers.batch_normalization` without `training=True` keeps mean 0
    /// and variance 1 for ever, which leaves a learned scale and bias per column: γ·x/√1.001 + β.
    Frozen,
    /// Batch normalization as its name says (ε = 1e-3, momentum 0.99: TensorFlow 1's defaults).
    Batch,
}

/// 1 / √(1 + ε) with TensorFlow's ε = 1e-3.
pub(super) const FROZEN_FACTOR: f32 = 0.999_500_4;
const BATCH_EPSILON: f32 = 1e-3;
/// PyTorch's default for layer normalization.
const LAYER_EPSILON: f32 = 1e-5;

/// A normalization with its weights.
#[derive(Clone, Copy, Debug)]
pub struct NormalizationLayer {
    affine: Option<(ParameterId, ParameterId)>,
    statistics: Option<StatisticsId>,
}

impl NormalizationLayer {
    /// Weights for `width` columns: γ begins at 1, β at 0.
    ///
    /// # Errors
    /// When memory runs out.
    pub fn build(
        builder: &mut WeightsBuilder<'_>,
        normalization: Normalization,
        width: usize,
    ) -> Result<Self> {
        let mut builder = builder.scope("normalization");
        let affine = match normalization {
            Normalization::None => None,
            _ => Some((
                builder.parameter("gamma", 1, width, Init::Constant(1.0))?,
                builder.parameter("beta", 1, width, Init::Constant(0.0))?,
            )),
        };
        let statistics = matches!(normalization, Normalization::Batch)
            .then(|| builder.statistics("statistics", width));
        Ok(Self { affine, statistics })
    }

    /// Same shape out as in.
    ///
    /// # Errors
    /// When the input has another width.
    pub fn forward<T: Tape>(&self, graph: &mut Graph<'_, T>, input: Matrix) -> Result<Matrix> {
        match (self.affine, self.statistics) {
            (None, _) => Ok(input),
            (Some((gamma, beta)), None) => {
                graph.scale_columns(&input, gamma, Some(beta), FROZEN_FACTOR)
            }
            (Some((gamma, beta)), Some(statistics)) => {
                let standardized = graph.standardize(&input, statistics, BATCH_EPSILON)?;
                graph.scale_columns(&standardized, gamma, Some(beta), 1.0)
            }
        }
    }
}

/// Layer normalization of a transformer: [`Graph::layer_normalization`] with its two weights (ε = 1e-5,
/// PyTorch's default).
#[derive(Clone, Copy, Debug)]
pub struct LayerNormalization {
    gamma: ParameterId,
    beta: ParameterId,
}

impl LayerNormalization {
    /// Weights for `width` columns: γ begins at 1, β at 0.
    ///
    /// # Errors
    /// When there is a layer of that name already.
    pub fn build(
        builder: &mut WeightsBuilder<'_>,
        name: impl std::fmt::Display,
        width: usize,
    ) -> Result<Self> {
        let mut builder = builder.scope(name);
        Ok(Self {
            gamma: builder.parameter("gamma", 1, width, Init::Constant(1.0))?,
            beta: builder.parameter("beta", 1, width, Init::Constant(0.0))?,
        })
    }

    /// Same shape out as in.
    ///
    /// # Errors
    /// When the input has another width.
    pub fn forward<T: Tape>(&self, graph: &mut Graph<'_, T>, input: &Matrix) -> Result<Matrix> {
        graph.layer_normalization(input, self.gamma, self.beta, LAYER_EPSILON)
    }
}
