//! A batch of which every process has read some rows.

use crate::{Error, Result};
use ctr_core::{Batch, EventColumn, GroupEvents};
use ctr_nn::{Communicator, Words};

/// Puts the batch together of which this process has `mine`, at those `places` of the whole, and the others the rest.
/// An id takes 4 bytes to each other process, beside the 4 bytes of each number of the gradient of
/// its embedding.
///
/// # Errors
/// When a process is lost, or what the others sent is no part of this batch.
pub(crate) fn gather_batch(
    ranks: &dyn Communicator,
    mine: &Batch,
    places: &[u32],
    whole: &mut Batch,
) -> Result<()> {
    let mut message = vec![places.len() as u32];
    message.extend_from_slice(places);
    write(mine, &mut message);
    let all = ranks.all_gather(&message)?;
    let mut parts = Vec::with_capacity(all.count());
    let mut order = Vec::new();
    for (rank, words) in all.iter().enumerate() {
        let mut words = Words(words);
        let places = words.list()?;
        order.extend(places.iter().zip(0..).map(|(&place, row)| (place, rank, row)));
        parts.push(read(&mut words, mine)?);
    }
    order.sort_unstable();
    if order.iter().zip(0..).any(|(&(place, ..), expected)| place != expected) {
        return Err(unfit());
    }
    whole.labels.clear();
    whole.groups.resize_with(mine.groups.len(), Default::default);
    for (group, like) in whole.groups.iter_mut().zip(&mine.groups) {
        group.offsets.clear();
        group.offsets.extend(like.offsets.first());
        group.fields.resize_with(like.fields.len(), Default::default);
        for (field, like) in group.fields.iter_mut().zip(&like.fields) {
            field.clear(!like.offsets.is_empty());
        }
    }
    for (_, rank, row) in order {
        let part: &Batch = &parts[rank];
        whole.labels.push(part.labels[row]);
        for (to, from) in whole.groups.iter_mut().zip(&part.groups) {
            let events = from.of_row(row);
            if let Some(&last) = to.offsets.last() {
                to.offsets.push(last + events.len() as u32);
            }
            for (to, from) in to.fields.iter_mut().zip(&from.fields) {
                to.extend_from(from, events.start, events.end);
            }
        }
    }
    Ok(())
}

fn unfit() -> Error {
    ctr_nn::Error::Exchange(
        "the rows of another rank are no part of this batch: give all the same data".into(),
    )
    .into()
}

fn write(batch: &Batch, message: &mut Vec<u32>) {
    let mut list = |numbers: &[u32]| {
        message.push(numbers.len() as u32);
        message.extend_from_slice(numbers);
    };
    list(&batch.labels.iter().map(|label| label.to_bits()).collect::<Vec<_>>());
    for GroupEvents { offsets, fields } in &batch.groups {
        list(offsets);
        for EventColumn { offsets, ids } in fields {
            list(offsets);
            list(ids);
        }
    }
}

/// Reads a batch of the same form as `like`.
fn read(words: &mut Words<'_>, like: &Batch) -> Result<Batch> {
    let labels = words.list()?.iter().map(|&bits| f32::from_bits(bits)).collect();
    let groups = like
        .groups
        .iter()
        .map(|group| {
            let offsets = words.list()?.to_vec();
            let field = |_| {
                Ok(EventColumn { offsets: words.list()?.to_vec(), ids: words.list()?.to_vec() })
            };
            let fields = group.fields.iter().map(field).collect::<Result<_>>()?;
            Ok(GroupEvents { offsets, fields })
        })
        .collect::<Result<_>>()?;
    Ok(Batch { labels, groups })
}
