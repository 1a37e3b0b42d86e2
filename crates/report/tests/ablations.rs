//! What the report says of models with changed settings, on records made by hand.

#![allow(clippy::unwrap_used, reason = "helpers of tests, outside of them")]

mod support;

use ctr_core::{Digest, RunRecord};
use ctr_report::{Background, ReadScores, ReportOptions, ReportSummary, TestScores, write_report};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use support::{Made, line, made, place, text};

/// What a model of the preset `small` has when nothing is set.
fn config(model: &str) -> Value {
    let pooled =
        json!({"pooling": "mean", "network": {"activation": "sigmoid", "normalization": "frozen"}});
    let mut din = json!({
        "product": true,
        "activation_unit": {"normalization": "scaled_softmax"},
        "network": {"activation": "sigmoid", "normalization": "frozen"},
    });
    if model == "din_dice" {
        din["network"]["activation"] = json!("dice");
    }
    let model = if model.starts_with("din") { din } else { pooled };
    json!({"preset": "small", "model": model, "train": {"optimizer": {"learning_rate": 0.003}}})
}

/// Three seeds of a model with changed settings, such as `/model/product`.
fn run(model: &'static str, changes: &[(&str, Value)], gauc: [f64; 3]) -> Vec<Made> {
    let mut config = config(model);
    for (pointer, value) in changes {
        *config.pointer_mut(pointer).unwrap() = value.clone();
    }
    let seeds = gauc.into_iter().zip(1..);
    let of =
        |(gauc, seed)| Made { model, config: config.clone(), seed, gauc: Some(gauc), ..made() };
    seeds.map(of).collect()
}

const BASE: [f64; 3] = [0.7000, 0.7018, 0.7012];
const DIN: [f64; 3] = [0.7500, 0.7520, 0.7510];

fn plus(values: [f64; 3], by: [f64; 3]) -> [f64; 3] {
    [values[0] + by[0], values[1] + by[1], values[2] + by[2]]
}

fn defaults() -> Vec<Made> {
    [
        run("base_model", &[], BASE),
        run("pnn", &[], plus(BASE, [0.0398, 0.0400, 0.0402])),
        run("din", &[], DIN),
    ]
    .concat()
}

fn without_product(by: [f64; 3]) -> Vec<Made> {
    run("din", &[("/model/product", json!(false))], plus(DIN, by))
}

fn report_records(
    records: &[RunRecord],
    scores: Option<&ReadScores>,
) -> (tempfile::TempDir, ReportSummary) {
    let folder = tempfile::tempdir().unwrap();
    for (index, record) in records.iter().enumerate() {
        place(&folder.path().join("runs"), &format!("run-{index:03}"), record);
    }
    let options =
        ReportOptions { runs: folder.path().join("runs"), out: folder.path().join("reports") };
    let default = |model: &str, preset: &str| {
        let mut config = config(model);
        config["model"]["id"] = model.into();
        (preset == "small").then_some(config)
    };
    let summary = write_report(&options, &Background { scores, defaults: Some(&default) }).unwrap();
    if let Some(kept) = std::env::var_os("PICTURES") {
        for file in summary.files.iter().filter(|file| file.ends_with("ablations.png")) {
            std::fs::copy(file, Path::new(&kept).join(format!("ablations-{}.png", records.len())))
                .unwrap();
        }
    }
    (folder, summary)
}

fn report(all: &[Made]) -> (tempfile::TempDir, ReportSummary) {
    let records: Vec<RunRecord> = all.iter().map(Made::record).collect();
    report_records(&records, None)
}

fn has(summary: &ReportSummary, name: &str) -> bool {
    summary.files.iter().any(|file| file.ends_with(name))
}

