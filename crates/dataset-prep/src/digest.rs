//! The content hash of rows, fed piece by piece, so that data larger than memory has one.

use ctr_core::{Digest, EventColumn, Samples, Schema, Sequences};
use rayon::prelude::*;

/// SHA-256 over the values of one column and, at the end, their number: where the values were cut into
/// pieces on the way leaves no trace.
#[derive(Default)]
struct ColumnDigest {
    digest: Digest,
    values: u64,
    /// The last end of a run so far; see [`ColumnDigest::ends`].
    base: u32,
}

impl ColumnDigest {
    fn ids(&mut self, ids: &[u32]) {
        for chunk in ids.chunks(1024) {
            let bytes: Vec<u8> = chunk.iter().flat_map(|id| id.to_le_bytes()).collect();
            self.digest.update(&bytes);
        }
        self.values += ids.len() as u64;
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.digest.update(bytes);
        self.values += bytes.len() as u64;
    }

    fn texts(&mut self, texts: &[String]) {
        texts.iter().for_each(|text| self.digest.text(text));
        self.values += texts.len() as u64;
    }

    /// Ends of runs as the whole column has them: a piece counts its own from 0, and those before it are
    /// added.
    fn ends(&mut self, offsets: &[u32]) {
        let ends: Vec<u32> = offsets.iter().skip(1).map(|&end| self.base + end).collect();
        self.base = ends.last().copied().unwrap_or(self.base);
        self.ids(&ends);
    }

    fn finish(mut self) -> String {
        self.digest.update(&self.values.to_le_bytes());
        self.digest.finish()
    }
}

/// A field's column: ends of bags, and ids.
#[derive(Default)]
struct FieldDigest {
    ends: ColumnDigest,
    ids: ColumnDigest,
}

impl FieldDigest {
    fn add(&mut self, column: &EventColumn) {
        self.ends.ends(&column.offsets);
        self.ids.ids(&column.ids);
    }
}

/// SHA-256 over rows, histories and keys: that of each column, put together at the end. Rows come in
/// pieces of whole sequences.
pub(crate) struct RowDigest {
    schema: String,
    /// Keys and titles of each vocabulary.
    vocabularies: Vec<[ColumnDigest; 2]>,
    users: ColumnDigest,
    /// Ends of the sequences.
    sequence_ends: ColumnDigest,
    /// User, sequence and history length of each row.
    numbers: [ColumnDigest; 3],
    /// Label and part of each row.
    flags: [ColumnDigest; 2],
    behaviors: Vec<FieldDigest>,
    groups: Vec<Vec<FieldDigest>>,
}

impl RowDigest {
    pub fn new(schema: &Schema) -> Self {
        let blank = |count: usize| (0..count).map(|_| FieldDigest::default()).collect();
        let groups = schema.groups.iter().enumerate().map(|(index, group)| {
            if Some(index) == schema.behaviors() { Vec::new() } else { blank(group.fields.len()) }
        });
        let behaviors = schema.behaviors().map_or(0, |index| schema.groups[index].fields.len());
        Self {
            schema: serde_json::to_string(schema).unwrap_or_default(),
            vocabularies: schema.vocabularies.iter().map(|_| Default::default()).collect(),
            users: ColumnDigest::default(),
            sequence_ends: ColumnDigest::default(),
            numbers: Default::default(),
            flags: Default::default(),
            behaviors: blank(behaviors),
            groups: groups.collect(),
        }
    }

    /// More keys of a vocabulary, and their titles or none.
    pub fn keys(&mut self, vocabulary: usize, keys: &[String], titles: &[String]) {
        let [known, titled] = &mut self.vocabularies[vocabulary];
        known.texts(keys);
        titled.texts(titles);
    }

    /// More users' keys.
    pub fn users(&mut self, keys: &[String]) {
        self.users.texts(keys);
    }

    /// More rows and sequences. `sequences` counts its events from 0.
    pub fn rows(&mut self, parts: &[u8], rows: &Samples, sequences: &Sequences) {
        self.sequence_ends.ends(&sequences.offsets);
        let sources = [&rows.users, &rows.sequences, &rows.history_lengths];
        self.numbers.iter_mut().zip(sources).for_each(|(digest, ids)| digest.ids(ids));
        let sources: [&[u8]; 2] = [&rows.labels, parts];
        self.flags.iter_mut().zip(sources).for_each(|(digest, bytes)| digest.bytes(bytes));
        // Columns are independent, and there are many.
        let behaviors = self.behaviors.iter_mut().zip(&sequences.fields);
        let groups = self.groups.iter_mut().flatten().zip(rows.groups.iter().flatten());
        let fields: Vec<(&mut FieldDigest, &EventColumn)> = behaviors.chain(groups).collect();
        fields.into_par_iter().for_each(|(digest, column)| digest.add(column));
    }

    pub fn finish(self) -> String {
        let mut digest = Digest::new();
        digest.text("rows, version 2");
        digest.text(&self.schema);
        let columns = self.vocabularies.into_iter().flatten();
        let columns = columns.chain([self.users, self.sequence_ends]);
        let columns = columns.chain(self.numbers).chain(self.flags);
        let fields = self.behaviors.into_iter().chain(self.groups.into_iter().flatten());
        let fields = fields.flat_map(|field| [field.ends, field.ids]);
        for column in columns.chain(fields) {
            digest.text(&column.finish());
        }
        digest.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_hashes_the_same_in_any_pieces_but_not_with_other_ends() {
        let whole = |bags: &[u32]| {
            let mut digest = FieldDigest::default();
            digest.add(&EventColumn { offsets: bags.to_vec(), ids: vec![7, 8, 9] });
            [digest.ends.finish(), digest.ids.finish()]
        };
        let mut pieces = FieldDigest::default();
        for (offsets, ids) in [(vec![0, 2], vec![7, 8]), (vec![0, 0, 1], vec![9])] {
            pieces.add(&EventColumn { offsets, ids });
        }
        let pieces = [pieces.ends.finish(), pieces.ids.finish()];
        assert_eq!(pieces, whole(&[0, 2, 2, 3]));
        assert_ne!(pieces, whole(&[0, 2, 3, 3]));
    }
}
