//! Verbs by which results leave: scores of new rows, and models for other programs.

use crate::examples;
use crate::output::Format;
use clap::Args;
use ctr_core::Protocol;
use std::path::PathBuf;

/// How ids are written in files of rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum IdForm {
    /// As the raw files had them
    #[default]
    Keys,
    /// Their numbers in the prepared dataset: rows of the embedding tables
    Numbers,
}

/// What becomes of an id that the prepared data does not have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum UnknownId {
    /// The reserved id 0; the closing line counts them
    #[default]
    Zero,
    /// An error that names file, row and column
    Error,
}

/// See [`super::Command::Predict`].
#[derive(Debug, Args)]
#[command(after_help = examples::PREDICT)]
pub struct PredictArguments {
    /// Run directory
    #[arg(long, value_name = "DIR")]
    pub run: PathBuf,
    /// Rows to score
    #[arg(long, value_name = "FILE")]
    pub input: PathBuf,
    /// File to write
    #[arg(long, value_name = "FILE")]
    pub output: PathBuf,
    /// Prepared dataset; default datasets/prepared/ and the id in the record
    #[arg(long)]
    pub data: Option<PathBuf>,
    /// How ids are written
    #[arg(long, value_enum, default_value_t)]
    pub ids: IdForm,
    /// What becomes of ids that the data does not have
    #[arg(long, value_enum, default_value_t)]
    pub unknown: UnknownId,
    /// Rows read at a time; scores do not depend on it
    #[arg(long, default_value_t = 8192, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub batch_size: u32,
    /// Threads; scores do not depend on it
    #[arg(long)]
    pub threads: Option<usize>,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

/// Formats of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum ExportFormat {
    /// The weights by name
    Safetensors,
    /// A graph that scores rows
    Onnx,
}

/// See [`super::Command::Export`].
#[derive(Debug, Args)]
#[command(after_help = examples::EXPORT)]
pub struct ExportArguments {
    /// Run directory
    #[arg(long, value_name = "DIR")]
    pub run: PathBuf,
    /// Which format
    #[arg(long, value_enum)]
    pub format: ExportFormat,
    /// File to write
    #[arg(long, value_name = "FILE")]
    pub output: PathBuf,
    /// Prepared dataset, for onnx; default datasets/prepared/ and the id in the record
    #[arg(long)]
    pub data: Option<PathBuf>,
}

/// A part of a dataset, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum SplitName {
    /// Rows to learn from
    Train,
    /// Rows to choose on
    Validation,
    /// Rows to report
    Test,
}

/// See [`super::Command::Rows`].
#[derive(Debug, Args)]
#[command(after_help = examples::ROWS)]
pub struct RowsArguments {
    /// Prepared dataset
    #[arg(long)]
    pub data: PathBuf,
    /// File to write: .csv, .tsv or .parquet
    #[arg(long, value_name = "FILE")]
    pub output: PathBuf,
    /// Which rows
    #[arg(long, value_enum, default_value = "test")]
    pub split: SplitName,
    /// How ids are written
    #[arg(long, value_enum, default_value_t)]
    pub ids: IdForm,
    /// Split by this protocol instead of the prepared one
    #[arg(long)]
    pub protocol: Option<Protocol>,
}
