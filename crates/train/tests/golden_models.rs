//! Logits of every model against an independent computation: `golden/models.py` wrote
//! `golden/models.json` from the papers' equations, in float64, with the weights stated there.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

use ctr_base_model::{BaseModel, BaseModelConfig};
use ctr_bst::{Bst, BstConfig};
use ctr_core::{Batch, EventColumn, GroupEvents, Schema, SeedStreams};
use ctr_deepfm::{DeepFm, DeepFmConfig, FactorizationMachine};
use ctr_din::{Din, DinConfig};
use ctr_gru::{GruConfig, GruModel};
use ctr_lr::{Lr, LrConfig};
use ctr_nn::{
    Activation, AttentionNormalization, EmbeddingMlpConfig, Network, Normalization, Pooling,
    ScoringMemory, UnitInputs,
};
use ctr_pnn::{Pnn, PnnConfig};
use ctr_wide_deep::{Wide, WideDeep, WideDeepConfig};
use serde::Deserialize;
use std::collections::BTreeMap;

const GOLDEN: &str = include_str!("golden/models.json");

#[derive(Deserialize)]
struct Golden {
    histories: Vec<Vec<u32>>,
    candidates: Vec<u32>,
    /// Of each good, from the reserved id 0 on.
    categories: Vec<u32>,
    cases: BTreeMap<String, Case>,
}

#[derive(Deserialize)]
struct Case {
    logits: Vec<f64>,
    /// Names and shapes of all weights that the model must have, and no other.
    tensors: BTreeMap<String, [usize; 2]>,
    statistics: BTreeMap<String, usize>,
}

impl Golden {
    fn read() -> Self {
        serde_json::from_str(GOLDEN).unwrap()
    }

    fn batch(&self) -> Batch {
        let events = |goods: Vec<u32>, offsets| {
            let categories = goods.iter().map(|&good| self.categories[good as usize]).collect();
            GroupEvents {
                offsets,
                fields: vec![EventColumn::single(goods), EventColumn::single(categories)],
            }
        };
        let mut offsets = vec![0];
        for history in &self.histories {
            offsets.push(offsets[offsets.len() - 1] + history.len() as u32);
        }
        Batch {
            labels: vec![0.0; self.candidates.len()],
            groups: vec![
                events(self.histories.concat(), offsets),
                events(self.candidates.clone(), Vec::new()),
            ],
        }
    }
}

/// The frame as the authors' code has it, but for the sizes.
fn authors() -> EmbeddingMlpConfig {
    EmbeddingMlpConfig {
        embedding_dim: 4,
        hidden_units: vec![7, 5],
        ..EmbeddingMlpConfig::default()
    }
}

fn paper() -> EmbeddingMlpConfig {
    EmbeddingMlpConfig {
        activation: Activation::Prelu,
        normalization: Normalization::None,
        user_projection: false,
        item_bias: false,
        ..authors()
    }
}

fn din() -> DinConfig {
    let mut config = DinConfig { network: authors(), ..DinConfig::default() };
    config.activation_unit.hidden_units = vec![6, 3];
    config
}

fn network(case: &str) -> Network {
    let (schema, seeds) = (Schema::goods_and_categories(20, 5), SeedStreams::new(1));
    let wide_deep = |wide, pooling, network| {
        let config = WideDeepConfig { pooling, wide, cross_buckets: 97, network };
        WideDeep::network(&schema, &config, seeds)
    };
    let deepfm = |factorization_machine, pooling, network| {
        let config = DeepFmConfig { pooling, factorization_machine, network };
        DeepFm::network(&schema, &config, seeds)
    };
    let pnn = |pooling, network| Pnn::network(&schema, &PnnConfig { pooling, network }, seeds);
    let base_model = |pooling, network| {
        BaseModel::network(&schema, &BaseModelConfig { pooling, network }, seeds)
    };
    let din_with = |change: &dyn Fn(&mut DinConfig)| {
        let mut config = din();
        change(&mut config);
        Din::network(&schema, &config, seeds)
    };
    let gru = |units, readout, product, network| {
        let config = GruConfig { units, readout, product, network };
        GruModel::network(&schema, &config, seeds)
    };
    let bst = |change: &dyn Fn(&mut BstConfig)| {
        let mut config =
            BstConfig { heads: 2, positions: 5, network: authors(), ..BstConfig::default() };
        change(&mut config);
        Bst::network(&schema, &config, seeds)
    };
    match case {
        "lr_sum" => Lr::network(&schema, &LrConfig { pooling: Pooling::Sum }, seeds),
        "lr_mean" => Lr::network(&schema, &LrConfig { pooling: Pooling::Mean }, seeds),
        "base_model_authors" => base_model(Pooling::Mean, authors()),
        "base_model_paper" => base_model(Pooling::Sum, paper()),
        "wide_deep_authors" => wide_deep(Wide::AuthorsProducts, Pooling::Mean, authors()),
        "wide_deep_paper" => wide_deep(Wide::Crosses, Pooling::Sum, paper()),
        "pnn_authors" => pnn(Pooling::Mean, authors()),
        "pnn_paper" => pnn(Pooling::Sum, paper()),
        "deepfm_authors" => deepfm(FactorizationMachine::Authors, Pooling::Mean, authors()),
        "deepfm_paper" => deepfm(FactorizationMachine::Paper, Pooling::Sum, paper()),
        "deepfm_mixed" => deepfm(FactorizationMachine::Paper, Pooling::Mean, authors()),
        "din_authors" => din_with(&|_| {}),
        "din_paper" => din_with(&|config| {
            config.product = false;
            config.network = paper();
            config.activation_unit.activation = Activation::Prelu;
            config.activation_unit.inputs = UnitInputs::Paper;
            config.activation_unit.normalization = AttentionNormalization::None;
        }),
        "din_with_dice" => din_with(&|config| {
            config.network.activation = DinConfig::with_dice().network.activation;
        }),
        "din_dice_everywhere" => din_with(&|config| {
            config.network.activation = Activation::Dice;
            config.activation_unit.activation = Activation::Dice;
            config.activation_unit.normalization = AttentionNormalization::Softmax;
        }),
        "din_dice_authors" => din_with(&|config| {
            config.network.activation = Activation::DiceAuthors;
            config.activation_unit.activation = Activation::DiceAuthors;
        }),
        "din_batch_normalization" => din_with(&|config| {
            config.network.normalization = Normalization::Batch;
        }),
        "gru_last" => gru(None, ctr_gru::Readout::Last, true, authors()),
        "gru_mean" => gru(Some(5), ctr_gru::Readout::Mean, false, paper()),
        "bst_candidate" => bst(&|_| {}),
        "bst_bars" => bst(&|config| {
            config.layer_normalization = false;
            config.product = false;
        }),
        "bst_mean" => bst(&|config| {
            (config.blocks, config.heads, config.product) = (2, 5, false);
            config.readout = ctr_bst::Readout::Mean;
            config.network = paper();
        }),
        "bst_unordered" => bst(&|config| config.position_dim = Some(0)),
        other => panic!("no case {other}"),
    }
    .unwrap()
}

