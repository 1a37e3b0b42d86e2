//! All pictures of a report: which there are, what their files are called, and what the page shows.

use crate::ablations::Ablations;
use crate::ablations_figure;
use crate::curves;
use crate::exhibits::{self, Shown as Exhibited};
use crate::hover::Plot;
use crate::html::Picture;
use crate::picture::Drawing;
use crate::plot::{Figure, Panel};
use crate::reference::References;
use crate::slices::Slice;
use crate::study::{DatasetStudy, Study};
use crate::{Result, figure4, format, overlay};
use ctr_core::{FigureSource, Protocol};
use std::collections::BTreeMap;

/// How the files of figure 4 begin.
const FIGURE4: &str = "figure4_regularization";

/// The files to write, by name.
pub(crate) type Files = BTreeMap<String, Vec<u8>>;

/// A picture among the files that the page shows.
pub(crate) struct Shown {
    /// Its files' name without an ending.
    stem: String,
    title: String,
    size: (u32, u32),
    plots: Vec<Plot>,
    protocol: Option<Protocol>,
}

/// Puts a picture's files among the others, and gives what the page needs of it.
pub(crate) fn add(
    files: &mut Files,
    stem: &str,
    title: String,
    size: (u32, u32),
    drawing: Drawing,
) -> Shown {
    files.insert(format!("{stem}.png"), drawing.png);
    files.insert(format!("{stem}.svg"), drawing.svg);
    Shown { stem: stem.into(), title, size, plots: drawing.plots, protocol: None }
}

/// The pictures as the page takes them.
pub(crate) fn embed<'a>(shown: &'a [Shown], files: &'a Files) -> Vec<Picture<'a>> {
    let picture = |shown: &'a Shown| {
        Some(Picture {
            stem: &shown.stem,
            title: &shown.title,
            size: shown.size,
            file: files.get(&format!("{}.png", shown.stem))?,
            plots: &shown.plots,
            protocol: shown.protocol,
        })
    };
    shown.iter().filter_map(picture).collect()
}

/// Draws the curves of each dataset and protocol, and all of them in one picture.
pub(crate) fn learning_curves(
    study: &Study,
    references: &References,
    files: &mut Files,
) -> Result<Vec<Shown>> {
    let mut overview = Vec::new();
    let mut pictures = Vec::new();
    for dataset in &study.datasets {
        for (index, block) in dataset.blocks.iter().enumerate() {
            let whole = panel(dataset, index, references);
            let title = whole.title.clone();
            let mut panels = vec![whole.clone()];
            if let Some(floor) = curves::floor(&whole.curves) {
                let title = format!("{title}: the leading models enlarged");
                panels.push(Panel { title, floor: Some(floor), ..whole.clone() });
            }
            let figure = Figure { panels, across: 1 };
            let stem = format::file_name(&format!("{}-{}", dataset.id, block.title));
            let stem = free_stem("learning_curves", &stem, files);
            let drawing = figure.draw(&stem)?;
            let shown = add(files, &stem, title, figure.size(), drawing);
            pictures.push(Shown { protocol: Some(block.protocol), ..shown });
            overview.push(whole);
        }
    }
    if !overview.is_empty() {
        let (overview, stem) = (Figure { panels: overview, across: 2 }, "learning_curves");
        add(files, stem, String::new(), overview.size(), overview.draw(stem)?);
    }
    Ok(pictures)
}

/// Draws figure 4 of each slice that has a table 4, and copies that of the paper's kind of data.
pub(crate) fn regularization(slices: &[Slice], files: &mut Files) -> Result<Vec<Shown>> {
    let mut pictures = Vec::new();
    let compared = || slices.iter().filter(|slice| slice.compares_regularizers());
    for slice in compared() {
        let figure = figure4::regularization(slice);
        let stem = free_stem(FIGURE4, &slice.stem(), files);
        let drawing = figure.draw(&stem)?;
        let shown = add(files, &stem, slice.title(), figure.size(), drawing);
        pictures.push(Shown { protocol: Some(slice.block.protocol), ..shown });
    }
    let main = compared().position(Slice::is_alibaba_kin).unwrap_or(0);
    copy(files, pictures.get(main), FIGURE4);
    Ok(pictures)
}

/// Puts a picture's files among the others under a second name.
fn copy(files: &mut Files, picture: Option<&Shown>, stem: &str) {
    for ending in ["png", "svg"] {
        let name = |stem: &str| format!("{stem}.{ending}");
        let file = picture.and_then(|picture| files.get(&name(&picture.stem))).cloned();
        files.extend(file.map(|file| (name(stem), file)));
    }
}

/// Draws the ablations of all slices.
pub(crate) fn parts(ablations: &[Ablations], files: &mut Files) -> Result<Vec<Shown>> {
    let Some(figure) = ablations_figure::figure(ablations) else { return Ok(Vec::new()) };
    let drawing = figure.draw("ablations")?;
    Ok(vec![add(files, "ablations", figure.title.clone(), figure.size(), drawing)])
}

/// Draws the exhibits, where there are any.
pub(crate) fn wrong_ways(exhibited: &[Exhibited], files: &mut Files) -> Result<Vec<Shown>> {
    if exhibited.is_empty() {
        return Ok(Vec::new());
    }
    let figure = exhibits::figure(exhibited);
    let drawing = figure.draw("exhibits")?;
    Ok(vec![add(files, "exhibits", figure.title.clone(), figure.size(), drawing)])
}

/// Draws a figure of each dataset, and that of the first one under its plain name too.
pub(crate) fn one_a_dataset<F>(
    figures: &[F],
    stem: &str,
    files: &mut Files,
    draw_into: impl Fn(&F, &str, &mut Files) -> Result<Shown>,
    source: impl Fn(&F) -> &FigureSource,
) -> Result<Vec<Shown>> {
    let each = |figure: &F| {
        let more = format!("-{}", format::file_name(&source(figure).dataset));
        draw_into(figure, &more, &mut *files)
    };
    let shown: Vec<Shown> = figures.iter().map(each).collect::<Result<_>>()?;
    copy(files, shown.first(), stem);
    Ok(shown)
}

fn panel(dataset: &DatasetStudy, block: usize, references: &References) -> Panel {
    let title = dataset.blocks.get(block).map_or_else(String::new, |block| {
        let simulated = if block.data.simulated { ", simulated data" } else { "" };
        format!("{}, {}{simulated}", dataset.id, block.title)
    });
    let curves = curves::curves(dataset, block);
    let logs = overlay::logs(references, dataset, block, &curves);
    Panel { title, curves, logs, floor: None }
}

/// A name that no other picture has, even where two datasets' names differ in odd characters only.
fn free_stem(kind: &str, stem: &str, taken: &Files) -> String {
    let plain = format!("{kind}-{stem}");
    let numbered = (2..).map(|number| format!("{kind}-{stem}-{number}"));
    let mut stems = std::iter::once(plain.clone()).chain(numbered);
    stems.find(|stem| !taken.contains_key(&format!("{stem}.png"))).unwrap_or(plain)
}
