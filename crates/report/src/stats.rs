//! Mean and standard deviation over seeds.

use ctr_metrics::{student_975, student_p};

/// Mean and spread of a few values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Summary {
    pub n: usize,
    pub mean: f64,
    /// Standard deviation with n − 1 in the denominator; absent for one value.
    pub std: Option<f64>,
}

impl Summary {
    /// Summary of the values, none for no value.
    pub(crate) fn of(values: &[f64]) -> Option<Self> {
        if values.is_empty() {
            return None;
        }
        let n = values.len();
        let mean = values.iter().sum::<f64>() / n as f64;
        let squares = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>();
        let std = (n > 1).then(|| (squares / (n - 1) as f64).sqrt());
        Some(Self { n, mean, std })
    }

    /// Half the width of the 95 % interval of the mean (Student); absent for one value.
    pub(crate) fn half_interval_95(&self) -> Option<f64> {
        Some(student_975(self.n - 1) * self.std? / (self.n as f64).sqrt())
    }
}

/// A difference, or another value that a statement is about, and how sure it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Effect {
    pub mean: f64,
    /// 95 %; none where nothing is known of the spread.
    pub interval: Option<(f64, f64)>,
    /// Two-sided, of the hypothesis that it is 0.
    pub p: Option<f64>,
    /// Seeds, or pairs of runs with one seed.
    pub n: usize,
    pub reach: Reach,
}

/// What the interval would hold for if it were drawn again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Other users and other seeds.
    UsersAndSeeds { users: usize },
    /// Other seeds, on the same test rows.
    Seeds,
}

impl Effect {
    /// The mean of a value over seeds with Student's interval.
    pub(crate) fn over_seeds(values: &[f64]) -> Option<Self> {
        let summary = Summary::of(values)?;
        let half = summary.half_interval_95();
        let t = summary.std.map(|std| summary.mean / (std / (summary.n as f64).sqrt()));
        Some(Self {
            mean: summary.mean,
            interval: half.map(|half| (summary.mean - half, summary.mean + half)),
            p: t.map(|t| student_p(t, (summary.n - 1) as f64)),
            n: summary.n,
            reach: Reach::Seeds,
        })
    }

    /// The same in another unit.
    pub(crate) fn times(self, factor: f64) -> Self {
        let interval = self.interval.map(|(low, high)| (low * factor, high * factor));
        Self { mean: self.mean * factor, interval, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_standard_deviation_is_that_of_a_sample() {
        let summary = Summary::of(&[1.0, 2.0, 3.0, 6.0]).unwrap();
        assert_eq!((summary.n, summary.mean), (4, 3.0));
        // Squares 4 + 1 + 0 + 9 over 3.
        assert!((summary.std.unwrap() - (14.0f64 / 3.0).sqrt()).abs() < 1e-15);
        // Three degrees of freedom.
        let half = 3.182_446_305 * (14.0f64 / 3.0).sqrt() / 2.0;
        assert!((summary.half_interval_95().unwrap() - half).abs() < 1e-8);
        assert_eq!(Summary::of(&[0.7]).unwrap().half_interval_95(), None);
        assert_eq!(Summary::of(&[0.7]).unwrap().std, None);
        assert_eq!(Summary::of(&[]), None);
    }
}
