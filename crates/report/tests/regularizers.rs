//! Tables 1, 4 and 5 and figure 4 of records made by hand.

mod support;

use ctr_core::{Ceiling, FieldSummary, Role, RunRecord};
use serde_json::{Value, json};
use support::{Made, line, made, report_records, text, without_scripts};

/// A run on the simulated ad log with what validation and test say of it.
fn run(
    model: &'static str,
    regularizer: Value,
    seed: u64,
    validation: f64,
    test: f64,
) -> RunRecord {
    let mut config = json!({"preset": "alibaba", "train": {"optimizer": "adam", "epochs": 3}});
    config["regularizer"] = regularizer;
    let mut record =
        Made { dataset: "alibaba-sim", model, config, seed, gauc: Some(test), ..made() }.record();
    record.metrics.valid_gauc = Some(validation);
    record
}

fn base(regularizer: Value, seed: u64, validation: f64, test: f64) -> RunRecord {
    run("base_model", regularizer, seed, validation, test)
}

fn mba(lambda: f64) -> Value {
    json!({"kind": "mba", "lambda": lambda, "norm": "l2"})
}

/// Two seeds without goods_ids, two without a regularizer.
fn two_kinds() -> Vec<RunRecord> {
    vec![
        base(json!({"kind": "without_goods_ids"}), 1, 0.60, 0.60),
        base(json!({"kind": "without_goods_ids"}), 2, 0.60, 0.60),
        base(json!({"kind": "none"}), 1, 0.61, 0.61),
        base(json!({"kind": "none"}), 2, 0.61, 0.63),
    ]
}

#[test]
fn validation_chooses_and_test_does_not() {
    let mut records = two_kinds();
    // Test alone would choose 0.1.
    records.push(base(mba(0.001), 1, 0.591, 0.64));
    records.push(base(mba(0.1), 1, 0.592, 0.69));
    records.push(base(mba(0.01), 1, 0.595, 0.63));
    let (_folder, summary) = report_records(&records);
    let table = text(&summary, "table4.md");
    let row = line(&table, "With goods_ids and MBA reg.");
    // Over .60: .13/.10 − 1. The peak is .0012 above, at epoch 2 of 3, and .0112 above the last.
    assert_eq!(
        row,
        "| With goods_ids and MBA reg. | 0.6031 | +9.68% | 0.6300 (n=1) | +30.00% | 0.6312 | 2.0 | -0.0112 |"
    );
    assert!(
        table.contains(
            "tried λ, validation gAUC: 0.001 → 0.5910 (n=1); 0.01 → 0.5950 (n=1) (chosen); 0.1 → 0.5920 (n=1)."
        ),
        "{table}"
    );
    assert!(!table.contains("0.6900"), "{table}");
    assert!(text(&summary, "table4.tex").contains("tried $\\lambda$, validation gAUC"));
    let csv = text(&summary, "table4.csv");
    let chosen = csv.lines().find(|line| line.contains(",mba,")).unwrap();
    assert!(chosen.contains("0.001:0.591 0.01:0.595 0.1:0.592"), "{chosen}");
    assert!(chosen.contains(&records[6].run_id) && !chosen.contains(&records[5].run_id));
}

#[test]
fn most_seeds_come_before_validation() {
    let mut records = two_kinds();
    records.push(base(mba(0.1), 1, 0.70, 0.69));
    records.push(base(mba(0.01), 1, 0.65, 0.63));
    records.push(base(mba(0.01), 2, 0.64, 0.65));
    let (_folder, summary) = report_records(&records);
    let table = text(&summary, "table4.md");
    let row = line(&table, "With goods_ids and MBA reg.");
    assert!(row.contains("| 0.6400 ± 0.0141 (n=2) | +40.00% ± 14.14% |"), "{row}");
    assert!(table.contains("0.01 → 0.6450 ± 0.0071 (n=2) (chosen); 0.1 → 0.7000 (n=1)"), "{table}");
}

