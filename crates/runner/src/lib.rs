#![doc = include_str!("../README.md")]
//!
//! Results go to stdout, progress and messages to stderr. Exit codes: 0 done, 1 an expectation failed,
//! 2 wrong usage or bad input, 130 interrupted with state kept, 143 ended by SIGTERM when there was none.

mod allocator;
mod background;
mod cli;
mod commands;
mod config;
mod data;
mod environment;
mod examples;
mod exhibits;
mod expected;
mod failure;
mod fetch;
mod grid;
mod interrupt;
mod job;
mod launch;
mod log;
mod output;
mod plan;
mod progress;
mod queue;
mod registry;
mod regularizer;
mod serving;
mod streamed;
mod suggest;
mod suite;
mod tensorboard;
mod together;
mod visualize;

use clap::Parser;
pub use registry::{Models, Settings};
use std::panic::AssertUnwindSafe;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: allocator::Allocator = allocator::Allocator;

/// Does what the command line says, with the models of this workspace.
pub fn main() -> ExitCode {
    main_with(Models::built_in())
}

/// Does what the command line says, with these models: every verb, suite and record knows them by name.
pub fn main_with(models: Models) -> ExitCode {
    if let Err(error) = registry::install(models) {
        return failure::report(&error);
    }
    let arguments = match cli::Cli::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version are results and end with 0; usage errors end with 2.
            let code = if error.use_stderr() { 2 } else { 0 };
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    // Of several processes at one run the first one speaks for all.
    let quiet = arguments.quiet || !ctr_mpi::speaks();
    log::install(if quiet { log::LogLevel::Error } else { arguments.log });
    // Whatever happens, a user gets a sentence and an exit code.
    let ended = std::panic::catch_unwind(AssertUnwindSafe(|| commands::run(arguments)));
    match ended.unwrap_or_else(|payload| Err(failure::defect(&*payload))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failure::report(&error),
    }
}

/// Reads a suite and resolves every configuration that it asks for.
///
/// # Errors
/// As `reproduce` would give them before it looks at data.
pub fn check_suite(text: &str) -> anyhow::Result<()> {
    suite::check(text)
}

/// Resolves the configuration of DIN in a TOML or JSON file.
///
/// # Errors
/// As `train --config` would give them.
pub fn check_configuration(path: &std::path::Path) -> anyhow::Result<()> {
    config::resolve(registry::ModelId::named("din")?, "small", Some(path), &[]).map(|_| ())
}
