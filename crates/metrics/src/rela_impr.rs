//! Relative improvement of an AUC.

use crate::{Error, Result};

/// RelaImpr of a model over a base, in percent (paper, equation 11):
/// ((AUC_model − 0.5) / (AUC_base − 0.5) − 1) · 100.
///
/// 0.5 is what random scores reach, so this is the relative growth of what was learned.
///
/// # Errors
/// The base is exactly 0.5, or one of the two is not a finite number.
///
/// # Example
/// ```
/// // PNN over BaseModel on Amazon (Electronics), table 3 of the paper.
/// let percent = ctr_metrics::rela_impr(0.8679, 0.8624)?;
/// assert_eq!(format!("{percent:+.2}%"), "+1.52%");
/// # Ok::<(), ctr_metrics::Error>(())
/// ```
pub fn rela_impr(model: f64, base: f64) -> Result<f64> {
    if base == 0.5 || !base.is_finite() || !model.is_finite() {
        return Err(Error::RelaImpr { model, base });
    }
    Ok(((model - 0.5) / (base - 0.5) - 1.0) * 100.0)
}
