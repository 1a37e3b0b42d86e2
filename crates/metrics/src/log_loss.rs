//! Mean logistic loss (paper, equation 2).

use crate::{Error, Result, checks};
use rayon::prelude::*;

/// Rows summed together. Fixed, so that the sum has one order on any number of threads.
const ROWS_A_CHUNK: usize = 1 << 16;

/// Probabilities are moved into `[PROBABILITY_CLIP, 1 − PROBABILITY_CLIP]` before the logarithm: the
/// machine epsilon of `f32`, as in scikit-learn's `log_loss` for `float32` predictions.
pub const PROBABILITY_CLIP: f64 = f32::EPSILON as f64;

/// Mean of −(y log p + (1 − y) log(1 − p)), natural logarithm, with p = sigmoid(logit).
///
/// Computed as softplus of the logit with the label's sign, which neither overflows nor loses digits
/// and needs no clipping: a logit of −∞ for a positive row gives +∞, for a negative one 0.
///
/// # Errors
/// Different lengths, no rows, a label other than 0 and 1, a logit that is NaN.
///
/// # Example
/// ```
/// let loss = ctr_metrics::log_loss_from_logits(&[1, 0], &[0.0, 0.0])?;
/// assert!((loss - 2f64.ln()).abs() < 1e-15);
/// # Ok::<(), ctr_metrics::Error>(())
/// ```
pub fn log_loss_from_logits(labels: &[u8], logits: &[f32]) -> Result<f64> {
    checks::same_length("logits", logits.len(), labels)?;
    checks::labels(labels)?;
    checks::scores(logits)?;
    Ok(mean(labels, logits, |label, logit| {
        let against = if label == 1 { -f64::from(logit) } else { f64::from(logit) };
        against.max(0.0) + (-against.abs()).exp().ln_1p()
    }))
}

/// Mean of −(y log p + (1 − y) log(1 − p)), natural logarithm, with p clipped by [`PROBABILITY_CLIP`],
/// so that one certain mistake costs about 15.9 and not infinity. Prefer [`log_loss_from_logits`] where
/// logits are at hand: probabilities near 1 have lost their digits.
///
/// # Errors
/// Different lengths, no rows, a label other than 0 and 1, a probability that is NaN or outside `[0, 1]`.
///
/// # Example
/// ```
/// let loss = ctr_metrics::log_loss_from_probabilities(&[1, 0], &[0.5, 0.5])?;
/// assert!((loss - 2f64.ln()).abs() < 1e-15);
/// # Ok::<(), ctr_metrics::Error>(())
/// ```
pub fn log_loss_from_probabilities(labels: &[u8], probabilities: &[f32]) -> Result<f64> {
    checks::same_length("probabilities", probabilities.len(), labels)?;
    checks::labels(labels)?;
    checks::scores(probabilities)?;
    if let Some(row) = probabilities.iter().position(|p| !(0.0..=1.0).contains(p)) {
        return Err(Error::Probability { row, value: probabilities[row] });
    }
    Ok(mean(labels, probabilities, |label, probability| {
        let p = f64::from(probability).clamp(PROBABILITY_CLIP, 1.0 - PROBABILITY_CLIP);
        if label == 1 { -p.ln() } else { -(-p).ln_1p() }
    }))
}

/// Mean over rows, summed in chunks of fixed size and the chunks in their order.
fn mean(labels: &[u8], values: &[f32], loss: impl Fn(u8, f32) -> f64 + Sync) -> f64 {
    let sums: Vec<f64> = labels
        .par_chunks(ROWS_A_CHUNK)
        .zip(values.par_chunks(ROWS_A_CHUNK))
        .map(|(labels, values)| {
            labels.iter().zip(values).map(|(&label, &value)| loss(label, value)).sum()
        })
        .collect();
    sums.iter().sum::<f64>() / labels.len() as f64
}
