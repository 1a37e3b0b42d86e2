//! Learning curves as numbers: means over seeds, before anything is drawn.

use crate::models::{self, Color};
use crate::stats::Summary;
use crate::study::{DatasetStudy, Run};
use ctr_core::CurvePoint;
use std::collections::BTreeMap;

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
    /// 0 for a model's first configuration on this dataset, 1 for the next …; picks the mark.
    pub variant: usize,
    pub test: Vec<Point>,
    pub validation: Vec<Point>,
    /// Step and test gAUC of each seed's chosen evaluation.
    pub chosen: Vec<(f64, f64)>,
}

/// The curves of a block's finished runs. Seeds are averaged at the steps that all of them evaluated;
/// seeds without two such steps get a line each.
pub(crate) fn curves(dataset: &DatasetStudy, block: usize) -> Vec<Curve> {
    let mut variants: BTreeMap<&str, usize> = BTreeMap::new();
    let mut curves = Vec::new();
    for row in &dataset.rows {
        let next = variants.entry(&row.model).or_default();
        let variant = *next;
        *next += 1;
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
