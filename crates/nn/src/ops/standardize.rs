//! Columns with mean 0 and variance 1, and learned scales: the parts of batch normalization and Dice.

use crate::exchange::Exchange;
use crate::kernels::{
    gate_backward, gate_forward, prelu_backward, prelu_forward, scale_rows, standardize_backward,
    standardize_rows, sum_products, sum_rows, sum_squared_deviations,
};
use crate::trace::Operation;
use crate::weights::BatchStatistics;
use crate::{Error, Graph, Matrix, ParameterId, Result, StatisticsId, Tape};
use std::sync::Arc;

impl<T: Tape> Graph<'_, T> {
    /// `(x − E[x]) / √(Var[x] + ε)` by column (paper, equation 9): in a training pass with the batch's
    /// mean and biased variance, which then move the running ones; in a scoring pass with the running ones.
    ///
    /// # Errors
    /// When the width is not that of the statistics.
    pub fn standardize(
        &mut self,
        input: &Matrix,
        statistics: StatisticsId,
        epsilon: f32,
    ) -> Result<Matrix> {
        let (rows, width) = input.shape();
        let running = &self.weights.statistics[statistics.0];
        if running.mean.len() != width {
            return Err(Error::Shape {
                op: "standardize",
                left: (rows, width),
                right: (1, running.mean.len()),
            });
        }
        let batch = if T::OWNS_TAPE {
            batch_statistics(input.values(), width, self.exchange.as_ref())?
        } else {
            None
        };
        let (mean, variance) = batch.as_ref().map_or_else(
            || (running.mean.as_slice(), running.variance.as_slice()),
            |(batch, _)| (batch.mean.as_slice(), batch.variance.as_slice()),
        );
        let scales: Vec<f32> =
            variance.iter().map(|variance| 1.0 / (variance + epsilon).sqrt()).collect();
        let mut out = self.pool.take(rows * width);
        standardize_rows(input.values(), mean, &scales, &mut out);
        let out = self.matrix_of("standardize", out, rows, width)?;
        self.trace(&out, |trace| {
            Ok(Operation::Standardize { input: trace.value(input)?, statistics, epsilon })
        })?;
        if let Some((batch, batch_rows)) = batch {
            self.moved_statistics.push((statistics, batch));
            let (standardized, from, to) = (out.shared(), out.slot(), input.slot());
            let exchange = self.exchange.clone();
            self.record(move |pass| {
                let gradient = pass.take(&from, rows * width)?;
                // The statistics depend on every row: subtract the parts of the gradient along the
                // constant vector and along the standardized column itself.
                let mut along = vec![0.0f32; 2 * width];
                let (along_one, along_self) = along.split_at_mut(width);
                sum_rows(&gradient, along_one);
                sum_products(1.0, &gradient, &standardized, along_self);
                // Should another lane have failed, nobody will look at this gradient.
                let along =
                    total(along, exchange.as_ref()).unwrap_or_else(|_| vec![0.0; 2 * width]);
                let share = 1.0 / batch_rows as f32;
                let along: Vec<f32> = along.iter().map(|sum| share * sum).collect();
                let (along_one, along_self) = along.split_at(width);
                let mut to_gradient = pass.pool.take(rows * width);
                standardize_backward(
                    (&gradient, &standardized),
                    (&scales, along_one, along_self),
                    &mut to_gradient,
                );
                pass.add(&to, to_gradient)
            });
        }
        Ok(out)
    }

    /// `factor · scale ⊙ x + bias` by column; both parameters are 1 × width, the bias may be absent.
    ///
    /// # Errors
    /// When the widths differ.
    pub fn scale_columns(
        &mut self,
        input: &Matrix,
        scale: ParameterId,
        bias: Option<ParameterId>,
        factor: f32,
    ) -> Result<Matrix> {
        let (rows, width) = input.shape();
        let (scale_id, bias_id) = (scale, bias);
        let scale = self.parameter(scale);
        let bias = bias.map(|bias| self.parameter(bias));
        if scale.columns != width || bias.is_some_and(|bias| bias.columns != width) {
            return Err(Error::Shape {
                op: "scale_columns",
                left: (rows, width),
                right: (1, scale.columns),
            });
        }
        let mut out = self.pool.take(rows * width);
        let bias_values = bias.map_or(&[][..], |bias| bias.values());
        scale_rows(factor, scale.values(), bias_values, input.values(), &mut out);
        let out = self.matrix_of("scale_columns", out, rows, width)?;
        self.trace(&out, |trace| {
            Ok(Operation::ScaleColumns {
                input: trace.value(input)?,
                scale: scale_id,
                bias: bias_id,
                factor,
            })
        })?;
        if T::OWNS_TAPE {
            let (x, from, to) = (input.shared(), out.slot(), input.slot());
            let (scale_values, scale_place) = (scale.shared(), scale.place());
            let bias_place = bias.map(crate::Parameter::place);
            self.record(move |pass| {
                let gradient = pass.take(&from, rows * width)?;
                pass.add_to_parameter(scale_place, |scale| {
                    sum_products(factor, &x, &gradient, scale);
                });
                if let Some(place) = bias_place {
                    pass.add_to_parameter(place, |bias| {
                        sum_rows(&gradient, bias);
                    });
                }
                let mut to_gradient = pass.pool.take(rows * width);
                scale_rows(factor, &scale_values, &[], &gradient, &mut to_gradient);
                pass.add(&to, to_gradient)
            });
        }
        Ok(out)
    }

    /// `factor · x`.
    ///
    /// # Errors
    /// When memory runs out.
    pub fn scale(&mut self, input: &Matrix, factor: f32) -> Result<Matrix> {
        let (rows, width) = input.shape();
        let mut out = self.pool.take(rows * width);
        out.iter_mut().zip(input.values()).for_each(|(out, x)| *out = factor * x);
        let out = self.matrix_of("scale", out, rows, width)?;
        self.trace(&out, |trace| Ok(Operation::Scale { input: trace.value(input)?, factor }))?;
        if T::OWNS_TAPE {
            let (from, to) = (out.slot(), input.slot());
            self.record(move |pass| {
                let mut gradient = pass.take(&from, rows * width)?;
                gradient.iter_mut().for_each(|value| *value *= factor);
                pass.add(&to, gradient)
            });
        }
        Ok(out)
    }

    /// The gate of Dice (equation 9): `s·p + α·s·(1 − p)` with `p = sigmoid(z)`; `alpha` is 1 × width.
    ///
    /// # Errors
    /// When the shapes differ.
    pub fn gate(&mut self, s: &Matrix, z: &Matrix, alpha: ParameterId) -> Result<Matrix> {
        let (rows, width) = s.shape();
        let alpha_id = alpha;
        let alpha = self.parameter(alpha);
        if z.shape() != (rows, width) || alpha.columns != width {
            return Err(Error::Shape { op: "gate", left: (rows, width), right: z.shape() });
        }
        let mut out = self.pool.take(rows * width);
        gate_forward(s.values(), z.values(), alpha.values(), &mut out);
        let out = self.matrix_of("gate", out, rows, width)?;
        self.trace(&out, |trace| {
            Ok(Operation::Gate { s: trace.value(s)?, z: trace.value(z)?, alpha: alpha_id })
        })?;
        if T::OWNS_TAPE {
            let (s_values, z_values, alpha_values) = (s.shared(), z.shared(), alpha.shared());
            let (from, s, z, place) = (out.slot(), s.slot(), z.slot(), alpha.place());
            self.record(move |pass| {
                let gradient = pass.take(&from, rows * width)?;
                let mut s_gradient = pass.pool.zeros(rows * width);
                let mut z_gradient = pass.pool.take(rows * width);
                pass.add_to_parameter(place, |alpha_gradient| {
                    gate_backward(
                        &gradient,
                        (&s_values, &z_values, &alpha_values),
                        (&mut s_gradient, &mut z_gradient, alpha_gradient),
                    );
                });
                pass.add(&s, s_gradient)?;
                pass.add(&z, z_gradient)
            });
        }
        Ok(out)
    }

    /// PReLU (paper, equation 8): `s` where positive, else `α·s`; `alpha` is 1 × width.
    ///
    /// # Errors
    /// When the widths differ.
    pub fn prelu(&mut self, input: &Matrix, alpha: ParameterId) -> Result<Matrix> {
        let (rows, width) = input.shape();
        let alpha_id = alpha;
        let alpha = self.parameter(alpha);
        if alpha.columns != width {
            return Err(Error::Shape {
                op: "prelu",
                left: (rows, width),
                right: (1, alpha.columns),
            });
        }
        let mut out = self.pool.take(rows * width);
        prelu_forward(input.values(), alpha.values(), &mut out);
        let out = self.matrix_of("prelu", out, rows, width)?;
        self.trace(&out, |trace| {
            Ok(Operation::Prelu { input: trace.value(input)?, alpha: alpha_id })
        })?;
        if T::OWNS_TAPE {
            let (s, from, to) = (input.shared(), out.slot(), input.slot());
            let (alpha_values, place) = (alpha.shared(), alpha.place());
            self.record(move |pass| {
                let mut gradient = pass.take(&from, rows * width)?;
                pass.add_to_parameter(place, |alpha_gradient| {
                    prelu_backward(&s, &alpha_values, &mut gradient, alpha_gradient);
                });
                pass.add(&to, gradient)
            });
        }
        Ok(out)
    }
}

