//! Rows like those of Electronics, and networks of the authors' shapes for them: 63,001 goods, 801
//! categories, histories of 5.2 behaviors on average. Shared by the benchmarks and the example `peers`.
// Not every one of them needs all of it.
#![allow(dead_code)]

use ctr_core::{Batch, EventColumn, GroupEvents, Schema, SeedStreams};
use ctr_nn::{Network, Result};

/// Goods of Electronics.
pub const GOODS: u32 = 63_001;
/// Categories of Electronics.
pub const CATEGORIES: u32 = 801;

/// Groups and vocabularies of the rows.
pub fn schema() -> Schema {
    Schema::goods_and_categories(GOODS, CATEGORIES)
}

/// Batches of `rows` rows each; the same ones in every process.
pub fn batches(rows: usize, count: usize) -> Vec<Batch> {
    batches_of(GOODS, rows, count)
}

/// The same with another number of goods.
pub fn batches_of(all_goods: u32, rows: usize, count: usize) -> Vec<Batch> {
    let mut stream = SeedStreams::new(1).stream("bench");
    (0..count)
        .map(|_| {
            let mut offsets = vec![0u32];
            for _ in 0..rows {
                // Geometric from 1 with mean 5.2.
                let mut length = 1;
                while stream.unit() > 1.0 / 5.2 && length < 200 {
                    length += 1;
                }
                offsets.push(offsets[offsets.len() - 1] + length);
            }
            let mut pair = |events: usize| {
                // Popularity falls off like a power law.
                let goods: Vec<u32> = (0..events)
                    .map(|_| 1 + (f64::from(all_goods - 1) * stream.unit().powi(3)) as u32)
                    .collect();
                let cates = goods.iter().map(|id| 1 + id % CATEGORIES).collect();
                vec![EventColumn::single(goods), EventColumn::single(cates)]
            };
            let events = offsets[rows] as usize;
            Batch {
                labels: (0..rows).map(|row| (row % 2) as f32).collect(),
                groups: vec![
                    GroupEvents { offsets, fields: pair(events) },
                    GroupEvents { offsets: Vec::new(), fields: pair(rows) },
                ],
            }
        })
        .collect()
}

/// A network by its name, with the settings that it has when nobody sets any. None for other names.
pub fn network(model: &str) -> Option<Result<Network>> {
    let (schema, seeds) = (schema(), SeedStreams::new(1));
    Some(match model {
        "base_model" => ctr_base_model::BaseModel::network(&schema, &Default::default(), seeds),
        "wide_deep" => ctr_wide_deep::WideDeep::network(&schema, &Default::default(), seeds),
        "pnn" => ctr_pnn::Pnn::network(&schema, &Default::default(), seeds),
        "deepfm" => ctr_deepfm::DeepFm::network(&schema, &Default::default(), seeds),
        "din" => ctr_din::Din::network(&schema, &Default::default(), seeds),
        "din_dice" => ctr_din::Din::network(&schema, &ctr_din::DinConfig::with_dice(), seeds),
        "gru" => ctr_gru::GruModel::network(&schema, &Default::default(), seeds),
        "bst" => ctr_bst::Bst::network(&schema, &Default::default(), seeds),
        _ => return None,
    })
}
