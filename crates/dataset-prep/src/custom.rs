//! A user's own data: tables and a TOML file that says which column is what.
//!
//! ```toml
//! id = "my-shop"
//! rows = ["log.csv"]                          # .csv, .tsv (either with .gz) or .parquet, alike in columns
//! user = "user_id"
//! label = "click"                             # 0 or 1; or a number, with positive_from
//! time = "timestamp"                          # whole numbers; for histories of rows and splits by time
//! candidate = ["item_id", "brand", "tags|"]   # tags| holds several values joined by |
//! user_profile = ["gender"]
//! context = ["hour"]
//! history = "liked"                           # liked, all, columns or none
//! behaviors = ["item_id", "brand"]            # what of the candidate a history keeps
//! split = "time"                              # time, users, last or column
//! test = 0.1
//! validation = 0.1
//! [items]                                     # columns that the rows do not have
//! file = "items.csv"
//! key = "item_id"
//! ```
//!
//! With `history = "columns"` the rows bring their histories: `history_columns = ["items^", "brands^"]`,
//! one for each of `behaviors`, oldest event first. With `split = "column"`, `split_column` names a column
//! of `train`, `validation` (or `valid`) and `test`.

use crate::assemble::{Division, GivenRows, Histories, RawField, RawGroup, RawRows};
use crate::prepare::{CUSTOM, HistoryRule, PrepOptions, SourceRows};
use crate::raw::Interner;
use crate::records::Records;
use crate::rows::part;
use crate::{Error, Place, Result};
use ctr_core::{Cardinality, EventColumn, Role, Sequences};
use serde::Deserialize;
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

