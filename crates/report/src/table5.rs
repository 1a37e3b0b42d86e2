//! Table 5: the models on ad logs, beside the paper's numbers on Alibaba.

use crate::comparison_table::{self, ComparisonTable, Extra, Line};
use crate::format;
use crate::models;
use crate::reference::References;
use crate::regularizers::Kind;
use crate::slices::Slice;

/// The row that the paper's RelaImpr is over.
const BASE: (&str, &str) = ("base_model", "BaseModel with dropout");

/// A row of the paper: its name there, its title with the footnotes (a: PReLU, b: dropout), and the
/// model and regularizer that it is.
struct PaperRow {
    id: &'static str,
    title: &'static str,
    model: &'static str,
    kind: Kind,
}

const ROWS: [PaperRow; 9] = [
    PaperRow { id: "lr", title: "LR", model: "lr", kind: Kind::None },
    row("base_model", "BaseModel (a,b)", Kind::Dropout),
    row("wide_deep", "Wide&Deep (a,b)", Kind::Dropout),
    row("pnn", "PNN (a,b)", Kind::Dropout),
    row("deepfm", "DeepFM (a,b)", Kind::Dropout),
    row("din", "DIN (a,b)", Kind::Dropout),
    PaperRow { id: "din_mba", title: "DIN with MBA reg. (a)", model: "din", kind: Kind::Mba },
    row("din_dice", "DIN with Dice (b)", Kind::Dropout),
    PaperRow {
        id: "din_mba_dice",
        title: "DIN with MBA reg. and Dice",
        model: "din_dice",
        kind: Kind::Mba,
    },
];

/// A row that the paper calls by its model.
const fn row(model: &'static str, title: &'static str, kind: Kind) -> PaperRow {
    PaperRow { id: model, title, model, kind }
}

const EXTRAS: [Extra; 2] = [
    comparison_table::USERS_ERROR,
    Extra {
        title: "optimism",
        header: "optimism_mean",
        value: comparison_table::optimism,
        text: |value| format::signed(value, 4),
    },
];

/// What every reader of the table has to know.
pub(crate) fn notes() -> Vec<String> {
    let mut notes = comparison_table::notes("BaseModel with dropout, as in the paper");
    notes.push("a: PReLU. b: dropout.".into());
    notes.push(
        "Optimism is how much choosing on the test set itself would have added (peak − chosen)."
            .into(),
    );
    notes
}

/// One table for each slice of an ad log that has a run in it.
pub(crate) fn tables<'a>(
    slices: &'a [Slice<'a>],
    references: &'a References,
) -> Vec<ComparisonTable<'a>> {
    let with_users = comparison_table::knows_users(slices);
    let logs = slices.iter().filter(|slice| slice.is_alibaba_kin());
    logs.map(|slice| table(slice, references, with_users)).collect()
}

fn table<'a>(
    slice: &'a Slice<'a>,
    references: &'a References,
    with_users: bool,
) -> ComparisonTable<'a> {
    let line = |row: &PaperRow| {
        let usual = |kind: &Kind| slice.choose(row.model, |f| f.is_usual() && f.kind == *kind);
        let mut choice = usual(&row.kind);
        // LR has no dropout; where it was run with a regularizer only, that is what there is.
        if row.model == "lr" && choice.is_empty() {
            choice = slice.choose(row.model, |_| true);
        }
        Line {
            id: row.id.into(),
            title: row.title.into(),
            color: models::css_color(row.model),
            choice,
            by_design: &["regularizer"],
        }
    };
    ComparisonTable {
        id: "table5",
        rows: "model",
        slice,
        published: references.paper_table("5"),
        caption: format!(
            "Models on {}. Published columns are the paper's table 5 on Alibaba, which is another \
             dataset.",
            comparison_table::data(slice)
        ),
        lines: ROWS.iter().map(line).collect(),
        base: BASE,
        extras: if with_users { &EXTRAS } else { &EXTRAS[1..] },
    }
}
