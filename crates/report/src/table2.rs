//! Table 2: statistics of the datasets, published and found.

use crate::export::csv;
use crate::format;
use crate::reference::{DatasetCounts, PAPER, References};
use crate::study::{Block, DatasetStudy, Study};
use crate::table::{Column, Entry, NONE, Table};
use ctr_core::Split;

/// What is counted, and under which keys of a record's statistics: the paper's samples are reviews on
/// Amazon and ratings on MovieLens.
const COUNTS: [(&str, &[&str]); 4] = [
    ("users", &["users"]),
    ("goods", &["goods"]),
    ("categories", &["categories"]),
    ("samples", &["samples", "reviews", "ratings"]),
];

/// The columns of the file.
const HEADER: [&str; 15] = [
    "dataset",
    "protocol",
    "content_sha256",
    "simulated",
    "users_published",
    "users_found",
    "goods_published",
    "goods_found",
    "categories_published",
    "categories_found",
    "samples_published",
    "samples_found",
    "train_rows",
    "validation_rows",
    "test_rows",
];

fn found(block: &Block, keys: &[&str]) -> Option<u64> {
    keys.iter().find_map(|key| block.data.statistics.get(*key)).copied()
}

fn published(references: &References, dataset: &DatasetStudy, block: &Block) -> [Option<u64>; 4] {
    references.counts(&dataset.id, block.data.simulated).map_or([None; 4], DatasetCounts::all)
}

/// One row a dataset, protocol and content.
pub(crate) fn table(study: &Study, references: &References) -> Table {
    let mut columns = vec![Column::text("dataset"), Column::text("protocol")];
    for (name, _) in COUNTS {
        columns.push(Column::number(name, "published"));
        columns.push(Column::number(name, "found"));
    }
    columns.extend(Split::ALL.map(|split| Column::number("rows", split.name())));
    let count = |value: Option<u64>| value.map_or(NONE.to_string(), format::count);
    let mut rows = Vec::new();
    let mut simulated = Vec::new();
    for dataset in &study.datasets {
        for block in &dataset.blocks {
            let published = published(references, dataset, block);
            let name = match block.data.simulated {
                true => format!("{} (simulated)", dataset.id),
                false => dataset.id.clone(),
            };
            if block.data.simulated && simulated.last() != Some(&dataset.id) {
                simulated.push(dataset.id.clone());
            }
            let mut row: Vec<Entry> = vec![name.into(), block.title.clone().into()];
            for (index, (_, keys)) in COUNTS.iter().enumerate() {
                row.push(count(published[index]).into());
                row.push(count(found(block, keys)).into());
            }
            row.extend(
                Split::ALL
                    .map(|split| Entry::from(count(block.data.rows.get(split.name()).copied()))),
            );
            rows.push(row);
        }
    }
    let mut notes = vec![
        format!("{NONE} under published: neither the paper nor the publisher of the data has this number."),
        "Samples are what the paper counts: reviews on Amazon, ratings on MovieLens. Rows are what \
         models see, negatives included."
            .into(),
    ];
    // The paper's other datasets complete its table.
    for (reference, counts) in references
        .0
        .iter()
        .flat_map(|reference| reference.datasets.iter().map(move |c| (reference, c)))
    {
        let was_run = study.datasets.iter().any(|dataset| {
            let mut blocks = dataset.blocks.iter();
            blocks.any(|block| {
                let found = references.counts(&dataset.id, block.data.simulated);
                found.is_some_and(|found| found.id == counts.id)
            })
        });
        let of_paper = reference.source.id == PAPER;
        if was_run || of_paper {
            let source =
                if of_paper { String::new() } else { format!(" by {}", reference.source.citation) };
            notes.push(format!("{}, published{source}: {}", counts.title, counts.note));
        }
        if !was_run && of_paper {
            let mut row: Vec<Entry> = vec![counts.title.clone().into(), "not run here".into()];
            for published in counts.all() {
                row.push(count(published).into());
                row.push(NONE.into());
            }
            row.extend(Split::ALL.map(|_| Entry::from(NONE)));
            rows.push(row);
        }
    }
    Table {
        id: "table2".into(),
        caption:
            "Statistics of the datasets: the paper's table 2 (published) beside what the prepared \
             data of these runs contains (found)."
                .into(),
        protocol: None,
        alert: (!simulated.is_empty())
            .then(|| format!("Simulated data, not reviews of people: {}.", simulated.join(", "))),
        columns,
        rows,
        notes,
        sources: Vec::new(),
    }
}

/// The same with plain numbers.
pub(crate) fn values(study: &Study, references: &References) -> csv::Values {
    let number = |value: Option<u64>| value.map_or(String::new(), |value| value.to_string());
    let mut lines = Vec::new();
    for dataset in &study.datasets {
        for block in &dataset.blocks {
            let published = published(references, dataset, block);
            let mut line = vec![
                dataset.id.clone(),
                block.protocol.to_string(),
                block.data.content_sha256.clone(),
                block.data.simulated.to_string(),
            ];
            for (index, (_, keys)) in COUNTS.iter().enumerate() {
                line.push(number(published[index]));
                line.push(number(found(block, keys)));
            }
            line.extend(Split::ALL.map(|split| number(block.data.rows.get(split.name()).copied())));
            lines.push(line);
        }
    }
    csv::Values::new(&HEADER, lines)
}
