//! Mean and standard deviation over seeds.

use ctr_metrics::student_975;

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
