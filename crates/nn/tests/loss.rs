//! The loss against equation 2 in f64, up to logits where it would overflow if written plainly.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod common;

use common::{network, single_ids, table};
use ctr_core::SeedStreams;
use ctr_nn::{
    Architecture, Error, Graph, Matrix, Network, Optimizer, OptimizerConfig, Result, TableId, Tape,
};

/// Logits are numbers of a table.
struct Logits(TableId);

impl Architecture for Logits {
    fn logits<T: Tape>(&self, graph: &mut Graph<'_, T>) -> Result<Matrix> {
        graph.embed(&[(self.0, 0)])
    }
}

fn with_logits(logits: &[f32]) -> Network {
    let mut network = network(
        |builder| Logits(table(builder, "logits", logits.len(), 1, (0, 0))),
        &mut SeedStreams::new(1).stream("logits"),
    );
    network.weights.tables[0].values_mut().copy_from_slice(logits);
    network
}

/// −ln p of one row, by the branch that loses nothing.
fn exact(z: f64, y: f64) -> f64 {
    let toward = if y == 1.0 { z } else { -z };
    if toward > 0.0 { (-toward).exp().ln_1p() } else { -toward + toward.exp().ln_1p() }
}

const LOGITS: [f32; 25] = [
    -3e38, -1e9, -1e4, -200.0, -103.9, -88.8, -87.1, -40.0, -17.0, -2.5, -1e-3, -1e-30, 0.0, 1e-40,
    1e-7, 0.7, 5.0, 16.7, 30.0, 87.4, 88.7, 104.0, 750.0, 1e6, 3e38,
];

#[test]
fn loss_and_gradient_are_exact_for_every_logit() {
    let mut network = with_logits(&LOGITS);
    for (id, &z) in LOGITS.iter().enumerate() {
        for label in [0.0f32, 1.0] {
            let mut batch = single_ids(vec![id as u32]);
            batch.labels[0] = label;
            let found = network.gradients(&batch).unwrap();
            let (z, y) = (f64::from(z), f64::from(label));
            let loss = exact(z, y);
            assert!((found.loss - loss).abs() <= 1e-14 * loss, "{z}, {y}: {} {loss}", found.loss);
            let gradient = 1.0 / (1.0 + (-z).exp()) - y;
            let deviation = (f64::from(found.tables[0].values[0]) - gradient).abs();
            assert!(deviation < 2e-7, "{z}, {y}: {:?} {gradient}", found.tables[0].values);
        }
    }
}

#[test]
fn the_loss_is_the_mean_over_rows() {
    let mut network = with_logits(&LOGITS);
    // Ids twice, so that their gradients add up.
    let ids: Vec<u32> = (3..22).chain(8..12).collect();
    let batch = single_ids(ids.clone());
    let rows = ids.len() as f64;
    let found = network.gradients(&batch).unwrap();
    let (mut sum, mut gradients) = (0.0, [0.0; LOGITS.len()]);
    for (&id, &y) in ids.iter().zip(&batch.labels) {
        let z = f64::from(LOGITS[id as usize]);
        sum += exact(z, f64::from(y));
        gradients[id as usize] += (1.0 / (1.0 + (-z).exp()) - f64::from(y)) / rows;
    }
    assert!((found.loss - sum / rows).abs() < 1e-12 * found.loss, "{} {}", found.loss, sum / rows);
    assert_eq!(found.tables[0].rows.len(), 19);
    for (&row, &gradient) in found.tables[0].rows.iter().zip(&found.tables[0].values) {
        let deviation = (f64::from(gradient) - gradients[row as usize]).abs();
        assert!(deviation < 2e-8, "{row}: {gradient}");
    }
}

#[test]
fn a_loss_that_is_no_number_stops_the_step_and_changes_nothing() {
    for bad in [f32::INFINITY, f32::NEG_INFINITY, f32::NAN] {
        let mut network = with_logits(&[0.5, bad]);
        let before = common::bits(&network.weights);
        let mut optimizer = Optimizer::new(OptimizerConfig::default(), &network.weights).unwrap();
        let error = network.train_step(&single_ids(vec![0, 1]), &mut optimizer).unwrap_err();
        assert!(matches!(error, Error::Diverged { step: 1, .. }), "{error}");
        assert_eq!(before, common::bits(&network.weights));
        assert_eq!(optimizer.steps(), 0);
    }
}
