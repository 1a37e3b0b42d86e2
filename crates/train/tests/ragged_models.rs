//! Every model on ragged batches of any shape: scores and gradients are finite, scores equal those of each row
//! alone, and the gradient of a batch is the mean of its rows' gradients.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use common::{MODELS, dataset, network};
use ctr_core::{Batch, EventColumn, GroupEvents, Protocol, RandomStream, SeedStreams};
use ctr_nn::{Network, ScoringMemory};

const GOODS: u64 = 30;

/// A history and a candidate.
type Row = (Vec<u32>, u32);

fn batch(rows: &[Row]) -> Batch {
    let columns = |goods: &[u32]| {
        let cates = goods.iter().map(|good| 1 + good % 5).collect();
        vec![EventColumn::single(goods.to_vec()), EventColumn::single(cates)]
    };
    let events: Vec<u32> = rows.iter().flat_map(|(history, _)| history.clone()).collect();
    let candidates: Vec<u32> = rows.iter().map(|&(_, candidate)| candidate).collect();
    let mut offsets = vec![0];
    offsets.extend(rows.iter().scan(0, |end, (history, _)| {
        *end += history.len() as u32;
        Some(*end)
    }));
    Batch {
        labels: (0..rows.len()).map(|row| (row % 2) as f32).collect(),
        groups: vec![
            GroupEvents { offsets, fields: columns(&events) },
            GroupEvents { offsets: vec![], fields: columns(&candidates) },
        ],
    }
}

fn history(length: usize, goods: u64, stream: &mut RandomStream) -> Vec<u32> {
    (0..length).map(|_| 1 + stream.below(goods) as u32).collect()
}

/// Empty histories, one event, repeated ids, lengths about the width of vector registers, and one history of
/// `longest` events, in batches of 1 to 33 rows.
fn batches(longest: usize, stream: &mut RandomStream) -> Vec<Vec<Row>> {
    let mut all = vec![
        vec![(vec![], 1)],
        vec![(vec![], 1), (vec![], 2)],
        vec![(vec![3], 3)],
        vec![(vec![4; 100], 4)],
        vec![(history(longest, GOODS, stream), 5)],
        vec![(vec![], 1), (history(longest, GOODS, stream), 6), (vec![7], 7)],
    ];
    for rows in [2, 15, 31, 32, 33] {
        let row = |stream: &mut RandomStream| {
            let length = [0, 1, 2, 7, 8, 9, 16, 63, 64, 65][stream.below(10) as usize];
            let goods = if stream.below(3) == 0 { 1 } else { GOODS };
            (history(length, goods, stream), 1 + stream.below(GOODS) as u32)
        };
        all.push((0..rows).map(|_| row(stream)).collect());
    }
    all
}

#[test]
fn rows_of_any_shape_are_as_they_are_alone() {
    let data = dataset(Protocol::HeldOut);
    for model in MODELS {
        // The cost of self-attention is square in the length of a history.
        let longest = if model == "bst" { 1_000 } else { 10_000 };
        let mut stream = SeedStreams::new(3).stream(model);
        let mut network = network(model, &data, 4);
        for rows in batches(longest, &mut stream) {
            check(model, &mut network, &rows);
        }
    }
}

fn check(model: &str, network: &mut Network, rows: &[Row]) {
    let mut memory = ScoringMemory::default();
    let together = network.score(&batch(rows), &mut memory).unwrap();
    let gradients = network.gradients(&batch(rows)).unwrap();
    let tables = gradients.tables.iter().flat_map(|table| &table.values);
    let mut all = gradients.parameters.iter().flatten().chain(tables);
    assert!(gradients.loss.is_finite() && all.all(|value| value.is_finite()), "{model}");
    let mut mean: Vec<f64> = vec![0.0; gradients.parameters.iter().map(Vec::len).sum()];
    for (index, row) in rows.iter().enumerate() {
        let alone = Batch { labels: vec![(index % 2) as f32], ..batch(std::slice::from_ref(row)) };
        let score = network.score(&alone, &mut memory).unwrap()[0];
        let difference = (together[index] - score).abs() / score.abs().max(1.0);
        assert!(difference < 1e-5, "{model}: {score} alone, {} among others", together[index]);
        let gradient = network.gradients(&alone).unwrap().parameters;
        for (sum, value) in mean.iter_mut().zip(gradient.iter().flatten()) {
            *sum += f64::from(*value) / rows.len() as f64;
        }
    }
    // Statistics of a batch, which Dice has too, depend on all of its rows.
    if !["din_dice", "din_batch_normalization"].contains(&model) {
        let flat = gradients.parameters.iter().flatten();
        let largest = mean.iter().fold(1e-3f64, |largest, value| largest.max(value.abs()));
        for (value, mean) in flat.zip(&mean) {
            let difference = (f64::from(*value) - mean).abs();
            assert!(difference < 1e-4 * largest, "{model}: {value} against {mean}");
        }
    }
}
