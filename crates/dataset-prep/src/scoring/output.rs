//! A table written piece by piece: text or Parquet by the file's name.

use crate::columns::{TableEncoder, guarded};
use crate::records::Separator;
use crate::{Error, Place, Result};
use ctr_core::AtomicFile;
use polars::prelude::{Column, DataType, NamedFrom, Series};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// A table under way. Its file appears when it is finished.
pub struct TableWriter {
    path: PathBuf,
    file: Shared,
    form: Form,
}

enum Form {
    Text { separator: Separator, begun: bool },
    Parquet(Option<Box<TableEncoder<Shared>>>),
}

/// Shared, because polars' writer does not give back what it writes to.
#[derive(Clone)]
struct Shared(Arc<Mutex<Option<BufWriter<AtomicFile>>>>);

impl Shared {
    fn with<R>(
        &self,
        call: impl FnOnce(&mut BufWriter<AtomicFile>) -> std::io::Result<R>,
    ) -> std::io::Result<R> {
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        call(file.as_mut().ok_or(std::io::ErrorKind::BrokenPipe)?)
    }
}

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.with(|file| file.write(bytes))
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.with(Write::flush)
    }
}

impl TableWriter {
    /// Begins a file whose name ends in `.csv`, `.tsv` or `.parquet`.
    ///
    /// # Errors
    /// When the name ends otherwise or the folder cannot be written to.
    pub fn new(path: &Path) -> Result<Self> {
        let ending = path.extension().unwrap_or_default().to_string_lossy();
        let form = match &*ending {
            "csv" | "tsv" => Form::Text { separator: Separator::of(path), begun: false },
            "parquet" => Form::Parquet(None),
            _ => {
                let problem = "the name tells no format";
                let remedy = "let it end in .csv, .tsv or .parquet";
                return Err(Error::input(path, Place::File, "", problem, remedy));
            }
        };
        let file = BufWriter::with_capacity(1 << 18, AtomicFile::new(path)?);
        let file = Shared(Arc::new(Mutex::new(Some(file))));
        Ok(Self { path: path.to_path_buf(), file, form })
    }

    /// Whether columns may be lists.
    pub fn takes_lists(&self) -> bool {
        matches!(self.form, Form::Parquet(_))
    }

    /// Appends rows; every piece has the same columns.
    ///
    /// # Errors
    /// When a column has no form in this file, or the disk is full.
    pub fn append(&mut self, columns: Vec<Column>) -> Result<()> {
        match &mut self.form {
            Form::Parquet(encoder) => {
                let encoder = match encoder {
                    Some(encoder) => encoder,
                    none => none.insert(Box::new(TableEncoder::new(self.file.clone(), &columns)?)),
                };
                encoder.append(columns)
            }
            Form::Text { separator, begun } => {
                let mut text = String::new();
                if !std::mem::replace(begun, true) {
                    let names = columns.iter().map(|column| Some(column.name().as_str()));
                    line(&self.path, *separator, names, &mut text)?;
                }
                let texts = columns
                    .iter()
                    .map(|column| texts(&self.path, column))
                    .collect::<Result<Vec<Series>>>()?;
                let texts = texts
                    .iter()
                    .map(|texts| {
                        texts.str().map_err(|error| Error::damaged(&self.path, error.to_string()))
                    })
                    .collect::<Result<Vec<_>>>()?;
                for row in 0..columns.first().map_or(0, Column::len) {
                    let values = texts.iter().map(|texts| texts.get(row));
                    line(&self.path, *separator, values, &mut text)?;
                }
                let written = self.file.write_all(text.as_bytes());
                written.map_err(|source| Error::Write { path: self.path.clone(), source })
            }
        }
    }

    /// Appends rows with their logits, and the probabilities of these.
    ///
    /// # Errors
    /// Those of [`TableWriter::append`].
    pub fn append_scored(
        &mut self,
        mut columns: Vec<Column>,
        scores: &[f32],
        probabilities: &[f32],
    ) -> Result<()> {
        for (name, values) in super::rows::SCORES.into_iter().zip([scores, probabilities]) {
            columns.push(Series::new(name.into(), values).into());
        }
        self.append(columns)
    }

