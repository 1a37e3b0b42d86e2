//! The simulated log of ads: what is written, that it repeats itself, and that its truth is true.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use ctr_core::Protocol;
use ctr_dataset_prep::{
    AdWorld, Error, SimulateOptions, is_simulation_of, open, read_manifest, read_truth,
    simulate_ads,
};
use ctr_metrics::{GaucVariant, gauc};
use polars::prelude::{DataFrame, ParquetReader, SerReader};
use std::path::Path;

fn options(seed: u64) -> SimulateOptions {
    SimulateOptions { preset: "alibaba-sim".into(), seed, scale: 0.02, protocol: Protocol::HeldOut }
}

/// A folder with the simulation of a seed.
fn simulated(seed: u64) -> tempfile::TempDir {
    let place = tempfile::tempdir().unwrap();
    simulate_ads(&options(seed), place.path()).unwrap();
    place
}

fn column(frame: &DataFrame, name: &str) -> Vec<u32> {
    frame.column(name).unwrap().u32().unwrap().iter().flatten().collect()
}

fn rows(folder: &Path) -> DataFrame {
    let file = std::fs::File::open(folder.join("rows.parquet")).unwrap();
    ParquetReader::new(file).finish().unwrap()
}

#[test]
fn the_same_seed_gives_the_same_bytes_on_one_thread_and_on_two() {
    let on = |threads: usize, seed: u64| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| simulated(seed))
    };
    let (first, second, other) = (on(1, 1), on(2, 1), on(2, 2));
    let manifest = read_manifest(first.path()).unwrap();
    assert_eq!(manifest.files.len(), 17);
    for name in manifest.files.iter().map(|file| file.name.as_str()).chain(["manifest.json"]) {
        let bytes = |place: &tempfile::TempDir| std::fs::read(place.path().join(name)).unwrap();
        assert!(bytes(&first) == bytes(&second), "{name}");
    }
    assert_ne!(manifest.content_sha256, read_manifest(other.path()).unwrap().content_sha256);
    assert!(is_simulation_of(&manifest, &options(1)));
    assert!(!is_simulation_of(&manifest, &options(2)));
    // Fixed for ever: a change here needs a new generator version and a line in the changelog.
    let golden = "d365623d702286c870eb9785cea7090caa91fe38cc2cb86b212d971e87dbadfd";
    assert_eq!(manifest.content_sha256, golden);
}

#[test]
fn the_last_day_is_test_and_has_ids_that_training_never_saw() {
    let place = simulated(1);
    let manifest = read_manifest(place.path()).unwrap();
    let count = |name: &str| manifest.counts[name];
    let held_out = open(place.path(), None).unwrap();
    let authors = open(place.path(), Some(Protocol::Authors)).unwrap();
    assert_eq!(held_out.id, "alibaba-sim-x0.02");
    assert_eq!(held_out.train.rows() as u64, count("rows_until_day_12"));
    assert_eq!(held_out.validation.rows() as u64, count("rows_on_day_13"));
    assert_eq!(held_out.test.rows() as u64, count("rows_on_day_14"));
    assert_eq!(authors.train.rows(), held_out.train.rows() + held_out.validation.rows());
    assert_eq!(authors.test, held_out.test);
    assert_eq!(held_out.history_limit, Some(50));

    let frame = rows(place.path());
    let (users, parts) = (column(&frame, "user_id"), column(&frame, "part"));
    let lengths = column(&frame, "history_length");
    for row in 1..users.len() {
        // By user and time: neither the part nor the history ever falls.
        assert!(users[row] >= users[row - 1]);
        let same = users[row] == users[row - 1];
        assert!(!same || (parts[row] >= parts[row - 1] && lengths[row] >= lengths[row - 1]));
    }
    let ads = column(&frame, "candidate.goods_id");
    let of = |part: u32| ads.iter().zip(&parts).filter(move |&(_, &own)| own == part);
    let train: std::collections::HashSet<u32> = of(0).map(|(&ad, _)| ad).collect();
    let unseen = of(2).filter(|(ad, _)| !train.contains(ad)).count() as u64;
    assert_eq!(unseen, count("test_rows_with_unseen_ad"));
    assert!(unseen > 0 && unseen * 10 < count("rows_on_day_14"), "{unseen}");
    assert!(count("test_visited_goods_unseen") > 0);
}

