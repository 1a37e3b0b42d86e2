//! From a folder of runs to a folder of files.

use crate::ablations::Ablations;
use crate::comparison_table::{self, ComparisonTable};
use crate::evidence::{Background, Evidence};
use crate::export::{latex, markdown};
use crate::html::{self, Contents, Picture};
use crate::plot::{Figure, Panel};
use crate::reference::References;
use crate::slices::{self, Slice};
use crate::study::{DatasetStudy, Study};
use crate::table::Table;
use crate::tuning;
use crate::variants::Usual;
use crate::{
    Error, Result, cost, curves, exhibits, figure4, format, overlay, read_records, throughput,
};
use crate::{
    ab_test, ablations, ablations_figure, ablations_table, claims, table1, table2, table3,
    table3_overview, table4, table5, tuning_table,
};
use ctr_core::write_atomic;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// How the files of figure 4 begin.
const FIGURE4: &str = "figure4_regularization";

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
    /// Runs that were read; copies of one run count once.
    pub runs: usize,
    /// Identifiers of the datasets, sorted.
    pub datasets: Vec<String>,
    /// The files, sorted.
    pub files: Vec<PathBuf>,
    /// Content of `table3.md`; empty if there is none.
    pub table3_markdown: String,
    /// Tables 3, 4, 5 and those of ablations and tuning in one text, as far as there are runs for them.
    pub tables_markdown: String,
    /// The verdict on each claim that has runs, by dataset, protocol and preset.
    pub verdicts: Vec<claims::ClaimVerdict>,
    /// What was odd about the records, such as two of one seed; the report says it too.
    pub warnings: Vec<String>,
}

/// The files to write, by name.
type Files = BTreeMap<String, Vec<u8>>;

