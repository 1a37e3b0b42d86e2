//! Every accepted form of the same data gives the same prepared dataset.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test may fail loudly"
)]

mod common;

use common::{EVENTS, ITEMS, Place, authors, gzip, interactions, items, metadata_json, reviews};
use common::{metadata_python, rows, tables};
use ctr_core::Protocol;
use ctr_dataset_prep::Prepared;
use polars::prelude::{Column, DataFrame, NamedFrom, ParquetCompression, ParquetWriter, Series};

/// Changes only when the meaning of a prepared dataset changes; the generators' versions grow with it.
const GOLDEN: &str = "f7bca90f7d55b4571996ad5344ab9f5f65d35d5a0b5250d97777897d6e55df75";

fn parquet(columns: Vec<Column>, compression: ParquetCompression) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut frame = DataFrame::new_infer_height(columns).unwrap();
    ParquetWriter::new(&mut bytes).with_compression(compression).finish(&mut frame).unwrap();
    bytes
}

fn column<T, P: ?Sized>(name: &str, values: T) -> Column
where
    Series: NamedFrom<T, P>,
{
    Series::new(name.into(), values).into()
}

fn parquet_pair(compression: ParquetCompression) -> Place {
    let users: Vec<&str> = EVENTS.iter().map(|event| event.0).collect();
    let things: Vec<&str> = EVENTS.iter().map(|event| event.1).collect();
    let times: Vec<i64> = EVENTS.iter().map(|event| event.2).collect();
    let keys: Vec<&str> = ITEMS.iter().map(|item| item.0).collect();
    let categories: Vec<&str> = ITEMS.iter().map(|item| item.1).collect();
    Place::with(&[
        (
            "interactions.parquet",
            parquet(
                vec![
                    column("timestamp", times),
                    column("item", things),
                    column("user", users),
                    column("rating", vec![1.5f64; EVENTS.len()]),
                ],
                compression,
            ),
        ),
        (
            "items.parquet",
            parquet(vec![column("item", keys), column("cate", categories)], compression),
        ),
    ])
}

fn hash(prepared: &Prepared) -> &str {
    &prepared.manifest().content_sha256
}

#[test]
fn the_small_dataset_is_what_one_computes_by_hand() {
    let prepared = tables().prepare().unwrap();
    let counts = &prepared.manifest().counts;
    let found = ["users", "goods", "categories", "samples"].map(|name| counts[name]);
    assert_eq!(found, [5, 6, 3, 14]);
    assert_eq!(counts["items_without_reviews"], 1);
    let dataset = prepared.dataset(Protocol::Authors).unwrap();
    // cup 1, ink 2, lamp 3, mug 4, pen 5, tea 6; home 1, kitchen 2, office 3.
    assert_eq!(dataset.sequences.offsets, [0, 4, 6, 7, 10, 14]);
    assert_eq!(
        dataset.sequences.fields[0].ids,
        [
            2, 5, 4, 3, /* bob */ 5, 3, /* cat */ 4, /* dan */ 6, 5, 2,
            /* eve */ 2, 1, 3, 6
        ]
    );
    assert_eq!(dataset.sequences.fields[1].ids[..4], [3, 3, 2, 1]);
    let positives = |samples| -> Vec<(u32, Vec<u32>, u32)> {
        rows(&dataset, samples)
            .into_iter()
            .filter(|row| row.3 == 1)
            .map(|(user, history, good, _)| (user, history, good))
            .collect()
    };
    assert_eq!(
        positives(&dataset.train),
        [(0, vec![2], 5), (0, vec![2, 5], 4), (3, vec![6], 5), (4, vec![2], 1), (4, vec![2, 1], 3)]
    );
    assert_eq!(
        positives(&dataset.test),
        [(0, vec![2, 5, 4], 3), (1, vec![5], 3), (3, vec![6, 5], 2), (4, vec![2, 1, 3], 6)]
    );
    assert_eq!(hash(&prepared), GOLDEN);
}

#[test]
fn all_forms_have_the_same_content() {
    let forms = [
        Place::with(&[
            ("interactions.tsv.gz", gzip(&interactions(&EVENTS, '\t'))),
            ("items.csv.gz", gzip(&items(&ITEMS, ','))),
        ]),
        Place::with(&[
            ("interactions.csv", interactions(&EVENTS, ',')),
            ("items.tsv", items(&ITEMS, '\t')),
        ]),
        authors(),
        Place::with(&[
            ("reviews_Things_5.json.gz", gzip(&reviews(&EVENTS))),
            ("meta_Things.json.gz", gzip(&metadata_json(&ITEMS))),
        ]),
        parquet_pair(ParquetCompression::Snappy),
        parquet_pair(ParquetCompression::Zstd(None)),
        parquet_pair(ParquetCompression::Uncompressed),
    ];
    for form in forms {
        let prepared = form.prepare().unwrap();
        assert_eq!(hash(&prepared), GOLDEN, "{:?}", prepared.manifest().sources);
        assert_eq!(prepared.manifest().sources.len(), 2);
    }
}

#[test]
fn a_known_dataset_takes_the_pair_with_its_category() {
    let place = Place::with(&[
        ("reviews_Beauty_5.json", reviews(&EVENTS)),
        ("meta_Beauty.json", metadata_python(&ITEMS)),
        ("reviews_Baby_5.json", b"not looked at".to_vec()),
    ]);
    let mut options = place.options();
    options.id = "amazon-beauty".into();
    let prepared = ctr_dataset_prep::prepare(&options).unwrap();
    assert_eq!(prepared.manifest().id, "amazon-beauty");
    assert_eq!(prepared.manifest().sources[0].name, "reviews_Beauty_5.json");
    assert_eq!(hash(&prepared), GOLDEN);
}

#[test]
fn shuffled_rows_change_nothing() {
    let mut events: Vec<(&str, &str, i64)> =
        EVENTS.iter().enumerate().map(|(row, event)| (event.0, event.1, row as i64)).collect();
    let prepared = |events: &[(&str, &str, i64)]| {
        let mut shuffled = ITEMS.to_vec();
        shuffled.reverse();
        let files =
            [("interactions.csv", interactions(events, ',')), ("items.csv", items(&shuffled, ','))];
        Place::with(&files).prepare().unwrap()
    };
    let straight = prepared(&events);
    events.reverse();
    events.swap(2, 9);
    assert_eq!(hash(&prepared(&events)), hash(&straight));
    // Nor with equal times, where the item's key decides.
    let mut tied = EVENTS.to_vec();
    tied.reverse();
    assert_eq!(hash(&prepared(&tied)), hash(&prepared(&EVENTS)));
}

#[test]
fn one_event_or_the_seed_moves_the_hash_and_the_protocol_does_not() {
    let mut events = EVENTS;
    events[13].2 = 3;
    let changed = Place::with(&[
        ("interactions.tsv", interactions(&events, '\t')),
        ("items.tsv", items(&ITEMS, '\t')),
    ]);
    assert_ne!(hash(&changed.prepare().unwrap()), GOLDEN);

    let place = tables();
    let mut options = place.options();
    options.protocol = Protocol::HeldOut;
    assert_eq!(hash(&ctr_dataset_prep::prepare(&options).unwrap()), GOLDEN);
    options.seed = 1;
    assert_ne!(hash(&ctr_dataset_prep::prepare(&options).unwrap()), GOLDEN);
}
