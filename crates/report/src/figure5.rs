//! Figure 5: weights of the local activation unit on real histories.

use crate::models;
use crate::picture::{self, Canvas, Drawing, Painted, SCALE};
use crate::pictures::{self, Files, Shown};
use crate::plot::{Drawn, TEXT, TITLE, fit, font, px, rgb};
use crate::{Error, Result, format, stored};
use ctr_core::{ACTIVATION_FILES, ActivatedUser, ActivationFigure, NamedGood};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use std::path::{Path, PathBuf};

/// The files' name without an ending.
pub(crate) const STEM: &str = "figure5_activation";

/// Width of the picture in final pixels, and of the events' names at its left.
const WIDTH: u32 = 1000;
const NAMES: u32 = 470;
/// The title, the two lines above a history, one event, and the axis below a history.
const TOP: u32 = 54;
const HEADING: u32 = 76;
const ROW: u32 = 30;
const AXIS: u32 = 50;
/// Larger weights are no weights.
const LARGEST: f64 = 1e12;
/// Letters of a name that are looked at; no line has room for more.
const LETTERS: usize = 160;
/// Half of the height of a bar.
const BAR: u32 = 5;
const MARGIN: u32 = 16;

/// The numbers in a reports folder, first those that show most.
pub(crate) fn read(folder: &Path) -> Result<Vec<ActivationFigure>> {
    stored::read_all(folder, ACTIVATION_FILES, |figure: &ActivationFigure| &figure.source)
}

/// Draws figure 5 into a folder: PNG and SVG.
///
/// # Errors
/// When it cannot be drawn or written.
pub fn write_activation(figure: &ActivationFigure, folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Files::new();
    draw_into(figure, "", &mut files)?;
    stored::write(&files, folder)
}

/// Puts the picture among the files of a report; `more` is what their names add.
pub(crate) fn draw_into(figure: &ActivationFigure, more: &str, files: &mut Files) -> Result<Shown> {
    let title = title(figure);
    Ok(pictures::add(
        files,
        &format!("{STEM}{more}"),
        title,
        (WIDTH, height(figure)),
        draw(figure)?,
    ))
}

fn title(figure: &ActivationFigure) -> String {
    let simulated = if figure.source.simulated { ", simulated data" } else { "" };
    let (model, dataset) = (models::title(&figure.source.model), &figure.source.dataset);
    format!("Weights of the activation unit: {model} on {dataset}{simulated}")
}

/// What the page says below the picture.
pub(crate) fn notes(figure: &ActivationFigure) -> Vec<String> {
    let scale = if figure.relative {
        "A weight of 1 is what each event would have if all of the history weighed the same."
    } else {
        "Weights are the unit's outputs, which no softmax made to sum to 1."
    };
    vec![
        format!(
            "Over the {} test rows with a click whose history has events within and outside of the candidate's \
             categories, those within weigh {:.3} on the mean of a row, the others {:.3}. {scale}",
            format::count(figure.rows),
            figure.same_category,
            figure.other_categories
        ),
        figure.source.rule.clone(),
        format!("Run {}, data {}.", figure.source.run_id, figure.source.content_sha256),
    ]
}

fn height(figure: &ActivationFigure) -> u32 {
    TOP + figure.users.iter().map(user_height).sum::<u32>()
}

fn user_height(user: &ActivatedUser) -> u32 {
    HEADING + ROW * user.events.len() as u32 + AXIS
}

/// Colors of the relevant candidate and of the other.
fn colors() -> [models::Color; 2] {
    [models::color("din"), models::color("deepfm")]
}

fn draw(figure: &ActivationFigure) -> Result<Drawing> {
    let weights = || figure.users.iter().flat_map(|user| &user.events).flat_map(|e| e.weights);
    // Also such as no axis could hold.
    let fits = |weight: f64| weight.abs() <= LARGEST;
    if !weights().all(fits) {
        let reason =
            "a weight is not a finite number, or absurdly large: make the figure again".to_string();
        return Err(Error::Picture { name: STEM.into(), reason });
    }
    picture::draw(STEM, (WIDTH, height(figure)), |canvas| -> Painted {
        let (heading, mut rest) = canvas.split_vertically(px(TOP));
        let style = font(TITLE).pos(Pos::new(HPos::Center, VPos::Center));
        let title = fit(&title(figure), (WIDTH - 40) * SCALE, &heading, &style);
        heading.draw(&Text::new(title, (px(WIDTH) / 2, px(TOP) / 2), style))?;
        for user in &figure.users {
            let (area, below) = rest.split_vertically(px(user_height(user)));
            draw_user(user, figure.relative, &area)?;
            rest = below;
        }
        Ok(Vec::new())
    })
}

