//! A gated recurrent unit over ragged rows (Cho et al. 2014), all rows of a pass side by side.

use crate::kernels::{View, Write, gru_backward_row, gru_forward_row, multiply, vectorized};
use crate::memory::Buffer;
use crate::ops::check_offsets;
use crate::trace::Operation;
use crate::{Error, Graph, Matrix, ParameterId, Result, Tape};
use std::sync::Arc;

impl<T: Tape> Graph<'_, T> {
    /// Hidden states of a gated recurrent unit after each event, events × h. Each row begins at zeros and
    /// reads its events in their order.
    ///
    /// `input` is what the events give to the reset gate, the update gate and the candidate state, biases
    /// included, side by side: events × 3h. `weight` is U of the same three, h × 3h; `bias` is added to the
    /// candidate's U·h, 1 × h. With the three parts a, of one event:
    ///
    /// r = σ(a_r + U_r h), z = σ(a_z + U_z h), n = tanh(a_n + r ⊙ (U_n h + b)), h ← (1 − z) ⊙ n + z ⊙ h
    ///
    /// The reset gate thus stands behind the product with U, as in cuDNN and PyTorch; Cho et al. have it
    /// before, which takes a second product a step.
    ///
    /// # Errors
    /// When shapes and offsets do not fit.
    pub fn gated_recurrent(
        &mut self,
        input: &Matrix,
        offsets: &Arc<Vec<u32>>,
        weight: ParameterId,
        bias: ParameterId,
    ) -> Result<Matrix> {
        let (events, columns) = input.shape();
        let (weight_id, bias_id) = (weight, bias);
        let (weight, bias) = (self.parameter(weight), self.parameter(bias));
        let width = weight.rows;
        check_offsets("gated_recurrent", offsets, input.shape())?;
        let fits =
            columns == 3 * width && weight.columns == columns && bias.values().len() == width;
        if !fits || width == 0 {
            return Err(Error::Shape {
                op: "gated_recurrent",
                left: input.shape(),
                right: (width, weight.columns),
            });
        }
        let order = Order::new(offsets);
        let mut out = self.pool.take(events * width);
        let mut kept = self.pool.take(events * 4 * width);
        let mut state = self.pool.zeros(order.rows.len() * width);
        // At the first step the states are zeros, and so is their product.
        let mut product = self.pool.zeros(order.rows.len() * columns);
        for step in 0..order.steps() {
            let active = order.active(step);
            let state = &mut state[..active * width];
            let product = &mut product[..active * columns];
            if step > 0 {
                multiply(View::new(state, active, width), weight.values(), product, Write::Over);
            }
            vectorized(
                #[inline(always)]
                || {
                    let rows = order.events(step).zip(state.chunks_exact_mut(width));
                    for ((event, state), product) in rows.zip(product.chunks_exact(columns)) {
                        gru_forward_row(
                            &input.values()[event * columns..(event + 1) * columns],
                            product,
                            bias.values(),
                            state,
                            &mut kept[event * 4 * width..(event + 1) * 4 * width],
                        );
                        out[event * width..(event + 1) * width].copy_from_slice(state);
                    }
                },
            );
        }
        drop((state, product));
        let out = self.matrix_of("gated_recurrent", out, events, width)?;
        self.trace(&out, |trace| {
            Ok(Operation::GatedRecurrent {
                input: trace.value(input)?,
                events: trace.events(offsets)?,
                weight: weight_id,
                bias: bias_id,
            })
        })?;
        if T::OWNS_TAPE {
            let (states, from, to) = (out.shared(), out.slot(), input.slot());
            let (weight_place, bias_place) = (weight.place(), bias.place());
            let derived = weight.derived();
            self.record(move |pass| {
                let gradient = pass.take(&from, events * width)?;
                let mut to_input = pass.pool.take(events * columns);
                let mut to_recurrent = pass.pool.take(events * columns);
                let saved = Saved { order: &order, states: &states, kept: &kept };
                saved.backward(
                    &gradient,
                    &derived.transposed,
                    &mut to_input,
                    &mut to_recurrent,
                    [width, columns, columns].map(|each| pass.pool.take(order.rows.len() * each)),
                );
                pass.add(&to, to_input)?;
                pass.add_to_parameter(bias_place, |bias| {
                    for gradient in to_recurrent.chunks_exact(columns.max(1)) {
                        crate::kernels::add(&gradient[2 * width..], bias);
                    }
                });
                // The state before an event is the one after the event before it, so that one product does
                // for all steps; where a row begins it is zeros.
                for event in order.events(0) {
                    to_recurrent[event * columns..(event + 1) * columns].fill(0.0);
                }
                pass.parameter(weight_place, |weight, fresh| {
                    let others = events.saturating_sub(1);
                    let left = View::new(&states[..others * width], others, width).transposed();
                    let right = &to_recurrent[(events - others) * columns..];
                    multiply(left, right, weight, Write::over_if(fresh));
                });
                Ok(())
            });
        }
        Ok(out)
    }
}

