//! Results to stdout.

use anyhow::Result;
use serde::Serialize;
use std::io::Write;

/// How results are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// One JSON value.
    Json,
}

/// Prints a result to stdout.
pub fn result(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.trim_end_matches('\n').as_bytes())?;
    out.write_all(b"\n")?;
    Ok(())
}

/// Prints a result in the format asked for.
pub fn formatted(
    format: Format,
    value: &impl Serialize,
    text: impl FnOnce() -> String,
) -> Result<()> {
    match format {
        Format::Text => result(&text()),
        Format::Json => result(&serde_json::to_string_pretty(value)?),
    }
}

/// A whole number with separators: 1,689,188.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::grouped;

    #[test]
    fn numbers_are_grouped_by_thousands() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1000), "1,000");
        assert_eq!(grouped(1_689_188), "1,689,188");
    }
}
