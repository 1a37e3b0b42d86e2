//! The activation unit, which computes its first layer in a split form and takes ragged rows, against
//! the plain composition of stock dfdx operations: one row at a time, all blocks side by side.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod common;

use common::{network, read_out, reading, sigmoid, table, whole_gradient};
use ctr_core::{Batch, EventColumn, GroupEvents, SeedStreams};
use ctr_nn::{
    ActivationUnit, ActivationUnitConfig, Architecture, AttentionNormalization, Error, Graph,
    Matrix, Network, Result, ScoringMemory, TableId, UnitInputs, Weights, WeightsBuilder,
};
use dfdx::prelude::*;
use std::collections::BTreeMap;

/// The unit on rows of two tables, so that the rows' gradients are those of behaviors and candidates.
struct Probe {
    behaviors: TableId,
    candidates: TableId,
    unit: ActivationUnit,
}

impl Architecture for Probe {
    fn logits<T: ctr_nn::Tape>(&self, graph: &mut Graph<'_, T>) -> Result<Matrix> {
        let behaviors = graph.embed(&[(self.behaviors, 0)])?;
        let candidates = graph.embed(&[(self.candidates, 0)])?;
        let offsets = graph.offsets(0);
        let interest = self.unit.forward(graph, &candidates, &behaviors, &offsets)?;
        read_out(graph, &interest)
    }
}

type Plain = Tensor<(usize, usize), f32, Cpu>;
type Taped = Tensor<(usize, usize), f32, Cpu, OwnedTape<f32, Cpu>>;

/// Every weight of the network as a dfdx tensor.
fn tensors(network: &Network) -> BTreeMap<String, Plain> {
    let device = Cpu::default();
    let weights = &network.weights;
    let parameters =
        weights.parameters.iter().map(|p| (p.name.clone(), p.values().to_vec(), p.columns));
    let tables = weights.tables.iter().map(|t| (t.name.clone(), t.values().to_vec(), t.dim));
    parameters
        .chain(tables)
        .map(|(name, values, columns)| {
            let shape = (values.len() / columns, columns);
            (name, device.tensor_from_vec(values, shape))
        })
        .collect()
}

/// Some rows of a table on the tape; the gradient goes to the whole table.
fn rows(table: &Plain, ids: &[u32]) -> Taped {
    let device = Cpu::default();
    let ids = device.tensor_from_vec(ids.iter().map(|&id| id as usize).collect(), (ids.len(),));
    table.leaky_trace().gather(ids)
}

fn dense(tensors: &BTreeMap<String, Plain>, name: &str, x: Taped) -> Taped {
    let (weight, bias) = (&tensors[&format!("{name}/weight")], &tensors[&format!("{name}/bias")]);
    let shape = (x.shape().0, weight.shape().1);
    let bias = bias.leaky_trace().reshape_like(&(shape.1,));
    x.matmul(weight.clone()) + bias.broadcast_like::<_, Axis<0>>(&shape)
}

/// Equation 3 for one row with at least one behavior: 1 × d.
fn attention(
    tensors: &BTreeMap<String, Plain>,
    config: &ActivationUnitConfig,
    (history, candidate): (&[u32], u32),
) -> Taped {
    let candidate = vec![candidate; history.len()];
    let (q, k) = (rows(&tensors["candidates"], &candidate), rows(&tensors["behaviors"], history));
    let dim = q.shape().1;
    let mut x = (q.with_empty_tape(), k.with_empty_tape()).concat_along(Axis::<1>);
    if config.inputs == UnitInputs::WithDifference {
        x = (x, q.with_empty_tape() - k.with_empty_tape()).concat_along(Axis::<1>);
    }
    // The tapes of the gathered rows go on here; all other uses share their keys.
    let (behaviors, product) = (k.with_empty_tape(), q * k);
    x = (x, product).concat_along(Axis::<1>);
    for index in 0..config.hidden_units.len() {
        let name =
            if index == 0 { "unit/first".into() } else { format!("unit/rest/{}", index - 1) };
        x = dense(tensors, &name, x).sigmoid();
    }
    let scores = dense(tensors, "unit/rest/output", x);
    let weights = match config.normalization {
        AttentionNormalization::None => scores,
        AttentionNormalization::Softmax => scores.softmax::<Axis<0>>(),
        AttentionNormalization::ScaledSoftmax => {
            (scores / (dim as f32).sqrt()).softmax::<Axis<0>>()
        }
    };
    let count = history.len();
    let weights = weights.reshape_like(&(count,));
    let weighed = weights.broadcast_like::<_, Axis<1>>(&(count, dim)) * behaviors;
    weighed.sum::<(usize,), Axis<0>>().reshape_like(&(1, dim))
}

fn ragged(lengths: &[usize], vocabulary: u64) -> (Batch, Vec<Vec<u32>>) {
    let mut stream = SeedStreams::new(4).stream("ragged");
    let mut draw = || stream.below(vocabulary) as u32;
    let histories: Vec<Vec<u32>> =
        lengths.iter().map(|&length| (0..length).map(|_| draw()).collect()).collect();
    let mut offsets = vec![0];
    for history in &histories {
        offsets.push(offsets[offsets.len() - 1] + history.len() as u32);
    }
    let column = |ids| vec![EventColumn::single(ids)];
    let batch = Batch {
        labels: (0..lengths.len()).map(|row| (row % 2) as f32).collect(),
        groups: vec![
            GroupEvents { offsets, fields: column(histories.concat()) },
            GroupEvents {
                offsets: vec![],
                fields: column((0..lengths.len()).map(|_| draw()).collect()),
            },
        ],
    };
    (batch, histories)
}

