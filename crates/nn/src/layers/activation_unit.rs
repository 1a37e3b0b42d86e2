//! DIN's local activation unit (paper, section 4.3 and figure 2).

use super::{Activation, ActivationLayer, Mlp};
use crate::graph::{
    Graph, Matrix, Tape, gradient_key, input_gradient, parameter_gradient, shape, take_gradient,
    values,
};
use crate::kernels::{View, ViewMut, axpy, multiply};
use crate::ops::check_offsets;
use crate::{Error, Init, ParameterId, Result, WeightsBuilder};
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
    first: FirstLayer,
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
        let first = FirstLayer::build(&mut builder.scope("first"), config.inputs, dim, units)?;
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
        let first = self.first.forward(graph, candidates, behaviors, offsets)?;
        self.rest.forward_from_first(graph, &first, &self.first_activation)
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
        let scores = self.scores(graph, candidates, behaviors, offsets)?;
        graph.attention_pool(&scores, behaviors, offsets, self.normalization)
    }
}

/// The dense layer on [q, k, q − k, q ⊙ k], split exactly:
/// W·[q, k, q − k, q ⊙ k] = (W₁ + W₃)q + (W₂ − W₃)k + W₄(q ⊙ k). The first part is computed once a row
/// instead of once a behavior, and the difference never: half the arithmetic, the same function.
#[derive(Clone, Copy, Debug)]
struct FirstLayer {
    weight: ParameterId,
    bias: ParameterId,
    inputs: UnitInputs,
    dim: usize,
    units: usize,
}

impl FirstLayer {
    fn build(
        builder: &mut WeightsBuilder<'_>,
        inputs: UnitInputs,
        dim: usize,
        units: usize,
    ) -> Result<Self> {
        let blocks = if inputs == UnitInputs::WithDifference { 4 } else { 3 };
        Ok(Self {
            // One matrix, as in the code, so that Glorot's limit is that of the whole layer.
            weight: builder.parameter("weight", blocks * dim, units, Init::GlorotUniform)?,
            bias: builder.parameter("bias", 1, units, Init::Constant(0.0))?,
            inputs,
            dim,
            units,
        })
    }

    /// The two matrices of the split form: for q (dim × units), and for [k, q ⊙ k] (2·dim × units).
    fn split(&self, weight: &[f32]) -> (Vec<f32>, Vec<f32>) {
        let block = self.dim * self.units;
        let mut query = weight[..block].to_vec();
        let mut behavior = weight[block..2 * block].to_vec();
        if self.inputs == UnitInputs::WithDifference {
            let difference = &weight[2 * block..3 * block];
            axpy(1.0, difference, &mut query);
            axpy(-1.0, difference, &mut behavior);
        }
        behavior.extend_from_slice(&weight[weight.len() - block..]);
        (query, behavior)
    }

    /// Adds the gradients of the split matrices to that of the whole one.
    fn join(&self, query: &[f32], behavior: &[f32], weight: &mut [f32]) {
        let block = self.dim * self.units;
        axpy(1.0, query, &mut weight[..block]);
        axpy(1.0, &behavior[..block], &mut weight[block..2 * block]);
        if self.inputs == UnitInputs::WithDifference {
            axpy(1.0, query, &mut weight[2 * block..3 * block]);
            axpy(-1.0, &behavior[..block], &mut weight[2 * block..3 * block]);
        }
        let last = weight.len() - block;
        axpy(1.0, &behavior[block..], &mut weight[last..]);
    }

