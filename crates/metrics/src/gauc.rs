//! AUC by user, averaged: the number that the paper's tables call "AUC".

use crate::{Error, Result, checks, order};
use rayon::prelude::*;

/// Users whose sums are formed together. Fixed, so that sums have one order on any number of threads.
const USERS_A_CHUNK: usize = 4096;

/// What "gAUC" means. Four public sources differ in the weight of a user and in what a tie is worth.
///
/// All four agree when every user has one positive and one negative (the paper's Amazon test set) and
/// no user's two scores are equal. They differ on any other data, so a printed value needs
/// [`GaucVariant::signature`] beside it. A user with one class only has no AUC and is skipped in all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GaucVariant {
    /// Equation 10 of the paper: Σ impressions·AUC / Σ impressions, where a user's impressions are his
    /// rows. The paper is silent on ties (half, as in any AUC) and on users with one class (skipped).
    Paper,
    /// The authors' code (`din/train.py`, `din/model.py`: `tf.reduce_mean(tf.to_float(x > 0))`): the
    /// mean over users, unweighted, of the share of pairs in which the positive's score is strictly
    /// higher; a tie counts as wrong. There each user has one pair; this is the same for more.
    Authors,
    /// FuxiCTR (`fuxictr/metrics.py`, `gAUC`): `roc_auc_score` a user, weighted by rows, users with one
    /// class get weight 0. The same number as [`GaucVariant::Paper`], named for comparison with BARS.
    FuxiCtr,
    /// RecBole (`recbole/evaluator/metrics.py`, `GAUC`): weighted by a user's number of positives,
    /// average ranks for ties, users with one class removed.
    RecBole,
}

impl GaucVariant {
    /// All four.
    pub const ALL: [Self; 4] = [Self::Paper, Self::Authors, Self::FuxiCtr, Self::RecBole];

    /// The part of a signature that tells this variant: weights, ties, users of one class. Equal for
    /// variants that are the same function.
    pub fn signature(self) -> &'static str {
        match self {
            Self::Paper | Self::FuxiCtr => "w:impressions|ties:half|one-class:skip",
            Self::Authors => "w:users|ties:wrong|one-class:skip",
            Self::RecBole => "w:positives|ties:half|one-class:skip",
        }
    }

    /// Weight and AUC of a user with both classes.
    pub(crate) fn user(self, count: &Pairs) -> (f64, f64) {
        let pairs = (count.positives * count.negatives) as f64;
        let halves = (2 * count.won + count.tied) as f64 / (2.0 * pairs);
        match self {
            Self::Paper | Self::FuxiCtr => ((count.positives + count.negatives) as f64, halves),
            Self::Authors => (1.0, count.won as f64 / pairs),
            Self::RecBole => (count.positives as f64, halves),
        }
    }
}

/// A gAUC and what it was computed on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gauc {
    /// The weighted mean of the users' AUCs.
    pub value: f64,
    /// Users with both classes.
    pub users_counted: usize,
    /// Users with one class, who have no AUC.
    pub users_skipped: usize,
    /// Rows of the counted users.
    pub rows_counted: usize,
}

/// AUC by user, averaged as `variant` says (paper, equation 10).
///
/// `users`, `labels` and `scores` have one entry a row, in any order; user ids need not be dense. Pairs
/// are counted in whole numbers; users are averaged in ascending order of their ids, in `f64`, in an
/// order that does not depend on threads or on the order of rows. O(n log n) time, 12 bytes a row.
///
/// # Errors
/// Different lengths, no rows, a label other than 0 and 1, a score that is NaN, no user with both
/// classes.
///
/// # Example
/// ```
/// use ctr_metrics::{GaucVariant, gauc};
/// // User 7 has four rows and AUC 0.75, user 3 has two rows and a tie, user 5 has no negative.
/// let users = [7, 7, 7, 7, 3, 3, 5];
/// let labels = [1, 1, 0, 0, 1, 0, 1];
/// let scores = [0.9, 0.4, 0.5, 0.3, 0.2, 0.2, 0.8];
/// let paper = gauc(&users, &labels, &scores, GaucVariant::Paper)?;
/// assert_eq!(paper.value, (4.0 * 0.75 + 2.0 * 0.5) / 6.0);
/// assert_eq!((paper.users_counted, paper.users_skipped, paper.rows_counted), (2, 1, 6));
/// let authors = gauc(&users, &labels, &scores, GaucVariant::Authors)?;
/// assert_eq!(authors.value, (0.75 + 0.0) / 2.0);
/// # Ok::<(), ctr_metrics::Error>(())
/// ```
pub fn gauc(users: &[u32], labels: &[u8], scores: &[f32], variant: GaucVariant) -> Result<Gauc> {
    checks::same_length("users", users.len(), labels)?;
    checks::same_length("scores", scores.len(), labels)?;
    checks::labels(labels)?;
    checks::scores(scores)?;

    let (mut rows, bounds) = by_user(users, labels, scores);
    // Cuts the rows at the users' bounds, so that threads work on separate slices.
    let mut rest = rows.as_mut_slice();
    let mut chunks = Vec::new();
    for first in (0..bounds.len() - 1).step_by(USERS_A_CHUNK) {
        let last = (first + USERS_A_CHUNK).min(bounds.len() - 1);
        let (chunk, after) = rest.split_at_mut(bounds[last] - bounds[first]);
        chunks.push((&bounds[first..=last], chunk));
        rest = after;
    }
    let sums: Vec<Sums> =
        chunks.into_par_iter().map(|(bounds, rows)| Sums::of(bounds, rows, variant)).collect();
    let mut total = Sums::default();
    for sum in sums {
        total.add(&sum);
    }
    if total.counted == 0 {
        return Err(Error::NoUser { users: total.skipped });
    }
    Ok(Gauc {
        value: total.weighted / total.weight,
        users_counted: total.counted,
        users_skipped: total.skipped,
        rows_counted: total.rows,
    })
}

