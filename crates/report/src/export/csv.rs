//! Comma-separated values (RFC 4180), with `\n` between lines; and the same values as JSON.

use serde_json::{Map, Number, Value};

/// Columns of texts, some of which may look like numbers.
const TEXTS: [&str; 35] = [
    "category",
    "change",
    "claim",
    "config_sha256",
    "content_sha256",
    "dataset",
    "exhibit",
    "family",
    "feature",
    "from_config_sha256",
    "from_run_ids",
    "group",
    "label",
    "machines",
    "model",
    "preset",
    "protocol",
    "published_dataset",
    "regularizer",
    "row",
    "run_id",
    "run_ids",
    "section",
    "seeds",
    "setting",
    "settings",
    "signature",
    "table",
    "text",
    "title",
    "to_config_sha256",
    "to_run_ids",
    "tried",
    "type",
    "variant",
];

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

    /// One object a line under the header's names. What is empty is null; the name of a column says whether it
    /// has texts, and all others have numbers, or true and false.
    pub(crate) fn json(&self) -> String {
        let value = |name: &str, cell: &str| match cell {
            "" => Value::Null,
            cell if TEXTS.contains(&name) => Value::String(cell.into()),
            "true" => Value::Bool(true),
            "false" => Value::Bool(false),
            cell => parse(cell).map_or_else(|| Value::String(cell.into()), Value::Number),
        };
        let object = |line: &Vec<String>| {
            let cells = self.header.iter().zip(line);
            let pairs = cells.map(|(name, cell)| ((*name).to_string(), value(name, cell)));
            Value::Object(pairs.collect::<Map<_, _>>()).to_string()
        };
        let objects: Vec<String> = self.lines.iter().map(object).collect();
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
    fn json_has_the_types_that_the_columns_have() {
        let lines = [["1", "0.5", "2", "true", "0012"], ["20", "", "b", "false", ""]];
        let lines = lines.iter().map(|line| line.iter().map(ToString::to_string).collect());
        let header = ["n", "gauc", "label", "simulated", "run_ids"];
        let values = Values::new(&header, lines.collect());
        let parsed: Value = serde_json::from_str(&values.json()).unwrap();
        assert_eq!(
            parsed,
            serde_json::json!([
                {"n": 1, "gauc": 0.5, "label": "2", "simulated": true, "run_ids": "0012"},
                {"n": 20, "gauc": null, "label": "b", "simulated": false, "run_ids": null}
            ])
        );
        assert_eq!(Values::new(&["n"], vec![]).json(), "[\n\n]\n");
    }
}
