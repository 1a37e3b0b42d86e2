//! The authors' reviews: `reviews_<Category>_5.json`, one JSON object a line.

use crate::manifest::FileRecord;
use crate::raw::Events;
use crate::source::Source;
use crate::tables::whole_number;
use crate::{Error, Place, Result};
use serde::Deserialize;
use serde_json::Value;
use std::path::Path;

const REMEDY: &str =
    "this must be the 5-core review file, one JSON object a line; get the file again";

/// The fields taken; the review's text and all others are skipped without being kept.
#[derive(Deserialize)]
struct Review {
    #[serde(rename = "reviewerID")]
    user: Option<Value>,
    asin: Option<Value>,
    #[serde(rename = "unixReviewTime")]
    time: Option<Value>,
}

/// Reads all reviews.
pub(crate) fn read(path: &Path) -> Result<(Events, FileRecord)> {
    let mut events = Events::new(path, Place::Line(1), "asin");
    let mut source = Source::open(path)?;
    let mut line = Vec::new();
    let mut blank = None;
    while source.next_line(&mut line)? {
        // Blank lines at the end do no harm; in between they would shift the line numbers of events.
        if line.iter().all(u8::is_ascii_whitespace) {
            blank = blank.or(Some(source.place()));
            continue;
        }
        if let Some(place) = blank {
            return Err(Error::input(path, place, "", "blank line", "remove it"));
        }
        let place = source.place();
        let review: Review = serde_json::from_slice(&line)
            .map_err(|error| Error::input(path, place, "", json_problem(&error), REMEDY))?;
        let text = |field: &str, value: &Option<Value>| match value {
            Some(Value::String(text)) if !text.is_empty() => Ok(text.clone()),
            other => Err(Error::input(path, place, field, not_text(other), REMEDY)),
        };
        let user = text("reviewerID", &review.user)?;
        let item = text("asin", &review.asin)?;
        let time = match &review.time {
            Some(Value::Number(number)) => whole_number(&number.to_string()),
            None => Err("missing".into()),
            Some(other) => Err(format!("{other} is not a whole number")),
        };
        let time = time.map_err(|problem| {
            let remedy = "give seconds since 1970 as a whole number from 0 up";
            Error::input(path, place, "unixReviewTime", problem, remedy)
        })?;
        events.push(&user, &item, time)?;
    }
    Ok((events, source.finish()?))
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
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("reviews_X_5.json");
        std::fs::write(&path, text).unwrap();
        read(&path).map(|(events, _)| events)
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
        ] {
            let message = read_text(&format!("{good}\n{bad}\n")).unwrap_err().to_string();
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
