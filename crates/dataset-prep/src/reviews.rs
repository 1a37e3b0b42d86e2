//! The Amazon reviews, one a line: JSON objects in all releases, rows of a table in the 5-core subsets
//! of 2023.

use crate::lines::for_each_line;
use crate::manifest::FileRecord;
use crate::raw::{Events, Partition};
use crate::release::Release;
use crate::tables::whole_number;
use crate::{Error, Place, Result};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::path::Path;

const REMEDY: &str =
    "this must be the 5-core review file, one JSON object a line; get the file again";

/// The first line of a review table.
const HEADER: &str = "user_id,parent_asin,rating,timestamp";

/// The fields taken in 2014 and 2018; the review's text and all others are skipped without being kept.
#[derive(Deserialize)]
struct Old<Text, Number> {
    #[serde(rename = "reviewerID")]
    user: Option<Text>,
    asin: Option<Text>,
    #[serde(rename = "unixReviewTime")]
    time: Option<Number>,
}

/// The fields taken in 2023.
#[derive(Deserialize)]
struct New<Text, Number> {
    user_id: Option<Text>,
    parent_asin: Option<Text>,
    asin: Option<Text>,
    timestamp: Option<Number>,
}

/// User, item and time of either.
struct Review<Text, Number>(Option<Text>, Option<Text>, Option<Number>);

impl<Text, Number> From<Old<Text, Number>> for Review<Text, Number> {
    fn from(old: Old<Text, Number>) -> Self {
        Self(old.user, old.asin, old.time)
    }
}

impl<Text, Number> From<New<Text, Number>> for Review<Text, Number> {
    fn from(new: New<Text, Number>) -> Self {
        Self(new.user_id, new.parent_asin.or(new.asin), new.timestamp)
    }
}

/// Names of the three fields, for messages, and the remedy for a wrong time.
type Names = ([&'static str; 3], &'static str);

/// Reads all reviews, or those of some users; the file's name tells the release.
pub(crate) fn read(path: &Path, users: Option<Partition>) -> Result<(Events, FileRecord)> {
    let new: Names = (
        ["user_id", "parent_asin", "timestamp"],
        "give milliseconds since 1970 as a whole number from 0 up",
    );
    match Release::of(path) {
        Release::Year2014 | Release::Year2018 => {
            let names = (
                ["reviewerID", "asin", "unixReviewTime"],
                "give seconds since 1970 as a whole number from 0 up",
            );
            objects(
                (path, users),
                names,
                |line| quick::<Old<&str, u64>>(line),
                slow::<Old<Value, Value>>,
            )
        }
        Release::Year2023 => objects(
            (path, users),
            new,
            |line| quick::<New<&str, u64>>(line),
            slow::<New<Value, Value>>,
        ),
        Release::Year2023Table => table(path, users, new),
    }
}

/// A line as nearly all are: texts without escapes, which are borrowed, and a plain number.
fn quick<'a, Form>(line: &'a [u8]) -> Option<Review<&'a str, u64>>
where
    Form: Deserialize<'a> + Into<Review<&'a str, u64>>,
{
    serde_json::from_slice::<Form>(line).ok().map(Into::into)
}

/// Any line, with everything that a message needs.
fn slow<Form>(line: &[u8]) -> serde_json::Result<Review<Value, Value>>
where
    Form: DeserializeOwned + Into<Review<Value, Value>>,
{
    serde_json::from_slice::<Form>(line).map(Into::into)
}

