//! What happened, line by line.

use crate::{Error, Result};
use serde_json::{Value, json};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// Appends one JSON object a line to `events.jsonl`. It is a log for people and tools; nothing is read
/// back from it.
#[derive(Debug)]
pub(crate) struct EventLog {
    path: PathBuf,
    file: std::fs::File,
}

impl EventLog {
    pub fn open(directory: &Path) -> Result<Self> {
        let path = directory.join("events.jsonl");
        let file = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)
            .map_err(|source| Error::Io { path: path.clone(), source })?;
        Ok(Self { path, file })
    }

    /// Writes `event` with its name and the time.
    pub fn write(&mut self, name: &str, event: &Value) -> Result<()> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
        let line = json!({"event": name, "unix_seconds": now, "data": event}).to_string() + "\n";
        self.file
            .write_all(line.as_bytes())
            .map_err(|source| Error::Io { path: self.path.clone(), source })
    }
}
