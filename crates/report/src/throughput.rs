//! Speeds that others report, beside the table of what our runs cost.

use crate::format;
use crate::reference::References;
use crate::table::{Column, Table};

/// One row a report.
pub(crate) fn published(references: &References) -> Table {
    let rows = references.throughputs().map(|speed| {
        let cells = [
            speed.model.clone(),
            speed.machine.clone(),
            format::count(speed.batch),
            format::count(speed.rows_per_second),
            speed.note.clone(),
            speed.source.clone(),
        ];
        cells.into_iter().map(Into::into).collect()
    });
    Table {
        id: "throughput-published".into(),
        caption: "Training throughputs that others report, each on its own machine and in its own \
                  setting: an order of magnitude beside ours above, no comparison."
            .into(),
        columns: vec![
            Column::text("program"),
            Column::text("machine"),
            Column::number("", "batch"),
            Column::number("", "rows a second"),
            Column::text("setting"),
            Column::text("source"),
        ],
        rows: rows.collect(),
        notes: vec![
            "Ours count training alone, without evaluations; lines that say so include them. Programs \
             run on one machine in one setting are compared in reports/reference/peers.md."
                .into(),
        ],
        ..Table::default()
    }
}
