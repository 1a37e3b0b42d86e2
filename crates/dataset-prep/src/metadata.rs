//! The authors' metadata: `meta_<Category>.json`, one Python literal (files of 2014) or JSON object a
//! line.
//!
//! The authors' scripts call `eval` on these lines; here nothing is ever executed. Python literals are
//! parsed by `py_literal`. Its grammar reads the last element of a list twice and that of a dict three
//! times, so its time grows by that factor with every level of nesting, and its recursion with the
//! nesting too. Therefore the nesting is limited before it sees a line.

use crate::manifest::FileRecord;
use crate::raw::Items;
use crate::reviews::{json_problem, not_text};
use crate::source::Source;
use crate::{Error, Place, Result};
use py_literal::Value as Python;
use rayon::prelude::*;
use serde::Deserialize;
use serde_json::Value;
use std::path::Path;

/// Deepest nesting taken. Real records have three levels (`related`: a dict of lists; `categories`: a
/// list of lists inside the record). With one more, a line of the greatest length made to be slow
/// (nested sets of numbers) takes half a minute and is then refused; an honest one takes a second.
const DEPTH_LIMIT: usize = 4;

const REMEDY: &str = "this must be the metadata file, one product a line; get the file again";

/// The fields taken.
#[derive(Default, Deserialize)]
struct Record {
    asin: Option<Value>,
    categories: Option<Value>,
}

/// Lines parsed at a time, on as many threads as the pool has: a Python literal takes some hundred times
/// longer than its line takes to read.
const BATCH: usize = 4096;

/// Reads all products: the category of a product is the last element of its last category path.
/// A product without one is kept without: only if someone reviewed it does that matter.
pub(crate) fn read(path: &Path) -> Result<(Items, FileRecord)> {
    let mut items = Items::new(path, "categories");
    let mut source = Source::open(path)?;
    let mut lines: Vec<(Place, Vec<u8>)> = Vec::with_capacity(BATCH);
    loop {
        // An error of reading comes after the errors of the lines before it.
        let more = fill(&mut source, &mut lines);
        // In the order of the lines, whichever thread was first.
        let products: Vec<_> = lines.par_iter().map(|(_, line)| product(line)).collect();
        for ((place, _), product) in lines.drain(..).zip(products) {
            let product = product
                .map_err(|(field, problem)| Error::input(path, place, field, problem, REMEDY))?;
            items.push(&product.asin, product.category.as_deref(), place)?;
        }
        if !more? {
            break;
        }
    }
    Ok((items, source.finish()?))
}

/// Reads the next lines that are not blank; false when the file has no more.
fn fill(source: &mut Source, lines: &mut Vec<(Place, Vec<u8>)>) -> Result<bool> {
    while lines.len() < BATCH {
        let mut line = Vec::new();
        if !source.next_line(&mut line)? {
            return Ok(false);
        }
        if !line.iter().all(u8::is_ascii_whitespace) {
            lines.push((source.place(), line));
        }
    }
    Ok(true)
}

/// What is kept of a line.
struct Product {
    asin: String,
    category: Option<String>,
}

/// The product on a line, or the field at fault (empty for the whole line) and what is wrong.
fn product(line: &[u8]) -> std::result::Result<Product, (&'static str, String)> {
    let record = parse(line).map_err(|problem| ("", problem))?;
    let asin = match record.asin {
        Some(Value::String(asin)) if !asin.is_empty() => asin,
        other => return Err(("asin", not_text(&other))),
    };
    let category = category(&record.categories).map_err(|problem| ("categories", problem))?;
    Ok(Product { asin, category: category.map(String::from) })
}

/// The authors' rule: the last element of the last path.
fn category(paths: &Option<Value>) -> std::result::Result<Option<&str>, String> {
    let Some(Value::Array(paths)) = paths else {
        return match paths {
            None => Ok(None),
            Some(_) => Err("not a list of paths".into()),
        };
    };
    match paths.last() {
        None => Ok(None),
        Some(Value::Array(path)) => match path.last() {
            None => Ok(None),
            Some(Value::String(name)) => Ok(Some(name.as_str()).filter(|name| !name.is_empty())),
            Some(_) => Err("the last path ends with something that is not text".into()),
        },
        Some(_) => Err("the last path is not a list".into()),
    }
}

fn parse(line: &[u8]) -> std::result::Result<Record, String> {
    let json_error = match serde_json::from_slice(line) {
        Ok(record) => return Ok(record),
        Err(error) => error,
    };
    let text = std::str::from_utf8(line).map_err(|_| "not UTF-8 text".to_string())?.trim();
    if depth(text) > DEPTH_LIMIT {
        return Err(format!("nested deeper than {DEPTH_LIMIT} levels"));
    }
    match text.parse::<Python>() {
        Ok(Python::Dict(pairs)) => {
            let mut record = Record::default();
            for (key, value) in pairs {
                match key {
                    Python::String(key) if key == "asin" => record.asin = to_json(value),
                    Python::String(key) if key == "categories" => {
                        record.categories = to_json(value);
                    }
                    _ => {}
                }
            }
            Ok(record)
        }
        Ok(_) => Err("not an object".into()),
        Err(error) => Err(format!(
            "neither a Python literal ({}) nor {}",
            syntax_problem(&error.to_string()),
            json_problem(&json_error)
        )),
    }
}

/// Text and lists as JSON values; `None` as absent. Anything else stands as null, which no field accepts.
fn to_json(value: Python) -> Option<Value> {
    match value {
        Python::None => None,
        Python::String(text) => Some(Value::String(text)),
        Python::List(items) | Python::Tuple(items) => {
            Some(Value::Array(items.into_iter().filter_map(to_json).collect()))
        }
        _ => Some(Value::Null),
    }
}

