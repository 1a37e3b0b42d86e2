//! From a folder of runs to a folder of files.

use crate::comparison_table::{self, ComparisonTable};
use crate::evidence::{Background, Evidence};
use crate::export::csv::Values;
use crate::export::{latex, markdown};
use crate::html::{self, Contents};
use crate::pictures::{self, Files};
use crate::reference::References;
use crate::slices;
use crate::study::Study;
use crate::table::Table;
use crate::tuning;
use crate::variants::Usual;
use crate::{
    Result, cost, exhibits, figure5, figure6, histograms, overlay, read_records, stored, throughput,
};
use crate::{
    ab_test, ablations, ablations_table, claims, table1, table2, table3, table3_overview, table4,
    table5, tuning_table,
};
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
/// Numbers in `options.out` are shown too: `activation-*.json` and `embedding-*.json` as figures 5 and 6, and
/// `data_histograms.json`. Tables are also written as `.json`, and pictures as `.svg`.
///
/// The same records and the same such numbers give the same bytes. Each file is replaced as a
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
    let (activation, embedding) = (figure5::read(&options.out)?, figure6::read(&options.out)?);
    let histograms = histograms::read(&options.out)?;
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
        claims: claims::overview(&claims, &decided),
        claims_by_data: decided.iter().map(|decided| claims::table(decided, &references)).collect(),
        table1: table1::tables(study, &references),
        table2: table2::table(study, &references),
        table3_glance: results.first().and_then(table3_overview::glance),
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
        figure5_notes: activation.iter().map(figure5::notes).collect(),
        figure6_notes: embedding.iter().map(figure6::notes).collect(),
    };
    let single = std::slice::from_ref;
    let mut tables_markdown = String::new();
    let mut table3_markdown = String::new();
    for (number, tables, values, notes) in [
        ("1", contents.table1.as_slice(), table1::values(study, &references), Vec::new()),
        ("2", single(&contents.table2), table2::values(study, &references), Vec::new()),
        ("3", &contents.table3, table3::values(&models, &references), table3_notes),
        ("4", &contents.table4, comparison_table::values(&regularizers), table4::notes()),
        ("5", &contents.table5, comparison_table::values(&ad_logs), table5::notes()),
    ] {
        if tables.is_empty() {
            continue;
        }
        let (stem, title) = (format!("table{number}"), format!("Table {number}"));
        let markdown = document(&mut files, &stem, &title, tables, &values, &notes);
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
        let values = claims::values(&decided, &references);
        document(&mut files, "claims", "Claims of the paper", &all, &values, &notes);
    }
    if !contents.ablations.is_empty() {
        let (tables, notes) = (&contents.ablations, &contents.ablations_notes);
        let values = ablations_table::values(&ablations);
        let markdown = document(&mut files, "ablations", "Ablations", tables, &values, notes);
        tables_markdown += &format!("\n{markdown}");
    }
    if !contents.tuning.is_empty() {
        let notes = tuning_table::notes();
        let values = tuning_table::values(&searches);
        let markdown = document(&mut files, "tuning", "Tuning", &contents.tuning, &values, &notes);
        tables_markdown += &format!("\n{markdown}");
    }
    if !contents.exhibits.is_empty() {
        let values = exhibits::values(&exhibits);
        document(&mut files, "exhibits", "Exhibits", &contents.exhibits, &values, &[]);
    }
    if let Some(table) = &contents.ab_test {
        let text = markdown::document("Online A/B test, simulated", single(table), &[]);
        files.insert("ab_test.md".into(), text.into_bytes());
    }
    let cost = &[contents.cost.clone(), contents.throughput.clone()];
    document(&mut files, "cost", "Cost", cost, &cost::values(study), &[]);

    let curves = pictures::learning_curves(&models, &references, &mut files)?;
    let figures = pictures::regularization(&slices, &mut files)?;
    let parts = pictures::parts(&ablations, &mut files)?;
    let wrong = pictures::wrong_ways(&exhibits, &mut files)?;
    let of_data = histograms.iter().map(|figure| histograms::draw_into(figure, &mut files));
    let of_data = of_data.collect::<Result<Vec<_>>>()?;
    let figure5 = pictures::one_a_dataset(
        &activation,
        figure5::STEM,
        &mut files,
        figure5::draw_into,
        |of| &of.source,
    )?;
    let figure6 =
        pictures::one_a_dataset(&embedding, figure6::STEM, &mut files, figure6::draw_into, |of| {
            &of.source
        })?;
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
            curves: pictures::embed(&curves, &files),
            figure4: pictures::embed(&figures, &files),
            ablations: pictures::embed(&parts, &files),
            exhibits: pictures::embed(&wrong, &files),
            data: pictures::embed(&of_data, &files),
            figure5: pictures::embed(&figure5, &files),
            figure6: pictures::embed(&figure6, &files),
        },
    )?;
    files.insert("index.html".into(), page.into_bytes());

    let written = stored::write(&files, &options.out)?;
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
    values: &Values,
    notes: &[String],
) -> String {
    let markdown = markdown::document(title, tables, notes);
    files.insert(format!("{stem}.md"), markdown.clone().into_bytes());
    files.insert(format!("{stem}.csv"), values.csv().into_bytes());
    files.insert(format!("{stem}.json"), values.json().into_bytes());
    files.insert(format!("{stem}.tex"), latex::document(tables, notes).into_bytes());
    markdown
}
