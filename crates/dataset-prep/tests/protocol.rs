//! The authors' protocol on real and simulated data: counts, negatives, no leakage.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test may fail loudly"
)]

mod common;

use common::{public_data, rows};
use ctr_core::{Dataset, Protocol, Split};
use ctr_dataset_prep::{
    PrepOptions, Prepared, SimulateOptions, Statistics, catalog, prepare, presets, simulate,
};
use std::collections::BTreeSet;

fn simulated(preset: &str, seed: u64) -> Prepared {
    let protocol = Protocol::Authors;
    simulate(&SimulateOptions { preset: preset.into(), seed, scale: 1.0, protocol }).unwrap()
}

/// What must hold for every dataset under every protocol, checked row by row.
fn check_rows(dataset: &Dataset) {
    let histories: Vec<&[u32]> = dataset
        .sequences
        .offsets
        .windows(2)
        .map(|pair| &dataset.sequences.fields[0].ids[pair[0] as usize..pair[1] as usize])
        .collect();
    let touched: Vec<BTreeSet<u32>> =
        histories.iter().map(|goods| goods.iter().copied().collect()).collect();
    let mut positions = BTreeSet::new();
    for split in Split::ALL {
        let rows = rows(dataset, dataset.split(split));
        for pair in rows.chunks(2) {
            let [(user, history, good, 1), (other_user, other_history, negative, 0)] = pair else {
                panic!("{split:?}: not a positive and a negative");
            };
            assert_eq!((user, history), (other_user, other_history));
            let goods = histories[*user as usize];
            // The target is the event right after the history, so nothing at or after it is seen.
            assert_eq!(goods[history.len()], *good);
            assert!(!history.is_empty());
            assert!(!touched[*user as usize].contains(negative), "{split:?} user {user}");
            assert!(positions.insert((*user, history.len())), "position in two splits");
            let after = goods.len() - history.len();
            let expected = match (dataset.protocol, after) {
                (_, 1) => Split::Test,
                (Protocol::HeldOut, 2) => Split::Validation,
                _ => Split::Train,
            };
            assert_eq!(split, expected);
        }
    }
    let wanted: usize = histories.iter().map(|goods| goods.len() - 1).sum();
    assert_eq!(positions.len(), wanted, "every event but the first is asked for once");

    // Where a user has each good once, no test target is among the user's training positives.
    let positives = |split: Split| -> BTreeSet<(u32, u32)> {
        rows(dataset, dataset.split(split))
            .into_iter()
            .filter(|row| row.3 == 1)
            .map(|(user, _, good, _)| (user, good))
            .collect()
    };
    if histories.iter().zip(&touched).all(|(goods, distinct)| goods.len() == distinct.len()) {
        let train = positives(Split::Train);
        assert!(positives(Split::Test).is_disjoint(&train));
        assert!(positives(Split::Validation).is_disjoint(&train));
    }
}

fn check_counts(id: &str, found: &Statistics) {
    let known = catalog().unwrap().into_iter().find(|dataset| dataset.id == id).unwrap();
    for (name, found) in [
        ("users", found.users),
        ("goods", found.goods),
        ("categories", found.categories),
        ("samples", found.samples),
        ("authors_train_rows", found.train_rows),
        ("authors_test_rows", found.test_rows),
    ] {
        assert_eq!(found, known.expected[name], "{name}");
    }
    assert_eq!(found.validation_rows, 0);
}

/// Prepares public data, checks it under both protocols and returns the authors' statistics.
fn public(id: &str) -> Option<Statistics> {
    let raw = public_data(id)?;
    let options = PrepOptions::new(id, &raw, Protocol::Authors);
    let prepared = prepare(&options).unwrap();
    assert_eq!(prepared.manifest().counts["items_without_reviews"], 0);
    let found = prepared.statistics().unwrap();
    check_counts(id, &found);
    check_rows(&prepared.dataset(Protocol::Authors).unwrap());
    let held_out = prepared.dataset(Protocol::HeldOut).unwrap();
    check_rows(&held_out);
    assert_eq!(held_out.validation.rows() as u64, 2 * found.users);
    assert_eq!(held_out.train.rows() as u64, found.train_rows - 2 * found.users);
    Some(found)
}

