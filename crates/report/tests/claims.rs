//! Claims decided on records and test rows made by hand.

#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use ctr_core::{Digest, EXHIBIT_SCHEMA_VERSION, ExhibitRecord, Protocol, RunRecord};
use ctr_report::{Background, ReportOptions, ReportSummary, TestScores, Verdict, write_report};
use serde_json::json;
use std::collections::BTreeMap;
use std::path::Path;
use support::{Made, line, made, place, text};

/// Users of a test set, one pair each.
const USERS: u32 = 2000;

/// Test rows where the model is right on its first `right` users, with a shift that another seed has too.
fn scores(right: u32) -> TestScores {
    let mut rows = TestScores::default();
    for user in 0..USERS {
        for label in [1u8, 0] {
            rows.users.push(user);
            rows.labels.push(label);
            let wins = user < right;
            rows.scores.push(if wins == (label == 1) { 1.0 } else { -1.0 });
        }
    }
    rows
}

/// A run of a model on Beauty whose test rows are those of [`scores`].
fn run(model: &'static str, seed: u64, right: u32) -> RunRecord {
    run_with(model, seed, right, json!({"preset": "small", "train": {"patience": 4}}))
}

fn run_with(model: &'static str, seed: u64, right: u32, config: serde_json::Value) -> RunRecord {
    let gauc = f64::from(right) / f64::from(USERS);
    let mut record = Made {
        dataset: "amazon-beauty",
        simulated: false,
        model,
        config,
        seed,
        gauc: Some(gauc),
        ..made()
    }
    .record();
    let rows = scores(right);
    let mut digest = Digest::new();
    digest.ids(&rows.users);
    digest.update(&rows.labels);
    digest.numbers(&rows.scores);
    record.predictions_sha256 = digest.finish();
    record.result_sha256 = record.compute_result_sha256().unwrap();
    record
}

/// Reports on the records; test rows follow from each record's gAUC.
fn report(records: &[RunRecord]) -> (tempfile::TempDir, ReportSummary) {
    let folder = tempfile::tempdir().unwrap();
    let mut right = BTreeMap::new();
    for (index, record) in records.iter().enumerate() {
        let name = format!("run-{index:03}");
        place(&folder.path().join("runs"), &name, record);
        right.insert(name, (record.metrics.test_gauc.unwrap() * f64::from(USERS)).round() as u32);
    }
    let read = |run: &Path| {
        let name = run.file_name().unwrap().to_string_lossy().into_owned();
        Ok(Some(scores(right[&name])))
    };
    let options =
        ReportOptions { runs: folder.path().join("runs"), out: folder.path().join("reports") };
    let summary =
        write_report(&options, &Background { scores: Some(&read), defaults: None }).unwrap();
    (folder, summary)
}

fn verdict(summary: &ReportSummary, claim: &str) -> Option<Verdict> {
    let found = summary.verdicts.iter().find(|verdict| verdict.claim == claim)?;
    assert_eq!((found.dataset.as_str(), found.protocol), ("amazon-beauty", Protocol::HeldOut));
    assert_eq!(found.preset, "small");
    Some(found.verdict)
}

