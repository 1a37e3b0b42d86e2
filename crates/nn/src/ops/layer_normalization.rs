//! Rows with mean 0 and variance 1 (Ba et al. 2016), and the leaky rectifier.

use crate::kernels::{
    scale_rows, standardize_each_row, standardize_each_row_backward, sum_products, sum_rows,
    vectorized,
};
use crate::trace::Operation;
use crate::{Error, Graph, Matrix, ParameterId, Result, Tape};

impl<T: Tape> Graph<'_, T> {
    /// Layer normalization: `scale ⊙ (x − E[x]) / √(Var[x] + ε) + bias` with mean and biased variance of
    /// each row; both parameters are 1 × width. The rows know nothing of each other, so training and scoring
    /// are the same.
    ///
    /// # Errors
    /// When the widths differ.
    pub fn layer_normalization(
        &mut self,
        input: &Matrix,
        scale: ParameterId,
        bias: ParameterId,
        epsilon: f32,
    ) -> Result<Matrix> {
        let (rows, width) = input.shape();
        let (scale_id, bias_id) = (scale, bias);
        let (scale, bias) = (self.parameter(scale), self.parameter(bias));
        if scale.values().len() != width || bias.values().len() != width {
            return Err(Error::Shape {
                op: "layer_normalization",
                left: (rows, width),
                right: (scale.values().len(), bias.values().len()),
            });
        }
        let mut standardized = self.pool.take(rows * width);
        let mut scales = self.pool.take(rows);
        standardize_each_row(input.values(), width, epsilon, &mut standardized, &mut scales);
        let mut out = self.pool.take(rows * width);
        scale_rows(1.0, scale.values(), bias.values(), &standardized, &mut out);
        let out = self.matrix_of("layer_normalization", out, rows, width)?;
        self.trace(&out, |trace| {
            Ok(Operation::LayerNormalization {
                input: trace.value(input)?,
                scale: scale_id,
                bias: bias_id,
                epsilon,
            })
        })?;
        if T::OWNS_TAPE {
            let (from, to) = (out.slot(), input.slot());
            let (scale_place, bias_place) = (scale.place(), bias.place());
            let factors = scale.shared();
            self.record(move |pass| {
                let mut gradient = pass.take(&from, rows * width)?;
                pass.add_to_parameter(bias_place, |bias| sum_rows(&gradient, bias));
                pass.add_to_parameter(scale_place, |scale| {
                    sum_products(1.0, &standardized, &gradient, scale);
                });
                standardize_each_row_backward((&standardized, &scales, &factors), &mut gradient);
                pass.add(&to, gradient)
            });
        }
        Ok(out)
    }

    /// `x` where positive, else `slope · x`, element by element. Unlike PReLU's, the slope is no weight.
    ///
    /// # Errors
    /// When memory runs out.
    pub fn leaky_relu(&mut self, input: &Matrix, slope: f32) -> Result<Matrix> {
        let (rows, columns) = input.shape();
        let mut out = self.pool.take(rows * columns);
        let x = input.values();
        vectorized(
            #[inline(always)]
            || {
                for (to, &x) in out.iter_mut().zip(x) {
                    *to = x * if x > 0.0 { 1.0 } else { slope };
                }
            },
        );
        let out = self.matrix_of("leaky_relu", out, rows, columns)?;
        self.trace(&out, |trace| Ok(Operation::LeakyRelu { input: trace.value(input)?, slope }))?;
        if T::OWNS_TAPE {
            let (x, from, to) = (input.shared(), out.slot(), input.slot());
            self.record(move |pass| {
                let mut gradient = pass.take(&from, rows * columns)?;
                vectorized(
                    #[inline(always)]
                    || {
                        for (gradient, &x) in gradient.iter_mut().zip(x.iter()) {
                            *gradient *= if x > 0.0 { 1.0 } else { slope };
                        }
                    },
                );
                pass.add(&to, gradient)
            });
        }
        Ok(out)
    }
}
