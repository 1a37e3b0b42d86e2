//! Delimited text record by record, in the memory of one line: for files that do not fit into memory.

use crate::source::Source;
use crate::{Error, Place, Result, columns};
use ctr_core::sha256_hex;
use polars::prelude::{DataType, StringChunked};
use std::path::{Path, PathBuf};

use crate::manifest::FileRecord;

/// How the fields of a line are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Separator {
    text: &'static str,
    /// Whether `"` may enclose values, which then may contain the separator.
    quotes: bool,
}

impl Separator {
    pub(crate) const COMMA: Self = Self { text: ",", quotes: true };
    /// Quotes are text in tab-separated files.
    pub(crate) const TAB: Self = Self { text: "\t", quotes: false };
    pub(crate) const BAR: Self = Self { text: "|", quotes: false };
    pub(crate) const COLONS: Self = Self { text: "::", quotes: false };

    pub(crate) fn text(self) -> &'static str {
        self.text
    }

    pub(crate) fn quotes(self) -> bool {
        self.quotes
    }

    /// By the file's name: commas in `.csv`, tabs in everything else.
    pub(crate) fn of(path: &Path) -> Self {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.contains(".csv") { Self::COMMA } else { Self::TAB }
    }
}

enum Rows {
    Text { source: Box<Source>, separator: Separator },
    Parquet { columns: Vec<StringChunked>, next: usize, record: FileRecord },
}

/// Most columns of a table: more are no data, and every line would need memory for them.
const MOST_COLUMNS: usize = 10_000;

/// A table being read.
pub(crate) struct Records {
    path: PathBuf,
    names: Vec<String>,
    rows: Rows,
    place: Place,
    line: Vec<u8>,
    /// The values of the current record, one after the other, and where each ends.
    text: String,
    ends: Vec<usize>,
}

