//! The command line.

mod launching;
mod looking;
mod outside;
mod shell;

pub use launching::{LaunchArguments, Launcher, ReproduceCommand, StatusArguments};
pub use looking::{
    AbTestArguments, CompareArguments, Figure, SignatureArguments, VisualizeArguments,
};
pub use outside::{
    ExportArguments, ExportFormat, IdForm, PredictArguments, RowsArguments, SplitName, UnknownId,
};
pub use shell::{CompletionsArguments, ManArguments};

use crate::examples;
use crate::log::LogLevel;
use crate::output::Format;
use crate::registry::{ModelId, ModelParser};
use clap::{Args, Parser, Subcommand};
use ctr_core::Protocol;
use ctr_dataset_prep::{HistoryRule, Partition};
use std::path::PathBuf;

/// Reproduces the Deep Interest Network paper (KDD 2018): data, models, tables
#[derive(Debug, Parser)]
#[command(name = "din-repro", version, max_term_width = 100, after_help = examples::PROGRAM)]
pub struct Cli {
    /// What to do
    #[command(subcommand)]
    pub command: Command,
    /// No progress and no messages, only results and errors
    #[arg(long, global = true)]
    pub quiet: bool,
    /// How much is told on stderr
    #[arg(
        long,
        global = true,
        value_enum,
        default_value_t,
        env = "DIN_REPRO_LOG",
        value_name = "LEVEL"
    )]
    pub log: LogLevel,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Check disk, memory, threads, processor, data and versions, and say what to do
    Doctor(DoctorArguments),
    /// List the known datasets: what is there, and where to get what is missing
    Datasets(DatasetsArguments),
    /// Download a dataset's raw files, or say exactly what to place where
    Fetch(FetchArguments),
    /// Prepare a dataset from raw files and print its row of table 2
    Prep(PrepArguments),
    /// Make a simulated dataset
    Simulate(SimulateArguments),
    /// Describe a prepared dataset
    Stats(StatsArguments),
    /// Train one model
    Train(TrainArguments),
    /// Score a finished run's test rows again from its stored weights
    #[command(after_help = examples::EVAL)]
    Eval(EvalArguments),
    /// Score new rows with a finished run
    Predict(PredictArguments),
    /// Write a finished run's model for other programs
    Export(ExportArguments),
    /// Write a prepared dataset's rows as `predict` reads them
    Rows(RowsArguments),
    /// Run a finished run again and compare bit by bit
    #[command(after_help = examples::VERIFY)]
    Verify(EvalArguments),
    /// Look into a trained DIN: weights of its activation unit (figure 5), embeddings (figure 6)
    Visualize(VisualizeArguments),
    /// Compare two runs, or two groups of runs, user by user
    Compare(CompareArguments),
    /// Say what the signature beside a number means
    Signature(SignatureArguments),
    /// Serve simulated users with two models and compare clicks and revenue
    AbTest(AbTestArguments),
    /// Run a suite, skipping what is finished, and write the report
    Reproduce(ReproduceArguments),
    /// Write tables, pictures and index.html from the records, without training
    Report(ReportArguments),
    /// Print what a shell needs to complete verbs, options and names
    Completions(CompletionsArguments),
    /// Write man pages of the program and every verb
    Man(ManArguments),
}

