//! Initial values.

use ctr_core::RandomStream;
use serde::{Deserialize, Serialize};

/// How a parameter or table begins.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Init {
    /// Uniform in ±√(6 / (rows + columns)): the default of TensorFlow 1, so of the authors' code, for
    /// tables as well as for dense weights (an item table of 63,001 × 64 begins within ±0.0098).
    GlorotUniform,
    /// Normal with mean 0.
    Normal {
        /// Standard deviation.
        std: f64,
    },
    /// One value everywhere.
    Constant(f32),
}

impl Init {
    /// `rows * columns` values, row by row.
    pub fn values(self, rows: usize, columns: usize, stream: &mut RandomStream) -> Vec<f32> {
        self.values_of(rows, columns, stream, |_| true)
    }

    /// Those of the rows that are wanted, each as if all were.
    pub(crate) fn values_of(
        self,
        rows: usize,
        columns: usize,
        stream: &mut RandomStream,
        wanted: impl Fn(usize) -> bool,
    ) -> Vec<f32> {
        let limit = (6.0 / (rows + columns) as f64).sqrt();
        let mut draw = || match self {
            Self::GlorotUniform => stream.uniform(-limit, limit) as f32,
            Self::Normal { std } => (std * stream.normal()) as f32,
            Self::Constant(value) => value,
        };
        let count = (0..rows).filter(|&row| wanted(row)).count();
        let mut values = Vec::with_capacity(count * columns);
        for row in 0..rows {
            let drawn = (0..columns).map(|_| draw());
            if wanted(row) {
                values.extend(drawn);
            } else {
                drawn.for_each(drop);
            }
        }
        values
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ctr_core::SeedStreams;

    #[test]
    fn glorot_fills_its_interval_and_no_more() {
        let limit = (6.0f64 / 300.0).sqrt() as f32;
        let values =
            Init::GlorotUniform.values(100, 200, &mut SeedStreams::new(1).stream("init/x"));
        let largest = values.iter().fold(0.0f32, |most, value| most.max(value.abs()));
        assert_eq!(values.len(), 20_000);
        assert!(largest <= limit && largest > 0.999 * limit, "{largest} of {limit}");
        let mean = values.iter().map(|&v| f64::from(v)).sum::<f64>() / 20_000.0;
        assert!(mean.abs() < 3.0 * f64::from(limit) / (3.0f64 * 20_000.0).sqrt(), "{mean}");
    }
}
