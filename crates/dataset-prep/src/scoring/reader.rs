//! A table read in pieces.

use super::cells::Cells;
use crate::columns::guarded;
use crate::records::Records;
use crate::{Error, Place, Result};
use polars::prelude::{DataFrame, ParquetReader, SerReader};
use std::fs::File;
use std::path::{Path, PathBuf};

/// Some rows of a table.
pub(super) struct Piece {
    /// Place of the first row.
    pub first: Place,
    pub rows: usize,
    pub columns: Vec<Cells>,
}

/// Rows of a Parquet file decoded together: a request for few of them would decode its page again each time.
const ROWS_AHEAD: usize = 1 << 16;

enum Form {
    Text { records: Box<Records>, row: u64 },
    Parquet { rows: usize, read: usize, ahead: DataFrame, taken: usize },
}

/// A table being read: `.csv` and other text, either with `.gz`, or `.parquet`.
pub(super) struct Reader {
    pub path: PathBuf,
    pub names: Vec<String>,
    form: Form,
}

impl Reader {
    pub fn open(path: &Path) -> Result<Self> {
        let parquet = path.extension().is_some_and(|extension| extension == "parquet");
        let (names, form) = if parquet {
            let mut reader = ParquetReader::new(open(path)?);
            let (rows, names) = guarded(path, || {
                let rows = reader.num_rows()?;
                Ok((rows, reader.schema()?.iter_names().map(ToString::to_string).collect()))
            })?;
            (names, Form::Parquet { rows, read: 0, ahead: DataFrame::empty(), taken: 0 })
        } else {
            let records = Box::new(Records::open(path)?);
            (records.names().to_vec(), Form::Text { records, row: 0 })
        };
        Ok(Self { path: path.to_path_buf(), names, form })
    }

    /// Where the names of the columns stand.
    pub fn header(&self) -> Place {
        match self.form {
            Form::Text { .. } => Place::Line(1),
            Form::Parquet { .. } => Place::File,
        }
    }

    /// The next rows, at most `most`; none at the end.
    pub fn next(&mut self, most: usize) -> Result<Option<Piece>> {
        let path = &self.path;
        match &mut self.form {
            Form::Text { records, row } => {
                let empty = Cells::Text { text: String::new(), ends: Vec::new() };
                let mut columns = vec![empty; self.names.len()];
                let (first, mut rows) = (Place::Line(*row + 2), 0);
                while rows < most && records.advance()? {
                    for (index, column) in columns.iter_mut().enumerate() {
                        column.push(records.value(index));
                    }
                    rows += 1;
                }
                *row += rows as u64;
                Ok((rows > 0).then_some(Piece { first, rows, columns }))
            }
            Form::Parquet { rows, read, ahead, taken } => {
                if *taken == ahead.height() {
                    let count = ROWS_AHEAD.min(*rows - *read);
                    if count == 0 {
                        return Ok(None);
                    }
                    let reader = ParquetReader::new(open(path)?).with_slice(Some((*read, count)));
                    *ahead = guarded(path, || reader.finish())?;
                    if ahead.height() != count {
                        let reason = format!("{} rows where {count} should be", ahead.height());
                        return Err(Error::damaged(path, reason + "; make or get the file again"));
                    }
                    (*read, *taken) = (*read + count, 0);
                }
                let piece = ahead.slice(*taken as i64, most.min(ahead.height() - *taken));
                let first = Place::Row((*read - ahead.height() + *taken) as u64 + 1);
                *taken += piece.height();
                let columns = piece.columns().iter().cloned().map(Cells::Column).collect();
                Ok(Some(Piece { first, rows: piece.height(), columns }))
            }
        }
    }
}

fn open(path: &Path) -> Result<File> {
    File::open(path).map_err(|source| Error::Read { path: path.to_path_buf(), source })
}
