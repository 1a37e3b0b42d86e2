//! How the withdrawn numbers came about: what wrong ways to score add to a run's test gAUC.
//!
//! The values come from files of their own (`exhibits.json` beside a record) and are shown nowhere else.

use crate::changes;
use crate::export::csv;
use crate::format;
use crate::intervals::{Group, Interval, IntervalRow, Intervals, Series};
use crate::models;
use crate::results;
use crate::slices::Slice;
use crate::stats::{Effect, Summary};
use crate::study::{Cell, Run};
use crate::table::{Column, Entry, NONE, SourceRuns, Table};
use crate::{Error, Result};
use ctr_core::{EXHIBIT_FILE, EXHIBIT_SCHEMA_VERSION, ExhibitRecord, Protocol};
use std::collections::BTreeMap;
use std::path::Path;

/// A wrong way: its name in files, how tables call it, and what it is.
struct Way {
    id: &'static str,
    title: &'static str,
    text: &'static str,
}

const WAYS: [Way; 11] = [
    Way {
        id: "exhibit_a_attends_to_positive",
        title: "(a)",
        text: "(a) Authors' code of January 2018, behind the paper's 0.8818: the negative is scored with the \
               user vector that attended to the positive.",
    },
    Way {
        id: "exhibit_b_untrained_dice",
        title: "(b)",
        text: "(b) Their Dice code of January 2018: the negative goes through a Dice whose α never trained. That Dice \
               is dice_january_2018, which has no β; dice_authors is the one since December 2018, which has.",
    },
    Way {
        id: "exhibit_ab_january_2018",
        title: "(a) and (b)",
        text: "(a) and (b) together, as the Dice code of January 2018 had them; the log's best is 0.9049.",
    },
    Way {
        id: "exhibit_c_untrained_normalization",
        title: "(c)",
        text: "(c) Their code from December 2018 to June 2020 (0.8812 for DIN, 0.8921 with Dice): the \
               negative's user vector goes through a second normalization that never trained.",
    },
    Way {
        id: "exhibit_c_if_normalized_twice",
        title: "(c), if it had it",
        text: "(c), if it had it: BaseModel and PNN have one user vector for both candidates and normalize it once, so \
               (c) cannot touch them. This is what a second, untrained normalization would have done.",
    },
    Way {
        id: "exhibit_d_batch_statistics",
        title: "(d)",
        text: "(d) Mean and variance of the batch at test, as the Dice of mouna99/dien has them; here with positives and \
               negatives in batches of their own (512 rows).",
    },
    Way {
        id: "exhibit_e_peak_on_test",
        title: "(e)",
        text: "(e) The best of all test evaluations instead of the one that validation chose.",
    },
    Way {
        id: "exhibit_ae_peak",
        title: "(a), (e)",
        text: "(a), (e): the best test evaluation of a run that is scored as (a), as the log with the paper's \
               0.8818 is; for these the run was trained once more, to the same bits.",
    },
    Way { id: "exhibit_be_peak", title: "(b), (e)", text: "(b), (e): the same of (b)." },
    Way {
        id: "exhibit_abe_peak",
        title: "(a), (b), (e)",
        text: "(a), (b), (e): the same of (a) and (b) together, as the log with 0.9049 is.",
    },
    Way {
        id: "exhibit_ce_peak",
        title: "(c), (e)",
        text: "(c), (e): the same of (c), as the logs with 0.8812 and 0.8921 are.",
    },
];

/// The runs of one cell with their exhibits.
pub(crate) struct Shown<'a> {
    slice: &'a Slice<'a>,
    title: String,
    model: &'a str,
    runs: Vec<(&'a Run, ExhibitRecord)>,
}

impl Shown<'_> {
    fn added(&self, way: &Way) -> Option<Effect> {
        let values: Vec<f64> = self
            .runs
            .iter()
            .filter_map(|(_, exhibit)| Some(exhibit.exhibits.get(way.id)? - exhibit.test_gauc))
            .collect();
        Effect::over_seeds(&values)
    }

    fn clean(&self) -> Option<Summary> {
        let values: Vec<f64> = self.runs.iter().map(|(_, exhibit)| exhibit.test_gauc).collect();
        Summary::of(&values)
    }
}

/// All cells under the held-out protocol that have exhibits.
///
/// # Errors
/// A file that cannot be read or is none of this version.
pub(crate) fn read<'a>(runs: &Path, slices: &'a [Slice<'a>]) -> Result<Vec<Shown<'a>>> {
    let mut all = Vec::new();
    for slice in slices.iter().filter(|slice| slice.block.protocol == Protocol::HeldOut) {
        for (model, changes, cell) in slice.all() {
            let of_cell = of_cell(runs, cell)?;
            if of_cell.is_empty() {
                continue;
            }
            let mut title = models::title(model).to_string();
            if !changes.is_empty() {
                title = format!("{title}, {}", changes::words(&changes));
            }
            all.push(Shown { slice, title, model, runs: of_cell });
        }
    }
    all.sort_by_key(|shown| (shown.slice.dataset.id.clone(), models::rank(shown.model).0));
    Ok(all)
}

fn of_cell<'a>(runs: &Path, cell: &'a Cell) -> Result<Vec<(&'a Run, ExhibitRecord)>> {
    let mut found = Vec::new();
    for run in cell.runs.iter().filter(|run| run.finished()) {
        let path = runs.join(&run.folder).join(EXHIBIT_FILE);
        if !path.is_file() {
            continue;
        }
        let text = std::fs::read_to_string(&path)
            .map_err(|source| Error::Read { path: path.clone(), source })?;
        let fail = |reason: String| Error::Record { path: path.clone(), reason };
        let exhibit: ExhibitRecord =
            serde_json::from_str(&text).map_err(|error| fail(error.to_string()))?;
        if exhibit.schema_version != EXHIBIT_SCHEMA_VERSION {
            return Err(fail(format!(
                "schema version {}, this program reads {EXHIBIT_SCHEMA_VERSION}",
                exhibit.schema_version
            )));
        }
        if exhibit.run_id != run.record.run_id || exhibit.model_sha256 != run.record.model_sha256 {
            return Err(fail("it belongs to another run".into()));
        }
        found.push((run, exhibit));
    }
    Ok(found)
}

