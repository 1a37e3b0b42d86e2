//! Figure 4 as a picture: panels above one another over the same epochs.

use crate::curves::{Point, line, within};
use crate::figure4::{PANELS, Regularization, RegularizerLine, range, with_ceiling};
use crate::hover::{self, PlotLine};
use crate::legend::{self, Entry, Sample};
use crate::marks::draw_mark;
use crate::picture::{self, Canvas, Drawing, Painted, SCALE};
use crate::plot::{TEXT, TITLE, fit, font, px, rgb};
use crate::{Result, format};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

/// Size of one panel in final pixels.
const PANEL: (u32, u32) = (1000, 380);
/// Height of the title above the panels.
const HEADING: u32 = 50;
/// More marks than this on a line hide it.
const MARKS: usize = 9;
/// More epochs than this have no line each.
const EPOCH_LINES: f64 = 40.0;

const KEY: [(Sample, &str); 3] = [
    (Sample::Line, "mean over seeds"),
    (Sample::Band, "smallest to largest seed"),
    (Sample::Upright, "end of an epoch"),
];

impl Regularization {
    /// Width and height in final pixels.
    pub(crate) fn size(&self) -> (u32, u32) {
        let legend = legend::height(&self.entries(), PANEL.0, &KEY);
        (PANEL.0, HEADING + PANEL.1 * PANELS.len() as u32 + legend)
    }

    fn entries(&self) -> Vec<Entry> {
        let entry = |line: &RegularizerLine| Entry {
            title: line.title.clone(),
            color: color(line),
            mark: line.mark,
            dashed: !line.in_paper,
        };
        self.lines.iter().map(entry).collect()
    }

    /// The picture.
    pub(crate) fn draw(&self, name: &str) -> Result<Drawing> {
        let (width, height) = self.size();
        picture::draw(name, (width, height), |canvas| {
            let (heading, rest) = canvas.split_vertically(px(HEADING));
            let style = font(TITLE).pos(Pos::new(HPos::Center, VPos::Center));
            let title = fit(&self.title, (PANEL.0 - 40) * SCALE, &heading, &style);
            heading.draw(&Text::new(title, (px(PANEL.0) / 2, px(HEADING) / 2), style))?;
            let (upper, lower) = rest.split_vertically(px(PANEL.1) * PANELS.len() as i32);
            let mut plots = Vec::new();
            for (index, area) in upper.split_evenly((PANELS.len(), 1)).iter().enumerate() {
                plots.extend(self.draw_panel(index, area, canvas.dim_in_pixel())?);
            }
            legend::draw(&lower, &self.entries(), width, &KEY)?;
            Ok(plots)
        })
    }

    /// Epochs of the longest line in any panel.
    fn epochs(&self) -> f64 {
        let points = self.lines.iter().flat_map(|line| line.panels.iter().flatten());
        let last = points.map(|point| point.x).fold(0.0, f64::max);
        if last > 0.0 { last } else { 1.0 }
    }

