//! Serving simulated users: which ad a model shows, and what comes of it.

use anyhow::{Result, bail};
use ctr_core::{AbDay, Batch, EventColumn, Latency, Schema, SeedStreams};
use ctr_dataset_prep::{AdHistory, AdRequest, AdWorld};
use ctr_nn::{Network, ScoringMemory, sigmoid};
use rayon::prelude::*;
use std::time::Instant;

/// The first day behind those of the log.
const FIRST_DAY: u16 = 15;
/// Requests whose times are measured.
const TIMED_REQUESTS: u32 = 500;

/// A ranking of ads.
pub enum Arm<'n> {
    /// By a model's click probability times bid.
    Model(&'n Network),
    /// By the true click probability times bid.
    Truth,
}

/// Users, requests and clicks of a test.
pub struct Serving<'w> {
    pub world: &'w AdWorld,
    pub seeds: SeedStreams,
    /// Requests a day.
    pub requests: u32,
    /// Ads to choose from in each.
    pub candidates: u32,
}

/// Memory of a worker.
#[derive(Default)]
struct Memory {
    batch: Batch,
    scoring: ScoringMemory,
}

impl Serving<'_> {
    /// Serves the requests of a day, counted from 0, and gives what happened in each arm. The result does
    /// not depend on the number of threads.
    pub fn day(&self, day: u16, arms: &[Arm<'_>]) -> Result<Vec<AbDay>> {
        let mut users = self.seeds.stream(&format!("ab-test/day-{day}/users"));
        let users: Vec<u32> =
            (0..self.requests).map(|_| users.below(u64::from(self.world.users())) as u32).collect();
        let clicks = self.seeds.stream(&format!("ab-test/day-{day}/clicks"));
        let split = self.seeds.stream("ab-test/arms");
        let served: Vec<(usize, bool, f64)> = users
            .par_iter()
            .enumerate()
            .map_init(Memory::default, |memory, (number, &user)| {
                // A user stays in one arm for the whole test.
                let arm = split.substream(u64::from(user)).below(arms.len() as u64) as usize;
                let (history, request) = self.request(user, day, number as u32);
                let shown = match &arms[arm] {
                    Arm::Model(network) => {
                        let scores = rank(network, &history, &request, memory)?;
                        let values = scores.iter().zip(&request.candidates);
                        best(values.map(|(&score, ad)| f64::from(sigmoid(score)) * ad.bid))
                    }
                    Arm::Truth => best(request.candidates.iter().map(|ad| ad.probability * ad.bid)),
                };
                let ad = &request.candidates[shown];
                let clicked = clicks.substream(number as u64).unit() < ad.probability;
                Ok((arm, clicked, if clicked { ad.bid } else { 0.0 }))
            })
            .collect::<Result<_>>()?;
        let mut days = vec![AbDay::default(); arms.len()];
        for (arm, clicked, revenue) in served {
            days[arm].impressions += 1;
            days[arm].clicks += u64::from(clicked);
            days[arm].revenue += revenue;
        }
        Ok(days)
    }

    /// Times of single requests on this thread, from the user's history and the candidates' ids to all
    /// scores.
    pub fn latency(&self, network: &Network) -> Result<Latency> {
        let mut memory = Memory::default();
        let mut users = self.seeds.stream("ab-test/latency");
        let mut milliseconds = Vec::new();
        for number in 0..TIMED_REQUESTS {
            let user = users.below(u64::from(self.world.users())) as u32;
            let (history, request) = self.request(user, 0, number);
            let begun = Instant::now();
            std::hint::black_box(rank(network, &history, &request, &mut memory)?);
            milliseconds.push(begun.elapsed().as_secs_f64() * 1e3);
        }
        milliseconds.sort_by(f64::total_cmp);
        let at = |percent: usize| milliseconds[(milliseconds.len() * percent).div_ceil(100) - 1];
        Ok(Latency { requests: TIMED_REQUESTS, p50_milliseconds: at(50), p99_milliseconds: at(99) })
    }

    fn request(&self, user: u32, day: u16, number: u32) -> (AdHistory, AdRequest) {
        let user = self.world.user(user);
        let history = self.world.history(&user, FIRST_DAY + day);
        let request = self.world.request(&user, &history, number, self.candidates as usize);
        (history, request)
    }
}

/// Checks that a network built for `schema` can be served by the world.
pub fn check_schema(world: &AdWorld, schema: &Schema) -> Result<()> {
    if world.schema() != *schema {
        bail!(
            "the run's features are not those of the simulated world: runs without goods_ids or with \
             filtered ones cannot be served"
        );
    }
    Ok(())
}

/// Logits of a request's candidates; the user's side is computed once.
fn rank(
    network: &Network,
    history: &AdHistory,
    request: &AdRequest,
    memory: &mut Memory,
) -> Result<Vec<f32>> {
    fill(&mut memory.batch, history, request);
    Ok(network.rank(&memory.batch, &mut memory.scoring)?)
}

/// A batch with a row a candidate and one history, in the order of the world's schema.
fn fill(batch: &mut Batch, history: &AdHistory, request: &AdRequest) {
    let rows = request.candidates.len();
    batch.labels.clear();
    batch.labels.resize(rows, 0.0);
    batch.groups.resize_with(4, Default::default);
    let [behaviors, user, candidate, context] = &mut batch.groups[..] else { return };
    behaviors.offsets.clear();
    behaviors.offsets.extend([0, history.visits().len() as u32]);
    let columns = |fields: &mut Vec<EventColumn>, count: usize| {
        fields.resize_with(count, EventColumn::default);
        fields.iter_mut().for_each(|column| column.clear(false));
    };
    columns(&mut behaviors.fields, 3);
    for visit in history.visits() {
        for (column, id) in behaviors.fields.iter_mut().zip(visit) {
            column.ids.push(id);
        }
    }
    for (group, ids) in [(user, &request.user), (context, &request.context)] {
        columns(&mut group.fields, ids.len());
        for (column, &id) in group.fields.iter_mut().zip(ids) {
            column.ids.resize(rows, id);
        }
    }
    columns(&mut candidate.fields, 9);
    for ad in &request.candidates {
        for (column, &id) in candidate.fields.iter_mut().zip(&ad.fields) {
            column.ids.push(id);
        }
    }
}

/// Position of the largest value; the first of equal ones.
fn best(values: impl Iterator<Item = f64>) -> usize {
    let mut found = (0, f64::NEG_INFINITY);
    for (position, value) in values.enumerate() {
        if value > found.1 {
            found = (position, value);
        }
    }
    found.0
}
