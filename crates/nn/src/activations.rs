//! Looking into the local activation unit of a trained network (paper, section 6.8 and figure 5).

use crate::lookup::IdColumns;
use crate::memory::Pool;
use crate::shards::Shard;
use crate::{Error, Graph, Network, Result, Scoring};
use ctr_core::Batch;
use dfdx::prelude::Cpu;

/// What the local activation unit made of a batch.
#[derive(Clone, Debug, PartialEq)]
pub struct Activations {
    /// One weight an event, as it enters equation 3; the batch's offsets say whose.
    pub weights: Vec<f32>,
    /// Logits, one a row.
    pub logits: Vec<f32>,
}

impl Network {
    /// Scores a batch and keeps the weights that its one attention pooling gives to the events.
    ///
    /// # Errors
    /// When the batch does not fit the model, or the model does not weigh events by one activation unit.
    pub fn activations(&self, batch: &Batch) -> Result<Activations> {
        let ids = IdColumns::new(&self.weights, batch)?;
        let shard = Shard::new(batch, 0..batch.rows());
        let (pool, device) = (Pool::with(Vec::new()), Cpu::default());
        let mut graph = Graph::<Scoring>::new(&self.weights, &ids, &shard, pool, device);
        graph.watched = Some(Vec::new());
        let logits = self.model.scoring_logits(&mut graph)?.values().to_vec();
        let mut watched = graph.watched.take().unwrap_or_default();
        match (watched.pop(), watched.is_empty()) {
            (Some(weights), true) => Ok(Activations { weights, logits }),
            _ => Err(Error::Config(
                "the model has no local activation unit, or more than one: take a run of din or din_dice"
                    .into(),
            )),
        }
    }
}
