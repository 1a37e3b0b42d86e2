//! Kill -9 at any moment costs only time: runs and grids end with the bits of undisturbed ones.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

mod common;

use common::Desk;
use ctr_core::SeedStreams;
use serde_json::Value;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const LOG: &str = "datasets/prepared/alibaba-sim-x0.005";
const MODELS: [&str; 9] =
    ["lr", "base_model", "wide_deep", "pnn", "deepfm", "din", "din_dice", "gru", "bst"];
const REGULARIZERS: [&str; 8] =
    ["none", "without_goods_ids", "l2", "mba", "lazy_l2", "difacto", "dropout", "filter"];

/// Begins it, waits until `begun` says so, kills it some time after that, and tells whether it had ended by itself.
fn killed(mut command: Command, begun: impl Fn() -> bool, after: Duration) -> bool {
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    while !begun() && child.try_wait().unwrap().is_none() {
        std::thread::sleep(Duration::from_millis(1));
    }
    std::thread::sleep(after);
    let ended = child.try_wait().unwrap().is_some();
    child.kill().unwrap();
    child.wait().unwrap();
    ended
}

fn result(text: &str) -> String {
    serde_json::from_str::<Value>(text).unwrap()["result_sha256"].as_str().unwrap().into()
}

/// 20 runs that together have every model, optimizer and regularizer, each killed at a random point of its
/// time. DIN_REPRO_KILLS sets how often each is killed.
#[test]
fn a_run_killed_at_a_random_point_ends_with_the_same_bits() {
    let desk = Desk::new();
    desk.ok(&["simulate", "alibaba-sim", "--scale", "0.005"]);
    let kills: u64 = std::env::var("DIN_REPRO_KILLS").map_or(1, |text| text.parse().unwrap());
    let mut random = SeedStreams::new(7).stream("kills");
    let mut continued = 0;
    for case in 0..20 {
        let model = MODELS[case % 9];
        let regularizer = format!("regularizer={}", REGULARIZERS[(case + case / 8) % 8]);
        let (kind, rate) = [("adam", "0.01"), ("sgd", "0.3")][(case + case / 9) % 2];
        let kind = format!("train.optimizer.kind={kind}");
        let rate = format!("train.optimizer.learning_rate={rate}");
        let again = format!("train.reinitialize_embeddings={}", case % 3 == 0);
        let out = [format!("whole-{case}"), format!("killed-{case}")];
        let arguments = |out| {
            let mut arguments = vec!["train", "--model", model, "--data", LOG, "--out", out];
            arguments.extend(["--preset", "alibaba", "--epochs", "3", "--batch-size", "200"]);
            arguments.extend([
                "--set",
                &regularizer,
                "--set",
                &kind,
                "--set",
                &rate,
                "--set",
                &again,
            ]);
            arguments.extend(["--set", "train.checkpoint_every_steps=4", "--format", "json"]);
            arguments
        };
        let begun = Instant::now();
        let whole = result(&desk.ok(&arguments(&out[0])));
        let time = begun.elapsed();
        let mut resumed = arguments(&out[1]);
        resumed.push("--resume");
        for _ in 0..kills {
            let checkpoint = || desk.path(&out[1]).join("checkpoint/state.safetensors").exists();
            // One in four at any time, the others when there is something to go on from.
            let begun = || case % 4 == 0 || checkpoint();
            let after = time.mul_f64(random.unit() * 0.7);
            let ended = killed(desk.command(&resumed), begun, after);
            continued += u32::from(!ended && checkpoint());
        }
        let resumed = result(&desk.ok(&resumed));
        assert_eq!(resumed, whole, "{model} {regularizer} {kind} {again}");
    }
    // A kill before the first checkpoint shows nothing.
    assert!(continued >= 5, "only {continued} of 20 runs were killed between two checkpoints");
    println!("{continued} kills between checkpoints in 20 runs, {kills} a run");
}

