//! The checks that every model must pass, over the options of the model.

// Helpers outside of test functions may panic too.
#![allow(clippy::unwrap_used, clippy::panic)]

use ctr_core::{Schema, SeedStreams};
use ctr_gru::{GruConfig, GruModel, Readout};
use ctr_nn::{Activation, Error, Normalization, ScoringMemory, model_checks};

fn small(change: impl FnOnce(&mut GruConfig)) -> GruConfig {
    let mut config = GruConfig::default();
    config.network.embedding_dim = 4;
    config.network.hidden_units = vec![10, 6];
    change(&mut config);
    config
}

fn check(name: &str, change: impl FnOnce(&mut GruConfig)) {
    let schema = Schema::goods_and_categories(40, 8);
    let config = small(change);
    let mut stream = SeedStreams::new(7).stream(name);
    let build = || GruModel::network(&schema, &config, SeedStreams::new(3));
    model_checks::check(&schema, build, &mut stream).unwrap().verdict().unwrap();
}

#[test]
fn default() {
    check("default", |_| {});
}

#[test]
fn mean_of_the_states_in_the_frame_of_the_paper() {
    check("mean of states", |config| {
        config.readout = Readout::Mean;
        config.product = false;
        config.network.normalization = Normalization::None;
        config.network.activation = Activation::Prelu;
        config.network.user_projection = false;
        config.network.item_bias = false;
    });
}

#[test]
fn states_of_another_width() {
    check("narrow", |config| config.units = Some(5));
    check("wide", |config| config.units = Some(11));
}

#[test]
fn batch_statistics_beside_it() {
    check("dice", |config| {
        config.network.activation = Activation::Dice;
        config.network.normalization = Normalization::Batch;
    });
}

#[test]
fn the_order_of_the_events_counts() {
    let schema = Schema::goods_and_categories(40, 8);
    let mut stream = SeedStreams::new(7).stream("order");
    let mut network = GruModel::network(&schema, &small(|_| {}), SeedStreams::new(3)).unwrap();
    model_checks::randomize(&mut network, 0.3, &mut stream);
    let batch = model_checks::random_batch(&schema, 1, 0, &mut stream);
    let scored = |goods: [u32; 3]| {
        let mut batch = batch.clone();
        batch.groups[0].offsets = vec![0, 3];
        batch.groups[0].fields[0].ids = goods.to_vec();
        batch.groups[0].fields[1].ids = vec![1, 1, 1];
        network.score(&batch, &mut ScoringMemory::default()).unwrap()[0]
    };
    assert!((scored([4, 9, 30]) - scored([30, 9, 4])).abs() > 1e-3);
}

#[test]
fn a_width_of_zero_is_refused() {
    let schema = Schema::goods_and_categories(40, 8);
    let config = small(|config| config.units = Some(0));
    let error = GruModel::network(&schema, &config, SeedStreams::new(3)).err();
    assert!(matches!(error, Some(Error::Config(_))));
}

#[test]
fn the_number_of_weights_follows_from_the_widths() {
    let schema = Schema::goods_and_categories(1000, 20);
    let network = GruModel::network(&schema, &GruConfig::default(), SeedStreams::new(1)).unwrap();
    let gru = (128 * 384 + 384) + 128 * 384 + 128;
    let user = 2 * 128 + (128 * 128 + 128);
    let mlp = 2 * 384 + (384 * 80 + 80) + (80 * 40 + 40) + (40 + 1);
    assert_eq!(network.weights.num_params_dense(), gru + user + mlp);
    assert_eq!(network.weights.num_params_embedding(), (1001 + 21) * 64 + 1001);
}
