//! Figure 6: a map of embeddings of goods; shape tells the category, color the predicted click probability.

use crate::marks::draw_mark;
use crate::models;
use crate::picture::{self, Canvas, Drawing, Painted, SCALE};
use crate::pictures::{self, Files, Shown};
use crate::plot::{Drawn, TEXT, TITLE, fit, font, px};
use crate::{Error, Result, stored};
use ctr_core::{EMBEDDING_FILES, EmbeddingFigure};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use std::path::{Path, PathBuf};

/// The files' name without an ending.
pub(crate) const STEM: &str = "figure6_embedding";

/// The picture in final pixels: title, map, scale of colors with the categories.
const WIDTH: u32 = 1000;
const TOP: u32 = 54;
const MAP: u32 = 740;
const LINE: u32 = 34;
const SCALE_OF_COLORS: u32 = 62;
const MARGIN: u32 = 20;
/// Places further out are no places.
const LARGEST: f64 = 1e12;
/// The end of the colors is left out: its yellow is too light on white.
const LAST_COLOR: f64 = 0.88;

/// The numbers in a reports folder, first those that show most.
pub(crate) fn read(folder: &Path) -> Result<Vec<EmbeddingFigure>> {
    stored::read_all(folder, EMBEDDING_FILES, |figure: &EmbeddingFigure| &figure.source)
}

/// Draws figure 6 into a folder: PNG and SVG.
///
/// # Errors
/// When it cannot be drawn or written.
pub fn write_embedding(figure: &EmbeddingFigure, folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Files::new();
    draw_into(figure, "", &mut files)?;
    stored::write(&files, folder)
}

/// Puts the picture among the files of a report; `more` is what their names add.
pub(crate) fn draw_into(figure: &EmbeddingFigure, more: &str, files: &mut Files) -> Result<Shown> {
    Ok(pictures::add(
        files,
        &format!("{STEM}{more}"),
        title(figure),
        (WIDTH, height(figure)),
        draw(figure)?,
    ))
}

fn title(figure: &EmbeddingFigure) -> String {
    let simulated = if figure.source.simulated { ", simulated data" } else { "" };
    let (model, dataset) = (models::title(&figure.source.model), &figure.source.dataset);
    format!("Embeddings of goods by t-SNE: {model} on {dataset}{simulated}")
}

/// What the page says below the picture.
pub(crate) fn notes(figure: &EmbeddingFigure) -> Vec<String> {
    let percent = |share: f64| format!("{:.1}%", 100.0 * share);
    let history: Vec<&str> = figure.history.iter().map(|good| good.name.as_str()).collect();
    vec![
        format!(
            "Of the {} nearest neighbors of a good, {} are of its category by distance of embeddings and {} on the \
             map; by chance {}. The embedding is that of the good's id alone, of {} numbers: its category is no \
             part of it.",
            figure.neighbors,
            percent(figure.purity),
            percent(figure.map_purity),
            percent(figure.chance),
            figure.dim
        ),
        format!(
            "Color: the probability that user {} clicks, whose history ends with {}.",
            figure.user,
            history.join("; ")
        ),
        figure.source.rule.clone(),
        format!(
            "t-SNE by Barnes and Hut's tree, perplexity {}, seed {}. Run {}, data {}.",
            figure.perplexity, figure.seed, figure.source.run_id, figure.source.content_sha256
        ),
    ]
}

fn height(figure: &EmbeddingFigure) -> u32 {
    TOP + MAP + SCALE_OF_COLORS + LINE * (lines(figure).len() as u32) + 14
}

/// The categories in lines that fit.
fn lines(figure: &EmbeddingFigure) -> Vec<Vec<(usize, &str)>> {
    let mut lines: Vec<Vec<(usize, &str)>> = vec![Vec::new()];
    let mut used = 0;
    for (number, name) in figure.categories.iter().enumerate() {
        let needed = entry_width(name);
        if used > 0 && used + needed > WIDTH - 2 * MARGIN {
            lines.push(Vec::new());
            used = 0;
        }
        used += needed;
        if let Some(line) = lines.last_mut() {
            line.push((number, name));
        }
    }
    lines
}

fn entry_width(name: &str) -> u32 {
    24 + name.chars().count() as u32 * (TEXT * 12 / 20) + 26
}

