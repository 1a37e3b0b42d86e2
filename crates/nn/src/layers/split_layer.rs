//! The first layer of the activation unit in its exactly split form.

use super::UnitInputs;
use crate::derived::Rule;
use crate::kernels::plain::{multiply_add, multiply_into};
use crate::kernels::{
    View, Write, add, multiply, repeat_row, sigmoid_backward, sigmoid_in_place, subtract_into,
    sum_rows, vectorized,
};
use crate::memory::Buffer;
use crate::ops::check_offsets;
use crate::trace::Operation;
use crate::{Error, Graph, Init, Matrix, ParameterId, Result, Tape, WeightsBuilder};
use std::sync::Arc;

/// The dense layer on [q, k, q − k, q ⊙ k], split exactly:
/// W·[q, k, q − k, q ⊙ k] = (W₁ + W₃)q + (W₂ − W₃)k + W₄(q ⊙ k). The first part is computed once a row
/// instead of once a behavior, and the difference never: half the arithmetic, the same function.
#[derive(Clone, Copy, Debug)]
pub(super) struct SplitLayer {
    weight: ParameterId,
    bias: ParameterId,
    inputs: UnitInputs,
    dim: usize,
    units: usize,
}

impl SplitLayer {
    /// On vectors of `dim` numbers.
    pub fn build(
        builder: &mut WeightsBuilder<'_>,
        inputs: UnitInputs,
        dim: usize,
        units: usize,
    ) -> Result<Self> {
        let difference = inputs == UnitInputs::WithDifference;
        let shape = (if difference { 4 * dim } else { 3 * dim }, units);
        let rule = Rule::ActivationUnit { difference };
        Ok(Self {
            // One matrix, as in the code, so that Glorot's limit is that of the whole layer.
            weight: builder.matrix("weight", shape, Init::GlorotUniform, rule)?,
            bias: builder.parameter("bias", 1, units, Init::Constant(0.0))?,
            inputs,
            dim,
            units,
        })
    }

