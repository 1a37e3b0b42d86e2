//! What tables 4 and 5 share: rows of the paper, each with the setting that validation chose among ours.

use crate::choice::Choice;
use crate::comparison::{Comparison, over};
use crate::export::csv;
use crate::format;
use crate::reference::{PublishedRow, PublishedTable};
use crate::results::{
    self, Titled, comparison_columns, diverged_note, gauc_text, mean_metric, percent_text,
    signature_notes, source_runs, unlike_notes,
};
use crate::slices::Slice;
use crate::study::{Cell, Run};
use crate::table::{self, Column, Entry, NONE, Table};
use ctr_core::{Ceiling, Protocol};
use ctr_metrics::rela_impr;
use std::collections::BTreeMap;

/// Title of the row of what no model can exceed.
const CEILING: &str = "True click probability (ceiling)";

/// A row.
pub(crate) struct Line<'a> {
    /// Its name in files, which is that of the paper's row where it has one.
    pub id: String,
    pub title: String,
    pub color: String,
    pub choice: Choice<'a>,
    /// Configuration keys that differ from the base by design.
    pub by_design: &'static [&'static str],
}

/// A further column of ours.
pub(crate) struct Extra {
    pub title: &'static str,
    /// Its name in files.
    pub header: &'static str,
    pub value: fn(&Slice, &Cell) -> Option<f64>,
    pub text: fn(f64) -> String,
}

/// Standard error of the mean from users alone.
pub(crate) const USERS_ERROR: Extra = Extra {
    title: results::USERS_ERROR,
    header: "users_standard_error",
    value: |_, cell| cell.users_error,
    text: format::gauc,
};

/// Whether any run of the slices has test rows, so that [`USERS_ERROR`] has something to show.
pub(crate) fn knows_users(slices: &[Slice]) -> bool {
    slices.iter().any(Slice::knows_users)
}

/// A table of one slice.
pub(crate) struct ComparisonTable<'a> {
    /// `table4`.
    pub id: &'static str,
    /// What a row is.
    pub rows: &'static str,
    pub slice: &'a Slice<'a>,
    pub published: Option<&'a PublishedTable>,
    pub caption: String,
    /// Rows without runs stay, as what is missing.
    pub lines: Vec<Line<'a>>,
    /// The row that RelaImpr is over, by its `id`, and how notes call it.
    pub base: (&'static str, &'static str),
    pub extras: &'static [Extra],
}

/// The columns of the files before those of a table's own.
const HEADER: [&str; 24] = [
    "dataset",
    "protocol",
    "content_sha256",
    "simulated",
    "preset",
    "row",
    "title",
    "paper_auc",
    "paper_rela_impr_percent",
    "config_sha256",
    "test_gauc_mean",
    "test_gauc_std",
    "n",
    "diverged",
    "rela_impr_percent",
    "rela_impr_paired_std",
    "rela_impr_pairs",
    "valid_gauc_mean",
    "test_auc_mean",
    "test_log_loss_mean",
    "signature",
    "seeds",
    "run_ids",
    "tried",
];

