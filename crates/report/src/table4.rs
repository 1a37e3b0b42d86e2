//! Table 4: BaseModel under different regularizers, beside the paper's numbers on Alibaba.

use crate::comparison_table::{self, ComparisonTable, Extra, Line};
use crate::curve_values::{fall, peak_epoch};
use crate::format;
use crate::models;
use crate::reference::References;
use crate::regularizers::{Form, Kind};
use crate::results::summary;
use crate::slices::Slice;

/// The row that the paper's RelaImpr is over.
const BASE: (&str, &str) = ("without_goods_ids", "the row without goods_ids");

/// The rows that the paper has, whether they were run or not.
const PAPER: [Kind; 6] =
    [Kind::WithoutGoodsIds, Kind::None, Kind::Dropout, Kind::Filter, Kind::Difacto, Kind::Mba];

const EXTRAS: [Extra; 4] = [
    comparison_table::USERS_ERROR,
    Extra {
        title: "peak",
        header: "peak_test_gauc_mean",
        value: |_, cell| Some(summary(cell, |run| run.record.metrics.peak_test_gauc)?.mean),
        text: format::gauc,
    },
    Extra {
        title: "epoch of peak",
        header: "peak_epoch_mean",
        value: |_, cell| Some(summary(cell, peak_epoch)?.mean),
        text: |epoch| format!("{epoch:.1}"),
    },
    Extra {
        title: "fall after it",
        header: "fall_mean",
        value: |_, cell| Some(summary(cell, fall)?.mean),
        text: |fall| format::signed(fall, 4),
    },
];

/// What every reader of the table has to know.
pub(crate) fn notes() -> Vec<String> {
    let mut notes = comparison_table::notes("the first row, as in the paper");
    notes.push(
        "peak: the highest test gAUC of all evaluations, which looks at test as the paper's \"best \
         AUC\" does; means over seeds. fall after it: the last evaluation minus the peak."
            .into(),
    );
    notes.push("Rows below MBA are not in the paper.".into());
    notes
}

/// One table for each slice with several kinds of regularizer.
pub(crate) fn tables<'a>(
    slices: &'a [Slice<'a>],
    references: &'a References,
) -> Vec<ComparisonTable<'a>> {
    let with_users = comparison_table::knows_users(slices);
    let compared = slices.iter().filter(|slice| slice.compares_regularizers());
    compared.map(|slice| table(slice, references, with_users)).collect()
}

/// The forms to show: the paper's in its order, then ours.
pub(crate) fn forms(slice: &Slice) -> Vec<Form> {
    let mut forms: Vec<Form> = PAPER.into_iter().map(Form::usual).collect();
    forms.extend(slice.forms(models::BASE).into_iter().filter(|form| !form.in_paper()).cloned());
    forms
}

fn table<'a>(
    slice: &'a Slice<'a>,
    references: &'a References,
    with_users: bool,
) -> ComparisonTable<'a> {
    let line = |form: Form| Line {
        id: form.id(),
        title: form.title(),
        color: models::css(form.style().0),
        choice: slice.choose(models::BASE, |other| *other == form),
        by_design: match form.is_usual() {
            true => &["regularizer"],
            false => &["regularizer", "train.epochs", "train.reinitialize_embeddings"],
        },
    };
    ComparisonTable {
        id: "table4",
        rows: "BaseModel",
        slice,
        published: references.paper_table("4"),
        caption: format!(
            "BaseModel under different regularizers on {}. Published columns are the paper's table 4 on \
             Alibaba, which is another dataset.",
            comparison_table::data(slice)
        ),
        lines: forms(slice).into_iter().map(line).collect(),
        base: BASE,
        extras: if with_users { &EXTRAS } else { &EXTRAS[1..] },
    }
}
