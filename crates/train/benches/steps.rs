//! Training steps and scoring with the authors' shapes on Electronics-like rows. Throughput is rows a
//! second. On as many
//! threads as there are cores, or RAYON_NUM_THREADS.

// Helpers outside of test functions may panic too.
#![allow(clippy::unwrap_used, clippy::panic)]

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use ctr_nn::{Optimizer, OptimizerConfig, ScoringMemory};
use electronics_like::{batches, network};

mod electronics_like;

/// As the command `din-repro` has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn steps(criterion: &mut Criterion) {
    // This thread is one of the pool's, as it is in a run.
    rayon::ThreadPoolBuilder::new().use_current_thread().build_global().unwrap();
    for model in ["base_model", "wide_deep", "pnn", "deepfm", "din", "din_dice", "gru", "bst"] {
        let mut network = network(model).unwrap().unwrap();
        let name = model.trim_end_matches("_model");
        let mut group = criterion.benchmark_group(format!("{name}_step"));
        group.sample_size(20);
        for rows in [32, 256, 1024] {
            let batches = batches(rows, 16);
            let mut optimizer =
                Optimizer::new(OptimizerConfig::default(), &network.weights).unwrap();
            let mut next = 0;
            group.throughput(Throughput::Elements(rows as u64));
            group.bench_function(BenchmarkId::from_parameter(format!("b{rows}")), |bencher| {
                bencher.iter(|| {
                    next += 1;
                    network.train_step(&batches[next % batches.len()], &mut optimizer).unwrap()
                });
            });
        }
        group.finish();
        let mut group = criterion.benchmark_group(format!("{name}_score"));
        group.sample_size(20).throughput(Throughput::Elements(512));
        let batches = batches(512, 16);
        let mut memory = ScoringMemory::default();
        let mut next = 0;
        group.bench_function("b512", |bencher| {
            bencher.iter(|| {
                next += 1;
                network.score(&batches[next % batches.len()], &mut memory).unwrap()
            });
        });
        group.finish();
    }
}

criterion_group!(benches, steps);
criterion_main!(benches);
