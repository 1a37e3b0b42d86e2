//! Ablations as tables: attention or product, and every change alone.

use crate::ablations::{Ablation, Ablations, Difference, Direction, Step};
use crate::comparison_table;
use crate::export::csv;
use crate::format;
use crate::models;
use crate::results::{
    Titled, diverged_note, gauc_text, signature_notes, simulated_alert, source_runs,
};
use crate::stats::Reach;
use crate::study::Cell;
use crate::table::{Column, Entry, NONE, Table};

/// What every reader of the tables has to know.
pub(crate) fn notes() -> Vec<String> {
    [
        "Each change is compared with the same model as in its preset, trained in the same way (optimizer, rate, \
         batch, stopping, regularizer). Of several runs of one change validation chooses. Test never does.",
        "Difference in test gAUC: changed less unchanged, mean over pairs of runs with the same seed. Its interval \
         and p are those of the claims: over users and seeds, and over seeds alone where runs left no test rows.",
        "better, worse: the interval excludes 0, and p is below 0.05 after Holm's correction over the table. One \
         seed shows nothing, and no difference shown is no proof that there is none.",
        "RelaImpr (equation 11) is over what the change or the step begins from, not over BaseModel.",
        "PNN is BaseModel with the block u ⊙ i in the MLP's input. The authors' corrected code gave DIN that block \
         too, so that DIN against BaseModel is two changes at once.",
        "Pooling: BaseModel and PNN take the mean of the history, and their sum is a change. DIN with softmax takes \
         a weighted mean; without softmax it takes a weighted sum, which is the same change for DIN.",
        "Dice is equation 9, and DIN with Dice in the MLP is what table 3 calls DIN with Dice. Dice of the code has a \
         normalization that never trains.",
    ]
    .map(String::from)
    .into()
}

/// The tables of all slices, for each what attention and product are worth before the single changes.
pub(crate) fn tables(all: &[Ablations]) -> Vec<Table> {
    all.iter().flat_map(|of| parts(of).into_iter().chain([changes(of)])).collect()
}

fn columns(first: [Column; 2], from: &str, to: &str) -> Vec<Column> {
    let mut columns = Vec::from(first);
    columns.push(Column::number("test gAUC", from));
    columns.push(Column::number("test gAUC", to));
    columns.push(Column::number("difference", "mean"));
    columns.push(Column::number("difference", "95% interval"));
    columns.push(Column::number("difference", "p (Holm)"));
    columns.push(Column::number("difference", "RelaImpr"));
    columns.push(Column::number("", "seeds × users"));
    columns.push(Column::text("verdict"));
    columns
}

fn line(first: [String; 2], difference: &Difference) -> Vec<Entry> {
    let or_none = |text: Option<String>| text.unwrap_or_else(|| NONE.into());
    let mut cells = Vec::from(first);
    cells.extend([
        or_none(difference.from.map(gauc_text)),
        gauc_text(difference.to),
        or_none(difference.effect.map(|effect| format::signed(effect.mean, 4))),
        or_none(difference.interval().map(interval_text)),
        or_none(difference.p_holm.map(format::p_value)),
        or_none(difference.rela_impr().map(format::percent)),
        or_none(basis(difference)),
        or_none(difference.direction().map(|direction| direction.to_string())),
    ]);
    cells.into_iter().map(Entry::from).collect()
}

fn interval_text((low, high): (f64, f64)) -> String {
    format!("{} to {}", format::signed(low, 4), format::signed(high, 4))
}

fn users(difference: &Difference) -> Option<usize> {
    match difference.effect?.reach {
        Reach::UsersAndSeeds { users } => Some(users),
        Reach::Seeds => None,
    }
}

fn basis(difference: &Difference) -> Option<String> {
    let seeds = difference.effect?.n;
    Some(match users(difference) {
        Some(users) => format!("{seeds} × {}", format::count(users as u64)),
        None => seeds.to_string(),
    })
}

