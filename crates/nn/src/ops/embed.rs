//! Table rows as matrices (paper, section 4.1, "Embedding layer").

use crate::graph::{EventGradients, EventPart};
use crate::kernels::axpy;
use crate::trace::Operation;
use crate::{EmbeddingTable, Error, Graph, Matrix, Result, TableId, Tape};

impl<T: Tape> Graph<'_, T> {
    /// Rows of several tables side by side: one row an event, the columns of the parts in order. Each part
    /// is a table and a column of its source. A bag of several ids is their mean (an empty bag is zero);
    /// ids that dropout leaves out are zero.
    ///
    /// # Errors
    /// When the parts have different numbers of events.
    pub fn embed(&mut self, parts: &[(TableId, usize)]) -> Result<Matrix> {
        let columns: Vec<_> =
            parts.iter().map(|&(table, column)| &self.ids.tables[table.0][column]).collect();
        let Some(first) = columns.first() else {
            return self.matrix(Vec::new(), 0, 0);
        };
        if let Some(other) = columns.iter().find(|column| column.events() != first.events()) {
            return Err(Error::Shape {
                op: "embed",
                left: (first.events(), 1),
                right: (other.events(), 1),
            });
        }
        let range = self.shard.events[first.group].clone();
        let width: usize = parts.iter().map(|&(table, _)| self.weights.tables[table.0].dim).sum();
        let mut out = self.pool.take(range.len() * width);
        let mut start = 0;
        for (&(table, _), column) in parts.iter().zip(&columns) {
            let table = &self.weights.tables[table.0];
            let to = out.chunks_exact_mut(width.max(1)).map(|to| &mut to[start..start + table.dim]);
            if column.is_plain() {
                let mut to = to;
                for ids in column.ids[range.clone()].chunks(ROWS_AHEAD) {
                    touch(table, ids);
                    for (&id, to) in ids.iter().zip(&mut to) {
                        to.copy_from_slice(table.row(id));
                    }
                }
            } else {
                for (to, event) in to.zip(range.clone()) {
                    let share = column.share(event);
                    to.fill(0.0);
                    column.uses(event).for_each(|id| axpy(share, table.row(id), to));
                }
            }
            start += table.dim;
        }
        let (events, first) = (range.len(), range.start);
        let out = self.matrix_of("embed", out, events, width)?;
        self.trace(&out, |_| Ok(Operation::Embed { parts: parts.to_vec() }))?;
        if T::OWNS_TAPE {
            let slot = out.slot();
            let part = |&(table, column): &(TableId, usize)| EventPart {
                table: table.0,
                column,
                dim: self.weights.tables[table.0].dim,
            };
            let parts = parts.iter().map(part).collect();
            self.record(move |pass| {
                let values = pass.take(&slot, events * width)?.into_vec();
                pass.leave_events(EventGradients { parts, first, width, values });
                Ok(())
            });
        }
        Ok(out)
    }
}

/// Rows that are asked for together.
const ROWS_AHEAD: usize = 16;

/// Reads a number of each cache line of some rows. Rows of a large table lie far apart and come from
/// memory: asked for together they arrive together, while a copy waits for each.
fn touch(table: &EmbeddingTable, ids: &[u32]) {
    const LINE: usize = 16;
    let first = |id: &u32| table.row(*id).iter().step_by(LINE);
    std::hint::black_box(ids.iter().flat_map(first).sum::<f32>());
}
