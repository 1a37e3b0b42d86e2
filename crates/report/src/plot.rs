//! Pictures of learning curves.

use crate::curves::{Curve, Point};
use crate::picture::{self, Canvas, FONT, SCALE};
use crate::{Result, format};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

/// Size of one panel in final pixels.
pub(crate) const PANEL: (u32, u32) = (1000, 620);
/// Panels beside one another in a picture of several.
const ACROSS: usize = 2;
/// Height of the line that explains line styles, and of a line of the legend.
const LINE: u32 = 34;
/// Font sizes in final pixels.
const TITLE: u32 = 24;
const TEXT: u32 = 19;

type Drawn = std::result::Result<(), Box<dyn std::error::Error>>;

/// One pair of axes.
pub(crate) struct Panel {
    /// Dataset, protocol and whether the data is simulated.
    pub title: String,
    pub curves: Vec<Curve>,
}

/// Width and height of a picture with these panels.
pub(crate) fn size(panels: &[Panel]) -> (u32, u32) {
    let across = panels.len().clamp(1, ACROSS) as u32;
    let down = panels.len().div_ceil(ACROSS).max(1) as u32;
    let width = PANEL.0 * across;
    (width, PANEL.1 * down + LINE * (1 + legend_lines(panels, width).len() as u32) + 10)
}

/// Draws panels with one legend below them all.
pub(crate) fn learning_curves(name: &str, panels: &[Panel]) -> Result<Vec<u8>> {
    let (width, height) = size(panels);
    picture::png(name, width, height, |canvas| {
        let below = height - PANEL.1 * panels.len().div_ceil(ACROSS).max(1) as u32;
        let (upper, lower) = canvas.split_vertically((height - below) * SCALE);
        let down = panels.len().div_ceil(ACROSS).max(1);
        let areas = upper.split_evenly((down, panels.len().clamp(1, ACROSS)));
        for (panel, area) in panels.iter().zip(&areas) {
            draw_panel(panel, area)?;
        }
        draw_legend(&lower, &legend_lines(panels, width), panels)
    })
}

fn px(size: u32) -> i32 {
    (size * SCALE) as i32
}

fn font(size: u32) -> TextStyle<'static> {
    (FONT, f64::from(size * SCALE)).into_font().color(&BLACK)
}

fn draw_panel(panel: &Panel, area: &Canvas) -> Drawn {
    let (xs, ys) = ranges(&panel.curves);
    let bold = (FONT, f64::from(TITLE * SCALE)).into_font().style(FontStyle::Bold).color(&BLACK);
    let title = fit(&panel.title, area.dim_in_pixel().0 - 80 * SCALE, area, &bold);
    let mut chart = ChartBuilder::on(area)
        .caption(title, bold)
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
        .bold_line_style(RGBColor(205, 205, 205).stroke_width(SCALE))
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
        let band = band(&curve.test);
        if curve.test.iter().any(|point| point.high > point.low) {
            let color = color(curve).mix(0.14);
            chart.draw_series([Polygon::new(band, color.filled())])?;
        }
    }
    for curve in &panel.curves {
        let line = color(curve).stroke_width(2 * SCALE + 1);
        let means = |points: &[Point]| points.iter().map(|p| (p.step, p.mean)).collect::<Vec<_>>();
        let thin = color(curve).stroke_width(SCALE + 1);
        chart.draw_series(DashedLineSeries::new(means(&curve.validation), px(7), px(6), thin))?;
        chart.draw_series(LineSeries::new(means(&curve.test), line))?;
        for place in means(&curve.test) {
            let (size, fill) = (px(3), color(curve).filled());
            match curve.variant % 3 {
                0 => chart.draw_series([Circle::new(place, size, fill)])?,
                1 => chart.draw_series([TriangleMarker::new(place, size * 2, fill)])?,
                _ => chart.draw_series([Cross::new(
                    place,
                    size,
                    color(curve).stroke_width(SCALE),
                )])?,
            };
        }
        for &(step, value) in &curve.chosen {
            let ring = Circle::new((step, value), px(6), BLACK.stroke_width(SCALE));
            chart.draw_series([ring])?;
        }
    }
    Ok(())
}

fn color(curve: &Curve) -> RGBColor {
    let (red, green, blue) = curve.color;
    RGBColor(red, green, blue)
}

/// The outline of the area between smallest and largest value.
fn band(points: &[Point]) -> Vec<(f64, f64)> {
    let upper = points.iter().map(|point| (point.step, point.high));
    let lower = points.iter().rev().map(|point| (point.step, point.low));
    upper.chain(lower).collect()
}

