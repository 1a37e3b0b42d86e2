//! The negative log-likelihood (paper, equation 2).

use crate::{Error, Graph, Matrix, Result, Training, sigmoid};

impl Graph<'_, Training> {
    /// The sum of the logistic losses of `logits` (rows × 1) against `labels`, in f64. The backward pass
    /// begins with the gradient of the mean over the `batch_rows` rows of the whole batch.
    ///
    /// # Errors
    /// When there is not one logit a row.
    pub(crate) fn log_loss(
        &mut self,
        logits: &Matrix,
        labels: &[f32],
        batch_rows: usize,
    ) -> Result<f64> {
        let rows = self.rows();
        if logits.shape() != (rows, 1) || labels.len() != rows {
            return Err(Error::Shape { op: "log_loss", left: logits.shape(), right: (rows, 1) });
        }
        // max(z, 0) − z·y + ln(1 + e^−|z|) does not overflow.
        let loss = |(&z, &y): (&f32, &f32)| {
            let (z, y) = (f64::from(z), f64::from(y));
            z.max(0.0) - z * y + (-z.abs()).exp().ln_1p()
        };
        let sum = logits.values().iter().zip(labels).map(loss).sum();
        let share = 1.0 / batch_rows as f32;
        let mut gradient = self.pool.take(rows);
        for ((to, &z), &y) in gradient.iter_mut().zip(logits.values()).zip(labels) {
            *to = share * (sigmoid(z) - y);
        }
        let slot = logits.slot();
        self.record(move |pass| pass.add(&slot, gradient));
        Ok(sum)
    }
}