/// See [`Command::Doctor`].
#[derive(Debug, Args)]
#[command(after_help = examples::DOCTOR)]
pub struct DoctorArguments {
    /// Folder of the report
    #[arg(long, default_value = "reports")]
    pub out: PathBuf,
    /// Folder of prepared datasets
    #[arg(long, default_value = crate::data::PREPARED_FOLDER)]
    pub prepared: PathBuf,
    /// Folder with raw files, looked at before datasets/raw
    #[arg(long, env = "DATA_DIR")]
    pub data_dir: Option<PathBuf>,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

/// See [`Command::Datasets`].
#[derive(Debug, Args)]
#[command(after_help = examples::DATASETS)]
pub struct DatasetsArguments {
    /// Folder with raw files, looked at before datasets/raw
    #[arg(long, env = "DATA_DIR")]
    pub data_dir: Option<PathBuf>,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

/// See [`Command::Fetch`].
#[derive(Debug, Args)]
#[command(after_help = examples::FETCH)]
pub struct FetchArguments {
    /// Dataset id, see `din-repro datasets`
    pub dataset: String,
    /// Folder to download into; the files go to a folder of the dataset's name in it
    #[arg(long, default_value = crate::data::RAW_FOLDER)]
    pub raw: PathBuf,
    /// How to print the list of files
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

/// See [`Command::Prep`].
#[derive(Debug, Args)]
#[command(after_help = examples::PREP)]
pub struct PrepArguments {
    /// Dataset id, see `din-repro datasets`; or custom
    pub dataset: String,
    /// Folder with the raw files; otherwise they are looked for in --data-dir and datasets/raw
    #[arg(long)]
    pub raw: Option<PathBuf>,
    /// Folder with raw files of several datasets
    #[arg(long, env = "DATA_DIR")]
    pub data_dir: Option<PathBuf>,
    /// Folder to write; default datasets/prepared/DATASET
    #[arg(long)]
    pub out: Option<PathBuf>,
    /// Seed of what is drawn: negatives, users for training
    #[arg(long, default_value_t = crate::data::DATA_SEED)]
    pub seed: u64,
    /// Which earlier rows of a user form a history where rows have labels: liked or all
    #[arg(long)]
    pub history: Option<HistoryRule>,
    /// Latest events of a history that a row keeps, 0 for all; the dataset's default otherwise
    #[arg(long)]
    pub history_limit: Option<u32>,
    /// Memory for sorting a log that is larger, such as 4GiB; default half of this machine's
    #[arg(long, value_parser = crate::environment::parse_bytes)]
    pub memory_limit: Option<u64>,
    /// Spread users over so many files, so that training can stream them (train.shuffle_buffer)
    #[arg(long)]
    pub shards: Option<u32>,
    /// Prepare only the users of part I of N, into a folder of the part below --out; then --merge
    #[arg(long, value_name = "I/N", requires = "out", conflicts_with_all = ["shards", "merge", "strict"])]
    pub partition: Option<Partition>,
    /// Make one dataset in N shards of the N parts in this folder
    #[arg(long, value_name = "PARTS", conflicts_with = "shards")]
    pub merge: Option<PathBuf>,
    /// Exit with 1 when a count differs from the published one
    #[arg(long)]
    pub strict: bool,
    /// held-out (choose on validation) or authors (best test evaluation); stored as the default
    #[arg(long, default_value = "held-out")]
    pub protocol: Protocol,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

/// See [`Command::Simulate`].
#[derive(Debug, Args)]
#[command(after_help = examples::SIMULATE)]
pub struct SimulateArguments {
    /// tiny (seconds), amazon-electronics-sim (the published counts) or alibaba-sim (a log of ads)
    pub preset: String,
    /// Folder to write; default datasets/prepared/ and the dataset's id
    #[arg(long)]
    pub out: Option<PathBuf>,
    /// Seed of all draws
    #[arg(long, default_value_t = crate::data::DATA_SEED)]
    pub seed: u64,
    /// Factor on the preset's counts
    #[arg(long, default_value_t = 1.0)]
    pub scale: f64,
    /// Spread users over so many files, so that training can stream them (train.shuffle_buffer)
    #[arg(long)]
    pub shards: Option<u32>,
    /// held-out or authors; stored as the default
    #[arg(long, default_value = "held-out")]
    pub protocol: Protocol,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

/// See [`Command::Stats`].
#[derive(Debug, Args)]
#[command(after_help = examples::STATS)]
pub struct StatsArguments {
    /// Prepared dataset
    pub dir: PathBuf,
    /// Count rows under this protocol instead of the prepared one
    #[arg(long)]
    pub protocol: Option<Protocol>,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

/// See [`Command::Train`].
#[derive(Debug, Args)]
#[command(after_help = examples::TRAIN)]
pub struct TrainArguments {
    /// Model
    #[arg(long, value_parser = ModelParser)]
    pub model: ModelId,
    /// Prepared dataset
    #[arg(long)]
    pub data: PathBuf,
    /// Settings to begin from: small (Adam, early stopping), authors (their code), paper (its text)
    #[arg(long, default_value = "small")]
    pub preset: String,
    /// TOML or JSON file over the preset; a run's record.json stands for its configuration
    #[arg(long)]
    pub config: Option<PathBuf>,
    /// A setting over all others, such as train.optimizer.learning_rate=0.01; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub settings: Vec<String>,
    /// Seed of initial weights and order of rows
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Threads; results do not depend on their number
    #[arg(long)]
    pub threads: Option<usize>,
    /// Rows a step
    #[arg(long)]
    pub batch_size: Option<usize>,
    /// Passes over the training rows
    #[arg(long)]
    pub epochs: Option<u64>,
    /// Steps after which to stop
    #[arg(long)]
    pub max_steps: Option<u64>,
    /// held-out or authors instead of the prepared dataset's
    #[arg(long)]
    pub protocol: Option<Protocol>,
    /// The run's directory; default reports/runs/ and a name
    #[arg(long)]
    pub out: Option<PathBuf>,
    /// Continue from the last checkpoint, with the same result as without the interruption
    #[arg(long)]
    pub resume: bool,
    /// Of processes that mpirun started: each has some rows of the tables, not all; results do not depend on it
    #[arg(long)]
    pub spread_tables: bool,
    /// Write event files for TensorBoard into tensorboard/ of the run's directory
    #[arg(long)]
    pub tensorboard: bool,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

/// See [`Command::Eval`] and [`Command::Verify`].
#[derive(Debug, Args)]
pub struct EvalArguments {
    /// Run directory
    #[arg(long, value_name = "DIR")]
    pub run: Option<PathBuf>,
    /// Run directory
    #[arg(value_name = "RUN", conflicts_with = "run", required_unless_present = "run")]
    pub positional: Option<PathBuf>,
    /// Prepared dataset; default datasets/prepared/ and the id in the record
    #[arg(long)]
    pub data: Option<PathBuf>,
    /// Threads
    #[arg(long)]
    pub threads: Option<usize>,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

/// See [`Command::Reproduce`].
#[derive(Debug, Args)]
#[command(
    after_help = examples::REPRODUCE,
    args_conflicts_with_subcommands = true,
    disable_help_subcommand = true
)]
pub struct ReproduceArguments {
    /// Something else than running
    #[command(subcommand)]
    pub instead: Option<ReproduceCommand>,
    /// quick, paper, ablations (one setting of DIN changed at a time), exhibits (scored wrong on purpose),
    /// alibaba, regularization, tuning (the same grid of settings for every model), smoke, or a suite's .toml file
    #[arg(long, default_value = "quick")]
    pub suite: String,
    /// Folder with raw files, looked at before datasets/raw
    #[arg(long, env = "DATA_DIR")]
    pub data_dir: Option<PathBuf>,
    /// Folder of prepared datasets
    #[arg(long, default_value = crate::data::PREPARED_FOLDER)]
    pub prepared: PathBuf,
    /// Folder of the report; runs go to runs/ in it
    #[arg(long, default_value = "reports")]
    pub out: PathBuf,
    /// Runs at a time; default the number of cores, and for a cluster what it allows
    #[arg(long)]
    pub jobs: Option<usize>,
    /// Exit with 1 when a verdict on a claim is not what the suite expects
    #[arg(long)]
    pub check_claims: bool,
    /// Only say what would run and what is finished
    #[arg(long)]
    pub dry_run: bool,
    /// Where the runs run
    #[command(flatten)]
    pub launch: LaunchArguments,
}

/// See [`Command::Report`].
#[derive(Debug, Args)]
#[command(after_help = examples::REPORT)]
pub struct ReportArguments {
    /// Folder of run directories
    #[arg(long, default_value = "reports/runs")]
    pub runs: PathBuf,
    /// Folder to write
    #[arg(long, default_value = "reports")]
    pub out: PathBuf,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    /// The words of a line as a shell splits it, up to where its output goes.
    fn words(line: &str) -> Vec<String> {
        let mut words = Vec::new();
        for (index, part) in line.split('\'').enumerate() {
            if index % 2 == 1 {
                words.push(part.to_string());
            } else {
                words.extend(part.split_whitespace().map(str::to_string));
            }
        }
        words.into_iter().take_while(|word| word != ">").collect()
    }

    #[test]
    fn every_verb_ends_with_examples_that_are_understood() {
        Cli::command().debug_assert();
        for verb in Cli::command().get_subcommands() {
            let name = verb.get_name();
            let help = verb.get_after_help().map(ToString::to_string).unwrap_or_default();
            let (_, examples) =
                help.split_once("Example").unwrap_or_else(|| panic!("{name}: none"));
            // Narrower than a terminal: a wrapped line could not be copied.
            assert!(examples.lines().all(|line| line.len() < 80), "{name}: {examples}");
            let joined = examples.replace("\\\n", " ");
            let lines: Vec<&str> = joined.lines().skip(1).map(str::trim).collect();
            assert!(!lines.is_empty(), "{name}");
            for line in lines {
                let words = words(line);
                assert_eq!(words[..2], ["din-repro", name], "{line}");
                Cli::try_parse_from(&words).unwrap_or_else(|error| panic!("{line}: {error}"));
            }
        }
    }
}
