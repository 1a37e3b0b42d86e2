//! Records made by hand.

#![allow(dead_code, clippy::unwrap_used, reason = "test helpers, of which each file uses a part")]

use ctr_core::{
    Best, CurvePoint, DatasetReference, Environment, MetricValues, ModelInfo, Protocol,
    RECORD_SCHEMA_VERSION, RunRecord, Signature, Status, Timing, canonical_json, sha256_hex,
};
use ctr_report::{Background, ReportOptions, ReportSummary, write_report};
use std::collections::BTreeMap;
use std::path::Path;

/// What a test wants to choose; the rest is filled in.
#[derive(Clone)]
pub struct Made {
    pub dataset: &'static str,
    pub content: &'static str,
    pub simulated: bool,
    pub protocol: Protocol,
    pub model: &'static str,
    pub config: serde_json::Value,
    pub seed: u64,
    pub gauc: Option<f64>,
}

/// DIN on simulated data, seed 1.
pub fn made() -> Made {
    Made {
        dataset: "tiny",
        content: "1111222233334444",
        simulated: true,
        protocol: Protocol::HeldOut,
        model: "din",
        config: serde_json::json!({"preset": "quick", "train": {"optimizer": "adam"}}),
        seed: 1,
        gauc: Some(0.8123),
    }
}

impl Made {
    /// The record; without a gAUC, that of a diverged run.
    pub fn record(&self) -> RunRecord {
        let mut config = self.config.clone();
        if let Some(map) = config.as_object_mut() {
            // Settings of the model that a test has chosen stay.
            map.entry("model").or_insert_with(|| serde_json::json!({}))["id"] = self.model.into();
        }
        let config_sha256 = sha256_hex(canonical_json(&config).unwrap().as_bytes());
        let run_id =
            RunRecord::compute_run_id(&config_sha256, self.content, self.protocol, self.seed)
                .unwrap();
        let held_out = self.protocol == Protocol::HeldOut;
        let curve = self.gauc.map_or_else(Vec::new, |last| {
            (0..=6)
                .map(|index| {
                    let gauc = last - 0.02 * f64::from((index - 4i32).pow(2)) / 8.0;
                    CurvePoint {
                        step: 500 * index as u64,
                        epoch: f64::from(index) / 2.0,
                        test_gauc: Some(gauc),
                        valid_gauc: held_out.then_some(gauc + 0.01),
                        ..CurvePoint::default()
                    }
                })
                .collect()
        });
        let signature = Signature::new("gAUC")
            .with("w", "impressions")
            .with("ds", format!("{}@{}", self.dataset, &self.content[..8]))
            .with("proto", self.protocol)
            .with("seeds", 1)
            .with("v", "0.1.0");
        let count = |entries: &[(&str, u64)]| {
            entries.iter().map(|&(key, value)| (key.to_string(), value)).collect::<BTreeMap<_, _>>()
        };
        let mut record = RunRecord {
            schema_version: RECORD_SCHEMA_VERSION,
            run_id,
            signature: signature.to_string(),
            config,
            config_sha256,
            dataset: DatasetReference {
                id: self.dataset.into(),
                content_sha256: self.content.into(),
                simulated: self.simulated,
                negatives: "uniform-1".into(),
                rows: count(&[("train", 260_000), ("validation", 20_000), ("test", 20_000)]),
                statistics: count(&[
                    ("users", 10_000),
                    ("goods", 5_000),
                    ("categories", 80),
                    ("reviews", 150_000),
                ]),
                fields: Vec::new(),
                ceiling: None,
            },
            protocol: self.protocol,
            seed: self.seed,
            model: ModelInfo {
                id: self.model.into(),
                num_params_dense: 63_121,
                num_params_embedding: 1_234_567,
            },
            env: Environment {
                os: "linux x86_64".into(),
                cpu: "a processor".into(),
                threads: 2,
                ranks: None,
                rustc: "rustc 1.95.0".into(),
                versions: [("ctr".to_string(), "0.1.0".to_string())].into(),
            },
            timing: Timing {
                finished_unix_seconds: 1_700_000_000,
                train_seconds: 93.0,
                train_samples_per_second: 12_345.6,
                eval_samples_per_second: 99_999.0,
                peak_rss_bytes: Some(700 << 20),
                network_bytes_per_step: None,
            },
            curve,
            best: self.gauc.map(|_| Best { step: 2000, epoch: 2.0 }),
            metrics: MetricValues {
                test_gauc: self.gauc,
                test_auc: self.gauc.map(|value| value + 0.002),
                test_log_loss: self.gauc.map(|_| 0.44),
                peak_test_gauc: self.gauc.map(|value| value + 0.0012),
                valid_gauc: self.gauc.map(|value| value + 0.01),
            },
            predictions_sha256: String::new(),
            model_sha256: String::new(),
            result_sha256: String::new(),
            status: if self.gauc.is_some() { Status::Finished } else { Status::Diverged },
        };
        record.result_sha256 = record.compute_result_sha256().unwrap();
        record
    }
}

/// Writes a record into `runs/<name>/record.json`.
pub fn place(runs: &Path, name: &str, record: &RunRecord) {
    let folder = runs.join(name);
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("record.json"), serde_json::to_string_pretty(record).unwrap())
        .unwrap();
}

/// Reports on records in a folder of its own, which is kept as long as the first value.
pub fn report(all: &[Made]) -> (tempfile::TempDir, ReportSummary) {
    let records: Vec<RunRecord> = all.iter().map(Made::record).collect();
    report_records(&records)
}

/// The same for finished records.
pub fn report_records(records: &[RunRecord]) -> (tempfile::TempDir, ReportSummary) {
    let folder = tempfile::tempdir().unwrap();
    for (index, record) in records.iter().enumerate() {
        place(&folder.path().join("runs"), &format!("run-{index:03}"), record);
    }
    let options =
        ReportOptions { runs: folder.path().join("runs"), out: folder.path().join("reports/new") };
    let summary = write_report(&options, &Background::default()).unwrap();
    (folder, summary)
}

/// A file of the report as text.
pub fn text(summary: &ReportSummary, name: &str) -> String {
    let file = summary.files.iter().find(|file| file.ends_with(name)).unwrap();
    std::fs::read_to_string(file).unwrap()
}

/// The line of a Markdown table that begins with this row title.
pub fn line<'a>(markdown: &'a str, title: &str) -> &'a str {
    let start = format!("| {title} |");
    markdown.lines().find(|line| line.starts_with(&start)).unwrap_or("no such row")
}

/// The page without its own script and without the data for it, which may hold no markup.
pub fn without_scripts(page: &str) -> String {
    let script = format!("<script>{}</script>", include_str!("../../templates/page.js"));
    assert!(page.contains(&script) && !script[8..].contains("<script"));
    let mut left = page.replace(&script, "");
    const BEGIN: &str = "<script type=\"application/json\">";
    while let Some((before, rest)) = left.split_once(BEGIN) {
        let (data, after) = rest.split_once("</script>").unwrap();
        assert!(!data.contains('<'), "{data}");
        assert!(serde_json::from_str::<serde_json::Value>(data).is_ok());
        left = format!("{before}{after}");
    }
    left
}
