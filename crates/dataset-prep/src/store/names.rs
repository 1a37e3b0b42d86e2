//! What ids stand for: the raw data's keys, and titles where it has them.

use super::reviews::{CATEGORIES, ITEMS};
use super::{AGAIN, read_manifest, table, vocabulary_file};
use crate::columns::texts;
use crate::manifest::Layout;
use crate::{Error, Result};
use std::path::Path;

/// Names of the ids of every vocabulary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    /// One entry a vocabulary of the schema; id `i` at `i - 1`.
    vocabularies: Vec<Vec<String>>,
    /// Whether the names of each are titles, not keys.
    titled: Vec<bool>,
}

impl Names {
    /// The name of an id; empty for the reserved id 0 and for what is not there.
    pub fn name(&self, vocabulary: usize, id: u32) -> &str {
        let place = (id as usize).checked_sub(1);
        place
            .and_then(|place| self.vocabularies.get(vocabulary)?.get(place))
            .map_or("", |name| name)
    }

    /// Whether people can read the names of a vocabulary: they are titles.
    pub fn titled(&self, vocabulary: usize) -> bool {
        self.titled.get(vocabulary).copied().unwrap_or(false)
    }
}

/// Reads the names of a prepared dataset's ids.
///
/// # Errors
/// A file that is missing, damaged or of another length than the manifest says.
pub fn read_names(dir: &Path) -> Result<Names> {
    let manifest = read_manifest(dir)?;
    let mut names = Names { vocabularies: Vec::new(), titled: Vec::new() };
    for (vocabulary, known) in manifest.schema.vocabularies.iter().enumerate() {
        let file = match (manifest.layout, vocabulary) {
            (Layout::Reviews, 0) => ITEMS.to_string(),
            (Layout::Reviews, _) => CATEGORIES.to_string(),
            (Layout::Rows, _) => vocabulary_file("vocabulary", &manifest.schema, vocabulary),
        };
        let (path, frame) = table(dir, &manifest, &file)?;
        let titled = frame.column("title").is_ok();
        let texts = texts(&path, &frame, if titled { "title" } else { "key" })?;
        if texts.len() as u64 + 1 != u64::from(known.size) {
            let reason = format!("{} names, manifest.json says {}", texts.len(), known.size - 1);
            return Err(Error::damaged(&path, format!("{reason}; {AGAIN}")));
        }
        names.vocabularies.push(texts);
        names.titled.push(titled);
    }
    Ok(names)
}
