#![doc = include_str!("../README.md")]

mod checkpoint;
mod config;
mod error;
mod evaluate;
mod events;
mod feed;
mod handout;
mod losses;
mod run;

pub use checkpoint::{CHECKPOINT_FILE, MODEL_FILE, kept_step};
pub use config::TrainConfig;
pub use error::{Error, Result};
pub use evaluate::{Evaluation, count_occurrences, count_occurrences_in_shards, score_split};
pub use feed::{Feed, Part, Waits};
pub use handout::hand_out;
pub use losses::{LOSSES_FILE, read_losses};
pub use run::{Chosen, Observer, Outcome, RunSpec, Silent, signature, train, train_streamed};
