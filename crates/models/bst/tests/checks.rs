//! The checks that every model must pass, over the options of BST.

// Helpers outside of test functions may panic too.
#![allow(clippy::unwrap_used, clippy::panic)]

use ctr_bst::{Bst, BstConfig, Readout};
use ctr_core::{Batch, Schema, SeedStreams};
use ctr_nn::{Activation, Error, Network, Normalization, ScoringMemory, model_checks};

fn small(change: impl FnOnce(&mut BstConfig)) -> BstConfig {
    let mut config = BstConfig { heads: 2, positions: 3, ..BstConfig::default() };
    config.network.embedding_dim = 2;
    config.network.hidden_units = vec![10, 6];
    change(&mut config);
    config
}

/// `name` is a stream of random rows. At the rate of the check, 0.02, which is high for a transformer, Adam
/// leaves a pair of rows alike for ever on about a third of all streams; these are others.
fn check(name: &str, change: impl FnOnce(&mut BstConfig)) {
    let schema = Schema::goods_and_categories(40, 8);
    let config = small(change);
    let mut stream = SeedStreams::new(7).stream(name);
    let build = || Bst::network(&schema, &config, SeedStreams::new(3));
    model_checks::check(&schema, build, &mut stream).unwrap().verdict().unwrap();
}

#[test]
fn default() {
    check("a", |_| {});
}

#[test]
fn best_run_of_bars() {
    check("bars", |config| {
        config.layer_normalization = false;
        config.product = false;
    });
}

#[test]
fn mean_of_two_blocks_in_the_frame_of_the_paper() {
    check("mean", |config| {
        config.blocks = 2;
        config.readout = Readout::Mean;
        config.product = false;
        config.network.normalization = Normalization::None;
        config.network.activation = Activation::Prelu;
        config.network.user_projection = false;
        config.network.item_bias = false;
    });
}

#[test]
fn two_blocks_and_heads_that_do_not_divide_the_width() {
    check("c", |config| {
        config.blocks = 2;
        config.heads = 5;
    });
}

#[test]
fn no_positions_and_batch_statistics() {
    check("dice", |config| {
        config.position_dim = Some(0);
        config.network.activation = Activation::Dice;
        config.network.normalization = Normalization::Batch;
    });
}

fn random(config: &BstConfig) -> Network {
    let schema = Schema::goods_and_categories(40, 8);
    let mut network = Bst::network(&schema, config, SeedStreams::new(3)).unwrap();
    model_checks::randomize(&mut network, 0.7, &mut SeedStreams::new(7).stream("random"));
    network
}

/// One row with the given history.
fn row(goods: &[u32]) -> Batch {
    let schema = Schema::goods_and_categories(40, 8);
    let mut stream = SeedStreams::new(7).stream("row");
    let mut batch = model_checks::random_batch(&schema, 1, 0, &mut stream);
    batch.groups[0].offsets = vec![0, goods.len() as u32];
    batch.groups[0].fields[0].ids = goods.to_vec();
    batch.groups[0].fields[1].ids = vec![1; goods.len()];
    batch
}

#[test]
fn the_order_counts_by_positions_alone_and_as_far_as_they_reach() {
    let change = |config: &BstConfig, left: &[u32], right: &[u32]| {
        let network = random(config);
        let score = |goods| network.score(&row(goods), &mut ScoringMemory::default()).unwrap()[0];
        let change = (score(left) - score(right)).abs();
        println!("{left:?} and {right:?}: {change:.1e}");
        change
    };
    // Nothing that saturates behind the transformer.
    let positions = small(|config| config.network.activation = Activation::Prelu);
    assert!(change(&positions, &[4, 9, 30], &[30, 9, 4]) > 1e-3);
    // Three latest events have positions of their own or the last; those before share it.
    assert!(change(&positions, &[4, 8, 9, 1, 2], &[8, 9, 4, 1, 2]) < 1e-5);
    assert!(change(&positions, &[4, 8, 9, 1, 2], &[4, 8, 1, 9, 2]) > 1e-3);
    let none = BstConfig { position_dim: Some(0), ..positions };
    assert!(change(&none, &[4, 9, 30], &[30, 9, 4]) < 1e-5);
}

#[test]
fn empty_configurations_are_refused() {
    let schema = Schema::goods_and_categories(40, 8);
    for config in [
        small(|config| config.blocks = 0),
        small(|config| config.heads = 0),
        small(|config| config.positions = 0),
    ] {
        let error = Bst::network(&schema, &config, SeedStreams::new(3)).err();
        assert!(matches!(error, Some(Error::Config(_))));
    }
}

#[test]
fn the_number_of_weights_follows_from_the_widths() {
    let schema = Schema::goods_and_categories(1000, 20);
    let network = Bst::network(&schema, &BstConfig::default(), SeedStreams::new(1)).unwrap();
    // With 8 heads of 24; FuxiCTR's block of the same sizes, but for the keys' bias.
    let block = 6 * (192 * 192 + 192) - 192 + 4 * 192;
    let transformer = 101 * 64 + block + (192 * 128 + 128);
    let user = 2 * 128 + (128 * 128 + 128);
    let mlp = 2 * 384 + (384 * 80 + 80) + (80 * 40 + 40) + (40 + 1);
    assert_eq!(network.weights.num_params_dense(), transformer + user + mlp);
    assert_eq!(network.weights.num_params_embedding(), (1001 + 21) * 64 + 1001);
}
