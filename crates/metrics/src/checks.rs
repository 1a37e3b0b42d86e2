//! What every metric asks of its columns before it computes.

use crate::{Error, Result};

/// The column called `name` has as many rows as the labels.
pub(crate) fn same_length(name: &'static str, found: usize, labels: &[u8]) -> Result<()> {
    if found == labels.len() {
        Ok(())
    } else {
        Err(Error::Length { name, found, expected: labels.len() })
    }
}

/// At least one row, and labels of 0 and 1 only. Returns the number of ones.
pub(crate) fn labels(labels: &[u8]) -> Result<usize> {
    if labels.is_empty() {
        return Err(Error::Empty);
    }
    if let Some(row) = labels.iter().position(|&label| label > 1) {
        return Err(Error::Label { row, label: labels[row] });
    }
    Ok(labels.iter().map(|&label| usize::from(label)).sum())
}

/// No score is NaN, because NaN has no place in an order and every peer puts it somewhere else.
pub(crate) fn scores(scores: &[f32]) -> Result<()> {
    match scores.iter().position(|score| score.is_nan()) {
        Some(row) => Err(Error::Nan { row }),
        None => Ok(()),
    }
}
