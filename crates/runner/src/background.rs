//! What the report asks of the rest of the program: the test rows of runs.

use crate::job::PREDICTIONS_FILE;
use ctr_report::TestScores;
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
