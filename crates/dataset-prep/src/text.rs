//! Delimited text: a scan that knows the lines, then polars for the columns.
//!
//! polars fills short rows with nulls and names no line, so every line's fields are counted first. After
//! that, row `i` of the table is line `i + 2` of the file, since no value may run over a line's end and
//! blank lines are refused.

use crate::columns::guarded;
use crate::{Error, Place, Result};
use polars::prelude::{CsvParseOptions, CsvReadOptions, DataFrame, SerReader};
use std::borrow::Cow;
use std::io::Cursor;
use std::path::Path;

/// The delimiter and the quoting of a file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dialect {
    pub(crate) separator: u8,
    /// `"` in comma-separated files; tab-separated files have no quoting, quotes are text there.
    pub(crate) quote: Option<u8>,
}

impl Dialect {
    /// By the file's name.
    pub(crate) fn of(path: &Path) -> Self {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.contains(".tsv") {
            Self { separator: b'\t', quote: None }
        } else {
            Self { separator: b',', quote: Some(b'"') }
        }
    }
}

/// Names of the columns, as the first line has them.
pub(crate) fn header(path: &Path, bytes: &[u8], dialect: Dialect) -> Result<Vec<String>> {
    let bytes = without_mark(bytes);
    let first = bytes.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let line = std::str::from_utf8(first.strip_suffix(b"\r").unwrap_or(first)).map_err(|_| {
        Error::input(path, Place::Line(1), "", "not UTF-8 text", "convert the file to UTF-8")
    })?;
    let quote = dialect.quote.map(char::from);
    Ok(line
        .split(char::from(dialect.separator))
        .map(|name| match quote {
            Some(quote) => name.trim_matches(quote).to_string(),
            None => name.to_string(),
        })
        .collect())
}

/// Reads a whole table; all columns are text.
///
/// # Errors
/// Names the first line that has no UTF-8, is blank, has broken quotes or a number of fields other than
/// the header's.
pub(crate) fn table(path: &Path, bytes: &[u8], dialect: Dialect) -> Result<DataFrame> {
    let columns = header(path, bytes, dialect)?.len();
    let bytes = unix_lines(without_mark(bytes));
    let rows = scan(path, &bytes, dialect, columns)?;
    let options = CsvReadOptions::default()
        .with_has_header(true)
        .with_infer_schema_length(Some(0))
        .with_parse_options(
            CsvParseOptions::default()
                .with_separator(dialect.separator)
                .with_quote_char(dialect.quote),
        );
    let frame = guarded(path, || {
        options.into_reader_with_file_handle(Cursor::new(bytes.as_ref())).finish()
    })?;
    if frame.height() != rows {
        return Err(Error::input(
            path,
            Place::File,
            "",
            format!("{} rows were read from {rows} lines", frame.height()),
            "this is a fault of the reader; please report the file",
        ));
    }
    Ok(frame)
}

/// Checks every line and returns the number of rows below the header.
fn scan(path: &Path, bytes: &[u8], dialect: Dialect, columns: usize) -> Result<usize> {
    if let Err(error) = std::str::from_utf8(bytes) {
        let line = 1 + bytes[..error.valid_up_to()].iter().filter(|&&byte| byte == b'\n').count();
        return Err(Error::input(
            path,
            Place::Line(line as u64),
            "",
            "not UTF-8 text",
            "convert the file to UTF-8",
        ));
    }
    let body = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    let mut lines = 0;
    for line in body.split(|&byte| byte == b'\n') {
        lines += 1;
        let fail = |problem: String, remedy: &str| {
            Err(Error::input(path, Place::Line(lines as u64), "", problem, remedy))
        };
        if line.is_empty() {
            return fail("blank line".into(), "remove it");
        }
        match fields(line, dialect) {
            Some(count) if count == columns => {}
            Some(count) => {
                return fail(
                    format!("{count} fields, the header has {columns}"),
                    "give every row one value a column",
                );
            }
            None => {
                return fail(
                    "a quotation mark that does not enclose a whole value on this line".into(),
                    "enclose values as \"...\", double the marks inside, and keep a value on one line",
                );
            }
        }
    }
    Ok(lines - 1)
}