#[test]
fn gains_losses_and_what_is_undecided() {
    let mut runs = defaults();
    runs.extend(without_product([-0.0100, -0.0095, -0.0102]));
    let activation = [("/model/network/activation", json!("prelu"))];
    runs.extend(run("din", &activation, plus(DIN, [0.0100, 0.0105, 0.0098])));
    let batch = [("/model/network/normalization", json!("batch"))];
    runs.extend(run("din", &batch, plus(DIN, [0.0040, -0.0030, 0.0010])));
    runs.extend(run("din_dice", &[], plus(DIN, [0.0020, 0.0021, 0.0019])));
    runs.extend(run("pnn", &[("/model/pooling", json!("sum"))], plus(BASE, [0.03, 0.031, 0.029])));
    let (_folder, summary) = report(&runs);
    let markdown = text(&summary, "ablations.md");
    let product = line(&markdown, "DIN: no u ⊙ i");
    assert!(
        product.starts_with(
            "| DIN: no u ⊙ i | 1 | 0.7510 ± 0.0010 (n=3) | 0.7411 ± 0.0013 (n=3) | -0.0099 | -0.0108 to -0.0090 |"
        ),
        "{product}"
    );
    // -0.0099 over 0.2510.
    assert!(product.ends_with("| -3.94% | 3 | worse |"), "{product}");
    let prelu = line(&markdown, "DIN: PReLU in the MLP");
    assert!(prelu.contains("| +0.0101 |") && prelu.ends_with("| better |"), "{prelu}");
    let batch = line(&markdown, "DIN: batch normalization");
    assert!(batch.ends_with("| 3 | no difference shown |"), "{batch}");
    // A model of another name, and another model.
    let dice = line(&markdown, "DIN: Dice in the MLP");
    assert!(dice.contains("| +0.0020 |") && dice.ends_with("| better |"), "{dice}");
    let sum = line(&markdown, "PNN: sum pooling");
    assert!(sum.contains("| -0.0100 |"), "{sum}");
    let places = ["no u ⊙ i", "PReLU", "Dice in the MLP", "batch norm", "PNN: sum"];
    let places = places.map(|title| markdown.find(&format!(": {title}")).or(markdown.find(title)));
    assert!(places.is_sorted(), "{places:?}\n{markdown}");

    assert_eq!(
        line(&markdown, "PNN → DIN").split(" | ").collect::<Vec<_>>()[1..3],
        ["attention, given u ⊙ i", "0.7410 ± 0.0011 (n=3)"]
    );
    assert!(
        markdown.contains("PNN (u ⊙ i and no attention) has 80% of it, attention without"),
        "{markdown}"
    );
    assert!(
        markdown.contains("attention without u ⊙ i has 80% of it. Attention adds to PNN +0.0100")
    );
    assert!(summary.tables_markdown.contains("| DIN: no u ⊙ i |"));

    let csv = text(&summary, "ablations.csv");
    assert_eq!(csv.lines().count(), 1 + 5 + 5);
    assert!(csv.contains(",changes,din,no u ⊙ i,product=false,"), "{csv}");
    assert!(text(&summary, "ablations.tex").contains("DIN: no u $\\odot$ i & 1"));
    let page = text(&summary, "index.html");
    assert!(page.contains("href=\"#ablations\"") && page.contains("id=\"ablations-parts-tiny\""));
    assert!(has(&summary, "ablations.png"));
}

#[test]
fn without_a_gain_nothing_is_divided() {
    let mut runs = defaults();
    runs.retain(|run| run.model != "base_model");
    runs.extend(without_product([-0.0100, -0.0095, -0.0102]));
    let sentence = |base: [f64; 3]| {
        let (_folder, summary) = report(&[runs.clone(), run("base_model", &[], base)].concat());
        text(&summary, "ablations.md")
    };
    let undecided = sentence(plus(DIN, [0.004, -0.005, 0.003]));
    assert!(undecided.contains("has 0 in it, so that no gain is divided"), "{undecided}");
    let below = sentence(plus(DIN, [0.010, 0.011, 0.0105]));
    assert!(below.contains("DIN is below BaseModel by -0.0105"), "{below}");
    assert!(!undecided.contains("of it") && !below.contains("of it"));
    // Without any BaseModel there is nothing to say, and two steps are left.
    let (_folder, summary) = report(&runs);
    let markdown = text(&summary, "ablations.md");
    assert!(!markdown.contains("BaseModel → DIN") && markdown.contains("| PNN → DIN |"));
}

#[test]
fn a_change_is_compared_with_what_was_trained_like_it() {
    let tuned = |mut made: Made, by: f64| {
        made.config["train"]["optimizer"]["learning_rate"] = json!(0.001);
        made.gauc = made.gauc.map(|gauc| gauc + by);
        made
    };
    let mut runs = defaults();
    runs.extend(without_product([-0.0100, -0.0095, -0.0102]));
    // Better on validation too, and still another question.
    runs.extend(run("din", &[], DIN).into_iter().map(|made| tuned(made, 0.02)));
    let both = [("/model/product", json!(false)), ("/model/network/normalization", json!("none"))];
    runs.extend(run("din", &both, plus(DIN, [-0.02, -0.021, -0.022])));
    // Nothing unchanged was trained with this rate.
    let sum = run("pnn", &[("/model/pooling", json!("sum"))], BASE);
    runs.extend(sum.into_iter().map(|made| tuned(made, 0.0)));
    let (_folder, summary) = report(&runs);
    let markdown = text(&summary, "ablations.md");
    assert!(line(&markdown, "DIN: no u ⊙ i").contains("| 0.7510 ± 0.0010 (n=3) |"), "{markdown}");
    assert!(line(&markdown, "DIN: no normalization, no u ⊙ i").contains("| 2 | 0.7510"));
    assert!(line(&markdown, "PNN: sum pooling").ends_with("| — | — | — | — | — | — |"));
    assert!(markdown.contains("was trained like these: PNN: sum pooling."), "{markdown}");
}

