//! From columns of texts to batches of ids.

use super::Keys;
use super::cells::{Cells, Nested};
use super::reader::{Piece, Reader};
use crate::{Error, Place, Result};
use ctr_core::{Batch, Cardinality, EventColumn, GroupEvents, Role, Schema};
use polars::prelude::Column;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

/// What becomes of an id that the prepared data does not have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unknown {
    /// The reserved id 0.
    #[default]
    Reserved,
    /// An error that names its place.
    Error,
}

/// How texts become the ids of one vocabulary.
#[derive(Clone, Debug, Default)]
pub struct FieldIds {
    /// Ids by key; without it the texts are the ids' numbers themselves.
    numbers: Option<Arc<HashMap<Box<str>, u32>>>,
    size: u32,
    /// For each id whether histories keep it, and whether other fields lose the rest too.
    kept: Option<(Arc<Vec<bool>>, bool)>,
}

impl FieldIds {
    /// Ids below `size`, written as the keys given, or as numbers.
    pub fn new(size: u32, keys: Option<&Keys>) -> Self {
        Self { numbers: keys.map(|keys| Arc::new(keys.numbers())), size, kept: None }
    }

    /// Turns ids that are not `kept` into the reserved one in histories, with `everywhere` in all fields.
    #[must_use]
    pub fn keep(mut self, kept: Vec<bool>, everywhere: bool) -> Self {
        self.kept = Some((Arc::new(kept), everywhere));
        self
    }

    /// The id of a text; none for one that is not known, and an error for one that cannot be an id.
    fn id(&self, text: &str) -> std::result::Result<Option<u32>, String> {
        match &self.numbers {
            Some(numbers) => Ok(numbers.get(text).copied()),
            None => {
                let number = crate::tables::whole_number(text)?;
                Ok(u32::try_from(number).ok().filter(|&id| id < self.size))
            }
        }
    }

    fn filtered(&self, id: u32, history: bool) -> u32 {
        match &self.kept {
            Some((kept, everywhere)) if (history || *everywhere) && !kept[id as usize] => 0,
            _ => id,
        }
    }
}

/// Numbers of unknown ids, by column.
pub type UnknownIds = BTreeMap<String, u64>;

/// A field of the schema and where it stands in the file.
struct FieldPlace {
    group: usize,
    field: usize,
    column: usize,
    history: bool,
    many: bool,
    ids: FieldIds,
}

/// Rows of a file, read in pieces as a model of some schema wants them.
pub struct ScoringRows {
    reader: Reader,
    schema: Schema,
    places: Vec<FieldPlace>,
    passed: Vec<usize>,
    max_history: Option<u32>,
    unknown: Unknown,
    /// Ids so far that became the reserved one.
    pub unknown_ids: UnknownIds,
}

/// Some rows: what models read of them, and the columns that pass through.
pub struct ScoringPiece {
    /// The rows, with labels of 0.
    pub batch: Batch,
    /// Their other columns.
    pub passed: Vec<Column>,
}

impl ScoringRows {
    /// Opens a file whose columns are the fields of `schema`; `ids` has one entry a vocabulary. Of histories
    /// the latest `max_history` events stay. Other columns pass through, but for those of fields that the data
    /// has (`whole`) and the run left out.
    ///
    /// # Errors
    /// When the file cannot be read, or names the column that is missing.
    pub fn open(
        path: &Path,
        (schema, whole): (&Schema, &Schema),
        ids: &[FieldIds],
        max_history: Option<u32>,
        unknown: Unknown,
    ) -> Result<Self> {
        let reader = Reader::open(path)?;
        let mut places = Vec::new();
        for (group_index, group) in schema.groups.iter().enumerate() {
            for (field_index, field) in group.fields.iter().enumerate() {
                places.push(FieldPlace {
                    group: group_index,
                    field: field_index,
                    column: column_of(&reader, schema, &group.name, &field.name)?,
                    history: group.role == Role::Behaviors,
                    many: field.cardinality == Cardinality::Many,
                    ids: ids.get(field.vocabulary).cloned().unwrap_or_default(),
                });
            }
        }
        let passed: Vec<usize> = (0..reader.names.len())
            .filter(|column| places.iter().all(|place| place.column != *column))
            .filter(|&column| !field_names(whole).contains(&reader.names[column]))
            .collect();
        for name in SCORES {
            if passed.iter().any(|&column| reader.names[column] == name) {
                let problem = "a column of this name is written";
                let remedy = "rename it or leave it out";
                return Err(Error::input(path, reader.header(), name, problem, remedy));
            }
        }
        let unknown_ids = UnknownIds::new();
        Ok(Self {
            reader,
            schema: schema.clone(),
            places,
            passed,
            max_history,
            unknown,
            unknown_ids,
        })
    }