    /// Puts the file in its place.
    ///
    /// # Errors
    /// When nothing was appended, or the disk is full.
    pub fn finish(self) -> Result<()> {
        if let Form::Parquet(Some(encoder)) = self.form {
            encoder.finish()?;
        }
        let file = self.file.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(file) = file else { return Ok(()) };
        let file = file.into_inner().map_err(|error| Error::Write {
            path: self.path.clone(),
            source: error.into_error(),
        })?;
        Ok(file.finish()?)
    }
}

/// A column as texts. Numbers have as many digits as tell them apart from others.
fn texts(path: &Path, column: &Column) -> Result<Series> {
    let series = column.as_materialized_series();
    match series.dtype() {
        DataType::Float32 => {
            let values = series.f32().map_err(|error| Error::damaged(path, error.to_string()))?;
            let texts: Vec<Option<String>> =
                values.iter().map(|value| value.map(|value| format!("{value}"))).collect();
            Ok(Series::new(column.name().clone(), texts))
        }
        DataType::List(_) => {
            let problem = format!("column {} holds lists", column.name());
            let remedy = "write .parquet, or leave the column out of the input";
            Err(Error::input(path, Place::File, "", problem, remedy))
        }
        _ => guarded(path, || series.cast(&DataType::String)),
    }
}

/// Appends a line of text; nulls are empty.
fn line<'v>(
    path: &Path,
    separator: Separator,
    values: impl Iterator<Item = Option<&'v str>>,
    text: &mut String,
) -> Result<()> {
    for (index, value) in values.enumerate() {
        let value = value.unwrap_or_default();
        if index > 0 {
            text.push_str(separator.text());
        }
        let breaks = value.contains(['\n', '\r']);
        let marked =
            value.contains(separator.text()) || (separator.quotes() && value.contains('"'));
        if breaks || (marked && !separator.quotes()) {
            let problem = format!("{value:?} has no form in this file");
            return Err(Error::input(path, Place::File, "", problem, "write .parquet"));
        }
        if marked {
            text.push('"');
            text.push_str(&value.replace('"', "\"\""));
            text.push('"');
        } else {
            text.push_str(value);
        }
    }
    text.push('\n');
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(texts: &[&str], scores: &[f32]) -> Vec<Column> {
        vec![Series::new("a,b".into(), texts).into(), Series::new("s".into(), scores).into()]
    }

    #[test]
    fn text_has_its_marks_and_numbers_come_back_bit_by_bit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.csv");
        let mut table = TableWriter::new(&path).unwrap();
        let scores = [0.1f32 + 0.2, f32::MIN_POSITIVE, -7e20];
        table.append(columns(&["x", "say \"y\""], &scores[..2])).unwrap();
        table.append(columns(&["1,2"], &scores[2..])).unwrap();
        assert!(!path.exists());
        table.finish().unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "\"a,b\",s");
        assert!(lines[2].starts_with("\"say \"\"y\"\"\","), "{text}");
        for (line, score) in lines[1..].iter().zip(scores) {
            let number = line.rsplit(',').next().unwrap();
            assert_eq!(number.parse::<f32>().unwrap().to_bits(), score.to_bits());
        }
    }

    #[test]
    fn what_has_no_form_is_refused_and_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let new = |name: &str| TableWriter::new(&folder.path().join(name));
        assert!(new("x.txt").err().unwrap().to_string().contains("let it end in .csv"));
        let mut table = new("x.tsv").unwrap();
        let message = table.append(columns(&["a\tb"], &[0.0])).unwrap_err().to_string();
        assert!(message.contains("no form in this file; write .parquet"), "{message}");
        let lists = Series::new("l".into(), [Series::new("".into(), [1u32, 2])]);
        let message = table.append(vec![lists.into()]).unwrap_err().to_string();
        assert!(message.contains("column l holds lists"), "{message}");
        drop(table);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
