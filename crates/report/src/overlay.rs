//! Published learning curves behind ours, where the dataset is the one they were logged on.

use crate::curves::Curve;
use crate::models::{self, Color};
use crate::reference::References;
use crate::study::{DatasetStudy, Run, Study};
use std::collections::BTreeSet;

/// A published curve in the coordinates of a panel.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Log {
    pub color: Color,
    /// Step of ours at which as many rows had been seen, and test gAUC.
    pub points: Vec<(f64, f64)>,
}

/// The logs of the models in a panel, as far as its own curves reach.
///
/// A step of theirs has 32 rows. They are placed by rows seen, so that a log reads like a run of ours
/// with the smallest batch of the panel; with batches of 32 its steps are the log's own.
pub(crate) fn logs(
    references: &References,
    dataset: &DatasetStudy,
    block: usize,
    curves: &[Curve],
) -> Vec<Log> {
    let finished = || {
        let cells = dataset.cells(block);
        cells.flat_map(|(_, cell)| cell.runs.iter().filter(|run| run.finished()))
    };
    let models: BTreeSet<&str> = finished().map(|run| run.record.model.id.as_str()).collect();
    let batch = finished().filter_map(batch_size).min();
    let ours = || curves.iter().flat_map(|curve| curve.test.iter().chain(&curve.validation));
    let last = ours().map(|point| point.x).fold(0.0, f64::max);
    let published = references.curves(&dataset.id, dataset.simulated());
    let of_panel = published.into_iter().filter(|curve| models.contains(curve.model.as_str()));
    let placed = of_panel.map(|curve| {
        let scale = batch.map_or(1.0, |batch| curve.batch_size as f64 / batch as f64);
        let points = curve.points.iter().map(|&(step, gauc)| (step as f64 * scale, gauc));
        Log { color: models::color(&curve.model), points: until(points, last) }
    });
    placed.filter(|log| log.points.len() > 1).collect()
}

fn batch_size(run: &Run) -> Option<u64> {
    run.record.config.pointer("/train/batch_size")?.as_u64().filter(|&size| size > 0)
}

/// The part of a line up to a place, cut there.
fn until(points: impl Iterator<Item = (f64, f64)>, last: f64) -> Vec<(f64, f64)> {
    let mut kept: Vec<(f64, f64)> = Vec::new();
    for to in points {
        if to.0 <= last {
            kept.push(to);
            continue;
        }
        if let Some(&from) = kept.last().filter(|from| from.0 < last) {
            let share = (last - from.0) / (to.0 - from.0);
            kept.push((last, from.1 + share * (to.1 - from.1)));
        }
        break;
    }
    kept
}

/// What the page says of them; none where no panel shows any.
pub(crate) fn note(study: &Study, references: &References) -> Option<String> {
    let shown =
        |dataset: &&DatasetStudy| !references.curves(&dataset.id, dataset.simulated()).is_empty();
    let datasets: Vec<&str> =
        study.datasets.iter().filter(shown).map(|dataset| dataset.id.as_str()).collect();
    (!datasets.is_empty()).then(|| {
        format!(
            "On {}, lines of short dashes are the authors' own training logs (one run a model, test \
             gAUC; for DIN and DIN with Dice the corrected runs of 2020), thinned to some sixty \
             evaluations each. They trained on all rows but the test's, in batches of 32, and are \
             placed by rows seen: beside the smallest of our batches in the picture, at the step where \
             ours had seen as many. They end where ours end.",
            datasets.join(" and ")
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_cut_at_the_last_step() {
        let line = [(1.0, 0.5), (2.0, 0.6), (4.0, 0.8), (8.0, 0.7)];
        assert_eq!(until(line.into_iter(), 3.0), [(1.0, 0.5), (2.0, 0.6), (3.0, 0.7)]);
        assert_eq!(until(line.into_iter(), 2.0), line[..2]);
        assert_eq!(until(line.into_iter(), 9.0), line);
        assert!(until(line.into_iter(), 0.5).is_empty());
    }
}
