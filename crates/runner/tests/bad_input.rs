//! Bad input ends with exit code 2, one message with file and line, and nothing written.

// Helpers outside of test functions may panic too.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use common::Desk;
use std::io::Write;

const GOOD: &str = "user\titem\torder\n\
    u1\ta\t0\nu1\tb\t1\nu1\tc\t2\nu1\td\t3\nu2\ta\t0\nu2\tc\t1\nu2\te\t2\nu2\tb\t3\n";
const ITEMS: &str = "item\tcate\na\tx\nb\tx\nc\ty\nd\ty\ne\tz\nf\tz\n";

fn gz(text: &str) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

/// Prepares `files` and expects a refusal that contains all of `parts` and leaves the folder as it was.
fn refused(files: &[(&str, Vec<u8>)], parts: &[&str]) {
    let desk = Desk::new();
    for (name, content) in files {
        desk.write(&format!("raw/{name}"), content);
    }
    let before = desk.listing();
    let message = desk.fails(2, &["prep", "custom", "--raw", "raw", "--out", "prepared"]);
    for part in parts {
        assert!(message.contains(part), "{part:?} is not in {message:?}");
    }
    assert_eq!(message.trim_end().lines().count(), 1, "{message}");
    assert_eq!(desk.listing(), before, "something was left behind");
}

fn tables(interactions: &str, items: &str) -> Vec<(&'static str, Vec<u8>)> {
    vec![("interactions.tsv", interactions.into()), ("items.tsv", items.into())]
}

#[test]
fn the_good_pair_is_prepared() {
    let desk = Desk::new();
    for (name, content) in tables(GOOD, ITEMS) {
        desk.write(&format!("raw/{name}"), content);
    }
    let out = desk.ok(&["prep", "custom", "--raw", "raw", "--out", "prepared"]);
    assert!(out.contains("| custom | 2 | 5 | 3 | 8 |"), "{out}");
    assert!(desk.ok(&["stats", "prepared"]).contains("| custom | 2 | 5 | 3 | 8 |"));
}

#[test]
fn a_missing_file() {
    refused(&[("interactions.tsv", GOOD.into())], &["items"]);
}

#[test]
fn a_truncated_gzip() {
    let mut cut = gz(&GOOD.repeat(50));
    cut.truncate(cut.len() - 12);
    refused(
        &[("interactions.tsv.gz", cut), ("items.tsv", ITEMS.into())],
        &["interactions.tsv.gz", "truncated"],
    );
}

#[test]
fn a_line_that_does_not_parse() {
    refused(&tables(&GOOD.replace("u1\tc\t2", "u1\tc"), ITEMS), &["interactions.tsv", "line 4"]);
    refused(
        &tables(&GOOD.replace("u1\tc\t2", "u1\tc\tsoon"), ITEMS),
        &["interactions.tsv", "line 4", "order", "soon"],
    );
    let reviews =
        "{\"reviewerID\": \"u\", \"asin\": \"a\", \"unixReviewTime\": 1}\n{\"reviewerID\": \n";
    refused(
        &[
            ("reviews_Toys_5.json", reviews.into()),
            ("meta_Toys.json", "{'asin': 'a', 'categories': [['Toys']]}\n".into()),
        ],
        &["reviews_Toys_5.json", "line 2"],
    );
    let reviews = "{\"reviewerID\": \"u\", \"asin\": \"a\", \"unixReviewTime\": 1}\n";
    refused(
        &[
            ("reviews_Toys_5.json.gz", gz(reviews)),
            ("meta_Toys.json.gz", gz("{'asin': 'a', 'categories': [['Toys']}\n")),
        ],
        &["meta_Toys.json.gz", "line 1"],
    );
}

#[test]
fn an_unknown_column() {
    refused(
        &tables(&GOOD.replace("order", "when"), ITEMS),
        &["interactions.tsv", "line 1", "when", "order"],
    );
}

#[test]
fn a_negative_timestamp() {
    let table = GOOD.replace("order", "timestamp").replace("u2\te\t2", "u2\te\t-2");
    refused(&tables(&table, ITEMS), &["interactions.tsv", "line 8", "timestamp", "-2"]);
}

#[test]
fn an_item_without_a_category() {
    refused(
        &tables(GOOD, &ITEMS.replace("e\tz\n", "")),
        &["interactions.tsv", "line 8", "items.tsv"],
    );
    refused(&tables(GOOD, &ITEMS.replace("e\tz", "e\t")), &["items.tsv", "line 6", "cate"]);
}

#[test]
fn an_empty_user() {
    refused(&tables(&GOOD.replace("u2\tc", "\tc"), ITEMS), &["interactions.tsv", "line 7", "user"]);
}

#[test]
fn a_user_for_whom_no_negative_is_left() {
    let everything = "user\titem\torder\nu1\ta\t0\nu1\tb\t1\nu1\tc\t2\n";
    refused(&tables(everything, "item\tcate\na\tx\nb\tx\nc\ty\n"), &["u1", "negative"]);
}

#[test]
fn a_prepared_dataset_that_was_changed() {
    let desk = Desk::new();
    desk.ok(&["simulate", "tiny", "--out", "tiny"]);
    let path = desk.path("tiny/interactions.parquet");
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(path, bytes).unwrap();
    let message = desk.fails(2, &["train", "--model", "lr", "--data", "tiny", "--out", "run"]);
    assert!(message.contains("interactions.parquet"), "{message}");
    assert!(!desk.path("run").exists());
}
