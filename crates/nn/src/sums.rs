//! The sums that a pass leaves to be done: of dense gradients over lanes, of the gradients of events over
//! the uses of each table row. In fixed parts and in a fixed order each.

use crate::graph::EventGradients;
use crate::kernels::plain::axpy;
use crate::lookup::{IdColumn, RowUses};
use crate::regularizer::RowPenalties;
use std::sync::Arc;

/// Numbers of table rows that one task sums up and updates: few enough to stay in the first-level cache
/// between the two, enough for a task to be worth its start.
const CHUNK: usize = 8_192;

/// All sums of a step.
#[derive(Default)]
pub(crate) struct Sums<'m> {
    /// One a parameter.
    pub dense: Vec<DenseSum<'m>>,
    /// One list a table.
    pub tables: Vec<Vec<RowsSum<'m>>>,
}

/// The gradient of a parameter: one lane's, to which those of the others are added.
pub(crate) struct DenseSum<'m> {
    pub sum: &'m mut [f32],
    pub others: Vec<&'m [f32]>,
}

impl DenseSum<'_> {
    /// Sums up, in the order of lanes.
    pub fn run(&mut self) {
        self.others.iter().for_each(|other| crate::kernels::add(other, self.sum));
    }
}

/// Gradients of some rows of a table.
pub(crate) struct RowsSum<'m> {
    pub table: usize,
    pub rows: &'m [u32],
    pub gradients: &'m mut [f32],
    /// Where the gradients come from; none when they are summed already.
    pub from: Option<RowsSource<'m>>,
}

/// What the gradients of some rows are the sums of.
pub(crate) struct RowsSource<'m> {
    /// Position of the first row among those of the batch.
    pub first: usize,
    pub uses: &'m RowUses,
    pub columns: &'m [IdColumn<'m>],
    pub sources: Arc<Sources<'m>>,
    /// Rows of the batch.
    pub batch_rows: usize,
}

impl RowsSum<'_> {
    /// Sums up, in the order of uses, and adds the penalties. `values` begin at number `start` of the
    /// table.
    pub fn run(&mut self, penalties: &RowPenalties, values: &[f32], start: usize) {
        let Some(from) = &self.from else { return };
        let dim = self.gradients.len() / self.rows.len().max(1);
        let rows = self.rows.iter().zip(self.gradients.chunks_exact_mut(dim.max(1)));
        let penalties = penalties.of(self.table);
        crate::kernels::vectorized(
            #[inline(always)]
            || {
                for (offset, (&row, to)) in rows.enumerate() {
                    to.fill(0.0);
                    let uses = from.uses.of(from.first + offset);
                    for &(column, event) in uses {
                        let share = from.columns[column as usize].share(event as usize);
                        from.sources.add(column as usize, event as usize, share, to);
                    }
                    let place = row as usize * dim - start;
                    let values = &values[place..place + dim];
                    penalties.add(row, uses.len(), from.batch_rows, values, to);
                }
            },
        );
    }
}

/// Rows of a table of width `dim` that one task sums up and updates.
pub(crate) fn rows_a_chunk(dim: usize) -> usize {
    (CHUNK / dim).max(1)
}

/// Where the gradients of one table's columns lie.
pub(crate) struct Sources<'e> {
    columns: Vec<Vec<Source<'e>>>,
}

/// Gradients of consecutive events of a column.
#[derive(Clone, Copy)]
struct Source<'e> {
    /// The first event.
    first: usize,
    gradients: &'e EventGradients,
    /// Where the table's numbers begin in an event's gradient.
    start: usize,
}

impl<'e> Sources<'e> {
    /// For the `table`-th table with `columns` columns.
    pub fn new(table: usize, columns: usize, events: &[&'e EventGradients]) -> Self {
        let mut found = vec![Vec::new(); columns];
        for &gradients in events {
            let mut start = 0;
            for part in &gradients.parts {
                if part.table == table {
                    let first = gradients.first;
                    found[part.column].push(Source { first, gradients, start });
                }
                start += part.dim;
            }
        }
        // Sources of the same events, embedded twice, stay in their order.
        found.iter_mut().for_each(|sources| sources.sort_by_key(|source| source.first));
        Self { columns: found }
    }

    /// Adds `share` times the gradients of an event.
    #[inline(always)]
    fn add(&self, column: usize, event: usize, share: f32, to: &mut [f32]) {
        self.each(column, event, to.len(), |from| axpy(share, from, to));
    }

    /// The gradients of an event, `dim` numbers each: one for each time that it was embedded.
    #[inline(always)]
    pub fn each(&self, column: usize, event: usize, dim: usize, mut take: impl FnMut(&[f32])) {
        let sources = &self.columns[column];
        // Large batches have a hundred sources: the right ones are searched for, not tried. Events of a
        // shard lie in one piece, so what begins last at or before the event is all that can hold it.
        let end = sources.partition_point(|source| source.first <= event);
        let Some(first) = end.checked_sub(1).map(|last| sources[last].first) else { return };
        let begin = sources[..end].partition_point(|source| source.first < first);
        for &Source { gradients, start, .. } in &sources[begin..end] {
            let from = (event - first) * gradients.width + start;
            if let Some(from) = gradients.values.get(from..from + dim) {
                take(from);
            }
        }
    }

    /// How often the events of a column were embedded.
    pub fn times(&self, column: usize) -> usize {
        let sources = &self.columns[column];
        // Empty shards begin where the next one does.
        let first = sources.iter().find(|source| !source.gradients.values.is_empty());
        first.map_or(0, |first| {
            let same = |source: &&Source<'_>| {
                source.first == first.first && !source.gradients.values.is_empty()
            };
            sources.iter().filter(same).count()
        })
    }
}

/// The rows of a table, cut at the bounds of `chunks` of rising row numbers: for each chunk its first
/// row's place and the numbers up to its last row's end.
pub(crate) fn cut_rows<'v>(
    chunks: &[&[u32]],
    dim: usize,
    values: &'v mut [f32],
) -> Vec<(usize, &'v mut [f32])> {
    let mut cut = Vec::with_capacity(chunks.len());
    let (mut rest, mut position) = (values, 0);
    for chunk in chunks {
        let (Some(&first), Some(&last)) = (chunk.first(), chunk.last()) else { continue };
        let (start, end) = (first as usize * dim, (last as usize + 1) * dim);
        let (part, after) =
            rest.split_at_mut(start.max(position) - position).1.split_at_mut(end - start);
        cut.push((start, part));
        (rest, position) = (after, end);
    }
    cut
}
