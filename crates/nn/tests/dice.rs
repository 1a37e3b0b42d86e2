//! Activations and batch normalization against their equations, written out in f64: forward, gradients
//! through the batch's own statistics, moving averages, and evaluation by these.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod common;

use common::{Values, check_scores, check_training_pass, network, read_out, read_out_f64, sigmoid};
use common::{single_ids, table, values};
use ctr_core::{RandomStream, SeedStreams};
use ctr_nn::{
    Activation, ActivationLayer, Architecture, Error, Graph, Matrix, Network, Normalization,
    NormalizationLayer, Optimizer, OptimizerConfig, OptimizerKind, Result, Schedule, TableId, Tape,
};

const WIDTH: usize = 5;
const VOCABULARY: usize = 12;

/// One layer on table rows, so that the rows' gradients are those of the layer's input.
struct Probe {
    input: TableId,
    layer: Layer,
}

enum Layer {
    Activation(ActivationLayer),
    Normalization(NormalizationLayer),
}

impl Architecture for Probe {
    fn logits<T: Tape>(&self, graph: &mut Graph<'_, T>) -> Result<Matrix> {
        let input = graph.embed(&[(self.input, 0)])?;
        let output = match &self.layer {
            Layer::Activation(layer) => layer.forward(graph, &input)?,
            Layer::Normalization(layer) => layer.forward(graph, input)?,
        };
        read_out(graph, &output)
    }
}

fn activation(kind: Activation, stream: &mut RandomStream) -> Network {
    let mut network = network(
        |builder| Probe {
            input: table(builder, "input", VOCABULARY, WIDTH, (0, 0)),
            layer: Layer::Activation(ActivationLayer::build(builder, kind, WIDTH).unwrap()),
        },
        stream,
    );
    narrow(&mut network);
    network
}

fn batch_normalization(stream: &mut RandomStream) -> Network {
    network(
        |builder| Probe {
            input: table(builder, "input", VOCABULARY, WIDTH, (0, 0)),
            layer: Layer::Normalization(
                NormalizationLayer::build(builder, Normalization::Batch, WIDTH).unwrap(),
            ),
        },
        stream,
    )
}

/// Makes the first column's variance as small as equation 9's ε, and moves the second far from 0.
fn narrow(network: &mut Network) {
    for row in network.weights.tables[0].values_mut().chunks_mut(WIDTH) {
        row[0] *= 2e-4;
        row[1] += 3.0;
    }
}

fn inputs(values: &Values, ids: &[u32]) -> Vec<Vec<f64>> {
    ids.iter().map(|&id| values["input"][id as usize * WIDTH..][..WIDTH].to_vec()).collect()
}

/// Mean and biased variance of each column.
fn statistics(rows: &[Vec<f64>]) -> (Vec<f64>, Vec<f64>) {
    let count = rows.len() as f64;
    let over_rows =
        |value: &dyn Fn(&[f64]) -> f64| rows.iter().map(|row| value(row)).sum::<f64>() / count;
    let mean: Vec<f64> = (0..WIDTH).map(|column| over_rows(&|row| row[column])).collect();
    let variance =
        (0..WIDTH).map(|column| over_rows(&|row| (row[column] - mean[column]).powi(2))).collect();
    (mean, variance)
}

/// Equation 9 with the given statistics.
fn dice(rows: &[Vec<f64>], alpha: &[f64], (mean, variance): (&[f64], &[f64])) -> Vec<Vec<f64>> {
    let f = |column: usize, s: f64| {
        let p = 1.0 / (1.0 + (-(s - mean[column]) / (variance[column] + 1e-8).sqrt()).exp());
        p * s + (1.0 - p) * alpha[column] * s
    };
    rows.iter()
        .map(|row| row.iter().enumerate().map(|(column, &s)| f(column, s)).collect())
        .collect()
}

fn dice_in_training(values: &Values, ids: &[u32]) -> Vec<f64> {
    let rows = inputs(values, ids);
    let (mean, variance) = statistics(&rows);
    read_out_f64(&dice(&rows, &values["dice/alpha"], (&mean, &variance)))
}

