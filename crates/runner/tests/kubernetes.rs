//! A grid as an Indexed Job of Kubernetes: its manifest, and the commands of its pods. `scripts/kubernetes/check` holds the
//! manifest against the schemas.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use common::{Desk, text};
use serde_json::Value;

const SUITE: &str = r#"
description = "on a cluster"
datasets = ["tiny"]
fallback = "tiny"
protocols = ["held-out"]
models = ["base_model"]
seeds = [1, 2]
presets = ["small"]
[common]
"train.epochs" = 2
[[arms]]
models = ["lr"]
search = { "train.optimizer.learning_rate" = [0.001, 0.01] }
"#;

const KUBERNETES: [&str; 9] = [
    "reproduce",
    "--suite",
    "suite.toml",
    "--launcher",
    "kubernetes",
    "--image",
    "registry/din:1",
    "--claim",
    "shared",
];

#[test]
fn an_indexed_job_has_a_pod_for_every_run() {
    let desk = Desk::new();
    desk.write("suite.toml", SUITE);
    let finished = || {
        let runs = std::fs::read_dir(desk.path("reports/runs")).unwrap();
        runs.filter(|run| run.as_ref().unwrap().path().join("record.json").exists()).count()
    };
    let dry_run = [&KUBERNETES[..], &["--dry-run"]].concat();
    let dry = desk.ok(&dry_run);
    assert!(!desk.path("reports").exists());
    let printed = desk.ok(&[&KUBERNETES[..], &["--jobs", "3", "--quiet"]].concat());
    assert_ne!(dry, printed, "of --jobs");
    let manifest: Value = serde_json::from_str(&printed).unwrap();
    let (runs, report) = (&manifest["items"][0], &manifest["items"][1]);
    let spec = &runs["spec"];
    assert_eq!(spec["completionMode"], "Indexed");
    assert_eq!((&spec["completions"], &spec["parallelism"]), (&4.into(), &3.into()));
    assert_eq!(report["spec"]["suspend"], true);
    let pod = &spec["template"]["spec"];
    assert_eq!(pod["volumes"][0]["persistentVolumeClaim"]["claimName"], "shared");
    let container = &pod["containers"][0];
    assert_eq!(container["image"], "registry/din:1");
    assert_eq!(container["resources"]["limits"]["memory"], "4096Mi");

    // The pods' own commands, each with its index in the environment.
    let words = |container: &Value| -> Vec<String> {
        let words = container["command"].as_array().unwrap().iter();
        words.skip(1).map(|word| word.as_str().unwrap().to_string()).collect()
    };
    for index in ["0", "1", "2", "3"] {
        let words = words(container);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let output = desk.command(&words).env("JOB_COMPLETION_INDEX", index).output().unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
    }
    assert_eq!(finished(), 4);
    let after = words(&report["spec"]["template"]["spec"]["containers"][0]);
    desk.ok(&after.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(finished(), 5);
    assert!(desk.path("reports/index.html").exists());
    assert!(desk.fails(2, &KUBERNETES).contains("every run is finished"));
    assert!(desk.fails(2, &dry_run).contains("every run is finished"));
}

#[test]
fn what_pods_would_not_find_is_refused() {
    let desk = Desk::new();
    desk.write("suite.toml", SUITE);
    let missing = desk.fails(2, &KUBERNETES[..7]);
    assert!(missing.contains("--claim"), "{missing}");
    for (option, path) in [("--prepared", "../prepared"), ("--out", "/nowhere/reports")] {
        let message = desk.fails(2, &[&KUBERNETES[..], &["--dry-run", option, path]].concat());
        assert!(message.contains(&format!("{path}: for Kubernetes")), "{message}");
    }
}
