//! The parts of a step, one by one, at growing sizes: time a row, event or product must not grow with
//! the history's length, the batch or the vocabulary. One thread.

// Helpers outside of test functions may panic too.
#![allow(clippy::unwrap_used, clippy::panic)]

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use ctr_core::{Batch, EventColumn, FieldReference, GroupEvents, SeedStreams};
use ctr_nn::{
    Activation, ActivationLayer, ActivationUnit, ActivationUnitConfig, Architecture, Graph, Init,
    Matrix, Network, Optimizer, OptimizerConfig, OptimizerKind, Result, Schedule, ScoringMemory,
    TableId, TableSource, Tape, View, Weights, WeightsBuilder, Write, multiply,
};
use std::hint::black_box;

/// Width of a behavior with the authors' settings.
const DIM: usize = 128;

/// Products of DIN's step: K = 256 and 80 forward, the transposed ones backward; 16 and 64 rows are
/// shards of batches of 32 and 256.
fn products(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("product");
    let shapes = [(83, 256, 80), (333, 256, 80), (333, 80, 40), (16, 384, 80), (64, 384, 80)];
    for (m, k, n) in shapes {
        let (a, b) = (numbers(m * k), numbers(k * n));
        let mut out = vec![0.0; m * n];
        group.throughput(Throughput::Elements((2 * m * k * n) as u64));
        group.bench_function(BenchmarkId::new("ours", format!("{m}x{k}x{n}")), |bencher| {
            bencher.iter(|| multiply(View::new(&a, m, k), &b, black_box(&mut out), Write::Over));
        });
        group.bench_function(BenchmarkId::new("gemm", format!("{m}x{k}x{n}")), |bencher| {
            bencher.iter(|| library_product(&a, &b, black_box(&mut out), (m, k, n)));
        });
        // The weight's gradient: K is the number of rows.
        let (left, right) = (numbers(m * k), numbers(m * n));
        let mut out = vec![0.0; k * n];
        group.bench_function(BenchmarkId::new("ours", format!("{m}x{k}^T x{n}")), |bencher| {
            let left = View::new(&left, m, k).transposed();
            bencher.iter(|| multiply(left, &right, black_box(&mut out), Write::Over));
        });
    }
    let side = 1024;
    let (a, b) = (numbers(side * side), numbers(side * side));
    let mut out = vec![0.0; side * side];
    group.sample_size(10).throughput(Throughput::Elements(2 * (side as u64).pow(3)));
    group.bench_function("gemm/large", |bencher| {
        bencher.iter(|| library_product(&a, &b, black_box(&mut out), (side, side, side)));
    });
    group.finish();
}

fn numbers(count: usize) -> Vec<f32> {
    let mut stream = SeedStreams::new(1).stream("numbers");
    (0..count).map(|_| stream.uniform(-1.0, 1.0) as f32).collect()
}

/// The `gemm` crate, which dfdx calls.
#[allow(unsafe_code)]
fn library_product(a: &[f32], b: &[f32], out: &mut [f32], (m, k, n): (usize, usize, usize)) {
    assert!(a.len() == m * k && b.len() == k * n && out.len() == m * n);
    // SAFETY: the lengths are those of the shapes, all matrices are row-major.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            out.as_mut_ptr(),
            1,
            n as isize,
            false,
            a.as_ptr(),
            1,
            k as isize,
            b.as_ptr(),
            1,
            n as isize,
            0.0,
            1.0,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}

/// One part of a model between table rows and a plain sum as logit.
enum Part {
    Lookup,
    Unit(ActivationUnit),
    Activation(ActivationLayer),
}

struct Probe {
    behaviors: TableId,
    candidates: TableId,
    part: Part,
}

impl Architecture for Probe {
    fn logits<T: Tape>(&self, graph: &mut Graph<'_, T>) -> Result<Matrix> {
        let candidates = graph.embed(&[(self.candidates, 0)])?;
        let output = match &self.part {
            Part::Lookup => candidates,
            Part::Activation(layer) => layer.forward(graph, &candidates)?,
            Part::Unit(unit) => {
                let behaviors = graph.embed(&[(self.behaviors, 0)])?;
                let offsets = graph.offsets(0);
                unit.forward(graph, &candidates, &behaviors, &offsets)?
            }
        };
        graph.sum_columns(&output, None)
    }
}

