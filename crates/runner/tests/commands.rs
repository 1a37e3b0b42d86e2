//! The commands as a user types them.

// Helpers outside of test functions may panic too.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use common::{Desk, text};
use serde_json::Value;
use std::process::Stdio;
use std::time::{Duration, Instant};

fn with_tiny() -> Desk {
    let desk = Desk::new();
    desk.ok(&["simulate", "tiny"]);
    desk
}

const TRAIN: [&str; 6] = ["train", "--data", "datasets/prepared/tiny", "--epochs", "2", "--quiet"];

fn train<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&TRAIN[..], more].concat()
}

#[test]
fn wrong_usage_ends_with_2_and_says_what_is_right() {
    let desk = with_tiny();
    assert!(desk.fails(2, &["trian"]).contains("train"));
    let message = desk.fails(2, &train(&["--model", "dinn"]));
    assert!(message.contains("din"), "{message}");
    let message = desk.fails(2, &["train", "--model", "din", "--data", "nowhere"]);
    assert!(message.contains("nowhere") && message.contains("din-repro prep"), "{message}");
    let message = desk.fails(2, &train(&["--model", "din", "--set", "train.bath_size=3"]));
    assert!(message.contains("bath_size") && message.contains("batch_size"), "{message}");
    let message = desk.fails(2, &train(&["--model", "din", "--preset", "best"]));
    assert!(message.contains("authors, paper, small"), "{message}");
    let message = desk.fails(2, &["prep", "amazon-electronics"]);
    assert!(message.contains("reviews_Electronics_5.json.gz"), "{message}");
    let message = desk.fails(2, &["prep", "movies"]);
    assert!(message.contains("amazon-beauty"), "{message}");
    let message = desk.fails(2, &["reproduce", "--data-dir", "nowhere"]);
    assert!(message.contains("nowhere does not exist"), "{message}");
    let message = desk.fails(2, &["report", "--runs", "nowhere"]);
    assert!(message.contains("nowhere"), "{message}");
    assert!(!desk.path("reports/runs").exists() || desk.listing().len() < 20);
}

#[test]
fn help_is_there_for_every_verb() {
    let desk = Desk::new();
    let overview = desk.ok(&["--help"]);
    for verb in [
        "doctor",
        "datasets",
        "fetch",
        "prep",
        "simulate",
        "stats",
        "train",
        "eval",
        "verify",
        "compare",
        "signature",
        "reproduce",
        "report",
    ] {
        assert!(overview.contains(verb), "{verb}");
        assert!(desk.ok(&[verb, "--help"]).contains("Usage: din-repro"), "{verb}");
    }
    assert!(desk.ok(&["--version"]).starts_with("din-repro "));
}

#[test]
fn a_run_leaves_what_the_contract_says_and_can_be_scored_and_verified() {
    let desk = with_tiny();
    let json = desk.ok(&train(&["--model", "din", "--out", "run", "--format", "json"]));
    let printed: Value = serde_json::from_str(&json).unwrap();
    for file in
        ["record.json", "predictions.parquet", "model.safetensors", "events.jsonl", "losses.f64"]
    {
        assert!(desk.path("run").join(file).exists(), "{file}");
    }
    let stored = std::fs::read_to_string(desk.path("run/record.json")).unwrap();
    let stored: Value = serde_json::from_str(&stored).unwrap();
    assert_eq!(printed, stored);
    for pointer in [
        "/schema_version",
        "/run_id",
        "/signature",
        "/config/model/id",
        "/config_sha256",
        "/dataset/id",
        "/dataset/content_sha256",
        "/dataset/rows/train",
        "/protocol",
        "/seed",
        "/model/num_params_dense",
        "/model/num_params_embedding",
        "/env/cpu",
        "/env/rustc",
        "/timing/train_samples_per_second",
        "/curve/0/train_loss",
        "/curve/0/valid_gauc",
        "/curve/0/test_gauc",
        "/best/step",
        "/metrics/test_gauc",
        "/metrics/test_auc",
        "/metrics/test_log_loss",
        "/metrics/peak_test_gauc",
        "/result_sha256",
        "/status",
    ] {
        assert!(stored.pointer(pointer).is_some_and(|value| !value.is_null()), "{pointer}");
    }
    let scored = desk.ok(&["eval", "--run", "run", "--format", "json"]);
    let scored: Value = serde_json::from_str(&scored).unwrap();
    assert_eq!(scored["test_gauc"], stored["metrics"]["test_gauc"]);
    assert!(desk.ok(&["verify", "run", "--quiet"]).contains("the same bits"));

    // A changed result is noticed: by the stored weights, and by running again.
    let changed = std::fs::read_to_string(desk.path("run/record.json")).unwrap().replace(
        &format!("\"result_sha256\": {}", stored["result_sha256"]),
        "\"result_sha256\": \"0\"",
    );
    desk.write("run/record.json", changed);
    desk.fails(1, &["verify", "run", "--quiet"]);
    // A run that another machine recorded otherwise from its seventh step on.
    let mut losses = std::fs::read(desk.path("run/losses.f64")).unwrap();
    let last = stored["curve"].as_array().unwrap().last().unwrap()["step"].as_u64().unwrap();
    assert_eq!(losses.len() as u64, 8 * last);
    losses[6 * 8] ^= 1;
    std::fs::write(desk.path("run/losses.f64"), losses).unwrap();
    let message = desk.fails(1, &["verify", "run", "--quiet"]);
    assert!(message.contains("the first difference is in step 7: its loss was"), "{message}");
}

