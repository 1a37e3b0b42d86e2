//! A training pass over tables that are spread over ranks: rows come from their owners, gradients go back.

use super::{Communicator, OwnGradients, Parcels, Partition, Words, join, own_lanes};
use crate::lookup::{IdColumn, IdColumns, RowUses};
use crate::regularizer::RowPenalties;
use crate::shards::Shard;
use crate::step::{Cut, Pass, Passed, StepMemory};
use crate::{CtrModel, EmbeddingTable, Error, Result, Weights};
use ctr_core::Batch;
use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

/// Forward and backward pass of a batch, of which each rank does its part, and the summed gradients of the rows
/// that this rank has.
///
/// All ranks know the whole batch, so nobody need ask for rows: their owners know who needs them.
pub(crate) fn pass_over_owned(
    memory: &mut StepMemory,
    model: &dyn CtrModel,
    weights: &mut Weights,
    (uses, ids): (&[RowUses], &IdColumns<'_>),
    batch: &Batch,
    penalties: &RowPenalties,
    (ranks, stop): (&Arc<dyn Communicator>, bool),
) -> Result<(Passed, OwnGradients)> {
    if batch.rows() == 0 {
        return Err(Error::Batch("a training step needs at least one row".into()));
    }
    if (0..weights.tables.len()).any(|table| penalties.of(table).every_row()) {
        return Err(Error::Config(
            "this regularizer touches every row in every step, which tables spread over ranks do not allow: choose lazy_l2 or mba, or whole tables".into(),
        ));
    }
    let cut = Cut::new(weights, batch);
    let (rank, size) = (ranks.rank(), ranks.size());
    let events = |rank: usize, computed: bool| {
        let (lanes, counts) = own_lanes(cut.lanes.len(), cut.tied, rank, size);
        let lanes = if computed || counts { lanes } else { 0..0 };
        Events::of(batch, &cut.lanes[lanes])
    };
    let computed: Vec<Events> = (0..size).map(|rank| events(rank, true)).collect();
    let owned: Vec<Events> = (0..size).map(|rank| events(rank, false)).collect();

    let rows = needed(uses, ids, &computed[rank]);
    let tables = fetch(weights, uses, ids, &computed, &rows, &**ranks)?;
    let compact = renumbered(ids, &rows);
    let spread = std::mem::replace(&mut weights.tables, tables);
    let pass = Pass { model, weights, ids: &compact, batch, penalties, collects_uses: false };
    let computed = memory.compute(&pass, &cut, ranks);
    weights.tables = spread;
    let (reports, own) = computed?;
    let losses: Vec<f64> = reports[..own.len()].iter().map(|report| report.loss).collect();
    let joined = join(&mut memory.lanes, own.clone(), &losses, stop, &**ranks, false)?;
    memory.joined = true;
    let gradients = OwnGradients::collect(
        &memory.lanes[own],
        weights,
        penalties,
        (uses, ids),
        &owned,
        &**ranks,
    )?;
    Ok((Passed::new(&joined.losses, joined.stop, reports, batch), gradients))
}

/// Where a batch uses the rows of each table.
pub(crate) fn uses_of_rows(ids: &IdColumns<'_>) -> Vec<RowUses> {
    let of = |columns: &Vec<IdColumn<'_>>| {
        let mut uses = RowUses::default();
        uses.collect(columns, None);
        uses
    };
    ids.tables.iter().map(of).collect()
}

/// The events of some lanes, by group.
pub(crate) struct Events(Vec<Range<usize>>);

impl Events {
    fn of(batch: &Batch, lanes: &[Vec<Shard>]) -> Self {
        let mut shards = lanes.iter().flatten();
        let (first, last) = (shards.next(), lanes.iter().flatten().next_back());
        let bounds = |group: usize| match (first, last) {
            (Some(first), Some(last)) => first.events[group].start..last.events[group].end,
            _ => 0..0,
        };
        Self((0..batch.groups.len()).map(bounds).collect())
    }

    /// Whether an event of a column is among them.
    pub fn has(&self, column: &IdColumn<'_>, event: u32) -> bool {
        self.0[column.group].contains(&(event as usize))
    }
}

