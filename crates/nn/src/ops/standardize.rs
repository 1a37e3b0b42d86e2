//! Columns with mean 0 and variance 1, and learned scales: the parts of batch normalization and Dice.

use crate::graph::{
    Graph, Matrix, Tape, gradient_key, input_gradient, parameter_gradient, shape, take_gradient,
    values,
};
use crate::kernels::{gate_backward, gate_forward};
use crate::weights::BatchStatistics;
use crate::{Error, ParameterId, Result, StatisticsId};

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
        let (rows, width) = shape(input);
        let running = &self.weights.statistics[statistics.0];
        if running.mean.len() != width {
            return Err(Error::Shape {
                op: "standardize",
                left: (rows, width),
                right: (1, running.mean.len()),
            });
        }
        let mut out = values(input);
        let batch = (T::OWNS_TAPE && rows > 0).then(|| column_statistics(&out, rows, width));
        let (mean, variance) = batch.as_ref().map_or_else(
            || (running.mean.as_slice(), running.variance.as_slice()),
            |batch| (batch.mean.as_slice(), batch.variance.as_slice()),
        );
        let scales: Vec<f32> =
            variance.iter().map(|variance| 1.0 / (variance + epsilon).sqrt()).collect();
        for row in out.chunks_exact_mut(width.max(1)) {
            for ((x, mean), scale) in row.iter_mut().zip(mean).zip(&scales) {
                *x = (*x - mean) * scale;
            }
        }
        if let Some(batch) = batch {
            let standardized = out.clone();
            let out = self.matrix(out, rows, width)?;
            let (key, input) = (gradient_key(&out), gradient_key(input));
            self.moved_statistics.push((statistics, batch));
            self.record(move |gradients| {
                let gradient = take_gradient(gradients, &key)?;
                // The statistics depend on every row: subtract the parts of the gradient along the
                // constant vector and along the standardized column itself.
                let mut along_one = vec![0.0f32; width];
                let mut along_self = vec![0.0f32; width];
                for (g, x) in gradient.chunks_exact(width).zip(standardized.chunks_exact(width)) {
                    for column in 0..width {
                        along_one[column] += g[column];
                        along_self[column] += g[column] * x[column];
                    }
                }
                let share = 1.0 / rows as f32;
                let to = input_gradient(gradients, &input)?;
                for ((to, g), x) in to
                    .chunks_exact_mut(width)
                    .zip(gradient.chunks_exact(width))
                    .zip(standardized.chunks_exact(width))
                {
                    for column in 0..width {
                        let rest = share * (along_one[column] + x[column] * along_self[column]);
                        to[column] += scales[column] * (g[column] - rest);
                    }
                }
                Ok(())
            });
            Ok(out)
        } else {
            self.matrix(out, rows, width)
        }
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
        let (rows, width) = shape(input);
        let scale = self.parameter(scale);
        let bias = bias.map(|bias| self.parameter(bias));
        if scale.columns != width || bias.is_some_and(|bias| bias.columns != width) {
            return Err(Error::Shape {
                op: "scale_columns",
                left: (rows, width),
                right: (1, scale.columns),
            });
        }
        let x = values(input);
        let mut out = x.clone();
        for row in out.chunks_exact_mut(width.max(1)) {
            for (column, x) in row.iter_mut().enumerate() {
                *x *= factor * scale.values[column];
                if let Some(bias) = bias {
                    *x += bias.values[column];
                }
            }
        }
        let out = self.matrix(out, rows, width)?;
        if T::OWNS_TAPE {
            let (key, input) = (gradient_key(&out), gradient_key(input));
            let (scale_values, scale_slot) = (scale.values.clone(), scale.slot());
            let bias_slot = bias.map(crate::Parameter::slot);
            self.record(move |gradients| {
                let gradient = take_gradient(gradients, &key)?;
                let to = input_gradient(gradients, &input)?;
                for (to, g) in to.chunks_exact_mut(width).zip(gradient.chunks_exact(width)) {
                    for column in 0..width {
                        to[column] += factor * scale_values[column] * g[column];
                    }
                }
                let to = parameter_gradient(gradients, &scale_slot, width)?;
                for (x, g) in x.chunks_exact(width).zip(gradient.chunks_exact(width)) {
                    for column in 0..width {
                        to[column] += factor * x[column] * g[column];
                    }
                }
                if let Some(slot) = bias_slot {
                    let to = parameter_gradient(gradients, &slot, width)?;
                    for g in gradient.chunks_exact(width) {
                        crate::kernels::axpy(1.0, g, to);
                    }
                }
                Ok(())
            });
        }
        Ok(out)
    }

    /// The gate of Dice (equation 9): `s·p + α·s·(1 − p)` with `p = sigmoid(z)`; `alpha` is 1 × width.
    ///
    /// # Errors
    /// When the shapes differ.
    pub fn gate(&mut self, s: &Matrix, z: &Matrix, alpha: ParameterId) -> Result<Matrix> {
        let (rows, width) = shape(s);
        let alpha = self.parameter(alpha);
        if shape(z) != (rows, width) || alpha.columns != width {
            return Err(Error::Shape { op: "gate", left: (rows, width), right: shape(z) });
        }
        let (s_values, z_values) = (values(s), values(z));
        let mut out = vec![0.0f32; rows * width];
        gate_forward(&s_values, &z_values, &alpha.values, &mut out);
        let out = self.matrix(out, rows, width)?;
        if T::OWNS_TAPE {
            let (key, s, z) = (gradient_key(&out), gradient_key(s), gradient_key(z));
            let (alpha_values, alpha_slot) = (alpha.values.clone(), alpha.slot());
            self.record(move |gradients| {
                let gradient = take_gradient(gradients, &key)?;
                let mut z_gradient = vec![0.0f32; gradient.len()];
                let mut alpha_gradient = vec![0.0f32; width];
                gate_backward(
                    &gradient,
                    (&s_values, &z_values, &alpha_values),
                    (input_gradient(gradients, &s)?, &mut z_gradient, &mut alpha_gradient),
                );
                crate::kernels::axpy(1.0, &z_gradient, input_gradient(gradients, &z)?);
                let to = parameter_gradient(gradients, &alpha_slot, width)?;
                crate::kernels::axpy(1.0, &alpha_gradient, to);
                Ok(())
            });
        }
        Ok(out)
    }

    /// PReLU (paper, equation 8): `s` where positive, else `α·s`; `alpha` is 1 × width.
    ///
    /// # Errors
    /// When the widths differ.
    pub fn prelu(&mut self, input: &Matrix, alpha: ParameterId) -> Result<Matrix> {
        let (rows, width) = shape(input);
        let alpha = self.parameter(alpha);
        if alpha.columns != width {
            return Err(Error::Shape {
                op: "prelu",
                left: (rows, width),
                right: (1, alpha.columns),
            });
        }
        let s = values(input);
        let mut out = s.clone();
        for row in out.chunks_exact_mut(width.max(1)) {
            for (s, alpha) in row.iter_mut().zip(alpha.values.iter()) {
                *s *= if *s > 0.0 { 1.0 } else { *alpha };
            }
        }
        let out = self.matrix(out, rows, width)?;
        if T::OWNS_TAPE {
            let (key, input) = (gradient_key(&out), gradient_key(input));
            let (alpha_values, alpha_slot) = (alpha.values.clone(), alpha.slot());
            self.record(move |gradients| {
                let gradient = take_gradient(gradients, &key)?;
                let to = input_gradient(gradients, &input)?;
                let mut alpha_gradient = vec![0.0f32; width];
                for ((to, g), s) in to
                    .chunks_exact_mut(width)
                    .zip(gradient.chunks_exact(width))
                    .zip(s.chunks_exact(width))
                {
                    for column in 0..width {
                        let positive = s[column] > 0.0;
                        to[column] += g[column] * if positive { 1.0 } else { alpha_values[column] };
                        alpha_gradient[column] +=
                            if positive { 0.0 } else { g[column] * s[column] };
                    }
                }
                let to = parameter_gradient(gradients, &alpha_slot, width)?;
                crate::kernels::axpy(1.0, &alpha_gradient, to);
                Ok(())
            });
        }
        Ok(out)
    }
}

/// Mean and biased variance of each column, in two passes.
fn column_statistics(values: &[f32], rows: usize, width: usize) -> BatchStatistics {
    let share = 1.0 / rows as f32;
    let mut mean = vec![0.0f32; width];
    for row in values.chunks_exact(width.max(1)) {
        crate::kernels::axpy(1.0, row, &mut mean);
    }
    mean.iter_mut().for_each(|mean| *mean *= share);
    let mut variance = vec![0.0f32; width];
    for row in values.chunks_exact(width.max(1)) {
        for ((variance, x), mean) in variance.iter_mut().zip(row).zip(&mean) {
            *variance += (x - mean) * (x - mean);
        }
    }
    variance.iter_mut().for_each(|variance| *variance *= share);
    BatchStatistics { mean, variance }
}
