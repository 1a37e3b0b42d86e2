#![doc = include_str!("../README.md")]

mod base64;
mod choice;
mod comparison;
mod comparison_table;
mod cost;
mod curves;
mod error;
mod export;
mod figure4;
mod figure4_plot;
mod format;
mod html;
mod legend;
mod marks;
mod models;
mod picture;
mod plot;
mod records;
mod reference;
mod regularizers;
mod results;
mod slices;
mod stats;
mod study;
mod table;
mod table1;
mod table2;
mod table3;
mod table3_overview;
mod table4;
mod table5;
mod variants;
mod write;

pub use error::{Error, Result};
pub use records::read_records;
pub use write::{ReportOptions, ReportSummary, write_report};
