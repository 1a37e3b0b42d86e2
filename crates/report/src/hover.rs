//! Where axes lie in a picture and what they show, so that the page can name the values below a pointer.

use crate::curves::Point;
use crate::format;
use crate::models::{self, Color};
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::{Cartesian2d, ChartContext, SVGBackend};
use serde::Serialize;

/// One pair of axes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Plot {
    /// Left, top, right and bottom edge of the area between the axes, as shares of the picture.
    pub place: [f64; 4],
    /// Values at the left and the right edge.
    pub x: [f64; 2],
    /// Values at the bottom and the top edge.
    pub y: [f64; 2],
    pub x_title: &'static str,
    pub y_title: String,
    pub lines: Vec<PlotLine>,
}

/// A line between the axes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct PlotLine {
    pub title: String,
    /// As CSS.
    pub color: String,
    /// Places and values, each with the smallest and largest over seeds: x, mean, low, high.
    pub points: Vec<[f64; 4]>,
}

impl PlotLine {
    /// A line of means.
    pub(crate) fn new(title: String, color: Color, points: &[Point]) -> Self {
        // Five decimals are one more than a table has.
        let short = |value: f64| format::rounded(value, 5);
        let points = points
            .iter()
            .map(|point| [short(point.x), short(point.mean), short(point.low), short(point.high)]);
        Self { title, color: models::css(color), points: points.collect() }
    }
}

/// The axes of a chart that was drawn on a picture of `size` canvas pixels.
pub(crate) fn axes(
    chart: &ChartContext<'_, SVGBackend<'_>, Cartesian2d<RangedCoordf64, RangedCoordf64>>,
    picture: (u32, u32),
    titles: (&'static str, String),
    lines: Vec<PlotLine>,
) -> Plot {
    let area = chart.plotting_area();
    let (across, down) = area.get_pixel_range();
    let share = |pixel: i32, all: u32| format::rounded(f64::from(pixel) / f64::from(all.max(1)), 5);
    let (xs, ys) = (area.get_x_range(), area.get_y_range());
    Plot {
        place: [
            share(across.start, picture.0),
            share(down.start, picture.1),
            share(across.end, picture.0),
            share(down.end, picture.1),
        ],
        x: [xs.start, xs.end],
        y: [ys.start, ys.end],
        x_title: titles.0,
        y_title: titles.1,
        lines,
    }
}
