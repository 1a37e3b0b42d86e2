//! The wrong ways to score do what they say, and nothing when there is nothing to do.

#![allow(clippy::unwrap_used)]

use ctr_core::{Role, Schema, SeedStreams};
use ctr_din::{Din, DinConfig};
use ctr_nn::{Network, Normalization, ScoringMemory, model_checks};

fn network(change: impl FnOnce(&mut DinConfig)) -> (Schema, Network) {
    let schema = Schema::goods_and_categories(40, 8);
    let mut config = DinConfig::default();
    config.network.embedding_dim = 4;
    change(&mut config);
    let mut network = Din::network(&schema, &config, SeedStreams::new(3)).unwrap();
    model_checks::randomize(&mut network, 0.3, &mut SeedStreams::new(5).stream("weights"));
    (schema, network)
}

/// Neighboring rows share a history.
fn pairs(schema: &Schema) -> ctr_core::Batch {
    let rows = model_checks::random_batch(schema, 10, 6, &mut SeedStreams::new(6).stream("rows"));
    let owners: Vec<usize> = (0..10).map(|row| row & !1).collect();
    let mut batch = model_checks::select_rows(schema, &rows, &owners);
    for (index, group) in schema.groups.iter().enumerate() {
        if group.role == Role::Candidate {
            batch.groups[index] = rows.groups[index].clone();
        }
    }
    batch
}

#[test]
fn attention_goes_to_the_candidate_that_is_named() {
    let (schema, network) = network(|_| {});
    let batch = pairs(&schema);
    let right = network.score(&batch, &mut ScoringMemory::default()).unwrap();
    let own: Vec<u32> = (0..10).collect();
    assert_eq!(network.exhibit_attended(&batch, &own).unwrap(), right);
    let positives: Vec<u32> = (0..10).map(|row| row & !1).collect();
    let wrong = network.exhibit_attended(&batch, &positives).unwrap();
    for row in 0..10 {
        // The softmax gives a single behavior all weight, whatever it is compared with.
        let events = batch.groups[0].offsets[row + 1] - batch.groups[0].offsets[row];
        assert_eq!(wrong[row] == right[row], row % 2 == 0 || events < 2, "row {row}");
    }
    assert!(network.exhibit_attended(&batch, &own[1..]).is_err());
    assert!(network.exhibit_attended(&batch, &[10; 10]).is_err());
}

#[test]
fn statistics_of_the_batch_matter_where_there_are_any() {
    let (schema, frozen) = network(|_| {});
    let batch = pairs(&schema);
    let right = frozen.score(&batch, &mut ScoringMemory::default()).unwrap();
    let same = frozen.exhibit_batch_statistics(&batch).unwrap();
    right.iter().zip(&same).for_each(|(one, other)| assert!((one - other).abs() < 1e-5));

    let (schema, batch_normalized) =
        network(|config| config.network.normalization = Normalization::Batch);
    let before = batch_normalized.weights.export();
    let wrong = batch_normalized.exhibit_batch_statistics(&batch).unwrap();
    assert_eq!(batch_normalized.weights.export(), before);
    // A row's score now depends on the others'.
    let half = model_checks::select_rows(&schema, &batch, &[0, 1, 2, 3]);
    let among_fewer = batch_normalized.exhibit_batch_statistics(&half).unwrap();
    assert!((wrong[0] - among_fewer[0]).abs() > 1e-3);
}