impl Records {
    /// A file whose first line names the columns; a Parquet file names them itself.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        if path.extension().is_some_and(|extension| extension == "parquet") {
            return Self::open_parquet(path);
        }
        let mut records = Self::text(path, Separator::of(path), Vec::new())?;
        if !records.read_line()? {
            return Err(Error::input(path, Place::File, "", "no rows", "give at least one row"));
        }
        records.split(None)?;
        let names: Vec<String> = records.values().map(header_name).collect();
        if names.len() > MOST_COLUMNS {
            let problem = format!("{} columns, at most {MOST_COLUMNS} are taken", names.len());
            return Err(Error::input(path, Place::Line(1), "", problem, "check the separator"));
        }
        for (position, name) in names.iter().enumerate() {
            if names[..position].contains(name) {
                let field = format!("{name:?}");
                let remedy = "give every column a name of its own";
                return Err(Error::input(path, Place::Line(1), &field, "named twice", remedy));
            }
        }
        records.names = names;
        Ok(records)
    }

    /// A file without a line of names.
    pub(crate) fn without_header(
        path: &Path,
        separator: Separator,
        names: &[&str],
    ) -> Result<Self> {
        Self::text(path, separator, names.iter().map(ToString::to_string).collect())
    }

    fn text(path: &Path, separator: Separator, names: Vec<String>) -> Result<Self> {
        let source = Box::new(Source::open(path)?);
        Ok(Self::new(path, names, Rows::Text { source, separator }))
    }

    fn open_parquet(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path)
            .map_err(|source| Error::Read { path: path.to_path_buf(), source })?;
        let record = FileRecord {
            name: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            bytes: bytes.len() as u64,
            sha256: sha256_hex(&bytes),
        };
        let frame = columns::decode(path, &bytes)?;
        let names = frame.get_column_names().iter().map(ToString::to_string).collect();
        let columns = frame
            .columns()
            .iter()
            .map(|column| {
                let column = columns::guarded(path, || column.cast(&DataType::String))?;
                Ok(column.str().map_err(|error| Error::damaged(path, error.to_string()))?.clone())
            })
            .collect::<Result<_>>()?;
        Ok(Self::new(path, names, Rows::Parquet { columns, next: 0, record }))
    }

    fn new(path: &Path, names: Vec<String>, rows: Rows) -> Self {
        Self {
            path: path.to_path_buf(),
            names,
            rows,
            place: Place::File,
            line: Vec::new(),
            text: String::new(),
            ends: Vec::new(),
        }
    }

    /// Names of the columns.
    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    /// Position of a column.
    pub(crate) fn column(&self, name: &str) -> Result<usize> {
        self.names.iter().position(|known| known == name).ok_or_else(|| {
            let place = match self.rows {
                Rows::Text { .. } => Place::Line(1),
                Rows::Parquet { .. } => Place::File,
            };
            let remedy = format!("the columns are {}", self.names.join(", "));
            Error::input(&self.path, place, name, "missing column", remedy)
        })
    }

    /// Reads the next record; false at the end. Blank lines are refused, but for those at the end.
    pub(crate) fn advance(&mut self) -> Result<bool> {
        if let Rows::Parquet { columns, next, .. } = &mut self.rows {
            if columns.first().is_none_or(|column| *next >= column.len()) {
                return Ok(false);
            }
            self.text.clear();
            self.ends.clear();
            for column in columns {
                self.text.push_str(column.get(*next).unwrap_or_default());
                self.ends.push(self.text.len());
            }
            *next += 1;
            self.place = Place::Row(*next as u64);
            return Ok(true);
        }
        if !self.read_line()? {
            return Ok(false);
        }
        if self.line.is_empty() {
            let blank = self.place;
            while self.read_line()? {
                if !self.line.is_empty() {
                    return Err(Error::input(&self.path, blank, "", "blank line", "remove it"));
                }
            }
            return Ok(false);
        }
        self.split(Some(self.names.len()))?;
        Ok(true)
    }

    fn read_line(&mut self) -> Result<bool> {
        let Rows::Text { source, .. } = &mut self.rows else { return Ok(false) };
        let more = source.next_line(&mut self.line)?;
        self.place = source.place();
        if more && self.place == Place::Line(1) && self.line.starts_with(b"\xef\xbb\xbf") {
            // The byte order mark that some programs put first.
            self.line.drain(..3);
        }
        Ok(more)
    }

    /// Values of the line read last. Text that is not UTF-8 is taken as Latin-1, as MovieLens's older
    /// files have it.
    fn split(&mut self, wanted: Option<usize>) -> Result<()> {
        let Rows::Text { separator, .. } = &self.rows else { return Ok(()) };
        let latin;
        let line = match std::str::from_utf8(&self.line) {
            Ok(line) => line,
            Err(_) => {
                latin = self.line.iter().map(|&byte| char::from(byte)).collect::<String>();
                &latin
            }
        };
        self.text.clear();
        self.ends.clear();
        let whole = if separator.quotes && line.contains('"') {
            unquote(line, separator.text, &mut self.text, &mut self.ends)
        } else {
            for value in line.split(separator.text) {
                self.text.push_str(value);
                self.ends.push(self.text.len());
            }
            true
        };
        if !whole {
            let remedy =
                "enclose values as \"...\", double the marks inside, and keep a value on one line";
            let problem = "a quotation mark that does not enclose a whole value on this line";
            return Err(self.fail("", problem, remedy));
        }
        match wanted {
            Some(wanted) if wanted != self.ends.len() => {
                let problem = format!("{} fields, expected {wanted}", self.ends.len());
                Err(self.fail("", &problem, "give every row one value a column"))
            }
            _ => Ok(()),
        }
    }

    fn values(&self) -> impl Iterator<Item = &str> {
        (0..self.ends.len()).map(|index| self.value(index))
    }

    /// A value of the current record; empty where a Parquet file has a null.
    pub(crate) fn value(&self, column: usize) -> &str {
        let start = if column == 0 { 0 } else { self.ends[column - 1] };
        &self.text[start..self.ends[column]]
    }

    /// A value that must not be empty.
    pub(crate) fn filled(&self, column: usize) -> Result<&str> {
        match self.value(column) {
            "" => Err(self.fail(
                &self.names[column],
                "empty",
                "give every row a value or remove the row",
            )),
            value => Ok(value),
        }
    }

    /// A whole number from 0 up.
    pub(crate) fn number(&self, column: usize) -> Result<u64> {
        crate::tables::whole_number(self.value(column)).map_err(|problem| {
            self.fail(&self.names[column], &problem, "give whole numbers from 0 up")
        })
    }

    /// A finite number.
    pub(crate) fn decimal(&self, column: usize) -> Result<f64> {
        let text = self.value(column);
        text.trim().parse().ok().filter(|number: &f64| number.is_finite()).ok_or_else(|| {
            let problem = format!("{text:?} is not a number");
            self.fail(&self.names[column], &problem, "give numbers such as 4 or 3.5")
        })
    }

    /// An error about the current record.
    pub(crate) fn fail(&self, field: &str, problem: &str, remedy: &str) -> Error {
        Error::input(&self.path, self.place, field, problem, remedy)
    }

    /// An error about one value of the current record.
    pub(crate) fn fail_in(&self, column: usize, problem: &str, remedy: &str) -> Error {
        self.fail(&self.names[column], problem, remedy)
    }

    /// Size and hash of the file.
    pub(crate) fn finish(self) -> Result<FileRecord> {
        match self.rows {
            Rows::Text { source, .. } => source.finish(),
            Rows::Parquet { record, .. } => Ok(record),
        }
    }
}

