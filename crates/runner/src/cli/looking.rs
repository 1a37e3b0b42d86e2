//! Verbs that look at what runs left: comparisons, pictures, simulated service.

use crate::examples;
use crate::output::Format;
use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// See [`super::Command::Visualize`].
#[derive(Debug, Args)]
#[command(after_help = examples::VISUALIZE)]
pub struct VisualizeArguments {
    /// What to draw
    #[arg(value_enum)]
    pub figure: Figure,
    /// Run directory; of din or din_dice for activation
    #[arg(long, value_name = "DIR")]
    pub run: PathBuf,
    /// Prepared dataset; default datasets/prepared/ and the id in the record
    #[arg(long)]
    pub data: Option<PathBuf>,
    /// Folder to write
    #[arg(long, default_value = "reports")]
    pub out: PathBuf,
    /// Seed of the places that the map of embeddings begins with
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Neighbors that a point of the map is to keep, roughly
    #[arg(long, default_value_t = 30.0)]
    pub perplexity: f32,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

/// What `visualize` draws.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Figure {
    /// Weights of the local activation unit on real histories (figure 5)
    Activation,
    /// Embeddings of goods by t-SNE (figure 6)
    Embedding,
}

/// See [`super::Command::AbTest`].
#[derive(Debug, Args)]
#[command(after_help = examples::AB_TEST)]
pub struct AbTestArguments {
    /// Run directory of the model in use, the base of the lifts
    #[arg(long, value_name = "DIR")]
    pub a: PathBuf,
    /// Run directory of the model on trial
    #[arg(long, value_name = "DIR")]
    pub b: PathBuf,
    /// Prepared dataset; default datasets/prepared/ and the id in the record
    #[arg(long)]
    pub data: Option<PathBuf>,
    /// Days to serve, which follow those of the log
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u16).range(2..=365))]
    pub days: u16,
    /// Requests a day
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(1..))]
    pub requests: u32,
    /// Ads to choose from in a request
    #[arg(long, default_value_t = 300, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub candidates: u32,
    /// Seed of users, requests and clicks
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Threads; latency is always measured on one
    #[arg(long)]
    pub threads: Option<usize>,
    /// File to write, which the report then shows
    #[arg(long, default_value = "reports/ab_test.json")]
    pub out: PathBuf,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

/// See [`super::Command::Compare`].
#[derive(Debug, Args)]
#[command(after_help = examples::COMPARE)]
pub struct CompareArguments {
    /// A run directory, a folder of runs, or a pattern such as 'reports/runs/amazon-beauty-held-out-din-seed*'
    pub first: String,
    /// What to compare it with
    pub second: String,
    /// Resamples of the bootstrap, and permutations
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..))]
    pub resamples: u32,
    /// Seed of both
    #[arg(long, default_value_t = 1234)]
    pub seed: u64,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

/// See [`super::Command::Signature`].
#[derive(Debug, Args)]
#[command(after_help = examples::SIGNATURE)]
pub struct SignatureArguments {
    /// The signature, in quotes
    pub text: String,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}
