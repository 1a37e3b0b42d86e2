//! Published numbers beside records made by hand: logs in learning curves, throughputs, sources.

#![allow(clippy::unwrap_used, reason = "helpers of tests, outside of them")]

mod support;

use ctr_core::RunRecord;
use ctr_report::ReportSummary;
use serde_json::json;
use support::{Made, made, report_records, text};

/// DIN and BaseModel on a dataset for 400,000 steps of 32 rows, to see as much of the logs.
fn long_runs(dataset: &'static str, simulated: bool) -> Vec<RunRecord> {
    let run = |model| {
        let config = json!({"preset": "authors", "train": {"batch_size": 32}});
        let gauc = Some(0.865);
        let mut record = Made { dataset, simulated, model, gauc, config, ..made() }.record();
        for point in &mut record.curve {
            point.step *= 133;
        }
        record
    };
    ["base_model", "din"].map(run).into()
}

fn height(summary: &ReportSummary) -> u32 {
    let held_out = |file: &&std::path::PathBuf| file.to_string_lossy().ends_with("-held-out.png");
    let file = summary.files.iter().find(held_out).unwrap();
    let reader = std::io::BufReader::new(std::fs::File::open(file).unwrap());
    png::Decoder::new(reader).read_info().unwrap().info().height
}

#[test]
fn the_authors_logs_stand_behind_curves_of_electronics_and_of_nothing_else() {
    let said = "lines of short dashes are the authors";
    for dataset in ["amazon-electronics", "amazon-electronics-x1"] {
        let (_folder, summary) = report_records(&long_runs(dataset, false));
        assert!(text(&summary, "index.html").contains(said), "{dataset}");
        // One line of the legend more: what the short dashes are.
        assert_eq!(height(&summary) % 560, 112, "{dataset}");
    }
    for (dataset, simulated) in
        [("amazon-electronics", true), ("amazon-electronics-sim", false), ("amazon-beauty", false)]
    {
        let (_folder, summary) = report_records(&long_runs(dataset, simulated));
        assert!(!text(&summary, "index.html").contains(said), "{dataset}");
        assert_eq!(height(&summary) % 560, 78, "{dataset}");
    }
}

#[test]
fn published_throughputs_stand_beside_our_cost_with_their_settings() {
    let (_folder, summary) = report_records(&[made().record()]);
    let cost = text(&summary, "cost.md");
    let line = cost.lines().find(|line| line.contains("DeepRec, FP32")).unwrap();
    for part in ["CPU: the same", "| 512 | 22,300 |", "The same setting", "DeepRec-AI/DeepRec"] {
        assert!(line.contains(part), "{part}: {line}");
    }
    assert!(cost.contains("each on its own machine and in its own setting"));
    let page = text(&summary, "index.html").replace("&#x2f;", "/");
    assert!(page.contains("id=\"throughput-published\"") && page.contains("Tesla P100"));
}

#[test]
fn the_page_names_every_source() {
    let (_folder, summary) = report_records(&[made().record()]);
    let page = text(&summary, "index.html").replace("&#x2f;", "/").replace("&#x27;", "'");
    for part in [
        "<h3>Authors' logs</h3>",
        "<h3>BARS</h3>",
        "<h3>DIEN's paper</h3>",
        "<h3>Published throughputs</h3>",
        "Table TaobaoAd_x1",
        "0.7603 ± 0.00028",
        "61 of 4,076 evaluations",
        "Table 1 has its fields of alibaba",
    ] {
        assert!(page.contains(part), "{part}");
    }
}
