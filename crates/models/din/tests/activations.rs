//! What [`ctr_nn::Network::activations`] tells of the activation unit.
#![allow(clippy::unwrap_used)]

use ctr_core::{Batch, Schema, SeedStreams};
use ctr_din::{Din, DinConfig};
use ctr_nn::{AttentionNormalization, Network, ScoringMemory, model_checks};

fn network(normalization: AttentionNormalization) -> (Network, Batch) {
    let schema = Schema::goods_and_categories(40, 8);
    let mut config = DinConfig::default();
    config.network.embedding_dim = 4;
    config.activation_unit.normalization = normalization;
    let mut network = Din::network(&schema, &config, SeedStreams::new(3)).unwrap();
    let mut stream = SeedStreams::new(7).stream("activations");
    model_checks::randomize(&mut network, 0.5, &mut stream);
    let batch = model_checks::random_batch(&schema, 90, 6, &mut stream);
    (network, batch)
}

#[test]
fn weights_are_those_of_equation_3() {
    let (network, batch) = network(AttentionNormalization::None);
    let seen = network.activations(&batch).unwrap();
    let scores = network.score(&batch, &mut ScoringMemory::default()).unwrap();
    for (logit, score) in seen.logits.iter().zip(&scores) {
        assert!((logit - score).abs() < 1e-5 * score.abs().max(1.0), "{logit} {score}");
    }
    let offsets = &batch.groups[0].offsets;
    assert_eq!(seen.weights.len(), *offsets.last().unwrap() as usize);
    // The unit looks at one event at a time: a history of that event alone has its weight.
    let mut checked = 0;
    for (row, bounds) in
        offsets.windows(2).enumerate().filter(|(_, bounds)| bounds[1] > bounds[0] + 1)
    {
        let schema = Schema::goods_and_categories(40, 8);
        let mut alone = model_checks::select_rows(&schema, &batch, &[row]);
        for field in &mut alone.groups[0].fields {
            field.ids.truncate(1);
        }
        alone.groups[0].offsets = vec![0, 1];
        let weight = network.activations(&alone).unwrap().weights[0];
        let expected = seen.weights[bounds[0] as usize];
        assert!((weight - expected).abs() < 1e-5 * expected.abs().max(1.0), "{weight} {expected}");
        checked += 1;
    }
    assert!(checked > 10, "{checked}");
}

#[test]
fn under_softmax_each_history_sums_to_one() {
    let (raw, batch) = network(AttentionNormalization::None);
    let (soft, _) = network(AttentionNormalization::Softmax);
    let (raw, soft) = (raw.activations(&batch).unwrap(), soft.activations(&batch).unwrap());
    for bounds in batch.groups[0].offsets.windows(2) {
        let events = bounds[0] as usize..bounds[1] as usize;
        let whole: f32 = soft.weights[events.clone()].iter().sum();
        assert!(events.is_empty() || (whole - 1.0).abs() < 1e-5, "{whole}");
        let exponentials: f64 =
            events.clone().map(|event| f64::from(raw.weights[event]).exp()).sum();
        for event in events {
            let expected = f64::from(raw.weights[event]).exp() / exponentials;
            assert!((f64::from(soft.weights[event]) - expected).abs() < 1e-5);
        }
    }
}
