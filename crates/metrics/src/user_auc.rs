//! The users behind a gAUC one by one: what paired tests and standard errors need.

use crate::gauc::{GaucVariant, Pairs};
use crate::{Result, checks, order};

/// One user who has both classes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct UserAuc {
    /// His id.
    pub user: u32,
    /// His weight in the average.
    pub weight: f64,
    /// His AUC.
    pub auc: f64,
}

/// Weight and AUC of every user with both classes, in ascending order of their ids: their weighted mean is
/// [`crate::gauc()`] of the same columns.
///
/// # Errors
/// Different lengths, no rows, a label other than 0 and 1, a score that is NaN.
///
/// # Example
/// ```
/// use ctr_metrics::{GaucVariant, user_aucs};
/// let users = user_aucs(&[2, 2, 9, 2, 9], &[1, 0, 1, 0, 1], &[0.5, 0.5, 0.1, 0.2, 0.3], GaucVariant::Paper)?;
/// // User 9 has no negative. User 2 wins one pair and ties in the other.
/// assert_eq!(users.len(), 1);
/// assert_eq!((users[0].user, users[0].weight, users[0].auc), (2, 3.0, 0.75));
/// # Ok::<(), ctr_metrics::Error>(())
/// ```
pub fn user_aucs(
    users: &[u32],
    labels: &[u8],
    scores: &[f32],
    variant: GaucVariant,
) -> Result<Vec<UserAuc>> {
    checks::same_length("users", users.len(), labels)?;
    checks::same_length("scores", scores.len(), labels)?;
    checks::labels(labels)?;
    checks::scores(scores)?;
    let mut rows: Vec<(u32, u64)> = users
        .iter()
        .zip(labels.iter().zip(scores))
        .map(|(&user, (&label, &score))| {
            (user, u64::from(order::key(score)) << 1 | u64::from(label))
        })
        .collect();
    // Stable and by user alone: rows come sorted from our own files, which makes this one pass.
    rows.sort_by_key(|row| row.0);
    let mut packed = Vec::new();
    let of_user = |of_one: &[(u32, u64)]| {
        packed.clear();
        packed.extend(of_one.iter().map(|row| row.1));
        let count = Pairs::of(&mut packed);
        let (weight, auc) = variant.user(&count);
        (count.positives > 0 && count.negatives > 0).then_some(UserAuc {
            user: of_one[0].0,
            weight,
            auc,
        })
    };
    Ok(rows.chunk_by(|one, other| one.0 == other.0).filter_map(of_user).collect())
}

/// Standard error of the weighted mean over users, as if they were drawn from many: that of a ratio of two
/// sums, `√(n/(n−1) Σ w²(a−g)²) / Σ w`. With equal weights it is the standard deviation over √n. None below
/// two users.
///
/// It says how far other users would move the number, not other initializations: models compared on the same
/// users share most of it, so compare them by [`crate::compare_paired`].
pub fn standard_error(users: &[UserAuc]) -> Option<f64> {
    let total: f64 = users.iter().map(|user| user.weight).sum();
    let n = users.len() as f64;
    if n < 2.0 || total <= 0.0 {
        return None;
    }
    let mean = users.iter().map(|user| user.weight * user.auc).sum::<f64>() / total;
    let squares: f64 = users.iter().map(|user| (user.weight * (user.auc - mean)).powi(2)).sum();
    Some((n / (n - 1.0) * squares).sqrt() / total)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gauc;

    #[test]
    fn the_users_average_to_the_gauc() {
        let users: Vec<u32> = (0..400).map(|row| (row * 7) % 61).collect();
        let labels: Vec<u8> = (0..400u32).map(|row| u8::from(row % 3 == 0)).collect();
        let scores: Vec<f32> = (0..400u32).map(|row| ((row * 37) % 19) as f32).collect();
        for variant in GaucVariant::ALL {
            let of_users = user_aucs(&users, &labels, &scores, variant).unwrap();
            let weight: f64 = of_users.iter().map(|user| user.weight).sum();
            let mean = of_users.iter().map(|user| user.weight * user.auc).sum::<f64>() / weight;
            let expected = gauc(&users, &labels, &scores, variant).unwrap();
            assert!((mean - expected.value).abs() < 1e-12, "{variant:?}");
            assert_eq!(of_users.len(), expected.users_counted);
            assert!(of_users.is_sorted_by_key(|user| user.user));
        }
    }

    #[test]
    fn the_standard_error_of_equal_weights_is_that_of_a_mean() {
        let user = |auc| UserAuc { user: 0, weight: 2.0, auc };
        // 0, 0, 1, 1: deviation √(1/3), over √4.
        let error = standard_error(&[user(0.0), user(0.0), user(1.0), user(1.0)]).unwrap();
        assert!((error - (1.0f64 / 3.0).sqrt() / 2.0).abs() < 1e-15);
        assert_eq!(standard_error(&[user(1.0)]), None);
        // The issue's own figure: 192,403 users with one pair each at the paper's gAUC of DIN.
        let users: Vec<UserAuc> =
            (0..192_403).map(|n| user(f64::from(u8::from(n < 167_353)))).collect();
        assert!((standard_error(&users).unwrap() - 0.00077).abs() < 5e-6);
    }
}
