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

mod description;
mod given;
mod items;

use crate::Result;
use crate::assemble::{Division, Histories, RawField, RawGroup, RawRows};
use crate::prepare::{CUSTOM, HistoryRule, PrepOptions, SourceRows};
use crate::raw::Interner;
use crate::records::Records;
use crate::rows::part;
use ctr_core::{Cardinality, EventColumn, Role};
use description::{ColumnName, History, Parsed, SplitBy};
use given::Given;
use items::read_items;
use std::collections::{BTreeMap, HashMap};

pub(crate) use description::is_described;

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
