//! What the raw files call the ids of a prepared dataset.

use crate::Result;
use crate::manifest::Layout;
use crate::store;
use std::collections::HashMap;
use std::path::Path;

/// The keys of one vocabulary: the texts that the raw files had.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keys {
    /// The vocabulary.
    pub vocabulary: String,
    /// Key of id `i` at `i - 1`: id 0 is reserved.
    pub keys: Vec<String>,
    /// What people call it, at the same place; empty where the source has no such names.
    pub titles: Vec<String>,
}

impl Keys {
    /// The key of an id; none for the reserved one.
    pub fn key(&self, id: u32) -> Option<&str> {
        self.keys.get((id as usize).checked_sub(1)?).map(String::as_str)
    }

    /// The title of an id, or else its key; empty for the reserved id 0 and for what is not there.
    pub fn name(&self, id: u32) -> &str {
        let title = (id as usize).checked_sub(1).and_then(|place| self.titles.get(place));
        title.map(String::as_str).or_else(|| self.key(id)).unwrap_or_default()
    }

    /// Ids by key.
    pub(super) fn numbers(&self) -> HashMap<Box<str>, u32> {
        (1..).zip(&self.keys).map(|(id, key)| (key.as_str().into(), id)).collect()
    }
}

/// Reads the keys of all vocabularies of a prepared dataset.
///
/// # Errors
/// Names the file that is missing or damaged.
pub fn read_keys(dir: &Path) -> Result<Vec<Keys>> {
    let manifest = store::read_manifest(dir)?;
    let vocabularies = manifest.schema.vocabularies.iter().enumerate();
    vocabularies
        .map(|(index, vocabulary)| {
            let file = match manifest.layout {
                Layout::Reviews => store::REVIEW_KEYS[index.min(1)].to_string(),
                Layout::Rows => store::vocabulary_file("vocabulary", &manifest.schema, index),
            };
            let (keys, titles) = store::read_keys_and_titles(dir, &manifest, &file)?;
            Ok(Keys { vocabulary: vocabulary.name.clone(), keys, titles })
        })
        .collect()
}
