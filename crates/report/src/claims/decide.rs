//! From the runs of a slice to a verdict.

use super::definition::{Claim, Kind, Selector, Test};
use crate::curve_values::{after_one_epoch, fall, fall_after_one_epoch};
use crate::evidence::{Evidence, paired, values};
use crate::slices::Slice;
use crate::stats::{Effect, Reach};
use crate::study::Cell;
use ctr_metrics::{holm, std_interval_95};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Chance of any false claim in a family that is accepted.
const LEVEL: f64 = 0.05;

/// What our runs say of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    /// The runs support it.
    #[serde(rename = "holds")]
    Holds,
    /// The runs contradict it.
    #[serde(rename = "does not hold")]
    DoesNotHold,
    /// More seeds or users could turn it either way.
    #[serde(rename = "not decided")]
    NotDecided,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Holds => "holds",
            Self::DoesNotHold => "does not hold",
            Self::NotDecided => "not decided",
        })
    }
}

/// A claim decided on one slice.
#[derive(Clone, Debug)]
pub(crate) struct Decision<'c> {
    pub claim: &'c Claim,
    pub measured: Measured,
    /// Corrected for the claims of its family that were decided beside it.
    pub p_holm: Option<f64>,
    pub verdict: Verdict,
    /// The runs behind it.
    pub runs: Vec<String>,
}

/// What was measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Measured {
    /// A difference in gAUC or another value of that unit.
    Gauc(Effect),
    /// RelaImpr in percent.
    Percent(Effect),
    /// A standard deviation over seeds, its 95 % interval, and the number of seeds of the row with fewest.
    Spread { std: f64, interval: (f64, f64), seeds: usize },
}

/// All claims about the slice's kind of data whose runs are there.
pub(crate) fn decide<'c>(
    claims: &'c [Claim],
    slice: &Slice,
    evidence: &Evidence,
) -> Vec<Decision<'c>> {
    let Some(kind) = Kind::of(&slice.dataset.id) else { return Vec::new() };
    let measured: Vec<(&Claim, Measured)> = claims
        .iter()
        .filter(|claim| claim.data.contains(&kind))
        .filter_map(|claim| Some((claim, measure(&claim.test, slice, evidence)?)))
        .collect();
    let p_holm = corrected(&measured);
    let decide = |((claim, measured), p_holm): ((&'c Claim, Measured), Option<f64>)| {
        let rows = claim.test.rows();
        let cells = rows.into_iter().filter_map(|row| slice.find(row));
        let runs = cells.flat_map(|cell| &cell.runs).filter(|run| run.finished());
        let runs = runs.map(|run| run.record.run_id.clone());
        let verdict = verdict(&claim.test, &measured, p_holm);
        Decision { claim, measured, p_holm, verdict, runs: runs.collect() }
    };
    measured.into_iter().zip(p_holm).map(decide).collect()
}

fn measure(test: &Test, slice: &Slice, evidence: &Evidence) -> Option<Measured> {
    let two = |higher: &Selector, lower: &Selector| pair(slice, higher, lower);
    match test {
        Test::Above { higher, lower }
        | Test::NotAbove { higher, lower, .. }
        | Test::Gain { higher, lower, .. } => {
            let (higher, lower) = two(higher, lower)?;
            evidence.difference(higher, lower).map(Measured::Gauc)
        }
        Test::RelaImpr { higher, lower, .. } => {
            let (higher, lower) = two(higher, lower)?;
            let base = lower.gauc()?.mean - 0.5;
            // The base's own spread moves the percentage by a hundredth of itself and is left out.
            let percent = |effect: Effect| Measured::Percent(effect.times(100.0 / base));
            evidence.difference(higher, lower).filter(|_| base > 0.0).map(percent)
        }
        Test::AboveAfterOneEpoch { higher, lower } => {
            let (higher, lower) = two(higher, lower)?;
            Effect::over_seeds(&paired(higher, lower, after_one_epoch)).map(Measured::Gauc)
        }
        Test::Falls { row, beside } => {
            let (row, _) = (slice.find(row)?, slice.find(beside)?);
            Effect::over_seeds(&values(row, fall_after_one_epoch)).map(Measured::Gauc)
        }
        Test::Fall { row, .. } => fallen(slice.find(row)?),
        Test::Spread { rows, .. } => {
            let cells: Vec<&Cell> =
                rows.iter().map(|row| slice.find(row)).collect::<Option<_>>()?;
            spread(&cells)
        }
    }
}

