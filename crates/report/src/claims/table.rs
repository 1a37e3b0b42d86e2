//! Verdicts as tables: one for each dataset, protocol and preset, and all of them at a glance.

use super::decide::{Decision, Measured, Verdict};
use super::definition::{Claim, Test};
use crate::comparison_table;
use crate::export::csv;
use crate::format;
use crate::models;
use crate::reference::{CORRECTED, PAPER, PublishedTable, References};
use crate::results;
use crate::slices::Slice;
use crate::table::{Column, Entry, NONE, SourceRuns, Table};
use ctr_metrics::Resampling;
use std::collections::BTreeMap;

/// The decisions of a slice.
pub(crate) struct Decided<'a> {
    pub slice: &'a Slice<'a>,
    pub decisions: Vec<Decision<'a>>,
}

/// The difference that the paper prints for two rows, and what the authors corrected it to.
fn published(claim: &Claim, slice: &Slice, references: &References) -> (Option<f64>, Option<f64>) {
    let Some(rows) = &claim.published else { return (None, None) };
    let difference = |part: Option<&PublishedTable>| {
        let part = part?;
        Some(part.row(&rows.higher)?.gauc? - part.row(&rows.lower)?.gauc?)
    };
    if rows.table != "3" {
        return (difference(references.paper_table(&rows.table)), None);
    }
    let part = |source| {
        references
            .table3(source, &slice.dataset.id, slice.dataset.simulated())
            .map(|(part, _)| part)
    };
    let (paper, corrected) = (difference(part(PAPER)), difference(part(CORRECTED)));
    (paper, corrected.filter(|value| Some(*value) != paper))
}

fn text(measured: &Measured, value: f64) -> String {
    match measured {
        Measured::Gauc(_) => format::signed(value, 4),
        Measured::Percent(_) => format::percent(value),
        Measured::Spread { .. } => format!("{value:.5}"),
    }
}

/// One table a slice.
pub(crate) fn table(decided: &Decided, references: &References) -> Table {
    let slice = decided.slice;
    let mut rows = Vec::new();
    let mut sources = Vec::new();
    for decision in &decided.decisions {
        let measured = &decision.measured;
        let (value, interval) = measured.values();
        let ends = interval
            .map(|(low, high)| format!("{} to {}", text(measured, low), text(measured, high)));
        let (paper, corrected) = published(decision.claim, slice, references);
        let stated = match &decision.claim.test {
            Test::RelaImpr { percent, .. } => format::percent(*percent),
            Test::Gain { by, .. } => format::signed(*by, 4),
            _ => NONE.into(),
        };
        let paper = match (paper, corrected) {
            (None, _) => stated,
            (Some(paper), None) => format::signed(paper, 4),
            (Some(paper), Some(corrected)) => {
                format!("{}; {}", format::signed(paper, 4), format::signed(corrected, 4))
            }
        };
        let basis = match measured.users() {
            Some(users) => format!("{} × {} users", measured.n(), format::count(users as u64)),
            None => format!("{}", measured.n()),
        };
        rows.push(
            [
                decision.claim.text.clone(),
                decision.claim.section.clone(),
                paper,
                text(measured, value),
                ends.unwrap_or_else(|| NONE.into()),
                decision.p_holm.map_or(NONE.into(), format::p_value),
                basis,
                decision.verdict.to_string(),
            ]
            .map(Entry::from)
            .to_vec(),
        );
        sources
            .push(SourceRuns { title: decision.claim.text.clone(), runs: decision.runs.clone() });
    }
    Table {
        id: format!("claims-{}", slice.stem()),
        caption: format!("Claims on {}.", comparison_table::data(slice)),
        alert: results::simulated_alert(slice.dataset),
        protocol: Some(slice.block.protocol),
        columns: vec![
            Column::text("claim"),
            Column::text("section"),
            Column::number("difference", "paper; corrected"),
            Column::number("difference", "ours"),
            Column::number("difference", "95% interval"),
            Column::number("", "p (Holm)"),
            Column::number("", "seeds × users"),
            Column::text("verdict"),
        ],
        rows,
        notes: std::iter::once(format!("Signature: {}", signature(decided)))
            .chain(diverged(decided))
            .collect(),
        sources,
    }
}

/// Rows with runs that have no result: the verdicts are about the others.
fn diverged(decided: &Decided) -> Option<String> {
    let slice = decided.slice;
    let mut titled: Vec<results::Titled> = Vec::new();
    for row in decided.decisions.iter().flat_map(|decision| decision.claim.test.rows()) {
        let Some(cell) = slice.find(row) else { continue };
        if !titled.iter().any(|(_, known)| std::ptr::eq(*known, cell)) {
            titled.push((format!("{} {}", models::title(&row.model), row.regularizer), cell));
        }
    }
    results::diverged_note(&slice.column(), &titled)
}

/// That of the numbers behind the verdicts: of a run, with the numbers of seeds and without what differs.
fn signature(decided: &Decided) -> String {
    let counts: Vec<usize> =
        decided.decisions.iter().map(|decision| decision.measured.n()).collect();
    let (low, high) = (counts.iter().min().copied(), counts.iter().max().copied());
    let seeds = match (low.unwrap_or(0), high.unwrap_or(0)) {
        (low, high) if low == high => low.to_string(),
        (low, high) => format!("{low}-{high}"),
    };
    decided.slice.signature().map_or_else(String::new, |signature| {
        signature.set("seeds", seeds).set("reg", "as-claimed").to_string()
    })
}

