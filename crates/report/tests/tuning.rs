//! What the report says of settings that were tried, on records made by hand.

#![allow(clippy::unwrap_used, reason = "helpers of tests, outside of them")]

mod support;

use ctr_core::{Protocol, RunRecord};
use ctr_report::{Background, ReportOptions, ReportSummary, write_report};
use serde_json::{Value, json};
use support::{Made, line, made, place, text};

/// A configuration like those of the suite `tuning`.
fn config(rate: f64) -> Value {
    json!({
        "preset": "small",
        "regularizer": {"kind": "none"},
        "train": {
            "batch_size": 256,
            "epochs": 20,
            "min_epochs": 4.0,
            "patience": 4,
            "optimizer": {"kind": "adam", "learning_rate": rate},
        }
    })
}

fn sgd() -> Value {
    let mut config = config(1.0);
    config["train"]["batch_size"] = json!(32);
    config["train"]["patience"] = json!(16);
    config["train"]["optimizer"]["kind"] = json!("sgd");
    config
}

/// A run whose validation gAUC is 0.01 above its test gAUC.
fn run(model: &'static str, config: Value, seed: u64, gauc: impl Into<Option<f64>>) -> Made {
    Made { model, config, seed, gauc: gauc.into(), ..made() }
}

/// A search over one rate after another: each with seed 1, the best with seeds 2 and 3 too.
fn search(model: &'static str, rates: &[(f64, f64)], best: f64) -> Vec<Made> {
    let first = rates.iter().map(|&(rate, gauc)| run(model, config(rate), 1, gauc));
    let gauc = rates.iter().find(|point| point.0 == best).unwrap().1;
    let again = [2, 3].map(|seed| run(model, config(best), seed, gauc + 0.001 * seed as f64));
    first.chain(again).collect()
}

fn report(all: &[Made]) -> (tempfile::TempDir, ReportSummary) {
    let folder = tempfile::tempdir().unwrap();
    for (index, record) in all.iter().map(Made::record).enumerate() {
        let record: RunRecord = record;
        place(&folder.path().join("runs"), &format!("run-{index:03}"), &record);
    }
    let options =
        ReportOptions { runs: folder.path().join("runs"), out: folder.path().join("reports") };
    let default = |_: &str, preset: &str| (preset == "small").then(|| config(0.003));
    let summary =
        write_report(&options, &Background { scores: None, defaults: Some(&default) }).unwrap();
    (folder, summary)
}

#[test]
fn validation_chooses_and_the_table_says_what_was_tried() {
    let mut runs = search("base_model", &[(0.001, 0.60), (0.003, 0.64), (0.01, 0.62)], 0.003);
    runs.extend(search("din", &[(0.001, 0.69), (0.003, 0.66), (0.01, 0.61)], 0.001));
    let (_folder, summary) = report(&runs);
    let markdown = text(&summary, "tuning.md");
    assert_eq!(
        line(&markdown, "DIN"),
        "| DIN | 3 | adam, learning rate 0.001, batch 256 | 0.7017 ± 0.0015 (n=3) | 0.6200 to 0.7000 \
         | 0.0800 | 0.6917 ± 0.0015 (n=3) | 0.6600 (n=1) |"
    );
    let base = line(&markdown, "BaseModel");
    assert!(base.contains("learning rate 0.003, batch 256 (the default)"), "{base}");
    assert!(markdown.contains("adam, learning rate 0.01, batch 256 → 0.6200"), "{markdown}");
    // Spreads .04 and .08, chosen .6517 and .7017.
    assert!(markdown.contains("lie 0.0400 to 0.0800 apart (median 0.0600), the 2 models"));
    assert!(
        markdown.contains("settings 0.0500. Over this grid the choice of settings matters more")
    );
    assert!(!markdown.contains("Unequal budgets"));
    assert!(summary.tables_markdown.contains("| DIN | 3 |"));
    let page = text(&summary, "index.html");
    assert!(page.contains("id=\"tuning\"") && page.contains("href=\"#tuning\""));
    assert!(text(&summary, "tuning.tex").contains("0.0800"));
    // Test gAUC of what lost is nowhere in the file.
    let csv = text(&summary, "tuning.csv");
    assert_eq!(csv.lines().count(), 7);
    assert!(csv.contains(",0.62,false,false,1,0,0.62,,,,1,"), "{csv}");
    assert!(csv.contains(",0.67,false,true,1,0,0.67,,0.66,,1,"), "{csv}");
}

