//! Forward and backward pass of a batch, lane by lane.

use crate::distributed::{Communicator, join, own_lanes};
use crate::exchange::{Exchange, Others};
use crate::graph::{Collected, EventGradients};
use crate::lookup::{IdColumns, RowUses};
use crate::memory::Pool;
use crate::regularizer::RowPenalties;
use crate::shards::{Shard, lanes};
use crate::sums::{DenseSum, RowsSource, RowsSum, Sources, Sums, rows_a_chunk};
use crate::tasks::{Finish, Task, run_all};
use crate::weights::BatchStatistics;
use crate::{CtrModel, Error, Graph, Result, StatisticsId, Training, Weights};
use ctr_core::Batch;
use dfdx::prelude::Cpu;
use std::cell::RefCell;
use std::ops::Range;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};

/// Gradients of one batch and the memory in which they lie; reused from step to step.
#[derive(Default)]
pub(crate) struct StepMemory {
    pub lanes: Vec<LaneMemory>,
    tables: Vec<TableGradients>,
    /// Whether the first lane has the sum of dense gradients over all lanes already.
    pub joined: bool,
    /// For statistics of the whole batch: one thread a lane, as lanes wait for each other.
    lane_threads: Option<rayon::ThreadPool>,
}

#[derive(Default)]
pub(crate) struct LaneMemory {
    pub free: Vec<Vec<f32>>,
    pub collected: Collected,
    device: Cpu,
}

/// Gradients of the rows of one table.
#[derive(Default)]
pub(crate) struct TableGradients {
    pub uses: RowUses,
    /// One a row of `uses.rows`, row by row.
    pub values: Vec<f32>,
}

/// What a pass found, apart from the gradients.
pub(crate) struct Passed {
    /// Mean logistic loss.
    pub loss: f64,
    pub moved_statistics: Vec<(StatisticsId, BatchStatistics)>,
    /// Whether a rank wishes to stop after this step.
    pub stop: bool,
}

impl Passed {
    /// Of all lanes' sums of losses, in order.
    pub fn new(losses: &[f64], stop: bool, reports: Vec<LaneReport>, batch: &Batch) -> Self {
        let loss = losses.iter().sum::<f64>() / batch.rows() as f64;
        let moved_statistics =
            reports.into_iter().next().map(|report| report.moved_statistics).unwrap_or_default();
        Self { loss, moved_statistics, stop }
    }
}

/// The lanes of a batch.
pub(crate) struct Cut {
    pub lanes: Vec<Vec<Shard>>,
    /// Whether they meet in the middle.
    pub tied: bool,
}

impl Cut {
    pub fn new(weights: &Weights, batch: &Batch) -> Self {
        let tied = !weights.statistics.is_empty();
        Self { lanes: lanes(batch, tied), tied }
    }
}

impl StepMemory {
    /// Forward and backward pass of a batch, of which each of the `ranks` does its part. Gradients lie about in
    /// parts afterward: see [`StepMemory::sums`]. `stop` is this rank's wish, told to the others.
    pub fn pass(
        &mut self,
        model: &dyn CtrModel,
        weights: &Weights,
        ids: &IdColumns<'_>,
        batch: &Batch,
        penalties: &RowPenalties,
        (ranks, stop): (&Arc<dyn Communicator>, bool),
    ) -> Result<Passed> {
        if batch.rows() == 0 {
            return Err(Error::Batch("a training step needs at least one row".into()));
        }
        let cut = Cut::new(weights, batch);
        let pass = Pass { model, weights, ids, batch, penalties, collects_uses: true };
        let (reports, own) = self.compute(&pass, &cut, ranks)?;
        self.joined = ranks.size() > 1;
        if !self.joined {
            let losses: Vec<f64> = reports.iter().map(|report| report.loss).collect();
            return Ok(Passed::new(&losses, stop, reports, batch));
        }
        let losses: Vec<f64> = reports[..own.len()].iter().map(|report| report.loss).collect();
        let joined = join(&mut self.lanes, own, &losses, stop, &**ranks, true)?;
        Ok(Passed::new(&joined.losses, joined.stop, reports, batch))
    }