/// Sums over a chunk of users.
#[derive(Default)]
struct Sums {
    weighted: f64,
    weight: f64,
    counted: usize,
    skipped: usize,
    rows: usize,
}

impl Sums {
    /// Sums over the users whose rows lie between consecutive `bounds`, counted from the first one.
    fn of(bounds: &[usize], rows: &mut [u64], variant: GaucVariant) -> Self {
        let mut sums = Self::default();
        for pair in bounds.windows(2) {
            let user = &mut rows[pair[0] - bounds[0]..pair[1] - bounds[0]];
            if user.is_empty() {
                continue;
            }
            let count = Pairs::of(user);
            if count.positives == 0 || count.negatives == 0 {
                sums.skipped += 1;
                continue;
            }
            let (weight, auc) = variant.user(&count);
            sums.weighted += weight * auc;
            sums.weight += weight;
            sums.counted += 1;
            sums.rows += user.len();
        }
        sums
    }

    fn add(&mut self, other: &Self) {
        self.weighted += other.weighted;
        self.weight += other.weight;
        self.counted += other.counted;
        self.skipped += other.skipped;
        self.rows += other.rows;
    }
}

/// How one user's positives fare against his negatives.
pub(crate) struct Pairs {
    pub positives: u64,
    pub negatives: u64,
    won: u64,
    tied: u64,
}

impl Pairs {
    /// Counts over packed rows, which it sorts.
    pub(crate) fn of(rows: &mut [u64]) -> Self {
        rows.sort_unstable();
        let mut count = Self { positives: 0, negatives: 0, won: 0, tied: 0 };
        for tied in rows.chunk_by(|a, b| a >> 1 == b >> 1) {
            let positives = tied.iter().map(|row| row & 1).sum::<u64>();
            let negatives = tied.len() as u64 - positives;
            count.won += positives * count.negatives;
            count.tied += positives * negatives;
            count.positives += positives;
            count.negatives += negatives;
        }
        count
    }
}

/// Rows packed as score key and label, in the order of their users, and where each user begins; the
/// last bound is the end.
fn by_user(users: &[u32], labels: &[u8], scores: &[f32]) -> (Vec<u64>, Vec<usize>) {
    let largest = users.iter().max().map_or(0, |&user| user as usize);
    // One counter for each possible id, unless ids are so sparse that the counters would need more
    // memory than the rows: then ids are replaced by their ranks.
    if largest / 2 > users.len() + 1024 {
        let mut distinct = users.to_vec();
        order::sort(&mut distinct);
        distinct.dedup();
        let rank = |user: u32| distinct.partition_point(|&other| other < user) as u32;
        let ranks: Vec<u32> = users.par_iter().map(|&user| rank(user)).collect();
        scatter(&ranks, distinct.len(), labels, scores)
    } else {
        scatter(users, largest + 1, labels, scores)
    }
}

/// Counting sort of the rows by user.
fn scatter(users: &[u32], count: usize, labels: &[u8], scores: &[f32]) -> (Vec<u64>, Vec<usize>) {
    let mut bounds = vec![0usize; count + 1];
    for &user in users {
        bounds[user as usize + 1] += 1;
    }
    for user in 0..count {
        bounds[user + 1] += bounds[user];
    }
    let mut next = bounds[..count].to_vec();
    let mut rows = vec![0u64; users.len()];
    for ((&user, &label), &score) in users.iter().zip(labels).zip(scores) {
        let slot = &mut next[user as usize];
        rows[*slot] = u64::from(order::key(score)) << 1 | u64::from(label);
        *slot += 1;
    }
    (rows, bounds)
}
