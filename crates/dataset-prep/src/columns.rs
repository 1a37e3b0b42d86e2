//! Parquet in and out through polars, with its panics kept inside.

use crate::{Error, Result};
use ctr_core::panic_text;
use polars::io::parquet::metadata::FileMetadataRef;
use polars::io::parquet::write::BatchedWriter;
use polars::prelude::{
    Column, DataFrame, DataType, NamedFrom, ParquetReader, ParquetWriter, PolarsError,
    PolarsResult, SerReader, Series,
};
use polars_parquet::parquet::page::CompressedPage;
use polars_parquet::read::PageReader;
use std::io::{Cursor, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

/// Runs a polars call on bytes that we did not write. Its readers may panic on damaged bytes (a length
/// that does not fit, for example); to a user that is bad input like any other. Nothing is used again
/// after a panic, so no broken state can be seen.
pub(crate) fn guarded<T>(path: &Path, call: impl FnOnce() -> PolarsResult<T>) -> Result<T> {
    let reason = match catch_unwind(AssertUnwindSafe(call)) {
        Ok(Ok(value)) => return Ok(value),
        Ok(Err(error)) => error.to_string(),
        // Damaged data, or a thread or memory that could not be had: the message says which.
        Err(payload) => {
            let text = panic_text(&*payload).unwrap_or("damaged data");
            format!("the reader gave up ({text})")
        }
    };
    let reason = reason.lines().next().unwrap_or_default().to_string();
    Err(Error::damaged(path, format!("cannot be read: {reason}; make or get the file again")))
}

/// Decodes a Parquet file from memory.
pub(crate) fn decode(path: &Path, bytes: &[u8]) -> Result<DataFrame> {
    guarded(path, || {
        let mut reader = ParquetReader::new(Cursor::new(bytes));
        check_sizes(reader.get_metadata()?, bytes)?;
        reader.finish()
    })
}

/// Most rows a file may claim: a prepared dataset counts two rows an event in u32.
const MOST_ROWS: u64 = u32::MAX as u64 / 2;

/// Compares the sizes that footer and page headers claim with one another and with the file. The reader
/// allocates by them, and a damaged one asks for more memory than there is, which ends the process: no
/// panic that could be caught.
fn check_sizes(metadata: &FileMetadataRef, bytes: &[u8]) -> PolarsResult<()> {
    let fail = |what: &str| Err(PolarsError::ComputeError(format!("it claims {what}").into()));
    let mut rows = 0u64;
    for group in &metadata.row_groups {
        let height = group.num_rows() as u64;
        rows = rows.saturating_add(height);
        for column in group.parquet_columns() {
            if u64::try_from(column.num_values()) != Ok(height) {
                return fail("columns of different lengths or lists, which no table here has");
            }
            let range = column.byte_range();
            if range.start > range.end || range.end > bytes.len() as u64 {
                return fail("data outside of the file");
            }
            // Far above the ratio that any of the compressions reaches.
            let most = (range.end - range.start).saturating_mul(1 << 24);
            if !u64::try_from(column.uncompressed_size()).is_ok_and(|size| size <= most) {
                return fail("a column larger than it can be");
            }
            let chunk = bytes[range.start as usize..range.end as usize].to_vec();
            for page in PageReader::new(Cursor::new(chunk.into()), column, Vec::new(), bytes.len())
            {
                let CompressedPage::Data(page) = page? else { continue };
                // A negative number in the file is an immense one here.
                if page.num_values() as u64 > height {
                    return fail("a page with more values than there are rows");
                }
            }
        }
    }
    if rows != metadata.num_rows as u64 || rows > MOST_ROWS {
        return fail(&format!("{} rows, its row groups {rows}", metadata.num_rows));
    }
    Ok(())
}

/// Encodes columns as a Parquet file (zstd), in memory.
pub(crate) fn encode(columns: Vec<Column>) -> Result<Vec<u8>> {
    let mut frame = DataFrame::new_infer_height(columns).map_err(|error| unwritten(&error))?;
    let mut bytes = Vec::new();
    ParquetWriter::new(&mut bytes).finish(&mut frame).map_err(|error| unwritten(&error))?;
    Ok(bytes)
}

/// Encodes a Parquet file (zstd) piece by piece.
pub(crate) struct TableEncoder<W: Write> {
    writer: BatchedWriter<W>,
}

impl<W: Write> TableEncoder<W> {
    /// A file of columns with the names and types of these.
    pub fn new(output: W, like: &[Column]) -> Result<Self> {
        let schema = like.iter().map(|column| (column.name().clone(), column.dtype().clone()));
        let writer = ParquetWriter::new(output)
            .batched(&schema.collect())
            .map_err(|error| unwritten(&error))?;
        Ok(Self { writer })
    }

    /// Appends rows as a row group.
    pub fn append(&mut self, columns: Vec<Column>) -> Result<()> {
        let frame = DataFrame::new_infer_height(columns).map_err(|error| unwritten(&error))?;
        self.writer.write_batch(&frame).map_err(|error| unwritten(&error))
    }

    /// Writes the end of the file.
    pub fn finish(self) -> Result<()> {
        self.writer.finish().map_err(|error| unwritten(&error))?;
        Ok(())
    }
}

fn unwritten(error: &PolarsError) -> Error {
    Error::Columns(error.to_string())
}

/// A column of ids for [`encode`].
pub(crate) fn id_column(name: &str, ids: &[u32]) -> Column {
    Series::new(name.into(), ids).into()
}

/// A column of numbers for [`encode`].
pub(crate) fn number_column(name: &str, numbers: &[f64]) -> Column {
    Series::new(name.into(), numbers).into()
}

/// A column of texts for [`encode`].
pub(crate) fn text_column(name: &str, texts: &[String]) -> Column {
    Series::new(name.into(), texts).into()
}

/// A column's ids; the column must be of type u32 and without nulls.
pub(crate) fn ids(path: &Path, frame: &DataFrame, name: &str) -> Result<Vec<u32>> {
    let column = column(path, frame, name, &DataType::UInt32)?;
    let values = column.u32().map_err(|error| Error::damaged(path, error.to_string()))?;
    Ok(values.iter().flatten().collect())
}

/// A column's texts; the column must be text and without nulls.
pub(crate) fn texts(path: &Path, frame: &DataFrame, name: &str) -> Result<Vec<String>> {
    of_texts(path, frame, name, |text: &str| text.to_string())
}

/// Something of each of a column's texts, which are not copied.
pub(crate) fn of_texts<T>(
    path: &Path,
    frame: &DataFrame,
    name: &str,
    of: impl Fn(&str) -> T,
) -> Result<Vec<T>> {
    let column = column(path, frame, name, &DataType::String)?;
    let values = column.str().map_err(|error| Error::damaged(path, error.to_string()))?;
    Ok(values.iter().flatten().map(of).collect())
}

/// A column of the wanted type without nulls.
pub(crate) fn column<'a>(
    path: &Path,
    frame: &'a DataFrame,
    name: &str,
    wanted: &DataType,
) -> Result<&'a Column> {
    let column = frame
        .column(name)
        .map_err(|_| Error::damaged(path, format!("column {name} is missing")))?;
    if column.dtype() != wanted {
        let found = column.dtype();
        return Err(Error::damaged(path, format!("column {name} is {found}, expected {wanted}")));
    }
    if column.null_count() > 0 {
        return Err(Error::damaged(path, format!("column {name} has nulls")));
    }
    Ok(column)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_survive_the_way_to_parquet_and_back() {
        let keys: Vec<String> = ["b", "", "ü"].map(String::from).to_vec();
        let bytes = encode(vec![id_column("id", &[3, 0, u32::MAX]), text_column("key", &keys)]);
        let frame = decode(Path::new("x"), &bytes.unwrap()).unwrap();
        assert_eq!(ids(Path::new("x"), &frame, "id").unwrap(), [3, 0, u32::MAX]);
        assert_eq!(texts(Path::new("x"), &frame, "key").unwrap(), keys);
        let message = ids(Path::new("x"), &frame, "key").unwrap_err().to_string();
        assert!(message.contains("column key is str, expected u32"), "{message}");
        assert!(texts(Path::new("x"), &frame, "no").unwrap_err().to_string().contains("missing"));
    }

    #[test]
    fn bytes_that_are_no_parquet_are_an_error() {
        for bytes in [b"".to_vec(), b"PAR1".to_vec(), vec![7; 5000]] {
            let message = decode(Path::new("x.parquet"), &bytes).unwrap_err().to_string();
            assert!(message.contains("x.parquet: cannot be read"), "{message}");
        }
    }

    #[test]
    fn a_panic_inside_is_an_error_outside() {
        let result: Result<()> = guarded(Path::new("x"), || panic!("inside"));
        assert!(result.unwrap_err().to_string().contains("gave up"));
    }
}