/// Reads the records below `options.runs` and writes `index.html`, tables 1 to 5 and `cost` (each as
/// `.md`, `.csv` and `.tex`) and pictures: `learning_curves.png` with all datasets of table 3, one
/// `learning_curves-<dataset>-<protocol>.png` for each dataset and protocol of it,
/// `figure4_regularization-<dataset>.png` for each dataset of table 4 and a copy of the first of them, or
/// of that of the ad log, as `figure4_regularization.png`. What has no runs is not written.
///
/// `claims` (`.md`, `.csv`, `.tex`) has the verdicts on what the paper states; `background` gives the test rows
/// that they are decided on and the settings that runs may differ from.
///
/// Where a model was run with changed settings, `ablations` (also as `.md`, `.csv`, `.tex` and `.png`) says what
/// each change is worth.
///
/// Where several settings were tried for a model, `tuning` (also as `.md`, `.csv` and `.tex`) says which,
/// and what validation chose; those that lost are not in table 3.
///
/// `exhibits` (also `.csv`, `.tex`, `.png`) has what wrong ways to score add, where runs have them.
///
/// `ab_test.json` in `options.out`, which `din-repro ab-test` writes there, is shown too and told in
/// `ab_test.md`.
///
/// Files depend on the records alone: the same records give the same bytes. Each file is replaced as a
/// whole or not at all.
///
/// # Errors
/// Everything [`read_records`] refuses, and files or pictures that cannot be written.
pub fn write_report(options: &ReportOptions, background: &Background) -> Result<ReportSummary> {
    let records = read_records(&options.runs)?;
    let usual = Usual::new(background.defaults);
    let evidence = Evidence::new(&options.runs, background);
    let study = |records| {
        let mut study = Study::new(&options.runs, records);
        study.measure_users(&evidence);
        study
    };
    let (of_table3, left_out) = slices::for_table3(&records, &usual);
    let all = study(records.clone());
    let searches = tuning::searches(&all, background.defaults);
    let only_tried = tuning::only_tried(&searches);
    let models = study(tuning::without(of_table3, &only_tried));
    let unlike = tuning::unlike_regularized(&searches);
    let comparable = study(tuning::without(records, &unlike));
    let claims = claims::load()?;
    let slices = slices::slices(&comparable, &usual);
    let decided = claims::decide(&claims, &slices, &evidence);
    let ablations = ablations::ablations(&slices, &evidence);
    let exhibits = exhibits::read(&options.runs, &slices)?;
    let study = &all;
    let warnings = [study.warnings.clone(), evidence.warnings()].concat();
    let references = References::load()?;
    let mut files = Files::new();

    let mut results = table3::tables(&models, &references, &left_out);
    tuning_table::note_left_out(&mut results, &only_tried);
    results.splice(..0, table3_overview::table(&models, &references));
    let mut table3_notes = table3::notes(&references);
    table3_notes.extend(warnings.iter().cloned());
    let regularizers = table4::tables(&slices, &references);
    let ad_logs = table5::tables(&slices, &references);
    let tables = |of: &[ComparisonTable]| of.iter().map(ComparisonTable::table).collect();
    let contents = Contents {
        claims: claims::overview(&decided),
        claims_by_data: decided.iter().map(|decided| claims::table(decided, &references)).collect(),
        table1: table1::tables(study, &references),
        table2: table2::table(study, &references),
        table3: results,
        table4: tables(&regularizers),
        table5: tables(&ad_logs),
        ab_test: ab_test::read(&options.out)?.as_ref().map(ab_test::table),
        ablations: ablations_table::tables(&ablations),
        ablations_notes: ablations_table::notes(),
        tuning: tuning_table::tables(&searches),
        exhibits: exhibits::tables(&exhibits),
        cost: cost::table(study),
        throughput: throughput::published(&references),
        logs_note: overlay::note(&models, &references),
    };
    let single = std::slice::from_ref;
    let mut tables_markdown = String::new();
    let mut table3_markdown = String::new();
    for (number, tables, csv, notes) in [
        ("1", contents.table1.as_slice(), table1::to_csv(study, &references), Vec::new()),
        ("2", single(&contents.table2), table2::to_csv(study, &references), Vec::new()),
        ("3", &contents.table3, table3::to_csv(&models, &references), table3_notes),
        ("4", &contents.table4, comparison_table::to_csv(&regularizers), table4::notes()),
        ("5", &contents.table5, comparison_table::to_csv(&ad_logs), table5::notes()),
    ] {
        if tables.is_empty() {
            continue;
        }
        let (stem, title) = (format!("table{number}"), format!("Table {number}"));
        let markdown = document(&mut files, &stem, &title, tables, csv, &notes);
        if matches!(number, "3" | "4" | "5") {
            if !tables_markdown.is_empty() {
                tables_markdown.push('\n');
            }
            tables_markdown.push_str(&markdown);
        }
        if number == "3" {
            table3_markdown.clone_from(&markdown);
        }
    }
    if let Some(table) = &contents.claims {
        let all: Vec<_> = single(table).iter().chain(&contents.claims_by_data).cloned().collect();
        let notes = claims::notes(evidence.resampling());
        let csv = claims::to_csv(&decided, &references);
        document(&mut files, "claims", "Claims of the paper", &all, csv, &notes);
    }
    if !contents.ablations.is_empty() {
        let (tables, notes) = (&contents.ablations, &contents.ablations_notes);
        let csv = ablations_table::to_csv(&ablations);
        let markdown = document(&mut files, "ablations", "Ablations", tables, csv, notes);
        tables_markdown += &format!("\n{markdown}");
    }
    if !contents.tuning.is_empty() {
        let notes = tuning_table::notes();
        let csv = tuning_table::to_csv(&searches);
        let markdown = document(&mut files, "tuning", "Tuning", &contents.tuning, csv, &notes);
        tables_markdown += &format!("\n{markdown}");
    }
    let mut wrong = Vec::new();
    if !contents.exhibits.is_empty() {
        let csv = exhibits::to_csv(&exhibits);
        document(&mut files, "exhibits", "Exhibits", &contents.exhibits, csv, &[]);
        let (figure, name) = (exhibits::figure(&exhibits), "exhibits.png");
        files.insert(name.into(), figure.png(name)?);
        let size = figure.size();
        wrong.push(Drawn { name: name.into(), title: figure.title, size });
    }
    if let Some(table) = &contents.ab_test {
        let text = markdown::document("Online A/B test, simulated", single(table), &[]);
        files.insert("ab_test.md".into(), text.into_bytes());
    }
    let cost = &[contents.cost.clone(), contents.throughput.clone()];
    document(&mut files, "cost", "Cost", cost, cost::to_csv(study), &[]);

    let curves = learning_curves(&models, &references, &mut files)?;
    let figures = regularization(&slices, &mut files)?;
    let parts = parts(&ablations, &mut files)?;
    let page = html::render(
        study,
        &warnings,
        &references,
        &contents,
        &html::Verdicts {
            notes: claims::notes(evidence.resampling()),
            counts: claims::counts(&decided),
        },
        &html::Pictures {
            curves: embed(&curves, &files),
            figure4: embed(&figures, &files),
            ablations: embed(&parts, &files),
            exhibits: embed(&wrong, &files),
        },
    )?;
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
        tables_markdown,
        verdicts: claims::verdicts(&decided),
        warnings,
    })
}

