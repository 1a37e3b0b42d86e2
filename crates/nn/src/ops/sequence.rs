//! Ragged rows as sequences: their last events, and a candidate as one event more.

use crate::kernels::add;
use crate::ops::check_offsets;
use crate::trace::{Events, Operation};
use crate::{Error, Graph, Matrix, ParameterId, Result, Tape};
use std::ops::Range;
use std::sync::Arc;

impl<T: Tape> Graph<'_, T> {
    /// The last event of each row: events × d to rows × d. A row without events gives zeros.
    ///
    /// # Errors
    /// When `offsets` do not end at the number of events.
    pub fn last_events(&mut self, events: &Matrix, offsets: &Arc<Vec<u32>>) -> Result<Matrix> {
        let (count, width) = events.shape();
        let rows = check_offsets("last_events", offsets, (count, width))?;
        let mut out = self.pool.zeros(rows * width);
        for (row, event) in last_of_rows(offsets) {
            out[row * width..(row + 1) * width]
                .copy_from_slice(&events.values()[event * width..(event + 1) * width]);
        }
        let out = self.matrix_of("last_events", out, rows, width)?;
        self.trace(&out, |trace| {
            Ok(Operation::LastEvents {
                input: trace.value(events)?,
                events: trace.events(offsets)?,
            })
        })?;
        if T::OWNS_TAPE {
            let (from, to, offsets) = (out.slot(), events.slot(), offsets.clone());
            self.record(move |pass| {
                let gradient = pass.take(&from, rows * width)?;
                let (to, fresh) = pass.target(&to, count * width)?;
                if fresh {
                    to.fill(0.0);
                }
                for (row, event) in last_of_rows(&offsets) {
                    let to = &mut to[event * width..(event + 1) * width];
                    add(&gradient[row * width..(row + 1) * width], to);
                }
                Ok(())
            });
        }
        Ok(out)
    }

    /// Each row's events with its candidate as the last one, each with the embedding of its position:
    /// (events + rows) × (d + p), and the offsets of these sequences.
    ///
    /// `positions` has a row for each position: 0 is the candidate's, 1 that of the latest event, 2 that of
    /// the one before, and so on; all earlier ones share the last. Without it p is 0.
    ///
    /// # Errors
    /// When shapes and offsets do not fit.
    pub fn with_candidate(
        &mut self,
        events: &Matrix,
        candidates: &Matrix,
        offsets: &Arc<Vec<u32>>,
        positions: Option<ParameterId>,
    ) -> Result<(Matrix, Arc<Vec<u32>>)> {
        let (count, width) = events.shape();
        let rows = check_offsets("with_candidate", offsets, (count, width))?;
        if candidates.shape() != (rows, width) {
            return Err(Error::Shape {
                op: "with_candidate",
                left: candidates.shape(),
                right: (rows, width),
            });
        }
        let positions_id = positions;
        let positions = positions.map(|positions| self.parameter(positions));
        let (known, table) = positions.map_or((0, &[][..]), |all| (all.rows, all.values()));
        let position_width = positions.map_or(0, |all| all.columns);
        let whole = width + position_width;
        let longer = offsets.iter().enumerate().map(|(row, &offset)| offset + row as u32);
        let longer: Arc<Vec<u32>> = Arc::new(longer.collect());
        let mut out = self.pool.take((count + rows) * whole);
        let mut to = out.chunks_exact_mut(whole.max(1));
        for place in places(offsets, known) {
            let Some(to) = to.next() else { break };
            let from = match place.event {
                Some(event) => &events.values()[event * width..(event + 1) * width],
                None => &candidates.values()[place.row * width..(place.row + 1) * width],
            };
            to[..width].copy_from_slice(from);
            to[width..].copy_from_slice(&table[place.position(position_width)]);
        }
        let out = self.matrix_of("with_candidate", out, count + rows, whole)?;
        self.trace(&out, |trace| {
            Ok(Operation::WithCandidate {
                input: trace.value(events)?,
                events: trace.events(offsets)?,
                candidates: trace.value(candidates)?,
                positions: positions_id,
            })
        })?;
        self.trace_offsets(&longer, |trace| {
            Ok(Events::WithCandidate(Box::new(trace.events(offsets)?)))
        })?;
        if T::OWNS_TAPE {
            let (from, to_events, to_candidates) = (out.slot(), events.slot(), candidates.slot());
            let offsets = offsets.clone();
            let place_of_positions = positions.map(crate::Parameter::place);
            self.record(move |pass| {
                let gradient = pass.take(&from, (count + rows) * whole)?;
                let sequence = || gradient.chunks_exact(whole.max(1)).zip(places(&offsets, known));
                if let Some(place) = place_of_positions {
                    pass.add_to_parameter(place, |positions| {
                        for (gradient, place) in sequence() {
                            add(&gradient[width..], &mut positions[place.position(position_width)]);
                        }
                    });
                }
                let mut to_event = pass.pool.take(count * width);
                let mut to_candidate = pass.pool.take(rows * width);
                for (gradient, place) in sequence() {
                    let to = match place.event {
                        Some(event) => &mut to_event[event * width..(event + 1) * width],
                        None => &mut to_candidate[place.row * width..(place.row + 1) * width],
                    };
                    to.copy_from_slice(&gradient[..width]);
                }
                pass.add(&to_events, to_event)?;
                pass.add(&to_candidates, to_candidate)
            });
        }
        Ok((out, longer))
    }
}

/// Rows that have events, each with the last of them.
fn last_of_rows(offsets: &[u32]) -> impl Iterator<Item = (usize, usize)> {
    let bounds = offsets.windows(2).enumerate();
    bounds
        .filter(|(_, bounds)| bounds[1] > bounds[0])
        .map(|(row, bounds)| (row, bounds[1] as usize - 1))
}

/// One element of the sequences with candidates.
struct Place {
    row: usize,
    /// None for the candidate.
    event: Option<usize>,
    position: usize,
}

impl Place {
    fn position(&self, width: usize) -> Range<usize> {
        self.position * width..(self.position + 1) * width
    }
}

/// All elements in order: of each row the events, then the candidate. Positions are below `known`.
fn places(offsets: &[u32], known: usize) -> impl Iterator<Item = Place> {
    let last = known.saturating_sub(1);
    offsets.windows(2).enumerate().flat_map(move |(row, bounds)| {
        let (start, end) = (bounds[0] as usize, bounds[1] as usize);
        (start..=end).map(move |event| Place {
            row,
            event: (event < end).then_some(event),
            position: (end - event).min(last),
        })
    })
}
