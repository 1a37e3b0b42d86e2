//! From rows as a source gives them to final ids, histories and parts.
//!
//! Everything is put in an order that does not depend on the order of lines in the files: ids follow the
//! byte order of keys, rows stand by user and time, and rows of one user and time by their values. So a
//! shuffled file gives the same dataset.

use crate::numbering::ranks;
use crate::raw::Interner;
use crate::rows::{Keys, RowContent, part};
use crate::{Error, Result};
use ctr_core::{
    Cardinality, EventColumn, Field, Group, Role, Samples, Schema, SeedStreams, Sequences,
    Vocabulary,
};
use std::cmp::Ordering;
use std::path::PathBuf;

/// A vocabulary while its texts are still numbered by first appearance.
#[derive(Debug, Default)]
pub(crate) struct RawVocabulary {
    pub name: String,
    pub texts: Interner,
    /// What people call them, by number; empty when the source has no names.
    pub titles: Vec<String>,
}

/// A field with the numbers of its values, one entry a row.
#[derive(Debug)]
pub(crate) struct RawField {
    pub name: String,
    pub vocabulary: usize,
    pub cardinality: Cardinality,
    pub column: EventColumn,
}

impl RawField {
    pub fn new(name: &str, vocabulary: usize, cardinality: Cardinality) -> Self {
        let mut column = EventColumn::default();
        column.clear(cardinality == Cardinality::Many);
        Self { name: name.into(), vocabulary, cardinality, column }
    }
}

/// A group that has one event a row.
#[derive(Debug)]
pub(crate) struct RawGroup {
    pub name: String,
    pub role: Role,
    pub fields: Vec<RawField>,
}

/// Where histories come from.
#[derive(Debug)]
pub(crate) enum Histories {
    /// There are none.
    None,
    /// The user's earlier rows, or those of them with label 1: the fields named here of the candidate.
    Rows { clicked_only: bool, fields: Vec<String> },
    /// Sequences that the source gives: one field each of the behaviors, and for each row its sequence
    /// and the number of events before it.
    Given { sequences: Sequences, fields: Vec<(String, usize, Cardinality)>, rows: GivenRows },
}

/// The histories of rows in [`Histories::Given`].
#[derive(Debug)]
pub(crate) enum GivenRows {
    /// Sequence `u` belongs to user `u` (by first appearance); lengths by row.
    OfUser { lengths: Vec<u32> },
    /// Every row names its sequence.
    OfRow { sequences: Vec<u32>, lengths: Vec<u32> },
}

/// How rows are divided.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Division {
    /// Whole users, drawn at random: shares of all users for training and, of those, for validation.
    Users { training: f64, validation: f64 },
    /// By time: validation from the first moment on, test from the second.
    Times { validation: u64, test: u64 },
    /// A user's last row is test, the last but one validation.
    Last,
    /// The source says so; a value of [`part`] for each row.
    Given(Vec<u8>),
}

/// Rows under the numbers of first appearance.
#[derive(Debug)]
pub(crate) struct RawRows {
    /// The file named in messages.
    pub file: PathBuf,
    pub vocabularies: Vec<RawVocabulary>,
    pub user_keys: Interner,
    pub users: Vec<u32>,
    /// Only comparisons within a user matter; empty when rows have none.
    pub times: Vec<u64>,
    pub labels: Vec<u8>,
    pub groups: Vec<RawGroup>,
    pub histories: Histories,
}

impl RawRows {
    /// No rows yet.
    pub fn new(file: PathBuf) -> Self {
        Self {
            file,
            vocabularies: Vec::new(),
            user_keys: Interner::default(),
            users: Vec::new(),
            times: Vec::new(),
            labels: Vec::new(),
            groups: Vec::new(),
            histories: Histories::None,
        }
    }

    /// Adds a vocabulary and tells its position.
    pub fn vocabulary(&mut self, name: &str) -> usize {
        self.vocabularies.push(RawVocabulary { name: name.into(), ..RawVocabulary::default() });
        self.vocabularies.len() - 1
    }