fn objects(
    (path, users): (&Path, Option<Partition>),
    names: Names,
    quick: for<'a> fn(&'a [u8]) -> Option<Review<&'a str, u64>>,
    slow: fn(&[u8]) -> serde_json::Result<Review<Value, Value>>,
) -> Result<(Events, FileRecord)> {
    let mut events = Events::new(path, Place::Line(1), names.0[1]).of(users);
    let mut blank = None;
    let record = for_each_line(path, |place, line| {
        // Blank lines at the end do no harm; in between they would shift the line numbers of events.
        if line.iter().all(u8::is_ascii_whitespace) {
            blank = blank.or(Some(place));
            return Ok(());
        }
        if let Some(place) = blank {
            return Err(Error::input(path, place, "", "blank line", "remove it"));
        }
        // The parser would take an array of the fields' values as well.
        if line.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'{') {
            let problem = "not a JSON object as expected: it does not begin with {";
            return Err(Error::input(path, place, "", problem, REMEDY));
        }
        if let Some(Review(Some(user), Some(item), Some(time))) = quick(line)
            && !user.is_empty()
            && !item.is_empty()
        {
            return events.push(user, item, time);
        }
        let Review(user, item, time) = slow(line)
            .map_err(|error| Error::input(path, place, "", json_problem(&error), REMEDY))?;
        let text = |field: &str, value: Option<Value>| match value {
            Some(Value::String(text)) if !text.is_empty() => Ok(text),
            other => Err(Error::input(path, place, field, not_text(&other), REMEDY)),
        };
        let user = text(names.0[0], user)?;
        let item = text(names.0[1], item)?;
        let time = match time {
            Some(Value::Number(number)) => whole_number(&number.to_string()),
            None => Err("missing".into()),
            Some(other) => Err(format!("{other} is not a whole number")),
        };
        let time =
            time.map_err(|problem| Error::input(path, place, names.0[2], problem, names.1))?;
        events.push(&user, &item, time)
    })?;
    Ok((events, record))
}

/// A table with exactly the columns of [`HEADER`], whose values have neither commas nor quotes.
fn table(path: &Path, users: Option<Partition>, names: Names) -> Result<(Events, FileRecord)> {
    let mut events = Events::new(path, Place::Line(2), names.0[1]).of(users);
    let record = for_each_line(path, |place, line| {
        let fail = |field: &str, problem: String, remedy: &str| {
            Err(Error::input(path, place, field, problem, remedy))
        };
        let Ok(text) = std::str::from_utf8(line) else {
            return fail("", "not UTF-8 text".into(), "convert the file to UTF-8");
        };
        if place == Place::Line(1) {
            if text != HEADER {
                let shown: String = text.chars().take(80).collect();
                let remedy = format!("the columns of the 5-core files are {HEADER}, in this order");
                return fail("", format!("the header is {shown:?}"), &remedy);
            }
            return Ok(());
        }
        let values: Vec<&str> = text.split(',').collect();
        let [user, item, _, time] = values[..] else {
            let problem = match text {
                "" => "blank line".into(),
                _ => format!("{} fields, the header has 4", values.len()),
            };
            return fail("", problem, "give every row one value a column");
        };
        for (field, value) in [(names.0[0], user), (names.0[1], item)] {
            if value.is_empty() {
                return fail(field, "empty".into(), "give every row a value or remove the row");
            }
            if value.contains('"') {
                return fail(field, format!("{value} is quoted"), "give values without quotes");
            }
        }
        match whole_number(time) {
            Ok(time) => events.push(user, item, time),
            Err(problem) => fail(names.0[2], problem, names.1),
        }
    })?;
    Ok((events, record))
}

/// What serde_json says, with the column but without its own line number, which is always 1 here.
pub(crate) fn json_problem(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let text = text.split(" at line ").next().unwrap_or_default();
    format!("not a JSON object as expected: {text} (column {})", error.column())
}

