//! The picture of ablations: a row a change, a color a dataset.

use crate::ablations::{Ablations, Difference};
use crate::ablations_table::arrow;
use crate::intervals::{Group, Interval, IntervalRow, Intervals, Series};
use crate::models::{self, Color};

/// Datasets are no models, but need to be told apart as well: colors of Okabe and Ito again, the dark ones first.
const COLORS: [Color; 6] =
    [(213, 94, 0), (0, 114, 178), (0, 158, 115), (204, 121, 167), (86, 180, 233), (230, 159, 0)];

/// Marks that are filled; the third of them all is a cross.
const MARKS: [usize; 5] = [0, 3, 1, 4, 5];

/// All ablations in one picture; none where nothing could be compared.
pub(crate) fn figure(all: &[Ablations]) -> Option<Intervals> {
    let mut picture = Picture::default();
    for (series, of) in all.iter().enumerate() {
        for step in &of.steps {
            let label = format!("{} ({})", arrow(step), step.adds);
            picture.add(PARTS, label, series, &step.difference);
        }
    }
    // Rows of all datasets in the order of one table, though each dataset may lack some of them.
    let mut rows: Vec<_> = all
        .iter()
        .enumerate()
        .flat_map(|(series, of)| of.rows.iter().map(move |row| (series, row)))
        .collect();
    rows.sort_by_cached_key(|(series, row)| (row.order(), *series));
    for (series, row) in rows {
        let several = if row.changes.len() > 1 { ", several settings changed" } else { "" };
        let title = models::title(row.model);
        let heading = format!("{title} changed: difference from {title} as in its preset{several}");
        picture.add(&heading, row.change(), series, &row.difference);
    }
    if picture.0.is_empty() {
        return None;
    }
    let series = all.iter().enumerate().map(|(index, of)| Series {
        title: of.slice.title(),
        color: COLORS[index % COLORS.len()],
        mark: MARKS[index % MARKS.len()],
    });
    Some(Intervals {
        title: "What each part is worth".into(),
        axis: "difference in test gAUC".into(),
        series: series.collect(),
        groups: picture.0,
        reference: Some(0.0),
        band: None,
        interval: "95% interval",
    })
}

const PARTS: &str = "Attention or product: what each step adds";

#[derive(Default)]
struct Picture(Vec<Group>);

impl Picture {
    /// Adds a value to the row of its label, which is made where it is new.
    fn add(&mut self, heading: &str, label: String, series: usize, difference: &Difference) {
        let Some(effect) = difference.effect else { return };
        let value = Interval { series, value: effect.mean, interval: difference.interval() };
        let group = match self.0.iter().position(|group| group.heading == heading) {
            Some(place) => &mut self.0[place],
            None => {
                self.0.push(Group { heading: heading.into(), rows: Vec::new() });
                let last = self.0.len() - 1;
                &mut self.0[last]
            }
        };
        match group.rows.iter_mut().find(|row| row.label == label) {
            Some(row) => row.values.push(value),
            None => group.rows.push(IntervalRow { label, values: vec![value] }),
        }
    }
}
