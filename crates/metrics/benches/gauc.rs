//! `compare_paired/192403x5` compares two models of five seeds on the users of Electronics, 10,000 resamples;
//! `gauc/1e6x2e5` is gAUC over a million rows of 200,000 users; `auc/1e6` is AUC over the same rows.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use ctr_metrics::{GaucVariant, Resampling, SeededUsers, UserAuc, auc, compare_paired, gauc};
use std::hint::black_box;

/// Users in random order, labels with 20 % positives, scores that know a little of the label.
fn rows(count: usize, users: u32) -> (Vec<u32>, Vec<u8>, Vec<f32>) {
    let mut state = 1u64;
    let mut next = move || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as u32
    };
    let mut columns = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..count {
        let label = u8::from(next() % 5 == 0);
        columns.0.push(next() % users);
        columns.1.push(label);
        columns.2.push(next() as f32 / u32::MAX as f32 * 8.0 - 2.0 + f32::from(label));
    }
    columns
}

fn metrics(criterion: &mut Criterion) {
    for (count, users, shape) in
        [(1_000_000, 200_000, "1e6x2e5"), (10_000_000, 2_000_000, "1e7x2e6")]
    {
        let (ids, labels, scores) = rows(count, users);
        let mut group = criterion.benchmark_group("gauc");
        group.sample_size(10).throughput(Throughput::Elements(count as u64));
        group.bench_function(BenchmarkId::from_parameter(shape), |bencher| {
            bencher.iter(|| black_box(gauc(&ids, &labels, &scores, GaucVariant::Paper)));
        });
        group.finish();
        let mut group = criterion.benchmark_group("auc");
        group.sample_size(10).throughput(Throughput::Elements(count as u64));
        group.bench_function(BenchmarkId::from_parameter(&shape[..3]), |bencher| {
            bencher.iter(|| black_box(auc(&labels, &scores)));
        });
        group.finish();
    }
}

fn comparison(criterion: &mut Criterion) {
    // One pair a user, of which the model orders 87 of 100.
    let run = |shift: u32| -> Vec<UserAuc> {
        let right = |user: u32| f64::from(u8::from((user * 7 + shift) % 100 < 87));
        (0..192_403).map(|user| UserAuc { user, weight: 2.0, auc: right(user) }).collect()
    };
    let runs: Vec<Vec<UserAuc>> = (0..10).map(run).collect();
    let all: Vec<SeededUsers> =
        (0..).zip(&runs).map(|(run, users)| SeededUsers { seed: run % 5, users }).collect();
    let (first, second) = all.split_at(5);
    let mut group = criterion.benchmark_group("compare_paired");
    group.sample_size(10);
    group.bench_function("192403x5", |bencher| {
        bencher.iter(|| black_box(compare_paired(first, second, Resampling::default())));
    });
    group.finish();
}

criterion_group!(benches, metrics, comparison);
criterion_main!(benches);
