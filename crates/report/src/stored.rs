//! Numbers that commands put beside the records, for the report to show.

use crate::pictures::Files;
use crate::{Error, Result};
use ctr_core::{FIGURES_SCHEMA_VERSION, FigureSource, write_atomic};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Reads numbers; none when there is no such file. `version` is where in it the layout's version stands.
///
/// # Errors
/// When the file cannot be read, is of a later program, or does not parse.
pub(crate) fn read<F: DeserializeOwned>(path: &Path, version: &str) -> Result<Option<F>> {
    let text = match std::fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(Error::Read { path: path.into(), source }),
    };
    let fail = |reason: String| Error::Stored { path: path.into(), reason };
    let again = |error: serde_json::Error| {
        fail(format!(
            "{error}; make it again with `din-repro visualize` or `reproduce`, or remove it"
        ))
    };
    let all: Value = serde_json::from_slice(&text).map_err(again)?;
    let version = all.pointer(version).and_then(Value::as_u64).unwrap_or_default();
    if version > u64::from(FIGURES_SCHEMA_VERSION) {
        return Err(fail(format!("schema_version {version} is of a later program")));
    }
    Ok(Some(serde_json::from_slice(&text).map_err(again)?))
}

/// Reads a figure's numbers from every file `<begin><dataset>.json` in a folder. First come those that show most: of
/// real data before simulated, and of data with titles before data with keys.
///
/// # Errors
/// Those of [`read`], and when the folder cannot be listed.
pub(crate) fn read_all<F: DeserializeOwned>(
    folder: &Path,
    begin: &str,
    source: impl Fn(&F) -> &FigureSource,
) -> Result<Vec<F>> {
    let fail = |source| Error::Read { path: folder.into(), source };
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(fail(source)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let name = entry.map_err(fail)?.file_name().to_string_lossy().into_owned();
        if name.starts_with(begin) && name.ends_with(".json") {
            names.push(name);
        }
    }
    names.sort();
    let mut found = Vec::new();
    for name in names {
        found.extend(read::<F>(&folder.join(name), "/source/schema_version")?);
    }
    // The sort is stable.
    found.sort_by_key(|figure| (source(figure).simulated, !source(figure).titled));
    Ok(found)
}

/// Writes files into a folder, and gives their paths.
///
/// # Errors
/// When one cannot be written.
pub(crate) fn write(files: &Files, folder: &Path) -> Result<Vec<PathBuf>> {
    std::fs::create_dir_all(folder)
        .map_err(|source| Error::Folder { path: folder.into(), source })?;
    let mut written = Vec::new();
    for (name, content) in files {
        let path = folder.join(name);
        write_atomic(&path, content)?;
        written.push(path);
    }
    Ok(written)
}