#[test]
fn beauty_has_the_published_counts() {
    let Some(found) = public("amazon-beauty") else { return };
    // The same numbers as constants: the catalog must not drift with the code.
    assert_eq!((found.users, found.goods, found.categories), (22_363, 12_101, 195));
    assert_eq!((found.samples, found.train_rows, found.test_rows), (198_502, 307_552, 44_726));
    let history = found.history;
    assert_eq!((history.min, history.median, history.p95, history.max), (5, 6, 21, 204));
    assert!((history.mean - 8.88).abs() < 0.005, "{}", history.mean);
    let golden = "950cc31b4093438b07ebb82d1447389b78d98ba5f49193c69459e5f2d6d96e49";
    assert_eq!(found.content_sha256, golden);
}

#[test]
fn sports_has_the_published_counts() {
    let Some(found) = public("amazon-sports-and-outdoors") else { return };
    assert_eq!((found.users, found.goods, found.categories), (35_598, 18_357, 959));
    assert_eq!((found.samples, found.train_rows, found.test_rows), (296_337, 450_282, 71_196));
    let history = found.history;
    assert_eq!((history.min, history.median, history.p95, history.max), (5, 6, 18, 296));
    assert!((history.mean - 8.32).abs() < 0.005, "{}", history.mean);
    let golden = "8a2a1ce77561445090d7f06d8039bca0db6a93bee6d8c3c7e0e5e9e2b0ae39a6";
    assert_eq!(found.content_sha256, golden);
}

#[test]
fn tiny_is_exact_five_core_and_without_repetition() {
    let prepared = simulated("tiny", 1234);
    check_counts("tiny", &prepared.statistics().unwrap());
    assert!(prepared.manifest().simulated);
    let dataset = prepared.dataset(Protocol::HeldOut).unwrap();
    assert!(dataset.simulated);
    check_rows(&dataset);
    five_core(&dataset);
}

/// Every user and every good has five reviews, and no user reviews a good twice.
fn five_core(dataset: &Dataset) {
    let goods = &dataset.sequences.fields[0].ids;
    let mut counts = vec![0u32; dataset.schema.vocabularies[0].size as usize];
    for &good in goods {
        counts[good as usize] += 1;
    }
    assert!(counts[1..].iter().all(|&count| count >= 5));
    for pair in dataset.sequences.offsets.windows(2) {
        assert!(pair[1] - pair[0] >= 5);
        let mut own = goods[pair[0] as usize..pair[1] as usize].to_vec();
        own.sort_unstable();
        own.dedup();
        assert_eq!(own.len() as u32, pair[1] - pair[0]);
    }
}

#[test]
fn the_simulator_repeats_itself_and_follows_the_seed() {
    let hash = |seed| simulated("tiny", seed).manifest().content_sha256.clone();
    assert_eq!(hash(1234), hash(1234));
    assert_ne!(hash(1234), hash(1235));
    // Fixed for ever: a change here needs a new generator version and a line in the changelog.
    assert_eq!(hash(1234), "6e0d51343d2725666be53833d81ddf8ceadf45a5e410697bb4521a6e94145ba4");
}

#[test]
fn electronics_size_has_the_published_counts_and_a_long_tail() {
    let prepared = simulated("amazon-electronics-sim", 1234);
    let found = prepared.statistics().unwrap();
    check_counts("amazon-electronics-sim", &found);
    assert_eq!((found.users, found.goods, found.categories), (192_403, 63_001, 801));
    assert_eq!(found.samples, 1_689_188);
    assert_eq!(found.history.min, 5);
    assert!((100..=400).contains(&found.history.max), "{:?}", found.history);
    let dataset = prepared.dataset(Protocol::Authors).unwrap();
    five_core(&dataset);
    // Popularity is a power law: the top hundredth of the goods has many times its share.
    let mut counts = vec![0u32; 63_002];
    for &good in &dataset.sequences.fields[0].ids {
        counts[good as usize] += 1;
    }
    counts.sort_unstable_by(|a, b| b.cmp(a));
    let top: u32 = counts[..630].iter().sum();
    assert!(top > 1_689_188 / 5, "{top}");
}

#[test]
fn every_simulated_dataset_of_the_catalog_is_a_preset() {
    let known: Vec<String> = catalog()
        .unwrap()
        .into_iter()
        .filter(|dataset| dataset.kind == ctr_dataset_prep::Kind::Simulated)
        .map(|dataset| dataset.id)
        .collect();
    assert_eq!(known, presets());
}