#[test]
fn a_dry_run_says_what_there_is_to_do_and_does_nothing() {
    let desk = Desk::new();
    desk.write(
        "suite.toml",
        "description = \"two models\"\ndatasets = [\"tiny\"]\nfallback = \"tiny\"\n\
         protocols = [\"held-out\"]\nmodels = [\"lr\", \"pnn\"]\nseeds = [1, 2]\npresets = [\"small\"]\n\
         [common]\n\"train.epochs\" = 1\n[[arms]]\nmodels = [\"lr\"]\n\
         search = { \"train.batch_size\" = [64, 128] }\n",
    );
    let dry = ["reproduce", "--suite", "suite.toml", "--dry-run"];
    let before = desk.listing();
    let shown = desk.ok(&dry);
    assert_eq!(desk.listing(), before);
    assert!(shown.contains("0 runs are finished, 0 begun and 6 to do; 1 more repeat"), "{shown}");
    desk.ok(&dry[..3]);
    let before = desk.listing();
    let shown = desk.ok(&dry);
    assert_eq!(desk.listing(), before);
    assert!(shown.contains("finished  tiny-held-out-pnn-seed2-"), "{shown}");
    assert!(shown.contains("7 runs are finished, 0 begun and 0 to do"), "{shown}");
}

#[test]
fn a_doctor_looks_at_everything_and_says_what_to_do() {
    let desk = with_tiny();
    let shown = desk.ok(&["doctor"]);
    for part in
        ["versions", "processor", "threads", "memory", "files open", "folder for reports", "tiny@"]
    {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let findings: Value = serde_json::from_str(&desk.ok(&["doctor", "--format", "json"])).unwrap();
    for finding in findings.as_array().unwrap() {
        // Whatever is not good has a remedy.
        assert_eq!(finding["state"] == "good", finding["remedy"].is_null(), "{finding}");
    }
    desk.write("datasets/prepared/tiny/manifest.json", "{");
    let output = desk.run(&["doctor"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stdout).contains("prepare the dataset again"), "{}", text(&output.stdout));
}

#[test]
fn results_do_not_depend_on_threads_or_neighbors_and_finished_runs_are_skipped() {
    let desk = with_tiny();
    desk.write(
        "suite.toml",
        "description = \"two models\"\ndatasets = []\nfallback = \"tiny\"\nprotocols = [\"held-out\"]\n\
         models = [\"pnn\", \"din\"]\nseeds = [1, 2]\npresets = [\"small\"]\n\
         [settings.pnn]\n\"train.epochs\" = 2\n[settings.din]\n\"train.epochs\" = 2\n",
    );
    desk.ok(&["reproduce", "--suite", "suite.toml", "--jobs", "2"]);
    let beside = desk.record("reports/runs", "-din-seed1-");
    for threads in ["1", "3"] {
        let out = format!("alone-{threads}");
        let arguments = ["--model", "din", "--seed", "1", "--threads", threads, "--out", &out];
        desk.ok(&train(&arguments));
        let alone = std::fs::read_to_string(desk.path(&out).join("record.json")).unwrap();
        let alone: Value = serde_json::from_str(&alone).unwrap();
        assert_eq!(alone["run_id"], beside["run_id"]);
        assert_eq!(alone["result_sha256"], beside["result_sha256"]);
    }
    assert!(desk.path("reports/index.html").exists());
    let table = std::fs::read_to_string(desk.path("reports/table3.md")).unwrap();
    assert!(table.contains("Simulated data") && table.contains("(n=2)"), "{table}");

    // The second call trains nothing: times in the records stay.
    let output = desk.run(&["reproduce", "--suite", "suite.toml"]);
    assert_eq!(text(&output.stderr).matches(": finished before (").count(), 4);
    assert_eq!(desk.record("reports/runs", "-din-seed1-"), beside);
}

#[test]
fn every_model_trains_under_every_preset() {
    let desk = with_tiny();
    let models =
        ["lr", "base_model", "wide_deep", "pnn", "deepfm", "din", "din_dice", "gru", "bst"];
    for preset in ["small", "authors", "paper"] {
        for model in models {
            let out = format!("{preset}-{model}");
            let data = "datasets/prepared/tiny";
            // Ends with 1 when the loss diverges.
            desk.ok(&[
                "train",
                "--model",
                model,
                "--data",
                data,
                "--preset",
                preset,
                "--max-steps",
                "60",
                "--out",
                &out,
                "--quiet",
            ]);
        }
    }
}

#[test]
fn as_much_is_told_as_is_asked_for() {
    let desk = with_tiny();
    let told = |level: &str, out: &str| {
        let arguments =
            ["train", "--model", "lr", "--data", "datasets/prepared/tiny", "--epochs", "1"];
        let output = desk.run(&[&arguments[..], &["--out", out, "--log", level]].concat());
        assert!(output.status.success());
        text(&output.stderr)
    };
    assert_eq!(told("error", "a"), "");
    let info = told("info", "b");
    assert!(info.contains("gAUC valid") && !info.contains("debug: "), "{info}");
    let debug = told("debug", "c");
    for part in [
        "debug: ctr_runner::job: tiny lr seed 1: run ",
        "opened, held-out",
        "state.safetensors: step",
    ] {
        assert!(debug.contains(part), "{part}: {debug}");
    }
}

#[test]
fn another_run_in_the_same_directory_is_refused() {
    let desk = with_tiny();
    desk.ok(&train(&["--model", "lr", "--out", "run"]));
    desk.ok(&train(&["--model", "lr", "--out", "run"]));
    let message = desk.fails(2, &train(&["--model", "lr", "--out", "run", "--seed", "2"]));
    assert!(message.contains("choose another --out"), "{message}");
}

#[cfg(unix)]
#[test]
fn ctrl_c_keeps_the_state_and_resume_ends_with_the_same_bits() {
    let desk = with_tiny();
    let arguments = |out| {
        vec![
            "train",
            "--quiet",
            "--model",
            "din",
            "--data",
            "datasets/prepared/tiny",
            "--epochs",
            "8",
            "--set",
            "train.patience=0",
            "--out",
            out,
        ]
    };
    let whole = arguments("whole");
    desk.ok(&whole);
    let mut child = desk
        .command(&arguments("stopped"))
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    wait_for(|| desk.path("stopped/checkpoint/state.safetensors").exists());
    let id = child.id().to_string();
    std::process::Command::new("kill").args(["-INT", &id]).status().unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(!desk.path("stopped/record.json").exists());
    let mut resumed = arguments("stopped");
    resumed.push("--resume");
    desk.ok(&resumed);
    assert_eq!(result(&desk, "whole"), result(&desk, "stopped"));
}

#[test]
fn the_simulated_log_of_ads_is_drawn_once_and_trained_on() {
    let desk = Desk::new();
    let shown = desk.ok(&["simulate", "alibaba-sim", "--scale", "0.005", "--out", "log"]);
    assert!(shown.contains("users: 280") && shown.contains("probabilities reach"), "{shown}");
    assert!(desk.ok(&["stats", "log"]).contains("alibaba-sim-x0.005 (simulated)"));
    desk.write(
        "suite.toml",
        "description = \"ads\"\ndatasets = [\"alibaba-sim-x0.005\"]\nfallback = \"tiny\"\n\
         protocols = [\"held-out\", \"authors\"]\nmodels = [\"din\"]\nseeds = [1]\n\
         presets = [\"small\"]\n[common]\n\"train.epochs\" = 1\n",
    );
    desk.ok(&["reproduce", "--suite", "suite.toml"]);
    let manifest = desk.path("datasets/prepared/alibaba-sim-x0.005/manifest.json");
    let written = || std::fs::metadata(&manifest).unwrap().modified().unwrap();
    let first = written();
    let again = desk.ok(&["reproduce", "--suite", "suite.toml"]);
    assert!(again.contains("alibaba-sim-x0.005"), "{again}");
    assert_eq!(written(), first);
}

#[cfg(unix)]
#[test]
fn a_killed_grid_goes_on_where_it_was_and_ends_with_the_same_results() {
    let suite = "description = \"killed\"\ndatasets = []\nfallback = \"tiny\"\n\
         protocols = [\"held-out\"]\nmodels = [\"base_model\", \"din_dice\"]\nseeds = [1]\n\
         presets = [\"small\"]\n[settings.base_model]\n\"train.epochs\" = 12\n\
         [settings.din_dice]\n\"train.epochs\" = 12\n\"train.patience\" = 0\n";
    let whole = Desk::new();
    whole.write("suite.toml", suite);
    whole.ok(&["reproduce", "--suite", "suite.toml"]);
    let killed = Desk::new();
    killed.write("suite.toml", suite);
    for milliseconds in [150, 300, 450] {
        let mut child = killed
            .command(&["reproduce", "--suite", "suite.toml"])
            .stderr(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(milliseconds));
        // Kill -9, at any point.
        let _ = child.kill();
        child.wait().unwrap();
    }
    killed.ok(&["reproduce", "--suite", "suite.toml"]);
    for model in ["-base_model-", "-din_dice-"] {
        let result = |desk: &Desk| desk.record("reports/runs", model)["result_sha256"].clone();
        assert_eq!(result(&whole), result(&killed), "{model}");
    }
}

#[cfg(unix)]
fn result(desk: &Desk, run: &str) -> Value {
    let text = std::fs::read_to_string(desk.path(run).join("record.json")).unwrap();
    serde_json::from_str::<Value>(&text).unwrap()["result_sha256"].clone()
}

#[cfg(unix)]
fn wait_for(condition: impl Fn() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < Duration::from_secs(60), "nothing happened in a minute");
        std::thread::sleep(Duration::from_millis(10));
    }
}
