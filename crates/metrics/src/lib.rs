#![doc = include_str!("../README.md")]

mod auc;
mod checks;
mod error;
mod gauc;
mod log_loss;
mod order;
mod rela_impr;

pub use auc::auc;
pub use error::{Error, Result};
pub use gauc::{Gauc, GaucVariant, gauc};
pub use log_loss::{PROBABILITY_CLIP, log_loss_from_logits, log_loss_from_probabilities};
pub use rela_impr::rela_impr;