/// Ranges of the axes: all points with a little room, and something sensible without points.
fn ranges(curves: &[Curve]) -> ((f64, f64), (f64, f64)) {
    let points = || curves.iter().flat_map(|curve| curve.test.iter().chain(&curve.validation));
    let chosen =
        || curves.iter().flat_map(|curve| &curve.chosen).map(|&(step, value)| (step, value));
    let steps = points().map(|point| point.step).chain(chosen().map(|place| place.0));
    let values =
        points().flat_map(|point| [point.low, point.high]).chain(chosen().map(|place| place.1));
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
fn fit(text: &str, width: u32, area: &Canvas, style: &TextStyle) -> String {
    let fits = |text: &str| area.estimate_text_size(text, style).is_ok_and(|size| size.0 <= width);
    let mut kept: Vec<char> = text.chars().collect();
    let mut shown = text.to_string();
    while !fits(&shown) && kept.pop().is_some() {
        shown = kept.iter().collect::<String>() + "…";
    }
    shown
}

/// Entries of the legend in lines: title, color and mark of every different curve. The width of a text
/// is estimated from its letters, since lines must be known before there is a canvas.
fn legend_lines(panels: &[Panel], width: u32) -> Vec<Vec<(usize, usize)>> {
    let mut seen: Vec<&str> = Vec::new();
    let mut lines: Vec<Vec<(usize, usize)>> = vec![Vec::new()];
    let mut used = 0;
    for (index, panel) in panels.iter().enumerate() {
        for (position, curve) in panel.curves.iter().enumerate() {
            if seen.contains(&curve.title.as_str()) {
                continue;
            }
            seen.push(&curve.title);
            let needed = entry_width(&curve.title);
            if used + needed > width - 60 && used > 0 {
                lines.push(Vec::new());
                used = 0;
            }
            used += needed;
            if let Some(line) = lines.last_mut() {
                line.push((index, position));
            }
        }
    }
    lines
}

/// Final pixels of a legend's entry: line sample, text at a generous width a letter, gap.
fn entry_width(title: &str) -> u32 {
    44 + title.chars().count() as u32 * (TEXT * 13 / 20) + 22
}

fn draw_legend(area: &Canvas, lines: &[Vec<(usize, usize)>], panels: &[Panel]) -> Drawn {
    let text = font(TEXT).pos(Pos::new(HPos::Left, VPos::Center));
    let mut y = px(LINE) / 2;
    for line in lines {
        let mut x = px(30);
        for &(panel, position) in line {
            let Some(curve) = panels.get(panel).and_then(|panel| panel.curves.get(position)) else {
                continue;
            };
            let (middle, size, fill) = ((x + px(16), y), px(4), color(curve).filled());
            let sample = color(curve).stroke_width(3 * SCALE);
            area.draw(&PathElement::new([(x, y), (x + px(32), y)], sample))?;
            match curve.variant % 3 {
                0 => area.draw(&Circle::new(middle, size, fill))?,
                1 => area.draw(&TriangleMarker::new(middle, size * 2, fill))?,
                _ => area.draw(&Cross::new(middle, size, color(curve).stroke_width(SCALE)))?,
            }
            area.draw(&Text::new(curve.title.clone(), (x + px(42), y), text.clone()))?;
            x += px(entry_width(&curve.title));
        }
        y += px(LINE);
    }
    let mut x = px(30);
    let gray = RGBColor(60, 60, 60);
    area.draw(&PathElement::new([(x, y), (x + px(32), y)], gray.stroke_width(2 * SCALE + 1)))?;
    area.draw(&Text::new("test", (x + px(42), y), text.clone()))?;
    x += px(110);
    for dash in [0, 13, 26] {
        let from = x + px(dash);
        area.draw(&PathElement::new([(from, y), (from + px(7), y)], gray.stroke_width(SCALE + 1)))?;
    }
    area.draw(&Text::new("validation", (x + px(42), y), text.clone()))?;
    x += px(170);
    area.draw(&Circle::new((x + px(8), y), px(6), BLACK.stroke_width(SCALE)))?;
    area.draw(&Text::new("chosen evaluation, each seed", (x + px(22), y), text.clone()))?;
    x += px(330);
    area.draw(&Rectangle::new([(x, y - px(8)), (x + px(32), y + px(8))], gray.mix(0.2).filled()))?;
    area.draw(&Text::new("smallest to largest seed", (x + px(42), y), text))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn panel() -> Panel {
        let point = |step, mean| Point { step, mean, low: mean - 0.01, high: mean + 0.01 };
        let curve = Curve {
            title: "DIN".into(),
            color: (213, 94, 0),
            variant: 0,
            test: vec![point(0.0, 0.5), point(100.0, 0.8)],
            validation: vec![],
            chosen: vec![(100.0, 0.8)],
        };
        Panel { title: "<script>".into(), curves: vec![curve] }
    }

    #[test]
    fn the_picture_has_its_size_and_shows_the_color() {
        for panels in [vec![panel()], vec![panel(), panel(), panel()]] {
            let file = learning_curves("test", &panels).unwrap();
            let decoder = png::Decoder::new(std::io::Cursor::new(file.clone()));
            let mut reader = decoder.read_info().unwrap();
            let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
            let info = reader.next_frame(&mut pixels).unwrap();
            assert_eq!((info.width, info.height), size(&panels));
            let of_the_curve = pixels.chunks(3).filter(|pixel| pixel == &[213, 94, 0]).count();
            assert!(of_the_curve > 500, "{of_the_curve}");
            assert_eq!(file, learning_curves("test", &panels).unwrap());
        }
    }

    #[test]
    fn nothing_to_draw_is_drawn() {
        let empty = Panel { title: String::new(), curves: vec![] };
        assert!(learning_curves("empty", &[empty]).is_ok());
    }

    #[test]
    fn axes_hold_all_points() {
        let ((left, right), (low, high)) = ranges(&panel().curves);
        assert!(left < 0.0 && right > 100.0 && low < 0.49 && high > 0.81);
        assert_eq!(ranges(&[]), ((0.0, 1.0), (0.5, 1.0)));
    }
}
