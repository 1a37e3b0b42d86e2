//! Comma-separated values (RFC 4180), with `\n` between lines; and the same values as JSON.

use serde_json::{Map, Number, Value};

/// Values of a table with all their digits, line by line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Values {
    header: Vec<&'static str>,
    lines: Vec<Vec<String>>,
}

impl Values {
    /// Lines with a cell for each heading.
    pub(crate) fn new(header: &[&'static str], lines: Vec<Vec<String>>) -> Self {
        Self { header: header.to_vec(), lines }
    }

    /// A header and lines, quoted where needed.
    pub(crate) fn csv(&self) -> String {
        let mut text = self.header.join(",");
        text.push('\n');
        for line in &self.lines {
            let cells: Vec<String> = line.iter().map(|cell| quote(cell)).collect();
            text.push_str(&cells.join(","));
            text.push('\n');
        }
        text
    }

    /// One object a line under the header's names. Columns of nothing but numbers have numbers, and what is
    /// empty is null.
    pub(crate) fn json(&self) -> String {
        let numeric: Vec<bool> = (0..self.header.len())
            .map(|column| {
                let mut cells = self.lines.iter().filter_map(|line| line.get(column));
                cells.all(|cell| cell.is_empty() || parse(cell).is_some())
            })
            .collect();
        let object = |line: &Vec<String>| {
            let pairs =
                self.header.iter().zip(line).zip(&numeric).map(|((name, cell), numeric)| {
                    let value = match (cell.as_str(), numeric) {
                        ("", _) => Value::Null,
                        (cell, true) => parse(cell).map_or(Value::Null, Value::Number),
                        (cell, false) => Value::String(cell.into()),
                    };
                    ((*name).to_string(), value)
                });
            Value::Object(pairs.collect::<Map<_, _>>())
        };
        let objects: Vec<String> = self.lines.iter().map(|line| object(line).to_string()).collect();
        format!("[\n{}\n]\n", objects.join(",\n"))
    }
}

/// A number as it stands, whole or not.
fn parse(cell: &str) -> Option<Number> {
    match cell.parse::<u64>() {
        Ok(whole) => Some(whole.into()),
        Err(_) => Number::from_f64(cell.parse().ok()?),
    }
}

fn quote(cell: &str) -> String {
    if cell.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", cell.replace('"', "\"\""))
    } else {
        cell.to_string()
    }
}

/// A number with all its digits, empty for none.
pub(crate) fn number(value: Option<f64>) -> String {
    value.map_or_else(String::new, |value| value.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_needs_quotes_is_quoted() {
        let values = Values::new(&["a", "b"], vec![vec!["x, \"y\"".into(), "z".into()]]);
        assert_eq!(values.csv(), "a,b\n\"x, \"\"y\"\"\",z\n");
        assert_eq!(number(Some(0.1 + 0.2)), "0.30000000000000004");
        assert_eq!(number(None), "");
    }

    #[test]
    fn json_has_numbers_where_a_column_has_nothing_else() {
        let lines = [["1", "0.5", "2"], ["20", "", "b"]];
        let lines = lines.iter().map(|line| line.iter().map(ToString::to_string).collect());
        let values = Values::new(&["n", "gauc", "label"], lines.collect());
        let parsed: Value = serde_json::from_str(&values.json()).unwrap();
        assert_eq!(
            parsed,
            serde_json::json!([
                {"n": 1, "gauc": 0.5, "label": "2"},
                {"n": 20, "gauc": null, "label": "b"}
            ])
        );
        assert_eq!(Values::new(&["n"], vec![]).json(), "[\n\n]\n");
    }
}
