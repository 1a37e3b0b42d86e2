//! Errors as a user sees them, and exit codes.

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

/// Writes the error and its causes to stderr in one line and gives the exit code.
pub fn report(error: &anyhow::Error) -> ExitCode {
    if let Some(io) = error.root_cause().downcast_ref::<std::io::Error>()
        && io.kind() == std::io::ErrorKind::BrokenPipe
    {
        // `din-repro … | head` is no failure.
        return ExitCode::SUCCESS;
    }
    let code = match error.downcast_ref::<Failure>() {
        Some(Failure::Expectation(_)) => 1,
        Some(Failure::Interrupted(_)) => 130,
        None => 2,
    };
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
