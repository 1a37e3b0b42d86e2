//! The table of what was tried: budgets, the settings chosen, and settings against models.

use crate::export::csv;
use crate::format;
use crate::models;
use crate::results::{self, Titled, gauc_text, mean_metric, signature_notes, source_runs, summary};
use crate::study::{Cell, Run};
use crate::table::{self, Column, Entry, NONE, Table};
use crate::tuning::{Point, Search, Tuned};
use std::collections::BTreeMap;

/// The weak baseline: far below all others, so that with it the models would always differ more than the
/// settings.
const WEAK: &str = "lr";

/// What every reader of the tables has to know.
pub(crate) fn notes() -> Vec<String> {
    [
        "A point is one setting of optimizer, learning rate, batch and early stopping. Every point ran with \
         the seeds that all points of its model have (a suite's first), and the one with the highest \
         validation gAUC there was chosen, with all seeds. Test gAUC never chose, and is shown for the \
         chosen setting and the default alone.",
        "Lowest and highest are validation gAUC over the points, at those seeds. A point that diverged \
         counts as tried and has no value.",
        "Default is what the model's preset has when nothing is set; — where it was not among the runs.",
    ]
    .map(String::from)
    .into()
}

/// One table a search.
pub(crate) fn tables(searches: &[Search]) -> Vec<Table> {
    searches.iter().map(table).collect()
}

fn table(search: &Search) -> Table {
    let columns = vec![
        Column::text("model"),
        Column::number("", "points tried"),
        Column::text("chosen setting"),
        Column::number("validation gAUC", "chosen"),
        Column::number("validation gAUC", "lowest to highest point"),
        Column::number("validation gAUC", "spread"),
        Column::number("test gAUC", "chosen"),
        Column::number("test gAUC", "default"),
    ];
    let test = columns.len() - 2;
    let (mut rows, mut bars, mut sources) = (Vec::new(), Vec::new(), Vec::new());
    let mut titled: Vec<Titled> = Vec::new();
    for (line, row) in search.rows.iter().enumerate() {
        let title = title(row);
        let chosen = row.chosen();
        let (range, spread) = match row.spread() {
            Some((low, high)) => (
                format!("{} to {}", format::gauc(low), format::gauc(high)),
                format::gauc(high - low),
            ),
            None => (NONE.into(), NONE.into()),
        };
        let or_none = |text: Option<String>| text.unwrap_or_else(|| NONE.into());
        let cells = [
            title.clone(),
            row.points.len().to_string(),
            or_none(chosen.map(|point| {
                let mark = if point.default { " (the default)" } else { "" };
                format!("{}{mark}", point.setting)
            })),
            or_none(chosen.and_then(|point| Some(format::gauc_summary(&valid(point.cell)?)))),
            range,
            spread,
            or_none(chosen.map(|point| gauc_text(point.cell))),
            or_none(row.default().map(|point| gauc_text(point.cell))),
        ];
        rows.push(cells.into_iter().map(Entry::from).collect::<Vec<_>>());
        for point in &row.points {
            sources.push(source_runs(&title, &point.setting, point.cell));
        }
        if let Some(point) = chosen {
            bars.extend(results::bar(line, point.cell, models::css_color(row.model)));
            titled.push((title, point.cell));
        }
    }
    table::add_bars(&mut rows, test, &bars);
    let mut notes: Vec<String> = conclusion(search).into_iter().collect();
    notes.extend(search.rows.iter().filter(|row| row.points.len() > 1).map(tried));
    notes.extend(signature_notes(&search.block.title, &titled));
    let alerts = [results::simulated_alert(search.dataset), budgets(search)];
    let alert = alerts.into_iter().flatten().collect::<Vec<_>>().join(" ");
    Table {
        id: format!("tuning-{}", format::file_name(&heading(search))),
        caption: format!(
            "What was tried on {}, content {}: chosen on validation alone.",
            heading(search),
            search.block.content()
        ),
        alert: (!alert.is_empty()).then_some(alert),
        protocol: None,
        columns,
        rows,
        notes,
        sources,
    }
}

fn heading(search: &Search) -> String {
    let mut parts = vec![search.dataset.id.clone(), search.block.title.clone()];
    if !search.preset.is_empty() {
        parts.push(format!("preset {}", search.preset));
    }
    if !search.regularizer.is_empty() {
        parts.push(format!("regularizer {}", search.regularizer));
    }
    parts.join(", ")
}

fn title(row: &Tuned) -> String {
    models::title(row.model).to_string()
}

fn valid(cell: &Cell) -> Option<crate::stats::Summary> {
    summary(cell, |run: &Run| run.record.metrics.valid_gauc)
}

/// The grid of a model with what validation said of every point.
fn tried(row: &Tuned) -> String {
    let outcome = |point: &Point| {
        let value = point.value.map_or("diverged".into(), format::gauc);
        let mark = if point.chosen { " (chosen)" } else { "" };
        format!("{} → {value}{mark}", point.setting)
    };
    let points: Vec<String> = row.points.iter().map(outcome).collect();
    format!("{}: validation gAUC of its points: {}.", title(row), points.join("; "))
}

