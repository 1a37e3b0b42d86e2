#![doc = include_str!("../README.md")]

mod checkpoint;
mod chosen;
mod config;
mod error;
mod evaluate;
mod events;
mod feed;
mod handout;
mod losses;
mod run;
mod spec;

pub use checkpoint::{CHECKPOINT_FILE, LOCK_FILE, MODEL_FILE, kept_step};
pub use chosen::signature;
pub use config::TrainConfig;
pub use error::{Error, Result};
pub use evaluate::{Evaluation, count_occurrences, count_occurrences_in_shards, score_split};
pub use feed::{Feed, Waits};
pub use handout::hand_out;
pub use losses::{LOSSES_FILE, read_losses};
pub use run::{train, train_streamed};
pub use spec::{Chosen, Observer, Outcome, RunSpec, Silent};
