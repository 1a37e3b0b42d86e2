//! Rows as a source had them, and histories.
//!
//! | file | columns |
//! |---|---|
//! | `rows.parquet` | `part` (0 training, 1 validation, 2 test), `user_id`, `sequence_id` where it is not the user's, `history_length`, `label`, and `<group>.<field>` of every group but the behaviors |
//! | `sequences.parquet` | `sequence_id` and `behaviors.<field>`, one row an event |
//! | `users.parquet` | `user_id`, `key` |
//! | `vocabulary-<number>-<name>.parquet` | `id`, `key` and, where the source has one, `title` |
//! | `bags-<number>-<name>.parquet` | `bag`, `id`: a field with several ids an event holds numbers of bags, and bag 0 is empty |
//! | `truth.parquet` | see [`super::truth`]; of simulations that know it |

pub(crate) use super::reviews::USERS;
use super::rows_sharded::{ShardTables, gather};
use super::{AGAIN, Folder, check_counts, check_numbers, table};
use crate::columns::{encode, id_column, ids, text_column, texts};
use crate::manifest::{Manifest, Sharding};
use crate::rows::{Keys, RowContent, part};
use crate::{Error, Result};
use ctr_core::{Cardinality, EventColumn, Field, Role, Samples, Schema, Sequences};
use polars::prelude::{Column, DataFrame};
use std::collections::HashMap;
use std::path::Path;

pub(crate) const ROWS: &str = "rows.parquet";
pub(crate) const SEQUENCES: &str = "sequences.parquet";

/// The file of a vocabulary.
pub(crate) fn vocabulary_file(kind: &str, schema: &Schema, vocabulary: usize) -> String {
    let name = &schema.vocabularies[vocabulary].name;
    let clean =
        |letter: char| if letter.is_ascii_alphanumeric() || letter == '_' { letter } else { '_' };
    let name: String = name.chars().take(40).map(clean).collect();
    format!("{kind}-{vocabulary}-{name}.parquet")
}

/// Whether any field of the vocabulary holds bags.
fn has_bags(schema: &Schema, vocabulary: usize) -> bool {
    schema
        .groups
        .iter()
        .flat_map(|group| &group.fields)
        .any(|field| field.vocabulary == vocabulary && field.cardinality == Cardinality::Many)
}

/// The distinct bags of one vocabulary, numbered by first appearance.
struct Bags<'c> {
    numbers: HashMap<&'c [u32], u32>,
    bags: Vec<&'c [u32]>,
}

impl<'c> Bags<'c> {
    fn new() -> Self {
        Self { numbers: HashMap::from([(&[][..], 0)]), bags: vec![&[]] }
    }

    fn number(&mut self, bag: &'c [u32]) -> u32 {
        *self.numbers.entry(bag).or_insert_with(|| {
            self.bags.push(bag);
            self.bags.len() as u32 - 1
        })
    }
}

/// Writes the files, one at a time.
pub(super) fn write(
    content: &RowContent,
    file: &mut impl FnMut(&str, &[u8]) -> Result<()>,
) -> Result<()> {
    let schema = &content.schema;
    let mut bags: Vec<Bags<'_>> = schema.vocabularies.iter().map(|_| Bags::new()).collect();
    let mut column =
        |name: &str, field: &Field, values| -> Column { id_values(name, field, values, &mut bags) };
    if schema.behaviors().is_some() {
        let columns = columns_of_sequences(schema, &content.sequences, 0, &mut column);
        file(SEQUENCES, &encode(columns)?)?;
    }
    let columns = columns_of_rows(schema, &content.parts, &content.rows, &mut column);
    file(ROWS, &encode(columns)?)?;
    write_keys(content, &bags, Vec::new(), file)
}

/// [`write`] with users' rows in shards.
pub(super) fn write_sharded(
    content: &RowContent,
    shards: u32,
    folder: &mut Folder,
) -> Result<Sharding> {
    let schema = &content.schema;
    let mut bags: Vec<Bags<'_>> = schema.vocabularies.iter().map(|_| Bags::new()).collect();
    let mut column =
        |name: &str, field: &Field, values| -> Column { id_values(name, field, values, &mut bags) };
    let sequences = columns_of_sequences(schema, &content.sequences, 0, &mut column);
    let columns = columns_of_rows(schema, &content.parts, &content.rows, &mut column);
    let owners = owners(&content.sequences, 0);
    let users = content.user_keys.iter();
    let mut tables = ShardTables::new(folder, users, shards, schema.behaviors().is_some())?;
    tables.append(&content.parts, &content.rows, &columns, &owners, &sequences)?;
    let (sharding, more) = tables.finish(folder)?;
    write_keys(content, &bags, more, &mut |name: &str, bytes: &[u8]| folder.put(name, bytes))?;
    Ok(sharding)
}