    /// Events × units, with the logistic function on top where `sigmoid` is true.
    pub fn forward<T: Tape>(
        &self,
        graph: &mut Graph<'_, T>,
        candidates: &Matrix,
        behaviors: &Matrix,
        offsets: &Arc<Vec<u32>>,
        sigmoid: bool,
    ) -> Result<Matrix> {
        let (dim, units) = (self.dim, self.units);
        let events = behaviors.shape().0;
        let rows = check_offsets("activation_unit", offsets, behaviors.shape())?;
        if candidates.shape() != (rows, dim) || behaviors.shape() != (events, dim) {
            return Err(Error::Shape {
                op: "activation_unit",
                left: candidates.shape(),
                right: behaviors.shape(),
            });
        }
        let (weight, bias) = (graph.parameter(self.weight), graph.parameter(self.bias));
        let derived = weight.derived();
        let product_weight = &weight.values()[weight.values().len() - dim * units..];
        let (q, k) = (candidates.values(), behaviors.values());

        let query_part = self.query_part(graph, q);
        let mut out = graph.pool.take(events * units);
        let mut product = graph.pool.take(TILE.min(events) * dim);
        for tile in tiles(offsets) {
            let out = &mut out[tile.start * units..tile.end * units];
            let k = &k[tile.start * dim..tile.end * dim];
            let product = &mut product[..k.len()];
            for (row, part) in tile.rows(offsets) {
                // The row's part is where the sums of its events begin.
                let query_part = &query_part[row * units..(row + 1) * units];
                repeat_row(query_part, &mut out[part.start * units..part.end * units]);
            }
            tile.products(offsets, q, k, product);
            let count = tile.end - tile.start;
            multiply(View::new(k, count, dim), &derived.key, out, Write::Add);
            multiply(View::new(product, count, dim), product_weight, out, Write::Add);
            if sigmoid {
                sigmoid_in_place(out);
            }
        }
        drop((query_part, product));
        let out = graph.matrix_of("activation_unit", out, events, units)?;
        graph.trace(&out, |trace| {
            Ok(Operation::UnitLayer {
                candidates: trace.value(candidates)?,
                behaviors: trace.value(behaviors)?,
                weight: self.weight,
                bias: self.bias,
                difference: self.inputs == UnitInputs::WithDifference,
                sigmoid,
            })
        })?;
        if T::OWNS_TAPE {
            let layer = *self;
            let (q, k, offsets) = (candidates.shared(), behaviors.shared(), offsets.clone());
            let y = sigmoid.then(|| out.shared());
            let (from, to_q, to_k) = (out.slot(), candidates.slot(), behaviors.slot());
            let (weight_place, bias_place) = (weight.place(), bias.place());
            graph.record(move |pass| {
                let mut gradient = pass.take(&from, events * units)?;
                if let Some(y) = y {
                    sigmoid_backward(&y, &mut gradient);
                }
                // Per row: the sum over its events, which is the gradient of the query's part.
                let mut row_gradient = pass.pool.zeros(rows * units);
                for (row, to) in row_gradient.chunks_exact_mut(units).enumerate() {
                    let events = offsets[row] as usize * units..offsets[row + 1] as usize * units;
                    sum_rows(&gradient[events], to);
                }
                pass.add_to_parameter(bias_place, |bias| sum_rows(&row_gradient, bias));
                let mut product = pass.pool.take(TILE.min(events) * dim);
                pass.parameter(weight_place, |weight, fresh| {
                    layer.weight_gradient(
                        (&q, &k, &offsets),
                        (&row_gradient, &gradient),
                        &mut product,
                        weight,
                        fresh,
                    );
                });
                let (to, fresh) = pass.target(&to_q, rows * dim)?;
                let row_view = View::new(&row_gradient, rows, units);
                multiply(row_view, &derived.query_transposed, to, Write::over_if(fresh));
                // The gradient of q ⊙ k goes to both; that of k first, so that it is read while near.
                let mut q_gradient = pass.pool.zeros(rows * dim);
                let (to, fresh) = pass.target(&to_k, events * dim)?;
                for tile in tiles(&offsets) {
                    let range = tile.start * dim..tile.end * dim;
                    let (k, to) = (&k[range.clone()], &mut to[range]);
                    let product = &mut product[..k.len()];
                    let count = tile.end - tile.start;
                    let gradient = &gradient[tile.start * units..tile.end * units];
                    let gradient = View::new(gradient, count, units);
                    multiply(gradient, &derived.product_transposed, product, Write::Over);
                    multiply(gradient, &derived.key_transposed, to, Write::over_if(fresh));
                    vectorized(
                        #[inline(always)]
                        || {
                            for (row, part) in tile.rows(&offsets) {
                                let row = row * dim..(row + 1) * dim;
                                let (q, q_gradient) = (&q[row.clone()], &mut q_gradient[row]);
                                for event in part {
                                    let event = event * dim..(event + 1) * dim;
                                    let product = &product[event.clone()];
                                    multiply_add(product, q, &mut to[event.clone()]);
                                    multiply_add(product, &k[event], q_gradient);
                                }
                            }
                        },
                    );
                }
                let (to, _) = pass.target(&to_q, rows * dim)?;
                add(&q_gradient, to);
                Ok(())
            });
        }
        Ok(out)
    }

    /// The candidates' part with the bias: rows × units.
    fn query_part<T: Tape>(&self, graph: &Graph<'_, T>, q: &[f32]) -> Buffer {
        let rows = q.len() / self.dim;
        let mut part = graph.pool.take(rows * self.units);
        let derived = graph.parameter(self.weight).derived();
        let write = Write::Onto(graph.parameter(self.bias).values());
        multiply(View::new(q, rows, self.dim), &derived.query, &mut part, write);
        part
    }

    /// The same for every pair of a candidate and a behavior of one history, candidate by candidate: (rows ·
    /// events) × units. The history's part, (W₂ − W₃)k, is computed once. For scoring alone: nothing goes on
    /// the tape.
    pub fn forward_shared<T: Tape>(
        &self,
        graph: &mut Graph<'_, T>,
        candidates: &Matrix,
        behaviors: &Matrix,
    ) -> Result<Matrix> {
        let (dim, units) = (self.dim, self.units);
        let (rows, events) = (candidates.shape().0, behaviors.shape().0);
        if candidates.shape().1 != dim || behaviors.shape().1 != dim {
            return Err(Error::Shape {
                op: "activation_unit",
                left: candidates.shape(),
                right: behaviors.shape(),
            });
        }
        let weight = graph.parameter(self.weight);
        let derived = weight.derived();
        let product_weight = &weight.values()[weight.values().len() - dim * units..];
        let (q, k) = (candidates.values(), behaviors.values());
        let query_part = self.query_part(graph, q);
        let mut key_part = graph.pool.take(events * units);
        multiply(View::new(k, events, dim), &derived.key, &mut key_part, Write::Over);
        let mut out = graph.pool.take(rows * events * units);
        let mut product = graph.pool.take(events * dim);
        let parts = out.chunks_exact_mut((events * units).max(1));
        for ((out, q), query_part) in
            parts.zip(q.chunks_exact(dim)).zip(query_part.chunks_exact(units))
        {
            repeat_row(query_part, out);
            add(&key_part, out);
            vectorized(
                #[inline(always)]
                || {
                    for (k, to) in k.chunks_exact(dim).zip(product.chunks_exact_mut(dim)) {
                        multiply_into(q, k, to);
                    }
                },
            );
            multiply(View::new(&product, events, dim), product_weight, out, Write::Add);
        }
        drop((query_part, key_part, product));
        graph.matrix_of("activation_unit", out, rows * events, units)
    }

