//! Records grouped for comparison: dataset → blocks (protocol and content) → rows (model and variant)
//! → cells (runs that differ in their seed only).

use crate::evidence::Evidence;
use crate::models;
use crate::stats::Summary;
use crate::variants::{self, Label};
use ctr_core::{DatasetReference, Protocol, RunRecord, Signature, Status};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// One run and where its record lies, relative to the folder of runs, with `/` between names.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    pub folder: String,
    pub record: RunRecord,
}

impl Run {
    /// The number that tables print; none for a diverged run.
    pub(crate) fn gauc(&self) -> Option<f64> {
        self.finished().then_some(self.record.metrics.test_gauc).flatten()
    }

    /// What choosing on test would have added.
    pub(crate) fn optimism(&self) -> Option<f64> {
        Some(self.record.metrics.peak_test_gauc? - self.gauc()?)
    }

    pub(crate) fn finished(&self) -> bool {
        self.record.status == Status::Finished
    }
}

/// Runs of one model and configuration on the same rows, by seed.
#[derive(Clone, Debug)]
pub(crate) struct Cell {
    pub runs: Vec<Run>,
    /// Standard error of the mean gAUC from users alone, where the runs' test rows are there.
    pub users_error: Option<f64>,
}

impl Cell {
    /// Values of the finished runs, with their seeds.
    pub(crate) fn by_seed(&self) -> Vec<(u64, f64)> {
        self.runs.iter().filter_map(|run| Some((run.record.seed, run.gauc()?))).collect()
    }

    pub(crate) fn gauc(&self) -> Option<Summary> {
        Summary::of(&self.runs.iter().filter_map(Run::gauc).collect::<Vec<_>>())
    }

    pub(crate) fn optimism(&self) -> Option<Summary> {
        Summary::of(&self.runs.iter().filter_map(Run::optimism).collect::<Vec<_>>())
    }

    pub(crate) fn diverged(&self) -> usize {
        self.runs.iter().filter(|run| !run.finished()).count()
    }

    /// Signature of the runs with the number of seeds behind the value in it.
    pub(crate) fn signature(&self) -> String {
        let Some(first) = self.runs.first() else { return String::new() };
        let seeds = self.gauc().map_or(0, |summary| summary.n);
        match first.record.signature.parse::<Signature>() {
            Ok(signature) => signature.set("seeds", seeds).to_string(),
            // A record with a signature of its own is still worth showing.
            Err(_) => format!("{} (seeds: {seeds})", first.record.signature),
        }
    }

    /// The configuration, equal for all runs.
    pub(crate) fn config(&self) -> &serde_json::Value {
        self.runs.first().map_or(&serde_json::Value::Null, |run| &run.record.config)
    }

    pub(crate) fn config_sha256(&self) -> &str {
        self.runs.first().map_or("", |run| &run.record.config_sha256)
    }
}

/// A column of comparable cells: one protocol on one content of a dataset.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    pub protocol: Protocol,
    /// `held-out`, or `held-out @1a2b3c4d` where a dataset has several contents under one protocol.
    pub title: String,
    pub data: DatasetReference,
}

impl Block {
    /// First eight digits of the content's hash.
    pub(crate) fn content(&self) -> &str {
        short(&self.data.content_sha256)
    }
}

/// A model in one configuration, with a cell in each block that has it.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub model: String,
    /// What tells it from other configurations of the model.
    pub label: Label,
    pub cells: Vec<Option<Cell>>,
}

impl Row {
    /// Model and variant.
    pub(crate) fn title(&self) -> String {
        match self.label.text().as_str() {
            "" => models::title(&self.model).to_string(),
            variant => format!("{} ({variant})", models::title(&self.model)),
        }
    }
}

/// Everything that ran on one dataset.
#[derive(Clone, Debug)]
pub(crate) struct DatasetStudy {
    pub id: String,
    pub blocks: Vec<Block>,
    pub rows: Vec<Row>,
}

impl DatasetStudy {
    /// Any block's data comes from the simulator.
    pub(crate) fn simulated(&self) -> bool {
        self.blocks.iter().any(|block| block.data.simulated)
    }

    /// Cells of a block with their rows.
    pub(crate) fn cells(&self, block: usize) -> impl Iterator<Item = (&Row, &Cell)> {
        self.rows.iter().filter_map(move |row| Some((row, row.cells.get(block)?.as_ref()?)))
    }
}

/// All records in order, and what was odd about them.
#[derive(Clone, Debug)]
pub(crate) struct Study {
    pub datasets: Vec<DatasetStudy>,
    pub warnings: Vec<String>,
    pub runs: usize,
}

/// Key of a block: protocols in the order held-out, authors.
type BlockKey = (bool, String);
/// Key of a cell within its block.
type CellKey = (String, String);