fn draw(figure: &EmbeddingFigure) -> Result<Drawing> {
    let points = &figure.points;
    let numbers = || points.iter().flat_map(|at| [at.place[0], at.place[1], at.probability]);
    let fits = |number: f64| number.abs() <= LARGEST;
    if points.is_empty() || !numbers().all(fits) {
        let reason = "it has no points, or places that are no numbers: make it again".to_string();
        return Err(Error::Picture { name: STEM.into(), reason });
    }
    let (low, high) = ends(points.iter().map(|point| point.probability));
    let share = |value: f64| if high > low { (value - low) / (high - low) } else { 0.5 };
    picture::draw(STEM, (WIDTH, height(figure)), |canvas| -> Painted {
        let (heading, rest) = canvas.split_vertically(px(TOP));
        let style = font(TITLE).pos(Pos::new(HPos::Center, VPos::Center));
        let title = fit(&title(figure), (WIDTH - 40) * SCALE, &heading, &style);
        heading.draw(&Text::new(title, (px(WIDTH) / 2, px(TOP) / 2), style))?;
        let (map, below) = rest.split_vertically(px(MAP));
        let (xs, ys) = (
            ends(points.iter().map(|point| point.place[0])),
            ends(points.iter().map(|point| point.place[1])),
        );
        // One unit is as long in both directions, for distances are what the map shows.
        let unit = f64::from(px(WIDTH - 4 * MARGIN)) / (xs.1 - xs.0).max(1e-9);
        let unit = unit.min(f64::from(px(MAP - 4 * MARGIN)) / (ys.1 - ys.0).max(1e-9));
        let place = |[x, y]: [f64; 2]| {
            let middle = ((xs.0 + xs.1) / 2.0, (ys.0 + ys.1) / 2.0);
            (
                px(WIDTH) / 2 + ((x - middle.0) * unit) as i32,
                px(MAP) / 2 - ((y - middle.1) * unit) as i32,
            )
        };
        let frame = [(px(MARGIN), 0), (px(WIDTH - MARGIN), px(MAP))];
        map.draw(&Rectangle::new(frame, RGBColor(170, 170, 170).stroke_width(SCALE)))?;
        for point in points {
            let (category, color) = (point.category as usize, color(share(point.probability)));
            draw_mark(&map, category, color, place(point.place), px(5))?;
        }
        let (scale, legend) = below.split_vertically(px(SCALE_OF_COLORS));
        draw_scale(&scale, (low, high))?;
        draw_categories(&legend, figure)?;
        Ok(Vec::new())
    })
}

/// What the colors mean.
fn draw_scale(area: &Canvas, (low, high): (f64, f64)) -> Drawn {
    let text = |at: HPos| font(TEXT).pos(Pos::new(at, VPos::Center));
    let y = px(SCALE_OF_COLORS) / 2;
    let words = "predicted click probability".to_string();
    area.draw(&Text::new(words, (px(MARGIN), y), text(HPos::Left)))?;
    let (from, steps, step) = (px(370), 128, 6);
    for number in 0..steps {
        let x = from + number * step;
        let color = color(f64::from(number) / f64::from(steps - 1));
        area.draw(&Rectangle::new([(x, y - px(9)), (x + step, y + px(9))], color.filled()))?;
    }
    area.draw(&Text::new(format!("{low:.3}"), (from - px(8), y), text(HPos::Right)))?;
    let end = from + steps * step + px(8);
    area.draw(&Text::new(format!("{high:.3}"), (end, y), text(HPos::Left)))?;
    Ok(())
}

fn draw_categories(area: &Canvas, figure: &EmbeddingFigure) -> Drawn {
    let style = font(TEXT).pos(Pos::new(HPos::Left, VPos::Center));
    for (row, line) in lines(figure).into_iter().enumerate() {
        let (mut x, y) = (px(MARGIN), px(LINE) * row as i32 + px(LINE) / 2);
        for (number, name) in line {
            draw_mark(area, number, RGBColor(70, 70, 70), (x + px(8), y), px(5))?;
            let text = fit(name, (WIDTH - 3 * MARGIN - 30) * SCALE, area, &style);
            area.draw(&Text::new(text, (x + px(24), y), style.clone()))?;
            x += px(entry_width(name));
        }
    }
    Ok(())
}

/// Dark for small shares, green for large ones; seen alike by all kinds of color vision.
fn color(share: f64) -> RGBColor {
    ViridisRGB.get_color(share * LAST_COLOR)
}

fn ends(values: impl Iterator<Item = f64>) -> (f64, f64) {
    values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
        (low.min(value), high.max(value))
    })
}
