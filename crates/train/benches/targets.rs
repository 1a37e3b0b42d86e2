//! What a training step must reach, as ratios: both sides of a ratio are measured in turn, so that a
//! noisy machine disturbs both alike. Prints a table of medians and spreads. `make peers` has the
//! ratios to other implementations.
//!
//! | ratio | at least |
//! |---|---|
//! | useful arithmetic of the DIN step over a large matrix product, batch 256 | 0.45 |
//! | step with 6.3 million goods over one with 63,001 | at most 1.2 |
//! | step with mini-batch-aware regularization over one without | at most 1.1 |
//! | two threads over one, batch 256 and 32 | 1.7 and 1.3 |
//! | two runs side by side over one alone | 1.85 |
//!
//! The memory of the large table is about 1.7 GB; `TARGETS_GOODS` chooses another size.

// Helpers outside of test functions may panic too.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

use ctr_core::{Batch, Schema, SeedStreams};
use ctr_nn::{
    FeatureDropout, Network, Occurrences, Optimizer, OptimizerConfig, OptimizerKind, Penalty,
    PenaltyNorm, RowPenalties, Schedule,
};
use dfdx::prelude::{Cpu, Tensor, TensorFromVec, TryMatMul};
use electronics_like::{CATEGORIES, GOODS, batches_of};
use std::time::{Duration, Instant};

mod electronics_like;

/// As the command `din-repro` has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ROUNDS: usize = 7;
const TIME: Duration = Duration::from_millis(700);

/// A DIN run that goes on from measurement to measurement.
struct Run {
    network: Network,
    optimizer: Optimizer,
    batches: Vec<Batch>,
    next: usize,
    threads: rayon::ThreadPool,
}

impl Run {
    fn new(goods: u32, rows: usize, threads: usize) -> Self {
        let schema = Schema::goods_and_categories(goods, CATEGORIES);
        let network =
            ctr_din::Din::network(&schema, &Default::default(), SeedStreams::new(1)).unwrap();
        let config = OptimizerConfig {
            kind: OptimizerKind::Sgd,
            learning_rate: 0.1,
            schedule: Schedule::Constant,
            clip_norm: 0.0,
        };
        let optimizer = Optimizer::new(config, &network.weights).unwrap();
        let threads = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let batches = batches_of(goods, rows, 64);
        Self { network, optimizer, batches, next: 0, threads }
    }

    /// Rows a second over [`TIME`].
    fn rate(&mut self) -> f64 {
        let Self { network, optimizer, batches, next, threads } = self;
        threads.install(|| {
            let (begun, mut rows) = (Instant::now(), 0);
            while begun.elapsed() < TIME {
                let batch = &batches[*next % batches.len()];
                network.train_step(batch, optimizer).unwrap();
                *next += 1;
                rows += batch.rows();
            }
            rows as f64 / begun.elapsed().as_secs_f64()
        })
    }
}

/// Medians and spreads of a ratio over rounds.
fn report(name: &str, target: &str, unit: &str, rounds: impl FnMut(usize) -> (f64, f64)) {
    // The first round warms up.
    let measured: Vec<(f64, f64)> = (0..=ROUNDS).map(rounds).skip(1).collect();
    let sorted = |of: fn(&(f64, f64)) -> f64| {
        let mut values: Vec<f64> = measured.iter().map(of).collect();
        values.sort_by(f64::total_cmp);
        values
    };
    let ratios = sorted(|(one, other)| one / other);
    let (one, other) = (sorted(|pair| pair.0), sorted(|pair| pair.1));
    println!(
        "| {name} | {target} | **{:.2}** | {:.2} to {:.2} | {:.0} / {:.0} {unit} |",
        ratios[ROUNDS / 2],
        ratios[0],
        ratios[ROUNDS - 1],
        one[ROUNDS / 2],
        other[ROUNDS / 2]
    );
}

/// Floating point operations a second of dfdx's product of two large matrices, in billions.
fn large_product(threads: &rayon::ThreadPool) -> f64 {
    const SIDE: usize = 1536;
    let device = Cpu::default();
    let matrix = |seed: usize| -> Tensor<(usize, usize), f32, Cpu> {
        let values = (0..SIDE * SIDE).map(|i| ((i * 7 + seed) % 13) as f32 - 6.0).collect();
        device.tensor_from_vec(values, (SIDE, SIDE))
    };
    let (left, right) = (matrix(1), matrix(5));
    threads.install(|| {
        let (begun, mut count) = (Instant::now(), 0.0);
        while count < 2.0 || begun.elapsed() < TIME {
            std::hint::black_box(left.clone().try_matmul(right.clone()).unwrap());
            count += 1.0;
        }
        count * 2.0 * (SIDE as f64).powi(3) / begun.elapsed().as_secs_f64() / 1e9
    })
}

/// The same of our own product, of the shape that a step has most of. One thread.
fn step_product() -> f64 {
    const SHAPE: (usize, usize, usize) = (333, 256, 80);
    let (rows, inner, columns) = SHAPE;
    let values = |count: usize| -> Vec<f32> { (0..count).map(|i| (i % 13) as f32).collect() };
    let (left, right) = (values(rows * inner), values(inner * columns));
    let mut out = vec![0.0; rows * columns];
    let (begun, mut count) = (Instant::now(), 0.0);
    while begun.elapsed() < TIME {
        let left = ctr_nn::View::new(&left, rows, inner);
        ctr_nn::multiply(left, &right, std::hint::black_box(&mut out), ctr_nn::Write::Over);
        count += 1.0;
    }
    count * (2 * rows * inner * columns) as f64 / begun.elapsed().as_secs_f64() / 1e9
}