#[test]
fn seeds_that_another_suite_gave_do_not_choose() {
    let mut runs = search("din", &[(0.001, 0.69), (0.003, 0.66)], 0.001);
    runs.extend((2..=5).map(|seed| run("din", config(0.003), seed, 0.66)));
    let (_folder, summary) = report(&runs);
    let markdown = text(&summary, "tuning.md");
    let din = line(&markdown, "DIN");
    assert!(
        din.contains("learning rate 0.001") && din.ends_with("| 0.6600 ± 0.0000 (n=5) |"),
        "{din}"
    );
}

#[test]
fn diverged_points_count_and_unequal_budgets_are_said() {
    let mut runs = search("din", &[(0.001, 0.69), (0.003, 0.66)], 0.001);
    runs.push(run("din", sgd(), 1, None));
    runs.push(run("base_model", config(0.003), 1, 0.64));
    // Trained otherwise for another question; no point of any search.
    let mut longer = config(0.003);
    longer["train"]["epochs"] = json!(6);
    runs.push(run("base_model", longer.clone(), 1, 0.63));
    runs.push(run("din", longer, 1, 0.63));
    let (_folder, summary) = report(&runs);
    let markdown = text(&summary, "tuning.md");
    assert!(line(&markdown, "DIN").starts_with("| DIN | 3 | adam"), "{markdown}");
    assert!(line(&markdown, "BaseModel").starts_with("| BaseModel | 1 | adam"), "{markdown}");
    assert!(markdown.contains("sgd, learning rate 1.0, batch 32 → diverged"));
    assert!(markdown.contains("Unequal budgets: 3 for DIN and 1 for BaseModel points were tried"));
    assert!(!markdown.contains("Settings against models"));
}

#[test]
fn table_3_keeps_the_chosen_setting_and_what_has_as_many_seeds() {
    let mut runs = search("base_model", &[(0.001, 0.60), (0.003, 0.64), (0.01, 0.62)], 0.003);
    runs.extend(search("din", &[(0.001, 0.69), (0.003, 0.66), (0.01, 0.61)], 0.001));
    runs.extend([2, 3].map(|seed| run("din", config(0.003), seed, 0.66)));
    runs.extend(search("pnn", &[(0.001, 0.67), (0.003, 0.66)], 0.001));
    let (_folder, summary) = report(&runs);
    let markdown = &summary.table3_markdown;
    assert!(line(markdown, "PNN").contains("0.6717 ± 0.0015 (n=3)"), "{markdown}");
    assert!(line(markdown, "BaseModel").contains("0.6417 ± 0.0015 (n=3)"), "{markdown}");
    assert!(line(markdown, "DIN (learning_rate=0.001)").contains("(n=3)"), "{markdown}");
    assert!(line(markdown, "DIN (learning_rate=0.003)").contains("0.6600 ± 0.0000 (n=3)"));
    assert!(!markdown.contains("0.6100") && !markdown.contains("learning_rate=0.01)"));
    assert!(markdown.contains("Without 4 runs of settings that were tried and not chosen"));
    // Nothing is lost: cost and the list of runs have them all.
    assert!(text(&summary, "cost.md").contains("learning_rate=0.01"));
    assert_eq!(summary.runs, 16);
}

#[test]
fn regularizers_are_not_compared_with_a_tuned_base() {
    let mut runs = search("base_model", &[(0.001, 0.66), (0.003, 0.64)], 0.001);
    let mut mba = config(0.003);
    mba["regularizer"] = json!({"kind": "mba", "lambda": 0.01, "norm": "l2"});
    runs.push(run("base_model", mba, 1, 0.65));
    let (_folder, summary) = report(&runs);
    let table4 = text(&summary, "table4.md");
    assert!(line(&table4, "With goods_ids without reg.").contains("0.6400 (n=1)"), "{table4}");
}

#[test]
fn without_a_validation_set_nothing_is_tuned() {
    let authors = |made: Made| Made { protocol: Protocol::Authors, ..made };
    let runs: Vec<Made> =
        search("din", &[(0.001, 0.69), (0.003, 0.66)], 0.001).into_iter().map(authors).collect();
    let (_folder, summary) = report(&runs);
    assert!(!summary.files.iter().any(|file| file.ends_with("tuning.md")));
    assert_eq!(summary.table3_markdown.matches("| DIN (learning_rate=").count(), 2);
}

#[test]
fn one_setting_a_model_is_no_search() {
    let (_folder, summary) =
        report(&[run("base_model", config(0.003), 1, 0.64), run("din", config(0.003), 1, 0.66)]);
    assert!(!summary.files.iter().any(|file| file.ends_with("tuning.md")));
    assert!(!text(&summary, "index.html").contains("id=\"tuning\""));
}
