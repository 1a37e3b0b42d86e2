//! What a raw file may look like without changing the prepared dataset, on generated data with ties and
//! repeated reviews; and damage that must be noticed.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test may fail loudly"
)]

mod common;

use common::{Place, gzip};
use ctr_core::{RandomStream, SeedStreams};

/// Generated datasets.
const CASES: u64 = 30;

/// Events (user, item, time) and items (item, category), with keys of several alphabets.
struct Data {
    events: Vec<(String, String, u64)>,
    items: Vec<(String, String)>,
}

fn data(stream: &mut RandomStream) -> Data {
    let letters = ["A", "b", "é", "日", "0", "ß", "𝛼"];
    let key = |prefix: &str, number: u64| {
        format!("{prefix}{}{number}", letters[(number % letters.len() as u64) as usize])
    };
    let (users, goods) = (2 + stream.below(5), 12 + stream.below(10));
    let mut events = Vec::new();
    for user in 0..users {
        for _ in 0..1 + stream.below(8) {
            // Few times, so that many are equal.
            events.push((key("u", user), key("i", stream.below(goods)), stream.below(3)));
            if stream.below(5) == 0 {
                events.extend(events.last().cloned());
            }
        }
    }
    // One more user, so that nobody has all goods and leaves none for a negative.
    for good in [goods, goods + 1] {
        events.push((key("u", users), key("i", good), 1));
    }
    let items = (0..goods + 2).map(|good| (key("i", good), key("c", stream.below(4)))).collect();
    Data { events, items }
}

fn shuffle<T>(values: &mut [T], stream: &mut RandomStream) {
    for place in (1..values.len()).rev() {
        values.swap(place, stream.below(place as u64 + 1) as usize);
    }
}

/// A text as JSON and as Python write it, sometimes with numbers for its letters.
fn quoted(text: &str, quote: char, stream: &mut RandomStream) -> String {
    let escape = stream.below(2) == 0;
    let mut all = String::from(quote);
    for letter in text.chars() {
        let code = letter as u32;
        if escape && code > 127 && code < 0x10000 {
            all.push_str(&format!("\\u{code:04x}"));
        } else {
            all.push(letter);
        }
    }
    all.push(quote);
    all
}

fn object(mut fields: Vec<(&str, String)>, quote: char, stream: &mut RandomStream) -> String {
    shuffle(&mut fields, stream);
    let fields: Vec<String> =
        fields.iter().map(|(name, value)| format!("{quote}{name}{quote}: {value}")).collect();
    format!("{{{}}}", fields.join(", "))
}

/// Lines as a file, with everything drawn that must not matter.
fn file(name: &str, lines: &[String], stream: &mut RandomStream) -> (String, Vec<u8>) {
    let ending = ["\n", "\r\n"][stream.below(2) as usize];
    let mut text = String::from(["", "\u{feff}"][stream.below(2) as usize]);
    text.push_str(&lines.join(ending));
    text.push_str(["", ending][stream.below(2) as usize]);
    match stream.below(2) {
        0 => (name.into(), text.into_bytes()),
        _ => (format!("{name}.gz"), gzip(text.as_bytes())),
    }
}