    /// The next rows, at most `most`; none at the end.
    ///
    /// # Errors
    /// Names file, row and column of what is wrong.
    pub fn next_piece(&mut self, most: usize) -> Result<Option<ScoringPiece>> {
        let Some(piece) = self.reader.next(most)? else { return Ok(None) };
        let mut batch = Batch { labels: vec![0.0; piece.rows], groups: Vec::new() };
        batch.groups.resize_with(self.schema.groups.len(), GroupEvents::default);
        let mut history = Vec::new();
        for place in &self.places {
            let name = &self.reader.names[place.column];
            let mut missing = 0;
            let read = read_field(&self.reader, &piece, place, self.max_history, |at, text| {
                missing += 1;
                match self.unknown {
                    Unknown::Reserved => Ok(()),
                    Unknown::Error => {
                        let problem = format!("{text:?} is no id of the prepared data");
                        let remedy = "correct it, or score it as unknown by --unknown zero";
                        Err(Error::input(&self.reader.path, at, name, problem, remedy))
                    }
                }
            });
            let ReadField { column, offsets, given } = read?;
            if missing > 0 {
                *self.unknown_ids.entry(name.clone()).or_default() += missing;
            }
            // Before the limit: events that fall away together must be the same ones.
            if place.history && place.field > 0 && history != given {
                return Err(self.ragged(&piece, place, &history, &given));
            }
            if place.history {
                history = given;
            }
            let group = &mut batch.groups[place.group];
            group.offsets = offsets;
            group.fields.push(column);
        }
        let passed = self.passed.iter().map(|&column| {
            let name = &self.reader.names[column];
            piece.columns[column].column(name)
        });
        Ok(Some(ScoringPiece { passed: passed.collect(), batch }))
    }

    /// The error of the first row whose history has other numbers of events in two columns.
    fn ragged(&self, piece: &Piece, place: &FieldPlace, left: &[u32], right: &[u32]) -> Error {
        let row = left.iter().zip(right).position(|(left, right)| left != right).unwrap_or(0);
        let (at, name) = (piece.first.plus(row as u64), &self.reader.names[place.column]);
        let problem = format!(
            "{} events in the history, {} in the other columns of {}",
            right[row], left[row], self.schema.groups[place.group].name
        );
        let remedy = "give a value for every event in every column of the history";
        Error::input(&self.reader.path, at, name, problem, remedy)
    }
}

/// Columns that are written beside those of the input.
pub(super) const SCORES: [&str; 2] = ["score", "probability"];

/// The columns of all fields.
fn field_names(schema: &Schema) -> Vec<String> {
    let groups = schema.groups.iter();
    groups
        .flat_map(|group| group.fields.iter().map(|field| format!("{}.{}", group.name, field.name)))
        .collect()
}

/// Position of a field's column.
fn column_of(reader: &Reader, schema: &Schema, group: &str, field: &str) -> Result<usize> {
    let whole = format!("{group}.{field}");
    let alone = schema
        .groups
        .iter()
        .flat_map(|group| &group.fields)
        .filter(|other| other.name == field)
        .count()
        == 1;
    let find = |name: &str| reader.names.iter().position(|known| known == name);
    find(&whole).or_else(|| find(field).filter(|_| alone)).ok_or_else(|| {
        let remedy = format!("the run needs the columns {}", field_names(schema).join(", "));
        Error::input(&reader.path, reader.header(), &whole, "missing column", remedy)
    })
}

/// The ids of one field.
struct ReadField {
    column: EventColumn,
    /// Event boundaries of histories.
    offsets: Vec<u32>,
    /// Events that each row's history had in the file.
    given: Vec<u32>,
}

/// Reads one field. `missing` is told of unknown ids.
fn read_field(
    reader: &Reader,
    piece: &Piece,
    place: &FieldPlace,
    max_history: Option<u32>,
    mut missing: impl FnMut(Place, &str) -> Result<()>,
) -> Result<ReadField> {
    let name = &reader.names[place.column];
    let cells: &Cells = &piece.columns[place.column];
    let most = usize::from(place.history) + usize::from(place.many);
    let nested = Nested::new(&reader.path, name, cells, most)?;
    let mut column = EventColumn::default();
    column.clear(place.many);
    let mut offsets = if place.history { vec![0] } else { Vec::new() };
    let mut given = Vec::new();
    let (mut ids, mut ends, mut events) = (Vec::new(), Vec::new(), 0);
    let mut unknown: Vec<(usize, String)> = Vec::new();
    for row in 0..piece.rows {
        let at = piece.first.plus(row as u64);
        let mut count = 0;
        let id = |text: &str| {
            let id = place.ids.id(text).map_err(|problem| {
                let remedy = "give the number of an id, or name ids by --ids keys";
                Error::input(&reader.path, at, name, problem, remedy)
            })?;
            if id.is_none() {
                unknown.push((count, text.to_string()));
            }
            count += 1;
            Ok(place.ids.filtered(id.unwrap_or(0), place.history))
        };
        nested.each(row, (place.history, place.many), id, &mut ids, &mut ends)?;
        let stay = max_history.filter(|_| place.history).map_or(ends.len(), |most| most as usize);
        let first = ends.len().saturating_sub(stay);
        let mut start = if first == 0 { 0 } else { ends[first - 1] as usize };
        // What the limit cuts off is not scored.
        for (number, text) in unknown.drain(..) {
            if number >= start {
                missing(at, &text)?;
            }
        }
        for &end in &ends[first..] {
            column.ids.extend_from_slice(&ids[start..end as usize]);
            start = end as usize;
            if place.many {
                column.offsets.push(column.ids.len() as u32);
            }
            events += 1;
        }
        if place.history {
            offsets.push(events);
            given.push(ends.len() as u32);
        }
    }
    Ok(ReadField { column, offsets, given })
}