    fn forward<T: Tape>(
        &self,
        graph: &mut Graph<'_, T>,
        candidates: &Matrix,
        behaviors: &Matrix,
        offsets: &Arc<Vec<u32>>,
    ) -> Result<Matrix> {
        let (dim, units) = (self.dim, self.units);
        let events = shape(behaviors).0;
        let rows = check_offsets("activation_unit", offsets, shape(behaviors))?;
        if shape(candidates) != (rows, dim) || shape(behaviors) != (events, dim) {
            return Err(Error::Shape {
                op: "activation_unit",
                left: shape(candidates),
                right: shape(behaviors),
            });
        }
        let (weight, bias) = (graph.parameter(self.weight), graph.parameter(self.bias));
        let (query_weight, behavior_weight) = self.split(&weight.values);
        let q = values(candidates);
        let k = values(behaviors);

        let mut query_part = Vec::with_capacity(rows * units);
        for _ in 0..rows {
            query_part.extend_from_slice(&bias.values);
        }
        multiply(
            View::new(&q, rows, dim),
            View::new(&query_weight, dim, units),
            ViewMut::new(&mut query_part, rows, units),
            true,
        );
        // [k, q ⊙ k] side by side, and the row's part as the beginning value of each of its events.
        let mut pairs = vec![0.0f32; events * 2 * dim];
        let mut out = Vec::with_capacity(events * units);
        for row in 0..rows {
            let q = &q[row * dim..(row + 1) * dim];
            for event in offsets[row] as usize..offsets[row + 1] as usize {
                let k = &k[event * dim..(event + 1) * dim];
                let (left, right) = pairs[event * 2 * dim..(event + 1) * 2 * dim].split_at_mut(dim);
                left.copy_from_slice(k);
                for ((product, q), k) in right.iter_mut().zip(q).zip(k) {
                    *product = q * k;
                }
                out.extend_from_slice(&query_part[row * units..(row + 1) * units]);
            }
        }
        multiply(
            View::new(&pairs, events, 2 * dim),
            View::new(&behavior_weight, 2 * dim, units),
            ViewMut::new(&mut out, events, units),
            true,
        );
        let out = graph.matrix(out, events, units)?;
        if T::OWNS_TAPE {
            let layer = *self;
            let (key, candidates, behaviors) =
                (gradient_key(&out), gradient_key(candidates), gradient_key(behaviors));
            let (weight_slot, bias_slot) = (weight.slot(), bias.slot());
            let weight_len = weight.values.len();
            let offsets = offsets.clone();
            graph.record(move |gradients| {
                let gradient = take_gradient(gradients, &key)?;
                // Per row: the sum over its events, which is the gradient of the query's part.
                let mut row_gradient = vec![0.0f32; rows * units];
                for (row, to) in row_gradient.chunks_exact_mut(units).enumerate() {
                    for event in offsets[row] as usize..offsets[row + 1] as usize {
                        axpy(1.0, &gradient[event * units..(event + 1) * units], to);
                    }
                }
                let to = parameter_gradient(gradients, &bias_slot, units)?;
                for row in row_gradient.chunks_exact(units) {
                    axpy(1.0, row, to);
                }
                let mut query_gradient = vec![0.0f32; dim * units];
                multiply(
                    View::new(&q, rows, dim).transposed(),
                    View::new(&row_gradient, rows, units),
                    ViewMut::new(&mut query_gradient, dim, units),
                    false,
                );
                let mut behavior_gradient = vec![0.0f32; 2 * dim * units];
                multiply(
                    View::new(&pairs, events, 2 * dim).transposed(),
                    View::new(&gradient, events, units),
                    ViewMut::new(&mut behavior_gradient, 2 * dim, units),
                    false,
                );
                let to = parameter_gradient(gradients, &weight_slot, weight_len)?;
                layer.join(&query_gradient, &behavior_gradient, to);

                let mut pair_gradient = vec![0.0f32; events * 2 * dim];
                multiply(
                    View::new(&gradient, events, units),
                    View::new(&behavior_weight, 2 * dim, units).transposed(),
                    ViewMut::new(&mut pair_gradient, events, 2 * dim),
                    false,
                );
                let to = input_gradient(gradients, &behaviors)?;
                for row in 0..rows {
                    let q = &q[row * dim..(row + 1) * dim];
                    for event in offsets[row] as usize..offsets[row + 1] as usize {
                        let (left, right) =
                            pair_gradient[event * 2 * dim..(event + 1) * 2 * dim].split_at(dim);
                        let to = &mut to[event * dim..(event + 1) * dim];
                        for (((to, left), right), q) in to.iter_mut().zip(left).zip(right).zip(q) {
                            *to += left + right * q;
                        }
                    }
                }
                let to = input_gradient(gradients, &candidates)?;
                multiply(
                    View::new(&row_gradient, rows, units),
                    View::new(&query_weight, dim, units).transposed(),
                    ViewMut::new(to, rows, dim),
                    true,
                );
                for (row, to) in to.chunks_exact_mut(dim).enumerate() {
                    for event in offsets[row] as usize..offsets[row + 1] as usize {
                        let start = event * 2 * dim;
                        let k = &pairs[start..start + dim];
                        let right = &pair_gradient[start + dim..start + 2 * dim];
                        for ((to, right), k) in to.iter_mut().zip(right).zip(k) {
                            *to += right * k;
                        }
                    }
                }
                Ok(())
            });
        }
        Ok(out)
    }
}
