//! Points with intervals as a picture: rows below one another over one axis.

use crate::Result;
use crate::intervals::{Interval, IntervalRow, Intervals, Series, digits, tidy};
use crate::legend::{self, Entry, Sample};
use crate::marks::draw_mark;
use crate::picture::{self, Canvas, Drawing, SCALE};
use crate::plot::{Drawn, TEXT, TITLE, fit, font, px, rgb};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

/// Width of the picture in final pixels.
const WIDTH: u32 = 1000;
/// Height of a row with one value, and of each further value in it.
const ROW: u32 = 30;
const FURTHER: u32 = 15;
/// Room above a group's heading, if it has one.
const HEADING: u32 = 34;
/// The title's line, the axis below the rows, and margins.
const TOP: u32 = 50;
const BOTTOM: u32 = 66;
const MARGIN: u32 = 16;
/// Labels take at most this share of the width; longer ones are cut.
const LABELS: f64 = 0.46;
/// No label is so short that the axis should begin further left.
const LEAST_LABEL: u32 = 90;

/// A line of the picture with its place, in final pixels below the title.
enum Line<'a> {
    Heading(u32, &'a str),
    Row(u32, &'a IntervalRow),
}

impl Intervals {
    /// Width and height in final pixels.
    pub(crate) fn size(&self) -> (u32, u32) {
        (WIDTH, TOP + self.rows_height() + BOTTOM + self.legend_height())
    }

    /// The picture. Values that are no numbers are left out, and so are intervals without end; a row that
    /// has nothing else says so.
    pub(crate) fn draw(&self, name: &str) -> Result<Drawing> {
        let (width, height) = self.size();
        picture::draw(name, (width, height), |canvas| {
            let (heading, rest) = canvas.split_vertically(px(TOP));
            let style = font(TITLE).pos(Pos::new(HPos::Center, VPos::Center));
            let title = fit(&self.title, (WIDTH - 40) * SCALE, &heading, &style);
            heading.draw(&Text::new(title, (px(WIDTH) / 2, px(TOP) / 2), style))?;
            let (plot, lower) = rest.split_vertically(px(self.rows_height() + BOTTOM));
            self.draw_plot(&plot)?;
            if self.legend_height() > 0 {
                legend::draw(&lower, &self.entries(), width, &self.key())?;
            }
            Ok(Vec::new())
        })
    }

    fn rows_height(&self) -> u32 {
        let heights = self.groups.iter().map(|group| {
            let heading = if group.heading.is_empty() { 0 } else { HEADING };
            heading + group.rows.iter().map(row_height).sum::<u32>()
        });
        heights.sum::<u32>().max(ROW)
    }

    fn legend_height(&self) -> u32 {
        legend::height(&self.entries(), WIDTH, &self.key())
    }

    /// One series needs no name in the legend when the title says what it is.
    fn entries(&self) -> Vec<Entry> {
        let entry = |series: &Series| Entry {
            title: series.title.clone(),
            color: rgb(series.color),
            mark: series.mark,
            dashed: false,
        };
        let named = self.series.iter().filter(|series| !series.title.is_empty());
        named.map(entry).collect()
    }

    fn key(&self) -> Vec<(Sample, &'static str)> {
        let mut key = Vec::new();
        if !self.interval.is_empty() {
            key.push((Sample::Line, self.interval));
        }
        key.extend(self.band.map(|(_, meaning)| (Sample::Band, meaning)));
        key
    }

    /// Headings and rows from top to bottom.
    fn lines(&self) -> Vec<Line<'_>> {
        let mut lines = Vec::new();
        let mut y = 0;
        for group in &self.groups {
            if !group.heading.is_empty() {
                lines.push(Line::Heading(y, &group.heading));
                y += HEADING;
            }
            for row in &group.rows {
                lines.push(Line::Row(y, row));
                y += row_height(row);
            }
        }
        lines
    }

    /// Width for the labels in final pixels: that of the longest, within limits.
    fn label_width(&self, area: &Canvas) -> u32 {
        let style = font(TEXT);
        let width = |text: &str| {
            area.estimate_text_size(text, &style).map_or(0, |size| size.0.div_ceil(SCALE))
        };
        let labels = self.groups.iter().flat_map(|group| &group.rows).map(|row| width(&row.label));
        let longest = labels.max().unwrap_or(0) + 2 * MARGIN;
        longest.clamp(LEAST_LABEL, (f64::from(WIDTH) * LABELS) as u32)
    }

    fn draw_plot(&self, area: &Canvas) -> Drawn {
        let labels = self.label_width(area);
        let (low, high) = self.range();
        let height = self.rows_height();
        let mut chart = ChartBuilder::on(area)
            .margin_right(px(MARGIN + 10))
            .margin_left(px(labels))
            .x_label_area_size(px(BOTTOM))
            .build_cartesian_2d(low..high, f64::from(height)..0.0)?;
        let digits = digits(high - low);
        chart
            .configure_mesh()
            .disable_y_mesh()
            .disable_y_axis()
            .x_desc(&self.axis)
            .x_labels(6)
            .x_label_formatter(&|value| tidy(*value, digits))
            .label_style(font(TEXT))
            .axis_desc_style(font(TEXT))
            .bold_line_style(RGBColor(225, 225, 225).stroke_width(SCALE))
            .light_line_style(TRANSPARENT)
            .axis_style(RGBColor(90, 90, 90).stroke_width(SCALE))
            .draw()?;
        let plane = chart.plotting_area();
        let left = area.get_base_pixel().0;
        let x = |value: f64| plane.map_coordinate(&(value.clamp(low, high), 0.0)).0 - left;
        self.draw_stripes(area)?;
        if let Some(((from, to), _)) =
            self.band.filter(|(ends, _)| !(ends.0.is_nan() || ends.1.is_nan()))
        {
            let corners = [(x(from.min(to)), 0), (x(from.max(to)), px(height))];
            area.draw(&Rectangle::new(corners, RGBColor(60, 60, 60).mix(0.14).filled()))?;
        }
        if let Some(value) = self.reference.filter(|value| value.is_finite()) {
            let line = RGBColor(70, 70, 70).stroke_width(SCALE + 1);
            area.draw(&PathElement::new([(x(value), 0), (x(value), px(height))], line))?;
        }
        for line in self.lines() {
            match line {
                Line::Heading(y, text) => {
                    let style = font(TEXT).color(&RGBColor(80, 80, 80));
                    let style = style.pos(Pos::new(HPos::Left, VPos::Center));
                    let middle = px(y) + px(HEADING) * 3 / 5;
                    let text = fit(text, (WIDTH - 2 * MARGIN) * SCALE, area, &style);
                    area.draw(&Text::new(text, (px(MARGIN), middle), style))?;
                }
                Line::Row(y, row) => {
                    let style = font(TEXT).pos(Pos::new(HPos::Right, VPos::Center));
                    let middle = px(y) + px(row_height(row)) / 2;
                    let text = fit(&row.label, (labels - 2 * MARGIN) * SCALE, area, &style);
                    area.draw(&Text::new(text, (px(labels - MARGIN), middle), style))?;
                    self.draw_row(row, y, area, &x)?;
                }
            }
        }
        Ok(())
    }

    /// Every other row of a group is shaded from its label to the end of the axis, to lead the eye.
    fn draw_stripes(&self, area: &Canvas) -> Drawn {
        let mut shaded = false;
        for line in self.lines() {
            let Line::Row(y, row) = line else {
                shaded = false;
                continue;
            };
            if shaded {
                let corners = [(px(MARGIN), px(y)), (px(WIDTH - MARGIN), px(y + row_height(row)))];
                area.draw(&Rectangle::new(corners, RGBColor(0, 0, 0).mix(0.035).filled()))?;
            }
            shaded = !shaded;
        }
        Ok(())
    }

    /// The values of a row below one another in the order of their series, so that none hides another.
    fn draw_row(&self, row: &IntervalRow, y: u32, area: &Canvas, x: &dyn Fn(f64) -> i32) -> Drawn {
        let mut drawn: Vec<&Interval> =
            row.values.iter().filter(|value| value.is_drawn()).collect();
        drawn.sort_by_key(|value| value.series);
        if drawn.is_empty() {
            let style = font(TEXT - 3).color(&RGBColor(110, 110, 110));
            let style = style.pos(Pos::new(HPos::Left, VPos::Center));
            let place = (x(f64::NEG_INFINITY) + px(8), px(y) + px(row_height(row)) / 2);
            area.draw(&Text::new("no value", place, style))?;
            return Ok(());
        }
        let count = drawn.len() as i32;
        for (index, value) in drawn.into_iter().enumerate() {
            // Around the middle of the row.
            let offset = (2 * index as i32 + 1 - count) * px(FURTHER) / 2;
            let middle = px(y) + px(row_height(row)) / 2 + offset;
            let (color, mark) = self.style(value.series);
            if let Some((low, high)) = value.ends() {
                let line = color.stroke_width(2 * SCALE);
                area.draw(&PathElement::new([(x(low), middle), (x(high), middle)], line))?;
                for end in [x(low), x(high)] {
                    let cap = [(end, middle - px(4)), (end, middle + px(4))];
                    area.draw(&PathElement::new(cap, line))?;
                }
            }
            draw_mark(area, mark, color, (x(value.value), middle), px(5))?;
        }
        Ok(())
    }

    /// Color and mark of a series; gray for one that the picture does not have.
    fn style(&self, series: usize) -> (RGBColor, usize) {
        let known = self.series.get(series);
        known.map_or((RGBColor(110, 110, 110), 0), |series| (rgb(series.color), series.mark))
    }
}

