//! Quantiles and the correction that several claims of one table need.

use statrs::distribution::{ChiSquared, ContinuousCDF, StudentsT};

/// The 97.5 % point of Student's t: the 95 % interval of a mean of n values is ± this at n − 1 degrees of
/// freedom times the standard error. Infinite without a degree of freedom.
pub fn student_975(degrees: usize) -> f64 {
    StudentsT::new(0.0, 1.0, degrees as f64).map_or(f64::INFINITY, |t| t.inverse_cdf(0.975))
}

/// Two-sided p of a mean that lies `t` standard errors from its hypothesis, by Student's t.
pub fn student_p(t: f64, degrees: f64) -> f64 {
    let beyond = |t: f64| StudentsT::new(0.0, 1.0, degrees).map(|of| 2.0 * of.sf(t.abs()));
    match t.is_nan() {
        true => 1.0,
        false if t.is_infinite() => 0.0,
        false => beyond(t).unwrap_or(1.0),
    }
}

/// The 95 % interval of a standard deviation of which `std` (n − 1 in its denominator) was seen in `n` normal
/// values: `std·√((n−1)/χ²)`. None below two values.
pub fn std_interval_95(std: f64, n: usize) -> Option<(f64, f64)> {
    let degrees = n.checked_sub(1).filter(|&degrees| degrees > 0)? as f64;
    let distribution = ChiSquared::new(degrees).ok()?;
    let end = |share: f64| std * (degrees / quantile(&distribution, degrees, share)).sqrt();
    Some((end(0.975), end(0.025)))
}

/// By bisection: the library's own inverse is not a number for one degree of freedom.
fn quantile(distribution: &ChiSquared, degrees: f64, share: f64) -> f64 {
    // Far beyond mean + 40 standard deviations.
    let (mut low, mut high) = (0.0, 100.0 + 100.0 * degrees);
    for _ in 0..200 {
        let middle = 0.5 * (low + high);
        if distribution.cdf(middle) < share {
            low = middle;
        } else {
            high = middle;
        }
    }
    0.5 * (low + high)
}

/// Holm's step-down correction: p values of one family, so adjusted that the chance of any false claim in it
/// stays below the level that each is compared with. In the order given.
///
/// # Example
/// ```
/// // The smallest counts three times, the next one twice, and none is below one before it.
/// assert_eq!(ctr_metrics::holm(&[0.01, 0.04, 0.03]), [0.03, 0.06, 0.06]);
/// ```
pub fn holm(p_values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|&one, &other| p_values[one].total_cmp(&p_values[other]));
    let mut adjusted = vec![0.0; p_values.len()];
    let mut largest: f64 = 0.0;
    for (rank, index) in order.into_iter().enumerate() {
        let factor = (p_values.len() - rank) as f64;
        largest = largest.max((factor * p_values[index]).min(1.0));
        adjusted[index] = largest;
    }
    adjusted
}
