//! Attention of several heads inside ragged rows (Vaswani et al. 2017).

use super::pool::{softmax_backward, softmax_rows};
use crate::kernels::plain::{axpy, dot};
use crate::kernels::vectorized;
use crate::ops::check_offsets;
use crate::trace::Operation;
use crate::{Error, Graph, Matrix, Result, Tape};
use std::ops::Range;
use std::sync::Arc;

/// One side of an attention: a matrix of events and their boundaries.
#[derive(Clone, Copy, Debug)]
pub struct Side<'a> {
    /// Events × width.
    pub events: &'a Matrix,
    /// Event boundaries, rows + 1 of them.
    pub offsets: &'a Arc<Vec<u32>>,
}

impl<T: Tape> Graph<'_, T> {
    /// What each query gathers from the values of its own row, queries × width: each head, a part of the
    /// columns, has softmax(q·k / √(width / heads)) as weights of the values. A row may have other numbers of
    /// queries and keys; the keys' offsets are the values' too. A query without keys gives zeros.
    ///
    /// Memory is queries × keys × heads of each row, whose sum must be below 2³².
    ///
    /// # Errors
    /// When shapes and offsets do not fit, or the heads do not divide the width.
    pub fn attend(
        &mut self,
        queries: Side<'_>,
        keys: Side<'_>,
        values: &Matrix,
        heads: usize,
    ) -> Result<Matrix> {
        const OP: &str = "attend";
        let (count, width) = queries.events.shape();
        let rows = check_offsets(OP, queries.offsets, (count, width))?;
        let other_rows = check_offsets(OP, keys.offsets, keys.events.shape())?;
        let events = keys.events.shape().0;
        if keys.events.shape().1 != width || values.shape() != (events, width) {
            let (left, right) = (keys.events.shape(), values.shape());
            return Err(Error::Shape { op: OP, left, right });
        }
        if rows != other_rows || heads == 0 || width % heads != 0 {
            return Err(Error::Shape { op: OP, left: (rows, width), right: (other_rows, heads) });
        }
        let shape =
            Shape { heads, width, queries: queries.offsets.clone(), keys: keys.offsets.clone() };
        let bounds = shape.weight_bounds()?;
        let (q, k, v) = (queries.events.values(), keys.events.values(), values.values());
        let mut weights = self.pool.take(bounds.last().map_or(0, |&end| end as usize));
        vectorized(
            #[inline(always)]
            || shape.each_head(|at| at.dots(q, k, &mut weights)),
        );
        softmax_rows(&mut weights, &bounds, shape.scale());
        let mut out = self.pool.zeros(count * width);
        vectorized(
            #[inline(always)]
            || shape.each_head(|at| at.gather(&weights, v, &mut out)),
        );
        let out = self.matrix_of(OP, out, count, width)?;
        self.trace(&out, |trace| {
            Ok(Operation::Attend {
                queries: (trace.value(queries.events)?, trace.events(queries.offsets)?),
                keys: (trace.value(keys.events)?, trace.events(keys.offsets)?),
                values: trace.value(values)?,
                heads,
            })
        })?;
        if T::OWNS_TAPE {
            let from = out.slot();
            let (q, k, v) = (queries.events.shared(), keys.events.shared(), values.shared());
            let slots = (queries.events.slot(), keys.events.slot(), values.slot());
            self.record(move |pass| {
                let gradient = pass.take(&from, count * width)?;
                let mut to_weights = pass.pool.take(weights.len());
                let mut to_values = pass.pool.zeros(events * width);
                vectorized(
                    #[inline(always)]
                    || {
                        shape.each_head(|at| {
                            at.dots(&gradient, &v, &mut to_weights);
                            at.scatter(&weights, &gradient, &mut to_values);
                        });
                    },
                );
                pass.add(&slots.2, to_values)?;
                for part in bounds.windows(2) {
                    let part = part[0] as usize..part[1] as usize;
                    softmax_backward(&weights[part.clone()], &mut to_weights[part], shape.scale());
                }
                let mut to_queries = pass.pool.zeros(count * width);
                let mut to_keys = pass.pool.zeros(events * width);
                vectorized(
                    #[inline(always)]
                    || {
                        shape.each_head(|at| {
                            at.gather(&to_weights, &k, &mut to_queries);
                            at.scatter(&to_weights, &q, &mut to_keys);
                        });
                    },
                );
                pass.add(&slots.0, to_queries)?;
                pass.add(&slots.1, to_keys)
            });
        }
        Ok(out)
    }
}

