//! What ranks exchange in a step: sums of dense gradients, and the gradients of embedded events.

use super::parcels::words_of;
use super::{Communicator, Parcels, Words, share_of};
use crate::Result;
use crate::graph::{EventGradients, EventPart};
use crate::step::LaneMemory;
use std::ops::Range;

/// The lanes that a rank computes, and whether they count as its own: where lanes meet in the middle, a rank
/// that has none computes the first one beside its owner, so that it is there at every meeting and knows what
/// came of it.
pub(crate) fn own_lanes(
    lanes: usize,
    tied: bool,
    rank: usize,
    size: usize,
) -> (Range<usize>, bool) {
    let own = share_of(lanes, rank, size);
    if own.is_empty() && tied { (0..1, false) } else { (own, true) }
}

/// What all ranks know after their exchange.
pub(crate) struct Joined {
    /// Sum of the losses of each lane.
    pub losses: Vec<f64>,
    /// Whether one of them wishes to stop after this step.
    pub stop: bool,
}

/// Sums dense gradients over the lanes of all ranks, into the first of `lanes`, and, if wanted, gives every rank
/// the gradients of all events. `own` are the lanes that this rank computed, with their losses.
///
/// Dense gradients take the two halves of an all-reduce: each rank sums a part of them (all-to-all), then all
/// get all parts (all-gather). So the order of lanes is kept, which MPI's own all-reduce does not promise.
pub(crate) fn join(
    lanes: &mut [LaneMemory],
    own: Range<usize>,
    losses: &[f64],
    stop: bool,
    ranks: &dyn Communicator,
    with_events: bool,
) -> Result<Joined> {
    let size = ranks.size();
    let numbers = lanes[own.clone()].first().map_or(0, |lane| lane.collected.dense.values.len());
    // Ranks without a lane do not know how many dense numbers there are.
    let mut parcels = Parcels::default();
    for rank in 0..size {
        let part = share_of(numbers, rank, size);
        for lane in &lanes[own.clone()] {
            let values = &lane.collected.dense.values[part.clone()];
            parcels.words.extend_from_slice(bytemuck::cast_slice(values));
        }
        parcels.close();
    }
    let received = ranks.all_to_all(parcels)?;
    let mut sum = Vec::new();
    for rank in 0..size {
        let count = share_of(lanes.len(), rank, size).len();
        let values: &[f32] = bytemuck::cast_slice(received.of(rank));
        for one in values.chunks_exact((values.len() / count.max(1)).max(1)) {
            if sum.is_empty() {
                sum.extend_from_slice(one);
            } else {
                crate::kernels::add(one, &mut sum);
            }
        }
    }

    let mut message: Vec<u32> = Vec::new();
    message.extend([u32::from(stop), sum.len() as u32]);
    message.extend_from_slice(bytemuck::cast_slice(&sum));
    for (lane, loss) in lanes[own.clone()].iter().zip(losses) {
        let events = &lane.collected.events;
        write_lane(if with_events { events } else { &[] }, *loss, &mut message);
    }
    let all = ranks.all_gather(&message)?;

    let mut joined = Joined { losses: Vec::with_capacity(lanes.len()), stop: false };
    let mut dense = Vec::new();
    for rank in 0..size {
        let mut words = Words(all.of(rank));
        joined.stop |= words.one()? == 1;
        let length = words.one()? as usize;
        dense.extend_from_slice(bytemuck::cast_slice(words.take(length)?));
        for lane in share_of(lanes.len(), rank, size) {
            let memory = &mut lanes[lane];
            if own.contains(&lane) || !with_events {
                joined.losses.push(skip_lane(&mut words)?);
            } else {
                joined.losses.push(read_lane(&mut words, memory)?);
            }
        }
    }
    if let Some(first) = lanes.first_mut() {
        first.collected.dense.values = dense;
    }
    Ok(joined)
}

fn write_lane(events: &[EventGradients], loss: f64, message: &mut Vec<u32>) {
    message.extend(words_of(loss));
    message.push(events.len() as u32);
    for gradients in events {
        let EventGradients { parts, first, width, values } = gradients;
        message.extend([*first, *width, parts.len(), values.len()].map(|number| number as u32));
        for EventPart { table, column, dim } in parts {
            message.extend([*table, *column, *dim].map(|number| number as u32));
        }
        message.extend_from_slice(bytemuck::cast_slice(values));
    }
}

fn read_lane(words: &mut Words<'_>, memory: &mut LaneMemory) -> Result<f64> {
    let loss = words.double()?;
    memory.free.extend(memory.collected.events.drain(..).map(|gradients| gradients.values));
    for _ in 0..words.one()? {
        let [first, width, parts, length] = words.numbers()?;
        let parts = (0..parts)
            .map(|_| words.numbers().map(|[table, column, dim]| EventPart { table, column, dim }))
            .collect::<Result<_>>()?;
        let mut values = memory.free.pop().unwrap_or_default();
        values.clear();
        values.extend_from_slice(bytemuck::cast_slice(words.take(length)?));
        memory.collected.events.push(EventGradients { parts, first, width, values });
    }
    Ok(loss)
}

/// Passes over a lane that is here already, or not wanted.
fn skip_lane(words: &mut Words<'_>) -> Result<f64> {
    let loss = words.double()?;
    for _ in 0..words.one()? {
        let [_, _, parts, length] = words.numbers()?;
        words.take(3 * parts + length)?;
    }
    Ok(loss)
}