#[test]
fn clicks_happen_as_often_as_the_truth_says() {
    let place = simulated(1);
    let truth = read_truth(place.path()).unwrap();
    let frame = rows(place.path());
    let (labels, users) = (column(&frame, "label"), column(&frame, "user_id"));
    let mut all: Vec<(f64, u32)> = truth.iter().copied().zip(labels.iter().copied()).collect();
    assert_eq!(all.len(), labels.len());
    all.sort_by(|left, right| left.0.total_cmp(&right.0));
    for part in [&all[..]].into_iter().chain(all.chunks(all.len().div_ceil(10))) {
        let expected: f64 = part.iter().map(|row| row.0).sum();
        let deviation = part.iter().map(|row| row.0 * (1.0 - row.0)).sum::<f64>().sqrt();
        let clicks = f64::from(part.iter().map(|row| row.1).sum::<u32>());
        assert!((clicks - expected).abs() < 4.0 * deviation, "{clicks} {expected} {deviation}");
    }
    let rate = f64::from(labels.iter().sum::<u32>()) / labels.len() as f64;
    assert!((0.15..0.25).contains(&rate), "{rate}");

    let test: Vec<usize> = column(&frame, "part")
        .iter()
        .enumerate()
        .filter(|row| *row.1 == 2)
        .map(|row| row.0)
        .collect();
    let users: Vec<u32> = test.iter().map(|&row| users[row]).collect();
    let clicks: Vec<u8> = test.iter().map(|&row| labels[row] as u8).collect();
    let scores: Vec<f32> = test.iter().map(|&row| truth[row] as f32).collect();
    let ceiling = open(place.path(), None).unwrap().ceiling.unwrap();
    let found = gauc(&users, &clicks, &scores, GaucVariant::Paper).unwrap().value;
    assert_eq!(ceiling.test_gauc, found);
    assert!((0.62..0.78).contains(&found), "{found}");
}

#[test]
fn a_damaged_truth_is_refused_and_a_foreign_folder_left_alone() {
    let place = simulated(1);
    let path = place.path().join("truth.parquet");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[1000] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let message = read_truth(place.path()).unwrap_err().to_string();
    assert!(message.contains("truth.parquet") && message.contains("SHA-256"), "{message}");

    let foreign = tempfile::tempdir().unwrap();
    std::fs::write(foreign.path().join("mine.txt"), "").unwrap();
    let error = simulate_ads(&options(1), foreign.path()).unwrap_err();
    assert!(matches!(error, Error::Occupied { .. }), "{error}");

    let mut wrong = options(1);
    wrong.preset = "tiny".into();
    assert!(simulate_ads(&wrong, foreign.path()).unwrap_err().to_string().contains("tiny"));
    let message = ctr_dataset_prep::simulate(&options(1)).unwrap_err().to_string();
    assert!(message.contains("folder"), "{message}");
}

#[test]
fn an_online_test_goes_on_where_the_log_ends() {
    let place = simulated(1);
    let dataset = open(place.path(), None).unwrap();
    let world = AdWorld::new(0.02, 1).unwrap();
    assert_eq!(world.schema(), dataset.schema);
    assert_eq!(world.users() as usize + 1, dataset.sequences.offsets.len());
    for number in 0..50 {
        let user = world.user(number);
        let end = dataset.sequences.offsets[number as usize + 1] as usize;
        let start = (dataset.sequences.offsets[number as usize] as usize).max(end.max(50) - 50);
        let written: Vec<[u32; 3]> = (start..end)
            .map(|event| [0, 1, 2].map(|field| dataset.sequences.fields[field].ids[event]))
            .collect();
        // All visits of the log are before day 15.
        assert!(world.history(&user, 15).visits().eq(written));

        let history = world.history(&user, 21);
        assert!(history.visits().len() <= 50);
        let request = world.request(&user, &history, 0, 20);
        assert_eq!(request, world.request(&user, &history, 0, 20));
        assert_ne!(request, world.request(&user, &history, 1, 20));
        assert_eq!(request.candidates.len(), 20);
        let sizes = |group: usize| -> Vec<u32> {
            let fields = dataset.schema.fields_of(group).into_iter();
            fields.map(|field| dataset.schema.vocabulary(field).size).collect()
        };
        let fits = |ids: &[u32], group: usize| {
            ids.len() == sizes(group).len()
                && ids.iter().zip(sizes(group)).all(|(&id, size)| id > 0 && id < size)
        };
        assert!(fits(&request.user, 1) && fits(&request.context, 3));
        for candidate in &request.candidates {
            assert!(fits(&candidate.fields, 2));
            assert!(candidate.probability > 0.0 && candidate.probability < 1.0);
            assert!((0.01..100.0).contains(&candidate.bid), "{}", candidate.bid);
        }
    }
}