/// The description looked for in a folder.
const DESCRIPTION: &str = "dataset.toml";
/// Largest description taken.
const MOST_BYTES: u64 = 1 << 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum History {
    Liked,
    All,
    Columns,
    None,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum SplitBy {
    Time,
    Users,
    Last,
    Column,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ItemsTable {
    file: PathBuf,
    key: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Description {
    id: Option<String>,
    rows: Vec<PathBuf>,
    user: String,
    label: String,
    positive_from: Option<f64>,
    time: Option<String>,
    candidate: Vec<String>,
    #[serde(default)]
    user_profile: Vec<String>,
    #[serde(default)]
    context: Vec<String>,
    history: History,
    #[serde(default)]
    behaviors: Vec<String>,
    #[serde(default)]
    history_columns: Vec<String>,
    #[serde(default)]
    history_limit: u32,
    split: SplitBy,
    #[serde(default = "tenth")]
    test: f64,
    #[serde(default = "tenth")]
    validation: f64,
    split_column: Option<String>,
    items: Option<ItemsTable>,
}

fn tenth() -> f64 {
    0.1
}

/// The description in a folder, or the file itself.
fn description_of(raw: &Path) -> PathBuf {
    if raw.is_dir() { raw.join(DESCRIPTION) } else { raw.to_path_buf() }
}

/// Whether `raw` is a description or a folder with one.
pub(crate) fn is_described(raw: &Path) -> bool {
    let file = description_of(raw);
    file.is_file() && file.extension().is_some_and(|extension| extension == "toml")
}

/// A column's name, and the letter that joins several values in it.
#[derive(Clone, Debug, PartialEq)]
struct ColumnName {
    name: String,
    joined_by: Option<char>,
}

impl ColumnName {
    /// `tags|` is the column `tags` of values joined by `|`.
    fn parse(text: &str) -> Self {
        match text.chars().last().filter(|letter| "|^;, ".contains(*letter)) {
            Some(letter) => Self { name: text[..text.len() - 1].into(), joined_by: Some(letter) },
            None => Self { name: text.into(), joined_by: None },
        }
    }
}

struct Parsed {
    file: PathBuf,
    folder: PathBuf,
    description: Description,
    groups: Vec<(&'static str, Role, Vec<ColumnName>)>,
    /// One a behaviors field, with `history = "columns"`.
    history_columns: Vec<ColumnName>,
}

impl Parsed {
    fn fail(&self, field: &str, problem: impl Into<String>, remedy: &str) -> Error {
        Error::input(&self.file, Place::File, field, problem, remedy)
    }

    fn read(raw: &Path) -> Result<Self> {
        let file = description_of(raw);
        let read_error = |source| Error::Read { path: file.clone(), source };
        let bytes = std::fs::metadata(&file).map_err(read_error)?.len();
        if bytes > MOST_BYTES {
            let problem = format!("{bytes} bytes, at most {MOST_BYTES} are taken");
            return Err(Error::input(
                &file,
                Place::File,
                "",
                problem,
                "describe columns, not data",
            ));
        }
        let text = std::fs::read_to_string(&file).map_err(read_error)?;
        let description: Description = toml::from_str(&text).map_err(|error| {
            let line = error.span().map_or(Place::File, |span| {
                Place::Line(1 + text[..span.start.min(text.len())].matches('\n').count() as u64)
            });
            Error::input(&file, line, "", error.message(), "see `din-repro prep --help`")
        })?;
        let columns =
            |names: &[String]| names.iter().map(|name| ColumnName::parse(name)).collect::<Vec<_>>();
        let groups = [
            ("user_profile", Role::UserProfile, columns(&description.user_profile)),
            ("candidate", Role::Candidate, columns(&description.candidate)),
            ("context", Role::Context, columns(&description.context)),
        ];
        let groups = groups.into_iter().filter(|(_, _, columns)| !columns.is_empty()).collect();
        let history_columns = columns(&description.history_columns);
        let folder = file.parent().unwrap_or(Path::new("")).to_path_buf();
        let parsed = Self { file, folder, description, groups, history_columns };
        parsed.check()?;
        Ok(parsed)
    }

    /// Contradictions in the description.
    fn check(&self) -> Result<()> {
        let own = &self.description;
        let plain = |id: &String| {
            !id.is_empty()
                && id.len() <= 60
                && id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        };
        if own.id.as_ref().is_some_and(|id| !plain(id)) {
            return Err(self.fail("id", "not a plain name", "use a-z, 0-9 and -, such as my-shop"));
        }
        if own.rows.is_empty() {
            return Err(self.fail("rows", "no files", "name at least one"));
        }
        if own.candidate.is_empty() {
            return Err(self.fail("candidate", "no columns", "name at least the item"));
        }
        let candidate = || own.candidate.iter().map(|name| ColumnName::parse(name).name);
        if let Some(name) = own.behaviors.iter().find(|name| !candidate().any(|own| own == **name))
        {
            let problem = format!("{name:?} is not among the candidate's columns");
            return Err(self.fail("behaviors", problem, "histories share the candidate's columns"));
        }
        if own.history != History::None && own.behaviors.is_empty() {
            let remedy = "name columns of the candidate, or say history = \"none\"";
            return Err(self.fail("behaviors", "no columns", remedy));
        }
        let wanted = if own.history == History::Columns { own.behaviors.len() } else { 0 };
        if self.history_columns.len() != wanted {
            let problem = format!("{} columns, expected {wanted}", self.history_columns.len());
            let remedy = "name one for each of behaviors with history = \"columns\", else none";
            return Err(self.fail("history_columns", problem, remedy));
        }
        if let Some(column) = self.history_columns.iter().find(|column| column.joined_by.is_none())
        {
            let problem = format!("{:?} does not end with its separator", column.name);
            return Err(self.fail(
                "history_columns",
                problem,
                "write items^ for values joined by ^",
            ));
        }
        let times =
            own.split == SplitBy::Time || matches!(own.history, History::Liked | History::All);
        if times && own.time.is_none() {
            let remedy = "name the column; histories of earlier rows and splits by time need it";
            return Err(self.fail("time", "missing", remedy));
        }
        if (own.split == SplitBy::Column) != own.split_column.is_some() {
            let remedy = "give it with split = \"column\" and only then";
            return Err(self.fail("split_column", "does not fit split", remedy));
        }
        for (name, share) in [("test", own.test), ("validation", own.validation)] {
            if !(share > 0.0 && share < 1.0) {
                let problem = format!("{share} is not between 0 and 1");
                return Err(self.fail(name, problem, "give a share such as 0.1"));
            }
        }
        Ok(())
    }
}

/// The items' columns that rows lack.
struct Items {
    key: String,
    /// Position of an item's values, by its key.
    places: HashMap<String, u32>,
    names: Vec<String>,
    values: Vec<Vec<String>>,
}

fn read_items(parsed: &Parsed, table: &ItemsTable) -> Result<(Items, crate::FileRecord)> {
    let mut records = Records::open(&parsed.folder.join(&table.file))?;
    let key = records.column(&table.key)?;
    let mut items = Items {
        key: table.key.clone(),
        places: HashMap::new(),
        names: records.names().to_vec(),
        values: Vec::new(),
    };
    while records.advance()? {
        let values: Vec<String> =
            (0..items.names.len()).map(|column| records.value(column).to_string()).collect();
        let next = items.values.len() as u32;
        let place = *items.places.entry(records.filled(key)?.to_string()).or_insert(next);
        if place < next && items.values[place as usize] != values {
            let problem =
                format!("item {:?} stands here with other values than before", values[key]);
            return Err(records.fail_in(key, &problem, "keep one row for each item"));
        }
        if place == next {
            items.values.push(values);
        }
    }
    Ok((items, records.finish()?))
}

/// Where a field's text comes from.
enum From {
    Row(usize),
    Item { key: usize, column: usize },
}

/// Adds the values of a text to a column.
fn push(column: &mut EventColumn, name: &ColumnName, text: &str, texts: &mut Interner) {
    match name.joined_by {
        None => column.ids.push(texts.intern(text)),
        Some(letter) => {
            let start = column.ids.len();
            for value in text.split(letter).filter(|value| !value.is_empty()) {
                let number = texts.intern(value);
                if !column.ids[start..].contains(&number) {
                    column.ids.push(number);
                }
            }
            column.offsets.push(column.ids.len() as u32);
        }
    }
}

/// Reads everything that the description names.
pub(crate) fn read(options: &PrepOptions) -> Result<SourceRows> {
    let parsed = Parsed::read(&options.raw)?;
    let own = &parsed.description;
    let mut sources = Vec::new();
    let items = match &own.items {
        None => None,
        Some(table) => {
            let (items, record) = read_items(&parsed, table)?;
            sources.push(record);
            Some(items)
        }
    };
    let mut rows = RawRows::new(parsed.folder.join(&own.rows[0]));
    let mut vocabularies: HashMap<&str, usize> = HashMap::new();
    for (name, role, columns) in &parsed.groups {
        let mut fields = Vec::new();
        for column in columns {
            let vocabulary =
                *vocabularies.entry(&column.name).or_insert_with(|| rows.vocabulary(&column.name));
            let many = column.joined_by.is_some();
            let cardinality = if many { Cardinality::Many } else { Cardinality::One };
            fields.push(RawField::new(&column.name, vocabulary, cardinality));
        }
        rows.groups.push(RawGroup { name: (*name).into(), role: *role, fields });
    }
    let mut given = Given::new(&parsed, &vocabularies);
    let mut parts = Vec::new();
    for file in &own.rows {
        let mut records = Records::open(&parsed.folder.join(file))?;
        let (user, label) = (records.column(&own.user)?, records.column(&own.label)?);
        let optional =
            |name: &Option<String>| name.as_ref().map(|name| records.column(name)).transpose();
        let (time, split) = (optional(&own.time)?, optional(&own.split_column)?);
        let from = |name: &str| -> Result<From> {
            let in_rows = records.column(name);
            match (&in_rows, &items) {
                (Err(_), Some(items)) => match items.names.iter().position(|known| known == name) {
                    Some(column) => Ok(From::Item { key: records.column(&items.key)?, column }),
                    None => in_rows.map(From::Row),
                },
                _ => in_rows.map(From::Row),
            }
        };
        let places: Vec<Vec<From>> = parsed
            .groups
            .iter()
            .map(|(_, _, columns)| columns.iter().map(|column| from(&column.name)).collect())
            .collect::<Result<_>>()?;
        let histories: Vec<usize> = parsed
            .history_columns
            .iter()
            .map(|column| records.column(&column.name))
            .collect::<Result<_>>()?;
        while records.advance()? {
            rows.labels.push(read_label(&records, label, own.positive_from)?);
            let number = rows.user_keys.intern(records.filled(user)?);
            rows.users.push(number);
            if let Some(time) = time {
                rows.times.push(records.number(time)?);
            }
            if let Some(split) = split {
                parts.push(read_part(&records, split)?);
            }
            for ((group, places), (_, _, names)) in
                rows.groups.iter_mut().zip(&places).zip(&parsed.groups)
            {
                for ((field, place), name) in group.fields.iter_mut().zip(places).zip(names) {
                    let text = match (place, &items) {
                        (From::Row(column), _) => records.value(*column),
                        (From::Item { key, column }, Some(items)) => {
                            let found = items.places.get(records.value(*key));
                            found.map_or("", |&item| &items.values[item as usize][*column])
                        }
                        (From::Item { .. }, None) => "",
                    };
                    let texts = &mut rows.vocabularies[field.vocabulary].texts;
                    push(&mut field.column, name, text, texts);
                }
            }
            given.push(&records, &histories, &mut rows)?;
        }
        sources.push(records.finish()?);
    }
    let division = divide(&parsed, &rows, parts)?;
    rows.histories = match own.history {
        History::None => Histories::None,
        History::Liked | History::All => {
            let asked = options.history.map(|rule| rule == HistoryRule::Liked);
            Histories::Rows {
                clicked_only: asked.unwrap_or(own.history == History::Liked),
                fields: own.behaviors.clone(),
            }
        }
        History::Columns => given.finish(),
    };
    let mut choices = BTreeMap::from([
        ("history".to_string(), format!("{:?}", own.history).to_lowercase()),
        ("description".to_string(), CUSTOM.to_string()),
    ]);
    if let Some(from) = own.positive_from {
        choices.insert("label".into(), format!("{} >= {from}", own.label));
    }
    let goods = rows.groups.iter().find(|group| group.role == Role::Candidate);
    let goods = goods.map_or(0, |group| rows.vocabularies[group.fields[0].vocabulary].texts.len());
    Ok(SourceRows {
        id: own.id.clone(),
        counts: BTreeMap::from([("goods".to_string(), goods as u64)]),
        division,
        split_rule: format!("{:?}", own.split).to_lowercase(),
        choices,
        history_limit: options.limit(own.history_limit),
        sources,
        rows,
    })
}

fn read_label(records: &Records, column: usize, positive_from: Option<f64>) -> Result<u8> {
    let value = records.decimal(column)?;
    match positive_from {
        Some(from) => Ok(u8::from(value >= from)),
        None if value == 0.0 || value == 1.0 => Ok(value as u8),
        None => {
            let problem = format!("{value} is neither 0 nor 1");
            Err(records.fail_in(column, &problem, "give 0 or 1, or set positive_from"))
        }
    }
}

fn read_part(records: &Records, column: usize) -> Result<u8> {
    match records.value(column) {
        "train" | "training" => Ok(part::TRAIN),
        "valid" | "validation" => Ok(part::VALIDATION),
        "test" => Ok(part::TEST),
        other => {
            let problem = format!("{other:?} names no part");
            Err(records.fail_in(column, &problem, "write train, validation or test"))
        }
    }
}

fn divide(parsed: &Parsed, rows: &RawRows, parts: Vec<u8>) -> Result<Division> {
    let own = &parsed.description;
    Ok(match own.split {
        SplitBy::Column => Division::Given(parts),
        SplitBy::Last => Division::Last,
        SplitBy::Users => Division::Users { training: 1.0 - own.test, validation: own.validation },
        SplitBy::Time => {
            let mut times = rows.times.clone();
            times.sort_unstable();
            // The first moment of the latest share of rows.
            let from = |share: f64, times: &[u64]| {
                let place = ((1.0 - share) * times.len() as f64) as usize;
                times.get(place).or(times.last()).copied().unwrap_or_default()
            };
            let test = from(own.test, &times);
            let before = times.partition_point(|&time| time < test);
            Division::Times { validation: from(own.validation, &times[..before]), test }
        }
    })
}

/// Histories that rows bring along: each distinct one is kept once.
struct Given {
    columns: Vec<ColumnName>,
    fields: Vec<(String, usize, Cardinality)>,
    sequences: Sequences,
    known: HashMap<Vec<u32>, u32>,
    of_row: Vec<u32>,
    lengths: Vec<u32>,
}

impl Given {
    fn new(parsed: &Parsed, vocabularies: &HashMap<&str, usize>) -> Self {
        let behaviors = &parsed.description.behaviors;
        let fields = behaviors.iter().filter_map(|name| {
            Some((name.clone(), *vocabularies.get(name.as_str())?, Cardinality::One))
        });
        Self {
            columns: parsed.history_columns.clone(),
            fields: fields.collect(),
            sequences: Sequences {
                offsets: vec![0],
                fields: vec![EventColumn::default(); parsed.history_columns.len()],
            },
            known: HashMap::new(),
            of_row: Vec::new(),
            lengths: Vec::new(),
        }
    }

    fn push(&mut self, records: &Records, places: &[usize], rows: &mut RawRows) -> Result<()> {
        let Some(&first) = places.first() else { return Ok(()) };
        let mut events: Vec<u32> = Vec::new();
        let mut length = None;
        for ((&place, column), (_, vocabulary, _)) in
            places.iter().zip(&self.columns).zip(&self.fields)
        {
            let before = events.len();
            let letter = column.joined_by.unwrap_or('^');
            let texts = &mut rows.vocabularies[*vocabulary].texts;
            let values = records.value(place).split(letter).filter(|value| !value.is_empty());
            events.extend(values.map(|value| texts.intern(value)));
            let count = events.len() - before;
            if *length.get_or_insert(count) != count {
                let problem = format!("{count} events, {:?} has others", self.columns[0].name);
                let remedy = "give every event a value in each history column";
                return Err(records.fail_in(place.max(first), &problem, remedy));
            }
        }
        let length = length.unwrap_or_default();
        let next = self.sequences.offsets.len() as u32 - 1;
        let sequence = match self.known.get(&events) {
            Some(&known) => known,
            None => {
                for (field, column) in self.sequences.fields.iter_mut().enumerate() {
                    column.ids.extend_from_slice(&events[field * length..(field + 1) * length]);
                }
                let end = self.sequences.offsets[next as usize] + length as u32;
                self.sequences.offsets.push(end);
                self.known.insert(events, next);
                next
            }
        };
        self.of_row.push(sequence);
        self.lengths.push(length as u32);
        Ok(())
    }

    fn finish(self) -> Histories {
        Histories::Given {
            sequences: self.sequences,
            fields: self.fields,
            rows: GivenRows::OfRow { sequences: self.of_row, lengths: self.lengths },
        }
    }
}
