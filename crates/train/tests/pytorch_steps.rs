//! Ten steps of SGD against PyTorch's autograd: `scripts/peers/fixture.py` wrote
//! `golden/pytorch_steps.json` from a formulation that shares nothing with the Rust. The other golden
//! test sees the forward pass; this one sees gradients, updates and what they make of the next logits.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

use ctr_base_model::{BaseModel, BaseModelConfig};
use ctr_core::{Batch, EventColumn, GroupEvents, Schema, SeedStreams};
use ctr_din::{Din, DinConfig};
use ctr_nn::{
    EmbeddingMlpConfig, NamedTensors, Network, Optimizer, OptimizerConfig, OptimizerKind, Schedule,
    ScoringMemory, StoredTensor,
};
use serde::Deserialize;
use std::collections::BTreeMap;

const FIXTURE: &str = include_str!("golden/pytorch_steps.json");
/// Float32 against float64 leaves 2e-7; a gradient that one of the attention unit's inputs does not get
/// moves the logits by 1.5e-4 or more.
const TOLERANCE: f64 = 1e-5;

#[derive(Deserialize)]
struct Fixture {
    goods: u32,
    categories: u32,
    embedding_dim: usize,
    hidden_units: Vec<usize>,
    unit_hidden_units: Vec<usize>,
    rate: f64,
    /// They come round again until the steps are done.
    batches: Vec<Rows>,
    models: BTreeMap<String, Case>,
}

#[derive(Deserialize)]
struct Rows {
    labels: Vec<f32>,
    offsets: Vec<u32>,
    goods: Vec<u32>,
    cates: Vec<u32>,
    candidate_goods: Vec<u32>,
    candidate_cates: Vec<u32>,
}

#[derive(Deserialize)]
struct Case {
    weights: BTreeMap<String, Values>,
    /// Of each step's batch, before the step.
    logits: Vec<Vec<f64>>,
}

#[derive(Deserialize)]
struct Values {
    shape: Vec<usize>,
    values: Vec<f32>,
}

impl Rows {
    fn batch(&self) -> Batch {
        let group = |offsets: &[u32], goods: &[u32], cates: &[u32]| GroupEvents {
            offsets: offsets.to_vec(),
            fields: vec![EventColumn::single(goods.to_vec()), EventColumn::single(cates.to_vec())],
        };
        Batch {
            labels: self.labels.clone(),
            groups: vec![
                group(&self.offsets, &self.goods, &self.cates),
                group(&[], &self.candidate_goods, &self.candidate_cates),
            ],
        }
    }
}

impl Fixture {
    fn read() -> Self {
        serde_json::from_str(FIXTURE).unwrap()
    }

    fn network(&self, model: &str) -> Network {
        let schema = Schema::goods_and_categories(self.goods, self.categories);
        let seeds = SeedStreams::new(1);
        let frame = EmbeddingMlpConfig {
            embedding_dim: self.embedding_dim,
            hidden_units: self.hidden_units.clone(),
            ..EmbeddingMlpConfig::default()
        };
        let mut network = match model {
            "base_model" => {
                let config = BaseModelConfig { network: frame, ..BaseModelConfig::default() };
                BaseModel::network(&schema, &config, seeds)
            }
            "din" => {
                let mut config = DinConfig { network: frame, ..DinConfig::default() };
                config.activation_unit.hidden_units.clone_from(&self.unit_hidden_units);
                Din::network(&schema, &config, seeds)
            }
            other => panic!("no model {other}"),
        }
        .unwrap();
        let weights = &self.models[model].weights;
        let mut stored = NamedTensors::default();
        for (name, Values { shape, values }) in weights {
            let (shape, values) = (shape.clone(), values.clone());
            stored.push(StoredTensor { name: name.clone(), shape, values });
        }
        network.weights.import(&stored).unwrap();
        assert_eq!(network.weights.parameters.len() + network.weights.tables.len(), weights.len());
        network
    }

    /// The largest difference to PyTorch's logits when we train at `rate`.
    fn deviation(&self, model: &str, rate: f64) -> f64 {
        let mut network = self.network(model);
        let config = OptimizerConfig {
            kind: OptimizerKind::Sgd,
            learning_rate: rate,
            schedule: Schedule::Constant,
            clip_norm: 0.0,
        };
        let mut optimizer = Optimizer::new(config, &network.weights).unwrap();
        let batches: Vec<Batch> = self.batches.iter().map(Rows::batch).collect();
        let mut memory = ScoringMemory::default();
        let mut worst = 0.0f64;
        for (batch, expected) in batches.iter().cycle().zip(&self.models[model].logits) {
            let logits = network.score(batch, &mut memory).unwrap();
            assert_eq!(logits.len(), expected.len());
            for (&found, &expected) in logits.iter().zip(expected) {
                assert!(found.is_finite());
                worst = worst.max((f64::from(found) - expected).abs());
            }
            network.train_step(batch, &mut optimizer).unwrap();
        }
        worst
    }
}

#[test]
fn ten_steps_give_the_logits_of_pytorch() {
    let fixture = Fixture::read();
    assert_eq!(fixture.models.len(), 2);
    for (model, case) in &fixture.models {
        assert_eq!(case.logits.len(), 10);
        let worst = fixture.deviation(model, fixture.rate);
        println!("{model}: within {worst:.1e}");
        assert!(worst < TOLERANCE, "{model} is off by {worst:e}");
    }
}

/// The logits would not show a fault in the steps if they hardly depended on them.
#[test]
fn a_rate_one_percent_off_shows() {
    let fixture = Fixture::read();
    for model in fixture.models.keys() {
        let worst = fixture.deviation(model, 1.01 * fixture.rate);
        assert!(worst > 50.0 * TOLERANCE, "{model} is off by {worst:e} only");
    }
}
