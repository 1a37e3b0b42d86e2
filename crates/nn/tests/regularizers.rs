//! Regularizers against naive dense implementations of their formulas in f64, which go over every row of
//! every table and know nothing of sparse rows.
#![allow(clippy::unwrap_used)]

mod common;

use common::{GOODS, probe, rows_in, schema, values, whole_gradient};
use ctr_core::{Batch, SeedStreams};
use ctr_nn::{
    FeatureDropout, Graph, Matrix, Network, Occurrences, Optimizer, OptimizerConfig, OptimizerKind,
    Penalty, PenaltyNorm, Result, RowPenalties, Schedule, TableId, Tape, model_checks,
};
use std::collections::BTreeMap;

fn optimizer(kind: OptimizerKind, learning_rate: f64, network: &Network) -> Optimizer {
    let config =
        OptimizerConfig { kind, learning_rate, schedule: Schedule::Constant, clip_norm: 0.0 };
    Optimizer::new(config, &network.weights).unwrap()
}

/// How often the batch names each row.
fn occurrences_in(batch: &Batch) -> BTreeMap<&'static str, BTreeMap<usize, usize>> {
    let mut found: BTreeMap<&'static str, BTreeMap<usize, usize>> = BTreeMap::new();
    let fields = [
        ("embedding/goods_id", 0, 0),
        ("embedding/goods_id", 1, 0),
        ("embedding/cate_id", 0, 1),
        ("embedding/cate_id", 1, 1),
        ("item_bias", 1, 0),
    ];
    for (table, group, field) in fields {
        for &id in &batch.groups[group].fields[field].ids {
            *found.entry(table).or_default().entry(id as usize).or_default() += 1;
        }
    }
    found
}

/// What the gradient of a number of row `row` gains, by the documented formula.
fn gained(penalty: Penalty, w: f64, alpha: bool, n: u32, occurrences: usize, rows: usize) -> f64 {
    let alpha = f64::from(u8::from(alpha));
    match penalty {
        Penalty::MiniBatchAware { lambda, norm } => {
            let direction = match norm {
                PenaltyNorm::L2 => w,
                PenaltyNorm::L1 => (f64::from(w > 0.0)) - f64::from(w < 0.0),
            };
            lambda * alpha / f64::from(n.max(1)) * direction
        }
        Penalty::Lazy { lambda } => lambda * alpha * w,
        Penalty::Occurrence { lambda } => lambda * occurrences as f64 / rows as f64 * w,
        Penalty::Dense { lambda } => lambda * w,
    }
}

/// Some steps with a penalty, each compared with the formula on every number of every table.
fn compare(penalty: Penalty, kind: OptimizerKind) {
    let mut stream = SeedStreams::new(8).stream("penalty");
    let mut network = probe(&mut stream);
    let batches: Vec<Batch> =
        (0..4).map(|_| model_checks::random_batch(&schema(), 10, 5, &mut stream)).collect();
    let mut occurrences = Occurrences::new(&network.weights);
    batches.iter().for_each(|batch| occurrences.add(&network.weights, batch).unwrap());
    // Only the embeddings of goods and categories: the item's bias has no penalty.
    let chosen = |name: &str| name.starts_with("embedding/");
    let penalties = RowPenalties::new(
        &network.weights,
        penalty,
        |table| chosen(&table.name),
        occurrences.counts(),
    )
    .unwrap();
    let rate = if kind == OptimizerKind::Sgd { 0.1 } else { 0.02 };
    let mut optimizer = optimizer(kind, rate, &network);
    let mut moments: BTreeMap<String, Vec<(f64, f64)>> = values(&network.weights)
        .into_iter()
        .map(|(name, values)| (name, vec![(0.0, 0.0); values.len()]))
        .collect();
    let every_row = matches!(penalty, Penalty::Dense { .. });
    let mut untouched = 0;
    for (step, batch) in batches.iter().enumerate() {
        let before = values(&network.weights);
        network.penalties = RowPenalties::default();
        let plain = network.gradients(batch).unwrap();
        let gradients: BTreeMap<String, Vec<f64>> = before
            .keys()
            .map(|name| (name.clone(), whole_gradient(&network, &plain, name)))
            .collect();
        network.penalties = penalties.clone();
        network.train_step(batch, &mut optimizer).unwrap();
        let (after, in_batch, counts) =
            (values(&network.weights), rows_in(batch), occurrences_in(batch));
        for (name, before) in &before {
            let table = network.weights.tables.iter().position(|table| table.name == *name);
            for (index, &w) in before.iter().enumerate() {
                let mut gradient = gradients[name][index];
                let mut moves = true;
                if let Some(table) = table {
                    let row = index / network.weights.tables[table].dim;
                    let alpha = in_batch[name.as_str()].contains(&row);
                    let n = occurrences.counts()[table][row];
                    let count = counts[name.as_str()].get(&row).copied().unwrap_or(0);
                    if chosen(name) {
                        gradient += gained(penalty, w, alpha, n, count, batch.rows());
                    }
                    moves = alpha || (every_row && chosen(name));
                }
                let (first, second) = &mut moments.get_mut(name).unwrap()[index];
                let expected = match kind {
                    _ if !moves => w,
                    OptimizerKind::Sgd => w - rate * gradient,
                    OptimizerKind::Adam => {
                        let t = step as i32 + 1;
                        *first = 0.9 * *first + 0.1 * gradient;
                        *second = 0.999 * *second + 0.001 * gradient * gradient;
                        let rate = rate * (1.0 - 0.999f64.powi(t)).sqrt() / (1.0 - 0.9f64.powi(t));
                        w - rate * *first / (second.sqrt() + 1e-8)
                    }
                };
                let moved = after[name][index];
                // Adam divides by the gradient's size, so that a tiny one is as exact as f32 alone.
                let tolerance = if gradient.abs() < 1e-5 && gradient != 0.0 { 1e-3 } else { 2e-5 };
                assert!(
                    (moved - expected).abs() < tolerance,
                    "{penalty:?} {kind:?} step {step} {name}[{index}]: {moved} not {expected}"
                );
                untouched += usize::from(!moves && moved == w);
            }
        }
    }
    assert!(untouched > 30, "{untouched} numbers stayed");
}

