//! Table 3 in the paper's layout: MovieLens and Amazon side by side, the models below one another.

use crate::comparison::compare;
use crate::format;
use crate::models;
use crate::reference::{References, published_kin};
use crate::results::{bar, gauc_text, percent_text};
use crate::study::{DatasetStudy, Study};
use crate::table::{self, Column, Entry, NONE, Table};
use crate::table3::PUBLISHED;
use ctr_core::Protocol;

/// The table; none when fewer than two real datasets were run, whose own tables then say everything.
pub(crate) fn table(study: &Study, references: &References) -> Option<Table> {
    let mut real: Vec<&DatasetStudy> =
        study.datasets.iter().filter(|dataset| !dataset.simulated()).collect();
    if real.len() < 2 {
        return None;
    }
    // The paper has MovieLens first. The sort is stable, so each kind keeps the order of names.
    real.sort_by_key(|dataset| std::cmp::Reverse(published_kin(&dataset.id)));
    let was_run = |model: &&str| {
        real.iter().any(|dataset| dataset.rows.iter().any(|row| row.model == *model))
    };
    let mut models: Vec<&str> =
        models::paper_models().chain(models::other_models().filter(was_run)).collect();
    // Models that only the records know, by name.
    let mut others: Vec<&str> = real
        .iter()
        .flat_map(|dataset| &dataset.rows)
        .map(|row| row.model.as_str())
        .filter(|model| !models.contains(model))
        .collect();
    others.sort_unstable();
    others.dedup();
    models.extend(others);
    let mut columns = vec![Column::text("model")];
    let mut rows: Vec<Vec<Entry>> =
        models.iter().map(|model| vec![Entry::from(models::title(model))]).collect();
    let mut shown = None;
    for dataset in &real {
        let kin = published_kin(&dataset.id);
        if shown != Some(kin) {
            shown = Some(kin);
            for (source, name) in PUBLISHED {
                let Some((part, _)) = references.table3(source, kin, false) else { continue };
                let heading = format!("{}, {name}", references.dataset_title(kin));
                columns.push(Column::number(&heading, "gAUC"));
                columns.push(Column::number(&heading, "RelaImpr"));
                for (model, row) in models.iter().zip(&mut rows) {
                    let value = part.row(model);
                    let percent = value.and_then(|value| part.rela_impr(value));
                    row.push(
                        value.and_then(|value| value.gauc).map_or(NONE.into(), format::gauc).into(),
                    );
                    row.push(percent.map_or(NONE.into(), format::percent).into());
                }
            }
        }
        for (index, block) in dataset.blocks.iter().enumerate() {
            let heading = format!("{}, ours, {}", dataset.id, block.title);
            let number = |title| Column::number(&heading, title).of(block.protocol);
            columns.extend([number("gAUC"), number("RelaImpr")]);
            let mut bars = Vec::new();
            for (line, (model, row)) in models.iter().zip(&mut rows).enumerate() {
                // Of several configurations the first, which is the first preset's.
                let cell = dataset.cells(index).find(|(row, _)| row.model == *model);
                let cell = cell.map(|(_, cell)| cell);
                let comparison = cell.and_then(|cell| compare(dataset, index, cell));
                row.push(cell.map_or(NONE.into(), gauc_text).into());
                row.push(comparison.as_ref().map_or(NONE.into(), percent_text).into());
                bars.extend(cell.and_then(|cell| bar(line, cell, models::css_color(model))));
            }
            table::add_bars(&mut rows, columns.len() - 2, &bars);
        }
    }
    Some(Table {
        id: "table3-overview".into(),
        caption: "Published columns are on the paper's own datasets, ours on those named; each has a table of \
                  its own below, with signatures and runs."
            .into(),
        columns,
        rows,
        ..Table::default()
    })
}

/// Our gAUC alone, for the first screen: held-out where there is any.
pub(crate) fn glance(table: &Table) -> Option<Table> {
    let ours = |wanted: Protocol| {
        let columns = table.columns.iter().enumerate();
        let chosen =
            columns.filter(move |(_, of)| of.protocol == Some(wanted) && of.title == "gAUC");
        chosen.map(|(place, _)| place).collect::<Vec<usize>>()
    };
    let held_out = ours(Protocol::HeldOut);
    let places = if held_out.is_empty() { ours(Protocol::Authors) } else { held_out };
    let first = Column::text("model");
    let columns = places.iter().map(|&place| {
        let of = &table.columns[place];
        // The dataset, for all of them are ours.
        let title = of.group.split(", ours").next().unwrap_or_default();
        Column { group: String::new(), title: title.into(), ..of.clone() }
    });
    let row = |row: &Vec<Entry>| {
        // The number of seeds stands in the tables below.
        let short = |text: &str| text.split(" (n=").next().unwrap_or_default().to_string();
        let cells = places
            .iter()
            .map(|&place| Entry { text: short(&row[place].text), ..row[place].clone() });
        std::iter::once(row[0].clone()).chain(cells).collect()
    };
    (!places.is_empty()).then(|| Table {
        id: "table3-glance".into(),
        caption: "Test gAUC".into(),
        columns: std::iter::once(first).chain(columns).collect(),
        rows: table.rows.iter().map(row).collect(),
        ..Table::default()
    })
}
