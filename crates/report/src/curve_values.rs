//! Single numbers from the course of a run.

use crate::study::Run;

/// Epoch of the evaluation with the highest test gAUC, the first of several.
pub(crate) fn peak_epoch(run: &Run) -> Option<f64> {
    let points = run.record.curve.iter();
    let values = points.filter_map(|point| Some((point.epoch, point.test_gauc?)));
    values.rev().max_by(|one, other| one.1.total_cmp(&other.1)).map(|(epoch, _)| epoch)
}

/// How far test gAUC has moved from its peak by the last evaluation: 0 or less.
pub(crate) fn fall(run: &Run) -> Option<f64> {
    let last = run.record.curve.iter().rev().find_map(|point| point.test_gauc)?;
    Some(last - run.record.metrics.peak_test_gauc?)
}

/// Test gAUC at the last evaluation of the first epoch.
pub(crate) fn after_one_epoch(run: &Run) -> Option<f64> {
    let first = run.record.curve.iter().take_while(|point| point.epoch <= 1.0);
    first.last().and_then(|point| point.test_gauc)
}

/// By how much test gAUC falls from there to the last evaluation of all.
pub(crate) fn fall_after_one_epoch(run: &Run) -> Option<f64> {
    let last = run.record.curve.iter().rev().find_map(|point| point.test_gauc)?;
    Some(after_one_epoch(run)? - last)
}
