//! Weights, moments and gradients of a step, cut into parts that tasks sum up and update.

use super::update::{Moments, MomentsPart, Rule};
use crate::Weights;
use crate::kernels::sum_of_squares;
use crate::regularizer::RowPenalties;
use crate::step::{CHUNK, DenseSum, RowsSum, Sums, cut_rows};

/// Some weights with their moments and the sums that give their gradients.
pub(super) struct Part<'s> {
    sum: Sum<'s>,
    values: &'s mut [f32],
    moments: MomentsPart<'s>,
}

enum Sum<'s> {
    Dense(DenseSum<'s>),
    /// With the number of the table at which the values begin.
    Rows(RowsSum<'s>, usize),
}

/// All weights that a step changes: dense parameters, then table rows.
pub(super) fn parts<'s>(
    weights: &'s mut Weights,
    parameter_moments: &'s mut [Moments],
    table_moments: &'s mut [Moments],
    sums: Sums<'s>,
) -> Vec<Part<'s>> {
    let mut parts = Vec::new();
    let mut dense = sums.dense.into_iter();
    for (parameter, moments) in weights.parameters.iter_mut().zip(parameter_moments) {
        let chunks = parameter.values_mut().chunks_mut(CHUNK).zip(moments.chunks(CHUNK));
        // The sums are cut at the bounds of parameters too.
        for ((values, moments), sum) in chunks.zip(dense.by_ref()) {
            parts.push(Part { sum: Sum::Dense(sum), values, moments });
        }
    }
    for ((table, moments), sums) in
        weights.tables.iter_mut().zip(table_moments).zip(sums.tables)
    {
        let chunks: Vec<&[u32]> = sums.iter().map(|sum| sum.rows).collect();
        let dim = table.dim;
        let moments = moments.cut_rows(&chunks, dim);
        let values = cut_rows(&chunks, dim, table.values_mut());
        parts.extend(values.into_iter().zip(moments).zip(sums).map(
            |(((start, values), moments), sum)| Part {
                sum: Sum::Rows(sum, start),
                values,
                moments,
            },
        ));
    }
    parts
}

impl Part<'_> {
    /// Sums the gradient up.
    pub fn sum_only(&mut self, penalties: &RowPenalties) {
        match &mut self.sum {
            Sum::Dense(sum) => sum.run(),
            Sum::Rows(sum, start) => sum.run(penalties, self.values, *start),
        }
    }

    /// Sums the gradient up and gives its squares' sum.
    pub fn sum(&mut self, penalties: &RowPenalties) -> f64 {
        self.sum_only(penalties);
        match &self.sum {
            Sum::Dense(sum) => sum_of_squares(sum.sum),
            Sum::Rows(sum, _) => sum_of_squares(sum.gradients),
        }
    }

    /// Updates the weights by the summed gradient.
    pub fn update(&mut self, rule: &Rule) {
        match &self.sum {
            Sum::Dense(sum) => rule.update(self.values, sum.sum, self.moments.all()),
            Sum::Rows(sum, start) => {
                let dim = sum.gradients.len() / sum.rows.len().max(1);
                for (&row, gradient) in sum.rows.iter().zip(sum.gradients.chunks_exact(dim.max(1)))
                {
                    let place = row as usize * dim - start;
                    let values = &mut self.values[place..place + dim];
                    rule.update(values, gradient, self.moments.part(place, dim));
                }
            }
        }
    }
}