    /// Computes the lanes that are this rank's, whose numbers are given too, or one beside its owner.
    pub fn compute(
        &mut self,
        pass: &Pass<'_>,
        cut: &Cut,
        ranks: &Arc<dyn Communicator>,
    ) -> Result<(Vec<LaneReport>, Range<usize>)> {
        let count = cut.lanes.len();
        self.lanes.resize_with(count, LaneMemory::default);
        self.tables.resize_with(pass.weights.tables.len(), TableGradients::default);
        let (own, counts) = own_lanes(count, cut.tied, ranks.rank(), ranks.size());
        let others =
            (ranks.size() > 1).then(|| Others { ranks: ranks.clone(), lanes: count, counts });
        let reports = if cut.tied && count > 1 {
            self.run_tied(pass, &cut.lanes, own.clone(), others)?
        } else {
            self.run_free(pass, &cut.lanes, own.clone())?
        };
        Ok((reports, if counts { own } else { 0..0 }))
    }

    /// Lanes that need nothing of each other, and beside them the search for each row's uses.
    fn run_free(
        &mut self,
        pass: &Pass<'_>,
        lanes: &[Vec<Shard>],
        own: Range<usize>,
    ) -> Result<Vec<LaneReport>> {
        let finish = &Finish::new(own.len());
        let lanes = lanes[own.clone()].iter().zip(&mut self.lanes[own]);
        let lane_tasks = lanes.map(|(shards, memory)| {
            Box::new(move || Some(finish.after(|| pass.lane(shards, memory, None)))) as Task<'_, _>
        });
        let use_tasks = pass.use_tasks(&mut self.tables).map(|mut collect| {
            Box::new(move || {
                collect();
                None
            }) as Task<'_, _>
        });
        run_all(lane_tasks.chain(use_tasks).collect()).into_iter().flatten().collect()
    }

    /// Lanes that meet in the middle: each on a thread of its own, but no more of them at work at a time
    /// than rayon has threads here.
    fn run_tied(
        &mut self,
        pass: &Pass<'_>,
        lanes: &[Vec<Shard>],
        own: Range<usize>,
        others: Option<Others>,
    ) -> Result<Vec<LaneReport>> {
        let lanes = &lanes[own.clone()];
        let fits = |pool: &rayon::ThreadPool| pool.current_num_threads() == lanes.len();
        if !self.lane_threads.as_ref().is_some_and(fits) {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(lanes.len()).build();
            self.lane_threads = Some(pool.map_err(|error| Error::Threads(error.to_string()))?);
        }
        let exchange = Arc::new(Exchange::new(lanes.len(), rayon::current_num_threads(), others));
        let memories: Vec<Mutex<&mut LaneMemory>> =
            self.lanes[own].iter_mut().map(Mutex::new).collect();
        let reports = match &self.lane_threads {
            Some(threads) => threads.broadcast(|context| {
                let lane = context.index();
                let mut memory = memories[lane].lock().unwrap_or_else(PoisonError::into_inner);
                let meeting = (exchange.clone(), lane);
                exchange.run(|| pass.lane(&lanes[lane], &mut memory, Some(&meeting)))
            }),
            None => Vec::new(),
        };
        if let Some(error) = exchange.failure() {
            return Err(error);
        }
        run_all(
            pass.use_tasks(&mut self.tables)
                .map(|collect| Box::new(collect) as Task<'_, ()>)
                .collect(),
        );
        reports.into_iter().collect()
    }

    /// The sums that are left to be done: of dense gradients over lanes, and of the gradients of events
    /// over the uses of each table row. One a parameter, and some for each table.
    pub fn sums<'m>(&'m mut self, weights: &Weights, ids: &'m IdColumns<'m>) -> Sums<'m> {
        let mut sums = Sums::default();
        let Some((first, others)) = self.lanes.split_first_mut() else { return sums };
        let (others, Collected { dense, events }) = (&*others, &mut first.collected);
        let events: Vec<&EventGradients> =
            events.iter().chain(others.iter().flat_map(|lane| &lane.collected.events)).collect();
        let mut rest = dense.values.as_mut_slice();
        for parameter in &weights.parameters {
            let place = parameter.place();
            let (own, after) = rest.split_at_mut(place.len);
            rest = after;
            let lanes = others.iter().map(|lane| &lane.collected.dense.values[place.range()]);
            let others = if self.joined { Vec::new() } else { lanes.collect() };
            sums.dense.push(DenseSum { sum: own, others });
        }
        for (index, table) in self.tables.iter_mut().enumerate() {
            let (dim, columns) = (weights.tables[index].dim, &ids.tables[index]);
            let sources = Arc::new(Sources::new(index, columns.len(), &events));
            table.values.resize(table.uses.rows.len() * dim, 0.0);
            let (uses, count) = (&table.uses, rows_a_chunk(dim));
            let gradients = table.values.chunks_mut(count * dim);
            let parts = uses.rows.chunks(count).zip(gradients).enumerate();
            sums.tables.push(
                parts
                    .map(|(chunk, (rows, gradients))| RowsSum {
                        table: index,
                        rows,
                        gradients,
                        from: Some(RowsSource {
                            first: chunk * count,
                            uses,
                            columns,
                            sources: sources.clone(),
                            batch_rows: ids.rows,
                        }),
                    })
                    .collect(),
            );
        }
        sums
    }

    /// The gradients of all dense parameters, one after the other, when summed.
    pub fn dense(&self) -> &[f32] {
        self.lanes.first().map_or(&[], |lane| &lane.collected.dense.values)
    }

    /// The gradients of each table's rows, when summed.
    pub fn tables(&self) -> &[TableGradients] {
        &self.tables
    }
}

