//! The page: everything in one file that opens offline and needs no script.

use crate::hover::Plot;
use crate::reference::References;
use crate::sources::{SourceDetails, sources};
use crate::study::{Block, Cell, DatasetStudy, Row, Run, Study};
use crate::table::{NONE, Table};
use crate::{Result, base64, format, models, table3, table4, table5, tuning_table};
use ctr_core::Protocol;
use minijinja::{Environment, Value};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

const TEMPLATE: &str = include_str!("../templates/index.html");
const STYLE: &str = include_str!("../templates/page.css");
const SCRIPT: &str = include_str!("../templates/page.js");

/// More configurations than this are counted, not named: a search has dozens.
const NAMED_CONFIGURATIONS: usize = 8;

/// What the template sees. All texts are plain; the template escapes them.
#[derive(Serialize)]
struct Page<'a> {
    /// Ours, so it stands as it is.
    style: Value,
    script: Value,
    overview: Vec<Overview>,
    simulated: bool,
    runs: usize,
    warnings: &'a [String],
    tables: &'a Contents,
    verdicts: &'a Verdicts,
    table3_notes: Vec<String>,
    table4_notes: Vec<String>,
    table5_notes: Vec<String>,
    tuning_notes: Vec<String>,
    withdrawn: Vec<String>,
    curves: Vec<EmbeddedPicture>,
    figure4: Vec<EmbeddedPicture>,
    ablations: Vec<EmbeddedPicture>,
    exhibits: Vec<EmbeddedPicture>,
    data: Vec<EmbeddedPicture>,
    figure5: Vec<EmbeddedPicture>,
    figure6: Vec<EmbeddedPicture>,
    records: Vec<RunDetails>,
    configurations: Vec<Configuration>,
    sources: Vec<SourceDetails>,
}

/// One dataset and protocol in the first lines of the page.
#[derive(Serialize)]
struct Overview {
    dataset: String,
    protocol: String,
    content: String,
    simulated: bool,
    models: Vec<String>,
    /// Labels of the configurations that have one, unless there are too many to read here.
    configurations: Vec<String>,
    /// How many have a label.
    labels: usize,
    seeds: Vec<u64>,
    runs: usize,
    diverged: usize,
    train_rows: String,
    test_rows: String,
}

/// A picture as text.
#[derive(Serialize)]
struct EmbeddedPicture {
    stem: String,
    title: String,
    base64: String,
    width: u32,
    height: u32,
    protocol: Option<Protocol>,
    /// Its axes as JSON that can stand in a script element; empty without any.
    plots: Value,
}

/// One run with all that is needed to repeat it.
#[derive(Serialize)]
struct RunDetails {
    id: String,
    title: String,
    dataset: String,
    seed: u64,
    status: &'static str,
    gauc: String,
    signature: String,
    folder: String,
    config_sha256: String,
    result_sha256: String,
    commands: Vec<String>,
    environment: String,
    versions: String,
}

/// The settings of runs that differ in seed, data or protocol only.
#[derive(Serialize)]
struct Configuration {
    sha256: String,
    title: String,
    /// All of them, as JSON.
    text: String,
}

/// The tables; a list is empty where there are no runs for it.
#[derive(Serialize)]
pub(crate) struct Contents {
    pub claims: Option<Table>,
    pub claims_by_data: Vec<Table>,
    pub table1: Vec<Table>,
    pub table2: Table,
    pub table3: Vec<Table>,
    /// Ours of the first of them.
    pub table3_glance: Option<Table>,
    pub table4: Vec<Table>,
    pub table5: Vec<Table>,
    pub ab_test: Option<Table>,
    pub ablations: Vec<Table>,
    /// What every reader of them has to know.
    pub ablations_notes: Vec<String>,
    pub tuning: Vec<Table>,
    pub exhibits: Vec<Table>,
    pub cost: Table,
    pub throughput: Table,
    /// What the published logs in the learning curves are, where there are any.
    pub logs_note: Option<String>,
    pub figure5_notes: Vec<String>,
    pub figure6_notes: Vec<String>,
}