const SUITE: &str = r#"
description = "killed"
datasets = ["tiny"]
fallback = "tiny"
protocols = ["held-out", "authors"]
models = ["base_model", "din_dice"]
seeds = [1, 2]
presets = ["small"]
exhibits = ["din_dice"]
[common]
"train.epochs" = 6
"train.patience" = 0
[[arms]]
models = ["pnn"]
search = { "train.optimizer.learning_rate" = [0.001, 0.01] }
"#;

const REPRODUCE: [&str; 3] = ["reproduce", "--suite", "suite.toml"];

fn with_suite() -> Desk {
    let desk = Desk::new();
    desk.write("suite.toml", SUITE);
    desk
}

/// All tables of a report, which hold no time and no path.
fn tables(desk: &Desk) -> Vec<(String, String)> {
    let names = ["table2.csv", "table3.csv", "claims.csv", "exhibits.csv"];
    let read = |name: &str| std::fs::read_to_string(desk.path("reports").join(name)).unwrap();
    names.iter().map(|name| ((*name).to_string(), read(name))).collect()
}

/// Files that only a process at work should have.
fn leftovers(desk: &Desk) -> Vec<std::path::PathBuf> {
    let unfinished = |path: &std::path::PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        name.starts_with(".writing-") || name == "checkpoint"
    };
    desk.listing().into_iter().filter(unfinished).collect()
}

/// DIN_REPRO_GRID_KILLS sets how often; `scripts/kills/run` does it 50 times.
#[test]
fn a_grid_killed_at_random_moments_ends_with_the_same_tables() {
    let kills: u64 = std::env::var("DIN_REPRO_GRID_KILLS").map_or(4, |text| text.parse().unwrap());
    let whole = with_suite();
    let begun = Instant::now();
    whole.ok(&REPRODUCE);
    let time = begun.elapsed();
    assert!(leftovers(&whole).is_empty(), "{:?}", leftovers(&whole));
    let whole = tables(&whole);
    let check = |grid: &Desk| {
        assert_eq!(tables(grid), whole);
        assert!(leftovers(grid).is_empty(), "{:?}", leftovers(grid));
    };
    let mut random = SeedStreams::new(7).stream("grid");
    let (mut grid, mut grids, mut done) = (with_suite(), 1, 0);
    while done < kills {
        // Within the first part of the time, so that there is something left to be killed.
        let after = time.mul_f64(random.unit() * 0.3);
        if killed(grid.command(&REPRODUCE), || true, after) {
            // It came to its end: another one.
            check(&grid);
            (grid, grids) = (with_suite(), grids + 1);
        } else {
            done += 1;
        }
    }
    grid.ok(&REPRODUCE);
    check(&grid);
    println!("{kills} kills in {grids} grids");
}