/// What the forward pass leaves to the backward pass.
struct Saved<'s> {
    order: &'s Order,
    /// After each event.
    states: &'s [f32],
    kept: &'s [f32],
}

impl Saved<'_> {
    /// Writes the gradients of the input and of U·h for all events, from that of all states. `memory` is for
    /// one step: rows × h, and twice rows × 3h.
    fn backward(
        &self,
        gradient: &[f32],
        transposed: &[f32],
        to_input: &mut [f32],
        to_recurrent: &mut [f32],
        memory: [Buffer; 3],
    ) {
        let [mut carried, mut step_input, mut step_recurrent] = memory;
        carried.fill(0.0);
        let width = carried.len() / self.order.rows.len().max(1);
        let columns = 3 * width;
        for step in (0..self.order.steps()).rev() {
            let active = self.order.active(step);
            let carried = &mut carried[..active * width];
            let step_input = &mut step_input[..active * columns];
            let step_recurrent = &mut step_recurrent[..active * columns];
            vectorized(
                #[inline(always)]
                || {
                    let rows = self.order.events(step).zip(carried.chunks_exact_mut(width));
                    let to = step_input
                        .chunks_exact_mut(columns)
                        .zip(step_recurrent.chunks_exact_mut(columns));
                    for ((event, carried), (row_input, row_recurrent)) in rows.zip(to) {
                        let state = event * width..(event + 1) * width;
                        for (carried, &own) in carried.iter_mut().zip(&gradient[state.clone()]) {
                            *carried += own;
                        }
                        let before = match step {
                            0 => &[],
                            _ => &self.states[state.start - width..state.start],
                        };
                        let kept = &self.kept[event * 4 * width..(event + 1) * 4 * width];
                        gru_backward_row(kept, before, carried, row_input, row_recurrent);
                        let place = event * columns..(event + 1) * columns;
                        to_input[place.clone()].copy_from_slice(row_input);
                        to_recurrent[place].copy_from_slice(row_recurrent);
                    }
                },
            );
            if step > 0 {
                multiply(
                    View::new(step_recurrent, active, columns),
                    transposed,
                    carried,
                    Write::Add,
                );
            }
        }
    }
}

/// The rows that have events, the longest first: those that are not yet at their end at a step are then
/// the first ones, and lie side by side.
struct Order {
    /// Each row's first event.
    rows: Vec<usize>,
    /// How many rows have more events than the step's number; falling.
    active: Vec<usize>,
}

impl Order {
    fn new(offsets: &[u32]) -> Self {
        let lengths = offsets.windows(2).map(|bounds| (bounds[1] - bounds[0], bounds[0]));
        let mut rows: Vec<(u32, u32)> = lengths.filter(|&(length, _)| length > 0).collect();
        // Stable, though no number depends on the order of equally long rows.
        rows.sort_by_key(|&(length, _)| std::cmp::Reverse(length));
        let mut active = vec![0; rows.first().map_or(0, |&(longest, _)| longest as usize)];
        for &(length, _) in &rows {
            active[length as usize - 1] += 1;
        }
        for step in (1..active.len()).rev() {
            active[step - 1] += active[step];
        }
        Self { rows: rows.into_iter().map(|(_, first)| first as usize).collect(), active }
    }

    fn steps(&self) -> usize {
        self.active.len()
    }

    fn active(&self, step: usize) -> usize {
        self.active[step]
    }

    /// The events of a step, row by row.
    #[inline(always)]
    fn events(&self, step: usize) -> impl Iterator<Item = usize> {
        let active = self.active.get(step).copied().unwrap_or(0);
        self.rows[..active].iter().map(move |first| first + step)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_has_the_rows_that_are_long_enough() {
        // Rows of 2, 0, 3, 1 and 3 events.
        let order = Order::new(&[0, 2, 2, 5, 6, 9]);
        assert_eq!(order.active, [4, 3, 2]);
        let events: Vec<Vec<usize>> = (0..4).map(|step| order.events(step).collect()).collect();
        assert_eq!(events, [vec![2, 6, 0, 5], vec![3, 7, 1], vec![4, 8], vec![]]);
        assert_eq!(Order::new(&[0, 0]).steps(), 0);
        assert_eq!(Order::new(&[]).steps(), 0);
    }
}