#[test]
fn mini_batch_aware_is_equation_7_row_by_row() {
    let penalty = |norm| Penalty::MiniBatchAware { lambda: 0.3, norm };
    for kind in [OptimizerKind::Sgd, OptimizerKind::Adam] {
        compare(penalty(PenaltyNorm::L2), kind);
        compare(penalty(PenaltyNorm::L1), kind);
    }
}

#[test]
fn lazy_decay_leaves_the_count_out() {
    compare(Penalty::Lazy { lambda: 0.3 }, OptimizerKind::Sgd);
    compare(Penalty::Lazy { lambda: 0.3 }, OptimizerKind::Adam);
}

#[test]
fn difacto_penalizes_every_occurrence() {
    compare(Penalty::Occurrence { lambda: 0.3 }, OptimizerKind::Sgd);
    compare(Penalty::Occurrence { lambda: 0.3 }, OptimizerKind::Adam);
}

#[test]
fn dense_decay_moves_every_row_in_every_step() {
    compare(Penalty::Dense { lambda: 0.3 }, OptimizerKind::Sgd);
    compare(Penalty::Dense { lambda: 0.3 }, OptimizerKind::Adam);
}

/// Equation 4 says that the sum of equation 6's penalties over an epoch is λ times the penalty of all rows
/// once, where every batch holds each of its rows once: the batches of single samples.
#[test]
fn over_an_epoch_of_single_samples_every_row_is_penalized_once() {
    let mut stream = SeedStreams::new(9).stream("epoch");
    let mut network = probe(&mut stream);
    let samples: Vec<Batch> =
        (0..20).map(|_| model_checks::random_batch(&schema(), 1, 5, &mut stream)).collect();
    let mut occurrences = Occurrences::new(&network.weights);
    samples.iter().for_each(|sample| occurrences.add(&network.weights, sample).unwrap());
    let penalty = Penalty::MiniBatchAware { lambda: 0.25, norm: PenaltyNorm::L2 };
    let penalties =
        RowPenalties::new(&network.weights, penalty, |_| true, occurrences.counts()).unwrap();
    let table = "embedding/goods_id";
    let mut total = vec![0.0; values(&network.weights)[table].len()];
    for sample in &samples {
        let mut gradient = |penalties: RowPenalties| {
            network.penalties = penalties;
            let found = network.gradients(sample).unwrap();
            whole_gradient(&network, &found, table)
        };
        let (plain, with) = (gradient(RowPenalties::default()), gradient(penalties.clone()));
        for ((total, with), plain) in total.iter_mut().zip(with).zip(plain) {
            *total += with - plain;
        }
    }
    let weights = &values(&network.weights)[table];
    for (index, (total, w)) in total.iter().zip(weights).enumerate() {
        let named = occurrences.counts()[0][index / 4] > 0;
        let expected = if named { 0.25 * w } else { 0.0 };
        assert!((total - expected).abs() < 1e-6, "{index}: {total} not {expected}");
    }
}

/// The logit is the goods' embedding of the candidate and nothing else.
struct Direct(TableId);

impl ctr_nn::Architecture for Direct {
    fn logits<T: Tape>(&self, graph: &mut Graph<'_, T>) -> Result<Matrix> {
        let row = graph.embed(&[(self.0, 0)])?;
        graph.sum_columns(&row, None)
    }
}

fn direct() -> Network {
    let mut network = common::network(
        |builder| Direct(common::table(builder, "goods", GOODS as usize, 1, (0, 0))),
        &mut SeedStreams::new(3).stream("direct"),
    );
    network.weights.tables[0].values_mut().fill(0.0);
    network
}