/// What all lanes read.
pub(crate) struct Pass<'p> {
    pub model: &'p dyn CtrModel,
    pub weights: &'p Weights,
    pub ids: &'p IdColumns<'p>,
    pub batch: &'p Batch,
    pub penalties: &'p RowPenalties,
    /// Whether the uses of rows are to be searched for, or are known.
    pub collects_uses: bool,
}

pub(crate) struct LaneReport {
    /// Sum over rows.
    pub loss: f64,
    pub moved_statistics: Vec<(StatisticsId, BatchStatistics)>,
}

impl Pass<'_> {
    /// The search for each table's uses of rows, to be run in any order.
    fn use_tasks<'t>(
        &'t self,
        tables: &'t mut [TableGradients],
    ) -> impl Iterator<Item = impl FnMut() + Send + 't> {
        let columns = self.ids.tables.iter().zip(&self.weights.tables).enumerate();
        let searched = columns.zip(tables).filter(|_| self.collects_uses);
        searched.map(|((index, (columns, weights)), table)| {
            let every_row = self.penalties.of(index).every_row();
            let all = every_row.then_some(weights.vocabulary);
            move || table.uses.collect(columns, all)
        })
    }

    fn lane(
        &self,
        shards: &[Shard],
        memory: &mut LaneMemory,
        exchange: Option<&(Arc<Exchange>, usize)>,
    ) -> Result<LaneReport> {
        let mut collected = std::mem::take(&mut memory.collected);
        let mut free = std::mem::take(&mut memory.free);
        free.extend(collected.events.drain(..).map(|gradients| gradients.values));
        let pool = Pool::with(free);
        let places = || self.weights.parameters.iter().map(crate::Parameter::place);
        let len = places().last().map_or(0, |place| place.range().end);
        collected.dense.values.resize(len, 0.0);
        collected.dense.written.clear();
        collected.dense.written.resize(self.weights.parameters.len(), false);
        let collected = Rc::new(RefCell::new(collected));
        let mut report = LaneReport { loss: 0.0, moved_statistics: Vec::new() };
        for shard in shards {
            let mut graph = Graph::<Training>::new(
                self.weights,
                self.ids,
                shard,
                pool.clone(),
                memory.device.clone(),
            );
            graph.collected = collected.clone();
            graph.exchange = exchange.cloned();
            let logits = self.model.training_logits(&mut graph)?;
            let labels = &self.batch.labels[shard.rows.clone()];
            report.loss += graph.log_loss(&logits, labels, self.batch.rows())?;
            report.moved_statistics = std::mem::take(&mut graph.moved_statistics);
            drop(logits);
            graph.backward()?;
        }
        let mut collected = collected.take();
        for place in places() {
            if !collected.dense.written[place.index] {
                collected.dense.values[place.range()].fill(0.0);
            }
        }
        memory.collected = collected;
        memory.free = pool.drain();
        Ok(report)
    }
}
