//! What tables 3, 4 and 5 say of a cell, in the same words and columns.

use crate::comparison::Comparison;
use crate::export::csv;
use crate::format;
use crate::stats::Summary;
use crate::study::{Cell, DatasetStudy, Run};
use crate::table::{BarSource, NONE, SourceRuns};
use ctr_core::MetricValues;
use std::collections::BTreeMap;

/// A cell under the title of its row.
pub(crate) type Titled<'a> = (String, &'a Cell);

/// The mean, or what became of the runs.
pub(crate) fn gauc_text(cell: &Cell) -> String {
    let diverged = cell.diverged();
    match cell.gauc() {
        Some(summary) if diverged == 0 => format::gauc_summary(&summary),
        Some(summary) => {
            let text = format::gauc_summary(&summary);
            format!("{}, {diverged} diverged)", text.trim_end_matches(')'))
        }
        None if diverged == 1 => "diverged".into(),
        None if diverged > 1 => format!("diverged ({diverged} runs)"),
        None => NONE.into(),
    }
}

pub(crate) fn percent_text(comparison: &Comparison) -> String {
    let percent = format::percent(comparison.percent);
    match comparison.paired {
        Some((std, _)) => format!("{percent} ± {std:.2}%"),
        None => percent,
    }
}

/// Heading of the standard error from users.
pub(crate) const USERS_ERROR: &str = "s.e. of users";

pub(crate) fn users_error_text(cell: &Cell) -> String {
    cell.users_error.map_or(NONE.into(), format::gauc)
}

/// The mean of what choosing on test would have added.
pub(crate) fn optimism_text(cell: &Cell) -> String {
    cell.optimism().map_or(NONE.into(), |value| format::signed(value.mean, 4))
}

/// The bar of a cell in a row; none for a cell without values.
pub(crate) fn bar(row: usize, cell: &Cell, color: String) -> Option<BarSource> {
    let values = cell.by_seed().into_iter().map(|(_, value)| value).collect();
    Some((row, values, cell.gauc()?, color))
}

/// A value of the finished runs, as a summary over seeds.
pub(crate) fn summary(cell: &Cell, value: impl Fn(&Run) -> Option<f64>) -> Option<Summary> {
    let finished = cell.runs.iter().filter(|run| run.finished());
    Summary::of(&finished.filter_map(value).collect::<Vec<_>>())
}

/// The mean of a metric over the finished runs, with all digits.
pub(crate) fn mean_metric(cell: &Cell, metric: impl Fn(&MetricValues) -> Option<f64>) -> String {
    csv::number(summary(cell, |run| metric(&run.record.metrics)).map(|summary| summary.mean))
}

/// The runs behind a row of a column.
pub(crate) fn source_runs(title: &str, column: &str, cell: &Cell) -> SourceRuns {
    SourceRuns {
        title: format!("{title}, {column}"),
        runs: cell.runs.iter().map(|run| run.record.run_id.clone()).collect(),
    }
}

/// The signatures of a column, each with its rows where there are several.
pub(crate) fn signature_notes(column: &str, cells: &[Titled]) -> Vec<String> {
    let mut by_signature: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for (title, cell) in cells {
        by_signature.entry(cell.signature()).or_default().push(title);
    }
    let single = by_signature.len() == 1;
    by_signature
        .into_iter()
        .map(|(signature, titles)| match single {
            true => format!("{column}: {signature}"),
            false => format!("{column}, {}: {signature}", titles.join(", ")),
        })
        .collect()
}

/// Which rows have runs without a result.
pub(crate) fn diverged_note(column: &str, cells: &[Titled]) -> Option<String> {
    let diverged: Vec<String> = cells
        .iter()
        .filter(|(_, cell)| cell.diverged() > 0)
        .map(|(title, cell)| format!("{title} ({} of {})", cell.diverged(), cell.runs.len()))
        .collect();
    (!diverged.is_empty()).then(|| {
        format!("{column}: diverged runs are left out of the mean: {}.", diverged.join(", "))
    })
}

/// Which rows were trained otherwise than the row that RelaImpr is over, by the keys that differ.
pub(crate) fn unlike_notes(
    column: &str,
    base: &str,
    unlike: BTreeMap<Vec<String>, Vec<String>>,
) -> Vec<String> {
    unlike
        .into_iter()
        .filter(|(keys, _)| !keys.is_empty())
        .map(|(keys, titles)| {
            format!(
                "{column}: trained unlike {base} that RelaImpr is over ({}): {}.",
                keys.join(", "),
                titles.join(", ")
            )
        })
        .collect()
}

/// What must stand above every table of simulated data.
pub(crate) fn simulated_alert(dataset: &DatasetStudy) -> Option<String> {
    dataset.simulated().then(|| {
        format!(
            "Simulated data: {} was generated, no person clicked. Its numbers say nothing about the \
             published datasets.",
            dataset.id
        )
    })
}

/// RelaImpr, its paired deviation and the number of pairs.
pub(crate) fn comparison_columns(comparison: Option<&Comparison>) -> [String; 3] {
    let paired = comparison.and_then(|comparison| comparison.paired);
    [
        csv::number(comparison.map(|comparison| comparison.percent)),
        csv::number(paired.map(|paired| paired.0)),
        paired.map_or(String::new(), |paired| paired.1.to_string()),
    ]
}
