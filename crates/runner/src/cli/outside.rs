//! Verbs by which results leave: scores of new rows, and models for other programs.

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

/// What becomes of an id that the training data did not have.
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
#[command(after_help = "Examples:\n  \
    din-repro rows --data datasets/prepared/tiny --output rows.csv\n  \
    din-repro predict --run reports/runs/RUN --input rows.csv --output scores.parquet\n\n\
    Input: .csv, .tsv (either with .gz) or .parquet, of any length; it is read in pieces. Each field of \
    the data has a column GROUP.FIELD, such as candidate.goods_id, or only FIELD where no other group \
    has one of that name; `din-repro rows` writes an example. In text the events of a history are joined \
    by |, oldest first, and the values of a field with several ids an event by ^; in Parquet they may be \
    lists. Other columns (user, label, …) pass through; fields that the run left out are not needed.\n\n\
    Output: .csv, .tsv or .parquet with the columns that passed through, score (the logit) and \
    probability. It appears when all rows are scored.\n\n\
    Ids are written as the raw files had them, which the prepared dataset keeps. An id that it does not \
    have becomes the reserved id 0: no training row has it (but for ids that regularizer=filter takes \
    out), so its vector is the one drawn at the beginning.")]
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
#[command(
    after_help = "Example:\n  din-repro export --run reports/runs/RUN --format onnx --output din.onnx\n\n\
    onnx: inputs, all int64, are ids as numbers of the prepared dataset: GROUP.FIELD of [batch], or of \
    [batch, length] for histories, oldest event first, padded at their ends with 0; GROUP.length of \
    [batch] counts the real events. A field with several ids an event has one dimension more, and \
    GROUP.FIELD.count says how many are real. Outputs of [batch]: logit, probability. What the run did to \
    ids and histories (regularizer=filter, train.max_history) is in the graph.\n\n\
    safetensors: weights under their paths in the model, such as embedding/goods_id; the metadata entry \
    `ctr` is JSON with model, configuration and the dataset's content hash."
)]
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
#[command(
    after_help = "Columns: user (the number in predictions.parquet), label, and GROUP.FIELD for \
    each field. See `din-repro predict --help`."
)]
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