/// Value `k` of the tensor called `name`, as `models.py` states it.
fn filled(name: &str, k: usize) -> f64 {
    let phase = name
        .bytes()
        .fold(0x811c_9dc5u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    let amplitude = if name.starts_with("activation_unit/") { 1.2 } else { 0.8 };
    let k = k as f64;
    amplitude * (0.7 * k + 0.013 * k * k + f64::from(phase % 1000)).sin()
}

/// Fills all weights, after a check that they are those of the fixture.
fn fill(network: &mut Network, case: &Case) {
    let weights = &mut network.weights;
    let parameters = weights.parameters.iter().map(|p| (p.name.clone(), [p.rows, p.columns]));
    let tables = weights.tables.iter().map(|t| (t.name.clone(), [t.vocabulary, t.dim]));
    assert_eq!(parameters.chain(tables).collect::<BTreeMap<_, _>>(), case.tensors);
    assert_eq!(weights.parameters.len() + weights.tables.len(), case.tensors.len());
    let statistics = weights.statistics.iter().map(|s| (s.name.clone(), s.mean.len()));
    assert_eq!(statistics.collect::<BTreeMap<_, _>>(), case.statistics);
    for (name, values) in weights
        .parameters
        .iter_mut()
        .map(|p| (p.name.clone(), p.values_mut()))
        .collect::<Vec<_>>()
        .into_iter()
        .chain(weights.tables.iter_mut().map(|t| (t.name.clone(), t.values_mut())))
    {
        for (k, value) in values.iter_mut().enumerate() {
            *value = filled(&name, k) as f32;
        }
    }
    for statistics in &mut weights.statistics {
        for k in 0..statistics.mean.len() {
            statistics.mean[k] = filled(&format!("{}/mean", statistics.name), k) as f32;
            let root = filled(&format!("{}/variance", statistics.name), k) as f32;
            statistics.variance[k] = (0.3 + f64::from(root) * f64::from(root)) as f32;
        }
    }
}

fn score(network: &Network, batch: &Batch) -> Vec<f32> {
    network.score(batch, &mut ScoringMemory::default()).unwrap()
}

#[test]
fn numpy_agrees() {
    let golden = Golden::read();
    let batch = golden.batch();
    assert_eq!(golden.cases.len(), 23);
    for (name, case) in &golden.cases {
        let mut network = network(name);
        fill(&mut network, case);
        let logits = score(&network, &batch);
        assert_eq!(logits.len(), case.logits.len());
        let mut worst = 0.0f64;
        for (row, (&found, &expected)) in logits.iter().zip(&case.logits).enumerate() {
            let difference = (f64::from(found) - expected).abs();
            worst = worst.max(difference);
            assert!(difference < 1e-5, "{name}, row {row}: {found} instead of {expected}");
        }
        println!("{name}: within {worst:.1e}");
    }
}

/// The fixture would not see a fault in a part that the logits hardly depend on.
#[test]
fn every_weight_matters_to_the_fixture() {
    let golden = Golden::read();
    let batch = golden.batch();
    for (name, case) in &golden.cases {
        let moved = |change: &dyn Fn(&mut Network)| {
            let mut network = network(name);
            fill(&mut network, case);
            let before = score(&network, &batch);
            change(&mut network);
            let after = score(&network, &batch);
            before.iter().zip(after).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
        };
        for tensor in case.tensors.keys() {
            let effect = moved(&|network: &mut Network| {
                let weights = &mut network.weights;
                if let Some(found) = weights.parameters.iter_mut().find(|p| p.name == *tensor) {
                    found.values_mut().iter_mut().for_each(|value| *value *= 1.5);
                } else if let Some(found) = weights.tables.iter_mut().find(|t| t.name == *tensor) {
                    found.values_mut().iter_mut().for_each(|value| *value *= 1.5);
                }
            });
            // A softmax does not see what is added to all scores alike.
            let softmax = tensor == "activation_unit/rest/output/bias" && name != "din_paper";
            assert_eq!(effect < 3e-4, softmax, "{name}: {tensor} moves the logits by {effect}");
        }
        for index in 0..case.statistics.len() {
            let mean = moved(&|network| network.weights.statistics[index].mean[0] += 0.5);
            let variance = moved(&|network| network.weights.statistics[index].variance[0] *= 1.5);
            assert!(mean > 3e-4 && variance > 3e-4, "{name}: {mean}, {variance}");
        }
    }
}
