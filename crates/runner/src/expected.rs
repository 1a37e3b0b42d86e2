//! Are the verdicts those that a suite expects?

use crate::failure::Failure;
use crate::suite::Suite;
use anyhow::{Result, bail};
use ctr_report::ClaimVerdict;

/// Compares the verdicts of a report with a suite's expectations. What is expected of a dataset that is not
/// there is told and passed over.
///
/// # Errors
/// [`Failure::Expectation`], which names every claim that differs; a suite without expectations.
pub fn check(suite: &Suite, verdicts: &[ClaimVerdict]) -> Result<()> {
    if suite.expected.is_empty() {
        bail!("the suite expects no verdicts: --check-claims has nothing to compare");
    }
    let mut compared = 0;
    let mut differences = Vec::new();
    for expected in &suite.expected {
        if !verdicts.iter().any(|found| found.dataset == expected.dataset) {
            tracing::info!("{}: not run, its claims are not checked", expected.dataset);
            continue;
        }
        for (claim, wanted) in &expected.verdicts {
            let place =
                format!("{}, {}, preset {}", expected.dataset, expected.protocol, expected.preset);
            let same = |found: &&ClaimVerdict| {
                found.claim == *claim
                    && found.dataset == expected.dataset
                    && found.protocol == expected.protocol
                    && found.preset == expected.preset
            };
            compared += 1;
            match verdicts.iter().find(same) {
                Some(found) if found.verdict == *wanted => {}
                Some(found) => differences
                    .push(format!("{claim} on {place}: {}, expected {wanted}", found.verdict)),
                None => differences.push(format!("{claim} on {place}: no runs, expected {wanted}")),
            }
        }
    }
    tracing::info!("{compared} verdicts compared, {} differ", differences.len());
    if differences.is_empty() {
        return Ok(());
    }
    Err(Failure::Expectation(format!(
        "verdicts are not those that the suite expects:\n  {}",
        differences.join("\n  ")
    ))
    .into())
}
