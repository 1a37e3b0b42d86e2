//! From a ragged history to one vector a row (paper, equation 1), plain or weighted (equation 3).

use crate::kernels::plain::{axpy, dot, scale_into};
use crate::kernels::{View, Write, exp_in_place, multiply, vectorized};
use crate::trace::Operation;
use crate::{AttentionNormalization, Error, Graph, Matrix, Result, Tape};
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
        let (count, width) = events.shape();
        let rows = check_offsets("pool", offsets, (count, width))?;
        let data = events.values();
        let mut out = self.pool.zeros(rows * width);
        vectorized(
            #[inline(always)]
            || {
                for (row, out) in out.chunks_exact_mut(width.max(1)).enumerate() {
                    let (range, share) = row_share(offsets, row, pooling);
                    for event in range {
                        axpy(share, &data[event * width..(event + 1) * width], out);
                    }
                }
            },
        );
        let out = self.matrix_of("pool", out, rows, width)?;
        self.trace(&out, |trace| {
            Ok(Operation::Pool {
                input: trace.value(events)?,
                events: trace.events(offsets)?,
                pooling,
            })
        })?;
        if T::OWNS_TAPE {
            let (from, to, offsets) = (out.slot(), events.slot(), offsets.clone());
            self.record(move |pass| {
                let gradient = pass.take(&from, rows * width)?;
                let (to, fresh) = pass.target(&to, count * width)?;
                vectorized(
                    #[inline(always)]
                    || {
                        for (row, gradient) in gradient.chunks_exact(width.max(1)).enumerate() {
                            let (range, share) = row_share(&offsets, row, pooling);
                            for event in range {
                                let to = &mut to[event * width..(event + 1) * width];
                                if fresh {
                                    scale_into(share, gradient, to);
                                } else {
                                    axpy(share, gradient, to);
                                }
                            }
                        }
                    },
                );
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
        let (count, width) = events.shape();
        let rows = check_offsets("attention_pool", offsets, (count, width))?;
        if scores.shape() != (count, 1) {
            return Err(Error::Shape {
                op: "attention_pool",
                left: scores.shape(),
                right: (count, 1),
            });
        }
        let data = events.values();
        let mut weights = self.pool.take(count);
        weights.copy_from_slice(scores.values());
        let scale = normalization.scale(width);
        if let Some(scale) = scale {
            softmax_rows(&mut weights, offsets, scale);
        }
        if let Some(watched) = &mut self.watched {
            watched.push(weights.to_vec());
        }
        let mut out = self.pool.zeros(rows * width);
        vectorized(
            #[inline(always)]
            || {
                for (row, out) in out.chunks_exact_mut(width.max(1)).enumerate() {
                    for event in offsets[row] as usize..offsets[row + 1] as usize {
                        axpy(weights[event], &data[event * width..(event + 1) * width], out);
                    }
                }
            },
        );
        let out = self.matrix_of("attention_pool", out, rows, width)?;
        self.trace(&out, |trace| {
            Ok(Operation::AttentionPool {
                scores: trace.value(scores)?,
                input: trace.value(events)?,
                events: trace.events(offsets)?,
                softmax: scale,
            })
        })?;
        if T::OWNS_TAPE {
            let (from, to_scores, to_events) = (out.slot(), scores.slot(), events.slot());
            let (data, offsets) = (events.shared(), offsets.clone());
            self.record(move |pass| {
                let gradient = pass.take(&from, rows * width)?;
                let mut weight_gradients = pass.pool.take(count);
                let (to, fresh) = pass.target(&to_events, count * width)?;
                vectorized(
                    #[inline(always)]
                    || {
                        for (row, gradient) in gradient.chunks_exact(width.max(1)).enumerate() {
                            for event in offsets[row] as usize..offsets[row + 1] as usize {
                                let range = event * width..(event + 1) * width;
                                weight_gradients[event] = dot(gradient, &data[range.clone()]);
                                if fresh {
                                    scale_into(weights[event], gradient, &mut to[range]);
                                } else {
                                    axpy(weights[event], gradient, &mut to[range]);
                                }
                            }
                        }
                    },
                );
                if let Some(scale) = scale {
                    for bounds in offsets.windows(2) {
                        let range = bounds[0] as usize..bounds[1] as usize;
                        softmax_backward(
                            &weights[range.clone()],
                            &mut weight_gradients[range],
                            scale,
                        );
                    }
                }
                pass.add(&to_scores, weight_gradients)
            });
        }
        Ok(out)
    }

    /// The same for one history of all rows: `scores` are those of every pair of a row and an event, row by
    /// row. For scoring alone: nothing goes on the tape.
    pub(crate) fn attention_pool_shared(
        &mut self,
        scores: &Matrix,
        events: &Matrix,
        normalization: AttentionNormalization,
    ) -> Result<Matrix> {
        let ((count, width), rows) = (events.shape(), self.rows());
        if scores.shape() != (rows * count, 1) {
            return Err(Error::Shape {
                op: "attention_pool",
                left: scores.shape(),
                right: (rows * count, 1),
            });
        }
        let mut weights = self.pool.take(rows * count);
        weights.copy_from_slice(scores.values());
        if let Some(scale) = normalization.scale(width) {
            let offsets: Vec<u32> = (0..=rows as u32).map(|row| row * count as u32).collect();
            softmax_rows(&mut weights, &offsets, scale);
        }
        let mut out = self.pool.take(rows * width);
        multiply(View::new(&weights, rows, count), events.values(), &mut out, Write::Over);
        self.matrix_of("attention_pool", out, rows, width)
    }
}

/// Softmax of `scale` times the scores of each row, in place.
pub(super) fn softmax_rows(scores: &mut [f32], offsets: &[u32], scale: f32) {
    let rows = || offsets.windows(2).map(|bounds| bounds[0] as usize..bounds[1] as usize);
    for range in rows() {
        let row = &mut scores[range];
        let largest = row.iter().fold(f32::NEG_INFINITY, |most, &score| most.max(score));
        row.iter_mut().for_each(|score| *score = (*score - largest) * scale);
    }
    // Rows are short: the exponential is fast only over all of them at once.
    exp_in_place(scores);
    for range in rows() {
        let row = &mut scores[range];
        let sum: f32 = row.iter().sum();
        row.iter_mut().for_each(|score| *score /= sum);
    }
}

/// Turns gradients of softmax weights into gradients of the scores, in place.
pub(super) fn softmax_backward(weights: &[f32], gradients: &mut [f32], scale: f32) {
    let mean: f32 = weights.iter().zip(gradients.iter()).map(|(w, g)| w * g).sum();
    for (gradient, weight) in gradients.iter_mut().zip(weights) {
        *gradient = scale * weight * (*gradient - mean);
    }
}

#[inline(always)]
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
