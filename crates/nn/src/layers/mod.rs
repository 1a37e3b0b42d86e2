//! Layers: a few weights and the operations that use them.

mod activation;
mod activation_unit;
mod dense;
mod mlp;
mod normalization;
mod split_layer;

pub use activation::{Activation, ActivationLayer};
pub use activation_unit::{
    ActivationUnit, ActivationUnitConfig, AttentionNormalization, UnitInputs,
};
pub use dense::Dense;
pub use mlp::Mlp;
pub use normalization::{Normalization, NormalizationLayer};