#[test]
fn test_rows_give_intervals_over_users() {
    let mut runs = defaults();
    runs.extend(without_product([-0.0100, -0.0095, -0.0102]));
    // 150 users with two rows each; the share of users in order is near the run's gAUC.
    let rows = |gauc: f64| {
        let in_order = (gauc * 150.0).round() as u32;
        let mut rows = TestScores::default();
        for user in 0..150u32 {
            rows.users.extend([user, user]);
            rows.labels.extend([1, 0]);
            rows.scores.extend(if user < in_order { [0.9, 0.1] } else { [0.1, 0.9] });
        }
        rows
    };
    let mut of_folder = BTreeMap::new();
    let mut records: Vec<RunRecord> = Vec::new();
    for (index, made) in runs.iter().enumerate() {
        let (mut record, rows) = (made.record(), rows(made.gauc.unwrap()));
        let mut digest = Digest::new();
        digest.ids(&rows.users);
        digest.update(&rows.labels);
        digest.numbers(&rows.scores);
        record.predictions_sha256 = digest.finish();
        record.result_sha256 = record.compute_result_sha256().unwrap();
        of_folder.insert(format!("run-{index:03}"), rows);
        records.push(record);
    }
    let read = |run: &Path| {
        let name = run.file_name().unwrap().to_string_lossy().into_owned();
        Ok(of_folder.get(&name).cloned())
    };
    let (_folder, summary) = report_records(&records, Some(&read));
    let markdown = text(&summary, "ablations.md");
    assert!(line(&markdown, "DIN: no u ⊙ i").contains("| 3 × 150 |"), "{markdown}");
    // The same runs decide more over seeds alone.
    let (_folder, seeds) = report_records(&records, None);
    assert!(line(&text(&seeds, "ablations.md"), "DIN: no u ⊙ i").ends_with("| 3 | worse |"));
}

#[test]
fn one_seed_shows_nothing() {
    let mut runs = defaults();
    runs.extend(without_product([-0.3, -0.3, -0.3]));
    runs.retain(|run| run.seed == 1);
    let (_folder, summary) = report(&runs);
    let markdown = text(&summary, "ablations.md");
    let product = line(&markdown, "DIN: no u ⊙ i");
    assert!(product.contains("| -0.3000 | — |"), "{product}");
    assert!(product.ends_with("| no difference shown |"), "{product}");
    assert!(has(&summary, "ablations.png"));
}

#[test]
fn without_a_change_there_are_no_ablations() {
    let mut runs = defaults();
    runs.extend(run("din_dice", &[], DIN));
    let (_folder, summary) = report(&runs);
    for name in ["ablations.md", "ablations.csv", "ablations.tex", "ablations.png"] {
        assert!(!has(&summary, name), "{name}");
    }
    assert!(!text(&summary, "index.html").contains("id=\"ablations\""));
    assert!(!summary.tables_markdown.contains("Ablations"));
}

#[test]
fn data_sets_share_a_picture() {
    let mut runs = defaults();
    runs.extend(without_product([-0.0100, -0.0095, -0.0102]));
    let none = [("/model/activation_unit/normalization", json!("none"))];
    runs.extend(run("din", &none, plus(DIN, [-0.004, -0.006, -0.001])));
    let others = runs.clone().into_iter().map(|made| Made {
        dataset: "amazon-beauty",
        simulated: false,
        content: "aaaabbbbccccdddd",
        gauc: made.gauc.map(|gauc| 0.5 + (gauc - 0.5) * 0.9),
        ..made
    });
    let more = run("din", &[("/model/network/activation", json!("prelu"))], DIN);
    let all: Vec<Made> = others.chain(runs.iter().cloned()).chain(more).collect();
    let (_folder, summary) = report(&all);
    let markdown = text(&summary, "ablations.md");
    assert_eq!(markdown.matches("| DIN: no softmax |").count(), 2);
    assert_eq!(markdown.matches("| DIN: PReLU in the MLP |").count(), 1);
    assert_eq!(text(&summary, "index.html").matches("alt=\"Difference in test gAUC").count(), 1);
}