#[test]
fn without_validation_nothing_is_chosen_among_equals() {
    let mut records = two_kinds();
    for (lambda, test) in [(0.1, 0.69), (0.01, 0.63)] {
        let mut record = base(mba(lambda), 1, 0.0, test);
        record.metrics.valid_gauc = None;
        records.push(record);
    }
    let (_folder, summary) = report_records(&records);
    let table = text(&summary, "table4.md");
    let row = line(&table, "With goods_ids and MBA reg.");
    assert!(row.ends_with("| 0.6031 | +9.68% | — | — | — | — | — |"), "{row}");
    assert!(table.contains("None is shown, for nothing but test could choose."));
}

#[test]
fn all_rows_of_the_paper_stand_in_its_order_and_ours_follow() {
    let mut records = two_kinds();
    records.push(base(json!({"kind": "mba", "lambda": 0.01, "norm": "l1"}), 1, 0.6, 0.6));
    records.push(base(json!({"kind": "l2", "lambda": 0.01}), 1, 0.6, 0.6));
    let mut once = base(json!({"kind": "none"}), 1, 0.62, 0.62);
    once.config["train"]["epochs"] = 1.into();
    once.config_sha256 = "once".into();
    let mut again = base(json!({"kind": "none"}), 1, 0.62, 0.62);
    again.config["train"]["reinitialize_embeddings"] = true.into();
    again.config_sha256 = "again".into();
    records.extend([once, again]);
    let (_folder, summary) = report_records(&records);
    assert!(!text(&summary, "index.html").contains("configurations: ;"));
    let table = text(&summary, "table4.md");
    let titles = [
        "Without goods_ids feature and reg.",
        "With goods_ids without reg.",
        "With goods_ids and dropout reg.",
        "With goods_ids and filter reg.",
        "With goods_ids and DiFacto reg.",
        "With goods_ids and MBA reg.",
        "With goods_ids and L2 reg.",
        "With goods_ids and MBA reg. in its L1 form",
        "With goods_ids for one epoch only",
        "With goods_ids and embeddings drawn again every epoch",
    ];
    let places: Vec<usize> =
        titles.iter().map(|title| table.find(&format!("| {title} |")).unwrap()).collect();
    assert!(places.is_sorted(), "{places:?}");
    let dropout = line(&table, titles[2]);
    assert_eq!(dropout, format!("| {} | 0.5970 | +3.19% | — | — | — | — | — |", titles[2]));
    let none = line(&table, titles[1]);
    assert!(
        none.contains("| 0.5959 | +2.02% | 0.6200 ± 0.0141 (n=2) | +20.00% ± 14.14% |"),
        "{none}"
    );
    // What differs by design is not held against a row.
    assert!(!table.contains("trained unlike"), "{table}");
    assert!(table.contains("> **Simulated data: alibaba-sim was generated"));
    assert!(table.contains("on Alibaba, which is another dataset"));
}

#[test]
fn other_training_than_the_base_is_said() {
    let mut records = two_kinds();
    let mut faster = base(mba(0.01), 1, 0.62, 0.62);
    faster.config["train"]["optimizer"] = "sgd".into();
    records.push(faster);
    let (_folder, summary) = report_records(&records);
    let table = text(&summary, "table4.md");
    let note = "trained unlike the row without goods_ids that RelaImpr is over (train.optimizer): \
                With goods_ids and MBA reg.";
    assert!(table.contains(note), "{table}");
}

