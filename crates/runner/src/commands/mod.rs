//! The verbs.

mod ab_test;
mod compare;
mod data;
mod doctor;
mod evaluate;
mod export;
mod fetch;
mod predict;
mod reproduce;
mod rows;
mod shell;
mod signature;
mod train;
mod verify;
mod visualize;

use crate::cli::{Cli, Command};
use crate::{environment, interrupt};
use anyhow::Result;

/// Does what the command line says.
pub fn run(arguments: Cli) -> Result<()> {
    interrupt::install();
    let quiet = arguments.quiet;
    if !matches!(arguments.command, Command::Doctor(_)) {
        environment::begin_threads()?;
    }
    // Processes at one grid divide its runs between them.
    let for_several = matches!(arguments.command, Command::Train(_) | Command::Reproduce(_));
    if ctr_mpi::launched_rank().is_some() && !for_several {
        anyhow::bail!(
            "several processes were started together, which this command has no use for: start one, or, by Slurm, \
             several that have nothing to do with one another: `srun --mpi=none`"
        );
    }
    match arguments.command {
        Command::Doctor(arguments) => doctor::doctor(&arguments),
        Command::Datasets(arguments) => data::datasets(&arguments),
        Command::Fetch(arguments) => fetch::fetch(&arguments, quiet),
        Command::Prep(arguments) => data::prep(&arguments),
        Command::Simulate(arguments) => data::simulate(&arguments),
        Command::Stats(arguments) => data::stats(&arguments),
        Command::Train(arguments) => train::train(&arguments, quiet),
        Command::Eval(arguments) => evaluate::evaluate(&arguments),
        Command::Predict(arguments) => predict::predict(&arguments),
        Command::Export(arguments) => export::export(&arguments),
        Command::Rows(arguments) => rows::rows(&arguments),
        Command::Verify(arguments) => verify::verify(&arguments, quiet),
        Command::Visualize(arguments) => visualize::visualize(&arguments),
        Command::Compare(arguments) => compare::compare(&arguments),
        Command::Signature(arguments) => signature::signature(&arguments),
        Command::AbTest(arguments) => ab_test::ab_test(&arguments),
        Command::Reproduce(arguments) => reproduce::reproduce(&arguments, quiet),
        Command::Report(arguments) => reproduce::report(&arguments),
        Command::Completions(arguments) => shell::completions(&arguments),
        Command::Man(arguments) => shell::man(&arguments),
    }
}

/// A pool of the number of threads asked for, or of all cores.
fn pool(threads: Option<usize>) -> Result<rayon::ThreadPool> {
    if threads == Some(0) {
        anyhow::bail!("--threads 0: expected at least 1");
    }
    environment::pool(threads.unwrap_or_else(environment::cores))
}
