//! The example's program from data to report, as its user types it.

// Helpers outside of test functions may panic too.
#![allow(clippy::unwrap_used, clippy::panic)]

use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output};

fn own_model(folder: &Path, line: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_own-model"));
    command.args(line.split(' ')).current_dir(folder).env_remove("DATA_DIR").output().unwrap()
}

/// Runs, expects success, gives stdout.
fn ok(folder: &Path, line: &str) -> String {
    let output = own_model(folder, line);
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Runs, expects wrong usage, gives stderr.
fn fails(folder: &Path, line: &str) -> String {
    let output = own_model(folder, line);
    assert_eq!(output.status.code(), Some(2), "{line}");
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn a_model_of_ones_own_has_every_command() {
    let desk = tempfile::tempdir().unwrap();
    let desk = desk.path();
    ok(desk, "simulate tiny --quiet");
    let help = ok(desk, "train --help");
    assert!(help.contains("stmp") && help.contains("din_dice"), "{help}");

    let train = "train --model stmp --data datasets/prepared/tiny --epochs 3 --quiet";
    let json = ok(desk, &format!("{train} --out run --format json"));
    let record: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(record["model"]["id"], "stmp");
    assert_eq!(record["config"]["model"]["short_term"], true);
    let gauc = record["metrics"]["test_gauc"].as_f64().unwrap();
    assert!(gauc > 0.6, "{gauc}: it learns nothing");
    let scored: Value = serde_json::from_str(&ok(desk, "eval run --format json")).unwrap();
    assert_eq!(scored["test_gauc"], record["metrics"]["test_gauc"]);
    assert!(ok(desk, "verify run --quiet").contains("the same bits"));

    // A preset's settings for the frame of all models reach it.
    let paper = format!("{train} --preset paper --max-steps 5 --out paper --format json");
    let paper: Value = serde_json::from_str(&ok(desk, &paper)).unwrap();
    assert_eq!(paper["config"]["model"]["network"]["activation"], "prelu");

    let message = fails(desk, &format!("{train} --set model.shortterm=false"));
    assert!(message.contains("did you mean `short_term`?"), "{message}");
    let message = fails(desk, "train --model smtp --data datasets/prepared/tiny");
    assert!(message.contains("stmp"), "{message}");
}

#[test]
fn suites_and_reports_know_it() {
    let desk = tempfile::tempdir().unwrap();
    let desk = desk.path();
    let suite = "description = 'mine'\ndatasets = []\nfallback = 'tiny'\nprotocols = ['held-out']\n\
                 models = ['base_model', 'stmp']\nseeds = [1]\npresets = ['small']\n\
                 common = { 'train.max_steps' = 20 }\n\
                 [[arms]]\nmodels = ['stmp']\nset = { 'model.short_term' = false }\n";
    std::fs::write(desk.join("mine.toml"), suite).unwrap();
    ok(desk, "reproduce --suite mine.toml --quiet");
    for table in ["table3.md", "ablations.md", "cost.md", "index.html"] {
        let text = std::fs::read_to_string(desk.join("reports").join(table)).unwrap();
        assert!(text.contains("stmp"), "{table}");
    }
    std::fs::write(desk.join("wrong.toml"), suite.replacen("'stmp'", "'stpm'", 1)).unwrap();
    let message = fails(desk, "reproduce --suite wrong.toml --quiet");
    assert!(message.contains("did you mean `stmp`?"), "{message}");
}
