//! Training steps and scoring with the authors' shapes on Electronics-like rows: 63,001 goods, 801
//! categories, histories of 5.2 behaviors on average. One thread. Throughput is rows a second.

// Helpers outside of test functions may panic too.
#![allow(clippy::unwrap_used, clippy::panic)]

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use ctr_core::{Batch, EventColumn, GroupEvents, Schema, SeedStreams};
use ctr_nn::{Network, Optimizer, OptimizerConfig, ScoringMemory};

const GOODS: u32 = 63_001;
const CATEGORIES: u32 = 801;

fn batches(rows: usize, count: usize) -> Vec<Batch> {
    let mut stream = SeedStreams::new(1).stream("bench");
    (0..count)
        .map(|_| {
            let mut offsets = vec![0u32];
            for _ in 0..rows {
                // Geometric from 1 with mean 5.2.
                let mut length = 1;
                while stream.unit() > 1.0 / 5.2 && length < 200 {
                    length += 1;
                }
                offsets.push(offsets[offsets.len() - 1] + length);
            }
            let mut pair = |events: usize| {
                // Popularity falls off like a power law.
                let goods: Vec<u32> = (0..events)
                    .map(|_| 1 + (f64::from(GOODS) * stream.unit().powi(3)) as u32)
                    .collect();
                let cates = goods.iter().map(|id| 1 + id % CATEGORIES).collect();
                vec![EventColumn::single(goods), EventColumn::single(cates)]
            };
            let events = offsets[rows] as usize;
            Batch {
                labels: (0..rows).map(|row| (row % 2) as f32).collect(),
                groups: vec![
                    GroupEvents { offsets, fields: pair(events) },
                    GroupEvents { offsets: Vec::new(), fields: pair(rows) },
                ],
            }
        })
        .collect()
}

fn networks() -> Vec<(&'static str, Network)> {
    let schema = Schema::goods_and_categories(GOODS, CATEGORIES);
    let seeds = SeedStreams::new(1);
    vec![
        ("base", ctr_base_model::BaseModel::network(&schema, &Default::default(), seeds).unwrap()),
        (
            "wide_deep",
            ctr_wide_deep::WideDeep::network(&schema, &Default::default(), seeds).unwrap(),
        ),
        ("pnn", ctr_pnn::Pnn::network(&schema, &Default::default(), seeds).unwrap()),
        ("deepfm", ctr_deepfm::DeepFm::network(&schema, &Default::default(), seeds).unwrap()),
        ("din", ctr_din::Din::network(&schema, &Default::default(), seeds).unwrap()),
        (
            "din_dice",
            ctr_din::Din::network(&schema, &ctr_din::DinConfig::with_dice(), seeds).unwrap(),
        ),
    ]
}

fn steps(criterion: &mut Criterion) {
    for (name, mut network) in networks() {
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