fn probe(vocabulary: u32, part: impl FnOnce(&mut WeightsBuilder<'_>) -> Part) -> Network {
    let mut weights = Weights::default();
    let mut builder = WeightsBuilder::new(&mut weights, SeedStreams::new(1));
    let mut table = |name, group| {
        let source = TableSource::Fields(vec![FieldReference { group, field: 0 }]);
        builder.table(name, vocabulary as usize, DIM, Init::GlorotUniform, source)
    };
    let (behaviors, candidates) = (table("behaviors", 0), table("candidates", 1));
    let part = part(&mut builder);
    Network::new(Probe { behaviors, candidates, part }, weights)
}

fn batch(rows: usize, history: usize, vocabulary: u32) -> Batch {
    let mut stream = SeedStreams::new(1).stream("ids");
    let mut ids = |count: usize| {
        let ids = (0..count).map(|_| stream.below(u64::from(vocabulary)) as u32).collect();
        vec![EventColumn::single(ids)]
    };
    let offsets = (0..=rows).map(|row| (row * history) as u32).collect();
    Batch {
        labels: (0..rows).map(|row| (row % 2) as f32).collect(),
        groups: vec![
            GroupEvents { offsets, fields: ids(rows * history) },
            GroupEvents { offsets: Vec::new(), fields: ids(rows) },
        ],
    }
}

fn optimizer(network: &Network, kind: OptimizerKind) -> Optimizer {
    let config =
        OptimizerConfig { kind, learning_rate: 1e-6, schedule: Schedule::Constant, clip_norm: 0.0 };
    Optimizer::new(config, &network.weights).unwrap()
}

fn unit(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("activation_unit");
    let mut network = probe(10_000, |builder| {
        Part::Unit(ActivationUnit::build(builder, &ActivationUnitConfig::default(), DIM).unwrap())
    });
    let mut sgd = optimizer(&network, OptimizerKind::Sgd);
    for history in [1, 5, 25, 100] {
        let batch = batch(64, history, 10_000);
        group.throughput(Throughput::Elements(64 * history as u64));
        let mut memory = ScoringMemory::default();
        group.bench_function(BenchmarkId::new("forward", history), |bencher| {
            bencher.iter(|| network.score(&batch, &mut memory).unwrap());
        });
        group.bench_function(BenchmarkId::new("forward_backward", history), |bencher| {
            bencher.iter(|| network.train_step(&batch, &mut sgd).unwrap());
        });
    }
    group.finish();
}

fn rows(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("dice");
    for rows in [64, 256, 1024] {
        let mut network = probe(10_000, |builder| {
            Part::Activation(ActivationLayer::build(builder, Activation::Dice, DIM).unwrap())
        });
        let mut sgd = optimizer(&network, OptimizerKind::Sgd);
        let batch = batch(rows, 0, 10_000);
        group.throughput(Throughput::Elements(rows as u64));
        group.bench_function(BenchmarkId::new("forward_backward", rows), |bencher| {
            bencher.iter(|| network.train_step(&batch, &mut sgd).unwrap());
        });
    }
    group.finish();

    // The batch stays, the table grows: the time must not.
    let mut group = criterion.benchmark_group("embedding");
    group.throughput(Throughput::Elements(1024));
    for vocabulary in [10_000, 100_000, 1_000_000] {
        let mut network = probe(vocabulary, |_| Part::Lookup);
        let mut sgd = optimizer(&network, OptimizerKind::Sgd);
        let mut adam = optimizer(&network, OptimizerKind::Adam);
        let batch = batch(1024, 0, vocabulary);
        let mut memory = ScoringMemory::default();
        group.bench_function(BenchmarkId::new("gather", vocabulary), |bencher| {
            bencher.iter(|| network.score(&batch, &mut memory).unwrap());
        });
        group.bench_function(BenchmarkId::new("gather_scatter_sgd", vocabulary), |bencher| {
            bencher.iter(|| network.train_step(&batch, &mut sgd).unwrap());
        });
        group.bench_function(BenchmarkId::new("gather_scatter_adam", vocabulary), |bencher| {
            bencher.iter(|| network.train_step(&batch, &mut adam).unwrap());
        });
    }
    group.finish();
}

fn on_one_thread(criterion: &mut Criterion) {
    let threads = rayon::ThreadPoolBuilder::new().num_threads(1).use_current_thread();
    threads.build_global().unwrap();
    products(criterion);
    unit(criterion);
    rows(criterion);
}

criterion_group!(benches, on_one_thread);
criterion_main!(benches);