/// The cells by their slices, in order.
fn by_slice<'s, 'a>(all: &'s [Shown<'a>]) -> Vec<&'s [Shown<'a>]> {
    all.chunk_by(|one, other| std::ptr::eq(one.slice, other.slice)).collect()
}

/// One table a slice.
pub(crate) fn tables(all: &[Shown]) -> Vec<Table> {
    by_slice(all).into_iter().filter_map(table).collect()
}

fn table(of_slice: &[Shown]) -> Option<Table> {
    let slice = of_slice.first()?.slice;
    let shown: Vec<&Way> =
        WAYS.iter().filter(|way| of_slice.iter().any(|cell| cell.added(way).is_some())).collect();
    let mut columns = vec![Column::text("model"), Column::number("", "gAUC, scored right")];
    columns.extend(shown.iter().map(|way| Column::number("what the wrong way adds", way.title)));
    let row = |cell: &Shown| {
        let mut row = vec![Entry::from(cell.title.clone())];
        row.push(cell.clean().map_or(NONE.into(), |clean| format::gauc_summary(&clean)).into());
        row.extend(shown.iter().map(|way| {
            Entry::from(cell.added(way).map_or(NONE.into(), |added| {
                let half = added.interval.map_or(String::new(), |(low, high)| {
                    format!(" ± {}", format::gauc((high - low) / 2.0))
                });
                format!("{}{half}", format::signed(added.mean, 4))
            }))
        }));
        row
    };
    let sources = of_slice.iter().map(|cell| SourceRuns {
        title: cell.title.clone(),
        runs: cell.runs.iter().map(|(run, _)| run.record.run_id.clone()).collect(),
    });
    let mut notes: Vec<String> = shown.iter().map(|way| way.text.to_string()).collect();
    notes.push(
        "Added to the same runs' test gAUC with the same weights; ± is half of Student's 95% interval over \
         seeds."
            .into(),
    );
    notes.push(
        "The code of 2018 had no u ⊙ i in DIN and its own Dice: its rows here are DIN with product = false, and with \
         network.activation = dice_january_2018. The paper's Dice (DIN with Dice) was in none of it."
            .into(),
    );
    notes.extend(slice.signature().map(|signature| format!("Scored right: {signature}")));
    Some(Table {
        id: format!("exhibits-{}", slice.stem()),
        caption: format!("Scored wrong on purpose, on {}.", crate::comparison_table::data(slice)),
        alert: results::simulated_alert(slice.dataset),
        protocol: None,
        columns,
        rows: of_slice.iter().map(row).collect(),
        notes,
        sources: sources.collect(),
    })
}

/// What each wrong way adds, by model: a color for each dataset.
pub(crate) fn figure(all: &[Shown]) -> Intervals {
    let slices = by_slice(all);
    let series: Vec<Series> = slices
        .iter()
        .enumerate()
        .filter_map(|(index, of_slice)| {
            let slice = of_slice.first()?.slice;
            let color = models::series_color(index);
            Some(Series { title: slice.title(), color, mark: index })
        })
        .collect();
    let mut groups = Vec::new();
    for way in &WAYS {
        let mut rows: BTreeMap<(usize, String), IntervalRow> = BTreeMap::new();
        for (index, of_slice) in slices.iter().enumerate() {
            for cell in *of_slice {
                let Some(added) = cell.added(way) else { continue };
                let key = (models::rank(cell.model).0, cell.title.clone());
                let row = rows.entry(key).or_insert_with(|| IntervalRow {
                    label: cell.title.clone(),
                    values: Vec::new(),
                });
                let interval = added.interval;
                row.values.push(Interval { series: index, value: added.mean, interval });
            }
        }
        if !rows.is_empty() {
            let heading = way.text.split(&[':', ';'][..]).next().unwrap_or(way.title);
            groups.push(Group { heading: heading.into(), rows: rows.into_values().collect() });
        }
    }
    Intervals {
        title: "What wrong ways to score add to test gAUC".into(),
        axis: "wrong minus right, gAUC".into(),
        series,
        groups,
        reference: Some(0.0),
        band: None,
        interval: "95% interval over seeds",
    }
}

/// All digits, one line a run and way.
pub(crate) fn values(all: &[Shown]) -> csv::Values {
    let header = [
        "dataset",
        "protocol",
        "content_sha256",
        "preset",
        "model",
        "variant",
        "seed",
        "run_id",
        "exhibit",
        "test_gauc",
        "exhibit_gauc",
    ];
    let mut lines = Vec::new();
    for cell in all {
        for (run, exhibit) in &cell.runs {
            for (name, value) in &exhibit.exhibits {
                lines.push(vec![
                    cell.slice.dataset.id.clone(),
                    cell.slice.block.protocol.to_string(),
                    cell.slice.block.data.content_sha256.clone(),
                    cell.slice.preset.to_string(),
                    cell.model.to_string(),
                    cell.title.clone(),
                    run.record.seed.to_string(),
                    run.record.run_id.clone(),
                    name.clone(),
                    csv::number(Some(exhibit.test_gauc)),
                    csv::number(Some(*value)),
                ]);
            }
        }
    }
    csv::Values::new(&header, lines)
}
