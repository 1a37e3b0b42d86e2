//! The Amazon metadata, one product a line: Python literals or JSON objects in 2014, JSON objects later.

use crate::lines::for_each_line;
use crate::manifest::FileRecord;
use crate::python::{self, DEPTH_LIMIT, Problem};
use crate::raw::Items;
use crate::release::Release;
use crate::reviews::{json_problem, not_text};
use crate::{Error, Result};
use serde::Deserialize;
use serde_json::Value;
use std::path::Path;

const REMEDY: &str = "this must be the metadata file, one product a line; get the file again";

/// The category of items that the later releases give none.
const NO_CATEGORY: &str = "(none)";

/// The fields taken in any release.
#[derive(Default, Deserialize)]
struct Record {
    asin: Option<Value>,
    categories: Option<Value>,
    // In 2018.
    category: Option<Value>,
    main_cat: Option<Value>,
    // In 2023.
    parent_asin: Option<Value>,
    main_category: Option<Value>,
}

/// Reads all products. In 2014 the category of a product is the last element of its last category path;
/// a product without one is kept without: only if someone reviewed it does that matter. Later it is the
/// last element of the one path, or else the main category, or else [`NO_CATEGORY`].
pub(crate) fn read(path: &Path, release: Release) -> Result<(Items, FileRecord)> {
    let mut items = Items::new(path, release.category_field());
    if release.has_gaps() {
        items.fill_gaps(NO_CATEGORY);
    }
    let record = for_each_line(path, |place, line| {
        if line.iter().all(u8::is_ascii_whitespace) {
            return Ok(());
        }
        let product = product(line, release)
            .map_err(|(field, problem)| Error::input(path, place, field, problem, REMEDY))?;
        items.push(&product.key, product.category.as_deref(), place)
    })?;
    Ok((items, record))
}

/// What is kept of a line.
struct Product {
    key: String,
    category: Option<String>,
}

