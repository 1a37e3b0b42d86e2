//! DIN's parts on random ragged batches: whatever the lengths, scores are finite, equal to those of
//! each row alone, and training passes give finite gradients.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod common;

use common::interest_network;
use ctr_core::{Batch, EventColumn, GroupEvents, RandomStream, Schema, SeedStreams};
use ctr_nn::{
    Activation, ActivationUnitConfig, AttentionNormalization, EmbeddingMlpConfig, Network,
    Normalization, ScoringMemory, UnitInputs,
};

const GOODS: u64 = 300;

fn forms() -> [(&'static str, EmbeddingMlpConfig, ActivationUnitConfig); 4] {
    let frame = |activation, normalization| EmbeddingMlpConfig {
        embedding_dim: 5,
        hidden_units: vec![9, 4],
        activation,
        normalization,
        ..EmbeddingMlpConfig::default()
    };
    let unit = |activation, inputs, normalization| ActivationUnitConfig {
        hidden_units: vec![7, 4],
        activation,
        inputs,
        normalization,
    };
    let difference = UnitInputs::WithDifference;
    [
        (
            "authors",
            frame(Activation::Sigmoid, Normalization::Frozen),
            unit(Activation::Sigmoid, difference, AttentionNormalization::ScaledSoftmax),
        ),
        (
            "paper",
            frame(Activation::Prelu, Normalization::None),
            unit(Activation::Prelu, UnitInputs::Paper, AttentionNormalization::None),
        ),
        (
            "Dice",
            frame(Activation::Dice, Normalization::Batch),
            unit(Activation::Dice, difference, AttentionNormalization::Softmax),
        ),
        (
            "gate",
            frame(Activation::DiceAuthors, Normalization::Frozen),
            unit(Activation::DiceAuthors, UnitInputs::Paper, AttentionNormalization::Softmax),
        ),
    ]
}

fn probe(frame: &EmbeddingMlpConfig, unit: &ActivationUnitConfig) -> Network {
    let schema = Schema::goods_and_categories(GOODS as u32, 10);
    let sum = unit.normalization == AttentionNormalization::None;
    let stream = &mut SeedStreams::new(9).stream("weights");
    let mut network = interest_network(&schema, frame, unit, stream);
    if sum {
        // Otherwise a sum over 10,000 behaviors is in the thousands, and f32 has no 1e-5 of a logit.
        for parameter in &mut network.weights.parameters {
            if parameter.name.starts_with("unit/rest/output/") {
                parameter.values_mut().iter_mut().for_each(|value| *value *= 0.004);
            }
        }
    }
    network
}

/// A history and a candidate.
type Row = (Vec<u32>, u32);

fn batch(rows: &[Row]) -> Batch {
    let column = |goods: &[u32]| {
        vec![
            EventColumn::single(goods.to_vec()),
            EventColumn::single(goods.iter().map(|good| 1 + good % 10).collect()),
        ]
    };
    let events: Vec<u32> = rows.iter().flat_map(|(history, _)| history.clone()).collect();
    let candidates: Vec<u32> = rows.iter().map(|&(_, candidate)| candidate).collect();
    let mut offsets = vec![0];
    for (history, _) in rows {
        offsets.push(offsets[offsets.len() - 1] + history.len() as u32);
    }
    Batch {
        labels: (0..rows.len()).map(|row| (row % 2) as f32).collect(),
        groups: vec![
            GroupEvents { offsets, fields: column(&events) },
            GroupEvents { offsets: vec![], fields: column(&candidates) },
        ],
    }
}

fn row(stream: &mut RandomStream) -> Row {
    let length = match stream.below(6) {
        0 => 0,
        1 => 1,
        2 if stream.below(4) == 0 => 2_000,
        3 => stream.below(150),
        _ => stream.below(9),
    };
    // Many, or a few over and over.
    let goods = if stream.below(3) == 0 { 2 } else { GOODS };
    let mut draw = || 1 + stream.below(goods) as u32;
    ((0..length).map(|_| draw()).collect(), draw())
}

fn check(name: &str, network: &mut Network, rows: &[Row]) -> f32 {
    let mut memory = ScoringMemory::default();
    let together = network.score(&batch(rows), &mut memory).unwrap();
    assert_eq!(together.len(), rows.len());
    let mut worst = 0.0f32;
    for (index, &score) in together.iter().enumerate() {
        // The memory is that of the whole batch: what it remembers must not matter.
        let alone = network.score(&batch(&rows[index..=index]), &mut memory).unwrap()[0];
        assert!(score.is_finite(), "{name}: {score}");
        let difference = (score - alone).abs() / score.abs().max(1.0);
        worst = worst.max(difference);
        assert!(
            difference < 1e-5,
            "{name}: row {index} of {} events scores {score} among {} rows and {alone} alone",
            rows[index].0.len(),
            rows.len()
        );
    }
    let gradients = network.gradients(&batch(rows)).unwrap();
    let tables = gradients.tables.iter().map(|table| &table.values);
    assert!(
        gradients.loss.is_finite()
            && gradients.parameters.iter().chain(tables).flatten().all(|g| g.is_finite()),
        "{name}: a gradient is not finite, loss {}",
        gradients.loss
    );
    worst
}

#[test]
fn rows_do_not_depend_on_each_other() {
    for (name, frame, unit) in forms() {
        let mut network = probe(&frame, &unit);
        let mut stream = SeedStreams::new(9).stream(name);
        let long: Row = ((0..10_000).map(|event| 1 + event % GOODS as u32).collect(), 17);
        let one_good: Row = (vec![5; 10_000], 5);
        let fixed = [
            vec![(vec![], 3)],
            vec![(vec![], 3), (vec![], 4), (vec![], 3)],
            vec![(vec![8], 8)],
            vec![long.clone()],
            vec![(vec![], 1), long, (vec![7], 2), one_good, (vec![], 9)],
        ];
        let mut worst = 0.0f32;
        for rows in &fixed {
            worst = worst.max(check(name, &mut network, rows));
        }
        for _ in 0..60 {
            let count = 1 + stream.below(12);
            let rows: Vec<Row> = (0..count).map(|_| row(&mut stream)).collect();
            worst = worst.max(check(name, &mut network, &rows));
        }
        println!("{name}: within {worst:.1e}");
    }
}

/// Exchanging behaviors leaves attention as it is; a history is a set with repetitions.
#[test]
fn the_order_of_behaviors_does_not_matter() {
    for (name, frame, unit) in forms() {
        let network = probe(&frame, &unit);
        let mut stream = SeedStreams::new(9).stream("order");
        for _ in 0..20 {
            let (mut history, candidate) = row(&mut stream);
            let score = |history: &[u32]| {
                let one = batch(&[(history.to_vec(), candidate)]);
                network.score(&one, &mut ScoringMemory::default()).unwrap()[0]
            };
            let before = score(&history);
            stream.shuffle(&mut history);
            let after = score(&history);
            assert!(
                (before - after).abs() < 1e-5 * before.abs().max(1.0),
                "{name}: {before} {after}"
            );
        }
    }
}
