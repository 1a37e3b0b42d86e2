//! The checks that every model must pass.

// Helpers outside of test functions may panic too.
#![allow(clippy::unwrap_used, clippy::panic)]

use ctr_core::{Schema, SeedStreams};
use ctr_lr::{Lr, LrConfig};
use ctr_nn::model_checks;

fn check(name: &str, change: impl FnOnce(&mut LrConfig)) {
    let schema = Schema::goods_and_categories(40, 8);
    let mut config = LrConfig::default();

    change(&mut config);
    let mut stream = SeedStreams::new(7).stream(name);
    let build = || Lr::network(&schema, &config, SeedStreams::new(3));
    model_checks::check(&schema, build, &mut stream).unwrap().verdict().unwrap();
}

#[test]
fn sum_and_mean() {
    check("sum", |_| {});
    check("mean", |config| config.pooling = ctr_nn::Pooling::Mean);
}

#[test]
fn the_number_of_weights_follows_from_the_widths() {
    let schema = Schema::goods_and_categories(1000, 20);
    let network = Lr::network(&schema, &LrConfig::default(), SeedStreams::new(1)).unwrap();
    assert_eq!(network.weights.num_params_dense(), 1);
    assert_eq!(network.weights.num_params_embedding(), 2 * (1001 + 21));
}