#[test]
fn table_5_has_the_nine_rows_of_the_paper() {
    let dropout = || json!({"kind": "dropout", "rate": 0.5});
    let records = [
        run("lr", json!({"kind": "none"}), 1, 0.55, 0.55),
        run("base_model", dropout(), 1, 0.60, 0.60),
        run("din", dropout(), 1, 0.62, 0.62),
        run("din", mba(0.01), 1, 0.63, 0.63),
        run("din_dice", mba(0.01), 1, 0.64, 0.64),
        // Neither is a row of the paper.
        run("din", json!({"kind": "none"}), 1, 0.9, 0.9),
        run("din_dice", json!({"kind": "mba", "lambda": 0.01, "norm": "l1"}), 1, 0.9, 0.9),
    ];
    let (_folder, summary) = report_records(&records);
    let table = text(&summary, "table5.md");
    for row in [
        "| LR | 0.5738 | -23.92% | 0.5500 (n=1) | -50.00% | +0.0012 |",
        "| BaseModel (a,b) | 0.5970 | +0.00% | 0.6000 (n=1) | +0.00% | +0.0012 |",
        "| Wide&Deep (a,b) | 0.5977 | +0.72% | — | — | — |",
        "| PNN (a,b) | 0.5983 | +1.34% | — | — | — |",
        "| DeepFM (a,b) | 0.5993 | +2.37% | — | — | — |",
        "| DIN (a,b) | 0.6029 | +6.08% | 0.6200 (n=1) | +20.00% | +0.0012 |",
        "| DIN with MBA reg. (a) | 0.6060 | +9.28% | 0.6300 (n=1) | +30.00% | +0.0012 |",
        "| DIN with Dice (b) | 0.6044 | +7.63% | — | — | — |",
        "| DIN with MBA reg. and Dice | 0.6083 | +11.65% | 0.6400 (n=1) | +40.00% | +0.0012 |",
    ] {
        assert!(table.contains(row), "{row}\n{table}");
    }
    assert!(!table.contains("0.9000"), "{table}");
    assert_eq!(text(&summary, "table5.csv").lines().count(), 10);
    assert!(summary.tables_markdown.contains("# Table 5"));
}

#[test]
fn the_ceiling_ends_the_tables() {
    let mut records = two_kinds();
    records.push(run("base_model", json!({"kind": "dropout"}), 1, 0.62, 0.62));
    for record in &mut records {
        record.dataset.ceiling =
            Some(Ceiling { test_gauc: 0.7012, test_auc: 0.75, test_log_loss: 0.3 });
    }
    let (_folder, summary) = report_records(&records);
    let row = "| True click probability (ceiling) | — | — | 0.7012 | +101.20% | — | — | — |";
    assert_eq!(line(&text(&summary, "table4.md"), "True click probability (ceiling)"), row);
    // Over BaseModel with dropout: .2012/.12 − 1.
    let row = "| True click probability (ceiling) | — | — | 0.7012 | +67.67% | — |";
    assert_eq!(line(&text(&summary, "table5.md"), "True click probability (ceiling)"), row);
    let csv = text(&summary, "table4.csv");
    let last = csv.lines().last().unwrap();
    assert!(last.starts_with("alibaba-sim,held-out,1111222233334444,true,alibaba,ceiling,"));
    assert!(last.contains(",0.7012,") && last.contains(",0.75,0.3,"), "{last}");
    let commas = |line: &str| line.matches(',').count();
    assert!(csv.lines().all(|line| commas(line) == commas(last)), "{csv}");
}

#[test]
fn the_ad_log_has_no_table_3_and_figure_4_instead() {
    let mut records = two_kinds();
    let (_folder, summary) = report_records(&records);
    let names = |summary: &ctr_report::ReportSummary| -> Vec<String> {
        let name = |file: &std::path::PathBuf| file.file_name().unwrap().to_str().unwrap().into();
        summary.files.iter().map(name).collect()
    };
    let written = names(&summary);
    assert!(written.iter().all(|n| !n.starts_with("table3") && !n.starts_with("learning_curves")));
    for name in ["figure4_regularization.png", "figure4_regularization-alibaba-sim.png"] {
        assert!(written.iter().any(|written| written == name), "{written:?}");
    }
    assert_eq!(summary.table3_markdown, "");
    let page = text(&summary, "index.html");
    assert!(page.contains("href=\"#figure4\"") && !page.contains("href=\"#results\""));

    // Beside another dataset with regularizers, whose figure comes first by name.
    for (kind, seed) in [("none", 1), ("l2", 1)] {
        let mut record = base(json!({"kind": kind}), seed, 0.8, 0.8);
        record.dataset.id = "aaa".into();
        records.push(record);
    }
    let (_folder, summary) = report_records(&records);
    let file = |name: &str| {
        let path = summary.files.iter().find(|file| file.ends_with(name)).unwrap();
        std::fs::read(path).unwrap()
    };
    assert!(file("figure4_regularization.png") == file("figure4_regularization-alibaba-sim.png"));
    assert!(file("figure4_regularization.png") != file("figure4_regularization-aaa.png"));
    let table3 = &summary.table3_markdown;
    assert!(!table3.contains("Models on alibaba-sim"), "{table3}");
    assert!(table3.contains("Models on aaa"));
}

