#![doc = include_str!("../README.md")]

mod auc;
mod checks;
mod error;
mod gauc;
mod intervals;
mod log_loss;
mod order;
mod paired;
mod rela_impr;
mod resample;
mod user_auc;

pub use auc::auc;
pub use error::{Error, Result};
pub use gauc::{Gauc, GaucVariant, gauc};
pub use intervals::{holm, std_interval_95, student_975, student_p};
pub use log_loss::{PROBABILITY_CLIP, log_loss_from_logits, log_loss_from_probabilities};
pub use paired::{PairedComparison, SeededUsers, compare_paired};
pub use rela_impr::rela_impr;
pub use resample::Resampling;
pub use user_auc::{UserAuc, standard_error, user_aucs};
