//! From a ragged history to one vector a row (paper, equation 1), plain or weighted (equation 3).

use crate::graph::{
    Graph, Matrix, Tape, gradient_key, input_gradient, shape, take_gradient, values,
};
use crate::kernels::{axpy, dot};
use crate::{AttentionNormalization, Error, Result};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// How a history becomes one vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pooling {
    /// Mean over real behaviors, as in the authors' code.
    Mean,
    /// Sum, as in the paper's figure 2.
    Sum,
}

impl<T: Tape> Graph<'_, T> {
    /// Pools events row by row: events × d to rows × d. A row without events gives zeros.
    ///
    /// # Errors
    /// When `offsets` do not end at the number of events.
    pub fn pool(
        &mut self,
        events: &Matrix,
        offsets: &Arc<Vec<u32>>,
        pooling: Pooling,
    ) -> Result<Matrix> {
        let (count, width) = shape(events);
        let rows = check_offsets("pool", offsets, (count, width))?;
        let data = values(events);
        let mut out = vec![0.0f32; rows * width];
        for (row, out) in out.chunks_exact_mut(width.max(1)).enumerate() {
            let (range, share) = row_share(offsets, row, pooling);
            for event in range {
                axpy(share, &data[event * width..(event + 1) * width], out);
            }
        }
        let out = self.matrix(out, rows, width)?;
        if T::OWNS_TAPE {
            let (out, events, offsets) =
                (gradient_key(&out), gradient_key(events), offsets.clone());
            self.record(move |gradients| {
                let gradient = take_gradient(gradients, &out)?;
                let to = input_gradient(gradients, &events)?;
                for (row, gradient) in gradient.chunks_exact(width.max(1)).enumerate() {
                    let (range, share) = row_share(&offsets, row, pooling);
                    for event in range {
                        axpy(share, gradient, &mut to[event * width..(event + 1) * width]);
                    }
                }
                Ok(())
            });
        }
        Ok(out)
    }

    /// Weighted sum of each row's events, equation 3: `v_U(A) = Σ_j w_j e_j`, where the weights are the
    /// activation unit's `scores` (events × 1), normalized as told.
    ///
    /// # Errors
    /// When shapes and offsets do not fit.
    pub fn attention_pool(
        &mut self,
        scores: &Matrix,
        events: &Matrix,
        offsets: &Arc<Vec<u32>>,
        normalization: AttentionNormalization,
    ) -> Result<Matrix> {
        let (count, width) = shape(events);
        let rows = check_offsets("attention_pool", offsets, (count, width))?;
        if shape(scores) != (count, 1) {
            return Err(Error::Shape {
                op: "attention_pool",
                left: shape(scores),
                right: (count, 1),
            });
        }
        let data = values(events);
        let mut weights = values(scores);
        let scale = normalization.scale(width);
        if let Some(scale) = scale {
            for row in 0..rows {
                softmax(&mut weights[offsets[row] as usize..offsets[row + 1] as usize], scale);
            }
        }
        let mut out = vec![0.0f32; rows * width];
        for (row, out) in out.chunks_exact_mut(width.max(1)).enumerate() {
            for event in offsets[row] as usize..offsets[row + 1] as usize {
                axpy(weights[event], &data[event * width..(event + 1) * width], out);
            }
        }
        let out = self.matrix(out, rows, width)?;
        if T::OWNS_TAPE {
            let (out, scores, events) =
                (gradient_key(&out), gradient_key(scores), gradient_key(events));
            let offsets = offsets.clone();
            self.record(move |gradients| {
                let gradient = take_gradient(gradients, &out)?;
                let mut weight_gradients = vec![0.0f32; count];
                let to = input_gradient(gradients, &events)?;
                for (row, gradient) in gradient.chunks_exact(width.max(1)).enumerate() {
                    for event in offsets[row] as usize..offsets[row + 1] as usize {
                        let range = event * width..(event + 1) * width;
                        weight_gradients[event] = dot(gradient, &data[range.clone()]);
                        axpy(weights[event], gradient, &mut to[range]);
                    }
                }
                if let Some(scale) = scale {
                    for row in 0..rows {
                        let range = offsets[row] as usize..offsets[row + 1] as usize;
                        softmax_backward(
                            &weights[range.clone()],
                            &mut weight_gradients[range],
                            scale,
                        );
                    }
                }
                let to = input_gradient(gradients, &scores)?;
                axpy(1.0, &weight_gradients, to);
                Ok(())
            });
        }
        Ok(out)
    }
}

/// Softmax of `scale` times the scores of one row, in place.
fn softmax(scores: &mut [f32], scale: f32) {
    let largest = scores.iter().fold(f32::NEG_INFINITY, |most, &score| most.max(score));
    let mut sum = 0.0f32;
    for score in scores.iter_mut() {
        *score = ((*score - largest) * scale).exp();
        sum += *score;
    }
    for score in scores.iter_mut() {
        *score /= sum;
    }
}

/// Turns gradients of softmax weights into gradients of the scores, in place.
fn softmax_backward(weights: &[f32], gradients: &mut [f32], scale: f32) {
    let mean: f32 = weights.iter().zip(gradients.iter()).map(|(w, g)| w * g).sum();
    for (gradient, weight) in gradients.iter_mut().zip(weights) {
        *gradient = scale * weight * (*gradient - mean);
    }
}

fn row_share(offsets: &[u32], row: usize, pooling: Pooling) -> (std::ops::Range<usize>, f32) {
    let range = offsets[row] as usize..offsets[row + 1] as usize;
    let share = match pooling {
        Pooling::Sum => 1.0,
        Pooling::Mean => 1.0 / range.len().max(1) as f32,
    };
    (range, share)
}

/// The number of rows, after a check that the offsets end at the number of events.
pub(crate) fn check_offsets(
    op: &'static str,
    offsets: &[u32],
    (count, width): (usize, usize),
) -> Result<usize> {
    match offsets.last() {
        Some(&end) if end as usize == count => Ok(offsets.len() - 1),
        end => Err(Error::Shape {
            op,
            left: (end.map_or(0, |&end| end as usize), width),
            right: (count, width),
        }),
    }
}