/// The field at fault (empty for the whole line) and what is wrong.
type Fault = (&'static str, String);

/// The product on a line.
fn product(line: &[u8], release: Release) -> std::result::Result<Product, Fault> {
    let record = parse(line, release).map_err(|problem| ("", problem))?;
    let (field, key) = match release {
        Release::Year2014 | Release::Year2018 => ("asin", record.asin),
        Release::Year2023 | Release::Year2023Table => ("parent_asin", record.parent_asin),
    };
    let key = match key {
        Some(Value::String(key)) if !key.is_empty() => key,
        other => return Err((field, not_text(&other))),
    };
    let field = release.category_field();
    let category = match release {
        Release::Year2014 => last_path(record.categories).map_err(|problem| (field, problem))?,
        Release::Year2018 => {
            one_path(record.category, (field, "list of texts"), record.main_cat, "main_cat")?
        }
        Release::Year2023 | Release::Year2023Table => one_path(
            record.categories,
            (field, "list of texts"),
            record.main_category,
            "main_category",
        )?,
    };
    Ok(Product { key, category })
}

/// The authors' rule: the last element of the last path.
fn last_path(paths: Option<Value>) -> std::result::Result<Option<String>, String> {
    let Some(paths) = paths else { return Ok(None) };
    let Value::Array(mut paths) = paths else { return Err("not a list of paths".into()) };
    match paths.pop() {
        None => Ok(None),
        Some(Value::Array(mut path)) => match path.pop() {
            None => Ok(None),
            Some(Value::String(name)) => Ok(Some(name).filter(|name| !name.is_empty())),
            Some(_) => Err("the last path ends with something that is not text".into()),
        },
        Some(_) => Err("the last path is not a list".into()),
    }
}

/// The rule of the later releases: the last element of the path, or else the main category.
fn one_path(
    path: Option<Value>,
    (field, expected): (&'static str, &str),
    main: Option<Value>,
    main_field: &'static str,
) -> std::result::Result<Option<String>, Fault> {
    let last = match path {
        None => None,
        Some(Value::Array(mut path)) => path.pop(),
        Some(other) => {
            return Err((field, format!("not a {expected}: {}", not_text(&Some(other)))));
        }
    };
    match last {
        Some(Value::String(name)) if !name.is_empty() => return Ok(Some(name)),
        None | Some(Value::String(_)) => {}
        Some(other) => {
            return Err((field, format!("the last element: {}", not_text(&Some(other)))));
        }
    }
    match main {
        None => Ok(None),
        Some(Value::String(name)) => Ok(Some(name).filter(|name| !name.is_empty())),
        other => Err((main_field, not_text(&other))),
    }
}

fn parse(line: &[u8], release: Release) -> std::result::Result<Record, String> {
    // The JSON parser would take an array of the fields' values as well, and the other one says what is
    // wrong with it.
    let object = line.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{');
    let json_error = match serde_json::from_slice(line) {
        Ok(record) if object => return Ok(record),
        Ok(_) => return Err("not an object".into()),
        Err(error) => json_problem(&error),
    };
    if release != Release::Year2014 {
        return Err(json_error);
    }
    let text = std::str::from_utf8(line).map_err(|_| "not UTF-8 text".to_string())?;
    match python::fields(text, ["asin", "categories"]) {
        Ok([asin, categories]) => Ok(Record { asin, categories, ..Record::default() }),
        Err(Problem::NoDict) => Err("not an object".into()),
        Err(Problem::Deep) => Err(format!("nested deeper than {DEPTH_LIMIT} levels")),
        Err(Problem::Expected(what, at)) => {
            Err(format!("neither a Python literal ({what} at column {}) nor {json_error}", at + 1))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Place;

    fn read_text(text: &str) -> Result<Items> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("meta_X.json");
        std::fs::write(&path, text).unwrap();
        read(&path, Release::Year2014).map(|(items, _)| items)
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
        // Signs before numbers are not nested, so a long row of them is no recursion.
        assert!(read_text(&format!("{{'asin': {}1}}", "-".repeat(500_000))).is_err());
    }

    #[test]
    fn the_order_is_kept_and_the_first_error_wins() {
        let mut text = String::new();
        for number in 0..8202 {
            text.push_str(&format!(
                "{{'asin': 'B{number}', 'categories': [['c{}']]}}\n",
                number % 3
            ));
        }
        let items = read_text(&text).unwrap();
        assert_eq!(items.items.len(), 8202);
        for (number, item) in items.items.iter().enumerate() {
            assert_eq!(items.keys.text(number as u32), format!("B{number}"));
            assert_eq!(item.place, Place::Line(number as u64 + 1));
        }
        let bad = text.replace("'B5000'", "5000").replace("'B9'", "9").replace("'B8000'", "");
        assert!(read_text(&bad).unwrap_err().to_string().contains("line 10, field asin"));
    }

    fn read_later(release: Release, text: &str) -> Result<Items> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("meta_X.json");
        std::fs::write(&path, text).unwrap();
        read(&path, release).map(|(items, _)| items)
    }

    #[test]
    fn the_later_releases_have_one_path_a_main_category_or_none() {
        let text = r#"{"asin": "A", "category": ["Books", "Art"], "main_cat": "Books"}
{"asin": "B", "category": [], "main_cat": "Books"}
{"asin": "C", "category": [], "main_cat": ""}
{"asin": "D"}
"#;
        for (release, text) in [
            (Release::Year2018, text.to_string()),
            (
                Release::Year2023,
                text.replace("\"asin", "\"parent_asin")
                    .replace("\"category\"", "\"categories\"")
                    .replace("main_cat", "main_category"),
            ),
        ] {
            let items = read_later(release, &text).unwrap();
            let names: Vec<&str> = (0..4)
                .map(|item| items.categories.text(items.category_of(item).unwrap()))
                .collect();
            assert_eq!(names, ["Art", "Books", "(none)", "(none)"]);
        }
    }

    #[test]
    fn a_product_twice_has_the_first_of_its_categories_whatever_the_order_of_the_lines() {
        let mut lines = [
            r#"{"asin": "A", "category": ["b"]}"#,
            r#"{"asin": "A"}"#,
            r#"{"asin": "A", "category": ["a"]}"#,
        ];
        for turn in 0..3 {
            lines.rotate_left(turn);
            let items = read_later(Release::Year2018, &lines.join("\n")).unwrap();
            assert_eq!(items.items.len(), 1);
            assert_eq!(items.categories.text(items.category_of(0).unwrap()), "a");
        }
    }

    #[test]
    fn what_is_wrong_in_the_later_releases_is_named_with_line_and_field() {
        use Release::{Year2018, Year2023};
        for (release, bad, part) in [
            (Year2018, r#"{"asin": 1}"#, "line 2, field asin: 1 is not text"),
            (Year2018, r#"{"asin": "A", "category": "x"}"#, "line 2, field category: not a list"),
            (Year2018, r#"{"asin": "A", "category": [["x"]]}"#, "field category: the last element"),
            (Year2018, r#"{"asin": "A", "main_cat": 3}"#, "line 2, field main_cat: 3 is not text"),
            (Year2018, "{'asin': 'A'}", "line 2: not a JSON object"),
            (Year2023, r#"{"asin": "A"}"#, "line 2, field parent_asin: missing"),
            (Year2023, r#"{"parent_asin": "A", "categories": [3]}"#, "line 2, field categories"),
            (
                Year2023,
                r#"{"parent_asin": "A", "main_category": []}"#,
                "line 2, field main_category: [] is not text",
            ),
        ] {
            let text = format!("{{\"asin\": \"Z\", \"parent_asin\": \"Z\"}}\n{bad}\n");
            let message = read_later(release, &text).unwrap_err().to_string();
            assert!(message.contains(part), "{message}");
        }
    }
}
