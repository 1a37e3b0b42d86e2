//! The short form of `scripts/fuzz/run`: every reader gets the fuzzer's seeds, and some hundred variants of each.
#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used)]

#[path = "../../fuzz/src/lib.rs"]
mod fuzz;

use ctr_core::{RandomStream, SeedStreams};
use std::path::Path;

/// Variants of each seed.
const VARIANTS: usize = 1000;

/// What the fuzz target of a name does with an input.
fn run(target: &str, data: &[u8]) {
    match target {
        "checkpoint" => fuzz::read_checkpoint(data),
        "configuration" => fuzz::read_configuration(data),
        "custom" => fuzz::prepare_as("custom", &["dataset.toml", "log.csv", "items.tsv"], data),
        "manifest" => fuzz::open_with_manifest(data),
        "movielens_csv" => fuzz::prepare_as("movielens-1m", &["ratings.csv", "movies.csv"], data),
        "movielens_dat" => fuzz::prepare_as("movielens-1m", &["ratings.dat", "movies.dat"], data),
        "movielens_flags" => fuzz::prepare_as("movielens-100k", &["u.data", "u.item"], data),
        "recbole" => fuzz::prepare_as("movielens-1m", &["x.inter", "x.item"], data),
        "record" => fuzz::read_record(data),
        "reviews" => fuzz::prepare_as("custom", &["reviews_X_5.json", "meta_X.json"], data),
        "suite" => fuzz::read_suite(data),
        "tables" => fuzz::prepare_as("custom", &["interactions.csv", "items.tsv"], data),
        "taobao" => fuzz::prepare_as(
            "taobao-ad",
            &["raw_sample.csv", "ad_feature.csv", "user_profile.csv", "behavior_log.csv"],
            data,
        ),
        "x1" => fuzz::prepare_as("amazon-electronics-x1", &["train.csv", "test.csv"], data),
        other => panic!("crates/fuzz/seeds/{other} has no target here"),
    }
}

/// One to four changes of a seed: bytes changed, parts cut out, repeated, or replaced by what readers stumble over.
fn variant(seed: &[u8], random: &mut RandomStream) -> Vec<u8> {
    const WORDS: [&[u8]; 12] = [
        b"\0",
        b"\xff",
        b"-1",
        b"NaN",
        b"1e999",
        b"18446744073709551616",
        b"\"",
        b"\n",
        b"[[[[",
        b"{}",
        b"null",
        b"",
    ];
    let mut data = seed.to_vec();
    for _ in 0..=random.below(4) {
        let place = |random: &mut RandomStream| random.below(data.len() as u64 + 1) as usize;
        let (one, other) = (place(random), place(random));
        let part = one.min(other)..one.max(other);
        let fresh: Vec<u8> = match random.below(4) {
            0 => Vec::new(),
            1 => data[part.clone()].repeat(2),
            2 => WORDS[random.below(WORDS.len() as u64) as usize].to_vec(),
            _ => data[part.clone()].iter().map(|byte| byte ^ (1 << random.below(8))).collect(),
        };
        // Short parts mostly, or nothing of a seed is left.
        let end = if random.below(3) > 0 { part.end.min(part.start + 8) } else { part.end };
        data.splice(part.start..end, fresh);
        data.truncate(8192);
    }
    data
}

#[test]
fn readers_take_or_refuse_variants_of_their_seeds() {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds");
    let mut targets: Vec<String> = std::fs::read_dir(&seeds)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    targets.sort();
    assert_eq!(targets.len(), 14);
    for target in targets {
        let folder = seeds.join(&target);
        // Each on a thread of its own: what it prepares once belongs to the thread.
        let read = move || {
            let mut random = SeedStreams::new(11).stream(&target);
            for entry in std::fs::read_dir(folder).unwrap() {
                let seed = std::fs::read(entry.unwrap().path()).unwrap();
                run(&target, &seed);
                (0..VARIANTS).for_each(|_| run(&target, &variant(&seed, &mut random)));
            }
        };
        std::thread::spawn(read).join().unwrap();
    }
}
