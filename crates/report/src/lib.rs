#![doc = include_str!("../README.md")]

mod base64;
mod comparison;
mod cost;
mod curves;
mod error;
mod export;
mod format;
mod html;
mod legend;
mod models;
mod picture;
mod plot;
mod records;
mod reference;
mod stats;
mod study;
mod table;
mod table2;
mod table3;
mod table3_overview;
mod variants;
mod write;

pub use error::{Error, Result};
pub use records::read_records;
pub use write::{ReportOptions, ReportSummary, write_report};
