//! What the runs cost: size, speed, time and memory.

use crate::export::csv;
use crate::format;
use crate::stats::Summary;
use crate::study::{Cell, DatasetStudy, Study};
use crate::table::{Column, NONE, Table};
use std::collections::BTreeSet;

const HEADER: [&str; 13] = [
    "dataset",
    "protocol",
    "content_sha256",
    "model",
    "variant",
    "runs",
    "params_dense",
    "params_embedding",
    "train_samples_per_second_mean",
    "eval_samples_per_second_mean",
    "train_seconds_mean",
    "peak_rss_bytes_max",
    "machines",
];

/// What one cell cost, over its finished runs.
struct Cost {
    runs: usize,
    dense: u64,
    embedding: u64,
    train_rate: Option<f64>,
    eval_rate: Option<f64>,
    train_seconds: Option<f64>,
    peak: Option<u64>,
    machines: BTreeSet<String>,
}

fn cost(cell: &Cell) -> Option<Cost> {
    let first = &cell.runs.first()?.record.model;
    let finished: Vec<_> = cell.runs.iter().filter(|run| run.finished()).collect();
    let timings = || finished.iter().map(|run| &run.record.timing);
    let mean = |values: Vec<f64>| Summary::of(&values).map(|summary| summary.mean);
    Some(Cost {
        runs: finished.len(),
        dense: first.num_params_dense,
        embedding: first.num_params_embedding,
        train_rate: mean(timings().map(|timing| timing.train_samples_per_second).collect()),
        eval_rate: mean(timings().map(|timing| timing.eval_samples_per_second).collect()),
        train_seconds: mean(timings().map(|timing| timing.train_seconds).collect()),
        peak: timings().filter_map(|timing| timing.peak_rss_bytes).max(),
        machines: finished
            .iter()
            .map(|run| {
                format!(
                    "{}, {} threads, {}",
                    run.record.env.cpu, run.record.env.threads, run.record.env.os
                )
            })
            .collect(),
    })
}

fn each(study: &Study, mut visit: impl FnMut(&DatasetStudy, usize, &crate::study::Row, &Cost)) {
    for dataset in &study.datasets {
        for index in 0..dataset.blocks.len() {
            for (row, cell) in dataset.cells(index) {
                if let Some(cost) = cost(cell) {
                    visit(dataset, index, row, &cost);
                }
            }
        }
    }
}

/// One row a cell.
pub(crate) fn table(study: &Study) -> Table {
    let (mut rows, mut machines) = (Vec::new(), BTreeSet::new());
    each(study, |dataset, index, row, cost| {
        machines.extend(cost.machines.iter().cloned());
        let rate = |value: Option<f64>| {
            value.map_or(NONE.to_string(), |value| format::count(value.round().max(0.0) as u64))
        };
        let cells = [
            row.title(),
            format!("{}, {}", dataset.id, dataset.blocks[index].title),
            cost.runs.to_string(),
            format::count(cost.dense),
            format::count(cost.embedding),
            rate(cost.train_rate),
            rate(cost.eval_rate),
            cost.train_seconds.map_or(NONE.into(), format::seconds),
            cost.peak.map_or(NONE.into(), format::bytes),
        ];
        rows.push(cells.into_iter().map(Into::into).collect());
    });
    Table {
        id: "cost".into(),
        caption: "What the finished runs cost: means over runs, largest memory.".into(),
        columns: vec![
            Column::text("model"),
            Column::text("data"),
            Column::number("", "runs"),
            Column::number("parameters", "dense"),
            Column::number("parameters", "embedding"),
            Column::number("rows a second", "training"),
            Column::number("rows a second", "scoring"),
            Column::number("", "training time"),
            Column::number("", "peak memory"),
        ],
        rows,
        notes: vec![
            format!("Machines: {}.", machines.into_iter().collect::<Vec<_>>().join("; ")),
            "Peak memory is that of the process when the run ended; runs that shared a process share \
             it. Runs that went on at the same time slowed one another down."
                .into(),
        ],
        ..Table::default()
    }
}

/// The same with all digits.
pub(crate) fn values(study: &Study) -> csv::Values {
    let mut lines = Vec::new();
    each(study, |dataset, index, row, cost| {
        let block = &dataset.blocks[index];
        lines.push(vec![
            dataset.id.clone(),
            block.protocol.to_string(),
            block.data.content_sha256.clone(),
            row.model.clone(),
            row.label.text(),
            cost.runs.to_string(),
            cost.dense.to_string(),
            cost.embedding.to_string(),
            csv::number(cost.train_rate),
            csv::number(cost.eval_rate),
            csv::number(cost.train_seconds),
            cost.peak.map_or(String::new(), |peak| peak.to_string()),
            cost.machines.iter().cloned().collect::<Vec<_>>().join("; "),
        ]);
    });
    csv::Values::new(&HEADER, lines)
}
