//! Errors as a user sees them, and exit codes.

use anyhow::anyhow;
use ctr_core::panic_text;
use std::any::Any;
use std::fmt;
use std::io::Write;
use std::process::ExitCode;

/// Ends that are not errors of usage or input.
#[derive(Debug, PartialEq, Eq)]
pub enum Failure {
    /// An expectation or claim did not hold: exit code 1.
    Expectation(String),
    /// Stopped by the user with the state kept: exit code 130.
    Interrupted(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Expectation(message) | Self::Interrupted(message) => f.write_str(message),
        }
    }
}

impl std::error::Error for Failure {}

/// The error that a caught panic is to a user.
pub fn defect(payload: &(dyn Any + Send)) -> anyhow::Error {
    anyhow!(
        "a defect of this program: {}; what was finished is kept. Please report it with what `--log \
         debug` prints",
        panic_text(payload).unwrap_or("no message")
    )
}

/// Whether the user stopped it, wherever that was noticed.
pub fn is_interruption(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(Failure::Interrupted(_)))
        || matches!(error.downcast_ref(), Some(ctr_train::Error::Interrupted))
}

/// Whether another rank was lost before or after the steps, whose own error says what is kept.
pub fn is_lost_rank(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        matches!(cause.downcast_ref(), Some(ctr_nn::Error::Rank(_)))
            || matches!(cause.downcast_ref(), Some(ctr_train::Error::Model(ctr_nn::Error::Rank(_))))
    })
}

/// Writes the error and its causes to stderr in one line and gives the exit code.
pub fn report(error: &anyhow::Error) -> ExitCode {
    if let Some(io) = error.root_cause().downcast_ref::<std::io::Error>()
        && io.kind() == std::io::ErrorKind::BrokenPipe
    {
        // `din-repro … | head` is no failure.
        return ExitCode::SUCCESS;
    }
    let code = match error.downcast_ref::<Failure>() {
        _ if is_interruption(error) => 130,
        Some(Failure::Expectation(_)) => 1,
        _ => 2,
    };
    if code == 130 && !ctr_mpi::speaks() {
        return ExitCode::from(code);
    }
    let word = if code == 130 { "interrupted" } else { "error" };
    // Causes that a message already contains (transparent errors) are not told twice.
    let mut text = String::new();
    for cause in error.chain() {
        let cause = cause.to_string();
        if !text.contains(&cause) {
            text = if text.is_empty() { cause } else { format!("{text}: {cause}") };
        }
    }
    let _ = writeln!(std::io::stderr(), "{word}: {text}");
    ExitCode::from(code)
}