    /// Adds to the gradient of the whole weight: block by block that of the split form.
    fn weight_gradient(
        &self,
        (q, k, offsets): (&[f32], &[f32], &[u32]),
        (row_gradient, gradient): (&[f32], &[f32]),
        product: &mut [f32],
        weight: &mut [f32],
        fresh: bool,
    ) {
        let (dim, units) = (self.dim, self.units);
        let block = dim * units;
        let (rows, events) = (row_gradient.len() / units, gradient.len() / units);
        let last = weight.len() - block;
        let (front, product_weight) = weight.split_at_mut(last);
        let (query, rest) = front.split_at_mut(block);
        let (key, difference) = rest.split_at_mut(block);
        let write = Write::over_if(fresh);
        multiply(View::new(q, rows, dim).transposed(), row_gradient, query, write);
        multiply(View::new(k, events, dim).transposed(), gradient, key, write);
        if self.inputs == UnitInputs::WithDifference {
            // (W₁ + W₃)q + (W₂ − W₃)k: W₃ has the difference of the two sums.
            subtract_into(query, key, difference);
        }
        let mut write = write;
        if events == 0 && fresh {
            product_weight.fill(0.0);
        }
        for tile in tiles(offsets) {
            let count = tile.end - tile.start;
            let k = &k[tile.start * dim..tile.end * dim];
            let product = &mut product[..k.len()];
            tile.products(offsets, q, k, product);
            let gradient = &gradient[tile.start * units..tile.end * units];
            multiply(View::new(product, count, dim).transposed(), gradient, product_weight, write);
            write = Write::Add;
        }
    }
}

/// Events of a tile: its q ⊙ k then stays in the second-level cache, where the product finds it.
const TILE: usize = 128;

/// Consecutive events of consecutive rows.
struct Tile {
    start: usize,
    end: usize,
    first_row: usize,
}

impl Tile {
    /// Each row with events here, and these, counted from the tile's first.
    fn rows<'o>(
        &self,
        offsets: &'o [u32],
    ) -> impl Iterator<Item = (usize, std::ops::Range<usize>)> + use<'o> {
        let (start, end) = (self.start, self.end);
        (self.first_row..offsets.len() - 1)
            .map(move |row| (row, offsets[row] as usize..offsets[row + 1] as usize))
            .take_while(move |(_, events)| events.start < end)
            .map(move |(row, events)| {
                (row, events.start.max(start) - start..events.end.min(end).max(start) - start)
            })
    }

    /// q ⊙ k of the tile's events, from the q of all rows and the k of the tile.
    fn products(&self, offsets: &[u32], q: &[f32], k: &[f32], to: &mut [f32]) {
        let dim = q.len() / (offsets.len() - 1).max(1);
        vectorized(
            #[inline(always)]
            || {
                for (row, part) in self.rows(offsets) {
                    let q = &q[row * dim..(row + 1) * dim];
                    for event in part {
                        let event = event * dim..(event + 1) * dim;
                        multiply_into(q, &k[event.clone()], &mut to[event]);
                    }
                }
            },
        );
    }
}

/// All events in tiles.
fn tiles(offsets: &[u32]) -> impl Iterator<Item = Tile> {
    let events = offsets.last().map_or(0, |&end| end as usize);
    (0..events).step_by(TILE).map(move |start| Tile {
        start,
        end: (start + TILE).min(events),
        first_row: offsets.partition_point(|&offset| offset as usize <= start) - 1,
    })
}
