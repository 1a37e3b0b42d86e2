//! What the paper states as a result, and what our runs say of it.

mod decide;
mod definition;
mod table;

pub use decide::Verdict;
pub(crate) use definition::Selector;
pub(crate) use table::{Decided, counts, notes, overview, table, values};

use crate::Result;
use crate::evidence::Evidence;
use crate::slices::Slice;
use definition::Claim;

/// The verdict on one claim, for those who compare it with what they expect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimVerdict {
    /// The claim's name in `claims.toml`.
    pub claim: String,
    /// The dataset.
    pub dataset: String,
    /// The protocol.
    pub protocol: ctr_core::Protocol,
    /// The preset.
    pub preset: String,
    /// What was found.
    pub verdict: Verdict,
}

/// The claims of the paper.
pub(crate) fn load() -> Result<Vec<Claim>> {
    definition::load()
}

/// Decides all claims on all slices that have runs for any.
pub(crate) fn decide<'a>(
    claims: &'a [Claim],
    slices: &'a [Slice<'a>],
    evidence: &Evidence,
) -> Vec<Decided<'a>> {
    let mut all: Vec<Decided> = Vec::new();
    for slice in slices {
        if all.last().is_some_and(|last| last.slice.dataset.id != slice.dataset.id) {
            evidence.forget();
        }
        let decisions = decide::decide(claims, slice, evidence);
        if !decisions.is_empty() {
            all.push(Decided { slice, decisions });
        }
    }
    all
}

/// The names of all claims, in the order of `claims.toml`.
///
/// # Errors
/// When that file contradicts its form.
pub fn claim_names() -> Result<Vec<String>> {
    Ok(load()?.into_iter().map(|claim| claim.id).collect())
}

/// The verdicts alone.
pub(crate) fn verdicts(all: &[Decided]) -> Vec<ClaimVerdict> {
    let of_slice = |decided: &Decided| {
        let slice = decided.slice;
        let verdict = |decision: &decide::Decision| ClaimVerdict {
            claim: decision.claim.id.clone(),
            dataset: slice.dataset.id.clone(),
            protocol: slice.block.protocol,
            preset: slice.preset.to_string(),
            verdict: decision.verdict,
        };
        decided.decisions.iter().map(verdict).collect::<Vec<_>>()
    };
    all.iter().flat_map(of_slice).collect()
}
