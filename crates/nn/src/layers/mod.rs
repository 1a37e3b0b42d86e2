//! Layers: a few weights and the operations that use them.

mod activation;
mod activation_unit;
mod dense;
mod gru;
mod mlp;
mod normalization;
mod split_layer;
mod transformer;

pub use activation::{Activation, ActivationLayer};
pub use activation_unit::{
    ActivationUnit, ActivationUnitConfig, AttentionNormalization, UnitInputs,
};
pub use dense::Dense;
pub use gru::Gru;
pub use mlp::Mlp;
pub use normalization::{LayerNormalization, Normalization, NormalizationLayer};
pub use transformer::{TransformerBlock, TransformerConfig};
