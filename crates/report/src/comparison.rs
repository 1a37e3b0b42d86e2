//! RelaImpr of a cell over the BaseModel of the same rows.

use crate::models;
use crate::stats::Summary;
use crate::study::{Cell, DatasetStudy};
use crate::variants;
use ctr_metrics::rela_impr;

/// A relative improvement and how it was formed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Comparison {
    /// RelaImpr of the mean over the mean of the base, in percent.
    pub percent: f64,
    /// Standard deviation of RelaImpr over pairs of runs with one seed, and the number of pairs;
    /// absent below two pairs.
    pub paired: Option<(f64, usize)>,
    /// Configuration keys outside the model in which the two were trained differently.
    pub unlike: Vec<String>,
}

/// The cell against the block's BaseModel. Where BaseModel has several configurations, the one trained
/// most like the cell (fewest different keys) is the base; none if two are equally near, for then
/// either choice would be arbitrary.
pub(crate) fn compare(study: &DatasetStudy, block: usize, cell: &Cell) -> Option<Comparison> {
    let is_base = cell.runs.first()?.record.model.id == models::BASE;
    let mut bases: Vec<(Vec<String>, &Cell)> = study
        .cells(block)
        .filter(|(row, base)| row.model == models::BASE && base.gauc().is_some())
        .map(|(_, base)| (variants::training_differences(cell.config(), base.config()), base))
        .collect();
    bases.sort_by_key(|(unlike, _)| unlike.len());
    if bases.len() > 1 && !is_base && bases[0].0.len() == bases[1].0.len() {
        return None;
    }
    // A BaseModel is nearest to itself and has 0 % there; that is the row that reads as the base.
    let (unlike, base) = bases.into_iter().next()?;
    let mut comparison = over(cell, base)?;
    if is_base {
        comparison.paired = None;
    }
    Some(Comparison { unlike, ..comparison })
}

/// The cell against a base that its table names; over itself it is 0 % without a deviation.
pub(crate) fn over(cell: &Cell, base: &Cell) -> Option<Comparison> {
    let percent = rela_impr(cell.gauc()?.mean, base.gauc()?.mean).ok()?;
    let bases = base.by_seed();
    let pairs: Vec<f64> = cell
        .by_seed()
        .into_iter()
        .filter_map(|(seed, value)| {
            let (_, base) = bases.iter().find(|(other, _)| *other == seed)?;
            rela_impr(value, *base).ok()
        })
        .collect();
    let paired = (!std::ptr::eq(cell, base))
        .then(|| Summary::of(&pairs))
        .flatten()
        .and_then(|summary| Some((summary.std?, summary.n)));
    let unlike = variants::training_differences(cell.config(), base.config());
    Some(Comparison { percent, paired, unlike })
}