/// RecBole's headers carry a type: `user_id:token` names the column `user_id`.
fn header_name(text: &str) -> String {
    match text.trim().split_once(':') {
        Some((name, "token" | "token_seq" | "float" | "float_seq")) => name.into(),
        _ => text.trim().into(),
    }
}

/// Splits a line with quoted values; false when its quotes are broken.
fn unquote(line: &str, separator: &str, text: &mut String, ends: &mut Vec<usize>) -> bool {
    let mut rest = line;
    loop {
        if let Some(mut quoted) = rest.strip_prefix('"') {
            loop {
                let Some(end) = quoted.find('"') else { return false };
                text.push_str(&quoted[..end]);
                quoted = &quoted[end + 1..];
                match quoted.strip_prefix('"') {
                    Some(after) => {
                        text.push('"');
                        quoted = after;
                    }
                    None => break,
                }
            }
            rest = quoted;
        } else {
            let end = rest.find(separator).unwrap_or(rest.len());
            if rest[..end].contains('"') {
                return false;
            }
            text.push_str(&rest[..end]);
            rest = &rest[end..];
        }
        ends.push(text.len());
        match rest.strip_prefix(separator) {
            Some(after) => rest = after,
            None => return rest.is_empty(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(name: &str, bytes: &[u8]) -> Result<Vec<Vec<String>>> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        let mut records = Records::open(&path)?;
        let mut all = vec![records.names().to_vec()];
        while records.advance()? {
            all.push(records.values().map(String::from).collect());
        }
        Ok(all)
    }

    #[test]
    fn marks_types_quotes_and_line_ends_are_understood() {
        let text = b"\xef\xbb\xbfuser_id:token,title:token_seq\r\n7,\"a, \"\"b\"\"\"\r\n8,\n\n\n";
        let expected = [["user_id", "title"], ["7", "a, \"b\""], ["8", ""]];
        assert_eq!(rows("x.csv", text).unwrap(), expected);
        assert_eq!(rows("x.inter", b"a:b\t\"c\n1\t\"2").unwrap(), [["a:b", "\"c"], ["1", "\"2"]]);
        assert_eq!(rows("x.tsv", b"a\n\xe9").unwrap()[1], ["é"]);
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        let message = |bytes: &[u8]| rows("x.csv", bytes).unwrap_err().to_string();
        assert!(message(b"").contains("no rows"));
        assert!(message(b"a,a\n").contains("line 1, field \"a\": named twice"));
        assert!(message(b"a,b\n1\n").contains("line 2: 1 fields, expected 2"));
        assert!(message(b"a,b\n\n1,2\n").contains("line 2: blank line"));
        assert!(message(b"a,b\n\"1,2\n").contains("line 2: a quotation mark"));
        assert!(message(b"a,b\n\"1\"x,2\n").contains("line 2: a quotation mark"));
        let wide = vec![b','; MOST_COLUMNS + 5];
        assert!(message(&wide).contains("at most 10000"));
    }

    #[test]
    fn files_without_names_get_them() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ratings.dat");
        std::fs::write(&path, "1::2::3.5\n").unwrap();
        let mut records =
            Records::without_header(&path, Separator::COLONS, &["user", "item", "rating"]).unwrap();
        assert!(records.advance().unwrap());
        assert_eq!(records.number(records.column("item").unwrap()).unwrap(), 2);
        assert_eq!(records.decimal(2).unwrap(), 3.5);
        let message = records.number(2).unwrap_err().to_string();
        assert!(message.contains("line 1, field rating"), "{message}");
        assert!(!records.advance().unwrap());
        assert!(records.column("time").unwrap_err().to_string().contains("user, item, rating"));
    }
}
