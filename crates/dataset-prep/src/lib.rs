#![doc = include_str!("../README.md")]

mod catalog;
mod columns;
mod content;
mod error;
mod inputs;
mod lines;
mod manifest;
mod metadata;
mod numbering;
mod predictions;
mod prepare;
mod python;
mod raw;
mod release;
mod reviews;
pub mod simulate;
mod source;
mod splits;
mod statistics;
mod store;
mod tables;
mod text;

pub use catalog::{Kind, KnownDataset, Origin, catalog};
pub use error::{Error, Place, Result};
pub use manifest::{Counts, FileRecord, MANIFEST_SCHEMA_VERSION, Manifest, Simulation};
pub use predictions::{Predictions, read_predictions, write_predictions};
pub use prepare::{PrepOptions, Prepared, prepare};
pub use simulate::{SimulateOptions, presets, simulate};
pub use statistics::{HistoryLengths, Statistics};
pub use store::{open, read_manifest};