fn draw_user(user: &ActivatedUser, relative: bool, area: &Canvas) -> Drawn {
    let weights = || user.events.iter().flat_map(|event| event.weights);
    // The axis holds 0, and 1 where that is the mean.
    let low = weights().fold(0.0, f64::min);
    let high = weights().fold(if relative { 1.0 } else { 0.0 }, f64::max);
    let room = if high > low { 0.04 * (high - low) } else { 1.0 };
    let low = if low < 0.0 { low - room } else { low };
    let (heading, below) = area.split_vertically(px(HEADING));
    let lines = [("relevant", &user.relevant), ("irrelevant", &user.irrelevant)];
    for ((y, (kind, candidate)), color) in [24u32, 52].into_iter().zip(lines).zip(colors()) {
        let swatch = [(px(MARGIN), px(y - 8)), (px(MARGIN + 16), px(y + 8))];
        heading.draw(&Rectangle::new(swatch, rgb(color).filled()))?;
        let style = font(TEXT).pos(Pos::new(HPos::Left, VPos::Center));
        let (good, probability) = candidate;
        let text = format!(
            "user {}, {kind} candidate: {}, predicted {:.3}",
            user.user,
            with_categories(good),
            probability
        );
        let text = fit(&text, (WIDTH - 3 * MARGIN - 26) * SCALE, &heading, &style);
        heading.draw(&Text::new(text, (px(MARGIN + 26), px(y)), style))?;
    }
    let mut chart = ChartBuilder::on(&below)
        .margin_left(px(NAMES))
        .margin_right(px(MARGIN + 10))
        .x_label_area_size(px(AXIS))
        .build_cartesian_2d(low..high + room, user.events.len() as f64..0.0)?;
    let axis = if relative { "weight over the history's mean" } else { "weight" };
    chart
        .configure_mesh()
        .disable_y_mesh()
        .disable_y_axis()
        .x_labels(6)
        .x_desc(axis)
        .x_label_formatter(&|value| format!("{}", format::rounded(*value, 3)))
        .label_style(font(TEXT - 2))
        .axis_desc_style(font(TEXT - 2))
        .bold_line_style(RGBColor(225, 225, 225).stroke_width(SCALE))
        .light_line_style(TRANSPARENT)
        .axis_style(RGBColor(90, 90, 90).stroke_width(SCALE))
        .draw()?;
    let plane = chart.plotting_area();
    let left = below.get_base_pixel().0;
    let x = |value: f64| plane.map_coordinate(&(value, 0.0)).0 - left;
    let marks = if relative { vec![0.0, 1.0] } else { vec![0.0] };
    for value in marks {
        let line = RGBColor(120, 120, 120).stroke_width(SCALE);
        let ends = [(x(value), 0), (x(value), px(ROW) * user.events.len() as i32)];
        below.draw(&PathElement::new(ends, line))?;
    }
    for (index, event) in user.events.iter().enumerate() {
        let middle = px(ROW) * index as i32 + px(ROW) / 2;
        let ink = if event.same_category { BLACK } else { RGBColor(105, 105, 105) };
        let style = font(TEXT - 2).color(&ink).pos(Pos::new(HPos::Right, VPos::Center));
        let text = with_categories(&event.good);
        let text = if event.same_category { format!("{text} ●") } else { format!("{text} ○") };
        let text = fit_left(&text, (NAMES - 2 * MARGIN) * SCALE, &below, &style);
        below.draw(&Text::new(text, (px(NAMES - MARGIN), middle), style))?;
        for ((weight, color), side) in event.weights.into_iter().zip(colors()).zip([-1, 1]) {
            let y = middle + side * px(BAR + 1);
            let (from, to) = (x(0.0).min(x(weight)), x(0.0).max(x(weight)));
            let bar = [(from, y - px(BAR)), (to.max(from + 1), y + px(BAR))];
            below.draw(&Rectangle::new(bar, rgb(color).filled()))?;
        }
    }
    Ok(())
}

/// A label that loses its middle, not its mark at the end, when it is too long.
fn fit_left(text: &str, width: u32, area: &Canvas, style: &TextStyle) -> String {
    let fits = |text: &str| area.estimate_text_size(text, style).is_ok_and(|size| size.0 <= width);
    if fits(text) {
        return text.to_string();
    }
    let mut letters: Vec<char> = text.chars().collect();
    let mark: String = letters.split_off(letters.len().saturating_sub(2)).into_iter().collect();
    let whole: String = letters.into_iter().collect();
    let room = area.estimate_text_size(&mark, style).map_or(0, |size| size.0);
    fit(&whole, width.saturating_sub(room), area, style) + &mark
}

fn with_categories(good: &NamedGood) -> String {
    let name = if good.categories.is_empty() {
        good.name.clone()
    } else {
        format!("{} ({})", good.name, good.categories.join(", "))
    };
    name.chars().take(LETTERS).collect()
}
