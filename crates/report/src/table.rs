//! A table before it has a format.

use crate::format;
use crate::stats::Summary;
use ctr_core::Protocol;
use serde::Serialize;

/// Text for what has no value.
pub(crate) const NONE: &str = "—";

/// A table with its caption and notes. Plain text throughout; every format escapes for itself.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Table {
    /// Label for links, such as `table3-amazon-beauty`.
    pub id: String,
    /// What it shows and on what data.
    pub caption: String,
    /// What must not be overlooked, shown before everything else: simulated data.
    pub alert: Option<String>,
    /// The protocol that it is about; none when it is about more than one.
    pub protocol: Option<Protocol>,
    pub columns: Vec<Column>,
    pub rows: Vec<Vec<Entry>>,
    /// Sentences below the table.
    pub notes: Vec<String>,
    /// The runs behind a row: title and run identifiers.
    pub sources: Vec<SourceRuns>,
}

/// A column's heading in two levels; neighbors with one group share a heading.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Column {
    pub group: String,
    pub title: String,
    /// Numbers stand to the right.
    pub number: bool,
    /// The protocol that it is about, in a table of several.
    pub protocol: Option<Protocol>,
}

impl Column {
    pub(crate) fn text(title: &str) -> Self {
        Self { group: String::new(), title: title.into(), number: false, protocol: None }
    }

    pub(crate) fn number(group: &str, title: &str) -> Self {
        Self { group: group.into(), title: title.into(), number: true, protocol: None }
    }

    /// The column as one of a protocol.
    pub(crate) fn of(self, protocol: Protocol) -> Self {
        Self { protocol: Some(protocol), ..self }
    }

    /// Both levels in one line.
    pub(crate) fn full_title(&self) -> String {
        if self.group.is_empty() {
            self.title.clone()
        } else {
            format!("{}: {}", self.group, self.title)
        }
    }
}

/// A cell: its text and, for a mean over seeds, a picture of the spread in formats that can show one.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Entry {
    pub text: String,
    pub bar: Option<Bar>,
}

impl From<String> for Entry {
    fn from(text: String) -> Self {
        Self { text, bar: None }
    }
}

impl From<&str> for Entry {
    fn from(text: &str) -> Self {
        text.to_string().into()
    }
}

/// Mean, spread and single values on a scale from 0 to 100 that one column shares.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Bar {
    pub mean: f64,
    pub low: f64,
    pub high: f64,
    pub seeds: Vec<f64>,
    pub color: String,
    /// The value lies left of the scale; there is nothing else to draw.
    pub below: bool,
}

/// Run identifiers behind one cell.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct SourceRuns {
    pub title: String,
    pub runs: Vec<String>,
}

/// A row's index with its values by seed, their summary and the color of its bar.
pub(crate) type BarSource = (usize, Vec<f64>, Summary, String);

/// Values this far below a column's best do not stretch its scale: LR would press all others together.
const SCALE_DEPTH: f64 = 0.04;

/// Adds bars on a scale common to all cells of one column.
pub(crate) fn add_bars(rows: &mut [Vec<Entry>], position: usize, column: &[BarSource]) {
    let best = column.iter().map(|source| source.2.mean).fold(f64::NEG_INFINITY, f64::max);
    let below = |source: &BarSource| source.2.mean < best - SCALE_DEPTH;
    let ends = |(_, values, summary, _): &BarSource| {
        let std = summary.std.unwrap_or(0.0);
        values.iter().copied().chain([summary.mean - std, summary.mean + std]).collect::<Vec<_>>()
    };
    let all: Vec<f64> = column.iter().filter(|source| !below(source)).flat_map(ends).collect();
    let low = all.iter().copied().fold(f64::INFINITY, f64::min);
    let high = all.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let width = high - low;
    // Room for the marks at both ends; two decimals are finer than a screen.
    let place = |value: f64| {
        let share = if width > 0.0 { (value - low) / width } else { 0.5 };
        format::rounded(4.0 + 92.0 * share, 2)
    };
    for source in column {
        let (row, values, summary, color) = source;
        let std = summary.std.unwrap_or(0.0);
        if let Some(entry) = rows.get_mut(*row).and_then(|row| row.get_mut(position)) {
            entry.bar = Some(Bar {
                mean: place(summary.mean),
                low: place(summary.mean - std),
                high: place(summary.mean + std),
                seeds: values.iter().map(|&value| place(value)).collect(),
                color: color.clone(),
                below: below(source),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_share_a_scale_that_a_weak_model_does_not_stretch() {
        let source = |row, values: &[f64]| {
            (row, values.to_vec(), Summary::of(values).unwrap(), "#000000".to_string())
        };
        let mut rows = vec![vec![Entry::default()]; 3];
        add_bars(&mut rows, 0, &[source(0, &[0.55]), source(1, &[0.70]), source(2, &[0.71, 0.71])]);
        let bar = |row: usize| rows[row][0].bar.clone().unwrap();
        assert!(bar(0).below && !bar(1).below);
        assert_eq!((bar(1).mean, bar(2).mean, bar(2).low), (4.0, 96.0, 96.0));
    }
}
