//! Activation functions of hidden layers.

use crate::{Dense, Graph, Init, Matrix, ParameterId, Result, StatisticsId, Tape, WeightsBuilder};
use serde::{Deserialize, Serialize};

/// Which activation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// Logistic: what the authors' code uses everywhere.
    Sigmoid,
    /// PReLU, equation 8: what the paper says of all models but LR.
    Prelu,
    /// Dice, equation 9: batch statistics in training, moving averages at test, ε = 1e-8.
    Dice,
    /// What the authors' code calls Dice since December 2018: its normalization never trains, so the gate
    /// is `sigmoid(β·s/√1.001)` with a learned β per column that begins at 0.
    DiceAuthors,
    /// What their code called Dice in January 2018, when it leaked: the gate is `sigmoid(s/√1.001)`.
    #[serde(rename = "dice_january_2018")]
    DiceJanuary2018,
}

/// ε of equation 9.
const DICE_EPSILON: f32 = 1e-8;
/// PReLU's α begins where its inventors begin it (He et al. 2015); the paper names no value.
const PRELU_ALPHA: f32 = 0.25;
/// Dice's α begins at 0 in the authors' code.
const DICE_ALPHA: f32 = 0.0;

/// An activation with its weights.
#[derive(Clone, Copy, Debug)]
pub enum ActivationLayer {
    /// See [`Activation::Sigmoid`].
    Sigmoid,
    /// See [`Activation::Prelu`].
    Prelu {
        /// 1 × width.
        alpha: ParameterId,
    },
    /// See [`Activation::Dice`].
    Dice {
        /// 1 × width.
        alpha: ParameterId,
        /// Of the layer's input.
        statistics: StatisticsId,
    },
    /// See [`Activation::DiceAuthors`].
    DiceAuthors {
        /// 1 × width.
        alpha: ParameterId,
        /// 1 × width.
        beta: ParameterId,
    },
    /// See [`Activation::DiceJanuary2018`].
    DiceJanuary2018 {
        /// 1 × width.
        alpha: ParameterId,
    },
}

impl ActivationLayer {
    /// Weights for `width` columns.
    ///
    /// # Errors
    /// When memory runs out.
    pub fn build(
        builder: &mut WeightsBuilder<'_>,
        activation: Activation,
        width: usize,
    ) -> Result<Self> {
        let constant = |builder: &mut WeightsBuilder<'_>, name: &str, value| {
            builder.parameter(name, 1, width, Init::Constant(value))
        };
        Ok(match activation {
            Activation::Sigmoid => Self::Sigmoid,
            Activation::Prelu => {
                Self::Prelu { alpha: constant(builder, "prelu/alpha", PRELU_ALPHA)? }
            }
            Activation::Dice => Self::Dice {
                alpha: constant(builder, "dice/alpha", DICE_ALPHA)?,
                statistics: builder.statistics("dice/statistics", width),
            },
            Activation::DiceAuthors => Self::DiceAuthors {
                alpha: constant(builder, "dice/alpha", DICE_ALPHA)?,
                beta: constant(builder, "dice/beta", 0.0)?,
            },
            Activation::DiceJanuary2018 => {
                Self::DiceJanuary2018 { alpha: constant(builder, "dice/alpha", DICE_ALPHA)? }
            }
        })
    }

    /// Applies the activation to pre-activations.
    ///
    /// # Errors
    /// When the input has another width.
    pub fn forward<T: Tape>(&self, graph: &mut Graph<'_, T>, s: &Matrix) -> Result<Matrix> {
        match *self {
            Self::Sigmoid => graph.sigmoid(s),
            Self::Prelu { alpha } => graph.prelu(s, alpha),
            Self::Dice { alpha, statistics } => {
                let z = graph.standardize(s, statistics, DICE_EPSILON)?;
                graph.gate(s, &z, alpha)
            }
            Self::DiceAuthors { alpha, beta } => {
                let z = graph.scale_columns(s, beta, None, super::normalization::FROZEN_FACTOR)?;
                graph.gate(s, &z, alpha)
            }
            Self::DiceJanuary2018 { alpha } => {
                let z = graph.scale(s, super::normalization::FROZEN_FACTOR)?;
                graph.gate(s, &z, alpha)
            }
        }
    }

    /// Applies a dense layer and the activation.
    ///
    /// # Errors
    /// When the input has another width than the dense layer.
    pub fn after_dense<T: Tape>(
        &self,
        graph: &mut Graph<'_, T>,
        dense: &Dense,
        input: &Matrix,
    ) -> Result<Matrix> {
        match self {
            Self::Sigmoid => dense.forward_sigmoid(graph, input),
            _ => {
                let s = dense.forward(graph, input)?;
                self.forward(graph, &s)
            }
        }
    }
}
