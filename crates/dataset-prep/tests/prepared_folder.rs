//! Writing and opening: round trips, atomicity, and every kind of damage.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test may fail loudly"
)]

mod common;

use common::{EVENTS, ITEMS, Place, interactions, items, tables};
use ctr_core::{Protocol, sha256_hex};
use ctr_dataset_prep::{MANIFEST_SCHEMA_VERSION, open, read_manifest};
use polars::prelude::{Column, DataFrame, NamedFrom, ParquetWriter, Series};
use std::path::Path;

const FILES: [&str; 4] =
    ["categories.parquet", "interactions.parquet", "items.parquet", "users.parquet"];

fn written() -> Place {
    let place = tables();
    place.run().unwrap();
    place
}

fn listing(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn edit_manifest(place: &Place, change: impl FnOnce(&mut serde_json::Value)) {
    let path = place.out().join("manifest.json");
    let mut value: serde_json::Value =
        serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    change(&mut value);
    std::fs::write(&path, value.to_string()).unwrap();
}

fn refusal(place: &Place) -> String {
    open(&place.out(), None).unwrap_err().to_string()
}

/// Replaces a Parquet file and makes the manifest agree with its bytes, as a careless editor would.
fn replace_table(place: &Place, name: &str, columns: Vec<Column>) {
    let mut frame = DataFrame::new_infer_height(columns).unwrap();
    let mut bytes = Vec::new();
    ParquetWriter::new(&mut bytes).finish(&mut frame).unwrap();
    std::fs::write(place.out().join(name), &bytes).unwrap();
    edit_manifest(place, |manifest| {
        for file in manifest["files"].as_array_mut().unwrap() {
            if file["name"] == name {
                file["bytes"] = bytes.len().into();
                file["sha256"] = sha256_hex(&bytes).into();
            }
        }
    });
}

fn u32s(name: &str, values: &[u32]) -> Column {
    Series::new(name.into(), values).into()
}

#[test]
fn what_is_opened_is_what_was_prepared_under_both_protocols() {
    let place = tables();
    let prepared = place.prepare().unwrap();
    prepared.write(&place.out()).unwrap();
    for protocol in [Protocol::Authors, Protocol::HeldOut] {
        let opened = open(&place.out(), Some(protocol)).unwrap();
        assert_eq!(opened, prepared.dataset(protocol).unwrap());
        assert_eq!(opened.protocol, protocol);
    }
    let opened = open(&place.out(), None).unwrap();
    assert_eq!(opened.protocol, Protocol::Authors);
    assert_eq!(opened.statistics["samples"], 14);
    assert!(!opened.simulated);

    let manifest = read_manifest(&place.out()).unwrap();
    assert_eq!(manifest.files.len(), 4);
    assert_eq!(manifest.sources[0].name, "interactions.tsv");
    let bytes = std::fs::read(place.raw().join("interactions.tsv")).unwrap();
    assert_eq!(manifest.sources[0].sha256, sha256_hex(&bytes));
    // A manifest says nothing about the machine.
    let text = std::fs::read_to_string(place.out().join("manifest.json")).unwrap();
    assert!(!text.contains(&place.raw().display().to_string()), "{text}");
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let (first, second) = (written(), written());
    for name in FILES.into_iter().chain(["manifest.json"]) {
        let bytes = |place: &Place| std::fs::read(place.out().join(name)).unwrap();
        assert_eq!(bytes(&first), bytes(&second), "{name}");
    }
}

#[test]
fn only_a_prepared_dataset_is_replaced() {
    let place = written();
    assert_eq!(place.others(), ["out"]);
    let mut all = FILES.map(String::from).to_vec();
    all.insert(3, "manifest.json".into());
    assert_eq!(listing(&place.out()), all);

    // Again, with other content and a stray file: the whole folder is the new one.
    std::fs::write(place.out().join("stray"), "").unwrap();
    let before = read_manifest(&place.out()).unwrap();
    let mut options = place.options();
    options.seed = 7;
    ctr_dataset_prep::prepare(&options).unwrap().write(&place.out()).unwrap();
    assert_ne!(read_manifest(&place.out()).unwrap().content_sha256, before.content_sha256);
    assert_eq!(listing(&place.out()), all);
    assert_eq!(place.others(), ["out"]);
}

/// Whoever reads, or is killed in between, finds the old one or the new one.
#[cfg(target_os = "linux")]
#[test]
fn there_is_a_dataset_at_every_moment() {
    use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
    let place = written();
    let manifest = place.out().join("manifest.json");
    let (ended, looks) = (AtomicBool::new(false), AtomicU64::new(0));
    let missing = std::thread::scope(|scope| {
        let watch = scope.spawn(|| {
            let mut missing = 0u64;
            while !ended.load(Ordering::Relaxed) {
                missing += u64::from(!manifest.exists());
                looks.fetch_add(1, Ordering::Relaxed);
            }
            missing
        });
        let prepared = ctr_dataset_prep::prepare(&place.options()).unwrap();
        for _ in 0..100 {
            prepared.write(&place.out()).unwrap();
        }
        ended.store(true, Ordering::Relaxed);
        watch.join().unwrap()
    });
    assert!(looks.load(Ordering::Relaxed) > 1000);
    assert_eq!(missing, 0);
    assert_eq!(place.others(), ["out"]);
}

#[test]
fn a_folder_or_file_of_somebody_else_is_left_alone() {
    let place = tables();
    std::fs::create_dir(place.out()).unwrap();
    std::fs::write(place.out().join("thesis.tex"), "years of work").unwrap();
    let message = place.run().unwrap_err().to_string();
    assert!(message.contains("is not a prepared dataset"), "{message}");
    assert_eq!(listing(&place.out()), ["thesis.tex"]);

    let place = tables();
    std::fs::write(place.out(), "a file").unwrap();
    assert!(place.run().unwrap_err().to_string().contains("is not a prepared dataset"));
    assert_eq!(std::fs::read(place.out()).unwrap(), b"a file");
    assert_eq!(place.others(), ["out"]);
}

#[test]
fn an_empty_folder_is_filled_and_missing_parents_are_made() {
    let place = tables();
    std::fs::create_dir(place.out()).unwrap();
    place.run().unwrap();
    assert!(open(&place.out(), None).is_ok());
    let deep = place.out().join("a/b");
    place.prepare().unwrap().write(&deep).unwrap();
    assert!(open(&deep, None).is_ok());
}

#[test]
fn bad_input_leaves_an_older_dataset_as_it_was() {
    let place = written();
    let before = std::fs::read(place.out().join("manifest.json")).unwrap();
    place.put("interactions.tsv", b"user\titem\torder\nann\tpen\t-1\n");
    assert!(place.run().is_err());
    assert_eq!(std::fs::read(place.out().join("manifest.json")).unwrap(), before);
    assert!(open(&place.out(), None).is_ok());
    assert_eq!(place.others(), ["out"]);
}

#[test]
fn every_flipped_byte_of_every_file_is_noticed() {
    let place = written();
    for name in FILES {
        let path = place.out().join(name);
        let good = std::fs::read(&path).unwrap();
        for position in (0..good.len()).step_by(37) {
            let mut bad = good.clone();
            bad[position] ^= 1;
            std::fs::write(&path, bad).unwrap();
            let message = refusal(&place);
            assert!(message.contains(name) && message.contains("prepare the dataset again"));
        }
        std::fs::write(&path, &good[..good.len() - 1]).unwrap();
        assert!(refusal(&place).contains("truncated"));
        std::fs::remove_file(&path).unwrap();
        assert!(refusal(&place).contains(name));
        std::fs::write(&path, good).unwrap();
        open(&place.out(), None).unwrap();
    }
}

#[test]
fn the_manifest_hash_and_counts_must_fit_the_content() {
    let place = written();
    edit_manifest(&place, |manifest| {
        let hash = manifest["content_sha256"].as_str().unwrap();
        let flipped = if hash.starts_with('0') { "1" } else { "0" };
        manifest["content_sha256"] = format!("{flipped}{}", &hash[1..]).into();
    });
    let message = refusal(&place);
    assert!(message.contains("content_sha256") && message.contains("again"), "{message}");

    let place = written();
    edit_manifest(&place, |manifest| manifest["counts"]["goods"] = 7.into());
    assert!(refusal(&place).contains("7 of goods, the files have 6"));

    let place = written();
    edit_manifest(&place, |manifest| manifest["schema"]["vocabularies"][0]["size"] = 99.into());
    assert!(refusal(&place).contains("schema"));
}

#[test]
fn later_versions_unknown_fields_and_no_manifest_are_told_apart() {
    let place = written();
    edit_manifest(&place, |manifest| {
        manifest["schema_version"] = (MANIFEST_SCHEMA_VERSION + 1).into();
        manifest["a_field_of_the_future"] = true.into();
    });
    let message = refusal(&place);
    assert!(message.contains("schema_version 3") && message.contains("knows 2"), "{message}");

    let place = written();
    edit_manifest(&place, |manifest| manifest["sed"] = 1.into());
    assert!(refusal(&place).contains("unknown field `sed`"));

    let place = written();
    std::fs::write(place.out().join("manifest.json"), "{").unwrap();
    assert!(refusal(&place).contains("not a manifest"));

    assert!(open(&tables().raw(), None).unwrap_err().to_string().contains("no manifest.json"));
}

#[test]
fn edited_columns_are_refused_even_when_the_file_hashes_were_edited_too() {
    let place = written();
    let dataset = open(&place.out(), None).unwrap();
    let goods = dataset.sequences.fields[0].ids.clone();
    let users = [0, 0, 0, 0, 1, 1, 2, 3, 3, 3, 4, 4, 4, 4];
    // Cup, the first good, is eve's alone; tea, the last, is dan's and eve's.
    let negatives = [1, 1, 6, 6, 1, 1, 1, 1, 1, 1, 4, 4, 5, 5];
    let with = |users: &[u32], goods: &[u32], negatives: &[u32]| {
        let columns =
            vec![u32s("user_id", users), u32s("goods_id", goods), u32s("negative_id", negatives)];
        replace_table(&place, "interactions.parquet", columns);
        refusal(&place)
    };
    assert!(with(&users, &goods, &negatives).contains("content_sha256"));
    let mut bad = goods.clone();
    bad[3] = 7;
    assert!(with(&users, &bad, &negatives).contains("goods_id 7 in row 4 is not in 1..=6"));
    let mut bad = negatives;
    bad[0] = 0;
    assert!(with(&users, &goods, &bad).contains("negative_id 0 in row 1"));
    let mut bad = negatives;
    bad[0] = goods[1];
    assert!(with(&users, &goods, &bad).contains("one of the user's own"));
    let mut bad = users;
    bad[13] = 5;
    assert!(with(&bad, &goods, &negatives).contains("user_id 5 in row 14 of 5 users"));
    let mut bad = users;
    bad[13] = 0;
    assert!(with(&bad, &goods, &negatives).contains("user_id falls in row 14"));

    replace_table(&place, "interactions.parquet", vec![u32s("user_id", &users)]);
    assert!(refusal(&place).contains("column goods_id is missing"));
}

#[test]
fn an_output_that_cannot_be_written_leaves_nothing() {
    let place = Place::with(&[
        ("interactions.tsv", interactions(&EVENTS, '\t')),
        ("items.tsv", items(&ITEMS, '\t')),
    ]);
    // A file stands where the parent folder should be.
    let out = place.raw().join("items.tsv").join("out");
    let message = place.prepare().unwrap().write(&out).unwrap_err().to_string();
    assert!(message.contains("items.tsv"), "{message}");
    assert_eq!(listing(&place.raw()), ["interactions.tsv", "items.tsv"]);
    assert_eq!(place.others(), Vec::<String>::new());
}