/// Number of fields of a line, or none when its quotes are broken.
fn fields(line: &[u8], dialect: Dialect) -> Option<usize> {
    let Some(quote) = dialect.quote.filter(|quote| line.contains(quote)) else {
        return Some(1 + line.iter().filter(|&&byte| byte == dialect.separator).count());
    };
    let (mut count, mut rest) = (0, line);
    loop {
        count += 1;
        let end = if rest.first() == Some(&quote) {
            let mut position = 1;
            loop {
                position += 1 + rest[position..].iter().position(|&byte| byte == quote)?;
                if rest.get(position) != Some(&quote) {
                    break;
                }
                position += 1;
            }
            position
        } else {
            let end = rest.iter().position(|&byte| byte == dialect.separator);
            let end = end.unwrap_or(rest.len());
            if rest[..end].contains(&quote) {
                return None;
            }
            end
        };
        match rest.get(end) {
            None => return Some(count),
            Some(&byte) if byte == dialect.separator => rest = &rest[end + 1..],
            Some(_) => return None,
        }
    }
}

/// Without the byte order mark that some spreadsheets put first.
fn without_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)
}

/// With `\n` line ends, so that no value keeps a `\r`.
fn unix_lines(bytes: &[u8]) -> Cow<'_, [u8]> {
    if !bytes.contains(&b'\r') {
        return Cow::Borrowed(bytes);
    }
    let mut clean = Vec::with_capacity(bytes.len());
    for (position, &byte) in bytes.iter().enumerate() {
        if byte != b'\r' || bytes.get(position + 1) != Some(&b'\n') {
            clean.push(byte);
        }
    }
    Cow::Owned(clean)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CSV: Dialect = Dialect { separator: b',', quote: Some(b'"') };
    const TSV: Dialect = Dialect { separator: b'\t', quote: None };

    fn values(text: &[u8], dialect: Dialect, column: &str) -> Vec<Option<String>> {
        let frame = table(Path::new("t"), text, dialect).unwrap();
        let column = frame.column(column).unwrap().str().unwrap();
        column.iter().map(|value| value.map(String::from)).collect()
    }

    fn message(text: &[u8], dialect: Dialect) -> String {
        table(Path::new("t.csv"), text, dialect).unwrap_err().to_string()
    }

    #[test]
    fn values_stay_text_and_quotes_follow_the_dialect() {
        let text = b"\xef\xbb\xbfuser,item\r\n007,\"a, \"\"b\"\"\"\r\n,x";
        assert_eq!(values(text, CSV, "user"), [Some("007".into()), None]);
        assert_eq!(values(text, CSV, "item"), [Some("a, \"b\"".into()), Some("x".into())]);
        let text = b"user\titem\n\"a\tb\"\n# c\t d \n";
        assert_eq!(values(text, TSV, "user"), [Some("\"a".into()), Some("# c".into())]);
        assert_eq!(values(text, TSV, "item"), [Some("b\"".into()), Some(" d ".into())]);
    }

    #[test]
    fn the_line_of_a_bad_row_is_named() {
        assert!(message(b"a,b\n1,2\n1\n", CSV).contains("line 3: 1 fields, the header has 2"));
        assert!(message(b"a,b\n1,2,3\n", CSV).contains("line 2: 3 fields, the header has 2"));
        assert!(message(b"a,b\n1,2\n\n3,4\n", CSV).contains("line 3: blank line"));
        assert!(message(b"a,b\n1,2\n\n", CSV).contains("line 3: blank line"));
        assert!(message(b"a,b\n\"1,2\n3\",4\n", CSV).contains("line 2: a quotation mark"));
        assert!(message(b"a,b\n1\"1\",2\n", CSV).contains("line 2: a quotation mark"));
        assert!(message(b"a,b\n1,2\n\xff,1\n", CSV).contains("line 3: not UTF-8"));
    }

    #[test]
    fn many_lines_keep_their_rows_whatever_the_threads_do() {
        let mut text = String::from("user\titem\n");
        for row in 0..200_000 {
            text.push_str(&format!("u{row}\ti{}\n", row % 7));
        }
        let users = values(text.as_bytes(), TSV, "user");
        assert_eq!(users.len(), 200_000);
        assert!(users.iter().enumerate().all(|(row, user)| *user == Some(format!("u{row}"))));
    }
}