fn some_ids(rows: usize, stream: &mut RandomStream) -> Vec<u32> {
    (0..rows).map(|_| stream.below(VOCABULARY as u64) as u32).collect()
}

#[test]
fn dice_trains_on_the_statistics_of_its_batch() {
    let mut stream = SeedStreams::new(2).stream("dice");
    let mut network = activation(Activation::Dice, &mut stream);
    let before = common::bits(&network.weights);
    let mut pass = |ids: Vec<u32>, tolerance| {
        check_training_pass(&mut network, &single_ids(ids.clone()), tolerance, |values| {
            dice_in_training(values, &ids)
        })
    };
    let mut worst = 0.0f64;
    for ids in [vec![0, 11, 4], some_ids(9, &mut stream), some_ids(40, &mut stream)] {
        worst = worst.max(pass(ids, 1e-5));
    }
    println!("gradients of Dice: within {worst:.1e}");
    // Two rows are standardized to −1 and 1 whatever they are: gradients of the standardized values
    // cancel but for rounding.
    let worst = pass(vec![3, 8], 1e-4);
    println!("gradients of Dice on two rows: within {worst:.1e}");
    // Equal rows have variance 0: what each row's gradient has beyond their mean is multiplied by 1e4,
    // the root of 1/ε, and the sum over the rows takes it away again.
    let worst = pass(vec![7, 7, 7], 3e-3);
    println!("gradients of Dice on equal rows: within {worst:.1e}");
    assert_eq!(before, common::bits(&network.weights), "computing gradients changed something");
}

#[test]
fn a_batch_of_one_row_passes_dice_half_open() {
    let mut stream = SeedStreams::new(2).stream("one row");
    let mut network = activation(Activation::Dice, &mut stream);
    for id in [0, 5] {
        let worst = check_training_pass(&mut network, &single_ids(vec![id]), 1e-5, |values| {
            // s − E[s] is 0, so p is one half, whatever s is.
            let alpha = &values["dice/alpha"];
            let halves = inputs(values, &[id])[0]
                .iter()
                .zip(alpha)
                .map(|(s, alpha)| 0.5 * s + 0.5 * alpha * s)
                .collect();
            read_out_f64(&[halves])
        });
        println!("one row: within {worst:.1e}");
    }
}

#[test]
fn moving_averages_follow_the_batches_and_evaluation_uses_them() {
    let mut stream = SeedStreams::new(2).stream("moving averages");
    let mut network = activation(Activation::Dice, &mut stream);
    let config = OptimizerConfig {
        kind: OptimizerKind::Sgd,
        learning_rate: 0.05,
        schedule: Schedule::Constant,
        clip_norm: 0.0,
    };
    let mut optimizer = Optimizer::new(config, &network.weights).unwrap();
    let evaluated = single_ids(some_ids(8, &mut stream));
    let (mut mean, mut variance) = (vec![0.0; WIDTH], vec![1.0; WIDTH]);
    for step in 0..130 {
        let ids = some_ids(1 + step % 7, &mut stream);
        let (seen_mean, seen_variance) = statistics(&inputs(&values(&network.weights), &ids));
        // The plain average of all batches until it would weigh the past by more than 0.99.
        let past = (step as f64 / (step as f64 + 1.0)).min(0.99);
        for (running, seen) in [(&mut mean, seen_mean), (&mut variance, seen_variance)] {
            for (running, seen) in running.iter_mut().zip(seen) {
                *running = past * *running + (1.0 - past) * seen;
            }
        }
        network.train_step(&single_ids(ids), &mut optimizer).unwrap();
        let _ = network.gradients(&evaluated).unwrap();
        if ![0, 2, 98, 99, 129].contains(&step) {
            continue;
        }
        let running = &network.weights.statistics[0];
        assert_eq!(running.batches, step as u64 + 1);
        for column in 0..WIDTH {
            let close = |found: f32, expected: f64, size: f64| {
                let deviation = (f64::from(found) - expected).abs();
                assert!(deviation < 1e-5 * size, "step {step}: {found} instead of {expected}");
            };
            close(running.mean[column], mean[column], mean[column].abs().max(1e-4));
            close(running.variance[column], variance[column], variance[column].max(1e-9));
        }
        let weights = values(&network.weights);
        let rows = inputs(&weights, &evaluated.groups[0].fields[0].ids);
        let expected = read_out_f64(&dice(&rows, &weights["dice/alpha"], (&mean, &variance)));
        let worst = check_scores(&network, &evaluated, 1e-5, &expected);
        println!("evaluation after {} batches: within {worst:.1e}", step + 1);
    }
}

