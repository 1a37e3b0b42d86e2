//! The logical content of a dataset whose rows were given, not made from a user's events: what is hashed,
//! written and read.

use crate::digest::RowDigest;
use ctr_core::{Cardinality, Dataset, EventColumn, Samples, Schema, Sequences};

/// The part of a split that a row belongs to.
pub(crate) mod part {
    pub(crate) const TRAIN: u8 = 0;
    /// Held out for choosing; training rows under the authors' protocol.
    pub(crate) const VALIDATION: u8 = 1;
    pub(crate) const TEST: u8 = 2;

    /// The parts that are training, validation and test rows under a protocol.
    pub(crate) fn of_splits(protocol: ctr_core::Protocol) -> [&'static [u8]; 3] {
        match protocol {
            ctr_core::Protocol::HeldOut => [&[TRAIN], &[VALIDATION], &[TEST]],
            ctr_core::Protocol::Authors => [&[TRAIN, VALIDATION], &[], &[TEST]],
        }
    }
}

/// Numbers of the rows of some parts.
pub(crate) fn rows_of_parts(parts: &[u8], wanted: &[u8]) -> Vec<usize> {
    (0..parts.len()).filter(|&row| wanted.contains(&parts[row])).collect()
}

/// Some rows, in the order asked for.
pub(crate) fn take_rows(all: &Samples, schema: &Schema, chosen: &[usize]) -> Samples {
    let ids = |column: &[u32]| -> Vec<u32> {
        if column.is_empty() { Vec::new() } else { chosen.iter().map(|&row| column[row]).collect() }
    };
    let groups = all.groups.iter().zip(&schema.groups).map(|(columns, group)| {
        let copies = columns.iter().zip(&group.fields).map(|(source, field)| {
            let mut copy = EventColumn::default();
            copy.clear(field.cardinality == Cardinality::Many);
            chosen.iter().for_each(|&row| copy.extend_from(source, row, row + 1));
            copy
        });
        copies.collect()
    });
    Samples {
        users: ids(&all.users),
        sequences: ids(&all.sequences),
        history_lengths: ids(&all.history_lengths),
        labels: chosen.iter().map(|&row| all.labels[row]).collect(),
        groups: groups.collect(),
    }
}

/// Keys of a vocabulary.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Keys {
    /// Key of id `i` at `i - 1`: id 0 is reserved.
    pub keys: Vec<String>,
    /// What people call it, at the same place; empty when the source has no such names.
    pub titles: Vec<String>,
}

/// Rows, histories and keys under their final ids.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RowContent {
    pub schema: Schema,
    /// One entry a vocabulary of the schema.
    pub vocabularies: Vec<Keys>,
    /// Key of user `u`.
    pub user_keys: Vec<String>,
    pub sequences: Sequences,
    /// A value of [`part`] for each row.
    pub parts: Vec<u8>,
    /// All rows, by user and time.
    pub rows: Samples,
}

impl RowContent {
    /// SHA-256 over all of it; see [`RowDigest`].
    pub fn sha256(&self) -> String {
        let mut digest = RowDigest::new(&self.schema);
        for (vocabulary, keys) in self.vocabularies.iter().enumerate() {
            digest.keys(vocabulary, &keys.keys, &keys.titles);
        }
        digest.users(&self.user_keys);
        digest.rows(&self.parts, &self.rows, &self.sequences);
        digest.finish()
    }

    /// The rows of one part, or of two.
    fn select(&self, wanted: &[u8]) -> Samples {
        take_rows(&self.rows, &self.schema, &rows_of_parts(&self.parts, wanted))
    }

    /// Sets rows, sequences and schema of a dataset. Under the authors' protocol the validation rows are
    /// training rows.
    pub fn fill(&self, dataset: &mut Dataset) {
        let [train, validation, _] = part::of_splits(dataset.protocol);
        dataset.schema = self.schema.clone();
        dataset.sequences = self.sequences.clone();
        dataset.train = self.select(train);
        dataset.validation = self.select(validation);
        dataset.test = self.select(&[part::TEST]);
    }
}