/// The largest deviations of logits and gradients.
fn compare(config: &ActivationUnitConfig, dim: usize, lengths: &[usize]) -> (f64, f64) {
    let vocabulary = 9;
    let mut network = network(
        |builder| Probe {
            behaviors: table(builder, "behaviors", vocabulary, dim, (0, 0)),
            candidates: table(builder, "candidates", vocabulary, dim, (1, 0)),
            unit: ActivationUnit::build(&mut builder.scope("unit"), config, dim).unwrap(),
        },
        &mut SeedStreams::new(4).stream("weights"),
    );
    // Attention far from uniform, so that every weight of the unit has a gradient worth comparing.
    for parameter in &mut network.weights.parameters {
        parameter.values_mut().iter_mut().for_each(|value| *value *= 2.0);
    }
    let (batch, histories) = ragged(lengths, vocabulary as u64);
    let candidates = &batch.groups[1].fields[0].ids;
    let scores = network.score(&batch, &mut ScoringMemory::default()).unwrap();
    let found = network.gradients(&batch).unwrap();
    let tensors = tensors(&network);
    let mut expected: BTreeMap<&str, Vec<f64>> =
        tensors.iter().map(|(name, t)| (name.as_str(), vec![0.0; t.as_vec().len()])).collect();
    let mut worst_score = 0.0f64;
    for (row, history) in histories.iter().enumerate() {
        if history.is_empty() {
            assert_eq!(scores[row], 0.0, "nothing to weigh");
            continue;
        }
        let interest = attention(&tensors, config, (history, candidates[row]));
        let weights = (0..dim).map(|column| reading(row, column) as f32).collect();
        let logit = (interest * Cpu::default().tensor_from_vec(weights, (1, dim))).sum();
        let z = f64::from(logit.array());
        worst_score = worst_score.max((f64::from(scores[row]) - z).abs() / z.abs().max(1.0));
        // The mean loss's gradient at this logit.
        let share = (sigmoid(z) - f64::from(batch.labels[row])) / lengths.len() as f64;
        let gradients = (logit * share as f32).backward();
        for (name, sum) in &mut expected {
            let gradient = gradients.get(&tensors[*name]).as_vec();
            sum.iter_mut().zip(gradient).for_each(|(sum, g)| *sum += f64::from(g));
        }
    }
    assert!(worst_score < 1e-5, "{config:?}: logits differ by {worst_score}");
    let mut worst = 0.0f64;
    for (name, expected) in expected {
        let largest = expected.iter().fold(0.0f64, |most, g| most.max(g.abs()));
        // A softmax does not see what is added to all scores alike: there is nothing but rounding.
        let nothing =
            config.normalization != AttentionNormalization::None && name == "unit/rest/output/bias";
        assert!(nothing || largest > 1e-4, "{name} has no gradient");
        let size = if nothing { 1e-2 } else { largest };
        for (index, (found, expected)) in
            whole_gradient(&network, &found, name).iter().zip(&expected).enumerate()
        {
            let deviation = (found - expected).abs() / size;
            worst = worst.max(deviation);
            assert!(
                deviation < 1e-5,
                "{config:?}: {name}[{index}] is {found} instead of {expected}"
            );
        }
    }
    (worst_score, worst)
}

#[test]
fn the_split_form_equals_the_plain_one() {
    for inputs in [UnitInputs::WithDifference, UnitInputs::Paper] {
        for normalization in [
            AttentionNormalization::ScaledSoftmax,
            AttentionNormalization::Softmax,
            AttentionNormalization::None,
        ] {
            for (dim, hidden_units, lengths) in [
                (6, vec![5], vec![3, 0, 1, 7, 2]),
                (6, vec![5, 3], vec![3, 0, 1, 7, 2]),
                (16, vec![24, 10], vec![40, 1, 0, 0, 25, 13, 90, 2]),
                // Several lanes.
                (6, vec![5, 3], (0..40).map(|row| row % 7).collect()),
            ] {
                let config = ActivationUnitConfig {
                    hidden_units,
                    inputs,
                    normalization,
                    ..ActivationUnitConfig::default()
                };
                let (logits, gradients) = compare(&config, dim, &lengths);
                println!(
                    "{inputs:?}, {normalization:?}, d = {dim}: logits within {logits:.1e}, gradients \
                     within {gradients:.1e}"
                );
            }
        }
    }
}

#[test]
fn a_unit_without_units_is_refused() {
    for hidden_units in [vec![], vec![0], vec![4, 0]] {
        let config = ActivationUnitConfig { hidden_units, ..ActivationUnitConfig::default() };
        let mut weights = Weights::default();
        let mut builder = WeightsBuilder::new(&mut weights, SeedStreams::new(1));
        let built = ActivationUnit::build(&mut builder, &config, 4);
        assert!(matches!(built, Err(Error::Config(_))), "{config:?}");
    }
}
