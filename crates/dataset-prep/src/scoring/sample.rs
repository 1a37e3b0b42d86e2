//! Rows of a prepared dataset, written in the form that scoring reads.

use super::{EVENTS, IDS, Keys, TableWriter};
use crate::{Error, Place, Result};
use ctr_core::{Batch, Cardinality, Dataset, EventColumn, GroupEvents, Role, Split};
use polars::prelude::{Column, NamedFrom, Series};
use std::path::Path;

/// Rows encoded together.
const ROWS: usize = 4096;

/// Writes `user` (the number that predictions have), `label` and the fields of a split's rows. Ids are the
/// `keys` of their vocabularies where given, else numbers; of histories the latest `max_history` events.
///
/// # Errors
/// When a key has no form in a text file, or the file cannot be written.
pub fn write_sample_rows(
    path: &Path,
    dataset: &Dataset,
    split: Split,
    keys: Option<&[Keys]>,
    max_history: Option<u32>,
) -> Result<()> {
    let mut table = TableWriter::new(path)?;
    let samples = dataset.split(split);
    let rows: Vec<u32> = (0..samples.rows() as u32).collect();
    let mut batch = Batch::default();
    for (index, rows) in rows.chunks(ROWS).enumerate() {
        dataset.fill_batch(split, rows, max_history, &mut batch);
        let range = index * ROWS..index * ROWS + rows.len();
        let labels: Vec<i32> =
            samples.labels[range.clone()].iter().map(|&x| i32::from(x)).collect();
        let mut columns: Vec<Column> = vec![
            Series::new("user".into(), &samples.users[range]).into(),
            Series::new("label".into(), labels).into(),
        ];
        for (group, events) in dataset.schema.groups.iter().zip(&batch.groups) {
            for (field, ids) in group.fields.iter().zip(&events.fields) {
                let vocabulary = &dataset.schema.vocabularies[field.vocabulary].name;
                let keys =
                    keys.and_then(|all| all.iter().find(|one| one.vocabulary == *vocabulary));
                let shape = (group.role == Role::Behaviors, field.cardinality == Cardinality::Many);
                let name = format!("{}.{}", group.name, field.name);
                let source = Source { path, keys, events, ids, rows: rows.len() };
                columns.push(if table.takes_lists() {
                    source.lists(&name, shape)
                } else {
                    source.texts(&name, shape)?
                });
            }
        }
        table.append(columns)?;
    }
    table.finish()
}

/// One field of some rows.
struct Source<'s> {
    path: &'s Path,
    keys: Option<&'s Keys>,
    events: &'s GroupEvents,
    ids: &'s EventColumn,
    rows: usize,
}

impl Source<'_> {
    /// The text of an id. The reserved one has no key: empty, which no vocabulary has.
    fn text(&self, id: u32) -> String {
        match self.keys {
            Some(keys) => keys.key(id).unwrap_or_default().into(),
            None => id.to_string(),
        }
    }

    fn texts(&self, name: &str, (history, many): (bool, bool)) -> Result<Column> {
        let value = |id: u32| {
            let text = self.text(id);
            let joined = (history && text.contains(EVENTS)) || (many && text.contains(IDS));
            if joined || (history && text.is_empty()) {
                let problem = format!("the key {text:?} cannot be joined with others");
                return Err(Error::input(self.path, Place::File, name, problem, "write .parquet"));
            }
            Ok(text)
        };
        let event = |event: usize| -> Result<String> {
            let ids: Vec<String> =
                self.ids.event(event).iter().map(|&id| value(id)).collect::<Result<_>>()?;
            Ok(ids.join(&IDS.to_string()))
        };
        let row = |row: usize| -> Result<String> {
            let events: Vec<String> = self.events.of_row(row).map(event).collect::<Result<_>>()?;
            Ok(events.join(&EVENTS.to_string()))
        };
        let texts: Vec<String> = (0..self.rows).map(row).collect::<Result<_>>()?;
        Ok(Series::new(name.into(), texts).into())
    }

    fn lists(&self, name: &str, (history, many): (bool, bool)) -> Column {
        let leaves = |ids: &[u32]| match self.keys {
            Some(_) => {
                let texts: Vec<String> = ids.iter().map(|&id| self.text(id)).collect();
                Series::new(name.into(), texts)
            }
            None => Series::new(name.into(), ids),
        };
        let bags = |events: std::ops::Range<usize>| {
            let bags: Vec<Series> = events.map(|event| leaves(self.ids.event(event))).collect();
            // An empty series of series would have no type of its own.
            if bags.is_empty() {
                Series::new(name.into(), [leaves(&[])]).slice(0, 0)
            } else {
                Series::new(name.into(), bags)
            }
        };
        let rows = 0..self.rows;
        match (history, many) {
            (false, false) => leaves(&self.ids.ids),
            (false, true) => bags(rows),
            (true, false) => {
                let row = |row| leaves(&self.ids.ids[self.events.of_row(row)]);
                Series::new(name.into(), rows.map(row).collect::<Vec<Series>>())
            }
            (true, true) => {
                let row = |row| bags(self.events.of_row(row));
                Series::new(name.into(), rows.map(row).collect::<Vec<Series>>())
            }
        }
        .into()
    }
}
