//! Where published numbers come from, for the end of the page: every source with all that is taken from it.

use crate::format;
use crate::reference::{PublishedRow, PublishedTable, Reference, References};
use crate::table::NONE;
use serde::Serialize;

/// One source of published numbers.
#[derive(Serialize)]
pub(crate) struct SourceDetails {
    title: String,
    citation: String,
    url: String,
    note: String,
    tables: Vec<PublishedDetails>,
    /// What is taken from it and shown elsewhere on the page.
    elsewhere: Vec<String>,
}

/// One published table.
#[derive(Serialize)]
struct PublishedDetails {
    title: String,
    note: String,
    rows: Vec<[String; 6]>,
}

/// All sources, in the order of the files.
pub(crate) fn sources(references: &References) -> Vec<SourceDetails> {
    let source = |reference: &Reference| SourceDetails {
        title: reference.source.title.clone(),
        citation: reference.source.citation.clone(),
        url: reference.source.url.clone(),
        note: reference.source.note.clone(),
        tables: reference
            .results
            .iter()
            .map(|part| PublishedDetails {
                title: format!("Table {}, {}", part.table, references.dataset_title(&part.dataset)),
                note: part.note.clone(),
                rows: part.rows.iter().map(|row| cells(part, row)).collect(),
            })
            .collect(),
        elsewhere: elsewhere(reference),
    };
    references.0.iter().map(source).collect()
}

fn cells(part: &PublishedTable, row: &PublishedRow) -> [String; 6] {
    let digits = |value: Option<f64>| value.map_or(NONE.into(), |v| v.to_string());
    let spread = row.auc_std.map_or(String::new(), |std| format!(" ± {std}"));
    [
        row.title.clone(),
        row.gauc.map_or(NONE.into(), as_printed),
        part.rela_impr(row).map_or(NONE.into(), format::percent),
        digits(row.auc) + &spread,
        digits(row.log_loss),
        if row.withdrawn { "withdrawn by the authors".into() } else { row.note.clone() },
    ]
}

/// With the digits of the source, which has four or six.
fn as_printed(gauc: f64) -> String {
    let beyond = (gauc * 1e4).fract();
    if beyond.abs() < 1e-9 || beyond > 1.0 - 1e-9 {
        format::gauc(gauc)
    } else {
        format!("{gauc:.6}")
    }
}

fn elsewhere(reference: &Reference) -> Vec<String> {
    let mut lines = Vec::new();
    lines.extend(
        reference
            .datasets
            .iter()
            .map(|counts| format!("Table 2 has its counts of {}. {}", counts.title, counts.note)),
    );
    lines.extend(reference.features.iter().map(|features| {
        format!("Table 1 has its fields of {}. {}", features.dataset, features.note)
    }));
    lines.extend(reference.curves.iter().map(|curve| {
        format!(
            "Learning curve of {} on {}: {} of {} evaluations, batch {}, {}.",
            curve.title,
            curve.dataset,
            curve.points.len(),
            format::count(curve.evaluations),
            curve.batch_size,
            curve.note
        )
    }));
    lines.extend(reference.throughputs.iter().map(|speed| {
        format!(
            "Throughput, in the section on cost: {}, {}, batch {}: {} rows a second ({}).",
            speed.model,
            speed.machine,
            speed.batch,
            format::count(speed.rows_per_second),
            speed.source
        )
    }));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_taken_from_a_source_is_left_unnamed() {
        let references = References::load().unwrap();
        let sources = sources(&references);
        assert_eq!(sources.len(), references.0.len());
        for (source, reference) in sources.iter().zip(&references.0) {
            let rows: usize = source.tables.iter().map(|table| table.rows.len()).sum();
            assert_eq!(rows, reference.results.iter().map(|part| part.rows.len()).sum::<usize>());
            assert!(rows + source.elsewhere.len() > 0, "{}", source.title);
        }
        let dien = sources.iter().find(|source| source.title == "DIEN's paper").unwrap();
        let din = dien.tables[0].rows.iter().find(|row| row[0] == "DIN").unwrap();
        assert_eq!(din[1..4], [NONE, NONE, "0.7603 ± 0.00028"]);
    }

    #[test]
    fn digits_are_those_of_the_source() {
        assert_eq!(as_printed(0.8624), "0.8624");
        assert_eq!(as_printed(0.878_957), "0.878957");
    }
}
