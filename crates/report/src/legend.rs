//! The legend below the panels of a picture.

use crate::marks::draw_mark;
use crate::picture::{Canvas, SCALE};
use crate::plot::{Drawn, TEXT, font, px};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

/// Height of one line in final pixels.
const LINE: u32 = 34;

/// Final pixels between two meanings.
const KEY_GAP: u32 = 30;

/// The name of a line, with what it looks like.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub title: String,
    pub color: RGBColor,
    pub mark: usize,
    pub dashed: bool,
}

/// What a kind of line or mark means.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Sample {
    Line,
    Dashes,
    ShortDashes,
    Ring,
    Band,
    Upright,
}

impl Sample {
    /// Final pixels that the sample takes before its meaning.
    fn width(self) -> u32 {
        match self {
            Self::Ring => 22,
            Self::Upright => 16,
            _ => 42,
        }
    }
}

/// Samples with their meanings.
pub(crate) type Key = [(Sample, &'static str)];

/// The key of learning curves.
pub(crate) const LEARNING_CURVES: [(Sample, &str); 4] = [
    (Sample::Line, "test"),
    (Sample::Dashes, "validation"),
    (Sample::Ring, "chosen evaluation, each seed"),
    (Sample::Band, "smallest to largest seed"),
];

/// Height of the whole legend in final pixels.
pub(crate) fn height(entries: &[Entry], width: u32, key: &Key) -> u32 {
    LINE * (lines(entries, width).len() + key_lines(key, width).len()) as u32 + 10
}

/// The key in lines that fit.
fn key_lines(key: &Key, width: u32) -> Vec<Vec<&(Sample, &'static str)>> {
    let mut lines = vec![Vec::new()];
    let mut used = 30;
    for meaning in key {
        let needed = meaning.0.width() + meaning.1.chars().count() as u32 * (TEXT * 11 / 20);
        if used + needed > width && used > 30 {
            lines.push(Vec::new());
            used = 30;
        }
        used += needed + KEY_GAP;
        if let Some(line) = lines.last_mut() {
            line.push(meaning);
        }
    }
    lines
}

/// Every different entry in lines that fit. The width of a text is estimated from its letters, since
/// the picture's height must be known before there is a canvas.
fn lines(entries: &[Entry], width: u32) -> Vec<Vec<&Entry>> {
    let mut seen: Vec<&str> = Vec::new();
    let mut lines: Vec<Vec<&Entry>> = vec![Vec::new()];
    let mut used = 0;
    for entry in entries {
        if seen.contains(&entry.title.as_str()) {
            continue;
        }
        seen.push(&entry.title);
        let needed = entry_width(&entry.title);
        if used + needed > width - 60 && used > 0 {
            lines.push(Vec::new());
            used = 0;
        }
        used += needed;
        if let Some(line) = lines.last_mut() {
            line.push(entry);
        }
    }
    lines
}

/// Final pixels of an entry: line sample, text at a generous width a letter, gap.
fn entry_width(title: &str) -> u32 {
    44 + title.chars().count() as u32 * (TEXT * 12 / 20) + 22
}

/// Draws the lines' names and, below them, what the kinds of lines and marks mean.
pub(crate) fn draw(area: &Canvas, entries: &[Entry], width: u32, key: &Key) -> Drawn {
    let text = font(TEXT).pos(Pos::new(HPos::Left, VPos::Center));
    let mut y = px(LINE) / 2;
    for line in lines(entries, width) {
        let mut x = px(30);
        for entry in line {
            if entry.dashed {
                dashes(area, (x, y), entry.color, 3 * SCALE)?;
            } else {
                let sample = entry.color.stroke_width(3 * SCALE);
                area.draw(&PathElement::new([(x, y), (x + px(32), y)], sample))?;
            }
            draw_mark(area, entry.mark, entry.color, (x + px(16), y), px(4))?;
            area.draw(&Text::new(entry.title.clone(), (x + px(42), y), text.clone()))?;
            x += px(entry_width(&entry.title));
        }
        y += px(LINE);
    }
    for line in key_lines(key, width) {
        let mut x = px(30);
        for (sample, meaning) in line {
            draw_sample(area, *sample, (x, y))?;
            area.draw(&Text::new(*meaning, (x + px(sample.width()), y), text.clone()))?;
            let letters = meaning.chars().count() as u32 * (TEXT * 11 / 20);
            x += px(sample.width() + letters + KEY_GAP);
        }
        y += px(LINE);
    }
    Ok(())
}

fn draw_sample(area: &Canvas, sample: Sample, (x, y): (i32, i32)) -> Drawn {
    let gray = RGBColor(60, 60, 60);
    match sample {
        Sample::Line => {
            let line = gray.stroke_width(2 * SCALE + 1);
            area.draw(&PathElement::new([(x, y), (x + px(32), y)], line))?;
        }
        Sample::Dashes => dashes(area, (x, y), gray, SCALE + 1)?,
        Sample::ShortDashes => {
            let line = gray.stroke_width(SCALE + 1);
            for from in (0..6).map(|dash| x + px(6 * dash)) {
                area.draw(&PathElement::new([(from, y), (from + px(3), y)], line))?;
            }
        }
        Sample::Ring => {
            area.draw(&Circle::new((x + px(8), y), px(5), WHITE.filled()))?;
            area.draw(&Circle::new((x + px(8), y), px(5), gray.stroke_width(2 * SCALE)))?;
        }
        Sample::Band => {
            let corners = [(x, y - px(8)), (x + px(32), y + px(8))];
            area.draw(&Rectangle::new(corners, gray.mix(0.2).filled()))?;
        }
        Sample::Upright => {
            let line = RGBColor(175, 175, 175).stroke_width(SCALE);
            let ends = [(x + px(4), y - px(10)), (x + px(4), y + px(10))];
            area.draw(&PathElement::new(ends, line))?;
        }
    }
    Ok(())
}

fn dashes(area: &Canvas, (x, y): (i32, i32), color: RGBColor, width: u32) -> Drawn {
    for dash in [0, 13, 26] {
        let from = x + px(dash);
        let style = color.stroke_width(width);
        area.draw(&PathElement::new([(from, y), (from + px(7), y)], style))?;
    }
    Ok(())
}
