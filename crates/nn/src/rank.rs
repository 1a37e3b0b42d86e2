//! Scoring many candidates of one request: the user's side is computed once.

use crate::lookup::IdColumns;
use crate::memory::Pool;
use crate::shards::Shard;
use crate::{Error, Graph, Network, Result, Scoring, ScoringMemory};
use ctr_core::{Batch, GroupEvents};
use std::sync::Arc;

impl Network {
    /// Logits of the candidates of one request, one a row, on this thread. `request` has a row a
    /// candidate; its behaviors hold the one history of all rows: `offsets` are 0 and the number of
    /// events. Labels count the rows and are not looked at.
    ///
    /// Pooling, projection of the user vector and the history's part of the activation unit are computed
    /// once, so the logits are those of [`Network::score`] up to the order of sums (about 1e-6). Models
    /// that cannot share a history get a copy of it for every row.
    ///
    /// # Errors
    /// When the request does not fit the model.
    pub fn rank(&self, request: &Batch, memory: &mut ScoringMemory) -> Result<Vec<f32>> {
        let rows = request.rows();
        for group in request.groups.iter().filter(|group| !group.offsets.is_empty()) {
            if group.offsets.len() != 2 || group.offsets[0] != 0 {
                let reason = "a request has one history: offsets are 0 and its number of events";
                return Err(Error::Batch(reason.into()));
            }
        }
        if !self.model.can_share_history() {
            return self.score(&repeated(request), memory);
        }
        let ids = IdColumns::new(&self.weights, request)?;
        let shard = shared(request);
        let pool = Pool::with(std::mem::take(&mut memory.free));
        let device = memory.device.clone();
        let mut graph = Graph::<Scoring>::new(&self.weights, &ids, &shard, pool.clone(), device);
        graph.shared_history = true;
        let logits = self.model.scoring_logits(&mut graph)?;
        if logits.shape() != (rows, 1) {
            return Err(Error::Shape { op: "rank", left: logits.shape(), right: (rows, 1) });
        }
        let scores = logits.values().to_vec();
        drop((logits, graph));
        memory.free = pool.drain();
        Ok(scores)
    }
}

/// All rows, and the one history.
fn shared(request: &Batch) -> Shard {
    let rows = 0..request.rows();
    let (events, offsets) = request
        .groups
        .iter()
        .map(|group| match group.offsets.last() {
            Some(&end) => (0..end as usize, Arc::new(group.offsets.clone())),
            None => (rows.clone(), Arc::default()),
        })
        .unzip();
    Shard { rows, events, offsets }
}

/// A batch with a copy of the history for every row.
fn repeated(request: &Batch) -> Batch {
    let rows = request.rows();
    let group = |group: &GroupEvents| {
        let Some(&events) = group.offsets.last() else { return group.clone() };
        let mut copies = GroupEvents {
            offsets: (0..=rows as u32).map(|row| row * events).collect(),
            fields: vec![Default::default(); group.fields.len()],
        };
        for (copy, field) in copies.fields.iter_mut().zip(&group.fields) {
            copy.clear(!field.offsets.is_empty());
            (0..rows).for_each(|_| copy.extend_from(field, 0, events as usize));
        }
        copies
    };
    Batch { labels: request.labels.clone(), groups: request.groups.iter().map(group).collect() }
}
