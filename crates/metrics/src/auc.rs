//! Pooled AUC.

use crate::order;
use crate::{Error, Result, checks};

/// Area under the ROC curve over all rows together: the share of pairs of a positive and a negative
/// row in which the positive has the higher score; a tie counts half (Mann and Whitney's U, the value
/// of scikit-learn's `roc_auc_score`).
///
/// This is the column "AUC" of the authors' logs, **not** the "AUC" of the paper's tables, which is
/// [`crate::gauc()`].
///
/// `labels` and `scores` have one entry a row; only the order of the scores matters, so logits and
/// probabilities give the same value unless rounding makes new ties. Pairs are counted in whole
/// numbers and divided once, so the value does not depend on threads. O(n log n) time at most, 8 bytes
/// a row.
///
/// # Errors
/// Different lengths, no rows, a label other than 0 and 1, a score that is NaN, one class only.
///
/// # Example
/// ```
/// // Of four pairs, one is wrong and one is a tie.
/// let value = ctr_metrics::auc(&[1, 0, 1, 0], &[0.9, 0.5, 0.5, 0.7])?;
/// assert_eq!(value, 2.5 / 4.0);
/// # Ok::<(), ctr_metrics::Error>(())
/// ```
pub fn auc(labels: &[u8], scores: &[f32]) -> Result<f64> {
    checks::same_length("scores", scores.len(), labels)?;
    let positives = checks::labels(labels)?;
    checks::scores(scores)?;
    let negatives = labels.len() - positives;
    if positives == 0 || negatives == 0 {
        return Err(Error::OneClass { positives, negatives });
    }
    let keys_of = |wanted: u8, count: usize| {
        let mut keys = Vec::with_capacity(count);
        keys.extend(
            labels
                .iter()
                .zip(scores)
                .filter(|&(&label, _)| label == wanted)
                .map(|(_, &score)| order::key(score)),
        );
        order::sort(&mut keys);
        keys
    };
    let (positive_keys, negative_keys) =
        rayon::join(|| keys_of(1, positives), || keys_of(0, negatives));
    let pairs = 2 * positives as u128 * negatives as u128;
    Ok(twice_won(&positive_keys, &negative_keys) as f64 / pairs as f64)
}

/// Twice the pairs that the positives win, ties counting one. Both columns ascend.
fn twice_won(positive_keys: &[u32], negative_keys: &[u32]) -> u128 {
    let (mut below, mut not_above, mut twice) = (0, 0, 0u128);
    for &positive in positive_keys {
        while below < negative_keys.len() && negative_keys[below] < positive {
            below += 1;
        }
        while not_above < negative_keys.len() && negative_keys[not_above] <= positive {
            not_above += 1;
        }
        twice += (below + not_above) as u128;
    }
    twice
}
