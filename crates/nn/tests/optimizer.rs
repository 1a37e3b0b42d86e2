//! Steps on tables and parameters against textbook optimizers in f64 that know nothing of sparse rows:
//! dense arrays, and a list of the rows that a batch contains.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod common;

use common::{probe, rows_in, schema, values, whole_gradient};
use ctr_core::SeedStreams;
use ctr_nn::{Optimizer, OptimizerConfig, OptimizerKind, Schedule, model_checks};
use std::collections::BTreeMap;

/// Everything of one weight: value and Adam's two averages.
#[derive(Clone, Copy)]
struct Cell {
    weight: f64,
    first: f64,
    second: f64,
}

/// One step of the textbook on one weight. `t` counts all steps.
fn step(cell: &mut Cell, gradient: f64, kind: OptimizerKind, rate: f64, t: i32) {
    match kind {
        OptimizerKind::Sgd => cell.weight -= rate * gradient,
        OptimizerKind::Adam => {
            cell.first = 0.9 * cell.first + 0.1 * gradient;
            cell.second = 0.999 * cell.second + 0.001 * gradient * gradient;
            // TensorFlow 1's form.
            let rate = rate * (1.0 - 0.999f64.powi(t)).sqrt() / (1.0 - 0.9f64.powi(t));
            cell.weight -= rate * cell.first / (cell.second.sqrt() + 1e-8);
        }
    }
}

/// Trains on different small batches and compares with the textbook after each.
fn compare(kind: OptimizerKind, learning_rate: f64, clip_norm: f64) {
    let mut stream = SeedStreams::new(8).stream("steps");
    let mut network = probe(&mut stream);
    let schedule = Schedule::Step { at: vec![4, 9], factor: 0.3 };
    let config = OptimizerConfig { kind, learning_rate, schedule, clip_norm };
    let mut optimizer = Optimizer::new(config, &network.weights).unwrap();
    let mut cells: BTreeMap<String, Vec<Cell>> = values(&network.weights)
        .into_iter()
        .map(|(name, values)| {
            let cell = |weight| Cell { weight, first: 0.0, second: 0.0 };
            (name, values.into_iter().map(cell).collect())
        })
        .collect();
    let (mut clipped, mut idle_rows, mut worst) = (0, 0, 0.0f64);
    for t in 1..=12 {
        let batch = model_checks::random_batch(&schema(), 3, 4, &mut stream);
        let gradients = network.gradients(&batch).unwrap();
        let gradients: BTreeMap<&String, Vec<f64>> =
            cells.keys().map(|name| (name, whole_gradient(&network, &gradients, name))).collect();
        let norm = gradients.values().flatten().map(|g| g * g).sum::<f64>().sqrt();
        let before = network.weights.clone();
        let state_before = optimizer.export(&before);
        let report = network.train_step(&batch, &mut optimizer).unwrap();

        let mut shrink = 1.0;
        if clip_norm > 0.0 {
            let found = report.gradient_norm.unwrap();
            assert!((found - norm).abs() < 1e-6 * norm, "norm {found} is {norm}");
            if norm > clip_norm {
                shrink = clip_norm / norm;
                clipped += 1;
            }
        } else {
            assert_eq!(report.gradient_norm, None);
        }
        // The schedule changes the rate of the steps after the fourth and after the ninth.
        let rate = learning_rate * [1.0, 0.3, 0.09][usize::from(t > 4) + usize::from(t > 9)];
        let rows = rows_in(&batch);
        let gradients: Vec<(String, Vec<f64>)> =
            gradients.into_iter().map(|(name, gradient)| (name.clone(), gradient)).collect();
        for (name, gradient) in gradients {
            let cells = cells.get_mut(&name).unwrap();
            let touched = rows.get(name.as_str());
            let dim = before.tables.iter().find(|table| table.name == name).map_or(1, |t| t.dim);
            for (index, (cell, gradient)) in cells.iter_mut().zip(gradient).enumerate() {
                if touched.is_none_or(|rows| rows.contains(&(index / dim))) {
                    step(cell, shrink * gradient, kind, rate, t);
                } else {
                    assert_eq!(gradient, 0.0, "{name}: row {} is not in the batch", index / dim);
                }
            }
        }

        // What is not in the batch keeps its bits, moments included.
        let state = optimizer.export(&before);
        for (table, old) in network.weights.tables.iter().zip(&before.tables) {
            let touched = &rows[table.name.as_str()];
            for row in (0..table.vocabulary).filter(|row| !touched.contains(row)) {
                idle_rows += 1;
                let range = row * table.dim..(row + 1) * table.dim;
                let same = |new: &[f32], old: &[f32]| {
                    new.iter().zip(old).all(|(new, old)| new.to_bits() == old.to_bits())
                };
                assert!(
                    same(&table.values()[range.clone()], &old.values()[range.clone()]),
                    "{}: row {row} moved without being in the batch",
                    table.name
                );
                if kind == OptimizerKind::Adam {
                    for moment in ["first", "second"] {
                        let key = format!("optimizer/{moment}/{}", table.name);
                        let shape = [table.values().len()];
                        assert!(
                            same(
                                &state.get(&key, &shape).unwrap()[range.clone()],
                                &state_before.get(&key, &shape).unwrap()[range.clone()]
                            ),
                            "{key}: row {row} moved without being in the batch"
                        );
                    }
                }
            }
        }
        for (name, found) in values(&network.weights) {
            for (index, (found, cell)) in found.iter().zip(&cells[&name]).enumerate() {
                let deviation = (found - cell.weight).abs() / cell.weight.abs().max(1.0);
                worst = worst.max(deviation);
                assert!(
                    deviation < 2e-6,
                    "step {t}: {name}[{index}] is {found} instead of {}",
                    cell.weight
                );
            }
        }
    }
    assert!(idle_rows > 500, "{idle_rows} rows were left alone");
    if clip_norm > 0.0 {
        assert!((3..12).contains(&clipped), "{clipped} of 12 steps were clipped: test both ways");
    }
    println!("{kind:?}, clip {clip_norm}: weights within {worst:.1e}, {clipped} steps clipped");
}

#[test]
fn sgd_equals_the_textbook_on_the_rows_of_each_batch() {
    compare(OptimizerKind::Sgd, 0.2, 0.0);
}

#[test]
fn lazy_adam_equals_the_textbook_on_the_rows_of_each_batch() {
    compare(OptimizerKind::Adam, 0.02, 0.0);
}

#[test]
fn clipping_shrinks_parameters_and_rows_by_one_norm() {
    compare(OptimizerKind::Sgd, 0.2, 1.5);
    compare(OptimizerKind::Adam, 0.02, 1.5);
}