/// Writes users, with more columns beside their keys, vocabularies and bags.
fn write_keys(
    content: &RowContent,
    bags: &[Bags<'_>],
    more: Vec<Column>,
    file: &mut impl FnMut(&str, &[u8]) -> Result<()>,
) -> Result<()> {
    let schema = &content.schema;
    let users: Vec<u32> = (0..content.user_keys.len() as u32).collect();
    let mut keys = vec![id_column("user_id", &users), text_column("key", &content.user_keys)];
    keys.extend(more);
    file(USERS, &encode(keys)?)?;
    for (vocabulary, keys) in content.vocabularies.iter().enumerate() {
        let numbers: Vec<u32> = (1..=keys.keys.len() as u32).collect();
        let mut columns = vec![id_column("id", &numbers), text_column("key", &keys.keys)];
        if !keys.titles.is_empty() {
            columns.push(text_column("title", &keys.titles));
        }
        file(&vocabulary_file("vocabulary", schema, vocabulary), &encode(columns)?)?;
        if has_bags(schema, vocabulary) {
            let (mut numbers, mut members) = (Vec::new(), Vec::new());
            for (number, bag) in bags[vocabulary].bags.iter().enumerate() {
                numbers.extend(std::iter::repeat_n(number as u32, bag.len()));
                members.extend_from_slice(bag);
            }
            let columns = vec![id_column("bag", &numbers), id_column("id", &members)];
            file(&vocabulary_file("bags", schema, vocabulary), &encode(columns)?)?;
        }
    }
    Ok(())
}

/// The sequence of every event, numbered from `first`.
pub(crate) fn owners(sequences: &Sequences, first: u32) -> Vec<u32> {
    (first..)
        .zip(sequences.offsets.windows(2))
        .flat_map(|(sequence, ends)| std::iter::repeat_n(sequence, (ends[1] - ends[0]) as usize))
        .collect()
}

/// Columns of [`SEQUENCES`]. The sequences are numbered from `first`; `column` makes a field's column.
pub(crate) fn columns_of_sequences<'c>(
    schema: &Schema,
    sequences: &'c Sequences,
    first: u32,
    column: &mut impl FnMut(&str, &Field, &'c EventColumn) -> Column,
) -> Vec<Column> {
    let mut columns = vec![id_column("sequence_id", &owners(sequences, first))];
    if let Some(group) = schema.behaviors().map(|behaviors| &schema.groups[behaviors]) {
        for (field, values) in group.fields.iter().zip(&sequences.fields) {
            columns.push(column(&format!("{}.{}", group.name, field.name), field, values));
        }
    }
    columns
}

/// Columns of [`ROWS`].
pub(crate) fn columns_of_rows<'c>(
    schema: &Schema,
    parts: &[u8],
    rows: &'c Samples,
    column: &mut impl FnMut(&str, &Field, &'c EventColumn) -> Column,
) -> Vec<Column> {
    let small = |values: &[u8]| values.iter().map(|&value| u32::from(value)).collect::<Vec<u32>>();
    let mut columns = vec![id_column("part", &small(parts)), id_column("user_id", &rows.users)];
    if !rows.sequences.is_empty() {
        columns.push(id_column("sequence_id", &rows.sequences));
    }
    columns.push(id_column("history_length", &rows.history_lengths));
    columns.push(id_column("label", &small(&rows.labels)));
    for (group, values) in schema.groups.iter().zip(&rows.groups) {
        for (field, values) in group.fields.iter().zip(values) {
            columns.push(column(&format!("{}.{}", group.name, field.name), field, values));
        }
    }
    columns
}

/// A field's ids, or the numbers of its bags.
fn id_values<'c>(
    name: &str,
    field: &Field,
    values: &'c EventColumn,
    bags: &mut [Bags<'c>],
) -> Column {
    match field.cardinality {
        Cardinality::One => id_column(name, &values.ids),
        Cardinality::Many => {
            let bags = &mut bags[field.vocabulary];
            let numbers: Vec<u32> =
                (0..values.events()).map(|event| bags.number(values.event(event))).collect();
            id_column(name, &numbers)
        }
    }
}

/// Reads the files. What does not fit the manifest's schema is an error here or in the checks of the
/// dataset made of it.
pub(super) fn read(dir: &Path, manifest: &Manifest) -> Result<RowContent> {
    let schema = &manifest.schema;
    schema.validate()?;
    let (path, frame) = table(dir, manifest, USERS)?;
    let user_keys = texts(&path, &frame, "key")?;
    check_numbers(&path, "user_id", &ids(&path, &frame, "user_id")?, 0)?;

    let (vocabularies, bags) = read_vocabularies(dir, manifest)?;
    // As one table each, wherever they lie.
    let whole = |name: &str, by: &str| match &manifest.shards {
        None => table(dir, manifest, name),
        Some(sharding) => gather(dir, manifest, sharding, name, by),
    };
    let mut sequences = Sequences { offsets: vec![0], fields: Vec::new() };
    let (path, frame) = whole(ROWS, "user_id")?;
    let (parts, rows) = parse_rows(&path, &frame, schema, user_keys.len(), &bags)?;
    if let Some(behaviors) = schema.behaviors() {
        let (path, frame) = whole(SEQUENCES, "sequence_id")?;
        let (owners, fields) = parse_sequences(&path, &frame, &schema.groups[behaviors], &bags)?;
        sequences.fields = fields;
        let last = rows.sequences.iter().max().map(|&last| last as usize + 1);
        let count = if rows.sequences.is_empty() { user_keys.len() } else { last.unwrap_or(0) };
        sequences.offsets = offsets(&path, "sequence_id", &owners, count)?;
    } else {
        sequences.offsets.resize(user_keys.len() + 1, 0);
    }
    let positives = rows.labels.iter().filter(|&&label| label == 1).count();
    check_counts(
        dir,
        manifest,
        &[("users", user_keys.len()), ("samples", rows.rows()), ("positives", positives)],
    )?;
    Ok(RowContent { schema: schema.clone(), vocabularies, user_keys, sequences, parts, rows })
}

/// The keys of each vocabulary, and its bags.
pub(crate) fn read_vocabularies(
    dir: &Path,
    manifest: &Manifest,
) -> Result<(Vec<Keys>, Vec<EventColumn>)> {
    let schema = &manifest.schema;
    let mut vocabularies = Vec::with_capacity(schema.vocabularies.len());
    let mut bags: Vec<EventColumn> = Vec::with_capacity(schema.vocabularies.len());
    for (vocabulary, known) in schema.vocabularies.iter().enumerate() {
        let (path, frame) =
            table(dir, manifest, &vocabulary_file("vocabulary", schema, vocabulary))?;
        let keys = texts(&path, &frame, "key")?;
        check_numbers(&path, "id", &ids(&path, &frame, "id")?, 1)?;
        if keys.len() as u64 + 1 != u64::from(known.size) {
            let reason = format!("{} keys, manifest.json says {}", keys.len(), known.size - 1);
            return Err(Error::damaged(&path, format!("{reason}; {AGAIN}")));
        }
        let titles = titles(&path, &frame)?;
        vocabularies.push(Keys { keys, titles });
    }
    for vocabulary in 0..schema.vocabularies.len() {
        bags.push(read_bags_of(dir, manifest, vocabulary)?);
    }
    Ok((vocabularies, bags))
}

/// The bags of a vocabulary; nothing where no field holds any.
pub(crate) fn read_bags_of(
    dir: &Path,
    manifest: &Manifest,
    vocabulary: usize,
) -> Result<EventColumn> {
    match has_bags(&manifest.schema, vocabulary) {
        true => read_bags(dir, manifest, &vocabulary_file("bags", &manifest.schema, vocabulary)),
        false => Ok(EventColumn::default()),
    }
}

/// Parts and rows of a table.
pub(super) fn parse_rows(
    path: &Path,
    frame: &DataFrame,
    schema: &Schema,
    users_count: usize,
    bags: &[EventColumn],
) -> Result<(Vec<u8>, Samples)> {
    let users = ids(path, frame, "user_id")?;
    let row_sequences = match frame.column("sequence_id") {
        Ok(_) => ids(path, frame, "sequence_id")?,
        Err(_) => Vec::new(),
    };
    let small = |name: &str, most: u32| -> Result<Vec<u8>> {
        let values = ids(path, frame, name)?;
        match values.iter().position(|&value| value > most) {
            None => Ok(values.into_iter().map(|value| value as u8).collect()),
            Some(row) => {
                let reason = format!("{name} {} in row {}", values[row], row + 1);
                Err(Error::damaged(path, format!("{reason}; {AGAIN}")))
            }
        }
    };
    let mut rows = Samples {
        history_lengths: ids(path, frame, "history_length")?,
        labels: small("label", 1)?,
        groups: Vec::new(),
        sequences: row_sequences,
        users,
    };
    let parts = small("part", u32::from(part::TEST))?;
    if let Some(&user) = rows.users.iter().find(|&&user| user as usize >= users_count) {
        let reason = format!("user_id {user} of {users_count} users");
        return Err(Error::damaged(path, format!("{reason}; {AGAIN}")));
    }
    for group in &schema.groups {
        rows.groups.push(match group.role {
            Role::Behaviors => Vec::new(),
            _ => read_fields(path, frame, group, bags)?,
        });
    }
    Ok((parts, rows))
}

/// The sequence of every event of a table, and the events' fields.
pub(super) fn parse_sequences(
    path: &Path,
    frame: &DataFrame,
    group: &ctr_core::Group,
    bags: &[EventColumn],
) -> Result<(Vec<u32>, Vec<EventColumn>)> {
    Ok((ids(path, frame, "sequence_id")?, read_fields(path, frame, group, bags)?))
}

/// What people call the ids of a vocabulary; empty where its file has no such column.
pub(super) fn titles(path: &Path, frame: &DataFrame) -> Result<Vec<String>> {
    let titled = frame.column("title").is_ok();
    if titled { texts(path, frame, "title") } else { Ok(Vec::new()) }
}

fn read_fields(
    path: &Path,
    frame: &DataFrame,
    group: &ctr_core::Group,
    bags: &[EventColumn],
) -> Result<Vec<EventColumn>> {
    let mut columns = Vec::new();
    for field in &group.fields {
        let name = format!("{}.{}", group.name, field.name);
        let values = ids(path, frame, &name)?;
        columns.push(match field.cardinality {
            Cardinality::One => EventColumn::single(values),
            Cardinality::Many => {
                let bags = &bags[field.vocabulary];
                let mut column = EventColumn::default();
                column.clear(true);
                for (row, &bag) in values.iter().enumerate() {
                    if bag as usize >= bags.events() {
                        let reason = format!("{name}: bag {bag} in row {} does not exist", row + 1);
                        return Err(Error::damaged(path, format!("{reason}; {AGAIN}")));
                    }
                    column.extend_from(bags, bag as usize, bag as usize + 1);
                }
                column
            }
        });
    }
    Ok(columns)
}

/// The bags of a vocabulary, bag by bag.
fn read_bags(dir: &Path, manifest: &Manifest, name: &str) -> Result<EventColumn> {
    let (path, frame) = table(dir, manifest, name)?;
    let numbers = ids(&path, &frame, "bag")?;
    let count = numbers.last().map_or(1, |&last| last as usize + 1);
    Ok(EventColumn {
        offsets: offsets(&path, "bag", &numbers, count)?,
        ids: ids(&path, &frame, "id")?,
    })
}

/// Boundaries of runs of equal owners, which must rise from 0.
fn offsets(path: &Path, name: &str, owners: &[u32], count: usize) -> Result<Vec<u32>> {
    let mut offsets = vec![0u32; count + 1];
    for (row, &owner) in owners.iter().enumerate() {
        let falls = row > 0 && owner < owners[row - 1];
        if falls || owner as usize >= count {
            let reason = format!("{name} {owner} in row {} is out of order", row + 1);
            return Err(Error::damaged(path, format!("{reason}; {AGAIN}")));
        }
        offsets[owner as usize + 1] += 1;
    }
    for owner in 0..count {
        offsets[owner + 1] += offsets[owner];
    }
    Ok(offsets)
}
