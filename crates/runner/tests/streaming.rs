//! Data in shards from the command line: prepared in parts, streamed, stopped and continued.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

mod common;

use common::Desk;
use serde_json::Value;

fn in_shards() -> Desk {
    let desk = Desk::new();
    desk.ok(&["simulate", "tiny", "--out", "plain", "--scale", "0.5"]);
    desk.ok(&["simulate", "tiny", "--out", "sharded", "--scale", "0.5", "--shards", "8"]);
    desk
}

/// Trains a run `out` on `data` and gives its record.
fn train(desk: &Desk, data: &str, out: &str, more: &[&str]) -> Value {
    let arguments = ["train", "--data", data, "--out", out, "--epochs", "2", "--quiet"];
    let json = desk.ok(&[&arguments, more, &["--format", "json"]].concat());
    serde_json::from_str(&json).unwrap()
}

const DIN: [&str; 2] = ["--model", "din"];

#[test]
fn a_large_buffer_and_none_give_the_run_of_the_plain_data() {
    let desk = in_shards();
    for model in ["lr", "din_dice"] {
        let model = ["--model", model];
        let plain = train(&desk, "plain", &format!("{}-plain", model[1]), &model);
        let whole = train(&desk, "sharded", &format!("{}-whole", model[1]), &model);
        let buffered = [&model[..], &["--set", "train.shuffle_buffer=1000000"]].concat();
        let buffered = train(&desk, "sharded", &format!("{}-buffered", model[1]), &buffered);
        for record in [whole, buffered] {
            for key in ["run_id", "result_sha256", "config", "dataset"] {
                assert_eq!(record[key], plain[key], "{key}");
            }
        }
    }
}

#[test]
fn a_streamed_run_knows_its_data_and_can_be_repeated() {
    let desk = in_shards();
    let plain = train(&desk, "plain", "plain-run", &DIN);
    let buffer = ["--set", "train.shuffle_buffer=1000"];
    let regularizers: [&[&str]; 4] = [
        &[],
        &["--set", "regularizer=mba"],
        &["--set", "regularizer=filter", "--set", "regularizer.share=0.5"],
        &["--set", "regularizer=without_goods_ids", "--set", "train.max_history=3"],
    ];
    for (number, regularizer) in regularizers.into_iter().enumerate() {
        let out = format!("run-{number}");
        let record = train(&desk, "sharded", &out, &[&DIN, &buffer[..], regularizer].concat());
        assert_eq!(record["config"]["train"]["shuffle_buffer"], 1000);
        assert_eq!(record["config"]["train"]["shards"], 8);
        // Counted shard by shard: rows, and ids a row of every field.
        assert_eq!(record["dataset"], plain["dataset"]);
        assert_ne!(record["run_id"], plain["run_id"]);
        let verify = ["verify", &out, "--data", "sharded", "--quiet"];
        assert!(desk.ok(&verify).contains("the same bits"), "{regularizer:?}");
        let scored = desk.ok(&["eval", &out, "--data", "sharded", "--format", "json"]);
        let scored: Value = serde_json::from_str(&scored).unwrap();
        assert_eq!(scored["test_gauc"], record["metrics"]["test_gauc"]);
    }
    // Other shards are another order.
    desk.ok(&["simulate", "tiny", "--out", "other", "--scale", "0.5", "--shards", "4"]);
    let message = desk.fails(2, &["verify", "run-0", "--data", "other", "--quiet"]);
    assert!(message.contains("4 shards") && message.contains("--shards 8"), "{message}");
    let message = desk.fails(2, &["verify", "run-0", "--data", "plain", "--quiet"]);
    assert!(message.contains("not in shards") && message.contains("--shards N"), "{message}");
}

#[test]
fn a_damaged_shard_ends_the_run_with_its_name() {
    let desk = in_shards();
    let path = desk.path("sharded/interactions-00003-of-00008.parquet");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[50] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let arguments = ["train", "--model", "lr", "--data", "sharded", "--quiet"];
    let message =
        desk.fails(2, &[&arguments[..], &["--set", "train.shuffle_buffer=1000"]].concat());
    assert!(message.contains("interactions-00003-of-00008.parquet"), "{message}");
    assert!(message.contains("prepare the dataset again"), "{message}");
    let message = desk.fails(2, &[&arguments[..], &["--set", "train.shards=8"]].concat());
    assert!(message.contains("without shuffle_buffer"), "{message}");
}

#[test]
fn parts_of_an_array_are_merged_to_what_one_process_prepares() {
    let desk = Desk::new();
    let mut events = String::from("user,item,order\n");
    for user in 0..40 {
        for order in 0..6 {
            events.push_str(&format!("u{user},i{},{order}\n", (user * 7 + order * 5) % 23));
        }
    }
    let items: Vec<String> = (0..23).map(|item| format!("i{item},c{}\n", item % 4)).collect();
    desk.write("raw/interactions.csv", events);
    desk.write("raw/items.csv", format!("item,cate\n{}", items.concat()));
    let prep = |more: &[&str]| desk.ok(&[&["prep", "custom", "--quiet"], more].concat());
    let plain = prep(&["--raw", "raw", "--out", "plain"]);
    prep(&["--raw", "raw", "--out", "sharded", "--shards", "3"]);
    for part in ["0/3", "1/3", "2/3"] {
        let told = prep(&["--raw", "raw", "--out", "parts", "--partition", part]);
        assert!(told.contains(&format!("part {part} of custom")), "{told}");
    }
    // The table of counts is that of a preparation at once.
    assert_eq!(prep(&["--merge", "parts", "--out", "merged"]), plain);
    for file in std::fs::read_dir(desk.path("sharded")).unwrap() {
        let name = file.unwrap().file_name();
        let bytes = |folder: &str| std::fs::read(desk.path(folder).join(&name)).unwrap();
        assert_eq!(bytes("sharded"), bytes("merged"), "{name:?}");
    }
    let merge = ["prep", "custom", "--merge", "parts", "--out", "merged"];
    let message = desk.fails(2, &[&merge[..], &["--seed", "3"]].concat());
    assert!(message.contains("the seed of part-00000-of-00003 is 1234 and not 3"), "{message}");
    std::fs::remove_dir_all(desk.path("parts/part-00001-of-00003")).unwrap();
    let message = desk.fails(2, &merge);
    assert!(message.contains("2 of 3 parts are there, without 1/3"), "{message}");
    let message =
        desk.fails(2, &["prep", "custom", "--raw", "raw", "--partition", "3/3", "--out", "parts"]);
    assert!(message.contains("expected I/N"), "{message}");
}
