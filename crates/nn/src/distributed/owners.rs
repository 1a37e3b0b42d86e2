//! Gradients of events on their way to the ranks that have the rows.

use super::parcels::words_of;
use super::rows::{Events, chunk_owner, spread};
use super::{Communicator, Parcels, Words};
use crate::graph::EventGradients;
use crate::kernels::plain::axpy;
use crate::kernels::sum_of_squares;
use crate::lookup::{IdColumns, RowUses};
use crate::regularizer::RowPenalties;
use crate::step::LaneMemory;
use crate::sums::{RowsSum, Sources, rows_a_chunk};
use crate::{Error, Result, Weights};

/// Gradients of the rows that this rank has, penalties included.
pub(crate) struct OwnGradients {
    tables: Vec<OwnRows>,
}

struct OwnRows {
    /// Places among the rows of this rank, rising.
    places: Vec<u32>,
    /// One gradient a place.
    values: Vec<f32>,
}

impl OwnGradients {
    /// Sends the gradients of this rank's events to the owners of their rows, and sums those that come, in the
    /// order of uses as one process does.
    pub fn collect(
        lanes: &[LaneMemory],
        weights: &Weights,
        penalties: &RowPenalties,
        (uses, ids): (&[RowUses], &IdColumns<'_>),
        events: &[Events],
        ranks: &dyn Communicator,
    ) -> Result<Self> {
        let gradients: Vec<&EventGradients> =
            lanes.iter().flat_map(|lane| &lane.collected.events).collect();
        let sources: Vec<Sources<'_>> = (0..weights.tables.len())
            .map(|table| Sources::new(table, ids.tables[table].len(), &gradients))
            .collect();
        let own = &events[ranks.rank()];
        let mut parcels = Parcels::default();
        for owner in 0..ranks.size() {
            // How often each column was embedded, which ranks without lanes do not know.
            for (sources, columns) in sources.iter().zip(&ids.tables) {
                parcels.words.extend((0..columns.len()).map(|column| sources.times(column) as u32));
            }
            for (index, (table, uses)) in weights.tables.iter().zip(uses).enumerate() {
                let partition = spread(table)?;
                let columns = &ids.tables[index];
                for (row, &id) in uses.rows.iter().enumerate() {
                    if partition.owner(id) != owner {
                        continue;
                    }
                    for &(column, event) in uses.of(row) {
                        if own.has(&columns[column as usize], event) {
                            let (column, event) = (column as usize, event as usize);
                            sources[index].each(column, event, table.dim, |from| {
                                parcels.words.extend_from_slice(bytemuck::cast_slice(from));
                            });
                        }
                    }
                }
            }
            parcels.close();
        }
        let received = ranks.all_to_all(parcels)?;
        sum(&received, weights, penalties, (uses, ids), events)
    }

    /// The sums of squares of the gradients of all ranks' rows, for each chunk that one process would have: so
    /// that their norm has the same bits.
    pub fn squares(
        &self,
        weights: &Weights,
        uses: &[RowUses],
        ranks: &dyn Communicator,
    ) -> Result<Vec<f64>> {
        let size = ranks.size();
        // Each chunk is put together by one rank.
        let mut sent: Vec<Vec<u32>> = vec![Vec::new(); size];
        let mut chunk = 0;
        for ((table, uses), own) in weights.tables.iter().zip(uses).zip(&self.tables) {
            let partition = spread(table)?;
            let mut gradients = own.values.chunks_exact(table.dim.max(1));
            for rows in uses.rows.chunks(rows_a_chunk(table.dim)) {
                for _ in rows.iter().filter(|&&id| partition.has(id)) {
                    let gradient = gradients.next().unwrap_or_default();
                    sent[chunk_owner(chunk, size)]
                        .extend_from_slice(bytemuck::cast_slice(gradient));
                }
                chunk += 1;
            }
        }
        let mut parcels = Parcels::default();
        sent.iter().for_each(|words| parcels.push(words));
        let received = ranks.all_to_all(parcels)?;
        let mut cursors: Vec<Words<'_>> = received.iter().map(Words).collect();
        let (mut found, mut chunk, mut gradients) = (Vec::new(), 0, Vec::new());
        for (table, uses) in weights.tables.iter().zip(uses) {
            let partition = spread(table)?;
            for rows in uses.rows.chunks(rows_a_chunk(table.dim)) {
                if chunk_owner(chunk, size) == ranks.rank() {
                    gradients.clear();
                    for &id in rows {
                        let words = cursors[partition.owner(id)].take(table.dim)?;
                        gradients.extend_from_slice(bytemuck::cast_slice::<u32, f32>(words));
                    }
                    found.extend(words_of(sum_of_squares(&gradients)));
                }
                chunk += 1;
            }
        }
        let all = ranks.all_gather(&found)?;
        let mut cursors: Vec<Words<'_>> = all.iter().map(Words).collect();
        (0..chunk).map(|chunk| cursors[chunk_owner(chunk, size)].double()).collect()
    }

    /// The gradients as an optimizer takes them, in the order of tables.
    pub fn sums(&mut self, weights: &Weights) -> Vec<Vec<RowsSum<'_>>> {
        let tables = self.tables.iter_mut().zip(&weights.tables).enumerate();
        tables
            .map(|(table, (own, weights))| {
                let rows = rows_a_chunk(weights.dim);
                let parts = own.places.chunks(rows).zip(own.values.chunks_mut(rows * weights.dim));
                parts
                    .map(|(rows, gradients)| RowsSum { table, rows, gradients, from: None })
                    .collect()
            })
            .collect()
    }
}

/// Sums the gradients of the rows that this rank has.
fn sum(
    received: &Parcels,
    weights: &Weights,
    penalties: &RowPenalties,
    (uses, ids): (&[RowUses], &IdColumns<'_>),
    events: &[Events],
) -> Result<OwnGradients> {
    let mut cursors: Vec<Words<'_>> = received.iter().map(Words).collect();
    let columns: usize = ids.tables.iter().map(Vec::len).sum();
    let mut times = Vec::with_capacity(cursors.len());
    for cursor in &mut cursors {
        times.push(cursor.take(columns)?);
    }
    let mut first_column = 0;
    let mut tables = Vec::with_capacity(weights.tables.len());
    for (index, (table, uses)) in weights.tables.iter().zip(uses).enumerate() {
        let (partition, columns) = (spread(table)?, &ids.tables[index]);
        let mut own = OwnRows { places: Vec::new(), values: Vec::new() };
        for (row, &id) in uses.rows.iter().enumerate().filter(|(_, id)| partition.has(**id)) {
            let place = partition.place(id);
            let start = own.values.len();
            own.places.push(place);
            own.values.resize(start + table.dim, 0.0);
            let to = &mut own.values[start..];
            for &(column, event) in uses.of(row) {
                let column_of = &columns[column as usize];
                let share = column_of.share(event as usize);
                let rank = events.iter().position(|events| events.has(column_of, event));
                let rank = rank.ok_or_else(|| {
                    Error::Exchange(
                        "an event belongs to no rank, which is a defect of this program".into(),
                    )
                })?;
                for _ in 0..times[rank][first_column + column as usize] {
                    let words = cursors[rank].take(table.dim)?;
                    axpy(share, bytemuck::cast_slice(words), to);
                }
            }
            let penalty = penalties.of(index);
            penalty.add(id, uses.of(row).len(), ids.rows, table.row(place), to);
        }
        first_column += columns.len();
        tables.push(own);
    }
    Ok(OwnGradients { tables })
}
