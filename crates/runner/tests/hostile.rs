//! Files of a run, a suite or a configuration that are damaged, foreign, of another version or made to do harm:
//! each a named error, exit code 2, nothing executed and nothing lost.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use common::{Desk, text};
use serde_json::{Value, json};

/// A desk with a prepared dataset and one finished run.
fn desk() -> Desk {
    let desk = Desk::new();
    desk.ok(&["simulate", "tiny"]);
    desk.ok(&TRAIN);
    desk
}

const TRAIN: [&str; 9] = [
    "train",
    "--model",
    "din",
    "--data",
    "datasets/prepared/tiny",
    "--epochs",
    "1",
    "--out",
    "runs/a",
];

/// Exit code 2 and all parts in one error, without a panic.
fn refused(desk: &Desk, arguments: &[&str], parts: &[&str]) {
    let message = desk.fails(2, arguments);
    assert!(!message.contains("panicked") && !message.contains("defect"), "{message}");
    for part in parts {
        assert!(message.contains(part), "{part}: {message}");
    }
}

fn edit_record(desk: &Desk, change: impl FnOnce(&mut Value)) {
    let path = desk.path("runs/a/record.json");
    let mut record = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    change(&mut record);
    std::fs::write(path, record.to_string()).unwrap();
}

#[test]
fn records_of_later_versions_or_with_wrong_types_are_named() {
    let desk = desk();
    let whole = std::fs::read_to_string(desk.path("runs/a/record.json")).unwrap();
    edit_record(&desk, |record| record["schema_version"] = json!(99));
    refused(
        &desk,
        &["eval", "runs/a"],
        &["runs/a", "schema_version 99", "use the version that wrote it"],
    );
    refused(&desk, &TRAIN, &["schema_version 99"]);
    // A report leaves it out and says so; with nothing else there is nothing to report.
    let output = desk.run(&["report", "--runs", "runs", "--out", "out"]);
    assert!(text(&output.stderr).contains("99"), "{}", text(&output.stderr));
    for (place, value, part) in [
        ("/seed", json!("one"), "seed"),
        ("/curve", json!(7), "curve"),
        ("/status", json!("great"), "great"),
        ("/metrics/test_gauc", json!("0.9"), "0.9"),
        ("/config/train/batch_size", json!(-1), "-1"),
    ] {
        desk.write("runs/a/record.json", &whole);
        edit_record(&desk, |record| *record.pointer_mut(place).unwrap() = value);
        refused(&desk, &["eval", "runs/a"], &["runs/a", part]);
    }
    for damaged in [&whole[..whole.len() / 2], "", "[]", "{}", "\u{feff}{}", "NaN"] {
        desk.write("runs/a/record.json", damaged);
        refused(&desk, &["eval", "runs/a"], &["record.json"]);
    }
    desk.write("runs/a/record.json", "[".repeat(100_000));
    refused(&desk, &["eval", "runs/a"], &["record.json", "recursion limit"]);
}