/// Deepest nesting of brackets outside of quoted text.
fn depth(text: &str) -> usize {
    let (mut depth, mut deepest) = (0usize, 0);
    let (mut quote, mut escaped) = (None, false);
    for byte in text.bytes() {
        match (quote, byte) {
            (Some(_), _) if escaped => escaped = false,
            (Some(_), b'\\') => escaped = true,
            (Some(open), _) if byte == open => quote = None,
            (Some(_), _) => {}
            (None, b'\'' | b'"') => quote = Some(byte),
            (None, b'[' | b'{' | b'(') => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            (None, b']' | b'}' | b')') => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// The position and the expectation out of the parser's picture of the line, which may be very long.
fn syntax_problem(text: &str) -> String {
    let column = text.split("--> 1:").nth(1).and_then(|rest| rest.lines().next());
    let expected = text.lines().last().unwrap_or_default().trim().trim_start_matches("= ");
    let expected: String = expected.chars().take(120).collect();
    match column {
        Some(column) => format!("{expected} at column {}", column.trim()),
        None => expected,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &str) -> Result<Items> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("meta_X.json");
        std::fs::write(&path, text).unwrap();
        read(&path).map(|(items, _)| items)
    }

    fn category_of(line: &str) -> Option<String> {
        let items = read_text(line).unwrap();
        items.items[0].category.map(|number| items.categories.text(number).to_string())
    }

    #[test]
    fn python_literals_and_json_give_the_last_element_of_the_last_path() {
        // The shape of a line of 2014, with the two kinds of quotes and an escape.
        let python = r#"{'asin': '0132793040', 'imUrl': 'http://x/y.jpg', 'description': "It's (a [text", 'price': 12.5, 'salesRank': {'Home &amp; Kitchen': 796318}, 'related': {'also_bought': ['B1', 'B2'], 'buy_after_viewing': []}, 'categories': [['Electronics', 'Audio'], ['Electronics', 'Caf\xe9 "Bar"', "Kid's \u00e9"]]}"#;
        assert_eq!(category_of(python).as_deref(), Some("Kid's é"));
        let json = r#"{"asin": "B", "x": null, "categories": [["A", "B"], ["A", "C"]]}"#;
        assert_eq!(category_of(json).as_deref(), Some("C"));
    }

    #[test]
    fn a_product_without_category_is_kept_without() {
        for line in [
            "{'asin': 'B'}",
            "{'asin': 'B', 'categories': []}",
            "{'asin': 'B', 'categories': [['A'], []]}",
            "{'asin': 'B', 'categories': [['']]}",
            "{'asin': 'B', 'categories': None}",
        ] {
            assert_eq!(category_of(line), None, "{line}");
        }
    }

    #[test]
    fn what_is_wrong_is_named_with_line_and_field() {
        let good = "{'asin': 'A', 'categories': [['x']]}";
        for (bad, part) in [
            ("{'asin': 'B', 'categories': [['x']", "line 3: neither a Python literal ("),
            ("__import__('os').system('true')", "line 3: neither a Python literal ("),
            ("{'asin': open('x').read()}", "at column 10"),
            ("['asin']", "line 3: not an object"),
            ("{'categories': [['x']]}", "line 3, field asin: missing"),
            ("{'asin': 3, 'categories': [['x']]}", "line 3, field asin"),
            ("{'asin': 'B', 'categories': 'x'}", "line 3, field categories: not a list of paths"),
            ("{'asin': 'B', 'categories': ['x']}", "line 3, field categories: the last path"),
            ("{'asin': 'B', 'categories': [[3]]}", "line 3, field categories: the last path ends"),
        ] {
            let message = read_text(&format!("{good}\n\n{bad}\n")).unwrap_err().to_string();
            assert!(message.contains(part), "{message}");
            assert!(message.len() < 500, "{message}");
        }
    }

    #[test]
    fn deep_nesting_neither_overflows_the_stack_nor_takes_for_ever() {
        for open in ["[", "{", "(", "{1:", "[1,", "(1,"] {
            let line = format!("{{'asin': {}", open.repeat(200_000));
            let message = read_text(&line).unwrap_err().to_string();
            assert!(message.contains("nested deeper"), "{message}");
        }
        // At the limit the parser's repeated attempts still end soon.
        let line = format!("{{'asin': {}'{}'", "{".repeat(DEPTH_LIMIT - 1), "x".repeat(100_000));
        assert!(read_text(&line).is_err());
        // Signs before numbers are not nested, so a long row of them is no recursion.
        assert!(read_text(&format!("{{'asin': {}1}}", "-".repeat(500_000))).is_err());
    }

    #[test]
    fn batches_keep_the_order_and_the_first_error_wins() {
        let mut text = String::new();
        for number in 0..2 * BATCH + 10 {
            text.push_str(&format!(
                "{{'asin': 'B{number}', 'categories': [['c{}']]}}\n",
                number % 3
            ));
        }
        let items = read_text(&text).unwrap();
        assert_eq!(items.items.len(), 2 * BATCH + 10);
        for (number, item) in items.items.iter().enumerate() {
            assert_eq!(items.keys.text(number as u32), format!("B{number}"));
            assert_eq!(item.place, Place::Line(number as u64 + 1));
        }
        let bad = text.replace("'B5000'", "5000").replace("'B9'", "9").replace("'B8000'", "");
        assert!(read_text(&bad).unwrap_err().to_string().contains("line 10, field asin"));
    }

    #[test]
    fn brackets_in_quoted_text_are_no_nesting() {
        assert_eq!(depth(r#"{'a': "[[[[[[[[", 'b': 'it\'s (((', "c": [1]}"#), 2);
    }
}
