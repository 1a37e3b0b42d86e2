#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, missing_docs)]
use ctr_core::{Batch, EventColumn, GroupEvents, Schema, SeedStreams};
use ctr_nn::{Network, Optimizer, OptimizerConfig, OptimizerKind, Schedule, ScoringMemory};
use std::time::Instant;
const GOODS: u32 = 63_001;
const CATEGORIES: u32 = 801;

fn batches(rows: usize, count: usize) -> Vec<Batch> {
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
                    .map(|_| 1 + (f64::from(GOODS) * stream.unit().powi(3)) as u32)
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


fn main() {
    let args: Vec<String> = std::env::args().collect();
    let model = args[1].as_str();
    let rows: usize = args[2].parse().unwrap();
    let threads: usize = args[3].parse().unwrap();
    let schema = Schema::goods_and_categories(GOODS, CATEGORIES);
    let seeds = SeedStreams::new(1);
    let mut network: Network = match model {
        "base" => ctr_base_model::BaseModel::network(&schema, &Default::default(), seeds).unwrap(),
        "wide_deep" => ctr_wide_deep::WideDeep::network(&schema, &Default::default(), seeds).unwrap(),
        "pnn" => ctr_pnn::Pnn::network(&schema, &Default::default(), seeds).unwrap(),
        "deepfm" => ctr_deepfm::DeepFm::network(&schema, &Default::default(), seeds).unwrap(),
        "din" => ctr_din::Din::network(&schema, &Default::default(), seeds).unwrap(),
        _ => ctr_din::Din::network(&schema, &ctr_din::DinConfig::with_dice(), seeds).unwrap(),
    };
    let batches = batches(rows, 64);
    let adam = args.get(4).is_some_and(|a| a == "adam");
    let config = if adam { OptimizerConfig { kind: OptimizerKind::Adam, learning_rate: 0.001, schedule: Schedule::Constant, clip_norm: 0.0 } }
      else { OptimizerConfig { kind: OptimizerKind::Sgd, learning_rate: 0.1, schedule: Schedule::Constant, clip_norm: 0.0 } };
    let mut optimizer = Optimizer::new(config, &network.weights).unwrap();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    pool.install(|| {
        let score = args.get(4).is_some_and(|a| a == "score");
        let mut memory = ScoringMemory::default();
        let mut best = 0.0f64;
        let mut sum = 0.0;
        for round in 0..8 {
            let t = Instant::now();
            let mut n = 0;
            while t.elapsed().as_secs_f64() < 0.4 {
                for batch in &batches {
                    if score { sum += network.score(batch, &mut memory).unwrap()[0] as f64; } else { sum = network.train_step(batch, &mut optimizer).unwrap().loss; }
                    n += rows;
                }
            }
            if round > 0 { best = best.max(n as f64 / t.elapsed().as_secs_f64()); }
        }
        println!("{model} b{rows} t{threads}: {best:.0}/s ({sum})");
    });
}
