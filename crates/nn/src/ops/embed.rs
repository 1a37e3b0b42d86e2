//! Table rows as matrices (paper, section 4.1, "Embedding layer").

use crate::graph::{Graph, Matrix, Tape, gradient_key, take_gradient};
use crate::weights::slot_gradient;
use crate::{Error, Result, TableId};
use std::sync::Arc;

impl<T: Tape> Graph<'_, T> {
    /// Rows of several tables side by side: one row an event, the columns of the parts in order. Each part
    /// is a table and a column of its source. A bag of several ids is their mean (an empty bag is zero).
    ///
    /// # Errors
    /// When the parts have different numbers of events.
    pub fn embed(&mut self, parts: &[(TableId, usize)]) -> Result<Matrix> {
        let batch = self.batch;
        let columns: Vec<_> =
            parts.iter().map(|&(table, column)| &batch.tables[table.0].columns[column]).collect();
        let events = columns.first().map_or(0, |column| column.events());
        if let Some(other) = columns.iter().find(|column| column.events() != events) {
            return Err(Error::Shape {
                op: "embed",
                left: (events, 1),
                right: (other.events(), 1),
            });
        }
        let dims: Vec<usize> =
            parts.iter().map(|&(table, _)| self.weights.tables[table.0].dim).collect();
        let width: usize = dims.iter().sum();
        let mut out = vec![0.0f32; events * width];
        let mut start = 0;
        for ((&(table, _), column), &dim) in parts.iter().zip(&columns).zip(&dims) {
            let (values, rows) = (&self.weights.tables[table.0], &batch.tables[table.0].rows);
            if column.bags.is_empty() {
                for (event, &position) in column.positions.iter().enumerate() {
                    let to = event * width + start;
                    out[to..to + dim].copy_from_slice(values.row(rows[position as usize]));
                }
            } else {
                for event in 0..events {
                    let bag = column.bags[event] as usize..column.bags[event + 1] as usize;
                    let share = 1.0 / bag.len().max(1) as f32;
                    let to = event * width + start;
                    for &position in &column.positions[bag] {
                        let row = values.row(rows[position as usize]);
                        crate::kernels::axpy(share, row, &mut out[to..to + dim]);
                    }
                }
            }
            start += dim;
        }
        let out = self.matrix(out, events, width)?;
        if T::OWNS_TAPE {
            let key = gradient_key(&out);
            let backward: Vec<_> = parts
                .iter()
                .zip(&columns)
                .zip(&dims)
                .map(|((&(table, _), column), &dim)| {
                    let lookup = &batch.tables[table.0];
                    (lookup.slot.clone(), lookup.rows.len(), (*column).clone(), dim)
                })
                .collect();
            self.record(move |gradients| {
                let gradient = take_gradient(gradients, &key)?;
                let mut start = 0;
                for (slot, rows, column, dim) in backward {
                    let table = slot_gradient(gradients, &slot, rows * dim)?;
                    for event in 0..events {
                        let from = event * width + start;
                        let (bag, share) = bag_of(&column.bags, event);
                        for &position in &column.positions[bag] {
                            let to = position as usize * dim;
                            crate::kernels::axpy(
                                share,
                                &gradient[from..from + dim],
                                &mut table[to..to + dim],
                            );
                        }
                    }
                    start += dim;
                }
                Ok(())
            });
        }
        Ok(out)
    }
}

fn bag_of(bags: &Arc<Vec<u32>>, event: usize) -> (std::ops::Range<usize>, f32) {
    if bags.is_empty() {
        (event..event + 1, 1.0)
    } else {
        let bag = bags[event] as usize..bags[event + 1] as usize;
        let share = 1.0 / bag.len().max(1) as f32;
        (bag, share)
    }
}
