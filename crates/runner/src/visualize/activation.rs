//! Figure 5: what the local activation unit makes of real histories (paper, section 6.8).

use super::Look;
use super::goods::{Goods, share};
use crate::interrupt;
use anyhow::{Result, bail};
use ctr_core::{ActivatedEvent, ActivatedUser, ActivationFigure, Batch, Split};
use ctr_nn::sigmoid;
use std::ops::Range;
use std::sync::atomic::Ordering;

/// Users shown.
const USERS: usize = 3;
/// Events of a history that a picture can show.
const EVENTS: Range<usize> = 6..13;
/// Rows at a time.
const CHUNK: usize = 256;

/// Weights of the activation unit on test rows of the run's data.
///
/// # Errors
/// When the model has no activation unit, the data no categories, or no user is as the rule asks for.
pub fn activation(look: &Look<'_>) -> Result<ActivationFigure> {
    let goods = Goods::new(look.dataset)?;
    let positives: Vec<u32> = {
        let labels = &look.dataset.test.labels;
        (0..labels.len() as u32).filter(|&row| labels[row as usize] == 1).collect()
    };
    let means = means(look, &goods, &positives)?;
    let by_clicks = goods.by_clicks();
    let mut users: Vec<ActivatedUser> = Vec::new();
    let mut batch = Batch::default();
    for &row in &positives {
        if users.len() == USERS {
            break;
        }
        let user = look.dataset.test.users[row as usize];
        if users.iter().any(|shown| shown.user == user) {
            continue;
        }
        users.extend(shown(look, &goods, &by_clicks, row, means.relative, &mut batch)?);
    }
    if users.is_empty() {
        bail!(
            "no test row with a click has {} to {} events of which a quarter to three quarters share a category \
             with its candidate",
            EVENTS.start,
            EVENTS.end - 1
        );
    }
    let rule = format!(
        "Users: the first {USERS} of the test rows, in their order and one a user, with a click, a history of {} to {} \
         events, between a quarter and three quarters of these sharing a category with the candidate, and an irrelevant \
         candidate. Relevant candidate: what the user clicked. Irrelevant: the good with most clicks in training that \
         shares no category with the relevant one or with any event.",
        EVENTS.start,
        EVENTS.end - 1
    );
    Ok(ActivationFigure {
        source: look.source(rule),
        relative: means.relative,
        rows: means.rows,
        same_category: means.same,
        other_categories: means.other,
        users,
    })
}

/// A row as the figure shows it; none when it is not as the rule asks for.
fn shown(
    look: &Look<'_>,
    goods: &Goods<'_>,
    by_clicks: &[u32],
    row: u32,
    relative: bool,
    batch: &mut Batch,
) -> Result<Option<ActivatedUser>> {
    // The history twice: once for each candidate.
    look.dataset.fill_batch(Split::Test, &[row, row], look.max_history(), batch);
    let count = batch.groups[goods.behaviors].of_row(0).len();
    if !EVENTS.contains(&count) {
        return Ok(None);
    }
    let relevant = goods.candidate(Split::Test, row);
    let wanted = goods.categories(relevant).to_vec();
    let events: Vec<(u32, Vec<u32>)> = (0..count)
        .map(|event| {
            let (good, categories) = goods.of_event(batch, event);
            (good, categories.to_vec())
        })
        .collect();
    let same = events.iter().filter(|(_, categories)| share(categories, &wanted)).count();
    if 4 * same < count || 4 * same > 3 * count {
        return Ok(None);
    }
    let apart = |good: &&u32| {
        let categories = goods.categories(**good);
        !share(categories, &wanted) && !events.iter().any(|(_, of)| share(of, categories))
    };
    let Some(&irrelevant) = by_clicks.iter().find(apart) else { return Ok(None) };
    goods.set_candidates(batch, &[relevant, irrelevant]);
    let seen = look.network.activations(batch)?;
    let scale = if relative { count as f64 } else { 1.0 };
    let weight = |event: usize| f64::from(seen.weights[event]) * scale;
    let named = |good: u32, logit: f32| {
        let probability = f64::from(sigmoid(logit));
        (goods.named(&look.names, good, goods.categories(good)), probability)
    };
    Ok(Some(ActivatedUser {
        user: look.dataset.test.users[row as usize],
        relevant: named(relevant, seen.logits[0]),
        irrelevant: named(irrelevant, seen.logits[1]),
        events: events
            .iter()
            .enumerate()
            .map(|(event, (good, categories))| ActivatedEvent {
                good: goods.named(&look.names, *good, categories),
                same_category: share(categories, &wanted),
                weights: [weight(event), weight(count + event)],
            })
            .collect(),
    }))
}

/// What the unit does on many rows.
struct Means {
    /// The weights of every history sum to 1.
    relative: bool,
    rows: u64,
    same: f64,
    other: f64,
}

/// Means over the positive rows that have events of both kinds.
fn means(look: &Look<'_>, goods: &Goods<'_>, positives: &[u32]) -> Result<Means> {
    let mut batch = Batch::default();
    let mut found = Vec::new();
    let mut relative = true;
    for rows in positives.chunks(CHUNK) {
        if interrupt::flag().load(Ordering::Relaxed) {
            return Err(
                crate::failure::Failure::Interrupted("figure 5 was not drawn".into()).into()
            );
        }
        look.dataset.fill_batch(Split::Test, rows, look.max_history(), &mut batch);
        let weights = look.network.activations(&batch)?.weights;
        for (index, &row) in rows.iter().enumerate() {
            let wanted = goods.categories(goods.candidate(Split::Test, row));
            let events = batch.groups[goods.behaviors].of_row(index);
            let (mut same, mut other) = ((0.0, 0u32), (0.0, 0u32));
            for event in events.clone() {
                let weight = f64::from(weights[event]);
                let kind = if share(goods.of_event(&batch, event).1, wanted) {
                    &mut same
                } else {
                    &mut other
                };
                *kind = (kind.0 + weight, kind.1 + 1);
            }
            if !events.is_empty() && (same.0 + other.0 - 1.0).abs() > 1e-3 {
                relative = false;
            }
            if same.1 > 0 && other.1 > 0 {
                let mean = |(sum, count): (f64, u32)| sum / f64::from(count);
                found.push((events.len() as f64, mean(same), mean(other)));
            }
        }
    }
    if found.is_empty() {
        bail!(
            "no test row with a click has events within and outside of its candidate's categories"
        );
    }
    let mean = |of: &dyn Fn(&(f64, f64, f64)) -> f64| {
        found.iter().map(of).sum::<f64>() / found.len() as f64
    };
    let scale = |events: f64| if relative { events } else { 1.0 };
    Ok(Means {
        relative,
        rows: found.len() as u64,
        same: mean(&|&(events, same, _)| same * scale(events)),
        other: mean(&|&(events, _, other)| other * scale(events)),
    })
}