#[test]
fn weights_of_another_shape_or_with_a_hostile_header_are_named() {
    let desk = desk();
    let path = desk.path("runs/a/model.safetensors");
    let whole = std::fs::read(&path).unwrap();
    let header = |text: &str| [&(text.len() as u64).to_le_bytes()[..], text.as_bytes()].concat();
    let huge =
        format!(r#"{{"w":{{"dtype":"F32","shape":[{0},{0}],"data_offsets":[0,8]}}}}"#, u64::MAX);
    let deep = format!("{}{}", "{\"a\":".repeat(10_000), "1");
    for (bytes, part) in [
        (Vec::new(), "safetensors"),
        (whole[..whole.len() / 2].to_vec(), "safetensors"),
        (u64::MAX.to_le_bytes().to_vec(), "safetensors"),
        (header(&huge), "safetensors"),
        (header(&deep), "safetensors"),
        (header(r#"{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,800]}}"#), "safetensors"),
        (header("{}"), "missing"),
    ] {
        std::fs::write(&path, &bytes).unwrap();
        refused(&desk, &["eval", "runs/a"], &["model.safetensors", "SHA-256 differs"]);
        // With a record that is in league with it.
        edit_record(&desk, |record| record["model_sha256"] = json!(ctr_core::sha256_hex(&bytes)));
        refused(&desk, &["eval", "runs/a"], &["model.safetensors", part]);
    }
    // Weights of another configuration.
    let other = [&TRAIN[..8], &["runs/b", "--set", "model.network.hidden_units=[20,10]"]].concat();
    desk.ok(&other);
    let bytes = std::fs::read(desk.path("runs/b/model.safetensors")).unwrap();
    std::fs::write(&path, &bytes).unwrap();
    edit_record(&desk, |record| record["model_sha256"] = json!(ctr_core::sha256_hex(&bytes)));
    refused(&desk, &["eval", "runs/a"], &["model.safetensors", "shape", "another configuration"]);
    // One weight that is no number: the score is none either, and no table gets it.
    let mut nan = whole.clone();
    let end = nan.len();
    nan[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
    std::fs::write(&path, &nan).unwrap();
    edit_record(&desk, |record| record["model_sha256"] = json!(ctr_core::sha256_hex(&nan)));
    let output = desk.run(&["eval", "runs/a"]);
    assert_ne!(output.status.code(), Some(0), "{}", text(&output.stdout));
}

#[test]
fn a_checkpoint_that_cannot_be_continued_is_named_and_begun_anew_on_request() {
    let desk = desk();
    let long = ["--epochs", "30", "--set", "train.patience=0", "--resume"];
    let train = |more: &[&'static str]| [&TRAIN[..5], &["--out", "runs/c"], more].concat();
    // A checkpoint of one configuration…
    desk.write("runs/c/checkpoint/state.safetensors", "half");
    refused(&desk, &train(&long), &["runs/c/checkpoint/state.safetensors", "without --resume"]);
    let whole = std::fs::read(desk.path("runs/a/model.safetensors")).unwrap();
    // …and a file of weights that is none.
    desk.write("runs/c/checkpoint/state.safetensors", whole);
    refused(&desk, &train(&long), &["runs/c/checkpoint/state.safetensors"]);
    desk.ok(&train(&["--epochs", "1"]));
    assert!(!desk.path("runs/c/checkpoint").exists());
}

#[test]
fn suites_and_configurations_that_are_nested_or_wrong_are_named() {
    let desk = desk();
    let suite = |content: String, parts: &[&str]| {
        desk.write("bad.toml", content);
        refused(&desk, &["reproduce", "--suite", "bad.toml"], &[&["bad.toml"], parts].concat());
    };
    suite(format!("a = {}1{}", "[".repeat(5000), "]".repeat(5000)), &[]);
    suite(format!("{} = 1", vec!["a"; 5000].join(".")), &[]);
    suite("description = \"x".into(), &[]);
    suite("description = \"x\"\nmodels = [\"dinn\"]".into(), &["dinn"]);
    suite("\u{0}\u{1}".into(), &[]);
    let good = "description = \"x\"\ndatasets = []\nfallback = \"tiny\"\nprotocols = [\"held-out\"]\n\
                seeds = [1]\npresets = [\"small\"]\n";
    suite(good.replace("[1]", "[]"), &["seeds is empty"]);
    // 10 to the power of 9 runs.
    let values = "[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]";
    let search: Vec<String> = ('a'..'j').map(|key| format!("{key} = {values}")).collect();
    let arm = format!("[[arms]]\nmodels = [\"din\"]\nsearch = {{ {} }}\n", search.join(", "));
    suite(format!("{good}{arm}"), &["1000000000 points"]);
    refused(&desk, &["reproduce", "--suite", "missing.toml"], &["missing.toml"]);
    let config = |name: &str, content: String, parts: &[&str]| {
        desk.write(name, content);
        let arguments = [&TRAIN[..8], &["runs/d", "--config", name]].concat();
        refused(&desk, &arguments, &[&[name], parts].concat());
    };
    config("bad.toml", "[train]\nbath_size = 3".into(), &["bath_size"]);
    config("bad.json", "{\"train\": [".into(), &[]);
    config("deep.json", "[".repeat(50_000), &[]);
    config("deep.toml", format!("a = {}", "{a=".repeat(5000)), &[]);
    refused(
        &desk,
        &[&TRAIN[..8], &["runs/d", "--set", "train.optimizer.learning_rate=nan"]].concat(),
        &["learning_rate"],
    );
    refused(
        &desk,
        &[&TRAIN[..8], &["runs/d", "--set", "train.batch_size=99999999999999999999"]].concat(),
        &["batch_size"],
    );
    assert!(!desk.path("runs/d/record.json").exists());
}

#[test]
fn names_that_are_markup_or_paths_stay_text() {
    let desk = desk();
    let markup = "<script>alert(1)</script>";
    edit_record(&desk, |record| {
        record["dataset"]["id"] = json!(markup);
        record["run_id"] = json!("../../../etc/passwd");
        record["signature"] = json!(format!("gAUC|ds:{markup}"));
    });
    desk.ok(&["report", "--runs", "runs", "--out", "out"]);
    let page = std::fs::read_to_string(desk.path("out/index.html")).unwrap();
    assert!(
        !page.contains(markup) && page.contains("&lt;script&gt;alert(1)"),
        "markup in the page"
    );
    // A name from a manifest becomes part of a folder's name.
    let manifest = desk.path("datasets/prepared/tiny/manifest.json");
    let text = std::fs::read_to_string(&manifest).unwrap();
    std::fs::write(&manifest, text.replace("\"id\": \"tiny\"", "\"id\": \"../../outside\""))
        .unwrap();
    let train = [&TRAIN[..7], &["--seed", "9"]].concat();
    refused(&desk, &train, &["manifest.json", "../../outside"]);
    assert!(!desk.path("../outside").exists() && !desk.path("reports/outside").exists());
}

#[test]
fn a_diverged_run_is_a_record_without_a_number() {
    let desk = desk();
    let settings =
        ["--set", "train.optimizer.kind=sgd", "--set", "train.optimizer.learning_rate=1e30"];
    let no_clip = ["--set", "train.optimizer.clip_norm=0", "--format", "json"];
    let arguments = [&TRAIN[..8], &["runs/wild"], &settings[..], &no_clip[..]].concat();
    let output = desk.run(&arguments);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("diverged"), "{}", text(&output.stderr));
    let record: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(record["status"], "diverged");
    assert!(record["metrics"]["test_gauc"].is_null() && record["best"].is_null(), "{record}");
    desk.ok(&["report", "--runs", "runs", "--out", "out"]);
    let table = std::fs::read_to_string(desk.path("out/table3.md")).unwrap();
    assert!(!table.contains("NaN"), "{table}");
    refused(&desk, &["compare", "runs/wild", "runs/a"], &["runs/wild"]);
}

#[test]
fn tensors_no_machine_has_are_refused() {
    let desk = desk();
    let wide = [&TRAIN[..8], &["runs/w", "--set", "model.embedding_dim=4000000000"]].concat();
    let message = desk.fails(2, &wide);
    assert!(!message.contains("panicked"), "{message}");
}