/// What the head of the page says of the claims.
#[derive(Serialize)]
pub(crate) struct Verdicts {
    pub notes: Vec<String>,
    pub counts: BTreeMap<String, usize>,
}

/// A picture to put into the page.
pub(crate) struct Picture<'a> {
    pub stem: &'a str,
    pub title: &'a str,
    pub size: (u32, u32),
    pub file: &'a [u8],
    pub plots: &'a [Plot],
    pub protocol: Option<Protocol>,
}

/// All pictures of the page.
pub(crate) struct Pictures<'a> {
    pub curves: Vec<Picture<'a>>,
    pub figure4: Vec<Picture<'a>>,
    pub ablations: Vec<Picture<'a>>,
    pub exhibits: Vec<Picture<'a>>,
    pub data: Vec<Picture<'a>>,
    pub figure5: Vec<Picture<'a>>,
    pub figure6: Vec<Picture<'a>>,
}

/// The finished page.
pub(crate) fn render(
    study: &Study,
    warnings: &[String],
    references: &References,
    contents: &Contents,
    verdicts: &Verdicts,
    pictures: &Pictures,
) -> Result<String> {
    let page = Page {
        style: Value::from_safe_string(STYLE.into()),
        script: Value::from_safe_string(SCRIPT.into()),
        overview: overview(study),
        simulated: study.datasets.iter().any(DatasetStudy::simulated),
        runs: study.runs,
        warnings,
        tables: contents,
        verdicts,
        table3_notes: table3::notes(references),
        table4_notes: table4::notes(),
        table5_notes: table5::notes(),
        tuning_notes: tuning_table::notes(),
        withdrawn: references.withdrawals(),
        curves: embedded(&pictures.curves),
        figure4: embedded(&pictures.figure4),
        ablations: embedded(&pictures.ablations),
        exhibits: embedded(&pictures.exhibits),
        data: embedded(&pictures.data),
        figure5: embedded(&pictures.figure5),
        figure6: embedded(&pictures.figure6),
        records: records(study),
        configurations: configurations(study),
        sources: sources(references),
    };
    // Escaping follows the name's ending; a test feeds names with markup.
    let mut environment = Environment::new();
    // Links lead to names that hold nothing but letters, digits and dashes.
    environment.add_filter("anchor", |text: &str| format::file_name(text));
    environment.add_template("index.html", TEMPLATE)?;
    Ok(environment.get_template("index.html")?.render(minijinja::value::Serde(&page))?)
}

fn embedded(pictures: &[Picture]) -> Vec<EmbeddedPicture> {
    let embed = |picture: &Picture| EmbeddedPicture {
        stem: picture.stem.into(),
        title: picture.title.into(),
        base64: base64::encode(picture.file),
        width: picture.size.0,
        height: picture.size.1,
        protocol: picture.protocol,
        plots: script_data(picture.plots),
    };
    pictures.iter().map(embed).collect()
}

/// Axes as JSON in which nothing ends a script element.
fn script_data(plots: &[Plot]) -> Value {
    if plots.is_empty() {
        return Value::from("");
    }
    let json = serde_json::to_string(plots).unwrap_or_default();
    Value::from_safe_string(json.replace('<', "\\u003c"))
}

fn overview(study: &Study) -> Vec<Overview> {
    let mut lines = Vec::new();
    for dataset in &study.datasets {
        for (index, block) in dataset.blocks.iter().enumerate() {
            let cells: Vec<(&Row, &Cell)> = dataset.cells(index).collect();
            let runs = || cells.iter().flat_map(|(_, cell)| &cell.runs);
            let rows = |split: &str| {
                block.data.rows.get(split).map_or_else(|| "?".into(), |&rows| format::count(rows))
            };
            let configurations = distinct(
                cells.iter().map(|(row, _)| row.label.text()).filter(|label| !label.is_empty()),
            );
            lines.push(Overview {
                dataset: dataset.id.clone(),
                protocol: block.protocol.to_string(),
                content: block.content().to_string(),
                simulated: block.data.simulated,
                models: titles(&cells),
                labels: configurations.len(),
                configurations: match configurations.len() {
                    2..=NAMED_CONFIGURATIONS => configurations,
                    _ => Vec::new(),
                },
                seeds: runs()
                    .map(|run| run.record.seed)
                    .collect::<BTreeSet<_>>()
                    .into_iter()
                    .collect(),
                runs: runs().count(),
                diverged: cells.iter().map(|(_, cell)| cell.diverged()).sum(),
                train_rows: rows("train"),
                test_rows: rows("test"),
            });
        }
    }
    // Real data first; the sort is stable.
    lines.sort_by_key(|line| line.simulated);
    lines
}

