//! Table 3: the models on each dataset, beside the published numbers.

use crate::comparison::{Comparison, compare};
use crate::export::csv;
use crate::format;
use crate::models;
use crate::reference::{CORRECTED, PAPER, References};
use crate::results::{
    self, Titled, USERS_ERROR, comparison_columns, diverged_note, gauc_text, mean_metric,
    optimism_text, percent_text, signature_notes, source_runs, unlike_notes, users_error_text,
};
use crate::study::{Block, Cell, DatasetStudy, Row, Study};
use crate::table::{self, Column, Entry, NONE, Table};
use ctr_core::Protocol;
use std::collections::BTreeMap;

/// Sources that stand beside our numbers, with the heading of their columns.
pub(crate) const PUBLISHED: [(&str, &str); 2] =
    [(PAPER, "paper"), (CORRECTED, "authors, corrected")];

/// What every reader of the table has to know.
pub(crate) fn notes(references: &References) -> Vec<String> {
    let mut notes = references.withdrawals();
    notes.extend(
        [
            "The column \"authors, corrected\" has what the authors report since; rows that they did \
             not correct are unchanged, and its RelaImpr is computed here.",
            "All published values are the best of all evaluations on the test set. Compare them with \
             the protocol \"authors\", not with \"held-out\".",
            "Ours: mean ± standard deviation (n − 1) of test gAUC over seeds; n=1 has no ±. gAUC is \
             equation 10 of the paper.",
            "s.e. of users: standard error of that mean if other users had been drawn. The models share most \
             of it, for they are measured on the same users: the claims compare them user by user.",
            "RelaImpr (equation 11) is over our BaseModel of the same column: of the means, ± the \
             standard deviation over pairs of runs with the same seed where there are two or more.",
            "held-out: test gAUC at the evaluation with the best validation gAUC. Optimism is how much \
             choosing on the test set itself would have added (peak − chosen). authors: the best of \
             all test evaluations, an optimistic number.",
        ]
        .map(String::from),
    );
    notes
}

/// One table a dataset; `left_out` counts the runs of each that the study has none of.
pub(crate) fn tables(
    study: &Study,
    references: &References,
    left_out: &BTreeMap<String, usize>,
) -> Vec<Table> {
    let each = |dataset: &DatasetStudy| {
        let mut table = dataset_table(dataset, references);
        table.notes.extend(left_out.get(&dataset.id).map(|runs| {
            format!(
                "Without {runs} runs of this dataset that had a regularizer or were otherwise trained \
                 against overfitting; those of BaseModel stand in table 4."
            )
        }));
        table
    };
    study.datasets.iter().map(each).collect()
}

/// A row to print: one of ours, or a model of the paper that was not run here.
fn rows(dataset: &DatasetStudy) -> Vec<(String, Option<&Row>)> {
    let mut rows: Vec<(String, Option<&Row>)> =
        dataset.rows.iter().map(|row| (row.model.clone(), Some(row))).collect();
    for model in models::paper_models() {
        if !dataset.rows.iter().any(|row| row.model == model) {
            // In its place among the rows of the first preset.
            let first = |row: Option<&Row>| row.map(|row| row.label.preset.clone());
            let preset = first(dataset.rows.first());
            let later = |row: &(String, Option<&Row>)| {
                models::rank(&row.0) > models::rank(model)
                    || (row.1.is_some() && first(row.1) != preset)
            };
            let place = rows.iter().position(later).unwrap_or(rows.len());
            rows.insert(place, (model.to_string(), None));
        }
    }
    rows
}

fn dataset_table(dataset: &DatasetStudy, references: &References) -> Table {
    let mut columns = vec![Column::text("model")];
    let mut published = Vec::new();
    for (source, heading) in PUBLISHED {
        if let Some((part, _)) = references.table3(source, &dataset.id, dataset.simulated()) {
            columns.push(Column::number(heading, "gAUC"));
            columns.push(Column::number(heading, "RelaImpr"));
            published.push(part);
        }
    }
    let rows = rows(dataset);
    let mut entries: Vec<Vec<Entry>> = Vec::new();
    let mut shown: Vec<&str> = Vec::new();
    for (model, row) in &rows {
        let title = row.map_or_else(|| models::title(model).to_string(), Row::title);
        let mut line = vec![Entry::from(title)];
        for part in &published {
            // Published once a model; its further configurations are ours alone.
            let value = part.row(model).filter(|_| !shown.contains(&model.as_str()));
            line.push(value.and_then(|value| value.gauc).map_or(NONE.into(), format::gauc).into());
            let percent = value.and_then(|value| part.rela_impr(value));
            line.push(percent.map_or(NONE.into(), format::percent).into());
        }
        shown.push(model);
        entries.push(line);
    }
    let mut notes = Vec::new();
    let mut sources = Vec::new();
    for (index, block) in dataset.blocks.iter().enumerate() {
        let position = columns.len();
        let held_out = block.protocol == Protocol::HeldOut;
        let heading = format!(
            "ours, {}{}",
            block.title,
            if block.data.simulated { ", simulated" } else { "" }
        );
        let number = |title| Column::number(&heading, title).of(block.protocol);
        columns.push(number("gAUC"));
        let with_users = dataset.cells(index).any(|(_, cell)| cell.users_error.is_some());
        if with_users {
            columns.push(number(USERS_ERROR));
        }
        columns.push(number("RelaImpr"));
        if held_out {
            columns.push(number("optimism"));
        }
        let mut bars = Vec::new();
        let mut unlike: BTreeMap<Vec<String>, Vec<String>> = BTreeMap::new();
        for (line, (_, row)) in rows.iter().enumerate() {
            let cell = row.and_then(|row| row.cells.get(index)?.as_ref());
            let comparison = cell.and_then(|cell| compare(dataset, index, cell));
            entries[line].push(cell.map_or(NONE.into(), gauc_text).into());
            if with_users {
                entries[line].push(cell.map_or(NONE.into(), users_error_text).into());
            }
            entries[line].push(comparison.as_ref().map_or(NONE.into(), percent_text).into());
            if held_out {
                entries[line].push(cell.map_or(NONE.into(), optimism_text).into());
            }
            let (Some(row), Some(cell)) = (row, cell) else { continue };
            bars.extend(results::bar(line, cell, models::css_color(&row.model)));
            if let Some(comparison) = comparison {
                unlike.entry(comparison.unlike).or_default().push(row.title());
            }
            sources.push(source_runs(&row.title(), &block.title, cell));
        }
        table::add_bars(&mut entries, position, &bars);
        notes.extend(unlike_notes(&block.title, "the BaseModel", unlike));
        let titled: Vec<Titled> =
            dataset.cells(index).map(|(row, cell)| (row.title(), cell)).collect();
        notes.extend(signature_notes(&block.title, &titled));
        notes.extend(diverged_note(&block.title, &titled));
    }
    Table {
        id: format!("table3-{}", format::file_name(&dataset.id)),
        caption: caption(dataset, references),
        alert: results::simulated_alert(dataset),
        protocol: None,
        columns,
        rows: entries,
        notes,
        sources,
    }
}

