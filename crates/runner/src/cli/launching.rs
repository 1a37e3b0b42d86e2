//! Where the runs of `reproduce` run, and its look at how far they are.

use crate::examples;
use crate::output::Format;
use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Where the runs run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Launcher {
    /// In this process
    #[default]
    Local,
    /// As a job array of Slurm, and a job after it that writes the report
    Slurm,
    /// As an Indexed Job of Kubernetes, whose manifest is printed
    Kubernetes,
}

/// What the launchers other than the local one take.
#[derive(Debug, Args)]
pub struct LaunchArguments {
    /// Where the runs run; docs/cluster.md tells what happens there
    #[arg(long, value_enum, default_value_t)]
    pub launcher: Launcher,
    /// Slurm: an argument of sbatch over those of this program, such as --partition=long; may be repeated
    #[arg(long = "slurm-arg", value_name = "ARG", allow_hyphen_values = true)]
    pub slurm_arguments: Vec<String>,
    /// Kubernetes: the container image, with this program as din-repro in its PATH
    #[arg(long, required_if_eq("launcher", "kubernetes"))]
    pub image: Option<String>,
    /// Kubernetes: the persistent volume claim that holds this folder: reports and prepared data
    #[arg(long, value_name = "NAME", required_if_eq("launcher", "kubernetes"))]
    pub claim: Option<String>,
    /// A task of a job: the list of runs that the launcher wrote
    #[arg(long, hide = true)]
    pub list: Option<PathBuf>,
    /// A task of a job: which run of the list, from 0
    #[arg(long, hide = true, env = "JOB_COMPLETION_INDEX", default_value_t)]
    pub index: usize,
    /// The job after an array: the array's list
    #[arg(long, hide = true)]
    pub after: Option<PathBuf>,
    /// The job after an array: how many arrays before it finished no run
    #[arg(long, hide = true, default_value_t)]
    pub in_vain: u32,
}

/// What `reproduce` does instead of running.
#[derive(Debug, Subcommand)]
pub enum ReproduceCommand {
    /// Say how far the runs are: finished, running, queued, failed, to do
    Status(StatusArguments),
}

/// See [`ReproduceCommand::Status`].
#[derive(Debug, Args)]
#[command(after_help = examples::REPRODUCE_STATUS)]
pub struct StatusArguments {
    /// Suite whose runs are listed, as for `reproduce`; otherwise those that were begun or submitted
    #[arg(long)]
    pub suite: Option<String>,
    /// Folder of prepared datasets, to know a suite's runs by
    #[arg(long, default_value = crate::data::PREPARED_FOLDER)]
    pub prepared: PathBuf,
    /// Folder of the report
    #[arg(long, default_value = "reports")]
    pub out: PathBuf,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}
