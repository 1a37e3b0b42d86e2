//! What shells and `man` are given.

use crate::examples;
use clap::Args;
use std::path::PathBuf;

/// See [`super::Command::Completions`].
#[derive(Debug, Args)]
#[command(after_help = examples::COMPLETIONS)]
pub struct CompletionsArguments {
    /// The shell
    pub shell: clap_complete::Shell,
}

/// See [`super::Command::Man`].
#[derive(Debug, Args)]
#[command(after_help = examples::MAN)]
pub struct ManArguments {
    /// Folder to write
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
}
