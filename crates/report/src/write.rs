//! From a folder of runs to a folder of files.

use crate::export::{latex, markdown};
use crate::html::{self, Picture};
use crate::plot::{Figure, Panel};
use crate::reference::References;
use crate::study::{DatasetStudy, Study};
use crate::{Error, Result, cost, curves, format, read_records, table2, table3, table3_overview};
use ctr_core::write_atomic;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Where to read and where to write.
#[derive(Clone, Debug)]
pub struct ReportOptions {
    /// Folder holding run directories with a `record.json` each, up to three levels deep.
    pub runs: PathBuf,
    /// Folder to write into; it is made if it does not exist. Files of other names stay.
    pub out: PathBuf,
}

/// What was written.
#[derive(Clone, Debug)]
pub struct ReportSummary {
    /// Runs that the tables count; copies of one run count once.
    pub runs: usize,
    /// Identifiers of the datasets, sorted.
    pub datasets: Vec<String>,
    /// The files, sorted.
    pub files: Vec<PathBuf>,
    /// Content of `table3.md`.
    pub table3_markdown: String,
    /// What was odd about the records, such as two of one seed; the report says it too.
    pub warnings: Vec<String>,
}

/// Reads the records below `options.runs` and writes `index.html`, `table2`, `table3` and `cost` (each
/// as `.md`, `.csv` and `.tex`), `learning_curves.png` with all datasets and one
/// `learning_curves-<dataset>-<protocol>.png` for each dataset and protocol.
///
/// Files depend on the records alone: the same records give the same bytes. Each file is replaced as a
/// whole or not at all.
///
/// # Errors
/// Everything [`read_records`] refuses, and files or pictures that cannot be written.
pub fn write_report(options: &ReportOptions) -> Result<ReportSummary> {
    let study = Study::new(&options.runs, read_records(&options.runs)?);
    let references = References::load()?;
    let mut files: BTreeMap<String, Vec<u8>> = BTreeMap::new();

    let statistics = table2::table(&study, &references);
    let mut results = table3::tables(&study, &references);
    results.splice(..0, table3_overview::table(&study, &references));
    let costs = cost::table(&study);
    let mut notes = table3::notes(&references);
    notes.extend(study.warnings.iter().cloned());
    let table3_markdown = markdown::document("Table 3", &results, &notes);
    let single = std::slice::from_ref;
    for (name, text) in [
        ("table2.md", markdown::document("Table 2", single(&statistics), &[])),
        ("table2.csv", table2::to_csv(&study, &references)),
        ("table2.tex", latex::document(single(&statistics), &[])),
        ("table3.md", table3_markdown.clone()),
        ("table3.csv", table3::to_csv(&study, &references)),
        ("table3.tex", latex::document(&results, &notes)),
        ("cost.md", markdown::document("Cost", single(&costs), &[])),
        ("cost.csv", cost::to_csv(&study)),
        ("cost.tex", latex::document(single(&costs), &[])),
    ] {
        files.insert(name.into(), text.into_bytes());
    }

    let mut overview = Vec::new();
    let mut pictures: Vec<(String, String, (u32, u32))> = Vec::new();
    for dataset in &study.datasets {
        for block in 0..dataset.blocks.len() {
            let whole = panel(dataset, block);
            let title = whole.title.clone();
            let mut panels = vec![panel(dataset, block)];
            if let Some(floor) = curves::floor(&whole.curves) {
                let title = format!("{title}: the leading models enlarged");
                panels.push(Panel { title, floor: Some(floor), ..panel(dataset, block) });
            }
            let figure = Figure { panels, across: 1 };
            let name = picture_name(dataset, block, &files);
            files.insert(name.clone(), figure.png(&name)?);
            pictures.push((name, title, figure.size()));
            overview.push(whole);
        }
    }
    let overview = Figure { panels: overview, across: 2 };
    files.insert("learning_curves.png".into(), overview.png("learning_curves.png")?);

    let embedded: Vec<Picture> = pictures
        .iter()
        .filter_map(|(name, title, size)| {
            Some(Picture { title: title.clone(), size: *size, file: files.get(name)? })
        })
        .collect();
    let page = html::render(&study, &references, &results, &statistics, &costs, &embedded)?;
    files.insert("index.html".into(), page.into_bytes());

    std::fs::create_dir_all(&options.out)
        .map_err(|source| Error::Folder { path: options.out.clone(), source })?;
    let mut written = Vec::new();
    for (name, content) in &files {
        let path = options.out.join(name);
        write_atomic(&path, content)?;
        written.push(path);
    }
    Ok(ReportSummary {
        runs: study.runs,
        datasets: study.datasets.iter().map(|dataset| dataset.id.clone()).collect(),
        files: written,
        table3_markdown,
        warnings: study.warnings,
    })
}

fn panel(dataset: &DatasetStudy, block: usize) -> Panel {
    let title = dataset.blocks.get(block).map_or_else(String::new, |block| {
        let simulated = if block.data.simulated { ", simulated data" } else { "" };
        format!("{}, {}{simulated}", dataset.id, block.title)
    });
    Panel { title, curves: curves::curves(dataset, block), floor: None }
}

/// A name that no other picture has, even where two datasets' names differ in odd characters only.
fn picture_name(dataset: &DatasetStudy, block: usize, taken: &BTreeMap<String, Vec<u8>>) -> String {
    let protocol = dataset.blocks.get(block).map_or("", |block| block.title.as_str());
    let stem = format::file_name(&format!("{}-{protocol}", dataset.id));
    let plain = format!("learning_curves-{stem}.png");
    let numbered = (2..).map(|number| format!("learning_curves-{stem}-{number}.png"));
    std::iter::once(plain).chain(numbered).find(|name| !taken.contains_key(name)).unwrap_or(stem)
}
