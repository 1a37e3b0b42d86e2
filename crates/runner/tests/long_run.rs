//! The memory of a run that goes on and on: the short form of `scripts/long-run/run`.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use common::{Desk, text};

/// 31,000 steps of 4 rows in ten epochs with an evaluation after each: 150 bytes a step that stay are too many. How buffers
/// grow with the batches is for the tests of `ctr-nn`'s `memory.rs`.
#[test]
#[cfg(target_os = "linux")]
fn memory_does_not_grow_after_the_first_steps() {
    let desk = Desk::new();
    desk.ok(&["simulate", "tiny", "--out", "data", "--quiet"]);
    // Those with the most kinds of buffers: attention over lists of any length, recurrence, statistics of the batch.
    for model in ["din_dice", "gru", "bst"] {
        let arguments =
            ["train", "--model", model, "--data", "data", "--out", model, "--log", "debug"];
        let steps = ["--batch-size", "4", "--epochs", "10", "--set", "train.patience=0"];
        let mut command = desk.command(&[&arguments[..], &steps].concat());
        // A huge page counts whole, however little of it is used.
        let output = command.env("MIMALLOC_ALLOW_THP", "0").output().unwrap();
        let messages = text(&output.stderr);
        assert!(output.status.success(), "{messages}");
        let mebibytes: Vec<f64> = messages
            .lines()
            .filter_map(|line| {
                line.strip_suffix(" MiB of memory")?.rsplit(' ').next()?.parse().ok()
            })
            .collect();
        let [first, .., last] = mebibytes[..] else { panic!("{messages}") };
        assert!(last <= 1.05 * first, "{model}: {mebibytes:?} MiB every 10,000 steps");
    }
}
