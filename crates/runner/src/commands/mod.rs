//! The verbs.

mod ab_test;
mod compare;
mod data;
mod evaluate;
mod fetch;
mod reproduce;
mod signature;
mod train;

use crate::cli::{Cli, Command};
use crate::interrupt;
use anyhow::Result;

/// Does what the command line says.
pub fn run(arguments: Cli) -> Result<()> {
    interrupt::install();
    let quiet = arguments.quiet;
    match arguments.command {
        Command::Datasets(arguments) => data::datasets(&arguments),
        Command::Fetch(arguments) => fetch::fetch(&arguments, quiet),
        Command::Prep(arguments) => data::prep(&arguments),
        Command::Simulate(arguments) => data::simulate(&arguments),
        Command::Stats(arguments) => data::stats(&arguments),
        Command::Train(arguments) => train::train(&arguments, quiet),
        Command::Eval(arguments) => evaluate::evaluate(&arguments),
        Command::Verify(arguments) => evaluate::verify(&arguments, quiet),
        Command::Compare(arguments) => compare::compare(&arguments),
        Command::Signature(arguments) => signature::signature(&arguments),
        Command::AbTest(arguments) => ab_test::ab_test(&arguments, quiet),
        Command::Reproduce(arguments) => reproduce::reproduce(&arguments, quiet),
        Command::Report(arguments) => reproduce::report(&arguments, quiet),
    }
}

/// A pool of the number of threads asked for, or of all cores.
fn pool(threads: Option<usize>) -> Result<rayon::ThreadPool> {
    if threads == Some(0) {
        anyhow::bail!("--threads 0: expected at least 1");
    }
    let threads = threads.unwrap_or_else(crate::environment::cores);
    Ok(rayon::ThreadPoolBuilder::new().num_threads(threads).build()?)
}