/// All verdicts in one table: claims in the paper's order below and slices beside one another, real data first.
pub(crate) fn overview(claims: &[Claim], decided: &[Decided]) -> Option<Table> {
    if decided.is_empty() {
        return None;
    }
    let mut all: Vec<&Decided> = decided.iter().collect();
    all.sort_by_key(|decided| decided.slice.block.data.simulated);
    let is_decided = |claim: &&Claim| {
        all.iter().flat_map(|of| &of.decisions).any(|decision| decision.claim.id == claim.id)
    };
    let claims = claims.iter().filter(is_decided);
    let columns = all.iter().map(|decided| {
        let simulated = if decided.slice.block.data.simulated { ", simulated" } else { "" };
        Column::text(&format!(
            "{}, {}{simulated}",
            decided.slice.dataset.id,
            decided.slice.column()
        ))
        .of(decided.slice.block.protocol)
    });
    let rows = claims.map(|claim| {
        let verdict = |decided: &&Decided| {
            let of_claim = decided.decisions.iter().find(|of| of.claim.id == claim.id);
            of_claim.map_or(NONE.into(), |decision| {
                let mark = match decision.verdict {
                    Verdict::Holds => "✔",
                    Verdict::DoesNotHold => "✘",
                    Verdict::NotDecided => "?",
                };
                let (value, _) = decision.measured.values();
                format!("{mark} {} ({})", decision.verdict, text(&decision.measured, value))
            })
        };
        let verdicts = all.iter().map(verdict).map(Entry::from);
        std::iter::once(Entry::from(claim.text.as_str())).chain(verdicts).collect()
    });
    Some(Table {
        id: "claims".into(),
        caption: "What the paper states, and what of it holds here, with the difference that was measured."
            .into(),
        columns: std::iter::once(Column::text("claim")).chain(columns).collect(),
        rows: rows.collect(),
        ..Table::default()
    })
}

/// What every reader of verdicts has to know.
pub(crate) fn notes(resampling: Resampling) -> Vec<String> {
    vec![
        "An order of two rows holds, or does not, when the 95% interval of the difference lies on one side of 0 and \
         p is below 0.05 after Holm's correction over the orders of the same part of the paper on the same data. \
         A size holds when the interval has it inside and reaches not far beyond, and does not when it lies \
         outside; a bound is judged by the whole interval. Not decided: more seeds or users could turn it either way. One seed \
         never decides."
            .into(),
        format!(
            "Differences in test gAUC of two models: mean over pairs of runs with the same seed, or of all runs where \
             no seed is common. Interval: bootstrap over users and seeds ({} resamples, seed {}; deviations of seeds \
             are widened toward Student's, for they are few). p: the largest of the bootstrap's, of a permutation test over \
             users, and of Student's t with the standard error of users and seeds together. Where no users are named \
             interval and p are Student's over seeds. Of several settings of a row validation chose one.",
            format::count(resampling.resamples as u64),
            resampling.seed
        ),
        "A verdict is about this dataset under this protocol and preset, not about the paper's own data.".into(),
        "Under the protocol authors each value is the best of its test evaluations; intervals know nothing of that \
         choice."
            .into(),
        "The paper's differences are those of its table on its own dataset; a second number is what the \
         authors corrected it to."
            .into(),
    ]
}

const HEADER: [&str; 18] = [
    "claim",
    "family",
    "section",
    "text",
    "dataset",
    "protocol",
    "content_sha256",
    "preset",
    "paper",
    "corrected",
    "value",
    "low",
    "high",
    "p_holm",
    "n",
    "users",
    "verdict",
    "run_ids",
];

/// All digits.
pub(crate) fn values(all: &[Decided], references: &References) -> csv::Values {
    let mut lines = Vec::new();
    for decided in all {
        let block = decided.slice.block;
        for decision in &decided.decisions {
            let (value, interval) = decision.measured.values();
            let (paper, corrected) = published(decision.claim, decided.slice, references);
            lines.push(vec![
                decision.claim.id.clone(),
                decision.claim.family.clone(),
                decision.claim.section.clone(),
                decision.claim.text.clone(),
                decided.slice.dataset.id.clone(),
                block.protocol.to_string(),
                block.data.content_sha256.clone(),
                decided.slice.preset.to_string(),
                csv::number(paper),
                csv::number(corrected),
                csv::number(Some(value)),
                csv::number(interval.map(|ends| ends.0)),
                csv::number(interval.map(|ends| ends.1)),
                csv::number(decision.p_holm),
                decision.measured.n().to_string(),
                decision.measured.users().map_or(String::new(), |users| users.to_string()),
                decision.verdict.to_string(),
                decision.runs.join(" "),
            ]);
        }
    }
    csv::Values::new(&HEADER, lines)
}

/// How many verdicts of each kind, for the head of the page.
pub(crate) fn counts(all: &[Decided]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for decision in all.iter().flat_map(|decided| &decided.decisions) {
        *counts.entry(decision.verdict.to_string()).or_default() += 1;
    }
    counts
}