#[test]
fn figures_repeat_and_show_every_line() {
    let mut records = two_kinds();
    records.push(base(mba(0.01), 1, 0.62, 0.62));
    for record in &mut records {
        for point in &mut record.curve {
            point.train_loss = (point.step > 0).then_some(0.5 - 0.01 * point.epoch);
            point.test_loss = Some(0.52 + 0.01 * point.epoch);
        }
    }
    let read = || {
        let (_folder, summary) = report_records(&records);
        let end = "figure4_regularization.png";
        std::fs::read(summary.files.iter().find(|file| file.ends_with(end)).unwrap()).unwrap()
    };
    let first = read();
    assert!(first == read(), "the picture does not repeat");
    let mut reader = png::Decoder::new(std::io::Cursor::new(&first)).read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    reader.next_frame(&mut pixels).unwrap();
    for color in [[0, 0, 0], [0, 158, 115], [213, 94, 0]] {
        assert!(pixels.chunks(3).filter(|pixel| *pixel == color).count() > 300, "{color:?}");
    }
    assert!(!pixels.chunks(3).any(|pixel| pixel == [204, 121, 167]), "DiFacto was not run");
}

#[test]
fn a_search_does_not_flood_table_3() {
    let tiny = |model, regularizer: Value, gauc: f64| {
        let mut record = run(model, regularizer, 1, gauc, gauc);
        record.dataset.id = "tiny".into();
        record
    };
    let plain = [
        tiny("base_model", json!({"kind": "none"}), 0.70),
        tiny("din", json!({"kind": "none"}), 0.75),
    ];
    let mut records = plain.to_vec();
    for lambda in [0.1, 0.01, 0.001] {
        records.push(tiny("base_model", mba(lambda), 0.6));
        records.push(tiny("din", mba(lambda), 0.6));
    }
    let (_folder, summary) = report_records(&records);
    let (_other, alone) = report_records(&plain);
    let rows = |markdown: &str| -> Vec<String> {
        markdown.lines().filter(|line| line.starts_with('|')).map(String::from).collect()
    };
    assert_eq!(rows(&summary.table3_markdown), rows(&alone.table3_markdown));
    assert!(summary.table3_markdown.contains("Without 6 runs of this dataset"));
    assert_eq!(text(&summary, "table3.csv"), text(&alone, "table3.csv"));
    // Where nothing else was run, what there is stays.
    let (_folder, summary) = report_records(&[tiny("din", mba(0.1), 0.6)]);
    assert!(line(&summary.table3_markdown, "DIN").contains("0.6000 (n=1)"));
    assert!(!summary.files.iter().any(|file| file.ends_with("table4.md")));
}

#[test]
fn presets_are_never_mixed() {
    let mut records = two_kinds();
    for mut record in two_kinds() {
        record.config["preset"] = "small".into();
        record.config_sha256 += "small";
        record.metrics.test_gauc = Some(0.55);
        records.push(record);
    }
    let (_folder, summary) = report_records(&records);
    let table = text(&summary, "table4.md");
    assert!(table.contains("ours, held-out, preset alibaba, simulated: gAUC"), "{table}");
    assert_eq!(table.matches("| With goods_ids without reg. |").count(), 2);
    assert!(
        summary.files.iter().any(|f| {
            f.ends_with("figure4_regularization-alibaba-sim-held-out--preset-small.png")
        })
    );
}