impl ComparisonTable<'_> {
    fn base(&self) -> Option<&Cell> {
        self.chosen(self.base.0)
    }

    fn comparison(&self, line: &Line) -> Option<Comparison> {
        let mut comparison = over(line.choice.chosen?, self.base()?)?;
        comparison.unlike.retain(|key| !line.by_design.contains(&key.as_str()));
        Some(comparison)
    }

    fn published(&self, line: &Line) -> Option<(&PublishedTable, &PublishedRow)> {
        self.published.and_then(|part| Some((part, part.row(&line.id)?)))
    }

    fn chosen(&self, row: &str) -> Option<&Cell> {
        self.lines.iter().find(|line| line.id == row)?.choice.chosen
    }

    fn ceiling(&self) -> Option<(Ceiling, Option<f64>)> {
        let ceiling = self.slice.block.data.ceiling?;
        let base = self.base().and_then(Cell::gauc);
        Some((ceiling, base.and_then(|base| rela_impr(ceiling.test_gauc, base.mean).ok())))
    }

    pub(crate) fn table(&self) -> Table {
        let (column, heading) = (self.slice.column(), self.slice.heading());
        let mut columns = vec![Column::text(self.rows)];
        columns.push(Column::number("paper, Alibaba", "AUC"));
        columns.push(Column::number("paper, Alibaba", "RelaImpr"));
        let position = columns.len();
        columns.push(Column::number(&heading, "gAUC"));
        columns.push(Column::number(&heading, "RelaImpr"));
        columns.extend(self.extras.iter().map(|extra| Column::number(&heading, extra.title)));
        let mut rows: Vec<Vec<Entry>> = Vec::new();
        let (mut bars, mut sources, mut notes) = (Vec::new(), Vec::new(), Vec::new());
        let mut unlike: BTreeMap<Vec<String>, Vec<String>> = BTreeMap::new();
        let mut titled: Vec<Titled> = Vec::new();
        for (index, line) in self.lines.iter().enumerate() {
            let published = self.published(line);
            let percent = published.and_then(|(part, row)| part.rela_impr(row));
            let cell = line.choice.chosen;
            let comparison = self.comparison(line);
            let mut row: Vec<Entry> = vec![
                line.title.clone().into(),
                published.and_then(|(_, row)| row.gauc).map_or(NONE.into(), format::gauc).into(),
                percent.map_or(NONE.into(), format::percent).into(),
                cell.map_or(NONE.into(), gauc_text).into(),
                comparison.as_ref().map_or(NONE.into(), percent_text).into(),
            ];
            row.extend(self.extras.iter().map(|extra| {
                let value = cell.and_then(|cell| (extra.value)(self.slice, cell));
                Entry::from(value.map_or(NONE.into(), extra.text))
            }));
            rows.push(row);
            notes.extend(line.choice.note(&line.title));
            let Some(cell) = cell else { continue };
            bars.extend(results::bar(index, cell, line.color.clone()));
            sources.push(source_runs(&line.title, &column, cell));
            if let Some(comparison) = comparison {
                unlike.entry(comparison.unlike).or_default().push(line.title.clone());
            }
            titled.push((line.title.clone(), cell));
        }
        table::add_bars(&mut rows, position, &bars);
        if let Some((ceiling, percent)) = self.ceiling() {
            let mut row: Vec<Entry> = vec![CEILING.into(), NONE.into(), NONE.into()];
            row.push(format::gauc(ceiling.test_gauc).into());
            row.push(percent.map_or(NONE.into(), format::percent).into());
            row.extend(self.extras.iter().map(|_| Entry::from(NONE)));
            rows.push(row);
        }
        notes.extend(unlike_notes(&column, self.base.1, unlike));
        notes.extend(signature_notes(&column, &titled));
        notes.extend(diverged_note(&column, &titled));
        Table {
            id: format!("{}-{}", self.id, self.slice.stem()),
            caption: self.caption.clone(),
            alert: results::simulated_alert(self.slice.dataset),
            protocol: Some(self.slice.block.protocol),
            columns,
            rows,
            notes,
            sources,
        }
    }

    fn csv_lines(&self) -> Vec<Vec<String>> {
        let mut lines: Vec<Vec<String>> =
            self.lines.iter().map(|line| self.csv_line(line)).collect();
        if let Some((ceiling, percent)) = self.ceiling() {
            let mut line = self.csv_begin("ceiling", CEILING);
            line.resize(HEADER.len() + self.extras.len(), String::new());
            for (name, value) in [
                ("test_gauc_mean", Some(ceiling.test_gauc)),
                ("rela_impr_percent", percent),
                ("test_auc_mean", Some(ceiling.test_auc)),
                ("test_log_loss_mean", Some(ceiling.test_log_loss)),
            ] {
                let place = HEADER.iter().position(|header| *header == name);
                if let Some(cell) = place.and_then(|place| line.get_mut(place)) {
                    *cell = csv::number(value);
                }
            }
            lines.push(line);
        }
        lines
    }

    fn csv_begin(&self, id: &str, title: &str) -> Vec<String> {
        let block = self.slice.block;
        vec![
            self.slice.dataset.id.clone(),
            block.protocol.to_string(),
            block.data.content_sha256.clone(),
            block.data.simulated.to_string(),
            self.slice.preset.to_string(),
            id.to_string(),
            title.to_string(),
        ]
    }

    fn csv_line(&self, line: &Line) -> Vec<String> {
        let published = self.published(line);
        let cell = line.choice.chosen;
        let gauc = cell.and_then(Cell::gauc);
        let of_cell = |value: &dyn Fn(&Cell) -> String| cell.map_or(String::new(), value);
        let join = |value: fn(&Run) -> String| {
            of_cell(&|cell| cell.runs.iter().map(value).collect::<Vec<_>>().join(" "))
        };
        let mut values = self.csv_begin(&line.id, &line.title);
        values.extend([
            csv::number(published.and_then(|(_, row)| row.gauc)),
            csv::number(published.and_then(|(part, row)| part.rela_impr(row))),
            of_cell(&|cell| cell.config_sha256().to_string()),
            csv::number(gauc.map(|summary| summary.mean)),
            csv::number(gauc.and_then(|summary| summary.std)),
            of_cell(&|cell| cell.by_seed().len().to_string()),
            of_cell(&|cell| cell.diverged().to_string()),
        ]);
        values.extend(comparison_columns(self.comparison(line).as_ref()));
        values.extend([
            of_cell(&|cell| mean_metric(cell, |metrics| metrics.valid_gauc)),
            of_cell(&|cell| mean_metric(cell, |metrics| metrics.test_auc)),
            of_cell(&|cell| mean_metric(cell, |metrics| metrics.test_log_loss)),
            of_cell(&Cell::signature),
            join(|run| run.record.seed.to_string()),
            join(|run| run.record.run_id.clone()),
            line.choice.plain(),
        ]);
        values.extend(
            self.extras
                .iter()
                .map(|extra| csv::number(cell.and_then(|cell| (extra.value)(self.slice, cell)))),
        );
        values
    }
}

