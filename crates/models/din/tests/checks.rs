//! The checks that every model must pass, over the options of DIN.

// Helpers outside of test functions may panic too.
#![allow(clippy::unwrap_used, clippy::panic)]

use ctr_core::{Schema, SeedStreams};
use ctr_din::{Din, DinConfig};
use ctr_nn::{Activation, AttentionNormalization, Normalization, UnitInputs, model_checks};

fn small(change: impl FnOnce(&mut DinConfig)) -> DinConfig {
    let mut config = DinConfig::default();
    config.network.embedding_dim = 4;
    config.network.hidden_units = vec![10, 6];
    config.activation_unit.hidden_units = vec![8, 5];
    change(&mut config);
    config
}

fn check(name: &str, config: &DinConfig) {
    let schema = Schema::goods_and_categories(40, 8);
    let mut stream = SeedStreams::new(7).stream(name);
    let build = || Din::network(&schema, config, SeedStreams::new(3));
    model_checks::check(&schema, build, &mut stream).unwrap().verdict().unwrap();
}

#[test]
fn authors() {
    check("authors", &small(|_| {}));
}

#[test]
fn paper() {
    check(
        "paper",
        &small(|config| {
            config.product = false;
            config.network.normalization = Normalization::None;
            config.network.user_projection = false;
            config.network.item_bias = false;
            config.network.activation = Activation::Prelu;
            config.activation_unit.activation = Activation::Prelu;
            config.activation_unit.inputs = UnitInputs::Paper;
            config.activation_unit.normalization = AttentionNormalization::None;
        }),
    );
}

#[test]
fn dice_of_the_paper_everywhere() {
    check(
        "dice",
        &small(|config| {
            config.network.activation = Activation::Dice;
            config.activation_unit.activation = Activation::Dice;
            config.activation_unit.normalization = AttentionNormalization::Softmax;
        }),
    );
}

#[test]
fn dice_of_the_code_and_batch_normalization() {
    check(
        "gate",
        &small(|config| {
            config.network.activation = Activation::DiceAuthors;
            config.activation_unit.activation = Activation::DiceAuthors;
            config.network.normalization = Normalization::Batch;
        }),
    );
}

#[test]
fn the_number_of_weights_is_that_of_the_authors_network() {
    let schema = Schema::goods_and_categories(63_001, 801);
    let network = Din::network(&schema, &DinConfig::default(), SeedStreams::new(1)).unwrap();
    let unit = (4 * 128 * 80 + 80) + (80 * 40 + 40) + (40 + 1);
    let user = 2 * 128 + (128 * 128 + 128);
    let mlp = 2 * 384 + (384 * 80 + 80) + (80 * 40 + 40) + (40 + 1);
    assert_eq!(network.weights.num_params_dense(), unit + user + mlp);
    assert_eq!(network.weights.num_params_embedding(), 63_002 * 64 + 802 * 64 + 63_002);
}
