//! Finding and reading run records.

use crate::{Error, Result};
use ctr_core::{RECORD_SCHEMA_VERSION, RunRecord};
use std::fs;
use std::path::{Path, PathBuf};

/// Folders below the given one that are searched: `runs/suite/model/run/record.json` is the deepest.
const DEPTH: usize = 3;
const FILE: &str = "record.json";

/// All run records in `runs` and up to three folders below it, each with the folder of its run, sorted
/// by that folder. Names that begin with a dot are skipped, and nothing is searched inside a run.
///
/// # Errors
/// Names the first folder that cannot be read, the first file that is no record (with line and column)
/// or was written by a later version, and says what to do when there is no record at all.
pub fn read_records(runs: &Path) -> Result<Vec<(PathBuf, RunRecord)>> {
    let mut folders = Vec::new();
    find(runs, DEPTH, &mut folders)?;
    if folders.is_empty() {
        return Err(Error::NoRecords { path: runs.to_path_buf(), depth: DEPTH });
    }
    folders.sort();
    folders
        .into_iter()
        .map(|folder| {
            let record = read_record(&folder.join(FILE))?;
            Ok((folder, record))
        })
        .collect()
}

/// Collects the folders that hold a record.
fn find(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) -> Result<()> {
    let fail = |source| Error::Read { path: folder.to_path_buf(), source };
    if folder.join(FILE).is_file() {
        found.push(folder.to_path_buf());
        return Ok(());
    }
    let entries = match fs::read_dir(folder) {
        // The folder of a checkpoint goes when another process finishes the run.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && depth < DEPTH => {
            return Ok(());
        }
        entries => entries.map_err(fail)?,
    };
    for entry in entries {
        let entry = entry.map_err(fail)?;
        let hidden = entry.file_name().to_string_lossy().starts_with('.');
        if depth > 0 && !hidden && entry.path().is_dir() {
            find(&entry.path(), depth - 1, found)?;
        }
    }
    Ok(())
}

/// The run record in a file.
///
/// # Errors
/// Names the file, with line, column and field when it is no record.
pub fn read_record(path: &Path) -> Result<RunRecord> {
    let text = fs::read_to_string(path)
        .map_err(|source| Error::Read { path: path.to_path_buf(), source })?;
    let fail = |reason: String| Error::Record { path: path.to_path_buf(), reason };
    // The version comes first: a later layout should not be reported as a broken file.
    let value: serde_json::Value =
        serde_json::from_str(&text).map_err(|error| fail(error.to_string()))?;
    if let Some(found) = value.get("schema_version").and_then(serde_json::Value::as_u64)
        && found > u64::from(RECORD_SCHEMA_VERSION)
    {
        let supported = RECORD_SCHEMA_VERSION;
        return Err(Error::NewerSchema { path: path.to_path_buf(), found, supported });
    }
    // Of a record's parts, several have the same type: the message needs the field's path.
    let reader = &mut serde_json::Deserializer::from_str(&text);
    serde_path_to_error::deserialize(reader).map_err(|error| fail(format!("field {error}")))
}
