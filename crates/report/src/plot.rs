//! Pictures of learning curves.

use crate::curves::{Curve, Point, line, within};
use crate::hover::{self, PlotLine};
use crate::legend::{self, Sample};
use crate::marks::draw_mark;
use crate::models;
use crate::overlay::Log;
use crate::picture::{self, Canvas, Drawing, FONT, Painted, SCALE};
use crate::{Result, format};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

/// Size of one panel in final pixels.
const PANEL: (u32, u32) = (1000, 560);
/// Font sizes in final pixels.
pub(crate) const TITLE: u32 = 24;
pub(crate) const TEXT: u32 = 19;

/// What drawing returns.
pub(crate) type Drawn = std::result::Result<(), Box<dyn std::error::Error>>;

/// One pair of axes.
#[derive(Clone)]
pub(crate) struct Panel {
    /// Dataset, protocol and whether the data is simulated.
    pub title: String,
    pub curves: Vec<Curve>,
    /// Published curves behind them.
    pub logs: Vec<Log>,
    /// Show only what lies above this value.
    pub floor: Option<f64>,
}

/// Panels with `across` of them beside one another.
pub(crate) struct Figure {
    pub panels: Vec<Panel>,
    pub across: usize,
}

impl Figure {
    /// Panels beside one another, and rows of them; at least one, as an empty picture has a size too.
    fn grid(&self) -> (usize, usize) {
        let across = self.panels.len().clamp(1, self.across.max(1));
        (across, self.panels.len().div_ceil(across).max(1))
    }

    /// Width and height in final pixels.
    pub(crate) fn size(&self) -> (u32, u32) {
        let (across, down) = self.grid();
        let width = PANEL.0 * across as u32;
        (width, PANEL.1 * down as u32 + legend::height(&self.entries(), width, &self.key()))
    }

    /// The curves' names for the legend.
    fn entries(&self) -> Vec<legend::Entry> {
        let curves = self.panels.iter().flat_map(|panel| &panel.curves);
        let entry = |curve: &Curve| legend::Entry {
            title: curve.title.clone(),
            color: color(curve),
            mark: curve.variant,
            dashed: false,
        };
        curves.map(entry).collect()
    }

    /// What kinds of lines and marks mean, of those that are drawn.
    fn key(&self) -> Vec<(Sample, &'static str)> {
        let mut key = legend::LEARNING_CURVES.to_vec();
        if self.panels.iter().any(|panel| !panel.logs.is_empty()) {
            key.push((Sample::ShortDashes, "authors' log"));
        }
        key
    }

    /// The picture, with one legend below all panels.
    pub(crate) fn draw(&self, name: &str) -> Result<Drawing> {
        let ((width, height), (across, down)) = (self.size(), self.grid());
        picture::draw(name, (width, height), |canvas| {
            let (upper, lower) = canvas.split_vertically(px(PANEL.1) * down as i32);
            let mut plots = Vec::new();
            for (panel, area) in self.panels.iter().zip(&upper.split_evenly((down, across))) {
                plots.extend(draw_panel(panel, area, canvas.dim_in_pixel())?);
            }
            legend::draw(&lower, &self.entries(), width, &self.key())?;
            Ok(plots)
        })
    }
}

/// Final pixels on the larger canvas.
pub(crate) fn px(size: u32) -> i32 {
    (size * SCALE) as i32
}

/// Black text of a size in final pixels.
pub(crate) fn font(size: u32) -> TextStyle<'static> {
    (FONT, f64::from(size * SCALE)).into_font().color(&BLACK)
}

