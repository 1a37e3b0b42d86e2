//! Damaged input of every form: an error or a valid dataset, never a panic, and nothing left behind.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test may fail loudly"
)]

mod common;

use common::{EVENTS, ITEMS, Place, gzip, interactions, items, metadata_json, metadata_python};
use common::{reviews, tables};
use ctr_core::{Protocol, RandomStream, SeedStreams};
use ctr_dataset_prep::open;
use polars::prelude::{DataFrame, NamedFrom, ParquetWriter, Series};

/// Mutations of each file; `CTR_MUTATIONS` asks for more.
fn rounds() -> u64 {
    std::env::var("CTR_MUTATIONS").ok().and_then(|text| text.parse().ok()).unwrap_or(150)
}

/// One to three edits: a byte changed, a piece removed, doubled, or the rest cut off.
fn mutate(bytes: &[u8], stream: &mut RandomStream) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..=stream.below(3) {
        if bytes.is_empty() {
            break;
        }
        let from = stream.below(bytes.len() as u64) as usize;
        let to = (from + 1 + stream.below(20) as usize).min(bytes.len());
        match stream.below(6) {
            0 => bytes[from] = b"\n\t,\"'{}[]-\\:0\xff\r "[stream.below(16) as usize],
            1 => bytes[from] ^= 1 << stream.below(8),
            2 => bytes[from] = stream.next_u64() as u8,
            3 => drop(bytes.drain(from..to)),
            4 => {
                let piece = bytes[from..to].to_vec();
                bytes.splice(from..from, piece);
            }
            _ => bytes.truncate(from),
        }
    }
    bytes
}

fn parquet_interactions() -> Vec<u8> {
    let column = |select: fn(&(&'static str, &'static str, i64)) -> &'static str| -> Vec<&str> {
        EVENTS.iter().map(select).collect()
    };
    let times: Vec<i64> = EVENTS.iter().map(|event| event.2).collect();
    let mut frame = DataFrame::new_infer_height(vec![
        Series::new("user".into(), column(|event| event.0)).into(),
        Series::new("item".into(), column(|event| event.1)).into(),
        Series::new("timestamp".into(), times).into(),
    ])
    .unwrap();
    let mut bytes = Vec::new();
    ParquetWriter::new(&mut bytes).finish(&mut frame).unwrap();
    bytes
}

#[test]
fn damaged_raw_files() {
    let pairs = [
        [("interactions.tsv", interactions(&EVENTS, '\t')), ("items.tsv", items(&ITEMS, '\t'))],
        [("interactions.csv", interactions(&EVENTS, ',')), ("items.csv", items(&ITEMS, ','))],
        [
            ("interactions.csv.gz", gzip(&interactions(&EVENTS, ','))),
            ("items.tsv.gz", gzip(&items(&ITEMS, '\t'))),
        ],
        [
            ("reviews_Things_5.json", reviews(&EVENTS)),
            ("meta_Things.json", metadata_python(&ITEMS)),
        ],
        [
            ("reviews_Things_5.json.gz", gzip(&reviews(&EVENTS))),
            ("meta_Things.json", metadata_json(&ITEMS)),
        ],
        [("interactions.parquet", parquet_interactions()), ("items.tsv", items(&ITEMS, '\t'))],
    ];
    let mut stream = SeedStreams::new(8).stream("mutations");
    let (mut refused, mut taken) = (0u64, 0u64);
    for pair in &pairs {
        let place = Place::with(pair);
        for (name, good) in pair {
            for _ in 0..rounds() {
                place.put(name, &mutate(good, &mut stream));
                match place.prepare() {
                    Ok(prepared) => {
                        prepared.dataset(Protocol::HeldOut).unwrap().validate().unwrap();
                        taken += 1;
                    }
                    Err(error) => {
                        let message = error.to_string();
                        assert!(message.contains("raw"), "no file in: {message}");
                        assert!(message.contains(';'), "no remedy in: {message}");
                        assert!(message.len() < 1200, "{message}");
                        refused += 1;
                    }
                }
            }
            place.put(name, good);
        }
        assert_eq!(place.others(), Vec::<String>::new());
    }
    assert!(refused > taken && taken > 0, "{refused} refused, {taken} taken");
}

#[test]
fn damaged_prepared_files() {
    let place = tables();
    place.run().unwrap();
    let good = open(&place.out(), None).unwrap();
    let mut stream = SeedStreams::new(9).stream("mutations");
    for name in [
        "manifest.json",
        "interactions.parquet",
        "items.parquet",
        "categories.parquet",
        "users.parquet",
    ] {
        let path = place.out().join(name);
        let bytes = std::fs::read(&path).unwrap();
        for _ in 0..rounds() {
            let mutated = mutate(&bytes, &mut stream);
            std::fs::write(&path, &mutated).unwrap();
            match open(&place.out(), None) {
                // A manifest has parts that nothing can contradict, such as the seed.
                Ok(dataset) if name == "manifest.json" => {
                    assert_eq!(dataset.sequences, good.sequences);
                    assert_eq!(dataset.content_sha256, good.content_sha256);
                }
                Ok(_) => assert_eq!(mutated, bytes, "{name}: damage not noticed"),
                Err(error) => assert!(error.to_string().contains("out"), "{error}"),
            }
        }
        std::fs::write(&path, bytes).unwrap();
    }
}
