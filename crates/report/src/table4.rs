//! Table 4: BaseModel under different regularizers, beside the paper's numbers on Alibaba.

use crate::comparison_table::{self, ComparisonTable, Extra, Line};
use crate::format;
use crate::models;
use crate::reference::References;
use crate::regularizers::{Form, Kind};
use crate::results::summary;
use crate::slices::Slice;
use crate::statements::{Comparison, Statement, above};
use crate::study::Run;

/// The row that the paper's RelaImpr is over.
const BASE: (&str, &str) = ("without_goods_ids", "the row without goods_ids");

/// The rows that the paper has, whether they were run or not.
const PAPER: [Kind; 6] =
    [Kind::WithoutGoodsIds, Kind::None, Kind::Dropout, Kind::Filter, Kind::Difacto, Kind::Mba];

const EXTRAS: [Extra; 3] = [
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

/// Sections 5.1 and 6.5.
const STATEMENTS: [Statement; 10] = [
    Statement {
        text: "Without regularization goods_ids help in the first epoch (at its end)",
        of: Comparison::AboveIn(after_one_epoch, "none", "without_goods_ids"),
    },
    above("goods_ids help, if training stops at the best evaluation", "none", "without_goods_ids"),
    Statement {
        text: "Without regularization gAUC falls after its peak (by the difference)",
        of: Comparison::Positive("none", |run| fall(run).map(|fall| -fall)),
    },
    above("Dropout is better than nothing", "dropout", "none"),
    above("Filter is better than nothing", "filter", "none"),
    above("Filter is better than dropout", "filter", "dropout"),
    above("DiFacto is worse than filter", "filter", "difacto"),
    above("MBA is better than nothing", "mba", "none"),
    above("MBA is better than dropout", "mba", "dropout"),
    above("MBA is better than filter, the next best of the paper", "mba", "filter"),
];

/// Epoch of the evaluation with the highest test gAUC, the first of several.
fn peak_epoch(run: &Run) -> Option<f64> {
    let points = run.record.curve.iter();
    let values = points.filter_map(|point| Some((point.epoch, point.test_gauc?)));
    values.rev().max_by(|one, other| one.1.total_cmp(&other.1)).map(|(epoch, _)| epoch)
}

/// How far test gAUC has fallen from its peak by the last evaluation.
fn fall(run: &Run) -> Option<f64> {
    let last = run.record.curve.iter().rev().find_map(|point| point.test_gauc)?;
    Some(last - run.record.metrics.peak_test_gauc?)
}

/// Test gAUC at the last evaluation of the first epoch.
fn after_one_epoch(run: &Run) -> Option<f64> {
    let first = run.record.curve.iter().take_while(|point| point.epoch <= 1.0);
    first.last().and_then(|point| point.test_gauc)
}

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
    let compared = slices.iter().filter(|slice| slice.compares_regularizers());
    compared.map(|slice| table(slice, references)).collect()
}

/// The forms to show: the paper's in its order, then ours.
pub(crate) fn forms(slice: &Slice) -> Vec<Form> {
    let mut forms: Vec<Form> = PAPER.into_iter().map(Form::usual).collect();
    forms.extend(slice.forms(models::BASE).into_iter().filter(|form| !form.in_paper()).cloned());
    forms
}

fn table<'a>(slice: &'a Slice<'a>, references: &'a References) -> ComparisonTable<'a> {
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
        extras: &EXTRAS,
        statements: &STATEMENTS,
    }
}
