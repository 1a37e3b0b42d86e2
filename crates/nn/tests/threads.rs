//! A step's bits are those of the batch, not of the threads: with lanes that need nothing of each
//! other, and with lanes that meet for the statistics of the whole batch.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod common;

use common::{bits, interest_network};
use ctr_core::{RandomStream, Schema, SeedStreams};
use ctr_nn::{
    Activation, ActivationUnitConfig, EmbeddingMlpConfig, Error, Network, Optimizer,
    OptimizerConfig, OptimizerKind, Schedule, model_checks,
};

fn schema() -> Schema {
    Schema::goods_and_categories(500, 40)
}

/// With Dice in the activation unit too, whose statistics are over events.
fn probe(activation: Activation, stream: &mut RandomStream) -> Network {
    let frame = EmbeddingMlpConfig {
        embedding_dim: 6,
        hidden_units: vec![9, 5],
        activation,
        ..EmbeddingMlpConfig::default()
    };
    let unit = ActivationUnitConfig { hidden_units: vec![8, 4], activation, ..Default::default() };
    interest_network(&schema(), &frame, &unit, stream)
}

fn optimizer(network: &Network) -> Optimizer {
    let config = OptimizerConfig {
        kind: OptimizerKind::Adam,
        learning_rate: 0.01,
        schedule: Schedule::Constant,
        clip_norm: 0.05,
    };
    Optimizer::new(config, &network.weights).unwrap()
}

#[test]
fn one_thread_and_many_give_the_same_bits() {
    for activation in [Activation::Sigmoid, Activation::Dice] {
        for rows in [5, 40, 150, 700] {
            let trained = |threads: usize| {
                let mut stream = SeedStreams::new(3).stream("threads");
                let mut network = probe(activation, &mut stream);
                let mut optimizer = optimizer(&network);
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                pool.install(|| {
                    for _ in 0..4 {
                        let batch = model_checks::random_batch(&schema(), rows, 9, &mut stream);
                        network.train_step(&batch, &mut optimizer).unwrap();
                    }
                });
                bits(&network.weights)
            };
            let one = trained(1);
            for threads in [2, 3, 8] {
                assert!(one == trained(threads), "{activation:?}, {rows} rows, {threads} threads");
            }
        }
    }
}

#[test]
fn lanes_have_the_gradient_of_the_whole_batch() {
    let mut stream = SeedStreams::new(3).stream("lanes");
    let mut network = probe(Activation::Prelu, &mut stream);
    let (rows, part) = (603, 9);
    let batch = model_checks::random_batch(&schema(), rows, 9, &mut stream);
    let whole = network.gradients(&batch).unwrap();
    // Nine rows are one lane.
    let mut sums: Vec<Vec<f64>> =
        whole.parameters.iter().map(|gradient| vec![0.0; gradient.len()]).collect();
    let mut table_sums: Vec<Vec<f64>> =
        network.weights.tables.iter().map(|table| vec![0.0; table.values().len()]).collect();
    let mut loss = 0.0;
    for start in (0..rows).step_by(part) {
        let some: Vec<usize> = (start..start + part).collect();
        let found =
            network.gradients(&model_checks::select_rows(&schema(), &batch, &some)).unwrap();
        let share = part as f64 / rows as f64;
        loss += share * found.loss;
        for (sum, gradient) in sums.iter_mut().zip(&found.parameters) {
            sum.iter_mut().zip(gradient).for_each(|(sum, &g)| *sum += share * f64::from(g));
        }
        for ((sum, gradient), table) in
            table_sums.iter_mut().zip(&found.tables).zip(&network.weights.tables)
        {
            for (&row, values) in gradient.rows.iter().zip(gradient.values.chunks(table.dim)) {
                let sum = &mut sum[row as usize * table.dim..][..table.dim];
                sum.iter_mut().zip(values).for_each(|(sum, &g)| *sum += share * f64::from(g));
            }
        }
    }
    assert!((whole.loss - loss).abs() < 1e-12);
    let close = |found: &[f32], expected: &[f64], name: &str| {
        let largest = expected.iter().fold(1e-6f64, |most, g| most.max(g.abs()));
        for (found, expected) in found.iter().zip(expected) {
            let deviation = (f64::from(*found) - expected).abs();
            assert!(deviation < 1e-5 * largest, "{name}: {found} instead of {expected}");
        }
    };
    let weights = &network.weights;
    for ((found, sum), parameter) in whole.parameters.iter().zip(&sums).zip(&weights.parameters) {
        // What a softmax does not see has no gradient but rounding.
        if parameter.name != "unit/rest/output/bias" {
            close(found, sum, &parameter.name);
        }
    }
    for ((found, sum), table) in whole.tables.iter().zip(&table_sums).zip(&weights.tables) {
        let mut dense = vec![0.0; table.values().len()];
        for (&row, values) in found.rows.iter().zip(found.values.chunks(table.dim)) {
            dense[row as usize * table.dim..][..table.dim].copy_from_slice(values);
        }
        close(&dense, sum, &table.name);
    }
}

#[test]
fn a_batch_that_does_not_fit_is_refused_before_any_lane_begins() {
    let mut stream = SeedStreams::new(3).stream("failing");
    let mut network = probe(Activation::Dice, &mut stream);
    let mut optimizer = optimizer(&network);
    let before = bits(&network.weights);
    let batch = model_checks::random_batch(&schema(), 300, 9, &mut stream);
    let mut outside = batch.clone();
    outside.groups[1].fields[0].ids[299] = 501;
    assert!(matches!(network.train_step(&outside, &mut optimizer), Err(Error::Batch(_))));
    assert!(before == bits(&network.weights));
    network.train_step(&batch, &mut optimizer).unwrap();
}