    fn draw_panel(&self, index: usize, area: &Canvas, picture: (u32, u32)) -> Painted {
        let kind = &PANELS[index];
        let epochs = self.epochs();
        let last = index + 1 == PANELS.len();
        let of_lines = range(&self.lines, index);
        let (mut low, mut high) = of_lines.unwrap_or((0.0, 1.0));
        let mut title = kind.title.to_string();
        let mut ceiling = None;
        if let Some(value) = self.ceiling.filter(|_| last) {
            match with_ceiling((low, high), value) {
                Some(wider) => {
                    (low, high) = wider;
                    ceiling = Some(value);
                    title += &format!(" (ceiling {}, gray dashes)", format::gauc(value));
                }
                None => {
                    title += &format!(" (ceiling {}, outside of the picture)", format::gauc(value));
                }
            }
        }
        let mut chart = ChartBuilder::on(area)
            .caption(title, font(TEXT + 2))
            .margin(px(8))
            .margin_right(px(26))
            .x_label_area_size(px(if last { 56 } else { 30 }))
            .y_label_area_size(px(80))
            .build_cartesian_2d(0.0..epochs * 1.02, low..high)?;
        let digits = if high - low < 0.05 { 4 } else { 3 };
        chart
            .configure_mesh()
            .x_desc(if last { "epochs" } else { "" })
            .x_labels((epochs.floor() as usize + 1).clamp(5, 13))
            .y_labels(6)
            .x_label_formatter(&|epoch| format!("{}", format::rounded(*epoch, 2)))
            .y_label_formatter(&|value| format!("{value:.digits$}"))
            .label_style(font(TEXT))
            .axis_desc_style(font(TEXT))
            .disable_x_mesh()
            .bold_line_style(RGBColor(225, 225, 225).stroke_width(SCALE))
            .light_line_style(TRANSPARENT)
            .axis_style(RGBColor(90, 90, 90).stroke_width(SCALE))
            .draw()?;
        if of_lines.is_none() {
            let (wide, tall) = area.dim_in_pixel();
            let style = font(TEXT).pos(Pos::new(HPos::Center, VPos::Center));
            area.draw(&Text::new("not recorded", (wide as i32 / 2, tall as i32 / 2), style))?;
            return Ok(Vec::new());
        }
        if epochs <= EPOCH_LINES {
            let upright = RGBColor(175, 175, 175).stroke_width(SCALE);
            for epoch in 1..=(epochs + 1e-9).floor() as u32 {
                let x = f64::from(epoch);
                chart.draw_series([PathElement::new([(x, low), (x, high)], upright)])?;
            }
        }
        if let Some(value) = ceiling {
            let across = [(0.0, value), (epochs * 1.02, value)];
            let style = RGBColor(90, 90, 90).stroke_width(SCALE + 1);
            chart.draw_series(DashedLineSeries::new(across, px(9), px(7), style))?;
        }
        let panels = || self.lines.iter().filter_map(|line| Some((line, line.panels.get(index)?)));
        // Bands first, so that no line is hidden behind the band of another.
        for (line, points) in panels().filter(|(_, points)| points.iter().any(|p| p.high > p.low)) {
            let outline = band(points, low, high);
            chart.draw_series([Polygon::new(outline, color(line).mix(0.13).filled())])?;
        }
        for (of, points) in panels() {
            let thick = color(of).stroke_width(2 * SCALE + 1);
            for part in within(&line(points), low, high) {
                if of.in_paper {
                    chart.draw_series(LineSeries::new(part, thick))?;
                } else {
                    chart.draw_series(DashedLineSeries::new(part, px(8), px(5), thick))?;
                }
            }
        }
        // Marks last, on top of all lines; by pixel, so that the legend can draw the same ones.
        let plane = chart.plotting_area();
        let canvas = plane.strip_coord_spec();
        let base = canvas.get_base_pixel();
        for (of, points) in panels() {
            for point in marked(points, of.mark) {
                if (low..=high).contains(&point.mean) {
                    let (x, y) = plane.map_coordinate(&(point.x, point.mean));
                    draw_mark(&canvas, of.mark, color(of), (x - base.0, y - base.1), px(4))?;
                }
            }
        }
        let lines = panels()
            .map(|(line, points)| PlotLine::new(line.title.clone(), line.color, points))
            .collect();
        Ok(vec![hover::axes(&chart, picture, ("epochs", kind.title.to_string()), lines)])
    }
}

fn color(line: &RegularizerLine) -> RGBColor {
    rgb(line.color)
}

/// Every few points, at other places for other marks, so that lines that lie together show both.
fn marked(points: &[Point], mark: usize) -> impl Iterator<Item = &Point> {
    let every = points.len().div_ceil(MARKS).max(1);
    points.iter().skip(mark % every).step_by(every)
}

/// The outline of the area between smallest and largest value, cut at the picture's edges.
fn band(points: &[Point], low: f64, high: f64) -> Vec<(f64, f64)> {
    let upper = points.iter().map(|point| (point.x, point.high.clamp(low, high)));
    let lower = points.iter().rev().map(|point| (point.x, point.low.clamp(low, high)));
    upper.chain(lower).collect()
}
