//! The true click probabilities of a simulation: `truth.parquet`, one column `probability`, one row for
//! each of `rows.parquet` in its order.

use super::{AGAIN, read_manifest, table};
use crate::columns::{column, number_column};
use crate::{Error, Result};
use polars::prelude::{Column, DataType};
use std::path::Path;

pub(crate) const TRUTH: &str = "truth.parquet";
const PROBABILITY: &str = "probability";

/// The file's column.
pub(crate) fn column_of_truth(probabilities: &[f64]) -> Column {
    number_column(PROBABILITY, probabilities)
}

/// Reads the true click probability of every row of a simulated dataset, all parts, in the order of
/// `rows.parquet`: by user and time.
///
/// # Errors
/// A dataset without truth, a damaged file, a value that is no probability.
pub fn read_truth(dir: &Path) -> Result<Vec<f64>> {
    let manifest = read_manifest(dir)?;
    if manifest.files.iter().all(|file| file.name != TRUTH) {
        let reason = format!("it has no {TRUTH}: only the simulator alibaba-sim knows the truth");
        return Err(Error::damaged(dir, reason));
    }
    let (path, frame) = table(dir, &manifest, TRUTH)?;
    let found = column(&path, &frame, PROBABILITY, &DataType::Float64)?;
    let values = found.f64().map_err(|error| Error::damaged(&path, error.to_string()))?;
    let values: Vec<f64> = values.iter().flatten().collect();
    if let Some(row) = values.iter().position(|value| !(0.0..=1.0).contains(value)) {
        let reason = format!("{PROBABILITY} {} in row {}; {AGAIN}", values[row], row + 1);
        return Err(Error::damaged(&path, reason));
    }
    let samples = manifest.counts.get("samples").copied().unwrap_or_default();
    if values.len() as u64 != samples {
        let reason = format!("{} rows, the dataset has {samples}; {AGAIN}", values.len());
        return Err(Error::damaged(&path, reason));
    }
    Ok(values)
}
