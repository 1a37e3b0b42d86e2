#![doc = include_str!("../README.md")]

mod catalog;
mod columns;
mod content;
mod error;
mod inputs;
mod manifest;
mod metadata;
mod numbering;
mod origin;
mod predictions;
mod prepare;
mod raw;
mod reviews;
pub mod simulate;
mod source;
mod splits;
mod statistics;
mod store;
mod tables;
mod text;

pub use catalog::{Kind, KnownDataset, catalog};
pub use error::{Error, Place, Result};
pub use manifest::{Counts, FileRecord, MANIFEST_SCHEMA_VERSION, Manifest, Simulation};
pub use origin::{Address, Checks, Member, Origin};
pub use predictions::{Predictions, read_predictions, write_predictions};
pub use prepare::{PrepOptions, Prepared, prepare};
pub use simulate::{SimulateOptions, presets, simulate};
pub use statistics::{HistoryLengths, Statistics};
pub use store::{open, read_manifest};
