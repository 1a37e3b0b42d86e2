//! Scores of a split's rows, in Parquet: what a run leaves for paired tests.

use crate::columns::{column, decode, encode, guarded, id_column, ids};
use crate::{Error, Result};
use ctr_core::write_atomic;
use polars::prelude::{Column, DataType, NamedFrom, Series};
use std::path::Path;

/// Rows with their scores.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Predictions {
    /// User of each row, the group of gAUC.
    pub users: Vec<u32>,
    /// 1 for a click, 0 for none.
    pub labels: Vec<u8>,
    /// What the model said; higher means a click is more likely.
    pub scores: Vec<f32>,
}

/// Writes `user` (u32), `label` (i32, 0 or 1) and `score` (f32), atomically.
///
/// # Errors
/// When the columns differ in length, a label is neither 0 nor 1, or the file cannot be written.
pub fn write_predictions(path: &Path, users: &[u32], labels: &[u8], scores: &[f32]) -> Result<()> {
    if users.len() != labels.len() || users.len() != scores.len() {
        return Err(Error::Columns(format!(
            "{} users, {} labels and {} scores, expected as many of each",
            users.len(),
            labels.len(),
            scores.len()
        )));
    }
    if let Some(row) = labels.iter().position(|&label| label > 1) {
        return Err(Error::Columns(format!(
            "label {} in row {}, expected 0 or 1",
            labels[row],
            row + 1
        )));
    }
    let labels: Vec<i32> = labels.iter().map(|&label| i32::from(label)).collect();
    let columns: Vec<Column> = vec![
        id_column("user", users),
        Series::new("label".into(), labels).into(),
        Series::new("score".into(), scores).into(),
    ];
    Ok(write_atomic(path, &encode(columns)?)?)
}

/// Reads what [`write_predictions`] wrote.
///
/// # Errors
/// When the file is missing or damaged, or a column is missing or of another type.
pub fn read_predictions(path: &Path) -> Result<Predictions> {
    let bytes =
        std::fs::read(path).map_err(|source| Error::Read { path: path.to_path_buf(), source })?;
    let frame = decode(path, &bytes)?;
    let users = ids(path, &frame, "user")?;
    let labels = column(path, &frame, "label", &DataType::Int32)?;
    let scores = column(path, &frame, "score", &DataType::Float32)?;
    let labels: Vec<i32> = guarded(path, || Ok(labels.i32()?.iter().flatten().collect()))?;
    let scores = guarded(path, || Ok(scores.f32()?.iter().flatten().collect()))?;
    if let Some(row) = labels.iter().position(|label| !(0..=1).contains(label)) {
        let reason = format!("label {} in row {}, expected 0 or 1", labels[row], row + 1);
        return Err(Error::damaged(path, reason));
    }
    Ok(Predictions { users, labels: labels.iter().map(|&label| label as u8).collect(), scores })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn predictions_come_back_bit_by_bit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("predictions.parquet");
        let scores = [0.1f32, f32::MIN_POSITIVE, -7.25];
        write_predictions(&path, &[4, 4, 0], &[1, 0, 1], &scores).unwrap();
        let read = read_predictions(&path).unwrap();
        assert_eq!(read.users, [4, 4, 0]);
        assert_eq!(read.labels, [1, 0, 1]);
        assert_eq!(read.scores.map_bits(), scores.to_vec().map_bits());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    trait Bits {
        fn map_bits(&self) -> Vec<u32>;
    }

    impl Bits for Vec<f32> {
        fn map_bits(&self) -> Vec<u32> {
            self.iter().map(|x| x.to_bits()).collect()
        }
    }

    #[test]
    fn what_does_not_fit_is_refused_and_leaves_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p.parquet");
        assert!(write_predictions(&path, &[1, 2], &[1], &[0.5]).is_err());
        let message = write_predictions(&path, &[1], &[2], &[0.5]).unwrap_err().to_string();
        assert!(message.contains("label 2 in row 1"), "{message}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        std::fs::write(&path, "no parquet").unwrap();
        assert!(read_predictions(&path).unwrap_err().to_string().contains("p.parquet"));
    }
}