    /// The first thing that no dataset can be made of.
    fn check(&self) -> Result<()> {
        let fail = |problem: &str, remedy: &str| {
            Err(Error::input(&self.file, crate::Place::File, "", problem, remedy))
        };
        if self.users.is_empty() {
            return fail("no rows", "give at least one row");
        }
        if self.users.len() >= u32::MAX as usize {
            return fail("more rows than a prepared dataset can hold", "split the data");
        }
        if !self.labels.contains(&1) || !self.labels.contains(&0) {
            return fail("all rows have the same label", "check the column and rule of the label");
        }
        Ok(())
    }

    /// Final ids, order, histories and parts.
    pub fn finish(mut self, division: Division, seed: u64) -> Result<RowContent> {
        self.check()?;
        let (user_order, user_ids) = ranks(&self.user_keys, 0);
        let user_keys: Vec<String> =
            user_order.iter().map(|&user| self.user_keys.text(user).to_string()).collect();
        let mut ids = Vec::with_capacity(self.vocabularies.len());
        let mut keys = Vec::with_capacity(self.vocabularies.len());
        for vocabulary in &mut self.vocabularies {
            let (order, new) = ranks(&vocabulary.texts, 1);
            keys.push(Keys {
                keys: order.iter().map(|&old| vocabulary.texts.text(old).to_string()).collect(),
                titles: if vocabulary.titles.is_empty() {
                    Vec::new()
                } else {
                    order
                        .iter()
                        .map(|&old| std::mem::take(&mut vocabulary.titles[old as usize]))
                        .collect()
                },
            });
            ids.push(new);
        }
        for group in &mut self.groups {
            for field in &mut group.fields {
                renumber(&mut field.column, &ids[field.vocabulary]);
            }
        }
        self.users.iter_mut().for_each(|user| *user = user_ids[*user as usize]);

        let order = self.order();
        let by_order = |column: &[u32]| -> Vec<u32> {
            order.iter().map(|&row| column[row as usize]).collect()
        };
        let users = by_order(&self.users);
        let labels: Vec<u8> = order.iter().map(|&row| self.labels[row as usize]).collect();
        let times: Vec<u64> = match self.times.is_empty() {
            true => Vec::new(),
            false => order.iter().map(|&row| self.times[row as usize]).collect(),
        };
        for group in &mut self.groups {
            for field in &mut group.fields {
                field.column = reordered(&field.column, &order, field.cardinality);
            }
        }
        let (behaviors, sequences, sequence_of_row, lengths) = match self.histories {
            Histories::None => (
                Vec::new(),
                Sequences { offsets: vec![0; user_keys.len() + 1], fields: vec![] },
                vec![],
                vec![0; users.len()],
            ),
            Histories::Rows { clicked_only, ref fields } => {
                let candidate = self.groups.iter().find(|group| group.role == Role::Candidate);
                let taken: Vec<&RawField> = fields
                    .iter()
                    .filter_map(|name| candidate?.fields.iter().find(|field| field.name == *name))
                    .collect();
                let rows = OrderedRows { users: &users, times: &times, labels: &labels };
                let (sequences, lengths) = rows.histories(user_keys.len(), clicked_only, &taken);
                let fields = taken
                    .iter()
                    .map(|field| (field.name.clone(), field.vocabulary, field.cardinality));
                (fields.collect(), sequences, vec![], lengths)
            }
            Histories::Given { mut sequences, fields, rows } => {
                for (column, (_, vocabulary, _)) in sequences.fields.iter_mut().zip(&fields) {
                    renumber(column, &ids[*vocabulary]);
                }
                match rows {
                    GivenRows::OfUser { lengths } => {
                        let sequences = reordered_sequences(&sequences, &user_order, &fields);
                        (fields, sequences, vec![], by_order(&lengths))
                    }
                    GivenRows::OfRow { sequences: of_row, lengths } => {
                        let mut of_row = by_order(&of_row);
                        let order = by_appearance(&mut of_row);
                        let sequences = reordered_sequences(&sequences, &order, &fields);
                        (fields, sequences, of_row, by_order(&lengths))
                    }
                }
            }
        };
        let parts = match division {
            Division::Given(parts) => order.iter().map(|&row| parts[row as usize]).collect(),
            Division::Times { validation, test } => times
                .iter()
                .map(|&time| match time {
                    _ if time >= test => part::TEST,
                    _ if time >= validation => part::VALIDATION,
                    _ => part::TRAIN,
                })
                .collect(),
            Division::Users { training, validation } => {
                let of_user = divide_users(user_keys.len(), training, validation, seed);
                users.iter().map(|&user| of_user[user as usize]).collect()
            }
            Division::Last => last_rows(&users),
        };
        for (wanted, name) in [(part::TRAIN, "training"), (part::TEST, "test")] {
            if !parts.contains(&wanted) {
                let problem = format!("the split leaves no {name} rows");
                let remedy = "give more data or another split";
                return Err(Error::input(&self.file, crate::Place::File, "", problem, remedy));
            }
        }

        let mut schema = Schema { vocabularies: Vec::new(), groups: Vec::new() };
        for (vocabulary, keys) in self.vocabularies.iter().zip(&keys) {
            let size = keys.keys.len() as u32 + 1;
            schema.vocabularies.push(Vocabulary { name: vocabulary.name.clone(), size });
        }
        let mut groups = Vec::new();
        if !behaviors.is_empty() {
            let fields = behaviors.into_iter().map(|(name, vocabulary, cardinality)| Field {
                name,
                vocabulary,
                cardinality,
            });
            let fields = fields.collect();
            schema.groups.push(Group { name: "behaviors".into(), role: Role::Behaviors, fields });
            groups.push(Vec::new());
        }
        for group in self.groups {
            let (mut fields, mut columns) = (Vec::new(), Vec::new());
            for RawField { name, vocabulary, cardinality, column } in group.fields {
                fields.push(Field { name, vocabulary, cardinality });
                columns.push(column);
            }
            schema.groups.push(Group { name: group.name, role: group.role, fields });
            groups.push(columns);
        }
        schema.validate()?;
        Ok(RowContent {
            schema,
            vocabularies: keys,
            user_keys,
            sequences,
            parts,
            rows: Samples {
                users,
                sequences: sequence_of_row,
                history_lengths: lengths,
                labels,
                groups,
            },
        })
    }

