//! The negative log-likelihood (paper, equation 2).

use crate::graph::{Graph, Matrix, gradient_key, input_gradient, shape, values};
use crate::{Error, Result, Training, sigmoid};
use dfdx::prelude::{Cpu, Tensor, TensorFromVec};

impl Graph<'_, Training> {
    /// Mean logistic loss of `logits` (rows × 1) against the batch's labels: the tensor to begin the
    /// backward pass with, and the same number summed in f64.
    ///
    /// # Errors
    /// When there is not one logit a row.
    pub fn log_loss(&mut self, logits: &Matrix) -> Result<(Tensor<(), f32, Cpu>, f64)> {
        let rows = self.rows();
        if shape(logits) != (rows, 1) || rows == 0 {
            return Err(Error::Shape { op: "log_loss", left: shape(logits), right: (rows, 1) });
        }
        let z = values(logits);
        let labels = self.batch.labels.clone();
        // max(z, 0) − z·y + ln(1 + e^−|z|) does not overflow.
        let sum: f64 = z
            .iter()
            .zip(labels.iter())
            .map(|(&z, &y)| {
                let (z, y) = (f64::from(z), f64::from(y));
                z.max(0.0) - z * y + (-z.abs()).exp().ln_1p()
            })
            .sum();
        let mean = sum / rows as f64;
        let loss = Cpu::default().try_tensor_from_vec(vec![mean as f32], ())?;
        let logits = gradient_key(logits);
        self.record(move |gradients| {
            let to = input_gradient(gradients, &logits)?;
            let share = 1.0 / rows as f32;
            for ((to, &z), &y) in to.iter_mut().zip(&z).zip(labels.iter()) {
                *to += share * (sigmoid(z) - y);
            }
            Ok(())
        });
        Ok((loss, mean))
    }
}
