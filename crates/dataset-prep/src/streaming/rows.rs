//! Rows as a source had them, in shards.

use super::StoredShards;
use crate::rows::{part, rows_of_parts, take_rows};
use crate::store::{self, RowPart};
use crate::{Error, Result};
use ctr_core::{
    Cardinality, Dataset, EventColumn, Role, Samples, Schema, Sequences, ShardReaders, read_shared,
};

impl StoredShards {
    /// The rows that are not for training, with their histories, in the order of the whole dataset.
    pub fn held_rows(&self, bags: &[EventColumn], readers: &dyn ShardReaders) -> Result<Dataset> {
        let schema = &self.manifest.schema;
        let [_, validation, test] = part::of_splits(self.protocol);
        let wanted = [validation, test].concat();
        let mut held = RowPart::without_rows(schema);
        let read = |shard| {
            let mut own = RowPart::without_rows(schema);
            own.add(schema, &self.read_rows(bags, shard)?, &wanted)?;
            Ok(own)
        };
        read_shared(readers, self.rows.len(), read, |_, part| held.add(schema, &part, &wanted))?;
        // Rows of one user lie in one shard, in order.
        let split = |wanted: &[u8]| {
            let mut rows = rows_of_parts(&held.parts, wanted);
            rows.sort_by_key(|&row| held.rows.users[row]);
            take_rows(&held.rows, schema, &rows)
        };
        let (validation, test) = (split(validation), split(test));
        self.dataset(held.sequences, [RowPart::without_rows(schema).rows, validation, test])
    }

    /// The training rows of some shards.
    pub fn load_rows(&self, bags: &[EventColumn], shards: &[usize]) -> Result<Dataset> {
        let schema = &self.manifest.schema;
        let [training, ..] = part::of_splits(self.protocol);
        let mut loaded = RowPart::without_rows(schema);
        for &shard in shards {
            loaded.add(schema, &self.read_rows(bags, shard)?, training)?;
        }
        let none = || RowPart::without_rows(schema).rows;
        self.dataset(loaded.sequences, [loaded.rows, none(), none()])
    }

    fn read_rows(&self, bags: &[EventColumn], shard: usize) -> Result<RowPart> {
        store::read_rows_of_shard(&self.dir, &self.manifest, &self.sharding, bags, shard)
    }
}

/// Rows of several shards are put together as one shard of those that are wanted, with the sequences that they need.
impl RowPart {
    fn without_rows(schema: &Schema) -> Self {
        let blank = |group: &ctr_core::Group| -> Vec<EventColumn> {
            let column = |field: &ctr_core::Field| {
                let mut column = EventColumn::default();
                column.clear(field.cardinality == Cardinality::Many);
                column
            };
            group.fields.iter().map(column).collect()
        };
        let groups = schema.groups.iter().map(|group| match group.role {
            Role::Behaviors => Vec::new(),
            _ => blank(group),
        });
        let fields = schema.behaviors().map(|behaviors| blank(&schema.groups[behaviors]));
        Self {
            parts: Vec::new(),
            rows: Samples { groups: groups.collect(), ..Samples::default() },
            sequences: Sequences { offsets: vec![0], fields: fields.unwrap_or_default() },
        }
    }

    /// Adds the rows of some parts of a shard.
    fn add(&mut self, schema: &Schema, shard: &RowPart, wanted: &[u8]) -> Result<()> {
        let chosen = rows_of_parts(&shard.parts, wanted);
        let rows = take_rows(&shard.rows, schema, &chosen);
        // Where the sequences that are needed stand here.
        let mut places = vec![None; shard.sequences.offsets.len()];
        for &sequence in &rows.sequences {
            let sequence = sequence as usize;
            let Some(ends) = shard.sequences.offsets.get(sequence..sequence + 2) else {
                let reason = format!("a shard has no sequence {sequence}");
                return Err(Error::Columns(reason));
            };
            let place = match places[sequence] {
                Some(place) => place,
                None => {
                    let place = self.sequences.offsets.len() as u32 - 1;
                    let (from, to) = (ends[0] as usize, ends[1] as usize);
                    let columns = self.sequences.fields.iter_mut().zip(&shard.sequences.fields);
                    columns.for_each(|(column, source)| column.extend_from(source, from, to));
                    let end = self.sequences.offsets.last().copied().unwrap_or_default();
                    self.sequences.offsets.push(end + (ends[1] - ends[0]));
                    places[sequence] = Some(place);
                    place
                }
            };
            self.rows.sequences.push(place);
        }
        self.parts.extend(chosen.iter().map(|&row| shard.parts[row]));
        self.rows.users.extend(rows.users);
        self.rows.history_lengths.extend(rows.history_lengths);
        self.rows.labels.extend(rows.labels);
        let columns = self.rows.groups.iter_mut().flatten().zip(rows.groups.iter().flatten());
        columns.for_each(|(column, source)| column.extend_from(source, 0, source.events()));
        Ok(())
    }
}