    /// Rows by user, time and, where both are equal, by their values.
    fn order(&self) -> Vec<u32> {
        let columns: Vec<&EventColumn> = self
            .groups
            .iter()
            .flat_map(|group| group.fields.iter().map(|field| &field.column))
            .collect();
        let time = |row: usize| self.times.get(row).copied().unwrap_or_default();
        let values = |left: usize, right: usize| {
            columns
                .iter()
                .map(|column| column.event(left).cmp(column.event(right)))
                .find(|order| order.is_ne())
                .unwrap_or(Ordering::Equal)
        };
        let mut order: Vec<u32> = (0..self.users.len() as u32).collect();
        order.sort_by(|&left, &right| {
            let (left, right) = (left as usize, right as usize);
            self.users[left]
                .cmp(&self.users[right])
                .then_with(|| time(left).cmp(&time(right)))
                .then_with(|| values(left, right))
                .then_with(|| self.labels[left].cmp(&self.labels[right]))
        });
        order
    }
}

/// Rows in their final order.
struct OrderedRows<'r> {
    users: &'r [u32],
    times: &'r [u64],
    labels: &'r [u8],
}

impl OrderedRows<'_> {
    /// A sequence of every user's rows (or those with label 1), and for every row the number of its
    /// events that lie before the row's time: a row never sees itself or what happened at its moment.
    fn histories(
        &self,
        users: usize,
        clicked_only: bool,
        fields: &[&RawField],
    ) -> (Sequences, Vec<u32>) {
        let mut columns: Vec<EventColumn> = fields
            .iter()
            .map(|field| {
                let mut column = EventColumn::default();
                column.clear(field.cardinality == Cardinality::Many);
                column
            })
            .collect();
        let (mut offsets, mut lengths) =
            (vec![0u32; users + 1], Vec::with_capacity(self.users.len()));
        let (mut events, mut before, mut now) = (0u32, 0u32, None);
        for (row, &user) in self.users.iter().enumerate() {
            let first = row == 0 || self.users[row - 1] != user;
            if first {
                events = 0;
            }
            let time = self.times.get(row).copied();
            if first || time != now || time.is_none() {
                (before, now) = (events, time);
            }
            lengths.push(before);
            if !clicked_only || self.labels[row] == 1 {
                events += 1;
                offsets[user as usize + 1] += 1;
                for (column, field) in columns.iter_mut().zip(fields) {
                    column.extend_from(&field.column, row, row + 1);
                }
            }
        }
        for user in 0..users {
            offsets[user + 1] += offsets[user];
        }
        (Sequences { offsets, fields: columns }, lengths)
    }
}