/// Floating point operations of DIN's mathematics for a row, after the exact split of the first layer of
/// the activation unit: forward, and twice as much backward.
fn operations_a_row(batches: &[Batch]) -> f64 {
    let rows: usize = batches.iter().map(Batch::rows).sum();
    let events: usize = batches.iter().map(|batch| batch.groups[0].fields[0].ids.len()).sum();
    let event = 256 * 80 + 80 * 40 + 40;
    let row = 128 * 80 + 128 * 128 + 384 * 80 + 80 * 40 + 40;
    3.0 * 2.0 * (row as f64 + event as f64 * events as f64 / rows as f64)
}

/// What a regularizer costs: the paper's reason for touching the rows of a batch alone.
fn regularizers(threads: usize) {
    let mini_batch_aware = Penalty::MiniBatchAware { lambda: 0.01, norm: PenaltyNorm::L2 };
    let every_row = Penalty::Dense { lambda: 1e-6 };
    let kinds = [
        ("mini-batch-aware", "≤ 1.1", Some(mini_batch_aware)),
        ("L2 on every row", "", Some(every_row)),
        ("dropout of half of the ids", "", None),
    ];
    for ((title, target, penalty), rows) in
        kinds.into_iter().flat_map(|kind| [32, 256].map(|rows| (kind, rows)))
    {
        let (mut with, mut without) =
            (Run::new(GOODS, rows, threads), Run::new(GOODS, rows, threads));
        let mut occurrences = Occurrences::new(&with.network.weights);
        for batch in &with.batches {
            occurrences.add(&with.network.weights, batch).unwrap();
        }
        let (network, counts) = (&mut with.network, occurrences.counts());
        match penalty {
            Some(penalty) => {
                let penalties = RowPenalties::new(&network.weights, penalty, |_| true, counts);
                network.penalties = penalties.unwrap();
            }
            None => {
                let seeds = SeedStreams::new(1);
                let dropout = FeatureDropout::new(&network.weights, 0.5, seeds, |_| true);
                network.dropout = Some(dropout.unwrap());
            }
        }
        report(&format!("step time with {title} over none, batch {rows}"), target, "µs", |_| {
            (rows as f64 * 1e6 / with.rate(), rows as f64 * 1e6 / without.rate())
        });
    }
}

fn main() {
    // `cargo test --benches` runs this too; it has nothing to test.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let both = cores.min(2);
    println!("DIN, authors' shapes, SGD; {cores} cores, ratios over {both} threads\n");
    println!("| ratio | target | median | spread | medians of both sides |");
    println!("|---|---|---|---|---|");
    // `cargo bench --bench targets -- regularizers` measures these alone.
    if std::env::args().any(|argument| argument == "regularizers") {
        return regularizers(both);
    }

    let threads = rayon::ThreadPoolBuilder::new().num_threads(both).build().unwrap();
    for rows in [32, 256, 1024] {
        let mut run = Run::new(GOODS, rows, both);
        let operations = operations_a_row(&run.batches) / 1e9;
        let target = if rows == 256 { "≥ 0.45" } else { "" };
        let name = format!("useful arithmetic over large product, batch {rows}");
        report(&name, target, "GFLOP/s", |_| (run.rate() * operations, large_product(&threads)));
    }
    let mut run = Run::new(GOODS, 256, 1);
    let operations = operations_a_row(&run.batches) / 1e9;
    let one_thread = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    report("the same on one thread, batch 256", "", "GFLOP/s", |_| {
        (run.rate() * operations, large_product(&one_thread))
    });
    report("over our own product instead, one thread, batch 256", "", "GFLOP/s", |_| {
        (run.rate() * operations, step_product())
    });
    for (rows, target) in [(32, "≥ 1.3"), (256, "≥ 1.7"), (1024, "")] {
        let (mut one, mut two) = (Run::new(GOODS, rows, 1), Run::new(GOODS, rows, both));
        report(&format!("{both} threads over 1, batch {rows}"), target, "rows/s", |_| {
            (two.rate(), one.rate())
        });
    }
    let (mut first, mut second) = (Run::new(GOODS, 256, 1), Run::new(GOODS, 256, 1));
    report("two runs side by side over one, batch 256", "≥ 1.85", "rows/s", |_| {
        let alone = first.rate();
        let together = std::thread::scope(|scope| {
            let other = scope.spawn(|| second.rate());
            first.rate() + other.join().unwrap()
        });
        (together, alone)
    });
    regularizers(both);
    let many = std::env::var("TARGETS_GOODS").ok().and_then(|n| n.parse().ok());
    let many = many.unwrap_or(6_300_000);
    for rows in [32, 256] {
        let (mut large, mut small) = (Run::new(many, rows, both), Run::new(GOODS, rows, both));
        let name = format!("step time with {many} goods over {GOODS}, batch {rows}");
        report(&name, "≤ 1.2", "µs", |_| {
            (rows as f64 * 1e6 / large.rate(), rows as f64 * 1e6 / small.rate())
        });
    }
}