fn draw_panel(panel: &Panel, area: &Canvas, picture: (u32, u32)) -> Painted {
    let (xs, mut ys) = ranges(&panel.curves, &panel.logs);
    let floor = panel.floor.unwrap_or(f64::NEG_INFINITY);
    ys.0 = ys.0.max(floor);
    let style = font(TITLE);
    let title = fit(&panel.title, area.dim_in_pixel().0 - 80 * SCALE, area, &style);
    let mut chart = ChartBuilder::on(area)
        .caption(title, style)
        .margin(px(14))
        .margin_right(px(26))
        .x_label_area_size(px(58))
        .y_label_area_size(px(94))
        .build_cartesian_2d(xs.0..xs.1, ys.0..ys.1)?;
    let digits = if ys.1 - ys.0 < 0.05 { 3 } else { 2 };
    chart
        .configure_mesh()
        .x_desc("training steps")
        .y_desc("gAUC")
        .x_labels(7)
        .y_labels(8)
        .x_label_formatter(&|step| format::count(step.round().max(0.0) as u64))
        .y_label_formatter(&|value| format!("{value:.digits$}"))
        .label_style(font(TEXT))
        .axis_desc_style(font(TEXT))
        .bold_line_style(RGBColor(215, 215, 215).stroke_width(SCALE))
        .light_line_style(TRANSPARENT)
        .axis_style(RGBColor(90, 90, 90).stroke_width(SCALE))
        .draw()?;
    if panel.curves.is_empty() {
        let (wide, high) = area.dim_in_pixel();
        let style = font(TEXT).pos(Pos::new(HPos::Center, VPos::Center));
        area.draw(&Text::new("no finished run", (wide as i32 / 2, high as i32 / 2), style))?;
    }
    // Bands first, so that no line is hidden behind the band of another.
    for curve in &panel.curves {
        if curve.test.iter().any(|point| point.high > point.low && point.high > floor) {
            let band = band(&curve.test, floor);
            chart.draw_series([Polygon::new(band, color(curve).mix(0.14).filled())])?;
        }
    }
    for log in &panel.logs {
        let (red, green, blue) = log.color;
        let thin = RGBColor(red, green, blue).stroke_width(SCALE + 1);
        for part in within(&log.points, ys.0, f64::INFINITY) {
            chart.draw_series(DashedLineSeries::new(part, px(3), px(3), thin))?;
        }
    }
    for curve in &panel.curves {
        let thin = color(curve).stroke_width(SCALE + 1);
        for part in within(&line(&curve.validation), floor, f64::INFINITY) {
            chart.draw_series(DashedLineSeries::new(part, px(7), px(6), thin))?;
        }
        let thick = color(curve).stroke_width(2 * SCALE + 1);
        for part in within(&line(&curve.test), floor, f64::INFINITY) {
            chart.draw_series(LineSeries::new(part, thick))?;
        }
    }
    // Marks last, on top of all lines; by pixel, so that the legend can draw the same ones.
    let plane = chart.plotting_area();
    let canvas = plane.strip_coord_spec();
    let base = canvas.get_base_pixel();
    let pixel = |place: (f64, f64)| {
        let (x, y) = plane.map_coordinate(&place);
        (x - base.0, y - base.1)
    };
    for curve in &panel.curves {
        for point in curve.test.iter().filter(|point| point.mean >= floor) {
            draw_mark(&canvas, curve.variant, color(curve), pixel((point.x, point.mean)), px(3))?;
        }
    }
    for curve in &panel.curves {
        for &place in curve.chosen.iter().filter(|place| place.1 >= floor) {
            let ring = color(curve).stroke_width(2 * SCALE);
            canvas.draw(&Circle::new(pixel(place), px(5), WHITE.filled()))?;
            canvas.draw(&Circle::new(pixel(place), px(5), ring))?;
        }
    }
    let titles = ("training steps", "gAUC".to_string());
    Ok(vec![hover::axes(&chart, picture, titles, lines(&panel.curves))])
}

/// What the page's pointer tells: the test values, for those of validation lie close to them.
fn lines(curves: &[Curve]) -> Vec<PlotLine> {
    let line = |curve: &Curve| PlotLine::new(curve.title.clone(), curve.color, &curve.test);
    curves.iter().map(line).collect()
}

fn color(curve: &Curve) -> RGBColor {
    rgb(curve.color)
}

/// A color of the models as plotters has it.
pub(crate) fn rgb((red, green, blue): models::Color) -> RGBColor {
    RGBColor(red, green, blue)
}

/// The outline of the area between smallest and largest value, cut at the floor.
fn band(points: &[Point], floor: f64) -> Vec<(f64, f64)> {
    let upper = points.iter().map(|point| (point.x, point.high.max(floor)));
    let lower = points.iter().rev().map(|point| (point.x, point.low.max(floor)));
    upper.chain(lower).collect()
}

