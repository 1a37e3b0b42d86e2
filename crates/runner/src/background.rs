//! What the report asks of the rest of the program: test rows, and the settings of presets.

use crate::config;
use crate::job::PREDICTIONS_FILE;
use crate::registry::ModelId;
use anyhow::Result;
use clap::ValueEnum;
use ctr_report::TestScores;
use serde_json::Value;
use std::path::Path;

/// The test rows that a run left, if it left any.
///
/// # Errors
/// When the file is damaged.
pub fn test_scores(run: &Path) -> Result<Option<TestScores>, String> {
    let path = run.join(PREDICTIONS_FILE);
    if !path.exists() {
        return Ok(None);
    }
    let rows = ctr_dataset_prep::read_predictions(&path).map_err(|error| error.to_string())?;
    Ok(Some(TestScores { users: rows.users, labels: rows.labels, scores: rows.scores }))
}

/// The configuration of every model in every preset.
///
/// # Errors
/// When a preset contradicts its form.
pub fn defaults() -> Result<Vec<Value>> {
    let mut all = Vec::new();
    for preset in config::preset_names() {
        for &model in ModelId::value_variants() {
            all.push(serde_json::to_value(config::resolve(model, preset, None, &[])?)?);
        }
    }
    Ok(all)
}
