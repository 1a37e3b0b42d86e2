//! Learning rate over steps.

use crate::{Error, Result};
use serde::{Deserialize, Serialize};

/// A factor on the learning rate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Schedule {
    /// Always 1.
    Constant,
    /// `factor` to the number of steps in `at` that have been reached: the authors' code has one,
    /// 336,000.
    Step {
        /// Steps, rising.
        at: Vec<u64>,
        /// Factor at each.
        factor: f64,
    },
    /// `rate^(step / every)`: TensorFlow's `exponential_decay`, the paper's words. With `staircase`
    /// the quotient is rounded down.
    Exponential {
        /// Decay rate: 0.1 on the public data sets, 0.9 at Alibaba.
        rate: f64,
        /// Steps for one decay; the paper names none.
        every: u64,
        /// Whole decays only.
        #[serde(default)]
        staircase: bool,
    },
}

impl Schedule {
    /// The factor after `steps` steps.
    pub fn factor(&self, steps: u64) -> f64 {
        match self {
            Self::Constant => 1.0,
            Self::Step { at, factor } => {
                factor.powi(at.iter().filter(|&&step| steps >= step).count() as i32)
            }
            Self::Exponential { rate, every, staircase } => {
                let decays = steps as f64 / *every as f64;
                rate.powf(if *staircase { decays.floor() } else { decays })
            }
        }
    }

    pub(super) fn validate(&self) -> Result<()> {
        let fail = |reason: String| Err(Error::Config(format!("schedule: {reason}")));
        match self {
            Self::Step { at, .. } if at.windows(2).any(|pair| pair[0] >= pair[1]) => {
                fail(format!("steps {at:?} do not rise"))
            }
            Self::Step { factor: rate, .. } | Self::Exponential { rate, .. }
                if !(*rate > 0.0 && rate.is_finite()) =>
            {
                fail(format!("factor {rate} is not a positive number"))
            }
            Self::Exponential { every: 0, .. } => fail("every is 0".into()),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn factors_follow_their_definitions() {
        assert_eq!(Schedule::Constant.factor(10), 1.0);
        let authors = Schedule::Step { at: vec![336_000], factor: 0.1 };
        assert_eq!(authors.factor(335_999), 1.0);
        assert_eq!(authors.factor(336_000), 0.1);
        let smooth = Schedule::Exponential { rate: 0.25, every: 10, staircase: false };
        assert_eq!(smooth.factor(5), 0.5);
        let stairs = Schedule::Exponential { rate: 0.25, every: 10, staircase: true };
        assert_eq!(stairs.factor(19), 0.25);
    }

    #[test]
    fn senseless_schedules_are_refused() {
        assert!(Schedule::Step { at: vec![2, 1], factor: 0.1 }.validate().is_err());
        let never = Schedule::Exponential { rate: 0.1, every: 0, staircase: false };
        assert!(never.validate().is_err());
    }
}
