//! Figure 4 as numbers: training loss, test loss and test gAUC of BaseModel under each regularizer.

use crate::curves::{Point, by_epoch, together};
use crate::models::{self, Color};
use crate::slices::Slice;
use crate::study::Run;
use crate::table4;
use ctr_core::CurvePoint;

/// What the panels show, from top to bottom.
pub(crate) const PANELS: [PanelKind; 3] = [
    PanelKind { title: "Training loss", value: |point| point.train_loss },
    PanelKind { title: "Test loss", value: |point| point.test_loss },
    PanelKind { title: "Test gAUC", value: |point| point.test_gauc },
];

/// One panel's quantity.
pub(crate) struct PanelKind {
    pub title: &'static str,
    value: fn(&CurvePoint) -> Option<f64>,
}

/// A regularizer's line in every panel.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RegularizerLine {
    pub title: String,
    pub color: Color,
    pub mark: usize,
    /// Lines that the paper's figure does not have are dashed.
    pub in_paper: bool,
    pub panels: [Vec<Point>; PANELS.len()],
}

/// The picture's content.
#[derive(Clone, Debug)]
pub(crate) struct Regularization {
    pub title: String,
    pub lines: Vec<RegularizerLine>,
    /// gAUC of the true click probabilities.
    pub ceiling: Option<f64>,
}

/// The chosen setting of each row of table 4 that was run.
pub(crate) fn regularization(slice: &Slice) -> Regularization {
    let mut lines = Vec::new();
    for form in table4::forms(slice) {
        let choice = slice.choose(models::BASE, |other| *other == form);
        let Some(cell) = choice.chosen else { continue };
        let runs: Vec<&Run> = cell.runs.iter().filter(|run| run.finished()).collect();
        let (color, mark) = form.style();
        for runs in together(&runs) {
            lines.push(RegularizerLine {
                title: form.short_title(),
                color,
                mark,
                in_paper: form.in_paper(),
                panels: PANELS.map(|panel| by_epoch(runs, panel.value)),
            });
        }
    }
    Regularization {
        title: format!("BaseModel under different regularizers: {}", slice.title()),
        lines,
        ceiling: slice.block.data.ceiling.map(|ceiling| ceiling.test_gauc),
    }
}

/// Lines with fewer points count from their first evaluation on.
const FEW: usize = 6;
/// A ceiling may take at most this share of the panel's height for itself.
const ROOM_FOR_CEILING: f64 = 0.3;

/// Range of a panel's values. The first evaluation of a line may leave it: at the beginning all models
/// are alike and far from where they differ.
pub(crate) fn range(lines: &[RegularizerLine], panel: usize) -> Option<(f64, f64)> {
    let points = lines.iter().filter_map(|line| line.panels.get(panel)).flat_map(|points| {
        let first = usize::from(points.len() >= FEW);
        points.get(first..).unwrap_or_default()
    });
    let ends = points.flat_map(|point| [point.low, point.high]);
    let (low, high) = ends.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
        (low.min(value), high.max(value))
    });
    let room = ((high - low) * 0.05).max(0.0005);
    (low <= high).then_some((low - room, high + room))
}

/// The range with the ceiling in it, unless that would squash the lines.
pub(crate) fn with_ceiling(range: (f64, f64), ceiling: f64) -> Option<(f64, f64)> {
    let room = (range.1 - range.0) * 0.05;
    let wider = (range.0.min(ceiling - room), range.1.max(ceiling + room));
    let share = 1.0 - (range.1 - range.0) / (wider.1 - wider.0);
    (share <= ROOM_FOR_CEILING).then_some(wider)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(values: &[f64]) -> RegularizerLine {
        let point = |(index, &mean): (usize, &f64)| Point {
            x: index as f64,
            mean,
            low: mean - 0.01,
            high: mean + 0.01,
        };
        let points: Vec<Point> = values.iter().enumerate().map(point).collect();
        RegularizerLine {
            title: "a".into(),
            color: (0, 0, 0),
            mark: 0,
            in_paper: true,
            panels: [points.clone(), points.clone(), points],
        }
    }

    #[test]
    fn the_beginning_does_not_stretch_the_picture() {
        let (low, high) = range(&[line(&[0.1, 0.6, 0.6, 0.6, 0.6, 0.6])], 2).unwrap();
        assert!((low - 0.589).abs() < 1e-12 && (high - 0.611).abs() < 1e-12, "{low} {high}");
        // Few points are all needed.
        let (low, _) = range(&[line(&[0.1, 0.6])], 2).unwrap();
        assert!(low < 0.1);
        assert_eq!(range(&[], 0), None);
        assert_eq!(range(&[line(&[])], 0), None);
    }

    #[test]
    fn a_far_ceiling_stays_outside() {
        assert_eq!(with_ceiling((0.5, 0.6), 0.7), None);
        let (low, high) = with_ceiling((0.5, 0.6), 0.62).unwrap();
        assert!((low, (high - 0.625).abs() < 1e-12) == (0.5, true), "{high}");
        assert_eq!(with_ceiling((0.5, 0.6), 0.55), Some((0.5, 0.6)));
    }
}
