//! What the tables say about records made by hand.

mod support;

use ctr_core::Protocol;
use serde_json::json;
use support::{Made, line, made, report, report_records, text};

fn with(model: &'static str, seed: u64, gauc: impl Into<Option<f64>>) -> Made {
    Made { model, seed, gauc: gauc.into(), ..made() }
}

#[test]
fn means_deviations_and_relative_improvement_are_those_computed_by_hand() {
    let (_folder, summary) = report(&[
        with("base_model", 1, 0.70),
        with("base_model", 2, 0.72),
        with("din", 1, 0.74),
        with("din", 2, 0.77),
        with("din", 3, 0.80),
    ]);
    assert_eq!(summary.runs, 5);
    // Base: mean .71, std .0141. DIN: mean .77, std .03. (.27/.21 − 1) = 28.57 %.
    // Pairs: .24/.20 − 1 = 20 %, .27/.22 − 1 = 22.73 %; std 1.93.
    // Optimism is .0012 in each record.
    assert_eq!(
        line(&summary.table3_markdown, "DIN"),
        "| DIN | 0.8818 | +5.35% | 0.8698 | +2.04% | 0.7700 ± 0.0300 (n=3) | +28.57% ± 1.93% | +0.0012 |"
    );
    assert_eq!(
        line(&summary.table3_markdown, "BaseModel"),
        "| BaseModel | 0.8624 | +0.00% | 0.8624 | +0.00% | 0.7100 ± 0.0141 (n=2) | +0.00% | +0.0012 |"
    );
    assert_eq!(
        line(&summary.table3_markdown, "PNN"),
        "| PNN | 0.8679 | +1.52% | 0.8679 | +1.52% | — | — | — |"
    );
    // The order is the paper's.
    let place = |title: &str| summary.table3_markdown.find(&format!("| {title} |")).unwrap();
    let order = ["LR", "BaseModel", "Wide&Deep", "PNN", "DeepFM", "DIN", "DIN with Dice"];
    assert!(order.windows(2).all(|pair| place(pair[0]) < place(pair[1])));
}

#[test]
fn one_seed_is_marked_and_has_no_deviation() {
    let (_folder, summary) = report(&[with("base_model", 1, 0.7), with("din", 1, 0.75)]);
    let din = line(&summary.table3_markdown, "DIN");
    assert!(din.contains("| 0.7500 (n=1) | +25.00% |"), "{din}");
    assert!(!din.contains('±'));
}

#[test]
fn without_base_model_there_is_no_relative_improvement() {
    let (_folder, summary) = report(&[with("din", 1, 0.75)]);
    let din = line(&summary.table3_markdown, "DIN");
    assert!(din.contains("| 0.7500 (n=1) | — |"), "{din}");
}

#[test]
fn diverged_runs_are_shown_and_never_averaged() {
    let (_folder, summary) = report(&[
        with("base_model", 1, 0.7),
        with("din", 1, 0.75),
        with("din", 2, None),
        with("pnn", 1, None),
    ]);
    let markdown = &summary.table3_markdown;
    assert!(line(markdown, "PNN").contains("| diverged | — | — |"), "{}", line(markdown, "PNN"));
    assert!(line(markdown, "DIN").contains("| 0.7500 (n=1, 1 diverged) |"));
    assert!(markdown.contains("DIN (1 of 2)"));
    let csv = text(&summary, "table3.csv");
    let pnn = csv.lines().find(|line| line.contains(",pnn,")).unwrap();
    assert!(pnn.contains(",,,0,1,,,,"), "{pnn}");
}

#[test]
fn the_protocols_stand_beside_one_another_and_only_held_out_has_optimism() {
    let authors = Protocol::Authors;
    let (_folder, summary) = report(&[
        with("base_model", 1, 0.7),
        Made { protocol: authors, content: "aaaabbbbccccdddd", ..with("base_model", 1, 0.71) },
        with("din", 1, 0.74),
        Made { protocol: authors, content: "aaaabbbbccccdddd", ..with("din", 1, 0.75) },
    ]);
    let markdown = &summary.table3_markdown;
    assert!(
        line(markdown, "DIN")
            .ends_with("| 0.7400 (n=1) | +20.00% | +0.0012 | 0.7500 (n=1) | +19.05% |")
    );
    assert_eq!(markdown.matches("optimism").count(), 1, "{markdown}");
    assert!(markdown.contains("held-out (simulated data, content 11112222)"));
    assert!(markdown.contains("authors (simulated data, content aaaabbbb)"));
}

#[test]
fn configurations_of_a_model_are_rows_of_their_own_with_the_base_trained_alike() {
    let config = |preset: &str, regularizer: &str| json!({"preset": preset, "train": {"optimizer": preset, "regularizer": regularizer}});
    let run = |model, preset, regularizer, gauc: f64| Made {
        config: config(preset, regularizer),
        ..with(model, 1, gauc)
    };
    let (_folder, summary) = report(&[
        run("base_model", "adam", "none", 0.70),
        run("base_model", "sgd", "none", 0.60),
        run("din", "adam", "none", 0.74),
        run("din", "adam", "mba", 0.75),
        run("din", "sgd", "none", 0.65),
    ]);
    let markdown = &summary.table3_markdown;
    let row = |title| line(markdown, title);
    assert!(row("DIN (adam, regularizer=none)").contains("| 0.7400 (n=1) | +20.00% |"));
    assert!(row("DIN (adam, regularizer=mba)").contains("| 0.7500 (n=1) | +25.00% |"));
    assert!(row("DIN (sgd)").contains("| 0.6500 (n=1) | +50.00% |"), "{}", row("DIN (sgd)"));
    // Published numbers stand in a model's first row only.
    assert_eq!(markdown.matches("| 0.8818 |").count(), 1);
    assert!(markdown.contains("(train.regularizer): DIN (adam, regularizer=mba)"), "{markdown}");
}

