//! Is one model's gAUC above another's, beyond the users and the seeds at hand?

use crate::intervals::{student_975, student_p};
use crate::resample::{Resampling, counted_sum, draw_users, signed_sum};
use crate::user_auc::{UserAuc, standard_error};
use crate::{Error, Result};
use ctr_core::RandomStream;

/// The users of one run.
#[derive(Clone, Copy, Debug)]
pub struct SeededUsers<'a> {
    /// The run's seed.
    pub seed: u64,
    /// Its users, from [`crate::user_aucs`].
    pub users: &'a [UserAuc],
}

/// The difference of two gAUCs (first minus second) and how sure it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PairedComparison {
    /// Difference of the means over runs.
    pub effect: f64,
    /// Ends of the 95 % interval of the bootstrap over users × seeds.
    pub interval: (f64, f64),
    /// Two-sided p of the same bootstrap.
    pub p_bootstrap: f64,
    /// Two-sided p of the permutation test over users: how often does a difference as large come out when each
    /// user's two models are exchanged at random? It takes the trained models as given.
    pub p_permutation: f64,
    /// Standard error from users alone.
    pub standard_error_users: f64,
    /// Standard error from seeds alone; none with one run on a side.
    pub standard_error_seeds: Option<f64>,
    /// Users counted.
    pub users: usize,
    /// Runs of the first and of the second model that were counted.
    pub runs: (usize, usize),
    /// Whether each run was compared with that of the same seed.
    pub paired_seeds: bool,
    /// What was drawn.
    pub resampling: Resampling,
}

impl PairedComparison {
    /// Two-sided p by Student's t with the standard error of users and seeds together and Satterthwaite's degrees
    /// of freedom; none with one run on a side.
    pub fn p_student(&self) -> Option<f64> {
        let (users, seeds) =
            (self.standard_error_users.powi(2), self.standard_error_seeds?.powi(2));
        let of_seeds = (self.runs.0.min(self.runs.1) - 1) as f64;
        let of_users = (self.users as f64 - 1.0).max(1.0);
        let degrees =
            (users + seeds).powi(2) / (seeds.powi(2) / of_seeds + users.powi(2) / of_users);
        let t = self.effect / (users + seeds).sqrt();
        // Equal runs: nothing over nothing.
        Some(if t.is_nan() { 1.0 } else { student_p(t, degrees.max(of_seeds)) })
    }

    /// The largest of the p values: the permutation test knows nothing of seeds, and in the tails, where a
    /// correction for many claims looks, a bootstrap of few seeds knows nothing of them either.
    pub fn p(&self) -> f64 {
        self.p_bootstrap.max(self.p_permutation).max(self.p_student().unwrap_or(0.0))
    }
}

/// The 97.5 % point of the normal distribution.
const NORMAL_975: f64 = 1.959_963_984_540_054;

/// The value of each run of a side, or of each pair, over all users.
struct Seeds {
    sign: f64,
    values: Vec<f64>,
}

impl Seeds {
    fn mean(&self) -> f64 {
        self.values.iter().sum::<f64>() / self.values.len() as f64
    }

    /// By how much deviations of drawn seeds are widened: √(n/(n−1)) because they are deviations from the mean
    /// of the same few runs, and t/z so that the interval from seeds alone is about Student's. Without it three
    /// seeds would promise more than three seeds know.
    fn widening(&self) -> f64 {
        match self.values.len() {
            0 | 1 => 0.0,
            n => student_975(n - 1) / NORMAL_975 * (n as f64 / (n - 1) as f64).sqrt(),
        }
    }

    /// By how much the mean moves when the seeds are drawn again.
    fn moved(&self, widening: f64, stream: &mut RandomStream) -> f64 {
        let n = self.values.len();
        let drawn: f64 = (0..n).map(|_| self.values[stream.below(n as u64) as usize]).sum();
        self.sign * widening * (drawn / n as f64 - self.mean())
    }

    /// Variance of the mean.
    fn variance(&self) -> Option<f64> {
        let (n, mean) = (self.values.len() as f64, self.mean());
        let squares: f64 = self.values.iter().map(|value| (value - mean).powi(2)).sum();
        (self.values.len() > 1).then_some(squares / (n - 1.0) / n)
    }
}

/// Far below the smallest step of an AUC, which is half of one over its pairs, and far above rounding.
const ROUNDING: f64 = 1e-13;

