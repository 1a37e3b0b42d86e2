//! Table 1: the fields of a dataset, beside those of Alibaba's system where it is of that kind.

use crate::export::csv;
use crate::format;
use crate::reference::{PublishedFeature, PublishedFeatures, References};
use crate::results;
use crate::study::{Block, DatasetStudy, Study};
use crate::table::{Column, Entry, NONE, Table};
use ctr_core::{FieldSummary, Role};

/// The parts of a row, in the paper's order and with its names.
const CATEGORIES: [(Role, &str); 4] = [
    (Role::UserProfile, "User profile"),
    (Role::Behaviors, "User behavior"),
    (Role::Candidate, "Ad"),
    (Role::Context, "Context"),
];

const HEADER: [&str; 12] = [
    "dataset",
    "protocol",
    "content_sha256",
    "simulated",
    "category",
    "group",
    "feature",
    "dimensionality",
    "type",
    "ids_per_row_mean",
    "paper_dimensionality",
    "paper_ids_per_row",
];

/// A line: a field of ours, one of the paper's, or both.
struct Line<'a> {
    category: &'static str,
    ours: Option<&'a FieldSummary>,
    paper: Option<&'a PublishedFeature>,
}

/// One table for each dataset whose records name its fields, and one more for each content of it whose
/// fields are others.
pub(crate) fn tables(study: &Study, references: &References) -> Vec<Table> {
    let mut tables = Vec::new();
    for dataset in &study.datasets {
        let paper = references.paper_features(&dataset.id);
        tables.extend(blocks(dataset).into_iter().map(|block| table(dataset, block, paper)));
    }
    tables
}

/// The blocks with fields that no earlier block has.
fn blocks(dataset: &DatasetStudy) -> Vec<&Block> {
    let mut blocks: Vec<&Block> = Vec::new();
    for block in &dataset.blocks {
        let known = blocks.iter().any(|other| other.data.fields == block.data.fields);
        if !block.data.fields.is_empty() && !known {
            blocks.push(block);
        }
    }
    blocks
}

/// The fields by category; those of the paper that are not ours end theirs.
fn lines<'a>(block: &'a Block, paper: Option<&'a PublishedFeatures>) -> Vec<Line<'a>> {
    let published = || paper.into_iter().flat_map(|paper| &paper.rows);
    let mut lines = Vec::new();
    for (role, category) in CATEGORIES {
        let ours: Vec<&FieldSummary> =
            block.data.fields.iter().filter(|field| field.role == role).collect();
        for field in &ours {
            let paper = published().find(|row| row.role == role && same(&row.name, &field.name));
            lines.push(Line { category, ours: Some(field), paper });
        }
        let missing = published()
            .filter(|row| row.role == role && !ours.iter().any(|f| same(&row.name, &f.name)));
        lines.extend(missing.map(|row| Line { category, ours: None, paper: Some(row) }));
    }
    lines
}

/// The paper's `visited_goods_ids` is a behavior's `goods_id`, its `time` of some ten values our `hour`.
fn same(one: &str, other: &str) -> bool {
    fn stem(name: &str) -> &str {
        let name = name.strip_prefix("visited_").unwrap_or(name);
        let name = name.strip_suffix("_ids").or_else(|| name.strip_suffix("_id")).unwrap_or(name);
        if name == "hour" { "time" } else { name }
    }
    stem(one) == stem(other)
}

fn type_name(multi_hot: bool) -> &'static str {
    if multi_hot { "multi-hot" } else { "one-hot" }
}

/// A mean number of ids; a whole one as such.
fn ids(value: f64) -> String {
    if (value - value.round()).abs() < 1e-9 { format!("{value:.0}") } else { format!("{value:.1}") }
}

fn table(dataset: &DatasetStudy, block: &Block, paper: Option<&PublishedFeatures>) -> Table {
    let mut columns = vec![
        Column::text("category"),
        Column::text("feature"),
        Column::number("ours", "dimensionality"),
        Column::number("ours", "type"),
        Column::number("ours", "non-zero ids an instance"),
    ];
    if paper.is_some() {
        columns.extend(
            ["dimensionality", "type", "non-zero ids an instance"]
                .map(|title| Column::number("paper, Alibaba's system", title)),
        );
    }
    let rows = lines(block, paper).into_iter().map(|line| {
        let name = line.ours.map(|field| field.name.clone());
        let name = name.or_else(|| line.paper.map(|row| row.name.clone())).unwrap_or_default();
        let mut row: Vec<Entry> = vec![line.category.into(), name.into()];
        row.extend(
            match line.ours {
                Some(field) => [
                    format::count(field.dimensionality),
                    type_name(field.multi_hot).into(),
                    ids(field.ids_per_row),
                ],
                None => [NONE, NONE, NONE].map(String::from),
            }
            .map(Entry::from),
        );
        if paper.is_some() {
            row.extend(
                match line.paper {
                    Some(row) => [
                        row.dimensionality.clone(),
                        type_name(row.multi_hot).into(),
                        row.ids_per_row.clone(),
                    ],
                    None => [NONE, NONE, NONE].map(String::from),
                }
                .map(Entry::from),
            );
        }
        row
    });
    let mut notes = vec![
        "Dimensionality is the number of real ids in the vocabulary; ids an instance is the mean over \
         training rows."
            .to_string(),
    ];
    if let Some(paper) = paper {
        notes.push(format!("Paper, table {}: {}", paper.table, paper.note));
    }
    let several = if blocks(dataset).len() > 1 {
        format!("-{}", format::file_name(&block.title))
    } else {
        String::new()
    };
    Table {
        id: format!("table1-{}{several}", format::file_name(&dataset.id)),
        caption: format!(
            "Fields of {} ({}, content {}).",
            dataset.id,
            block.title,
            block.content()
        ),
        alert: results::simulated_alert(dataset),
        protocol: None,
        columns,
        rows: rows.collect(),
        notes,
        sources: Vec::new(),
    }
}

/// The same with plain numbers.
pub(crate) fn values(study: &Study, references: &References) -> csv::Values {
    let mut all = Vec::new();
    for dataset in &study.datasets {
        let paper = references.paper_features(&dataset.id);
        for block in blocks(dataset) {
            for line in lines(block, paper) {
                let ours = |value: &dyn Fn(&FieldSummary) -> String| {
                    line.ours.map_or(String::new(), value)
                };
                let published = |value: &dyn Fn(&PublishedFeature) -> String| {
                    line.paper.map_or(String::new(), value)
                };
                let name = ours(&|field| field.name.clone());
                all.push(vec![
                    dataset.id.clone(),
                    block.protocol.to_string(),
                    block.data.content_sha256.clone(),
                    block.data.simulated.to_string(),
                    line.category.into(),
                    ours(&|field| field.group.clone()),
                    if name.is_empty() { published(&|row| row.name.clone()) } else { name },
                    ours(&|field| field.dimensionality.to_string()),
                    ours(&|field| type_name(field.multi_hot).into()),
                    ours(&|field| field.ids_per_row.to_string()),
                    published(&|row| row.dimensionality.clone()),
                    published(&|row| row.ids_per_row.clone()),
                ]);
            }
        }
    }
    csv::Values::new(&HEADER, all)
}