fn row_height(row: &IntervalRow) -> u32 {
    let drawn = row.values.iter().filter(|value| value.is_drawn()).count().max(1);
    ROW + FURTHER * (drawn as u32 - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::intervals::Group;

    fn series() -> Vec<Series> {
        [("amazon-beauty", (213, 94, 0), 0), ("amazon-sports-and-outdoors", (0, 114, 178), 3)]
            .map(|(title, color, mark)| Series { title: title.into(), color, mark })
            .into()
    }

    fn row(label: &str, values: &[(f64, f64)]) -> IntervalRow {
        let value = |(series, &(value, half)): (usize, &(f64, f64))| Interval {
            series,
            value,
            interval: Some((value - half, value + half)),
        };
        IntervalRow { label: label.into(), values: values.iter().enumerate().map(value).collect() }
    }

    fn figure(groups: Vec<Group>) -> Intervals {
        Intervals {
            title: "What each part of DIN does".into(),
            axis: "change of test gAUC".into(),
            series: series(),
            groups,
            reference: Some(0.0),
            band: Some(((-0.001, 0.001), "what seeds alone make")),
            interval: "95 % interval",
        }
    }

    fn pixels(figure: &Intervals) -> Vec<u8> {
        let file = figure.draw("test").unwrap().png;
        if let Some(folder) = std::env::var_os("PICTURES") {
            let name = format!("intervals-{}.png", figure.size().1);
            std::fs::write(std::path::Path::new(&folder).join(name), &file).unwrap();
        }
        assert_eq!(file, figure.draw("test").unwrap().png);
        let mut reader = png::Decoder::new(std::io::Cursor::new(&file)).read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut pixels).unwrap();
        assert_eq!((info.width, info.height), figure.size());
        pixels
    }

    fn count(pixels: &[u8], color: [u8; 3]) -> usize {
        pixels.chunks(3).filter(|pixel| *pixel == color).count()
    }

    #[test]
    fn one_row_and_forty_are_drawn() {
        let one =
            Group { heading: String::new(), rows: vec![row("without softmax", &[(0.01, 0.004)])] };
        let small = pixels(&figure(vec![one]));
        assert!(count(&small, [213, 94, 0]) > 200);
        let groups = (0..4).map(|group| Group {
            heading: format!("Group {group}"),
            rows: (0..10)
                .map(|index| {
                    let value = f64::from(index - 5) * 0.002 + f64::from(group) * 0.001;
                    let label = match index {
                        3 => "a label so long that it cannot stand beside the axis and has to be cut somewhere",
                        _ => "attention without the product of behavior and candidate",
                    };
                    row(label, &[(value, 0.003), (value * 0.5, 0.001)])
                })
                .collect(),
        });
        let large = pixels(&figure(groups.collect()));
        assert!(count(&large, [213, 94, 0]) > 10 * count(&small, [213, 94, 0]));
        assert!(count(&large, [0, 114, 178]) > 2000);
    }

    #[test]
    fn what_is_no_number_is_left_out() {
        let mut odd = row("diverged", &[(f64::NAN, 0.1)]);
        odd.values.push(Interval { series: 7, value: f64::INFINITY, interval: None });
        let endless = Interval { series: 0, value: 0.5, interval: Some((f64::NEG_INFINITY, 1.0)) };
        let alone = Interval { series: 9, value: 0.4, interval: Some((0.6, 0.2)) };
        let rows = vec![odd, IntervalRow { label: "endless".into(), values: vec![endless, alone] }];
        let figure = Intervals {
            reference: Some(f64::NAN),
            band: Some(((f64::NAN, 1.0), "odd")),
            ..figure(vec![Group { heading: "Odd".into(), rows }])
        };
        let (low, high) = figure.range();
        assert!((low - 0.176).abs() < 1e-9 && (high - 0.624).abs() < 1e-9, "{low} {high}");
        pixels(&figure);
    }

    #[test]
    fn nothing_to_draw_is_drawn() {
        assert_eq!(Intervals::default().range(), (0.0, 1.0));
        pixels(&Intervals::default());
        pixels(&figure(vec![Group::default()]));
        let same =
            figure(vec![Group { heading: String::new(), rows: vec![row("a", &[(0.0, 0.0)])] }]);
        let (low, high) = same.range();
        assert!(low < high);
        pixels(&same);
    }
}
