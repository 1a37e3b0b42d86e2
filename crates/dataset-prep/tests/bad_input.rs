//! One test for each kind of bad input: the message names file, place, field and remedy, and nothing
//! is left behind.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test may fail loudly"
)]

mod common;

use common::{EVENTS, ITEMS, Place, authors, gzip, interactions, items, reviews, tables};

fn assert_parts(message: &str, parts: &[&str]) {
    for part in parts {
        assert!(message.contains(part), "{part:?} is not in: {message}");
    }
}

/// Tables whose interactions are this text.
fn events_text(text: &str) -> Place {
    Place::with(&[
        ("interactions.tsv", text.replace(' ', "\t").into_bytes()),
        ("items.tsv", items(&ITEMS, '\t')),
    ])
}

/// Tables whose items are this text.
fn items_text(text: &str) -> Place {
    Place::with(&[
        ("interactions.tsv", interactions(&EVENTS, '\t')),
        ("items.tsv", text.replace(' ', "\t").into_bytes()),
    ])
}

#[test]
fn a_missing_file() {
    let place = Place::with(&[("interactions.tsv", interactions(&EVENTS, '\t'))]);
    assert_parts(&place.refused(), &["interactions.tsv", "items.(tsv|tsv.gz", "place a table"]);
    let place = Place::with(&[("reviews_Things_5.json", reviews(&EVENTS))]);
    assert_parts(&place.refused(), &["reviews_Things_5.json", "meta_", "place the metadata"]);
    assert_parts(&Place::with(&[]).refused(), &["no raw files found", "interactions."]);
}

#[test]
fn truncated_gzip() {
    let packed = gzip(&interactions(&EVENTS, '\t'));
    let place = Place::with(&[
        ("interactions.tsv.gz", packed[..packed.len() / 2].to_vec()),
        ("items.tsv", items(&ITEMS, '\t')),
    ]);
    let parts = ["interactions.tsv.gz, line ", "ends early (truncated)", "get the file again"];
    assert_parts(&place.refused(), &parts);

    let packed = gzip(&reviews(&EVENTS));
    let place = authors();
    std::fs::remove_file(place.raw().join("reviews_Things_5.json")).unwrap();
    place.put("reviews_Things_5.json.gz", &packed[..packed.len() - 3]);
    let parts = ["reviews_Things_5.json.gz, line 15", "truncated", "get the file again"];
    assert_parts(&place.refused(), &parts);
}

#[test]
fn damaged_gzip() {
    let mut packed = gzip(&interactions(&EVENTS, '\t'));
    let middle = packed.len() / 2;
    packed[middle] ^= 0x55;
    let place = Place::with(&[("interactions.tsv.gz", packed), ("items.tsv", items(&ITEMS, '\t'))]);
    assert_parts(&place.refused(), &["interactions.tsv.gz", "get the file again"]);
}

#[test]
fn a_line_that_does_not_parse() {
    let place = authors();
    place.put(
        "reviews_Things_5.json",
        b"{\"reviewerID\": \"a\", \"asin\": \"pen\", \"unixReviewTime\": 1}\n{oops}\n",
    );
    assert_parts(
        &place.refused(),
        &["reviews_Things_5.json, line 2", "JSON", "get the file again"],
    );

    let place = authors();
    place.put("meta_Things.json", b"{'asin': 'pen', 'categories': [['x']]}\n{'asin': oops}\n");
    assert_parts(&place.refused(), &["meta_Things.json, line 2", "Python", "get the file again"]);
}

#[test]
fn a_row_with_too_many_or_too_few_fields() {
    let message = events_text("user item order\nann pen 1\nann pen\n").refused();
    assert_parts(
        &message,
        &["interactions.tsv, line 3", "2 fields, the header has 3", "give every row"],
    );
    let message = events_text("user item order\nann pen 1 9\n").refused();
    assert_parts(&message, &["interactions.tsv, line 2", "4 fields", "give every row"]);
    // The same place in a compressed file.
    let place = Place::with(&[
        ("interactions.csv.gz", gzip(b"user,item,order\nann,pen,1\nann,pen,2\nann\n")),
        ("items.tsv", items(&ITEMS, '\t')),
    ]);
    assert_parts(&place.refused(), &["interactions.csv.gz, line 4", "1 fields"]);
}

#[test]
fn an_unknown_column() {
    let message = items_text("item cate color\npen office red\n").refused();
    let parts = ["items.tsv, line 1", "\"color\"", "unknown column", "item, cate, attrs"];
    assert_parts(&message, &parts);
    let message = events_text("user item time\nann pen 1\n").refused();
    let parts = ["interactions.tsv, line 1", "\"time\"", "user, item, order, timestamp, rating"];
    assert_parts(&message, &parts);
}