#[test]
fn batch_normalization_is_what_its_name_says() {
    let mut stream = SeedStreams::new(2).stream("batch normalization");
    let mut network = batch_normalization(&mut stream);
    // Not 2: then all gradients of the input cancel but for ε.
    for rows in [1, 3, 9, 40] {
        let ids = some_ids(rows, &mut stream);
        let worst = check_training_pass(&mut network, &single_ids(ids.clone()), 1e-5, |values| {
            let rows = inputs(values, &ids);
            let (mean, variance) = statistics(&rows);
            let (gamma, beta) = (&values["normalization/gamma"], &values["normalization/beta"]);
            let normalized = |row: &Vec<f64>| {
                (0..WIDTH)
                    .map(|c| gamma[c] * (row[c] - mean[c]) / (variance[c] + 1e-3).sqrt() + beta[c])
                    .collect()
            };
            read_out_f64(&rows.iter().map(normalized).collect::<Vec<_>>())
        });
        println!("batch normalization, {rows} rows: within {worst:.1e}");
    }
}

/// The loss is finite here, but its gradient is not.
#[test]
fn a_gradient_that_overflows_stops_the_step_and_changes_nothing() {
    let mut stream = SeedStreams::new(2).stream("overflow");
    let mut network = batch_normalization(&mut stream);
    for value in network.weights.tables[0].values_mut() {
        *value *= 1e-4;
    }
    for parameter in &mut network.weights.parameters {
        if parameter.name == "normalization/gamma" {
            parameter.values_mut().fill(3e38);
        }
    }
    let before = common::bits(&network.weights);
    let mut optimizer = Optimizer::new(OptimizerConfig::default(), &network.weights).unwrap();
    let batch = single_ids(vec![1, 2, 3]);
    assert!(network.gradients(&batch).unwrap().loss.is_finite());
    let error = network.train_step(&batch, &mut optimizer).unwrap_err();
    assert!(matches!(error, Error::Diverged { step: 1, .. }), "{error}");
    assert!(before == common::bits(&network.weights), "the step moved something");
    assert_eq!((optimizer.steps(), network.weights.statistics[0].batches), (0, 0));
}

#[test]
fn the_other_activations_are_their_equations() {
    let mut stream = SeedStreams::new(2).stream("others");
    for kind in [
        Activation::Sigmoid,
        Activation::Prelu,
        Activation::DiceAuthors,
        Activation::DiceJanuary2018,
    ] {
        let mut network = activation(kind, &mut stream);
        let ids = some_ids(9, &mut stream);
        let logits = |values: &Values| {
            let f = |(column, &s): (usize, &f64)| match kind {
                Activation::Sigmoid => sigmoid(s),
                Activation::Prelu => {
                    let alpha = values["prelu/alpha"][column];
                    if s > 0.0 { s } else { alpha * s }
                }
                _ => {
                    let beta = values.get("dice/beta").map_or(1.0, |beta| beta[column]);
                    let p = sigmoid(beta * s / 1.001f64.sqrt());
                    p * s + (1.0 - p) * values["dice/alpha"][column] * s
                }
            };
            let rows: Vec<Vec<f64>> = inputs(values, &ids)
                .iter()
                .map(|row| row.iter().enumerate().map(f).collect())
                .collect();
            read_out_f64(&rows)
        };
        let batch = single_ids(ids.clone());
        let worst = check_training_pass(&mut network, &batch, 1e-5, logits);
        check_scores(&network, &batch, 1e-5, &logits(&values(&network.weights)));
        println!("{kind:?}: within {worst:.1e}");
    }
}