/// What is wrong with a field that should be text.
pub(crate) fn not_text(value: &Option<Value>) -> String {
    match value {
        None => "missing".into(),
        Some(Value::String(_)) => "empty".into(),
        Some(other) => {
            let shown: String = other.to_string().chars().take(40).collect();
            format!("{shown} is not text")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &str) -> Result<Events> {
        read_named("reviews_X_5.json", text)
    }

    fn read_named(name: &str, text: &str) -> Result<Events> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        read(&path, None).map(|(events, _)| events)
    }

    #[test]
    fn the_three_fields_are_taken_and_the_rest_is_ignored() {
        let text = concat!(
            r#"{"reviewerID": "A1", "asin": "00B", "reviewText": "say \"hi\" [[[", "helpful": [0, 1], "unixReviewTime": 1365811200}"#,
            "\n",
            r#"{"unixReviewTime": 0, "asin": "\u0041", "reviewerID": "A0"}"#,
            "\n\n",
        );
        let events = read_text(text).unwrap();
        assert_eq!(events.times, [1_365_811_200, 0]);
        assert_eq!(events.item_keys.text(1), "A");
        assert_eq!(events.user_keys.text(0), "A1");
    }

    #[test]
    fn what_is_wrong_is_named_with_line_and_field() {
        let good = r#"{"reviewerID": "A", "asin": "B", "unixReviewTime": 1}"#;
        for (bad, part) in [
            (r#"{"reviewerID": "A""#, "line 2: not a JSON object"),
            (r#"{"asin": "B", "unixReviewTime": 1}"#, "line 2, field reviewerID: missing"),
            (r#"{"reviewerID": "", "asin": "B"}"#, "line 2, field reviewerID: empty"),
            (r#"{"reviewerID": "A", "asin": 7}"#, "line 2, field asin: 7 is not text"),
            (
                r#"{"reviewerID": "A", "asin": "B", "unixReviewTime": -1}"#,
                "line 2, field unixReviewTime: -1 is negative",
            ),
            (
                r#"{"reviewerID": "A", "asin": "B", "unixReviewTime": 1.5}"#,
                "line 2, field unixReviewTime: \"1.5\" is not a whole number",
            ),
            (r#"{"reviewerID": "A", "asin": "B"}"#, "line 2, field unixReviewTime: missing"),
            ("\n{}", "line 2: blank line"),
            (r#"["A", "B", 1]"#, "line 2: not a JSON object as expected"),
        ] {
            let message = read_text(&format!("{good}\n{bad}\n")).unwrap_err().to_string();
            assert!(message.contains(part), "{message}");
        }
    }

    #[test]
    fn the_release_of_2023_has_other_names() {
        let text = concat!(
            r#"{"user_id": "U", "parent_asin": "P", "asin": "Q", "timestamp": 1588687728923}"#,
            "\n",
            r#"{"asin": "Q\u0041", "user_id": "U", "rating": 5.0, "timestamp": 7}"#,
        );
        let events = read_named("X.jsonl", text).unwrap();
        assert_eq!(events.times, [1_588_687_728_923, 7]);
        assert_eq!((events.item_keys.text(0), events.item_keys.text(1)), ("P", "QA"));
        let good = r#"{"user_id": "U", "parent_asin": "P", "timestamp": 1}"#;
        for (bad, part) in [
            (r#"{"parent_asin": "P", "timestamp": 1}"#, "line 2, field user_id: missing"),
            (r#"{"user_id": "U", "timestamp": 1}"#, "line 2, field parent_asin: missing"),
            (r#"{"user_id": "U", "asin": "P"}"#, "line 2, field timestamp: missing"),
            (
                r#"{"user_id": "U", "asin": "P", "timestamp": "1"}"#,
                "field timestamp: \"1\" is not a whole number; give milliseconds",
            ),
        ] {
            let message = read_named("X_5.jsonl", &format!("{good}\n{bad}")).unwrap_err();
            assert!(message.to_string().contains(part), "{message}");
        }
    }

    #[test]
    fn the_table_of_2023_has_exactly_its_columns() {
        let events = read_named("X.csv", &format!("{HEADER}\r\nU,P,5.0,3\r\nV,P,1.0,2\r\n"));
        let events = events.unwrap();
        assert_eq!((events.times.as_slice(), events.place(1)), ([3, 2].as_slice(), Place::Line(3)));
        for (text, part) in [
            ("user_id,parent_asin,timestamp\n", "line 1: the header is \"user_id"),
            ("U,P,5.0\n", "line 2: 3 fields"),
            ("\nU,P,5.0,3\n", "line 2: blank line"),
            (",P,5.0,3\n", "line 2, field user_id: empty"),
            ("U,\"P\",5.0,3\n", "line 2, field parent_asin: \"P\" is quoted"),
            ("U,P,5.0,-3\n", "line 2, field timestamp: -3 is negative"),
        ] {
            let text =
                if text.contains("user_id") { text.into() } else { format!("{HEADER}\n{text}") };
            let message = read_named("X.csv", &text).unwrap_err().to_string();
            assert!(message.contains(part), "{message}");
        }
    }

    #[test]
    fn deep_nesting_is_no_danger() {
        let deep = format!(r#"{{"reviewerID": "A", "x": {}"#, "[".repeat(900_000));
        assert!(read_text(&deep).unwrap_err().to_string().contains("line 1"));
        let deep = format!(r#"{{"reviewerID": {}"#, "[".repeat(900_000));
        assert!(read_text(&deep).unwrap_err().to_string().contains("line 1"));
    }
}