/// Puts tables among the files as Markdown, CSV and LaTeX, and gives the Markdown.
fn document(
    files: &mut Files,
    stem: &str,
    title: &str,
    tables: &[Table],
    csv: String,
    notes: &[String],
) -> String {
    let markdown = markdown::document(title, tables, notes);
    files.insert(format!("{stem}.md"), markdown.clone().into_bytes());
    files.insert(format!("{stem}.csv"), csv.into_bytes());
    files.insert(format!("{stem}.tex"), latex::document(tables, notes).into_bytes());
    markdown
}

/// A picture among the files.
struct Drawn {
    name: String,
    title: String,
    size: (u32, u32),
}

fn embed<'a>(drawn: &[Drawn], files: &'a Files) -> Vec<Picture<'a>> {
    let picture = |drawn: &Drawn| {
        let file = files.get(&drawn.name)?;
        Some(Picture { title: drawn.title.clone(), size: drawn.size, file })
    };
    drawn.iter().filter_map(picture).collect()
}

/// Draws the curves of each dataset and protocol, and all of them in one picture.
fn learning_curves(
    study: &Study,
    references: &References,
    files: &mut Files,
) -> Result<Vec<Drawn>> {
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
            let name = picture_name("learning_curves", &stem, files);
            files.insert(name.clone(), figure.png(&name)?);
            pictures.push(Drawn { name, title, size: figure.size() });
            overview.push(whole);
        }
    }
    if !overview.is_empty() {
        let overview = Figure { panels: overview, across: 2 };
        files.insert("learning_curves.png".into(), overview.png("learning_curves.png")?);
    }
    Ok(pictures)
}

/// Draws figure 4 of each slice that has a table 4, and copies that of the paper's kind of data.
fn regularization(slices: &[Slice], files: &mut Files) -> Result<Vec<Drawn>> {
    let mut pictures = Vec::new();
    let compared = || slices.iter().filter(|slice| slice.compares_regularizers());
    for slice in compared() {
        let figure = figure4::regularization(slice);
        let name = picture_name(FIGURE4, &slice.stem(), files);
        files.insert(name.clone(), figure.png(&name)?);
        pictures.push(Drawn { name, title: slice.title(), size: figure.size() });
    }
    let main = compared().position(Slice::is_alibaba_kin).unwrap_or(0);
    let file = pictures.get(main).and_then(|picture| files.get(&picture.name)).cloned();
    files.extend(file.map(|file| (format!("{FIGURE4}.png"), file)));
    Ok(pictures)
}

/// Draws the ablations of all slices.
fn parts(ablations: &[Ablations], files: &mut Files) -> Result<Vec<Drawn>> {
    let Some(figure) = ablations_figure::figure(ablations) else { return Ok(Vec::new()) };
    let name = "ablations.png".to_string();
    files.insert(name.clone(), figure.png(&name)?);
    Ok(vec![Drawn { name, title: figure.title.clone(), size: figure.size() }])
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
fn picture_name(kind: &str, stem: &str, taken: &Files) -> String {
    let plain = format!("{kind}-{stem}.png");
    let numbered = (2..).map(|number| format!("{kind}-{stem}-{number}.png"));
    let mut names = std::iter::once(plain.clone()).chain(numbered);
    names.find(|name| !taken.contains_key(name)).unwrap_or(plain)
}
