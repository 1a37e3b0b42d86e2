//! Histograms of the data as a picture: one line of three a dataset.

use crate::models;
use crate::picture::{self, Canvas, Drawing, Painted, SCALE};
use crate::pictures::{self, Files, Shown};
use crate::plot::{Drawn, TEXT, TITLE, fit, font, px, rgb};
use crate::{Result, format, stored};
use ctr_core::{DataHistograms, DatasetHistograms, DoublingBuckets, HISTOGRAMS_FILE};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use std::path::Path;

/// The files' name without an ending.
const STEM: &str = "data_histograms";

/// Width of the picture, height of a dataset's title and of its histograms, in final pixels.
const WIDTH: u32 = 1000;
const HEADING: u32 = 44;
const HEIGHT: u32 = 230;
/// Below the bars: their numbers, and what is counted.
const BELOW: u32 = 58;

/// The numbers in a reports folder, if there are any.
pub(crate) fn read(folder: &Path) -> Result<Option<DataHistograms>> {
    stored::read(&folder.join(HISTOGRAMS_FILE), "/schema_version")
}

/// Puts the picture among the files of a report.
pub(crate) fn draw_into(figure: &DataHistograms, files: &mut Files) -> Result<Shown> {
    let title = "Training rows by history, goods by clicks, users by rows".to_string();
    Ok(pictures::add(files, STEM, title, (WIDTH, height(figure)), draw(figure)?))
}

fn height(figure: &DataHistograms) -> u32 {
    (HEADING + HEIGHT) * figure.datasets.len().max(1) as u32
}

fn draw(figure: &DataHistograms) -> Result<Drawing> {
    picture::draw(STEM, (WIDTH, height(figure)), |canvas| -> Painted {
        let mut rest = canvas.clone();
        for dataset in &figure.datasets {
            let (area, below) = rest.split_vertically(px(HEADING + HEIGHT));
            draw_dataset(dataset, &area)?;
            rest = below;
        }
        Ok(Vec::new())
    })
}

fn draw_dataset(of: &DatasetHistograms, area: &Canvas) -> Drawn {
    let (heading, below) = area.split_vertically(px(HEADING));
    let style = font(TITLE - 2).pos(Pos::new(HPos::Center, VPos::Center));
    let simulated = if of.simulated { ", simulated data" } else { "" };
    let title = format!("{}, {}{simulated}", of.dataset, of.protocol);
    let title = fit(&title, (WIDTH - 40) * SCALE, &heading, &style);
    heading.draw(&Text::new(title, (px(WIDTH) / 2, px(HEADING) / 2), style))?;
    let parts = below.split_evenly((1, 3));
    let all = [
        ("rows by events in their history", &of.history_lengths),
        ("goods by clicks on them", &of.clicks_of_goods),
        ("users by rows", &of.rows_of_users),
    ];
    for ((words, buckets), part) in all.into_iter().zip(&parts) {
        draw_buckets(words, buckets, part)?;
    }
    Ok(())
}

fn draw_buckets(words: &str, buckets: &DoublingBuckets, area: &Canvas) -> Drawn {
    let (width, height) = area.dim_in_pixel();
    let (width, floor) = (width as i32, height as i32 - px(BELOW));
    let middle = |at: VPos| font(TEXT - 4).pos(Pos::new(HPos::Center, at));
    let named = font(TEXT - 2).pos(Pos::new(HPos::Center, VPos::Bottom));
    area.draw(&Text::new(words, (width / 2, height as i32 - px(8)), named))?;
    let most = buckets.0.iter().copied().max().unwrap_or(0);
    if most == 0 {
        area.draw(&Text::new("none", (width / 2, floor / 2), middle(VPos::Center)))?;
        return Ok(());
    }
    let margin = px(12);
    let step = (width - 2 * margin) / buckets.0.len() as i32;
    // Above the highest bar stands its number.
    let room = floor - px(26);
    for (bucket, &count) in buckets.0.iter().enumerate() {
        let (left, right) = (margin + step * bucket as i32, margin + step * (bucket as i32 + 1));
        let top = floor - (f64::from(room) * count as f64 / most as f64).round() as i32;
        let bar = [(left + px(1), top), (right - px(1), floor)];
        area.draw(&Rectangle::new(bar, rgb(models::color("deepfm")).filled()))?;
        if count == most {
            let place = ((left + right) / 2, top - px(4));
            area.draw(&Text::new(format::count(count), place, middle(VPos::Bottom)))?;
        }
        // Where bars are narrow, every other one has its number.
        if step >= px(44) || bucket % 2 == 0 {
            let label = DoublingBuckets::label(bucket);
            let label = label.split('–').next().unwrap_or_default().to_string();
            let place = ((left + right) / 2, floor + px(6));
            area.draw(&Text::new(label, place, middle(VPos::Top)))?;
        }
    }
    let axis = [(margin, floor), (width - margin, floor)];
    area.draw(&PathElement::new(axis, RGBColor(90, 90, 90).stroke_width(SCALE)))?;
    Ok(())
}