/// Mean and biased variance of each column over the whole batch, and its number of rows; none for no
/// rows at all. Every lane gives its own mean and squared deviations, which are joined in the order of
/// lanes (Chan, Golub & LeVeque 1979).
fn batch_statistics(
    values: &[f32],
    width: usize,
    exchange: Option<&(Arc<Exchange>, usize)>,
) -> Result<Option<(BatchStatistics, usize)>> {
    let rows = values.len() / width.max(1);
    let mut mine = vec![0.0f32; 2 * width + 1];
    let (mean, deviations) = mine[1..].split_at_mut(width);
    if rows > 0 {
        sum_rows(values, mean);
        let share = 1.0 / rows as f32;
        mean.iter_mut().for_each(|mean| *mean *= share);
        sum_squared_deviations(values, mean, deviations);
    }
    mine[0] = rows as f32;
    let all = match exchange {
        Some((exchange, lane)) => exchange.meet(*lane, mine).map_err(|_| abandoned())?,
        None => Arc::new(vec![mine]),
    };
    let batch_rows: f32 = all.iter().map(|one| one[0]).sum();
    if batch_rows == 0.0 {
        return Ok(None);
    }
    let share = 1.0 / batch_rows;
    let mean: Vec<f32> = (0..width)
        .map(|column| share * all.iter().map(|one| one[0] * one[1 + column]).sum::<f32>())
        .collect();
    let variance = (0..width)
        .map(|column| {
            let sum: f32 = all
                .iter()
                .map(|one| {
                    let distance = one[1 + column] - mean[column];
                    one[1 + width + column] + one[0] * distance * distance
                })
                .sum();
            share * sum
        })
        .collect();
    Ok(Some((BatchStatistics { mean, variance }, batch_rows as usize)))
}

/// The sum over lanes, in their order.
fn total(mine: Vec<f32>, exchange: Option<&(Arc<Exchange>, usize)>) -> Result<Vec<f32>> {
    let Some((exchange, lane)) = exchange else { return Ok(mine) };
    let all = exchange.meet(*lane, mine).map_err(|_| abandoned())?;
    let mut sum = all[0].clone();
    all[1..].iter().for_each(|one| crate::kernels::add(one, &mut sum));
    Ok(sum)
}

fn abandoned() -> Error {
    Error::Batch("another part of the batch could not be computed".into())
}
