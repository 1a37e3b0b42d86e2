//! The checks that every model must pass.

// Helpers outside of test functions may panic too.
#![allow(clippy::unwrap_used, clippy::panic)]

use ctr_core::{Schema, SeedStreams};
use ctr_nn::model_checks;
use ctr_pnn::{Pnn, PnnConfig};

fn check(name: &str, change: impl FnOnce(&mut PnnConfig)) {
    let schema = Schema::goods_and_categories(40, 8);
    let mut config = PnnConfig::default();
    config.network.embedding_dim = 4;
    config.network.hidden_units = vec![10, 6];
    change(&mut config);
    let mut stream = SeedStreams::new(7).stream(name);
    let build = || Pnn::network(&schema, &config, SeedStreams::new(3));
    model_checks::check(&schema, build, &mut stream).unwrap().verdict().unwrap();
}

#[test]
fn authors() {
    check("authors", |_| {});
}

#[test]
fn paper() {
    check("paper", |config| {
        config.network.normalization = ctr_nn::Normalization::None;
        config.network.activation = ctr_nn::Activation::Prelu;
        config.network.user_projection = false;
        config.network.item_bias = false;
        config.pooling = ctr_nn::Pooling::Sum;
    });
}

#[test]
fn the_number_of_weights_follows_from_the_widths() {
    let schema = Schema::goods_and_categories(1000, 20);
    let network = Pnn::network(&schema, &PnnConfig::default(), SeedStreams::new(1)).unwrap();
    assert_eq!(
        network.weights.num_params_dense(),
        2 * 128 + 128 * 128 + 128 + 2 * 384 + (384 * 80 + 80) + (80 * 40 + 40) + (40 + 1)
    );
    assert_eq!(network.weights.num_params_embedding(), (1001 + 21) * 64 + 1001);
}