/// The cells of two rows. A changed model is compared with one that was trained like it: validation may have
/// chosen another optimizer for the one that stands unchanged in its preset.
fn pair<'a>(
    slice: &Slice<'a>,
    higher: &Selector,
    lower: &Selector,
) -> Option<(&'a Cell, &'a Cell)> {
    match (higher.changes.is_empty(), lower.changes.is_empty()) {
        (false, true) => {
            let higher = slice.find(higher)?;
            Some((higher, slice.trained_like(&lower.model, higher)?))
        }
        (true, false) => {
            let lower = slice.find(lower)?;
            Some((slice.trained_like(&higher.model, lower)?, lower))
        }
        _ => Some((slice.find(higher)?, slice.find(lower)?)),
    }
}

/// How far test gAUC falls from its peak.
fn fallen(cell: &Cell) -> Option<Measured> {
    let values: Vec<f64> = values(cell, fall).into_iter().map(|fall| -fall).collect();
    Effect::over_seeds(&values).map(Measured::Gauc)
}

/// Standard deviation over seeds, pooled over rows.
fn spread(cells: &[&Cell]) -> Option<Measured> {
    // One seed has no spread, and a row without a result is not left out in silence.
    let several = |cell: &&Cell| cell.gauc().filter(|summary| summary.n > 1);
    let summaries: Vec<_> = cells.iter().map(several).collect::<Option<_>>()?;
    let degrees: usize = summaries.iter().map(|summary| summary.n - 1).sum();
    let part = |summary: &crate::stats::Summary| {
        summary.std.map_or(0.0, |std| (summary.n - 1) as f64 * std * std)
    };
    let squares: f64 = summaries.iter().map(part).sum();
    let std = (degrees > 0).then(|| (squares / degrees as f64).sqrt())?;
    let interval = std_interval_95(std, degrees + 1)?;
    let seeds = summaries.iter().map(|summary| summary.n).min()?;
    Some(Measured::Spread { std, interval, seeds })
}

/// Holm's correction within each family, of the claims that an order decides.
fn corrected(measured: &[(&Claim, Measured)]) -> Vec<Option<f64>> {
    let mut corrected = vec![None; measured.len()];
    let p_of = |(claim, measured): &(&Claim, Measured)| match (&claim.test, measured) {
        (Test::Above { .. } | Test::AboveAfterOneEpoch { .. }, Measured::Gauc(effect)) => effect.p,
        _ => None,
    };
    for (first, (claim, _)) in measured.iter().enumerate() {
        let family: Vec<usize> = (0..measured.len())
            .filter(|&index| measured[index].0.family == claim.family)
            .filter(|&index| p_of(&measured[index]).is_some())
            .collect();
        // Each family once, at its first claim.
        if family.first() != Some(&first) {
            continue;
        }
        let p_values: Vec<f64> =
            family.iter().filter_map(|&index| p_of(&measured[index])).collect();
        for (index, p) in family.into_iter().zip(holm(&p_values)) {
            corrected[index] = Some(p);
        }
    }
    corrected
}

fn verdict(test: &Test, measured: &Measured, p_holm: Option<f64>) -> Verdict {
    let of = |holds: bool, fails: bool| match (holds, fails) {
        (true, false) => Verdict::Holds,
        (false, true) => Verdict::DoesNotHold,
        _ => Verdict::NotDecided,
    };
    let (low, high) = match measured {
        Measured::Spread { interval, .. } => *interval,
        Measured::Gauc(effect) | Measured::Percent(effect) => match effect.interval {
            // One seed: another one could say anything.
            Some(interval) if effect.n > 1 => interval,
            _ => return Verdict::NotDecided,
        },
    };
    let sure = p_holm.is_some_and(|p| p < LEVEL);
    let size = |wanted: f64, within: f64| {
        let inside = (low..=high).contains(&wanted);
        of(inside && low >= wanted - within && high <= wanted + within, !inside)
    };
    match test {
        Test::Above { .. } | Test::AboveAfterOneEpoch { .. } => {
            of(low > 0.0 && sure, high < 0.0 && sure)
        }
        Test::NotAbove { margin, .. } => of(high < *margin, low > *margin),
        Test::RelaImpr { percent, within, .. } => size(*percent, *within),
        Test::Gain { by, within, .. } => size(*by, *within),
        Test::Falls { .. } => of(low > 0.0, high < 0.0),
        Test::Fall { within, .. } => of(high < *within, low > *within),
        Test::Spread { below, .. } => of(high < *below, low > *below),
    }
}

