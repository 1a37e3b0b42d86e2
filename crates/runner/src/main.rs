//! `din-repro`: prepares data, trains the models of the Deep Interest Network paper, and writes tables.
//!
//! Results go to stdout, progress and messages to stderr. Exit codes: 0 done, 1 an expectation failed,
//! 2 wrong usage or bad input, 130 interrupted with state kept.

mod background;
mod cli;
mod commands;
mod config;
mod data;
mod environment;
mod exhibits;
mod expected;
mod failure;
mod fetch;
mod grid;
mod interrupt;
mod job;
mod output;
mod plan;
mod progress;
mod registry;
mod regularizer;
mod serving;
mod suite;

use clap::Parser;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let arguments = match cli::Cli::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version are results and end with 0; usage errors end with 2.
            let code = if error.use_stderr() { 2 } else { 0 };
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    match commands::run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failure::report(&error),
    }
}
