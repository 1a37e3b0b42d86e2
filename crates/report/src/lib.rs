#![doc = include_str!("../README.md")]

mod ab_test;
mod base64;
mod choice;
mod claims;
mod comparison;
mod comparison_table;
mod cost;
mod curve_values;
mod curves;
mod error;
mod evidence;
mod exhibits;
mod export;
mod figure4;
mod figure4_plot;
mod format;
mod html;
#[allow(dead_code, reason = "drawn for ablations, exhibits and claims, which are being written")]
mod intervals;
#[allow(dead_code, reason = "drawn for ablations, exhibits and claims, which are being written")]
mod intervals_plot;
mod legend;
mod marks;
mod models;
mod overlay;
mod picture;
mod plot;
mod published;
mod records;
mod reference;
mod regularizers;
mod results;
mod slices;
mod sources;
mod stats;
mod study;
mod table;
mod table1;
mod table2;
mod table3;
mod table3_overview;
mod table4;
mod table5;
mod throughput;
mod tuning;
mod tuning_table;
mod variants;
mod write;

pub use ab_test::ab_test_markdown;
pub use claims::{ClaimVerdict, Verdict};
pub use error::{Error, Result};
pub use evidence::{Background, ReadScores, TestScores};
pub use records::read_records;
pub use tuning::Defaults;
pub use write::{ReportOptions, ReportSummary, write_report};