#[test]
fn table_1_sets_fields_beside_the_papers() {
    let field =
        |group: &str, role, name: &str, dimensionality, multi_hot, ids_per_row| FieldSummary {
            group: group.into(),
            role,
            name: name.into(),
            dimensionality,
            multi_hot,
            ids_per_row,
        };
    let mut records = two_kinds();
    for record in &mut records {
        record.dataset.fields = vec![
            field("user", Role::UserProfile, "gender", 2, false, 1.0),
            field("visited", Role::Behaviors, "goods_id", 12_345, true, 33.25),
            field("ad", Role::Candidate, "goods_id", 2_345, false, 1.0),
            field("ad", Role::Candidate, "<b>|", 7, false, 1.0),
        ];
    }
    let (_folder, summary) = report_records(&records);
    let table = text(&summary, "table1.md");
    for row in [
        "| User profile | gender | 2 | one-hot | 1 | 2 | one-hot | 1 |",
        "| User profile | age_level | — | — | — | \\~10 | one-hot | 1 |",
        "| User behavior | goods_id | 12,345 | multi-hot | 33.2 | \\~10^9 | multi-hot | \\~10^3 |",
        "| Ad | goods_id | 2,345 | one-hot | 1 | \\~10^7 | one-hot | 1 |",
        "| Ad | &lt;b&gt;\\| | 7 | one-hot | 1 | — | — | — |",
        "| Context | pid | — | — | — | \\~10 | one-hot | 1 |",
    ] {
        assert!(table.contains(row), "{row}\n{table}");
    }
    assert!(
        text(&summary, "table1.csv")
            .contains(",User behavior,visited,goods_id,12345,multi-hot,33.25,~10^9,~10^3")
    );
    assert!(text(&summary, "index.html").contains("href=\"#fields\""));
    // Elsewhere the paper has nothing to say.
    records.truncate(1);
    records[0].dataset.id = "tiny".into();
    let (_folder, summary) = report_records(&records);
    assert!(!text(&summary, "table1.md").contains("paper"));
}

#[test]
fn names_with_markup_stay_names() {
    let evil = "<script>alert(1)</script>";
    let mut records = two_kinds();
    records.push(base(json!({"kind": evil, "note": "</pre><script>"}), 1, 0.6, 0.6));
    records.push(base(json!({"kind": evil, "note": "\"><script>|"}), 1, 0.5, 0.6));
    for record in &mut records {
        record.dataset.id = format!("alibaba-{evil}");
        record.config["preset"] = evil.into();
        record.run_id = format!("{evil}{}", record.run_id);
    }
    let (_folder, summary) = report_records(&records);
    assert!(!without_scripts(&text(&summary, "index.html")).contains("<script"));
    for name in ["table4.md", "table5.md"] {
        assert!(!text(&summary, name).contains("<script"), "{name}");
    }
    assert!(summary.files.iter().all(|file| file.is_file()));
}

#[test]
fn diverged_runs_are_said() {
    let mut records = two_kinds();
    let mut diverged = Made { gauc: None, ..made() }.record();
    let model = base(mba(0.01), 1, 0.6, 0.6);
    diverged.dataset = model.dataset.clone();
    diverged.model = model.model.clone();
    diverged.config = model.config.clone();
    diverged.config_sha256 = model.config_sha256.clone();
    records.push(diverged);
    let (_folder, summary) = report_records(&records);
    let table = text(&summary, "table4.md");
    let row = line(&table, "With goods_ids and MBA reg.");
    assert!(row.contains("| diverged | — | — | — | — |"), "{row}");
    assert!(
        table.contains(
            "diverged runs are left out of the mean: With goods_ids and MBA reg. (1 of 1)"
        )
    );
}
