//! Points with intervals, one row each: what changes by how much, and how sure that is. Data for a picture,
//! whatever it is about.

use crate::models::Color;

/// A picture of rows in groups over one axis.
#[derive(Clone, Debug, Default)]
pub(crate) struct Intervals {
    pub title: String,
    /// What the axis shows, with its unit.
    pub axis: String,
    /// What values of a row belong to, such as datasets: each has a color, a mark and a line in the legend.
    pub series: Vec<Series>,
    pub groups: Vec<Group>,
    /// Where there is no difference; drawn as an upright line, and always on the axis.
    pub reference: Option<f64>,
    /// A shaded range of values, such as what seeds alone make, and what the legend says of it.
    pub band: Option<((f64, f64), &'static str)>,
    /// What the bar of a value means, such as a 95 % interval; for the legend.
    pub interval: &'static str,
}

/// What some values belong to.
#[derive(Clone, Debug)]
pub(crate) struct Series {
    pub title: String,
    pub color: Color,
    /// Number of the mark; see [`crate::marks`].
    pub mark: usize,
}

/// Rows under one heading, which may be empty.
#[derive(Clone, Debug, Default)]
pub(crate) struct Group {
    pub heading: String,
    pub rows: Vec<IntervalRow>,
}

/// One line of the picture.
#[derive(Clone, Debug, Default)]
pub(crate) struct IntervalRow {
    pub label: String,
    pub values: Vec<Interval>,
}

/// A value with what it could as well be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Interval {
    /// Place in [`Intervals::series`].
    pub series: usize,
    pub value: f64,
    /// None where there is no interval, as for a single seed: the point stands alone.
    pub interval: Option<(f64, f64)>,
}

impl Interval {
    /// The value is a number; without one there is nothing to draw.
    pub(crate) fn is_drawn(&self) -> bool {
        self.value.is_finite()
    }

    /// The interval in order, if both ends are numbers.
    pub(crate) fn ends(&self) -> Option<(f64, f64)> {
        let (low, high) = self.interval?;
        (low.is_finite() && high.is_finite()).then(|| (low.min(high), low.max(high)))
    }
}

impl Intervals {
    fn values(&self) -> impl Iterator<Item = &Interval> {
        self.groups.iter().flat_map(|group| &group.rows).flat_map(|row| &row.values)
    }

    /// The ends of the axis: all values and intervals and the reference, with room at both sides. The band
    /// does not widen it, for it may be far wider than what it is compared with.
    pub(crate) fn range(&self) -> (f64, f64) {
        let drawn = self.values().filter(|value| value.is_drawn());
        let ends = drawn.flat_map(|value| {
            let (low, high) = value.ends().unwrap_or((value.value, value.value));
            [low, high, value.value]
        });
        let all = ends.chain(self.reference.filter(|value| value.is_finite()));
        let (low, high) = all.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
            (low.min(value), high.max(value))
        });
        if low > high {
            return (0.0, 1.0);
        }
        // A single value still needs an axis of some length, of its own order of size.
        let alone = (low.abs() * 0.01).max(0.001);
        let room = if high > low { (high - low) * 0.06 } else { alone };
        (low - room, high + room)
    }
}

/// Decimals that tell the numbers of an axis of this length apart.
pub(crate) fn digits(length: f64) -> usize {
    // The mesh puts some six numbers on the axis.
    let step = length / 6.0;
    if step.is_finite() && step > 0.0 { (-step.log10()).ceil().clamp(0.0, 9.0) as usize } else { 0 }
}

/// A number of the axis; what rounds to zero has no sign.
pub(crate) fn tidy(value: f64, digits: usize) -> String {
    let text = format!("{value:.digits$}");
    match text.strip_prefix('-') {
        Some(rest) if rest.chars().all(|c| matches!(c, '0' | '.')) => rest.into(),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_the_axis_have_the_digits_they_need() {
        assert_eq!((digits(0.03), digits(6.0), digits(900.0), digits(f64::NAN)), (3, 0, 0, 0));
        assert_eq!(tidy(-0.000_01, 3), "0.000");
        assert_eq!(tidy(-0.002, 3), "-0.002");
    }
}