/// All tables of one number in one file, with all digits.
pub(crate) fn values(tables: &[ComparisonTable]) -> csv::Values {
    let extras = tables.first().map_or([].as_slice(), |table| table.extras);
    let header: Vec<&str> =
        HEADER.into_iter().chain(extras.iter().map(|extra| extra.header)).collect();
    let lines: Vec<Vec<String>> = tables.iter().flat_map(ComparisonTable::csv_lines).collect();
    csv::Values::new(&header, lines)
}

/// The data of a slice and the published columns, for captions.
pub(crate) fn data(slice: &Slice) -> String {
    let kind = if slice.block.data.simulated { "simulated data, " } else { "" };
    format!("{}: {} ({kind}content {})", slice.dataset.id, slice.column(), slice.block.content())
}

/// What every reader of such a table has to know, before what is the table's own.
pub(crate) fn notes(base: &str) -> Vec<String> {
    vec![
        "The paper's numbers are the best of all evaluations on the test set of Alibaba's own data, \
         which was never published; how often they were repeated is not said. Its AUC is gAUC \
         (equation 10)."
            .into(),
        "Ours: mean ± standard deviation (n − 1) over seeds of test gAUC, each run at the evaluation \
         with its best validation gAUC; n=1 has no ±."
            .into(),
        "Of several settings that were tried for a row, the one with most seeds is shown, among \
         equally many the one with the highest mean validation gAUC. Test never chooses."
            .into(),
        format!(
            "RelaImpr (equation 11) of the means is over {base}; ± is the standard deviation over pairs \
             of runs with the same seed where there are two or more."
        ),
        format!(
            "{CEILING}: what the probabilities that the simulator drew the clicks with reach on the \
             test rows. No model can be expected to exceed it."
        ),
    ]
}

/// What choosing on test would have added, under the protocol that does not.
pub(crate) fn optimism(slice: &Slice, cell: &Cell) -> Option<f64> {
    let held_out = slice.block.protocol == Protocol::HeldOut;
    cell.optimism().filter(|_| held_out).map(|summary| summary.mean)
}