/// Five seeds of BaseModel and of others by how many more users they are right on.
fn five_seeds(others: &[(&'static str, [i32; 5])]) -> Vec<RunRecord> {
    let mut records = Vec::new();
    for (seed, base) in (1..).zip([1500u32, 1504, 1498, 1502, 1501]) {
        records.push(run("base_model", seed, base));
        for (model, more) in others {
            let right = base.saturating_add_signed(more[seed as usize - 1]);
            records.push(run(model, seed, right));
        }
    }
    records
}

#[test]
fn claims_hold_fail_or_stay_open() {
    let records = five_seeds(&[
        // Better for 40 to 44 users of 2000 in every seed.
        ("din", [40, 44, 41, 43, 42]),
        // Worse for as many.
        ("pnn", [-40, -44, -41, -43, -42]),
        // Now here, now there.
        ("deepfm", [20, -25, 15, -10, 3]),
        ("lr", [-400, -401, -402, -399, -400]),
    ]);
    let (_folder, summary) = report(&records);
    assert_eq!(verdict(&summary, "din-above-base"), Some(Verdict::Holds));
    assert_eq!(verdict(&summary, "pnn-above-base"), Some(Verdict::DoesNotHold));
    assert_eq!(verdict(&summary, "deepfm-above-base"), Some(Verdict::NotDecided));
    assert_eq!(verdict(&summary, "lr-below-base"), Some(Verdict::Holds));
    assert_eq!(verdict(&summary, "wide-deep-above-base"), None);
    // 42/2000 over a base of 1501/2000 − ½ is 8.4 %, which is not 2.04; and nothing is DIN without u ⊙ i.
    assert_eq!(verdict(&summary, "din-gain-amazon-corrected"), Some(Verdict::DoesNotHold));
    assert_eq!(verdict(&summary, "din-gain-amazon"), None);

    let table = text(&summary, "claims.md");
    let row = line(&table, "DIN is above BaseModel");
    assert!(row.starts_with("| DIN is above BaseModel | ✔ holds (+0.0210) |"), "{row}");
    let row = table.lines().rfind(|line| line.starts_with("| DIN is above BaseModel |")).unwrap();
    assert!(row.contains("| 6.4, table 3 | +0.0194; +0.0074 | +0.0210 | "), "{row}");
    assert!(row.ends_with("| 5 × 2,000 users | holds |"), "{row}");
    assert!(table.contains("10,000 resamples, seed 1234"));
    assert!(table.contains("|seeds:5|") && table.contains("reg:as-claimed"), "{table}");
    // The interval holds for users too: at least what 42 users of 2000 leave open.
    let csv = text(&summary, "claims.csv");
    let fields: Vec<&str> =
        csv.lines().find(|line| line.starts_with("din-above-base,")).unwrap().split(',').collect();
    let place = csv.lines().next().unwrap().split(',').position(|name| name == "low").unwrap();
    // Commas inside quotes come before: count from the end.
    let from_end = csv.lines().next().unwrap().split(',').count() - place;
    let low: f64 = fields[fields.len() - from_end].parse().unwrap();
    assert!((0.013..0.0165).contains(&low), "{low}");
    let page = text(&summary, "index.html");
    assert!(
        page.contains("All claims: what holds and what does not")
            && page.contains("✘ does not hold")
    );
    // Users alone: a binomial standard error of three quarters over 2000.
    assert!(text(&summary, "table3.md").contains("s.e. of users"));
    assert!(text(&summary, "table3.csv").contains("users_standard_error"));
    let row = line(&text(&summary, "table3.md"), "BaseModel").to_string();
    assert!(row.contains("| 0.0097 |"), "{row}");
}

#[test]
fn one_seed_decides_nothing() {
    let records = [run("base_model", 1, 1500), run("din", 1, 1700)];
    let (_folder, summary) = report(&records);
    assert_eq!(verdict(&summary, "din-above-base"), Some(Verdict::NotDecided));
}

#[test]
fn without_test_rows_seeds_decide_and_foreign_rows_do_not_count() {
    let mut records = five_seeds(&[("din", [40, 44, 41, 43, 42])]);
    let (_folder, summary) = report(&records);
    assert!(summary.warnings.is_empty());
    for record in &mut records {
        record.predictions_sha256 = "of other rows".into();
    }
    let (_folder, summary) = report(&records);
    assert_eq!(summary.warnings.len(), 10, "{:?}", summary.warnings);
    assert!(summary.warnings[0].contains("its test rows do not count"));
    assert_eq!(verdict(&summary, "din-above-base"), Some(Verdict::Holds));
    let table = text(&summary, "claims.md");
    let row = table.lines().rfind(|line| line.starts_with("| DIN is above BaseModel |")).unwrap();
    assert!(row.ends_with("| 5 | holds |"), "{row}");
}

#[test]
fn the_spread_over_seeds_is_judged_by_its_interval() {
    let models = ["wide_deep", "pnn", "deepfm", "din", "din_dice"];
    let records = five_seeds(&models.map(|model| (model, [0, 0, 0, 0, 0])));
    let (_folder, summary) = report(&records);
    // 1498 to 1504 of 2000: about 0.001.
    assert_eq!(verdict(&summary, "initialization"), Some(Verdict::DoesNotHold));
    let mut steady: Vec<RunRecord> = Vec::new();
    for seed in 1..=5 {
        steady.push(run("base_model", seed, 1500));
        steady.extend(models.map(|model| run(model, seed, 1500)));
    }
    let (_folder, summary) = report(&steady);
    assert_eq!(verdict(&summary, "initialization"), Some(Verdict::Holds));
}

#[test]
fn table_4_is_decided_over_seeds_at_their_own_evaluations() {
    let with = |kind: &str, seed, right| {
        let config = json!({"preset": "small", "regularizer": {"kind": kind, "lambda": 0.01}, "train": {"patience": 0}});
        run_with("base_model", seed, right, config)
    };
    let mut records = Vec::new();
    for (seed, shift) in [(1, 0), (2, 4), (3, 2)] {
        records.push(with("without_goods_ids", seed, 1400 + shift));
        records.push(with("none", seed, 1450 + shift));
        records.push(with("dropout", seed, 1400 + shift));
        records.push(with("mba", seed, 1500 + shift));
    }
    let (_folder, summary) = report(&records);
    assert_eq!(verdict(&summary, "dropout-above-none"), Some(Verdict::DoesNotHold));
    assert_eq!(verdict(&summary, "mba-above-dropout"), Some(Verdict::Holds));
    assert_eq!(verdict(&summary, "filter-above-dropout"), None);
    // Hand-made curves have their peak 0.0112 above the last evaluation, which is level with the end of the
    // first epoch.
    assert_eq!(verdict(&summary, "overfits-after-first-epoch"), Some(Verdict::NotDecided));
    assert_eq!(verdict(&summary, "no-grave-overfitting"), Some(Verdict::DoesNotHold));

    // Falling further by the end decides it.
    for (seed, record) in (1..).zip(&mut records) {
        let last = record.curve.last_mut().unwrap();
        last.test_gauc = last.test_gauc.map(|gauc| gauc - 0.02 - 0.0001 * f64::from(seed));
    }
    let (_folder, summary) = report(&records);
    assert_eq!(verdict(&summary, "overfits-after-first-epoch"), Some(Verdict::Holds));
}

#[test]
fn exhibits_stand_apart_from_every_other_number() {
    let records = five_seeds(&[("din", [40, 44, 41, 43, 42])]);
    let folder = tempfile::tempdir().unwrap();
    let runs = folder.path().join("runs");
    for (index, record) in records.iter().enumerate() {
        let name = format!("run-{index:03}");
        place(&runs, &name, record);
        let gauc = record.metrics.test_gauc.unwrap();
        let added = if record.model.id == "din" { 0.0123 } else { 0.0 };
        let exhibit = ExhibitRecord {
            schema_version: EXHIBIT_SCHEMA_VERSION,
            run_id: record.run_id.clone(),
            model_sha256: record.model_sha256.clone(),
            test_gauc: gauc,
            exhibits: [("exhibit_a_attends_to_positive".to_string(), gauc + added)].into(),
        };
        let text = serde_json::to_string(&exhibit).unwrap();
        std::fs::write(runs.join(&name).join("exhibits.json"), text).unwrap();
    }
    let options = ReportOptions { runs: runs.clone(), out: folder.path().join("reports") };
    let summary = write_report(&options, &Background::default()).unwrap();
    let table = text(&summary, "exhibits.md");
    assert!(line(&table, "BaseModel").ends_with("| +0.0000 ± 0.0000 |"), "{table}");
    assert!(line(&table, "DIN").ends_with("| +0.0123 ± 0.0000 |"), "{table}");
    assert!(summary.files.iter().any(|file| file.ends_with("exhibits.png")));
    assert!(text(&summary, "index.html").contains("Wrong on purpose"));
    assert!(!text(&summary, "table3.md").contains("0123"));
    // A file of another run is refused by name.
    let odd = runs.join("run-000/exhibits.json");
    let other = std::fs::read_to_string(&odd).unwrap().replace(&records[0].run_id, "0000");
    std::fs::write(&odd, other).unwrap();
    let error = write_report(&options, &Background::default()).unwrap_err().to_string();
    assert!(error.contains("run-000/exhibits.json") && error.contains("another run"), "{error}");
}