/// The rows of each table that some events need, in rising order.
fn needed(uses: &[RowUses], ids: &IdColumns<'_>, events: &Events) -> Vec<Vec<u32>> {
    uses.iter()
        .zip(&ids.tables)
        .map(|(uses, columns)| {
            let rows = uses.rows.iter().enumerate();
            let needed = rows.filter(|(row, _)| is_needed(uses.of(*row), columns, events));
            needed.map(|(_, &id)| id).collect()
        })
        .collect()
}

fn is_needed(uses: &[(u32, u32)], columns: &[IdColumn<'_>], events: &Events) -> bool {
    uses.iter().any(|&(column, event)| events.has(&columns[column as usize], event))
}

/// Tables of the rows that this rank needs, from their owners.
fn fetch(
    weights: &Weights,
    uses: &[RowUses],
    ids: &IdColumns<'_>,
    computed: &[Events],
    rows: &[Vec<u32>],
    ranks: &dyn Communicator,
) -> Result<Vec<EmbeddingTable>> {
    let mut parcels = Parcels::default();
    for events in computed {
        for ((table, uses), columns) in weights.tables.iter().zip(uses).zip(&ids.tables) {
            let partition = spread(table)?;
            for (row, &id) in uses.rows.iter().enumerate() {
                if partition.has(id) && is_needed(uses.of(row), columns, events) {
                    let values = own_row(table, partition, id);
                    parcels.words.extend_from_slice(bytemuck::cast_slice(values));
                }
            }
        }
        parcels.close();
    }
    tables_of(weights, rows, &ranks.all_to_all(parcels)?)
}

/// The partition of a table that must have one.
pub(super) fn spread(table: &EmbeddingTable) -> Result<Partition> {
    table.partition.ok_or_else(|| {
        Error::Config(format!("table {} is whole, others are spread over ranks", table.name))
    })
}

/// A row that this rank has.
pub(super) fn own_row(table: &EmbeddingTable, partition: Partition, id: u32) -> &[f32] {
    table.row(partition.place(id))
}

/// Tables of some rows, which their owners sent: table by table, in the order of rows.
pub(super) fn tables_of(
    weights: &Weights,
    rows: &[Vec<u32>],
    received: &Parcels,
) -> Result<Vec<EmbeddingTable>> {
    let mut cursors: Vec<Words<'_>> = received.iter().map(Words).collect();
    let table = |(table, rows): (&EmbeddingTable, &Vec<u32>)| {
        let partition = spread(table)?;
        let mut values = Vec::with_capacity(rows.len() * table.dim);
        for &id in rows {
            let words = cursors[partition.owner(id)].take(table.dim)?;
            values.extend_from_slice(bytemuck::cast_slice(words));
        }
        Ok(EmbeddingTable {
            name: table.name.clone(),
            vocabulary: rows.len(),
            dim: table.dim,
            source: table.source.clone(),
            init: table.init,
            values,
            partition: None,
        })
    };
    weights.tables.iter().zip(rows).map(table).collect()
}

/// The ids of a batch as numbers of rows of such tables; 0 for rows that are not there.
pub(super) fn renumbered<'b>(ids: &IdColumns<'b>, rows: &[Vec<u32>]) -> IdColumns<'b> {
    let mut ids = ids.clone();
    for (columns, rows) in ids.tables.iter_mut().zip(rows) {
        for column in columns {
            let number = |id: &u32| rows.binary_search(id).map_or(0, |number| number as u32);
            column.ids = Cow::Owned(column.ids.iter().map(number).collect());
        }
    }
    ids
}

/// The ranks' shares of chunks that are counted through all tables.
pub(super) fn chunk_owner(chunk: usize, size: usize) -> usize {
    chunk % size
}

#[cfg(test)]
mod tests {
    use crate::share_of;

    #[test]
    fn shares_cover_all_lanes_once() {
        for (lanes, size) in [(8, 3), (1, 3), (2, 2), (5, 8)] {
            let all: Vec<usize> = (0..size).flat_map(|rank| share_of(lanes, rank, size)).collect();
            assert_eq!(all, (0..lanes).collect::<Vec<_>>());
        }
    }
}
