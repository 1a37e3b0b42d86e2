#![doc = include_str!("../README.md")]

mod assemble;
mod catalog;
mod columns;
mod content;
mod custom;
mod digest;
mod error;
mod form;
mod inputs;
mod lines;
mod manifest;
mod metadata;
mod movielens;
mod numbering;
mod origin;
mod parts;
mod predictions;
mod prepare;
mod python;
mod raw;
mod records;
mod release;
mod reviews;
mod rows;
mod scoring;
pub mod simulate;
mod source;
mod splits;
mod statistics;
mod store;
mod streaming;
mod tables;
mod taobao;
mod text;
mod x1;

pub use catalog::{Kind, KnownDataset, catalog};
pub use error::{Error, Place, Result};
pub use manifest::{
    FileRecord, Layout, MANIFEST_SCHEMA_VERSION, Manifest, ShardRecord, Sharding, Simulation,
};
pub use origin::{Address, Checks, Member, Origin};
pub use parts::{Merged, PartManifest, merge_parts, prepare_part};
pub use predictions::{Predictions, read_predictions, write_predictions};
pub use prepare::{Check, HistoryRule, PrepOptions, Prepared, prepare};
pub use raw::Partition;
pub use scoring::{
    FieldIds, Keys, ScoringPiece, ScoringRows, TableWriter, Unknown, UnknownIds, read_keys,
    write_sample_rows,
};
pub use simulate::{
    AdCandidate, AdHistory, AdRequest, AdUser, AdWorld, SimulateOptions, ads_dataset_id, ads_scale,
    is_simulation_of, presets, simulate, simulate_ads, simulate_ads_in_shards,
};
pub use statistics::{HistoryLengths, Statistics};
pub use store::{MOST_SHARDS, open, read_manifest, read_truth};
pub use streaming::{StoredShards, open_streamed};
