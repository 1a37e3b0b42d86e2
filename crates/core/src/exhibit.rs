//! What wrong ways to score do to a run's number: kept beside its record and never in it.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Version of the layout below.
pub const EXHIBIT_SCHEMA_VERSION: u32 = 1;

/// The file beside a run's record.
pub const EXHIBIT_FILE: &str = "exhibits.json";

/// One run's test gAUC, right and wrong.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExhibitRecord {
    /// [`EXHIBIT_SCHEMA_VERSION`] of the writer.
    pub schema_version: u32,
    /// The run.
    pub run_id: String,
    /// SHA-256 of the weights that were scored.
    pub model_sha256: String,
    /// Test gAUC as it should be: the record's own.
    pub test_gauc: f64,
    /// Test gAUC in each wrong way that applies to the model, by its name (`exhibit_…`).
    pub exhibits: BTreeMap<String, f64>,
}
