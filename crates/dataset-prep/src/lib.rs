#![doc = include_str!("../README.md")]

mod assemble;
mod catalog;
mod columns;
mod content;
mod custom;
mod error;
mod form;
mod inputs;
mod manifest;
mod metadata;
mod movielens;
mod numbering;
mod predictions;
mod prepare;
mod raw;
mod records;
mod reviews;
mod rows;
pub mod simulate;
mod source;
mod splits;
mod statistics;
mod store;
mod tables;
mod taobao;
mod text;
mod x1;

pub use catalog::{Kind, KnownDataset, Origin, catalog};
pub use error::{Error, Place, Result};
pub use manifest::{FileRecord, Layout, MANIFEST_SCHEMA_VERSION, Manifest, Simulation};
pub use predictions::{Predictions, read_predictions, write_predictions};
pub use prepare::{Check, HistoryRule, PrepOptions, Prepared, prepare};
pub use simulate::{SimulateOptions, presets, simulate};
pub use statistics::{HistoryLengths, Statistics};
pub use store::{open, read_manifest};
