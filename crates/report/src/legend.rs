//! The legend below the panels of a picture.

use crate::curves::Curve;
use crate::picture::{Canvas, SCALE};
use crate::plot::{Drawn, Panel, TEXT, color, draw_mark, font, px};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

/// Height of one line in final pixels.
const LINE: u32 = 34;

/// Height of the whole legend in final pixels.
pub(crate) fn height(panels: &[Panel], width: u32) -> u32 {
    LINE * (1 + lines(panels, width).len() as u32) + 10
}

/// Every different curve in lines that fit. The width of a text is estimated from its letters, since
/// the picture's height must be known before there is a canvas.
fn lines(panels: &[Panel], width: u32) -> Vec<Vec<&Curve>> {
    let mut seen: Vec<&str> = Vec::new();
    let mut lines: Vec<Vec<&Curve>> = vec![Vec::new()];
    let mut used = 0;
    for curve in panels.iter().flat_map(|panel| &panel.curves) {
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
            line.push(curve);
        }
    }
    lines
}

/// Final pixels of an entry: line sample, text at a generous width a letter, gap.
fn entry_width(title: &str) -> u32 {
    44 + title.chars().count() as u32 * (TEXT * 12 / 20) + 22
}

/// Draws the curves' names and, below them, what the kinds of lines and marks mean.
pub(crate) fn draw(area: &Canvas, panels: &[Panel], width: u32) -> Drawn {
    let text = font(TEXT).pos(Pos::new(HPos::Left, VPos::Center));
    let mut y = px(LINE) / 2;
    for line in lines(panels, width) {
        let mut x = px(30);
        for curve in line {
            let sample = color(curve).stroke_width(3 * SCALE);
            area.draw(&PathElement::new([(x, y), (x + px(32), y)], sample))?;
            draw_mark(area, curve, (x + px(16), y), px(4))?;
            area.draw(&Text::new(curve.title.clone(), (x + px(42), y), text.clone()))?;
            x += px(entry_width(&curve.title));
        }
        y += px(LINE);
    }
    let gray = RGBColor(60, 60, 60);
    let mut x = px(30);
    area.draw(&PathElement::new([(x, y), (x + px(32), y)], gray.stroke_width(2 * SCALE + 1)))?;
    area.draw(&Text::new("test", (x + px(42), y), text.clone()))?;
    x += px(110);
    for dash in [0, 13, 26] {
        let from = x + px(dash);
        area.draw(&PathElement::new([(from, y), (from + px(7), y)], gray.stroke_width(SCALE + 1)))?;
    }
    area.draw(&Text::new("validation", (x + px(42), y), text.clone()))?;
    x += px(170);
    area.draw(&Circle::new((x + px(8), y), px(5), WHITE.filled()))?;
    area.draw(&Circle::new((x + px(8), y), px(5), gray.stroke_width(2 * SCALE)))?;
    area.draw(&Text::new("chosen evaluation, each seed", (x + px(22), y), text.clone()))?;
    x += px(330);
    area.draw(&Rectangle::new([(x, y - px(8)), (x + px(32), y + px(8))], gray.mix(0.2).filled()))?;
    area.draw(&Text::new("smallest to largest seed", (x + px(42), y), text))?;
    Ok(())
}