fn changes(all: &Ablations) -> Table {
    let mut titled: Vec<Titled> = Vec::new();
    for row in &all.rows {
        if let Some(default) = row.difference.from {
            name(&mut titled, format!("{} unchanged", models::title(row.model)), default);
        }
        titled.push((row.title(), row.difference.to));
    }
    let first = [Column::text("change"), Column::number("", "settings changed")];
    let row = |row: &Ablation| line([row.title(), row.changes.len().to_string()], &row.difference);
    Table {
        id: format!("ablations-{}", all.slice.stem()),
        caption: format!("Changes of a model, on {}.", comparison_table::data(all.slice)),
        columns: columns(first, "unchanged", "changed"),
        rows: all.rows.iter().map(row).collect(),
        ..about(all, alone(&all.rows), &titled)
    }
}

/// What stands around the rows of a table, with a first note.
fn about(all: &Ablations, note: Option<String>, titled: &[Titled]) -> Table {
    let column = all.slice.column();
    let mut notes: Vec<String> = note.into_iter().collect();
    notes.extend(signature_notes(&column, titled));
    notes.extend(diverged_note(&column, titled));
    Table {
        alert: simulated_alert(all.slice.dataset),
        protocol: Some(all.slice.block.protocol),
        notes,
        sources: titled.iter().map(|(title, cell)| source_runs(title, &column, cell)).collect(),
        ..Table::default()
    }
}

/// Each cell once, under its first name.
fn name<'a>(titled: &mut Vec<Titled<'a>>, title: String, cell: &'a Cell) {
    if !titled.iter().any(|(_, known)| std::ptr::eq(*known, cell)) {
        titled.push((title, cell));
    }
}

/// A warning about changes that have nothing to be compared with.
fn alone(rows: &[Ablation]) -> Option<String> {
    let titles: Vec<String> =
        rows.iter().filter(|row| row.difference.from.is_none()).map(Ablation::title).collect();
    (!titles.is_empty()).then(|| {
        format!(
            "No run of the unchanged model was trained like these: {}. `din-repro reproduce --suite ablations` \
             runs both.",
            titles.join("; ")
        )
    })
}

fn parts(all: &Ablations) -> Option<Table> {
    let mut titled: Vec<Titled> = Vec::new();
    for Step { from, to, difference, .. } in &all.steps {
        if let Some(cell) = difference.from {
            name(&mut titled, (*from).to_string(), cell);
        }
        name(&mut titled, (*to).to_string(), difference.to);
    }
    let first = [Column::text("step"), Column::text("adds")];
    let row = |step: &Step| line([arrow(step), step.adds.into()], &step.difference);
    (!all.steps.is_empty()).then(|| Table {
        id: format!("ablations-parts-{}", all.slice.stem()),
        caption: format!("Attention or product, on {}.", comparison_table::data(all.slice)),
        columns: columns(first, "from", "to"),
        rows: all.steps.iter().map(row).collect(),
        ..about(all, conclusion(all), &titled)
    })
}

/// `BaseModel → PNN`.
pub(crate) fn arrow(step: &Step) -> String {
    format!("{} → {}", step.from, step.to)
}

