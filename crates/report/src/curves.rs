//! Learning curves as numbers: means over seeds, before anything is drawn.

use crate::models::{self, Color};
use crate::stats::Summary;
use crate::study::{DatasetStudy, Run};
use crate::variants::Label;
use ctr_core::CurvePoint;
use std::collections::{BTreeMap, BTreeSet};

/// A value at a step, with the smallest and largest over seeds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Point {
    pub step: f64,
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
fn together<'a, 'b>(runs: &'b [&'a Run]) -> Vec<&'b [&'a Run]> {
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
                step: step as f64,
                mean: Summary::of(&values)?.mean,
                low: values.iter().copied().fold(f64::INFINITY, f64::min),
                high: values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            })
        })
        .collect()
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

/// The parts of a line that lie above a floor, cut where it crosses it.
pub(crate) fn above(points: &[Point], floor: f64) -> Vec<Vec<(f64, f64)>> {
    let mut parts: Vec<Vec<(f64, f64)>> = Vec::new();
    let mut previous: Option<(f64, f64)> = None;
    for point in points {
        let here = (point.step, point.mean);
        let crossing =
            previous.filter(|before| (before.1 < floor) != (here.1 < floor)).map(|before| {
                let share = (floor - before.1) / (here.1 - before.1);
                (before.0 + share * (here.0 - before.0), floor)
            });
        if here.1 >= floor {
            if parts.is_empty() || crossing.is_some() {
                parts.push(crossing.into_iter().collect());
            }
            if let Some(part) = parts.last_mut() {
                part.push(here);
            }
        } else if let (Some(crossing), Some(part)) = (crossing, parts.last_mut()) {
            part.push(crossing);
        }
        previous = Some(here);
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(values: &[f64]) -> Vec<Point> {
        let point =
            |(step, &mean): (usize, &f64)| Point { step: step as f64, mean, low: mean, high: mean };
        values.iter().enumerate().map(point).collect()
    }

    fn curve(values: &[f64]) -> Curve {
        Curve {
            title: String::new(),
            color: (0, 0, 0),
            variant: 0,
            test: line(values),
            validation: vec![],
            chosen: vec![],
        }
    }

    #[test]
    fn lines_are_cut_where_they_cross_the_floor() {
        let parts = above(&line(&[0.0, 2.0, 0.0, 0.5, 3.0]), 1.0);
        assert_eq!(parts, [vec![(0.5, 1.0), (1.0, 2.0), (1.5, 1.0)], vec![(3.2, 1.0), (4.0, 3.0)]]);
        let whole = above(&line(&[0.1, 0.2]), f64::NEG_INFINITY);
        assert_eq!(whole, [vec![(0.0, 0.1), (1.0, 0.2)]]);
        assert!(above(&line(&[0.1, 0.2]), 1.0).is_empty());
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
