//! Weights, moments and gradients of a step, cut into parts that tasks sum up and update.

use super::update::{Moments, MomentsPart, Rule};
use crate::kernels::sum_of_squares;
use crate::regularizer::RowPenalties;
use crate::sums::{DenseSum, RowsSum, Sums, cut_rows};
use crate::{Parameter, Weights};

/// Some weights with their moments and the sums that give their gradients.
pub(super) enum Part<'s> {
    /// A parameter.
    Dense(DenseSum<'s>, &'s mut Parameter, MomentsPart<'s>),
    /// Some rows of a table.
    Rows(RowsSum<'s>, Rows<'s>),
}

/// Consecutive numbers of a table.
pub(super) struct Rows<'s> {
    /// Place of the first number in the table.
    start: usize,
    values: &'s mut [f32],
    moments: MomentsPart<'s>,
}

/// All weights that a step changes, the large parts first.
pub(super) fn parts<'s>(
    weights: &'s mut Weights,
    parameter_moments: &'s mut [Moments],
    table_moments: &'s mut [Moments],
    sums: Sums<'s>,
) -> Vec<Part<'s>> {
    let mut parts: Vec<Part<'s>> = weights
        .parameters
        .iter_mut()
        .zip(parameter_moments)
        .zip(sums.dense)
        .map(|((parameter, moments), sum)| Part::Dense(sum, parameter, moments.all()))
        .collect();
    parts.sort_by_key(|part| match part {
        Part::Dense(sum, ..) => std::cmp::Reverse(sum.sum.len()),
        Part::Rows(..) => std::cmp::Reverse(0),
    });
    for ((table, moments), sums) in weights.tables.iter_mut().zip(table_moments).zip(sums.tables) {
        let chunks: Vec<&[u32]> = sums.iter().map(|sum| sum.rows).collect();
        let dim = table.dim;
        let moments = moments.cut_rows(&chunks, dim);
        let values = cut_rows(&chunks, dim, table.values_mut());
        parts.extend(values.into_iter().zip(moments).zip(sums).map(
            |(((start, values), moments), sum)| Part::Rows(sum, Rows { start, values, moments }),
        ));
    }
    parts
}

impl Part<'_> {
    /// Sums the gradient up.
    pub fn sum_only(&mut self, penalties: &RowPenalties) {
        match self {
            Self::Dense(sum, ..) => sum.run(),
            Self::Rows(sum, rows) => sum.run(penalties, rows.values, rows.start),
        }
    }

    /// Sums the gradient up and gives its squares' sum.
    pub fn sum(&mut self, penalties: &RowPenalties) -> f64 {
        self.sum_only(penalties);
        match self {
            Self::Dense(sum, ..) => sum_of_squares(sum.sum),
            Self::Rows(sum, _) => sum_of_squares(sum.gradients),
        }
    }

    /// Updates the weights by the summed gradient.
    pub fn update(&mut self, rule: &Rule) {
        match self {
            Self::Dense(sum, parameter, moments) => {
                rule.update(parameter.values_mut(), sum.sum, moments);
                // While the values are near.
                parameter.refresh();
            }
            Self::Rows(sum, Rows { start, values, moments }) => {
                let dim = sum.gradients.len() / sum.rows.len().max(1);
                let rows = sum.rows.iter().map(|&row| row as usize * dim - *start);
                rule.update_rows(values, rows, sum.gradients, moments, dim);
            }
        }
    }
}
