//! Learning curves as numbers: means over seeds, before anything is drawn.

use crate::models::{self, Color};
use crate::stats::Summary;
use crate::study::{DatasetStudy, Run};
use crate::variants::Label;
use ctr_core::CurvePoint;
use std::collections::{BTreeMap, BTreeSet};

/// A value at a step or epoch, with the smallest and largest over seeds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Point {
    pub x: f64,
    pub mean: f64,
    pub low: f64,
    pub high: f64,
}

/// One line of a picture.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Curve {
    pub title: String,
    pub color: Color,
    /// Number of the configuration among those of the dataset; picks the mark.
    pub variant: usize,
    pub test: Vec<Point>,
    pub validation: Vec<Point>,
    /// Step and test gAUC of each seed's chosen evaluation.
    pub chosen: Vec<(f64, f64)>,
}

/// The curves of a block's finished runs. Seeds are averaged at the steps that all of them evaluated;
/// seeds without two such steps get a line each.
pub(crate) fn curves(dataset: &DatasetStudy, block: usize) -> Vec<Curve> {
    let variants: BTreeSet<&Label> = dataset.rows.iter().map(|row| &row.label).collect();
    let mut curves = Vec::new();
    for row in &dataset.rows {
        let variant = variants.iter().position(|label| **label == row.label).unwrap_or(0);
        let Some(cell) = row.cells.get(block).and_then(Option::as_ref) else { continue };
        let runs: Vec<&Run> = cell.runs.iter().filter(|run| run.finished()).collect();
        for runs in together(&runs) {
            let curve = Curve {
                title: row.title(),
                color: models::color(&row.model),
                variant,
                test: series(runs, |point| point.test_gauc),
                validation: series(runs, |point| point.valid_gauc),
                chosen: runs.iter().filter_map(|run| chosen(run)).collect(),
            };
            if !curve.test.is_empty() || !curve.validation.is_empty() {
                curves.push(curve);
            }
        }
    }
    curves
}

/// All runs as one group if they can be averaged, else each alone.
pub(crate) fn together<'a, 'b>(runs: &'b [&'a Run]) -> Vec<&'b [&'a Run]> {
    let common = |value: fn(&CurvePoint) -> Option<f64>| series(runs, value).len();
    let longest = runs.iter().map(|run| run.record.curve.len()).max().unwrap_or(0);
    if runs.is_empty() {
        Vec::new()
    } else if longest < 2
        || common(|point| point.test_gauc) >= 2
        || common(|point| point.valid_gauc) >= 2
    {
        vec![runs]
    } else {
        runs.chunks(1).collect()
    }
}

/// Mean, smallest and largest value at each step that all runs have.
fn series(runs: &[&Run], value: impl Fn(&CurvePoint) -> Option<f64>) -> Vec<Point> {
    let mut by_step: BTreeMap<u64, Vec<f64>> = BTreeMap::new();
    for run in runs {
        // A step that was evaluated twice (before and after a resume) counts once.
        let once: BTreeMap<u64, f64> = run
            .record
            .curve
            .iter()
            .filter_map(|point| Some((point.step, value(point).filter(|v| v.is_finite())?)))
            .collect();
        for (step, value) in once {
            by_step.entry(step).or_default().push(value);
        }
    }
    by_step
        .into_iter()
        .filter(|(_, values)| values.len() == runs.len())
        .filter_map(|(step, values)| {
            Some(Point {
                x: step as f64,
                mean: Summary::of(&values)?.mean,
                low: values.iter().copied().fold(f64::INFINITY, f64::min),
                high: values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            })
        })
        .collect()
}

/// The same against epochs, without the evaluation before training.
pub(crate) fn by_epoch(runs: &[&Run], value: impl Fn(&CurvePoint) -> Option<f64>) -> Vec<Point> {
    let points = runs.iter().flat_map(|run| &run.record.curve);
    let epochs: BTreeMap<u64, f64> = points.map(|point| (point.step, point.epoch)).collect();
    let place = |point: Point| {
        let x = *epochs.get(&(point.x as u64))?;
        (x > 0.0).then_some(Point { x, ..point })
    };
    series(runs, value).into_iter().filter_map(place).collect()
}

fn chosen(run: &Run) -> Option<(f64, f64)> {
    Some((run.record.best?.step as f64, run.gauc()?))
}

/// Models this far below the best are left out when the rest is enlarged.
const LEADING: f64 = 0.04;
/// An enlarged picture is worth its place when it shows at most this share of the whole range.
const WORTHWHILE: f64 = 0.6;

