//! A small dataset and all seven models, for the tests of runs.

use ctr_core::{Dataset, EventColumn, Protocol, Samples, Schema, SeedStreams, Sequences};
use ctr_nn::{EmbeddingMlpConfig, Network};
use std::collections::BTreeMap;

/// 60 users with 4 to 9 events over 30 goods of 5 categories. Users keep to one of two halves of the
/// goods, negatives come from the other, so there is something to learn.
pub fn dataset(protocol: Protocol) -> Dataset {
    let (users, goods) = (60u32, 30u32);
    let mut stream = SeedStreams::new(11).stream("data");
    let cate = |id: u32| 1 + id % 5;
    let mut sequences = Sequences { offsets: vec![0], fields: vec![EventColumn::default(); 2] };
    let mut splits = [Samples::default(), Samples::default(), Samples::default()];
    for samples in &mut splits {
        samples.groups = vec![Vec::new(), vec![EventColumn::default(); 2]];
    }
    for user in 0..users {
        let events = 4 + stream.below(6) as u32;
        let half = user % 2;
        let mut draw = |half: u32| 1 + 2 * stream.below(u64::from(goods / 2)) as u32 + half;
        for position in 0..events {
            let (positive, negative) = (draw(half), draw(1 - half));
            sequences.fields[0].ids.push(positive);
            sequences.fields[1].ids.push(cate(positive));
            let split = match (position, protocol) {
                (0, _) => continue,
                (p, _) if p == events - 1 => 2,
                (p, Protocol::HeldOut) if p == events - 2 => 1,
                _ => 0,
            };
            for (id, label) in [(positive, 1), (negative, 0)] {
                let samples = &mut splits[split];
                samples.users.push(user);
                samples.history_lengths.push(position);
                samples.labels.push(label);
                samples.groups[1][0].ids.push(id);
                samples.groups[1][1].ids.push(cate(id));
            }
        }
        sequences.offsets.push(sequences.fields[0].ids.len() as u32);
    }
    let [train, validation, test] = splits;
    let dataset = Dataset {
        id: "halves".into(),
        content_sha256: "0123456789abcdef".into(),
        protocol,
        split_rule: "last-item".into(),
        negatives: "uniform-1".into(),
        history_limit: None,
        ceiling: None,
        simulated: true,
        statistics: BTreeMap::new(),
        schema: Schema::goods_and_categories(goods, 5),
        sequences,
        train,
        validation,
        test,
    };
    dataset.validate().unwrap();
    dataset
}

/// Names of all models, DIN in three forms.
#[allow(dead_code)] // not every test trains all
pub const MODELS: [&str; 10] = [
    "lr",
    "base_model",
    "wide_deep",
    "pnn",
    "deepfm",
    "din",
    "din_dice",
    "din_batch_normalization",
    "gru",
    "bst",
];

/// A small network of the given name.
pub fn network(model: &str, dataset: &Dataset, seed: u64) -> Network {
    let (schema, seeds) = (&dataset.schema, SeedStreams::new(seed));
    let small = EmbeddingMlpConfig {
        embedding_dim: 4,
        hidden_units: vec![8, 4],
        ..EmbeddingMlpConfig::default()
    };
    let din = |mut config: ctr_din::DinConfig| {
        config.network =
            EmbeddingMlpConfig { activation: config.network.activation, ..small.clone() };
        config.activation_unit.hidden_units = vec![6, 4];
        config
    };
    match model {
        "lr" => ctr_lr::Lr::network(schema, &ctr_lr::LrConfig::default(), seeds),
        "base_model" => {
            let config = ctr_base_model::BaseModelConfig { network: small, ..Default::default() };
            ctr_base_model::BaseModel::network(schema, &config, seeds)
        }
        "wide_deep" => {
            let config = ctr_wide_deep::WideDeepConfig {
                network: small,
                wide: ctr_wide_deep::Wide::Crosses,
                cross_buckets: 512,
                ..Default::default()
            };
            ctr_wide_deep::WideDeep::network(schema, &config, seeds)
        }
        "pnn" => {
            let config = ctr_pnn::PnnConfig { network: small, ..Default::default() };
            ctr_pnn::Pnn::network(schema, &config, seeds)
        }
        "deepfm" => {
            let config = ctr_deepfm::DeepFmConfig { network: small, ..Default::default() };
            ctr_deepfm::DeepFm::network(schema, &config, seeds)
        }
        "din" => ctr_din::Din::network(schema, &din(ctr_din::DinConfig::default()), seeds),
        "din_dice" => ctr_din::Din::network(schema, &din(ctr_din::DinConfig::with_dice()), seeds),
        "din_batch_normalization" => {
            let mut config = din(ctr_din::DinConfig::default());
            config.network.normalization = ctr_nn::Normalization::Batch;
            ctr_din::Din::network(schema, &config, seeds)
        }
        "gru" => {
            let config = ctr_gru::GruConfig { network: small, ..Default::default() };
            ctr_gru::GruModel::network(schema, &config, seeds)
        }
        "bst" => {
            let config = ctr_bst::BstConfig { network: small, heads: 2, ..Default::default() };
            ctr_bst::Bst::network(schema, &config, seeds)
        }
        other => panic!("no model {other}"),
    }
    .unwrap()
}