impl Measured {
    /// The seeds or pairs behind it.
    pub(crate) fn n(&self) -> usize {
        match self {
            Self::Gauc(effect) | Self::Percent(effect) => effect.n,
            Self::Spread { seeds, .. } => *seeds,
        }
    }

    /// Its value and interval.
    pub(crate) fn values(&self) -> (f64, Option<(f64, f64)>) {
        match self {
            Self::Gauc(effect) | Self::Percent(effect) => (effect.mean, effect.interval),
            Self::Spread { std, interval, .. } => (*std, Some(*interval)),
        }
    }

    /// Users behind it, where it speaks of users.
    pub(crate) fn users(&self) -> Option<usize> {
        match self {
            Self::Gauc(Effect { reach: Reach::UsersAndSeeds { users }, .. })
            | Self::Percent(Effect { reach: Reach::UsersAndSeeds { users }, .. }) => Some(*users),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn effect(mean: f64, low: f64, high: f64, n: usize) -> Measured {
        let reach = Reach::Seeds;
        Measured::Gauc(Effect { mean, interval: Some((low, high)), p: Some(0.01), n, reach })
    }

    fn selector() -> Selector {
        Selector { model: "din".into(), ..Selector::default() }
    }

    #[test]
    fn an_order_needs_interval_and_p_and_two_seeds() {
        let test = Test::Above { higher: selector(), lower: selector() };
        let of = |measured, p| verdict(&test, &measured, Some(p));
        assert_eq!(of(effect(0.1, 0.05, 0.15, 3), 0.01), Verdict::Holds);
        assert_eq!(of(effect(0.1, 0.05, 0.15, 3), 0.06), Verdict::NotDecided);
        assert_eq!(of(effect(0.1, 0.05, 0.15, 1), 0.01), Verdict::NotDecided);
        assert_eq!(of(effect(0.1, -0.01, 0.15, 3), 0.01), Verdict::NotDecided);
        assert_eq!(of(effect(-0.1, -0.2, -0.05, 3), 0.01), Verdict::DoesNotHold);
        assert_eq!(verdict(&test, &effect(0.1, 0.05, 0.15, 3), None), Verdict::NotDecided);
    }

    #[test]
    fn a_size_must_lie_inside_an_interval_that_says_something() {
        let test = Test::Gain { higher: selector(), lower: selector(), by: 0.006, within: 0.003 };
        let of = |low, high| verdict(&test, &effect(0.0, low, high, 5), None);
        assert_eq!(of(0.004, 0.008), Verdict::Holds);
        // A wide interval confirms nothing.
        assert_eq!(of(0.002, 0.008), Verdict::NotDecided);
        assert_eq!(of(-0.002, 0.008), Verdict::NotDecided);
        assert_eq!(of(0.007, 0.009), Verdict::DoesNotHold);
        assert_eq!(of(-0.003, 0.001), Verdict::DoesNotHold);
    }

    #[test]
    fn bounds_are_decided_by_the_whole_interval() {
        let fall = Test::Fall { row: selector(), within: 0.01 };
        let of = |test: &Test, low, high| verdict(test, &effect(0.0, low, high, 3), None);
        assert_eq!(of(&fall, 0.001, 0.005), Verdict::Holds);
        assert_eq!(of(&fall, 0.02, 0.05), Verdict::DoesNotHold);
        assert_eq!(of(&fall, 0.005, 0.05), Verdict::NotDecided);
        let not_above = Test::NotAbove { higher: selector(), lower: selector(), margin: 0.001 };
        assert_eq!(of(&not_above, -0.002, 0.0005), Verdict::Holds);
        assert_eq!(of(&not_above, 0.0002, 0.0008), Verdict::Holds);
        assert_eq!(of(&not_above, 0.0012, 0.002), Verdict::DoesNotHold);
        assert_eq!(of(&not_above, 0.0002, 0.002), Verdict::NotDecided);
        let spread = Test::Spread { rows: vec![selector()], below: 0.0002 };
        let std = |interval| Measured::Spread { std: 0.0, interval, seeds: 5 };
        assert_eq!(verdict(&spread, &std((0.0004, 0.002)), None), Verdict::DoesNotHold);
        assert_eq!(verdict(&spread, &std((0.0001, 0.00019)), None), Verdict::Holds);
    }
}