/// Where to cut the picture off to see the leading models apart: below the lowest peak among them, by
/// as much as their peaks differ. None when that would show most of what the whole picture shows.
pub(crate) fn floor(curves: &[Curve]) -> Option<f64> {
    let fold = |values: &mut dyn Iterator<Item = f64>| {
        values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
            (low.min(value), high.max(value))
        })
    };
    let peak = |curve: &Curve| fold(&mut curve.test.iter().map(|point| point.mean)).1;
    let best = fold(&mut curves.iter().map(peak)).1;
    let leading = |peak: &f64| *peak >= best - LEADING;
    let (lowest, highest) = fold(&mut curves.iter().map(peak).filter(leading));
    let all = || curves.iter().flat_map(|curve| curve.test.iter().chain(&curve.validation));
    let (bottom, top) = fold(&mut all().flat_map(|point| [point.low, point.high]));
    let floor = lowest - (highest - lowest).max(0.005);
    (floor.is_finite() && top - floor < WORTHWHILE * (top - bottom)).then_some(floor)
}

/// The parts of a line that lie between two values, cut where it crosses them.
pub(crate) fn within(line: &[(f64, f64)], low: f64, high: f64) -> Vec<Vec<(f64, f64)>> {
    let inside = |place: (f64, f64)| low <= place.1 && place.1 <= high;
    let mut parts: Vec<Vec<(f64, f64)>> = Vec::new();
    if let Some(&only) = line.first().filter(|&&place| line.len() == 1 && inside(place)) {
        parts.push(vec![only]);
    }
    for pair in line.windows(2) {
        let [from, to] = [pair[0], pair[1]];
        // Shares of the way at which the piece enters and leaves.
        let rise = to.1 - from.1;
        let at = |value: f64| (value - from.1) / rise;
        let (enter, leave) = match rise.total_cmp(&0.0) {
            std::cmp::Ordering::Greater => (at(low), at(high)),
            std::cmp::Ordering::Less => (at(high), at(low)),
            std::cmp::Ordering::Equal if inside(from) => (0.0, 1.0),
            std::cmp::Ordering::Equal => continue,
        };
        let (enter, leave) = (enter.max(0.0), leave.min(1.0));
        if enter >= leave {
            continue;
        }
        // The ends themselves are not computed again, for they must be what they are.
        let place = |share: f64, value: f64| (from.0 + share * (to.0 - from.0), value);
        let cut = |share: f64| place(share, (from.1 + share * rise).clamp(low, high));
        let begin = if enter > 0.0 { cut(enter) } else { from };
        let end = if leave < 1.0 { cut(leave) } else { to };
        match parts.last_mut().filter(|part| part.last() == Some(&begin)) {
            Some(part) => part.push(end),
            None => parts.push(vec![begin, end]),
        }
    }
    parts
}

/// The means of points as a line.
pub(crate) fn line(points: &[Point]) -> Vec<(f64, f64)> {
    points.iter().map(|point| (point.x, point.mean)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(values: &[f64]) -> Vec<Point> {
        let point =
            |(step, &mean): (usize, &f64)| Point { x: step as f64, mean, low: mean, high: mean };
        values.iter().enumerate().map(point).collect()
    }

    fn curve(values: &[f64]) -> Curve {
        Curve {
            title: String::new(),
            color: (0, 0, 0),
            variant: 0,
            test: points(values),
            validation: vec![],
            chosen: vec![],
        }
    }

    #[test]
    fn lines_are_cut_where_they_leave_the_picture() {
        let within = |values: &[f64], low, high| within(&line(&points(values)), low, high);
        let parts = within(&[0.0, 2.0, 0.0, 0.5, 3.0], 1.0, f64::INFINITY);
        assert_eq!(parts, [vec![(0.5, 1.0), (1.0, 2.0), (1.5, 1.0)], vec![(3.2, 1.0), (4.0, 3.0)]]);
        let whole = within(&[0.1, 0.2], f64::NEG_INFINITY, f64::INFINITY);
        assert_eq!(whole, [vec![(0.0, 0.1), (1.0, 0.2)]]);
        assert!(within(&[0.1, 0.2], 1.0, 2.0).is_empty());
        assert_eq!(within(&[4.0, 0.0, 0.0], 1.0, 3.0), [vec![(0.25, 3.0), (0.75, 1.0)]]);
        assert_eq!(within(&[1.5], 1.0, 2.0), [vec![(0.0, 1.5)]]);
        assert_eq!(within(&[1.5, 1.5], 1.0, 2.0), [vec![(0.0, 1.5), (1.0, 1.5)]]);
    }

    #[test]
    fn the_floor_lies_below_the_leading_peaks() {
        let weak = curve(&[0.5, 0.6]);
        let floor = |curves: &[Curve]| floor(curves);
        let found = floor(&[weak.clone(), curve(&[0.5, 0.70]), curve(&[0.6, 0.71])]).unwrap();
        assert!((found - 0.69).abs() < 1e-12, "{found}");
        // Nothing to gain: the whole range is that of the leading models.
        assert_eq!(floor(&[curve(&[0.698, 0.70]), curve(&[0.699, 0.71])]), None);
        assert_eq!(floor(&[]), None);
    }
}
