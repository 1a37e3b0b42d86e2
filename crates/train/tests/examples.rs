//! The example for readers of the libraries does what it says.
#![allow(clippy::unwrap_used)]

#[path = "../examples/train_din.rs"]
mod train_din;

#[test]
fn din_learns_on_the_smallest_simulation() {
    let gauc = train_din::gauc_of_din().unwrap();
    assert!((0.65..1.0).contains(&gauc), "{gauc}");
}