fn renumber(column: &mut EventColumn, ids: &[u32]) {
    column.ids.iter_mut().for_each(|id| *id = ids[*id as usize]);
    // The ids of a bag in rising order: the source's order must not matter.
    for bounds in column.offsets.windows(2) {
        column.ids[bounds[0] as usize..bounds[1] as usize].sort_unstable();
    }
}

fn reordered(column: &EventColumn, order: &[u32], cardinality: Cardinality) -> EventColumn {
    let mut copy = EventColumn::default();
    copy.clear(cardinality == Cardinality::Many);
    for &row in order {
        copy.extend_from(column, row as usize, row as usize + 1);
    }
    copy
}

/// Numbers values anew by first appearance, and tells the old numbers in the order of the new.
fn by_appearance(values: &mut [u32]) -> Vec<u32> {
    let most = values.iter().max().map_or(0, |&most| most as usize + 1);
    let (mut numbers, mut order) = (vec![u32::MAX; most], Vec::new());
    for value in values {
        let number = &mut numbers[*value as usize];
        if *number == u32::MAX {
            *number = order.len() as u32;
            order.push(*value);
        }
        *value = *number;
    }
    order
}

/// Sequences in another order.
fn reordered_sequences(
    sequences: &Sequences,
    order: &[u32],
    fields: &[(String, usize, Cardinality)],
) -> Sequences {
    let mut offsets = vec![0u32];
    let bounds = |user: u32| {
        let user = user as usize;
        (sequences.offsets[user] as usize, sequences.offsets[user + 1] as usize)
    };
    for &user in order {
        let (from, to) = bounds(user);
        offsets.push(offsets[offsets.len() - 1] + (to - from) as u32);
    }
    let columns = sequences.fields.iter().zip(fields).map(|(column, (_, _, cardinality))| {
        let mut copy = EventColumn::default();
        copy.clear(*cardinality == Cardinality::Many);
        for &user in order {
            let (from, to) = bounds(user);
            copy.extend_from(column, from, to);
        }
        copy
    });
    Sequences { fields: columns.collect(), offsets }
}

/// The part of each user.
fn divide_users(users: usize, training: f64, validation: f64, seed: u64) -> Vec<u8> {
    let mut order: Vec<u32> = (0..users as u32).collect();
    SeedStreams::new(seed).stream("users").shuffle(&mut order);
    let training = (users as f64 * training).round() as usize;
    let validation = (training as f64 * validation).round() as usize;
    let mut parts = vec![part::TEST; users];
    for (position, &user) in order[..training.min(users)].iter().enumerate() {
        parts[user as usize] = if position < validation { part::VALIDATION } else { part::TRAIN };
    }
    parts
}

/// A user's last row is test, the last but one validation; a user with one row trains.
fn last_rows(users: &[u32]) -> Vec<u8> {
    let same = |row: usize, further: usize| users.get(row + further) == Some(&users[row]);
    let single = |row: usize| !same(row, 1) && (row == 0 || users[row - 1] != users[row]);
    (0..users.len())
        .map(|row| match (same(row, 1), same(row, 2)) {
            _ if single(row) => part::TRAIN,
            (false, _) => part::TEST,
            (true, false) if row > 0 && users[row - 1] == users[row] => part::VALIDATION,
            _ => part::TRAIN,
        })
        .collect()
}