/// Compares the mean gAUC of `first` with that of `second`, on the same users.
///
/// Runs are paired by their seeds where the two have seeds in common, and runs without a partner are left out;
/// without a common seed the runs of each side are drawn on their own.
///
/// # Errors
/// No run on a side, no user, or runs of different users or weights.
pub fn compare_paired(
    first: &[SeededUsers<'_>],
    second: &[SeededUsers<'_>],
    resampling: Resampling,
) -> Result<PairedComparison> {
    let users = same_users(first, second)?;
    let weight: f64 = users.iter().map(|user| user.weight).sum();
    let gauc = |run: &SeededUsers| {
        run.users.iter().map(|user| user.weight * user.auc).sum::<f64>() / weight
    };
    let pairs: Vec<(&SeededUsers, &SeededUsers)> = first
        .iter()
        .filter_map(|one| Some((one, second.iter().find(|other| other.seed == one.seed)?)))
        .collect();
    let paired_seeds = !pairs.is_empty();
    let (first, second): (Vec<&SeededUsers>, Vec<&SeededUsers>) =
        if paired_seeds { pairs.into_iter().unzip() } else { (vec_of(first), vec_of(second)) };
    let of = |sign, values| Seeds { sign, values };
    let seeds = if paired_seeds {
        let both = first.iter().zip(&second);
        vec![of(1.0, both.map(|(one, other)| gauc(one) - gauc(other)).collect())]
    } else {
        let values = |runs: &[&SeededUsers]| runs.iter().map(|run| gauc(run)).collect();
        vec![of(1.0, values(&first)), of(-1.0, values(&second))]
    };
    // Each user's weight × difference, averaged over runs.
    let mut own = vec![0.0f64; users.len()];
    for (sign, runs) in [(1.0, &first), (-1.0, &second)] {
        let share = sign / runs.len() as f64;
        for run in runs {
            let add = |(sum, user): (&mut f64, &UserAuc)| *sum += share * user.weight * user.auc;
            own.iter_mut().zip(run.users).for_each(add);
        }
    }
    // What rounding leaves of equal runs is no difference, however surely it has one sign.
    for (value, user) in own.iter_mut().zip(users) {
        if value.abs() < ROUNDING * user.weight {
            *value = 0.0;
        }
    }
    let effect = own.iter().sum::<f64>() / weight;

    // Users and seeds are drawn independently, and what they move is added. Drawing both at once (the
    // pigeonhole bootstrap, Owen 2007) counts what is peculiar to one user in one run three times.
    let weights: Vec<f32> = users.iter().map(|user| user.weight as f32).collect();
    let values: Vec<f32> = own.iter().map(|&value| value as f32).collect();
    let widenings: Vec<f64> = seeds.iter().map(Seeds::widening).collect();
    let drawn = resampling.each(
        "bootstrap",
        || vec![0u8; users.len()],
        |counts, mut stream| {
            draw_users(counts, &mut stream);
            let of_users = counted_sum(counts, &values) / counted_sum(counts, &weights);
            let of_seeds = seeds.iter().zip(&widenings);
            of_users + of_seeds.map(|(of, &by)| of.moved(by, &mut stream)).sum::<f64>()
        },
    );
    let (interval, p_bootstrap) = percentiles(drawn, effect);

    // Users of no difference have no sign.
    let signed: Vec<f32> =
        own.iter().map(|&value| value as f32).filter(|value| *value != 0.0).collect();
    let size = signed.iter().map(|value| f64::from(value.abs())).sum::<f64>();
    // Rounding must not make the sum seen smaller than itself.
    let seen = (effect * weight).abs() - 1e-6 * size;
    let sums = resampling.each("permutation", || (), |(), mut s| signed_sum(&signed, &mut s));
    let as_large = sums.iter().filter(|sum| sum.abs() >= seen).count();

    let own_users: Vec<UserAuc> = users
        .iter()
        .zip(&own)
        .map(|(user, value)| UserAuc { auc: value / user.weight, ..*user })
        .collect();
    let seed_variances: Option<Vec<f64>> = seeds.iter().map(Seeds::variance).collect();
    Ok(PairedComparison {
        effect,
        interval,
        p_bootstrap,
        p_permutation: (as_large + 1) as f64 / (resampling.resamples + 1) as f64,
        standard_error_users: standard_error(&own_users).unwrap_or(f64::NAN),
        standard_error_seeds: seed_variances.map(|of| of.iter().sum::<f64>().sqrt()),
        users: users.len(),
        runs: (first.len(), second.len()),
        paired_seeds,
        resampling,
    })
}

fn vec_of<'r, 'a>(runs: &'r [SeededUsers<'a>]) -> Vec<&'r SeededUsers<'a>> {
    runs.iter().collect()
}

/// The users that all runs have, with equal weights.
fn same_users<'a>(first: &[SeededUsers<'a>], second: &[SeededUsers<'a>]) -> Result<&'a [UserAuc]> {
    let users = first.first().ok_or(Error::NoRuns { side: "the first model" })?.users;
    second.first().ok_or(Error::NoRuns { side: "the second model" })?;
    if users.is_empty() {
        return Err(Error::NoUser { users: 0 });
    }
    for run in first.iter().chain(second) {
        if run.users.len() != users.len() {
            let reason = format!("{} users and {} users", users.len(), run.users.len());
            return Err(Error::OtherUsers { reason });
        }
        let differs = |(one, other): &(&UserAuc, &UserAuc)| {
            one.user != other.user || one.weight != other.weight
        };
        if let Some((one, other)) = users.iter().zip(run.users).find(differs) {
            let reason = format!(
                "user {} of weight {} and user {} of weight {}",
                one.user, one.weight, other.user, other.weight
            );
            return Err(Error::OtherUsers { reason });
        }
    }
    Ok(users)
}

/// The 95 % interval of resampled effects and their two-sided p.
fn percentiles(mut drawn: Vec<f64>, effect: f64) -> ((f64, f64), f64) {
    let count = drawn.len();
    if count == 0 {
        return ((effect, effect), 1.0);
    }
    drawn.sort_by(f64::total_cmp);
    // Linear between neighbors, as numpy's.
    let at = |share: f64| {
        let place = share * (count - 1) as f64;
        let low = place.floor() as usize;
        let next = drawn[(low + 1).min(count - 1)];
        drawn[low] + (next - drawn[low]) * place.fract()
    };
    let beyond = |inside: &dyn Fn(f64) -> bool| {
        (drawn.iter().filter(|&&value| inside(value)).count() + 1) as f64 / (count + 1) as f64
    };
    let p = 2.0 * beyond(&|value| value <= 0.0).min(beyond(&|value| value >= 0.0));
    ((at(0.025), at(0.975)), p.min(1.0))
}