#[test]
fn equally_near_bases_leave_no_relative_improvement() {
    let run = |model, rate: f64, gauc: f64| Made {
        config: json!({"train": {"rate": rate}}),
        ..with(model, 1, gauc)
    };
    let (_folder, summary) = report(&[
        run("base_model", 1.0, 0.70),
        run("base_model", 2.0, 0.60),
        run("din", 3.0, 0.74),
    ]);
    let din = line(&summary.table3_markdown, "DIN");
    assert!(din.contains("| 0.7400 (n=1) | — |"), "{din}");
    let base = line(&summary.table3_markdown, "BaseModel (rate=2.0)");
    assert!(base.contains("| 0.6000 (n=1) | +0.00% |"), "{base}");
}

#[test]
fn content_of_another_hash_is_never_mixed_in() {
    let (_folder, summary) = report(&[
        with("din", 1, 0.70),
        Made { content: "9999888877776666", ..with("din", 2, 0.90) },
    ]);
    let din = line(&summary.table3_markdown, "DIN");
    assert!(din.contains("0.7000 (n=1)") && din.contains("0.9000 (n=1)"), "{din}");
    assert!(summary.table3_markdown.contains("held-out @11112222"));
    assert!(
        summary.files.iter().any(|f| f.ends_with("learning_curves-tiny-held-out--99998888.png"))
    );
}

#[test]
fn copies_count_once_and_contradictions_are_reported() {
    let run = with("din", 1, 0.7).record();
    let mut other = run.clone();
    other.timing.finished_unix_seconds += 1;
    other.metrics.test_gauc = Some(0.8);
    other.result_sha256 = other.compute_result_sha256().unwrap();
    let (_folder, summary) = report_records(&[run.clone(), run.clone()]);
    assert!(line(&summary.table3_markdown, "DIN").contains("0.7000 (n=1)"));
    assert_eq!(summary.runs, 1);
    assert!(summary.table3_markdown.contains("run-000 and run-001 are one configuration and seed"));
    assert!(summary.table3_markdown.contains("equal results"));
    let (_folder, summary) = report_records(&[other, run]);
    assert!(line(&summary.table3_markdown, "DIN").contains("0.8000 (n=1)"));
    assert!(summary.table3_markdown.contains("different results"));
    assert_eq!(summary.warnings.len(), 1);
}

#[test]
fn captions_say_what_the_numbers_are() {
    let runs = [with("din", 1, 0.7), with("din", 2, 0.71)];
    let (_folder, summary) = report(&runs);
    let markdown = &summary.table3_markdown;
    assert!(markdown.contains("> **Simulated data: tiny was generated"));
    assert!(markdown.contains("Amazon (Electronics), which is another dataset"));
    assert!(
        markdown.contains("gAUC|w:impressions|ds:tiny@11112222|proto:held-out|seeds:2|v:0.1.0")
    );
    assert!(markdown.contains("Withdrawn by the authors on Amazon (Electronics): DIN 0.8818"));
    assert!(markdown.contains("9765f96"));
    for run in &runs {
        let id = run.record().run_id;
        assert!(markdown.contains(&id));
        assert!(text(&summary, "table3.csv").contains(&id));
        assert!(text(&summary, "table3.tex").contains(&id));
    }
    let real = Made { dataset: "movielens-20m", simulated: false, ..with("din", 1, 0.73) };
    let (_folder, summary) = report(&[real]);
    let markdown = &summary.table3_markdown;
    assert!(markdown.contains("Published columns are on MovieLens (20M), this dataset"));
    assert!(!markdown.contains("imulated data"));
    let din = line(markdown, "DIN");
    // The corrected numbers are about Amazon alone, so they are no column here.
    assert!(din.starts_with("| DIN | 0.7337 | +1.61% | 0.7300 (n=1) |"), "{din}");
}

#[test]
fn table_2_has_published_and_found() {
    let real = Made { dataset: "amazon-electronics", simulated: false, ..made() };
    let (_folder, summary) = report(&[real, made()]);
    let markdown = text(&summary, "table2.md");
    assert_eq!(
        line(&markdown, "amazon-electronics"),
        "| amazon-electronics | held-out | 192,403 | 10,000 | 63,001 | 5,000 | 801 | 80 | 1,689,188 \
         | 150,000 | 260,000 | 20,000 | 20,000 |"
    );
    assert!(
        line(&markdown, "tiny (simulated)")
            .starts_with("| tiny (simulated) | held-out | — | 10,000 |")
    );
    assert!(line(&markdown, "Alibaba").starts_with("| Alibaba | not run here | 60,000,000 | — |"));
    assert_eq!(line(&markdown, "Amazon (Electronics)"), "no such row");
    let csv = text(&summary, "table2.csv");
    assert!(csv.contains("amazon-electronics,held-out,1111222233334444,false,192403,10000,"));
}

#[test]
fn latex_is_escaped() {
    let run = Made { dataset: "a_b&c%", ..with("wide_deep", 1, 0.7) };
    let (_folder, summary) = report(&[run]);
    let latex = text(&summary, "table3.tex");
    assert!(latex.contains("Wide\\&Deep & 0.8637 & +0.36\\% &"), "{latex}");
    assert!(latex.contains("a\\_b\\&c\\%"));
    assert!(latex.contains("\\toprule") && latex.contains("\\bottomrule"));
}