#[test]
fn a_missing_column() {
    let message = items_text("item\npen\n").refused();
    assert_parts(
        &message,
        &["items.tsv, line 1, field cate", "missing column", "add the column cate"],
    );
    let message = events_text("user item\nann pen\n").refused();
    assert_parts(
        &message,
        &["interactions.tsv, line 1", "missing column", "add order or timestamp"],
    );
}

#[test]
fn a_negative_or_broken_time() {
    let message = events_text("user item order\nann pen 1\nann ink -3\n").refused();
    let parts = ["interactions.tsv, line 3, field order", "-3 is negative", "whole numbers"];
    assert_parts(&message, &parts);
    let message = events_text("user item timestamp\nann pen 1.5\n").refused();
    assert_parts(&message, &["interactions.tsv, line 2, field timestamp", "\"1.5\""]);

    let place = authors();
    let mut events = EVENTS;
    events[6].2 = -1;
    place.put("reviews_Things_5.json", &reviews(&events));
    let parts = ["reviews_Things_5.json, line 7, field unixReviewTime", "-1 is negative", "1970"];
    assert_parts(&place.refused(), &parts);
}

#[test]
fn an_item_without_category() {
    let message = items_text("item cate\npen office\n").refused();
    let parts =
        ["interactions.tsv, line 2, field item", "\"lamp\" has no category", "add the item's cate"];
    assert_parts(&message, &parts);
    let message = items_text("item cate\npen office\nlamp \n").refused();
    assert_parts(&message, &["items.tsv, line 3, field cate", "empty", "remove the row"]);

    let place = authors();
    place.put("meta_Things.json", b"{'asin': 'lamp', 'categories': []}\n");
    let parts = [
        "reviews_Things_5.json, line 1, field asin",
        "\"lamp\" has no category",
        "meta_Things.json, line 1 gives it none",
        "add the item's categories",
    ];
    assert_parts(&place.refused(), &parts);
}

#[test]
fn an_empty_user_or_item() {
    let message = events_text("user item order\nann pen 1\n ink 2\n").refused();
    assert_parts(&message, &["interactions.tsv, line 3, field user", "empty", "remove the row"]);
    let message = events_text("user item order\nann  1\n").refused();
    assert_parts(&message, &["interactions.tsv, line 2, field item", "empty"]);
    let place = authors();
    place.put(
        "reviews_Things_5.json",
        b"{\"reviewerID\": \"\", \"asin\": \"pen\", \"unixReviewTime\": 1}\n",
    );
    assert_parts(&place.refused(), &["reviews_Things_5.json, line 1, field reviewerID", "empty"]);
}

#[test]
fn an_item_with_two_categories() {
    let message = items_text("item cate\npen office\nink office\npen home\n").refused();
    let parts = ["items.tsv, line 4, field cate", "\"pen\"", "line 2", "\"office\"", "keep one"];
    assert_parts(&message, &parts);
}

#[test]
fn no_rows() {
    for text in ["user item order\n", "user item order"] {
        let message = events_text(text).refused();
        assert_parts(&message, &["interactions.tsv", "no rows", "at least one"]);
    }
    assert_parts(&items_text("item cate\n").refused(), &["items.tsv", "no rows"]);
    assert_parts(&events_text("").refused(), &["interactions.tsv, line 1"]);
    let place = authors();
    place.put("reviews_Things_5.json", b"");
    assert_parts(&place.refused(), &["reviews_Things_5.json", "no rows", "at least one"]);
}

#[test]
fn fewer_goods_than_a_negative_needs() {
    let message = events_text("user item order\nann pen 1\nann ink 2\nbob pen 1\n").refused();
    let parts = ["interactions.tsv, line 2", "\"ann\"", "all 2 goods", "give more goods"];
    assert_parts(&message, &parts);
}

#[test]
fn a_parquet_file_names_rows() {
    use polars::prelude::{DataFrame, NamedFrom, ParquetWriter, Series};
    let place = tables();
    std::fs::remove_file(place.raw().join("interactions.tsv")).unwrap();
    let mut frame = DataFrame::new_infer_height(vec![
        Series::new("user".into(), ["ann", "ann"]).into(),
        Series::new("item".into(), ["pen", "ink"]).into(),
        Series::new("order".into(), [0i64, -1]).into(),
    ])
    .unwrap();
    let mut bytes = Vec::new();
    ParquetWriter::new(&mut bytes).finish(&mut frame).unwrap();
    place.put("interactions.parquet", &bytes);
    let parts = ["interactions.parquet, row 2, field order", "-1 is negative"];
    assert_parts(&place.refused(), &parts);
    // Cut short, it is refused as a whole.
    place.put("interactions.parquet", &bytes[..bytes.len() - 20]);
    assert_parts(&place.refused(), &["interactions.parquet", "cannot be read"]);
}

#[test]
fn text_that_is_not_utf8() {
    let place = tables();
    place.put("interactions.tsv", b"user\titem\torder\nann\tpen\t1\nb\xffb\tpen\t1\n");
    assert_parts(&place.refused(), &["interactions.tsv, line 3", "UTF-8"]);
}