/// Which query sees which keys.
struct Shape {
    heads: usize,
    width: usize,
    queries: Arc<Vec<u32>>,
    keys: Arc<Vec<u32>>,
}

impl Shape {
    /// 1 / √d of a head.
    fn scale(&self) -> f32 {
        1.0 / ((self.width / self.heads) as f32).sqrt()
    }

    /// Boundaries of the weights of each head of each query.
    fn weight_bounds(&self) -> Result<Vec<u32>> {
        let parts = self.heads * self.queries.last().map_or(0, |&end| end as usize);
        let mut bounds = Vec::with_capacity(parts + 1);
        let mut end = 0u32;
        bounds.push(end);
        for (queries, keys) in self.queries.windows(2).zip(self.keys.windows(2)) {
            for _ in 0..self.heads * (queries[1] - queries[0]) as usize {
                let next = end.checked_add(keys[1] - keys[0]);
                end = next.ok_or_else(|| {
                    Error::Batch("histories too long for attention of each event to each".into())
                })?;
                bounds.push(end);
            }
        }
        Ok(bounds)
    }

    /// Every head of every query, in the order of their weights.
    #[inline(always)]
    fn each_head(&self, mut run: impl FnMut(Head)) {
        let (part, mut end) = (self.width / self.heads, 0);
        for (queries, keys) in self.queries.windows(2).zip(self.keys.windows(2)) {
            let keys = keys[0] as usize..keys[1] as usize;
            for query in queries[0] as usize..queries[1] as usize {
                for head in 0..self.heads {
                    let weights = end..end + keys.len();
                    end = weights.end;
                    let (keys, column) = (keys.clone(), head * part);
                    run(Head { query, keys, weights, column, part, width: self.width });
                }
            }
        }
    }
}

/// One head of one query.
struct Head {
    query: usize,
    keys: Range<usize>,
    weights: Range<usize>,
    /// The head's first column and how many it has.
    column: usize,
    part: usize,
    width: usize,
}

impl Head {
    /// The head's columns of an event.
    #[inline(always)]
    fn of(&self, event: usize) -> Range<usize> {
        let start = event * self.width + self.column;
        start..start + self.part
    }

    /// Products of the query's row of `left` with the keys' rows of `right`, as weights.
    #[inline(always)]
    fn dots(&self, left: &[f32], right: &[f32], weights: &mut [f32]) {
        let left = &left[self.of(self.query)];
        for (key, weight) in self.keys.clone().zip(&mut weights[self.weights.clone()]) {
            *weight = dot(left, &right[self.of(key)]);
        }
    }

    /// Adds the weighted sum of the keys' rows of `from` to the query's row of `to`.
    #[inline(always)]
    fn gather(&self, weights: &[f32], from: &[f32], to: &mut [f32]) {
        let to = &mut to[self.of(self.query)];
        for (key, &weight) in self.keys.clone().zip(&weights[self.weights.clone()]) {
            axpy(weight, &from[self.of(key)], to);
        }
    }

    /// Adds the query's row of `from`, weighted, to the keys' rows of `to`.
    #[inline(always)]
    fn scatter(&self, weights: &[f32], from: &[f32], to: &mut [f32]) {
        let from = &from[self.of(self.query)];
        for (key, &weight) in self.keys.clone().zip(&weights[self.weights.clone()]) {
            axpy(weight, from, &mut to[self.of(key)]);
        }
    }
}