/// How much of DIN's gain over BaseModel each part has alone, if there is a gain.
fn conclusion(all: &Ablations) -> Option<String> {
    let gain = all.step("BaseModel", "DIN")?;
    let mean = gain.effect?.mean;
    let (low, high) = gain.interval()?;
    let size = format!("{} ({})", format::signed(mean, 4), interval_text((low, high)));
    if high < 0.0 {
        return Some(format!("DIN is below BaseModel by {size}: there is no gain to divide."));
    }
    if low <= 0.0 {
        return Some(format!(
            "DIN against BaseModel: {size}. The interval has 0 in it, so that no gain is divided into shares."
        ));
    }
    let share = |to: &str| {
        let part = all.step("BaseModel", to)?.effect?.mean;
        Some(if part <= 0.0 { "none".into() } else { format!("{:.0}%", 100.0 * part / mean) })
    };
    let shares: Vec<String> = [
        share("PNN").map(|share| format!("PNN (u ⊙ i and no attention) has {share} of it")),
        share("DIN without u ⊙ i")
            .map(|share| format!("attention without u ⊙ i has {share} of it")),
    ]
    .into_iter()
    .flatten()
    .collect();
    let given = |from: &str, what: &str| {
        let step = all.step(from, "DIN")?;
        let (effect, ends) = (step.effect?, step.interval()?);
        let verdict = match step.direction()? {
            Direction::NotShown => ", which is no difference shown",
            Direction::Better | Direction::Worse => "",
        };
        let value = format::signed(effect.mean, 4);
        Some(format!("{what} {value} ({}){verdict}", interval_text(ends)))
    };
    let given: Vec<String> = [
        given("PNN", "Attention adds to PNN"),
        given("DIN without u ⊙ i", "u ⊙ i adds to attention"),
    ]
    .into_iter()
    .flatten()
    .collect();
    let mut sentences = vec![format!("DIN's gain over BaseModel is {size}")];
    if !shares.is_empty() {
        sentences[0] += &format!(": {}", shares.join(", "));
    }
    if !given.is_empty() {
        sentences.push(given.join("; "));
    }
    Some(format!("{}.", sentences.join(". ")))
}

const HEADER: [&str; 23] = [
    "dataset",
    "protocol",
    "content_sha256",
    "preset",
    "table",
    "model",
    "change",
    "settings",
    "from_config_sha256",
    "to_config_sha256",
    "from_test_gauc_mean",
    "to_test_gauc_mean",
    "to_test_gauc_std",
    "difference",
    "low",
    "high",
    "p_holm",
    "rela_impr_percent",
    "n",
    "users",
    "verdict",
    "from_run_ids",
    "to_run_ids",
];

/// All digits.
pub(crate) fn values(all: &[Ablations]) -> csv::Values {
    let mut lines = Vec::new();
    for of in all {
        for step in &of.steps {
            let begin = ["attention or product".into(), String::new(), arrow(step), String::new()];
            lines.push(csv_line(of, begin, &step.difference));
        }
        for row in &of.rows {
            let settings = row.changes.iter().map(|(key, value)| format!("{key}={value}"));
            let settings = settings.collect::<Vec<_>>().join(" ");
            let begin = ["changes".into(), row.model.to_string(), row.change(), settings];
            lines.push(csv_line(of, begin, &row.difference));
        }
    }
    csv::Values::new(&HEADER, lines)
}

fn csv_line(all: &Ablations, begin: [String; 4], difference: &Difference) -> Vec<String> {
    let block = all.slice.block;
    let Difference { from, to, effect, p_holm } = *difference;
    let runs = |cell: &Cell| {
        cell.runs.iter().map(|run| run.record.run_id.clone()).collect::<Vec<_>>().join(" ")
    };
    let interval = difference.interval();
    let mut line = vec![
        all.slice.dataset.id.clone(),
        block.protocol.to_string(),
        block.data.content_sha256.clone(),
        all.slice.preset.to_string(),
    ];
    line.extend(begin);
    line.extend([
        from.map_or(String::new(), |cell| cell.config_sha256().to_string()),
        to.config_sha256().to_string(),
        csv::number(from.and_then(Cell::gauc).map(|summary| summary.mean)),
        csv::number(to.gauc().map(|summary| summary.mean)),
        csv::number(to.gauc().and_then(|summary| summary.std)),
        csv::number(effect.map(|effect| effect.mean)),
        csv::number(interval.map(|ends| ends.0)),
        csv::number(interval.map(|ends| ends.1)),
        csv::number(p_holm),
        csv::number(difference.rela_impr()),
        effect.map_or(String::new(), |effect| effect.n.to_string()),
        users(difference).map_or(String::new(), |users| users.to_string()),
        difference.direction().map_or(String::new(), |direction| direction.to_string()),
        from.map_or(String::new(), runs),
        runs(to),
    ]);
    line
}