/// The models once each, in the paper's order.
fn titles(cells: &[(&Row, &Cell)]) -> Vec<String> {
    let mut ids: Vec<&str> = cells.iter().map(|(row, _)| row.model.as_str()).collect();
    ids.sort_by_key(|id| models::rank(id));
    ids.dedup();
    ids.into_iter().map(|id| models::title(id).to_string()).collect()
}

/// The texts without repetitions, in order of their first appearance.
fn distinct(texts: impl Iterator<Item = String>) -> Vec<String> {
    let mut seen = Vec::new();
    for text in texts {
        if !seen.contains(&text) {
            seen.push(text);
        }
    }
    seen
}

fn records(study: &Study) -> Vec<RunDetails> {
    let mut details = Vec::new();
    for dataset in &study.datasets {
        for (index, block) in dataset.blocks.iter().enumerate() {
            for (row, cell) in dataset.cells(index) {
                details.extend(cell.runs.iter().map(|run| run_details(dataset, block, row, run)));
            }
        }
    }
    details
}

/// Each configuration once, in the order of the runs.
fn configurations(study: &Study) -> Vec<Configuration> {
    let mut found: Vec<Configuration> = Vec::new();
    for dataset in &study.datasets {
        for (row, cell) in (0..dataset.blocks.len()).flat_map(|index| dataset.cells(index)) {
            for record in cell.runs.iter().map(|run| &run.record) {
                if found.iter().all(|other| other.sha256 != record.config_sha256) {
                    found.push(Configuration {
                        sha256: record.config_sha256.clone(),
                        title: row.title(),
                        text: serde_json::to_string_pretty(&record.config).unwrap_or_default(),
                    });
                }
            }
        }
    }
    found
}

fn run_details(dataset: &DatasetStudy, block: &Block, row: &Row, run: &Run) -> RunDetails {
    let record = &run.record;
    let versions: Vec<String> =
        record.env.versions.iter().map(|(name, version)| format!("{name} {version}")).collect();
    RunDetails {
        id: record.run_id.clone(),
        title: row.title(),
        dataset: format!("{}, {}", dataset.id, block.title),
        seed: record.seed,
        status: if run.finished() { "finished" } else { "diverged" },
        gauc: run.gauc().map_or_else(|| NONE.into(), format::gauc),
        signature: record.signature.clone(),
        folder: run.folder.clone(),
        config_sha256: record.config_sha256.clone(),
        result_sha256: record.result_sha256.clone(),
        commands: vec![
            format!("din-repro verify {}", shell(&format!("reports/runs/{}", run.folder))),
            format!(
                "din-repro train --model {} --data {} --protocol {} --seed {} --config {} --out again",
                shell(&record.model.id),
                shell(&format!("datasets/prepared/{}", dataset.id)),
                block.protocol,
                record.seed,
                shell(&format!("reports/runs/{}/record.json", run.folder)),
            ),
        ],
        environment: format!(
            "{}; {}; {} threads; {}",
            record.env.cpu, record.env.os, record.env.threads, record.env.rustc
        ),
        versions: versions.join(", "),
    }
}

/// A word that a POSIX shell takes as it is.
fn shell(word: &str) -> String {
    let plain =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/' | '=' | ',');
    if !word.is_empty() && word.chars().all(plain) {
        word.to_string()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::shell;

    #[test]
    fn commands_cannot_be_extended_by_names() {
        assert_eq!(shell("datasets/prepared/amazon-beauty"), "datasets/prepared/amazon-beauty");
        assert_eq!(shell("a b; rm 'x'"), "'a b; rm '\\''x'\\'''");
        assert_eq!(shell(""), "''");
    }
}
