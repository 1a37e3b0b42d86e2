//! What the paper says of the rows of its tables, decided over our seeds.
//!
//! The interval is over seeds alone: it says whether another initialization and order of rows would turn
//! the difference, not whether other users would.

use crate::comparison_table::ComparisonTable;
use crate::format;
use crate::results;
use crate::stats::Summary;
use crate::study::Run;
use crate::table::{Column, Entry, NONE, Table};

/// A statement.
pub(crate) struct Statement {
    /// As a sentence.
    pub text: &'static str,
    pub of: Comparison,
}

/// "`higher` is above `lower`."
pub(crate) const fn above(
    text: &'static str,
    higher: &'static str,
    lower: &'static str,
) -> Statement {
    Statement { text, of: Comparison::Above(higher, lower) }
}

/// What decides it.
pub(crate) enum Comparison {
    /// The first row is above the second in test gAUC.
    Above(&'static str, &'static str),
    /// The first row is above the second in another value of a run, which the paper does not print.
    AboveIn(fn(&Run) -> Option<f64>, &'static str, &'static str),
    /// A value of each run of a row is above 0.
    Positive(&'static str, fn(&Run) -> Option<f64>),
}

/// The statements of a table with what our runs say; none when nothing was run for any of them.
pub(crate) fn table(of: &ComparisonTable, statements: &[Statement]) -> Option<Table> {
    let mut rows = Vec::new();
    let mut decided = false;
    for statement in statements {
        let (paper, ours) = match statement.of {
            Comparison::Above(higher, lower) => {
                (of.published_difference(higher, lower), of.differences(higher, lower, Run::gauc))
            }
            Comparison::AboveIn(value, higher, lower) => {
                (None, of.differences(higher, lower, value))
            }
            Comparison::Positive(row, value) => (None, of.values(row, value)),
        };
        let summary = Summary::of(&ours);
        decided |= summary.is_some();
        let (difference, interval, verdict) = summary.map_or_else(
            || (NONE.to_string(), NONE.to_string(), "no runs"),
            |summary| {
                let (interval, verdict) = match summary.half_interval_95() {
                    None => (NONE.to_string(), "not decided: one seed"),
                    Some(half) => {
                        let (low, high) = (summary.mean - half, summary.mean + half);
                        let verdict = match () {
                            () if low > 0.0 => "holds",
                            () if high < 0.0 => "does not hold",
                            () => "not decided",
                        };
                        let ends = [low, high].map(|end| format::signed(end, 4));
                        (format!("{} to {}, n={}", ends[0], ends[1], summary.n), verdict)
                    }
                };
                (format::signed(summary.mean, 4), interval, verdict)
            },
        );
        rows.push(vec![
            Entry::from(statement.text),
            paper.map_or(NONE.into(), |value| format::signed(value, 4)).into(),
            difference.into(),
            interval.into(),
            verdict.into(),
        ]);
    }
    decided.then(|| Table {
        id: format!("{}-statements-{}", of.id, of.slice.stem()),
        caption: format!(
            "What the paper says of table {}, on {}. Differences in gAUC.",
            of.id.trim_start_matches("table"),
            crate::comparison_table::data(of.slice),
        ),
        alert: results::simulated_alert(of.slice.dataset),
        columns: vec![
            Column::text("statement"),
            Column::number("paper, Alibaba", "difference"),
            Column::number("ours", "difference"),
            Column::number("ours", "95% interval over seeds"),
            Column::text("verdict"),
        ],
        rows,
        notes: vec![
            "Ours: mean over pairs of runs with the same seed, with Student's interval over seeds. It says \
             nothing about other users: the same test rows decide every pair."
                .into(),
        ],
        sources: Vec::new(),
    })
}
