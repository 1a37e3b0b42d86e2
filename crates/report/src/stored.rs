//! Numbers that commands put beside the records, for the report to show.

use crate::pictures::Files;
use crate::{Error, Result};
use ctr_core::{FIGURES_SCHEMA_VERSION, write_atomic};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Reads a figure's numbers; none when there is no such file.
///
/// # Errors
/// When the file cannot be read, is of a later program, or does not parse.
pub(crate) fn read<F: DeserializeOwned>(path: &Path) -> Result<Option<F>> {
    #[derive(Deserialize)]
    struct SourceOnly {
        source: VersionOnly,
    }
    #[derive(Deserialize)]
    struct VersionOnly {
        schema_version: u32,
    }
    let text = match std::fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(Error::Read { path: path.into(), source }),
    };
    let fail = |reason: String| Error::Record { path: path.into(), reason };
    let again = |error: serde_json::Error| {
        fail(format!("{error}; make it again with `din-repro visualize`, or remove it"))
    };
    let version: SourceOnly = serde_json::from_slice(&text).map_err(again)?;
    if version.source.schema_version > FIGURES_SCHEMA_VERSION {
        let version = version.source.schema_version;
        return Err(fail(format!("schema version {version} is of a later program")));
    }
    Ok(Some(serde_json::from_slice(&text).map_err(again)?))
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