/// Ranges of the axes: all points with a little room, and something sensible without points.
fn ranges(curves: &[Curve], logs: &[Log]) -> ((f64, f64), (f64, f64)) {
    let points = || curves.iter().flat_map(|curve| curve.test.iter().chain(&curve.validation));
    let chosen =
        || curves.iter().flat_map(|curve| &curve.chosen).map(|&(step, value)| (step, value));
    let steps = points().map(|point| point.x).chain(chosen().map(|place| place.0));
    // The logs were cut at our last step. Their first evaluations lie far below and are left outside.
    let of_logs = logs.iter().filter_map(|log| log.points.iter().map(|p| p.1).reduce(f64::max));
    let values = points()
        .flat_map(|point| [point.low, point.high])
        .chain(chosen().map(|place| place.1))
        .chain(of_logs);
    let padded = |range: (f64, f64), share: f64, least: f64| {
        let room = ((range.1 - range.0) * share).max(least);
        (range.0 - room, range.1 + room)
    };
    let ends = |values: &mut dyn Iterator<Item = f64>| {
        values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
            (low.min(value), high.max(value))
        })
    };
    let (xs, ys) = (ends(&mut steps.into_iter()), ends(&mut values.into_iter()));
    if xs.0 > xs.1 || ys.0 > ys.1 {
        return ((0.0, 1.0), (0.5, 1.0));
    }
    (padded(xs, 0.02, 0.5), padded(ys, 0.06, 0.002))
}

/// The text, or as much of its beginning as fits into `width` pixels.
pub(crate) fn fit(text: &str, width: u32, area: &Canvas, style: &TextStyle) -> String {
    let fits = |text: &str| area.estimate_text_size(text, style).is_ok_and(|size| size.0 <= width);
    let mut kept: Vec<char> = text.chars().collect();
    let mut shown = text.to_string();
    while !fits(&shown) && kept.pop().is_some() {
        shown = kept.iter().collect::<String>() + "…";
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn panel(floor: Option<f64>) -> Panel {
        let point = |x, mean| Point { x, mean, low: mean - 0.01, high: mean + 0.01 };
        let curve = Curve {
            title: "DIN".into(),
            color: (213, 94, 0),
            variant: 0,
            test: vec![point(0.0, 0.5), point(100.0, 0.8)],
            validation: vec![],
            chosen: vec![(100.0, 0.8)],
        };
        Panel { title: "<script>".into(), curves: vec![curve], logs: vec![], floor }
    }

    fn decoded(file: &[u8]) -> ((u32, u32), Vec<u8>) {
        let mut reader = png::Decoder::new(std::io::Cursor::new(file)).read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut pixels).unwrap();
        ((info.width, info.height), pixels)
    }

    #[test]
    fn the_picture_has_its_size_and_shows_the_color() {
        for count in [1, 3] {
            let panels = (0..count).map(|_| panel(None)).collect();
            let figure = Figure { panels, across: 2 };
            let file = figure.draw("test").unwrap().png;
            let (size, pixels) = decoded(&file);
            assert_eq!(size, figure.size());
            let of_the_curve = pixels.chunks(3).filter(|pixel| pixel == &[213, 94, 0]).count();
            assert!(of_the_curve > 500 * count, "{of_the_curve}");
            assert_eq!(file, figure.draw("test").unwrap().png);
        }
    }

    #[test]
    fn nothing_is_drawn_below_the_floor() {
        let figure = Figure { panels: vec![panel(Some(0.7))], across: 1 };
        let ((width, _), pixels) = decoded(&figure.draw("test").unwrap().png);
        // The label area under the axis, above the legend, has no pixel of the curve's color.
        let (from, to) = ((PANEL.1 - 60) * width * 3, PANEL.1 * width * 3);
        let below = &pixels[from as usize..to as usize];
        assert!(!below.chunks(3).any(|pixel| pixel == [213, 94, 0]));
    }

    #[test]
    fn nothing_to_draw_is_drawn() {
        let empty = Panel { title: String::new(), curves: vec![], logs: vec![], floor: None };
        assert!(Figure { panels: vec![empty], across: 1 }.draw("empty").is_ok());
    }

    #[test]
    fn axes_hold_all_points() {
        let ((left, right), (low, high)) = ranges(&panel(None).curves, &[]);
        assert!(left < 0.0 && right > 100.0 && low < 0.49 && high > 0.81);
        assert_eq!(ranges(&[], &[]), ((0.0, 1.0), (0.5, 1.0)));
    }
}
