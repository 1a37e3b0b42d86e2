//! From raw files to a prepared dataset in memory.

use crate::content::Content;
use crate::inputs::{self, Inputs};
use crate::manifest::{Counts, MANIFEST_SCHEMA_VERSION, Manifest, NEGATIVES, TIE_RULE};
use crate::raw::Raw;
use crate::release::Release;
use crate::{Error, Kind, Result, Statistics};
use crate::{catalog, metadata, numbering, reviews, splits, store, tables};
use ctr_core::{Dataset, Protocol, Schema};
use std::path::{Path, PathBuf};

/// The identifier that needs no catalog entry.
const CUSTOM: &str = "custom";

/// What to prepare.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrepOptions {
    /// A dataset of the catalog, or `custom`.
    pub id: String,
    /// Folder with the raw files.
    pub raw: PathBuf,
    /// Seed of the negatives.
    pub seed: u64,
    /// The prepared dataset's default protocol.
    pub protocol: Protocol,
}

/// A prepared dataset in memory, not yet written.
#[derive(Clone, Debug)]
pub struct Prepared {
    pub(crate) content: Content,
    pub(crate) manifest: Manifest,
}

impl Prepared {
    /// Writes the prepared dataset to the folder `out`: all of it or nothing.
    ///
    /// An existing prepared dataset there is replaced; an empty folder is filled.
    ///
    /// # Errors
    /// When `out` holds anything else, or the system refuses.
    pub fn write(&self, out: &Path) -> Result<()> {
        store::write(&self.content, &self.manifest, out)
    }

    /// The manifest. Its list of files is empty until the dataset is written.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Counts under the manifest's protocol: the row of the paper's table 2 and more.
    ///
    /// # Errors
    /// When the dataset does not pass its own checks, which would be a fault of this crate.
    pub fn statistics(&self) -> Result<Statistics> {
        Ok(Statistics::of(&self.dataset(self.manifest.protocol)?))
    }

    /// The dataset as models see it, under any protocol.
    ///
    /// # Errors
    /// When the dataset does not pass its own checks, which would be a fault of this crate.
    pub fn dataset(&self, protocol: Protocol) -> Result<Dataset> {
        splits::dataset(&self.content, &self.manifest, protocol)
    }
}

/// Reads the raw files of a dataset and prepares it. Nothing is written.
///
/// # Errors
/// An unknown identifier, missing files, or the first thing wrong in a file with its line and field.
pub fn prepare(options: &PrepOptions) -> Result<Prepared> {
    let category = category(&options.id)?;
    let ((events, first), (items, second)) = match inputs::find(&options.raw, category.as_deref())?
    {
        Inputs::Amazon { reviews, metadata } => {
            // At the same time, since each is mostly unpacked by one thread. What is wrong with the
            // reviews is told first.
            let release = Release::of(&reviews);
            let (events, items) =
                rayon::join(|| reviews::read(&reviews), || metadata::read(&metadata, release));
            (events?, items?)
        }
        Inputs::Tables { interactions, items } => {
            (tables::interactions(&interactions)?, tables::items(&items)?)
        }
    };
    let raw = Raw {
        id: options.id.clone(),
        events,
        items,
        sources: vec![first, second],
        simulation: None,
    };
    from_raw(&raw, options.seed, options.protocol)
}

/// The category in the names of the raw files, if the dataset has one.
fn category(id: &str) -> Result<Option<String>> {
    if id == CUSTOM {
        return Ok(None);
    }
    let known = catalog()?;
    match known.iter().find(|dataset| dataset.id == id) {
        Some(dataset) if dataset.kind == Kind::Simulated => Err(Error::Simulation {
            preset: id.into(),
            reason: "it has no raw files; use the simulator with this preset".into(),
        }),
        Some(dataset) => Ok(dataset.category.clone()),
        None => {
            let mut names: Vec<&str> = known.iter().map(|dataset| &*dataset.id).collect();
            names.push(CUSTOM);
            Err(Error::UnknownDataset { id: id.into(), known: names.join(", ") })
        }
    }
}

/// The steps that raw files and the simulator share.
pub(crate) fn from_raw(raw: &Raw, seed: u64, protocol: Protocol) -> Result<Prepared> {
    let content = numbering::number(raw, seed)?;
    let mut manifest = manifest_of(&content, &raw.id, protocol);
    manifest.seed = seed;
    manifest.simulated = raw.simulation.is_some();
    manifest.simulation = raw.simulation.clone();
    manifest.sources = raw.sources.clone();
    manifest.counts.items_without_reviews =
        (raw.items.items.len() - content.goods_keys.len()) as u64;
    Ok(Prepared { content, manifest })
}

/// A manifest with all that follows from the content.
pub(crate) fn manifest_of(content: &Content, id: &str, protocol: Protocol) -> Manifest {
    Manifest {
        schema_version: MANIFEST_SCHEMA_VERSION,
        id: id.into(),
        simulated: false,
        simulation: None,
        seed: 0,
        protocol,
        negatives: NEGATIVES.into(),
        tie_rule: TIE_RULE.into(),
        schema: Schema::goods_and_categories(
            content.goods_keys.len() as u32,
            content.category_keys.len() as u32,
        ),
        counts: Counts {
            users: content.user_keys.len() as u64,
            goods: content.goods_keys.len() as u64,
            categories: content.category_keys.len() as u64,
            reviews: content.goods.len() as u64,
            items_without_reviews: 0,
        },
        content_sha256: content.sha256(),
        sources: Vec::new(),
        files: Vec::new(),
        tool_version: env!("CARGO_PKG_VERSION").into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_checked_before_any_file_is_read() {
        let options = |id: &str| PrepOptions {
            id: id.into(),
            raw: "no/such/folder".into(),
            seed: 1,
            protocol: Protocol::Authors,
        };
        let message = prepare(&options("amazon-beuty")).unwrap_err().to_string();
        assert!(message.contains("amazon-beauty") && message.contains("custom"), "{message}");
        let message = prepare(&options("tiny")).unwrap_err().to_string();
        assert!(message.contains("use the simulator"), "{message}");
        let message = prepare(&options("custom")).unwrap_err().to_string();
        assert!(message.contains("no/such/folder"), "{message}");
    }
}