fn caption(dataset: &DatasetStudy, references: &References) -> String {
    let data: Vec<String> = dataset
        .blocks
        .iter()
        .map(|block| {
            let kind = if block.data.simulated { "simulated data, " } else { "" };
            format!("{} ({kind}content {})", block.protocol, block.content())
        })
        .collect();
    let published = match references.table3(PAPER, &dataset.id, dataset.simulated()) {
        Some((part, true)) => {
            format!("on {}, this dataset", references.dataset_title(&part.dataset))
        }
        Some((part, false)) => {
            format!("on {}, which is another dataset", references.dataset_title(&part.dataset))
        }
        None => "on no dataset".into(),
    };
    format!("Models on {}: {}. Published columns are {published}.", dataset.id, data.join("; "))
}

/// The columns of the file, one line a model, configuration, dataset, protocol and content.
const HEADER: [&str; 27] = [
    "dataset",
    "protocol",
    "content_sha256",
    "simulated",
    "model",
    "variant",
    "config_sha256",
    "test_gauc_mean",
    "test_gauc_std",
    "n",
    "diverged",
    "users_standard_error",
    "rela_impr_percent",
    "rela_impr_paired_std",
    "rela_impr_pairs",
    "optimism_mean",
    "test_auc_mean",
    "test_log_loss_mean",
    "published_dataset",
    "published_is_this_dataset",
    "paper_gauc",
    "paper_rela_impr_percent",
    "authors_corrected_gauc",
    "authors_corrected_rela_impr_percent",
    "signature",
    "seeds",
    "run_ids",
];

/// All digits, for further computation.
pub(crate) fn values(study: &Study, references: &References) -> csv::Values {
    let mut lines = Vec::new();
    for dataset in &study.datasets {
        for (index, block) in dataset.blocks.iter().enumerate() {
            for (row, cell) in dataset.cells(index) {
                let comparison = compare(dataset, index, cell);
                lines.push(csv_line(dataset, block, row, cell, comparison.as_ref(), references));
            }
        }
    }
    csv::Values::new(&HEADER, lines)
}

fn csv_line(
    dataset: &DatasetStudy,
    block: &Block,
    row: &Row,
    cell: &Cell,
    comparison: Option<&Comparison>,
    references: &References,
) -> Vec<String> {
    let summary = cell.gauc();
    let paper = references.table3(PAPER, &dataset.id, block.data.simulated);
    let mut line = vec![
        dataset.id.clone(),
        block.protocol.to_string(),
        block.data.content_sha256.clone(),
        block.data.simulated.to_string(),
        row.model.clone(),
        row.label.text(),
        cell.config_sha256().to_string(),
        csv::number(summary.map(|s| s.mean)),
        csv::number(summary.and_then(|s| s.std)),
        summary.map_or(0, |s| s.n).to_string(),
        cell.diverged().to_string(),
        csv::number(cell.users_error),
    ];
    line.extend(comparison_columns(comparison));
    line.extend([
        csv::number(match block.protocol {
            Protocol::HeldOut => cell.optimism().map(|s| s.mean),
            Protocol::Authors => None,
        }),
        mean_metric(cell, |metrics| metrics.test_auc),
        mean_metric(cell, |metrics| metrics.test_log_loss),
        paper.map_or(String::new(), |(part, _)| part.dataset.clone()),
        paper.map_or(String::new(), |(_, same)| same.to_string()),
    ]);
    for (source, _) in PUBLISHED {
        let part = references.table3(source, &dataset.id, block.data.simulated);
        let value = part.and_then(|(part, _)| Some((part, part.row(&row.model)?)));
        line.push(csv::number(value.and_then(|(_, row)| row.gauc)));
        let percent = value.and_then(|(part, row)| part.rela_impr(row));
        line.push(csv::number(percent.map(|percent| format::rounded(percent, 2))));
    }
    let join = |items: Vec<String>| items.join(" ");
    line.push(cell.signature());
    line.push(join(cell.runs.iter().map(|run| run.record.seed.to_string()).collect()));
    line.push(join(cell.runs.iter().map(|run| run.record.run_id.clone()).collect()));
    line
}