/// A warning where some models were tried with more settings than others.
fn budgets(search: &Search) -> Option<String> {
    let mut by_count: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    for row in &search.rows {
        by_count.entry(row.points.len()).or_default().push(title(row));
    }
    let lists: Vec<String> = by_count
        .iter()
        .rev()
        .map(|(count, titles)| format!("{count} for {}", titles.join(", ")))
        .collect();
    (lists.len() > 1).then(|| {
        format!(
            "Unequal budgets: {} points were tried. A model that was searched longer leads for that \
             reason too; compare models after `din-repro reproduce --suite tuning`.",
            lists.join(" and ")
        )
    })
}

/// What moves validation gAUC more: a model's settings, or the model.
fn conclusion(search: &Search) -> Option<String> {
    let rows = || search.rows.iter().filter(|row| row.model != WEAK);
    let mut spreads: Vec<f64> =
        rows().filter_map(Tuned::spread).map(|(low, high)| high - low).collect();
    spreads.sort_by(f64::total_cmp);
    let chosen: Vec<f64> = rows()
        .filter(|row| row.spread().is_some())
        .filter_map(|row| Some(valid(row.chosen()?.cell)?.mean))
        .collect();
    let (&smallest, &largest) = (spreads.first()?, spreads.last()?);
    if chosen.len() < 2 {
        return None;
    }
    let low = chosen.iter().copied().fold(f64::INFINITY, f64::min);
    let high = chosen.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let middle = spreads.len() / 2;
    let median = match spreads.len() % 2 {
        0 => f64::midpoint(spreads[middle - 1], spreads[middle]),
        _ => spreads[middle],
    };
    let verdict = if median > high - low {
        "the choice of settings matters more than the choice of model, as BARS found on its data"
    } else {
        "the choice of model matters more than the choice of settings, unlike what BARS found on its data"
    };
    Some(format!(
        "Settings against models, in validation gAUC, LR left out: the points of one model lie {} to {} \
         apart (median {}), the {} models at their chosen settings {}. Over this grid {verdict}.",
        format::gauc(smallest),
        format::gauc(largest),
        format::gauc(median),
        chosen.len(),
        format::gauc(high - low),
    ))
}

/// Says in table 3 how many runs the search left out of it.
pub(crate) fn note_left_out(tables: &mut [Table], only_tried: &BTreeMap<&str, &str>) {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for dataset in only_tried.values() {
        *counts.entry(format!("table3-{}", format::file_name(dataset))).or_default() += 1;
    }
    for table in tables {
        table.notes.extend(counts.get(&table.id).map(|runs| {
            format!(
                "Without {runs} runs of settings that were tried and not chosen; the table of tuning \
                 has them."
            )
        }));
    }
}

const HEADER: [&str; 20] = [
    "dataset",
    "protocol",
    "content_sha256",
    "preset",
    "regularizer",
    "model",
    "points_tried",
    "setting",
    "config_sha256",
    "valid_gauc_at_common_seeds",
    "chosen",
    "default",
    "n",
    "diverged",
    "valid_gauc_mean",
    "valid_gauc_std",
    "test_gauc_mean",
    "test_gauc_std",
    "seeds",
    "run_ids",
];

/// One line a point with all digits; test gAUC for the chosen and the default alone.
pub(crate) fn values(searches: &[Search]) -> csv::Values {
    let mut lines = Vec::new();
    for search in searches {
        for row in &search.rows {
            lines.extend(row.points.iter().map(|point| csv_line(search, row, point)));
        }
    }
    csv::Values::new(&HEADER, lines)
}

fn csv_line(search: &Search, row: &Tuned, point: &Point) -> Vec<String> {
    let cell = point.cell;
    let shown = point.chosen || point.default;
    let join = |of: &dyn Fn(&Run) -> String| cell.runs.iter().map(of).collect::<Vec<_>>().join(" ");
    vec![
        search.dataset.id.clone(),
        search.block.protocol.to_string(),
        search.block.data.content_sha256.clone(),
        search.preset.to_string(),
        search.regularizer.clone(),
        row.model.to_string(),
        row.points.len().to_string(),
        point.setting.clone(),
        cell.config_sha256().to_string(),
        csv::number(point.value),
        point.chosen.to_string(),
        point.default.to_string(),
        (cell.runs.len() - cell.diverged()).to_string(),
        cell.diverged().to_string(),
        mean_metric(cell, |metrics| metrics.valid_gauc),
        csv::number(valid(cell).and_then(|summary| summary.std)),
        csv::number(cell.gauc().filter(|_| shown).map(|summary| summary.mean)),
        csv::number(cell.gauc().filter(|_| shown).and_then(|summary| summary.std)),
        join(&|run| run.record.seed.to_string()),
        join(&|run| run.record.run_id.clone()),
    ]
}