#[test]
fn two_grids_at_once_divide_the_work() {
    let alone = with_suite();
    alone.ok(&REPRODUCE);
    let shared = with_suite();
    let spawn = || {
        let mut command = shared.command(&[&REPRODUCE[..], &["--jobs", "1", "--quiet"]].concat());
        command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let both = [spawn(), spawn()];
    for child in both {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", common::text(&output.stderr));
    }
    assert_eq!(tables(&shared), tables(&alone));
    // Every run was begun once.
    for entry in std::fs::read_dir(shared.path("reports/runs")).unwrap() {
        let events = std::fs::read_to_string(entry.unwrap().path().join("events.jsonl")).unwrap();
        let times = |name: &str| events.matches(&format!("\"event\":\"{name}\"")).count();
        assert_eq!((times("started"), times("resumed"), times("ended")), (1, 0, 1), "{events}");
    }
    assert!(leftovers(&shared).is_empty(), "{:?}", leftovers(&shared));
}

#[test]
fn a_run_that_another_process_is_at_is_left_to_it() {
    let desk = Desk::new();
    desk.ok(&["simulate", "tiny"]);
    let train = ["train", "--model", "din", "--data", "datasets/prepared/tiny", "--out", "run"];
    let long = [&train[..], &["--epochs", "1000", "--set", "train.patience=0"]].concat();
    let mut first = desk.command(&long);
    let mut first = first.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let begun = Instant::now();
    while !desk.path("run/checkpoint/lock").exists() {
        assert!(begun.elapsed() < Duration::from_secs(60));
        std::thread::sleep(Duration::from_millis(10));
    }
    // The lock file is there a moment before it is locked.
    std::thread::sleep(Duration::from_millis(200));
    let message = desk.fails(2, &long);
    assert!(message.contains("another process is at this run"), "{message}");
    first.kill().unwrap();
    first.wait().unwrap();
    // The system has taken the lock back.
    desk.ok(&[&train[..], &["--epochs", "1"]].concat());
}

/// Sends the signal of Ctrl-C to a child that was not waited for yet.
fn interrupt(child: &std::process::Child) {
    let id = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
}

#[test]
fn ctrl_c_ends_what_has_no_state_at_once_and_leaves_nothing() {
    let desk = Desk::new();
    let simulate = ["simulate", "amazon-electronics-sim", "--scale", "0.3", "--quiet"];
    for milliseconds in [50, 400, 800] {
        let mut command = desk.command(&simulate);
        let child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(milliseconds));
        interrupt(&child);
        let output = child.wait_with_output().unwrap();
        let message = common::text(&output.stderr);
        // The fastest machine is done; the slowest has not begun to listen, and the signal itself ends it.
        match output.status.code() {
            Some(130) => assert!(message.contains("interrupted"), "{message}"),
            code => assert!(matches!(code, Some(0) | None), "{code:?}: {message}"),
        }
        let prepared = desk.listing().into_iter().map(|path| path.display().to_string());
        let unfinished: Vec<String> =
            prepared.filter(|path| path.contains(".preparing-")).collect();
        assert!(unfinished.is_empty(), "{unfinished:?}");
    }
}

#[test]
fn ctrl_c_is_heard_within_an_evaluation_and_twice_ends_at_once() {
    let desk = Desk::new();
    desk.ok(&["simulate", "amazon-electronics-sim", "--scale", "0.05", "--out", "data"]);
    // Nearly all of the time goes into evaluations.
    let train = |out| {
        let mut arguments = vec!["train", "--model", "din", "--data", "data", "--out", out];
        arguments.extend(["--set", "train.evaluate_every_steps=1", "--max-steps", "4", "--quiet"]);
        arguments
    };
    let whole = desk.ok(&[&train("whole")[..], &["--format", "json"]].concat());
    let events =
        || std::fs::metadata(desk.path("stopped/events.jsonl")).map_or(0, |file| file.len());
    let begin = || {
        let before = events();
        let mut command = desk.command(&[&train("stopped")[..], &["--resume"]].concat());
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let begun = Instant::now();
        while events() == before && child.try_wait().unwrap().is_none() {
            assert!(begun.elapsed() < Duration::from_secs(60));
            std::thread::sleep(Duration::from_millis(5));
        }
        child
    };
    // Once, at several moments, and twice at once. On a fast machine it may be done before the signal comes.
    for (milliseconds, times) in [(20, 1), (60, 1), (100, 1), (0, 2)] {
        let mut child = begin();
        std::thread::sleep(Duration::from_millis(milliseconds));
        if child.try_wait().unwrap().is_some() {
            break;
        }
        for _ in 0..times {
            interrupt(&child);
        }
        let code = child.wait().unwrap().code();
        assert!(matches!(code, Some(130 | 0)), "{code:?}");
        if code == Some(130) && times == 1 {
            assert!(desk.path("stopped/checkpoint/state.safetensors").exists());
        }
    }
    let resumed = desk.ok(&[&train("stopped")[..], &["--resume", "--format", "json"]].concat());
    assert_eq!(result(&resumed), result(&whole));
}