#[test]
fn dropout_leaves_half_of_the_ids_out_of_forward_and_backward_pass() {
    let mut network = direct();
    let dropout =
        FeatureDropout::new(&network.weights, 0.5, SeedStreams::new(4), |_| true).unwrap();
    network.dropout = Some(dropout);
    let mut optimizer = optimizer(OptimizerKind::Sgd, 1.0, &network);
    let rows = GOODS as usize - 1;
    let batch = common::single_ids((1..GOODS).collect());
    let (mut kept, mut again) = (0, 0);
    for step in 0..100 {
        let before = network.weights.tables[0].values().to_vec();
        let loss = network.train_step(&batch, &mut optimizer).unwrap().loss;
        let (mut expected_loss, mut moved_before) = (0.0, false);
        for (row, label) in batch.labels.iter().enumerate() {
            let (old, new) = (before[row + 1], network.weights.tables[0].values()[row + 1]);
            // A dropped id has logit 0 and stays; a kept one counts and moves by the factor 2.
            let moved = old.to_bits() != new.to_bits();
            let logit = if moved { 2.0 * f64::from(old) } else { 0.0 };
            let label = f64::from(*label);
            expected_loss += (1.0 + logit.exp()).ln() - label * logit;
            if moved {
                let gradient = 2.0 * (common::sigmoid(logit) - label) / rows as f64;
                let expected = f64::from(old) - gradient;
                assert!((f64::from(new) - expected).abs() < 1e-6, "step {step} row {row}");
            }
            kept += usize::from(moved);
            again += usize::from(moved && moved_before);
            moved_before = moved;
        }
        assert!((loss - expected_loss / rows as f64).abs() < 1e-6, "step {step}: {loss}");
    }
    // 5,900 draws: the standard deviation of their mean is 0.0065, of pairs of neighbors 0.0056.
    let share = kept as f64 / (100 * rows) as f64;
    assert!((share - 0.5).abs() < 0.03, "{share} kept");
    let pairs = again as f64 / (100 * rows) as f64;
    assert!((pairs - 0.25).abs() < 0.03, "{pairs} kept together with their neighbor");
    // Scoring drops nothing.
    let scores = network.score(&batch, &mut ctr_nn::ScoringMemory::default()).unwrap();
    assert_eq!(scores, network.weights.tables[0].values()[1..]);
}

#[test]
fn dropout_of_nothing_is_no_dropout_and_equal_seeds_drop_alike() {
    let mut stream = SeedStreams::new(5).stream("dropout");
    let batch = model_checks::random_batch(&schema(), 40, 5, &mut stream);
    let step = |rate: Option<f64>, seed: u64, threads: usize| {
        let mut network = probe(&mut SeedStreams::new(6).stream("probe"));
        if let Some(rate) = rate {
            let seeds = SeedStreams::new(seed);
            let dropout = FeatureDropout::new(&network.weights, rate, seeds, |_| true);
            network.dropout = Some(dropout.unwrap());
        }
        let mut optimizer = optimizer(OptimizerKind::Adam, 0.01, &network);
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            for _ in 0..3 {
                network.train_step(&batch, &mut optimizer).unwrap();
            }
        });
        common::bits(&network.weights)
    };
    assert_eq!(step(None, 1, 1), step(Some(0.0), 1, 1));
    assert_eq!(step(Some(0.5), 1, 1), step(Some(0.5), 1, 3));
    assert_ne!(step(Some(0.5), 1, 1), step(Some(0.5), 2, 1));
    let network = direct();
    for rate in [1.0, -0.1, f64::NAN] {
        let seeds = SeedStreams::new(1);
        assert!(FeatureDropout::new(&network.weights, rate, seeds, |_| true).is_err());
    }
}

#[test]
fn tables_drawn_again_are_fresh_and_repeat() {
    let mut network = probe(&mut SeedStreams::new(6).stream("probe"));
    let goods = |network: &Network| network.weights.tables[0].values().to_vec();
    let before = goods(&network);
    let dense = network.weights.parameters[0].values().to_vec();
    let seeds = SeedStreams::new(1);
    network.draw_tables_again(seeds, "epoch-1");
    let first = goods(&network);
    network.draw_tables_again(seeds, "epoch-2");
    assert_ne!(goods(&network), first);
    network.draw_tables_again(seeds, "epoch-1");
    assert_eq!(goods(&network), first);
    assert_ne!(before, first);
    assert_eq!(network.weights.parameters[0].values(), dense);
    // As small as at the beginning: Glorot's limit for 61 rows of 4.
    let limit = (6.0f32 / 65.0).sqrt();
    assert!(first.iter().all(|value| value.abs() <= limit));
}

#[test]
fn senseless_penalties_are_refused() {
    let network = probe(&mut SeedStreams::new(6).stream("probe"));
    let new = |penalty, counts: &[Vec<u32>]| {
        RowPenalties::new(&network.weights, penalty, |_| true, counts)
    };
    assert!(new(Penalty::Lazy { lambda: -1.0 }, &[]).is_err());
    assert!(new(Penalty::Dense { lambda: f64::NAN }, &[]).is_err());
    let mba = Penalty::MiniBatchAware { lambda: 0.1, norm: PenaltyNorm::L2 };
    assert!(new(mba, &[]).unwrap_err().to_string().contains("other tables"));
}