impl Study {
    /// Groups records; `root` is left out of the folders' names.
    pub(crate) fn new(root: &Path, records: Vec<(PathBuf, RunRecord)>) -> Self {
        let mut warnings = Vec::new();
        let mut datasets: BTreeMap<String, BTreeMap<BlockKey, BTreeMap<CellKey, Vec<Run>>>> =
            BTreeMap::new();
        for (folder, record) in records {
            let folder = relative(root, &folder);
            let block =
                (record.protocol == Protocol::Authors, record.dataset.content_sha256.clone());
            let cell = (record.model.id.clone(), record.config_sha256.clone());
            let blocks = datasets.entry(record.dataset.id.clone()).or_default();
            let runs = blocks.entry(block).or_default().entry(cell).or_default();
            runs.push(Run { folder, record });
        }
        let mut runs = 0;
        let datasets = datasets
            .into_iter()
            .map(|(id, blocks)| {
                let blocks: Vec<(BlockKey, Vec<Cell>)> = blocks
                    .into_iter()
                    .map(|(key, cells)| {
                        let cells = cells.into_values().map(|runs| one_a_seed(runs, &mut warnings));
                        (key, cells.collect())
                    })
                    .collect();
                runs +=
                    blocks.iter().flat_map(|(_, cells)| cells).map(|c| c.runs.len()).sum::<usize>();
                dataset_study(id, blocks)
            })
            .collect();
        Self { datasets, warnings, runs }
    }

    /// Looks up what the test rows of the runs say of each mean.
    pub(crate) fn measure_users(&mut self, evidence: &Evidence) {
        for dataset in &mut self.datasets {
            let cells = dataset.rows.iter_mut().flat_map(|row| &mut row.cells).flatten();
            cells.for_each(|cell| cell.users_error = evidence.users_error(cell));
            evidence.forget();
        }
    }
}

/// Sorts by seed. Of two records with one seed the later one stays, so that n counts seeds.
fn one_a_seed(mut runs: Vec<Run>, warnings: &mut Vec<String>) -> Cell {
    runs.sort_by_key(|run| (run.record.seed, run.record.timing.finished_unix_seconds));
    let mut kept: Vec<Run> = Vec::new();
    for run in runs {
        match kept.last_mut().filter(|last| last.record.seed == run.record.seed) {
            Some(last) => {
                let agree = last.record.result_sha256 == run.record.result_sha256;
                warnings.push(format!(
                    "{} and {} are one configuration and seed ({}, seed {}) with {}; only the second \
                     is counted.",
                    last.folder,
                    run.folder,
                    models::title(&run.record.model.id),
                    run.record.seed,
                    if agree { "equal results" } else { "different results: one of them does not repeat" }
                ));
                *last = run;
            }
            None => kept.push(run),
        }
    }
    Cell { runs: kept, users_error: None }
}

fn dataset_study(id: String, blocks: Vec<(BlockKey, Vec<Cell>)>) -> DatasetStudy {
    let labels =
        variants::labels(&blocks.iter().map(|(_, cells)| cells.as_slice()).collect::<Vec<_>>());
    let twice =
        |authors: bool| blocks.iter().filter(|((other, _), _)| *other == authors).count() > 1;
    let mut rows: BTreeMap<(String, usize, String, Label), Row> = BTreeMap::new();
    let mut study = DatasetStudy { id, blocks: Vec::new(), rows: Vec::new() };
    let count = blocks.len();
    let titles: Vec<bool> = blocks.iter().map(|((authors, _), _)| twice(*authors)).collect();
    for (index, (((authors, content), cells), labels)) in blocks.into_iter().zip(labels).enumerate()
    {
        let protocol = if authors { Protocol::Authors } else { Protocol::HeldOut };
        for (cell, label) in cells.into_iter().zip(labels) {
            let Some(run) = cell.runs.first() else { continue };
            if study.blocks.len() == index {
                let title = match titles[index] {
                    true => format!("{protocol} @{}", short(&content)),
                    false => protocol.to_string(),
                };
                study.blocks.push(Block { protocol, title, data: run.record.dataset.clone() });
            }
            let model = run.record.model.id.clone();
            // Models trained alike stand together.
            let key = (label.preset.clone(), models::rank(&model).0, model.clone(), label.clone());
            let row =
                rows.entry(key).or_insert_with(|| Row { model, label, cells: vec![None; count] });
            row.cells[index] = Some(cell);
        }
    }
    study.rows = rows.into_values().collect();
    study
}

/// First eight digits of a hash.
pub(crate) fn short(hash: &str) -> &str {
    hash.get(..8).unwrap_or(hash)
}

/// The folder below `root` with `/` between names, so that reports of one folder are equal on every
/// machine; `.` for the root itself.
fn relative(root: &Path, folder: &Path) -> String {
    let below = folder.strip_prefix(root).unwrap_or(folder);
    let names: Vec<_> = below.iter().map(|name| name.to_string_lossy()).collect();
    if names.is_empty() { ".".into() } else { names.join("/") }
}