/// The data in one of its forms, its lines shuffled.
fn raw(data: &Data, form: u64, stream: &mut RandomStream) -> Place {
    let (mut events, mut items) = (Vec::new(), Vec::new());
    let mut headers = None;
    let mut names = ("reviews_X_5.json", "meta_X.json");
    for (user, item, time) in &data.events {
        let time = time.to_string();
        let text = quoted("it's [{ (", '"', stream);
        let (user_json, item_json) = (quoted(user, '"', stream), quoted(item, '"', stream));
        events.push(match form {
            0 => format!("{user}\t{item}\t{time}"),
            1 | 2 => object(
                vec![
                    ("reviewerID", user_json),
                    ("asin", item_json),
                    ("unixReviewTime", time),
                    ("reviewText", text),
                    ("helpful", "[0, 1]".into()),
                ],
                '"',
                stream,
            ),
            3 => object(
                vec![("user_id", user_json), ("parent_asin", item_json), ("timestamp", time)],
                '"',
                stream,
            ),
            _ => format!("{user},{item},5.0,{time}"),
        });
    }
    for (item, category) in &data.items {
        let json = (quoted(item, '"', stream), quoted(category, '"', stream));
        items.push(match form {
            0 => format!("{item}\t{category}"),
            1 => {
                let quote = ['\'', '"'][stream.below(2) as usize];
                let path = quoted(category, quote, stream);
                let fields = vec![
                    ("asin", quoted(item, quote, stream)),
                    ("categories", format!("[['x', 'y'], ['All', {path},],]")),
                    ("price", "-1.5e3".into()),
                    ("related", "{'also_bought': ['B', \"it's\"], 'x': None}".into()),
                ];
                object(fields, quote, stream)
            }
            2 => object(
                vec![("asin", json.0), ("category", format!("[\"All\", {}]", json.1))],
                '"',
                stream,
            ),
            _ => object(
                vec![("parent_asin", json.0), ("categories", format!("[\"All\", {}]", json.1))],
                '"',
                stream,
            ),
        });
    }
    shuffle(&mut events, stream);
    shuffle(&mut items, stream);
    match form {
        0 => {
            names = ("interactions.tsv", "items.tsv");
            headers = Some(("user\titem\ttimestamp", Some("item\tcate")));
        }
        2 => names = ("X_5.json", "meta_X.json"),
        3 => names = ("X.jsonl", "meta_X.jsonl"),
        4 => {
            names = ("X.csv", "meta_X.jsonl");
            headers = Some(("user_id,parent_asin,rating,timestamp", None));
        }
        _ => {}
    }
    if let Some((first, second)) = headers {
        events.insert(0, first.into());
        items.splice(0..0, second.map(String::from));
    }
    let files = [file(names.0, &events, stream), file(names.1, &items, stream)];
    Place::with(&files.each_ref().map(|(name, bytes)| (name.as_str(), bytes.clone())))
}

#[test]
fn neither_the_form_nor_the_order_of_lines_changes_the_dataset() {
    let mut stream = SeedStreams::new(11).stream("properties");
    for case in 0..CASES {
        let data = data(&mut stream);
        let mut first: Option<String> = None;
        for form in [0, 0, 1, 1, 1, 2, 2, 3, 3, 4, 4] {
            let place = raw(&data, form, &mut stream);
            let prepared = place.prepare().unwrap();
            assert_eq!(prepared.manifest().counts["samples"], data.events.len() as u64);
            let hash = prepared.manifest().content_sha256.clone();
            assert_eq!(*first.get_or_insert(hash.clone()), hash, "case {case}, form {form}");
        }
    }
}

#[test]
fn damage_is_an_error_with_file_and_line() {
    let mut stream = SeedStreams::new(12).stream("damage");
    for _ in 0..CASES {
        let data = data(&mut stream);
        let lines: Vec<String> = data
            .events
            .iter()
            .map(|(user, item, time)| {
                format!(r#"{{"reviewerID": "{user}", "asin": "{item}", "unixReviewTime": {time}}}"#)
            })
            .collect();
        let products: Vec<String> = data
            .items
            .iter()
            .map(|(item, category)| format!("{{'asin': '{item}', 'categories': [['{category}']]}}"))
            .collect();
        let text = |lines: &[String]| (lines.join("\n") + "\n").into_bytes();
        let place =
            Place::with(&[("reviews_X_5.json", text(&lines)), ("meta_X.json", text(&products))]);
        assert!(place.prepare().is_ok());

        let at = stream.below(lines.len() as u64 - 1) as usize + 1;
        let mut blank = lines.clone();
        blank.insert(at, String::new());
        place.put("reviews_X_5.json", &text(&blank));
        let message = place.refused();
        assert!(message.contains(&format!("_5.json, line {}: blank line", at + 1)), "{message}");
        place.put("reviews_X_5.json", &text(&lines));

        let at = stream.below(products.len() as u64) as usize;
        let mut broken = products.clone();
        let quote = broken[at].rfind('\'').unwrap();
        broken[at].remove(quote);
        place.put("meta_X.json", &text(&broken));
        let message = place.refused();
        assert!(message.contains(&format!("meta_X.json, line {}: neither", at + 1)), "{message}");

        // Cut anywhere, even where a line ends.
        let packed = gzip(&text(&products));
        std::fs::remove_file(place.raw().join("meta_X.json")).unwrap();
        let kept = 1 + stream.below(packed.len() as u64 - 1) as usize;
        place.put("meta_X.json.gz", &packed[..kept]);
        let message = place.refused();
        assert!(
            message.contains("meta_X.json.gz, line ") && message.contains("truncated"),
            "{message}"
        );
    }
}
