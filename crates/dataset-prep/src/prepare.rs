//! From raw files to a prepared dataset in memory.

use crate::assemble::{Division, RawRows};
use crate::content::Content;
use crate::form::Form;
use crate::inputs::{self, Inputs};
use crate::manifest::{FileRecord, Layout, MANIFEST_SCHEMA_VERSION, Manifest, NEGATIVES, TIE_RULE};
use crate::raw::{Partition, Raw};
use crate::release::Release;
use crate::{Error, Kind, Result, Statistics};
use crate::{catalog, custom, metadata, movielens, numbering, reviews, store, tables, taobao, x1};
use ctr_core::{Dataset, Protocol, Schema};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The identifier that needs no catalog entry.
pub(crate) const CUSTOM: &str = "custom";

/// Which of a user's earlier rows form a history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HistoryRule {
    /// Those with label 1: what the user liked.
    Liked,
    /// All of them.
    All,
}

impl HistoryRule {
    /// As it is written in files and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Liked => "liked",
            Self::All => "all",
        }
    }
}

impl std::str::FromStr for HistoryRule {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        [Self::Liked, Self::All]
            .into_iter()
            .find(|rule| rule.name() == text)
            .ok_or_else(|| format!("unknown history {text:?}: expected liked or all"))
    }
}

/// What to prepare.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrepOptions {
    /// A dataset of the catalog, or `custom`.
    pub id: String,
    /// Folder with the raw files; for `custom` also the TOML file that describes them.
    pub raw: PathBuf,
    /// Seed of what is drawn: negatives, users for training.
    pub seed: u64,
    /// The prepared dataset's default protocol.
    pub protocol: Protocol,
    /// Which earlier rows form a history, where the source leaves that open; else its default.
    pub history: Option<HistoryRule>,
    /// Latest events of a history that a row keeps, 0 for all; else the source's default.
    pub history_limit: Option<u32>,
    /// Bytes of memory that sorting a log larger than memory may take.
    pub memory_limit: u64,
}

impl PrepOptions {
    /// Options with every default.
    pub fn new(id: &str, raw: &Path, protocol: Protocol) -> Self {
        Self {
            id: id.into(),
            raw: raw.to_path_buf(),
            seed: 1234,
            protocol,
            history: None,
            history_limit: None,
            memory_limit: 4 << 30,
        }
    }

    /// The limit to use where the source's own is `default` (0 for none).
    pub(crate) fn limit(&self, default: u32) -> Option<u32> {
        Some(self.history_limit.unwrap_or(default)).filter(|&limit| limit > 0)
    }
}

/// A prepared dataset in memory, not yet written.
#[derive(Clone, Debug)]
pub struct Prepared {
    pub(crate) content: Form,
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

    /// [`Prepared::write`] with users' rows spread over `shards` files, so that training can stream them. Opened as
    /// a whole it is the same dataset.
    ///
    /// # Errors
    /// As there; when the number of shards cannot be, or the layout has no shards.
    pub fn write_sharded(&self, out: &Path, shards: u32) -> Result<Manifest> {
        store::write_sharded(&self.content, &self.manifest, out, shards)
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
        self.content.dataset(&self.manifest, protocol)
    }

    /// Compares counts with those that a correct preparation gives (`expected` of a catalog entry), in
    /// the order of names.
    ///
    /// # Errors
    /// Those of [`Prepared::dataset`].
    pub fn checks(&self, expected: &BTreeMap<String, u64>) -> Result<Vec<Check>> {
        let mut found = self.manifest.counts.clone();
        if expected.keys().any(|name| name.starts_with("authors_")) {
            let rows = Statistics::of(&self.dataset(Protocol::Authors)?);
            found.insert("authors_train_rows".into(), rows.train_rows);
            found.insert("authors_test_rows".into(), rows.test_rows);
        }
        Ok(checks(expected, &found))
    }
}

/// Counts beside the published ones.
pub(crate) fn checks(
    expected: &BTreeMap<String, u64>,
    found: &BTreeMap<String, u64>,
) -> Vec<Check> {
    let check = |(name, &expected): (&String, &u64)| Check {
        name: name.clone(),
        expected,
        found: found.get(name).copied(),
    };
    expected.iter().map(check).collect()
}

/// A count beside the published one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What is counted.
    pub name: String,
    /// As published.
    pub expected: u64,
    /// As prepared; none when this form of the raw files does not have it.
    pub found: Option<u64>,
}

impl Check {
    /// Whether both are equal; a count that the raw files do not have contradicts nothing.
    pub fn holds(&self) -> bool {
        self.found.is_none_or(|found| found == self.expected)
    }
}

/// Reads the raw files of a dataset and prepares it. Nothing is written.
///
/// # Errors
/// An unknown identifier, missing files, or the first thing wrong in a file with its line and field.
pub fn prepare(options: &PrepOptions) -> Result<Prepared> {
    match reader(options)? {
        Reader::Rows(read) => from_rows(read(options)?, options),
        Reader::Events(category) => {
            let raw = read_events(options, category.as_deref(), None)?;
            from_raw(&raw, options.seed, options.protocol)
        }
    }
}

/// How the raw files of a dataset are read.
pub(crate) enum Reader {
    /// As rows.
    Rows(fn(&PrepOptions) -> Result<SourceRows>),
    /// As users' events, of a category of the Amazon data or of any.
    Events(Option<String>),
}

pub(crate) fn reader(options: &PrepOptions) -> Result<Reader> {
    if options.id == CUSTOM {
        let described = custom::is_described(&options.raw);
        return Ok(if described { Reader::Rows(custom::read) } else { Reader::Events(None) });
    }
    let known = known(&options.id)?;
    Ok(match known.kind {
        Kind::Simulated => {
            return Err(Error::Simulation {
                preset: options.id.clone(),
                reason: "it has no raw files; use the simulator with this preset".into(),
            });
        }
        Kind::AmazonX1 => Reader::Rows(x1::read),
        Kind::Movielens => Reader::Rows(movielens::read),
        Kind::TaobaoAd => Reader::Rows(taobao::read),
        Kind::AmazonReviews | Kind::Tables => Reader::Events(known.category),
    })
}

/// Events and items as the raw files have them; the events of some users or of all.
pub(crate) fn read_events(
    options: &PrepOptions,
    category: Option<&str>,
    users: Option<Partition>,
) -> Result<Raw> {
    let ((events, first), (items, second)) = match inputs::find(&options.raw, category)? {
        Inputs::Amazon { reviews, metadata } => {
            // At the same time, since each is mostly unpacked by one thread. What is wrong with the
            // reviews is told first.
            let release = Release::of(&reviews);
            let (events, items) = rayon::join(
                || reviews::read(&reviews, users),
                || metadata::read(&metadata, release),
            );
            (events?, items?)
        }
        Inputs::Tables { interactions, items } => {
            (tables::interactions(&interactions, users)?, tables::items(&items)?)
        }
    };
    Ok(Raw {
        id: options.id.clone(),
        events,
        items,
        sources: vec![first, second],
        simulation: None,
    })
}

/// The catalog's entry of a name.
fn known(id: &str) -> Result<crate::KnownDataset> {
    let mut all = catalog()?;
    match all.iter().position(|dataset| dataset.id == id) {
        Some(position) => Ok(all.swap_remove(position)),
        None => {
            let mut names: Vec<&str> = all.iter().map(|dataset| &*dataset.id).collect();
            names.push(CUSTOM);
            Err(Error::UnknownDataset { id: id.into(), known: names.join(", ") })
        }
    }
}

/// Rows of a source, and how to make a dataset of them.
pub(crate) struct SourceRows {
    /// A name of its own, for data that no catalog has.
    pub id: Option<String>,
    pub rows: RawRows,
    pub division: Division,
    /// The division in the signature's words.
    pub split_rule: String,
    pub choices: BTreeMap<String, String>,
    pub history_limit: Option<u32>,
    /// What was counted while reading; users, samples and positives are counted here.
    pub counts: BTreeMap<String, u64>,
    pub sources: Vec<FileRecord>,
}

fn from_rows(source: SourceRows, options: &PrepOptions) -> Result<Prepared> {
    let content = source.rows.finish(source.division, options.seed)?;
    let positives = content.rows.labels.iter().filter(|&&label| label == 1).count();
    let mut manifest = Manifest {
        seed: options.seed,
        split_rule: source.split_rule,
        choices: source.choices,
        history_limit: source.history_limit,
        schema: content.schema.clone(),
        counts: source.counts,
        content_sha256: content.sha256(),
        sources: source.sources,
        ..blank(source.id.as_deref().unwrap_or(&options.id), options.protocol)
    };
    manifest.counts.extend(counts([
        ("users", content.user_keys.len()),
        ("samples", content.rows.labels.len()),
        ("positives", positives),
    ]));
    Ok(Prepared { content: Form::Rows(Box::new(content)), manifest })
}

/// The steps that raw files and the simulator share.
pub(crate) fn from_raw(raw: &Raw, seed: u64, protocol: Protocol) -> Result<Prepared> {
    let content = numbering::number(raw, seed)?;
    let mut manifest = manifest_of(&content, &raw.id, protocol);
    manifest.seed = seed;
    manifest.simulated = raw.simulation.is_some();
    manifest.simulation = raw.simulation.clone();
    manifest.sources = raw.sources.clone();
    let unused = raw.items.items.len() - content.goods_keys.len();
    manifest.counts.insert("items_without_reviews".into(), unused as u64);
    Ok(Prepared { content: Form::Reviews(content), manifest })
}

/// A manifest with all that follows from the content.
pub(crate) fn manifest_of(content: &Content, id: &str, protocol: Protocol) -> Manifest {
    let sizes = [
        content.user_keys.len(),
        content.goods_keys.len(),
        content.category_keys.len(),
        content.goods.len(),
    ];
    Manifest { content_sha256: content.sha256(), ..manifest_of_events(sizes, id, protocol) }
}

/// The same by the numbers of users, goods, categories and events, without the hash.
pub(crate) fn manifest_of_events(
    [users, goods, categories, events]: [usize; 4],
    id: &str,
    protocol: Protocol,
) -> Manifest {
    Manifest {
        layout: Layout::Reviews,
        split_rule: "last-item".into(),
        negatives: NEGATIVES.into(),
        tie_rule: TIE_RULE.into(),
        schema: Schema::goods_and_categories(goods as u32, categories as u32),
        counts: counts([
            ("users", users),
            ("goods", goods),
            ("categories", categories),
            ("samples", events),
        ]),
        ..blank(id, protocol)
    }
}

fn counts<const N: usize>(counts: [(&str, usize); N]) -> BTreeMap<String, u64> {
    counts.map(|(name, count)| (name.to_string(), count as u64)).into()
}

/// A manifest of nothing, to be filled.
pub(crate) fn blank(id: &str, protocol: Protocol) -> Manifest {
    Manifest {
        schema_version: MANIFEST_SCHEMA_VERSION,
        id: id.into(),
        simulated: false,
        simulation: None,
        seed: 0,
        protocol,
        layout: Layout::Rows,
        split_rule: String::new(),
        negatives: "observed".into(),
        choices: BTreeMap::new(),
        history_limit: None,
        tie_rule: TIE_RULE.into(),
        schema: Schema { vocabularies: Vec::new(), groups: Vec::new() },
        counts: BTreeMap::new(),
        content_sha256: String::new(),
        sources: Vec::new(),
        shards: None,
        files: Vec::new(),
        tool_version: env!("CARGO_PKG_VERSION").into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_checked_before_any_file_is_read() {
        let options =
            |id: &str| PrepOptions::new(id, Path::new("no/such/folder"), Protocol::Authors);
        let message = prepare(&options("amazon-beuty")).unwrap_err().to_string();
        assert!(message.contains("amazon-beauty") && message.contains("custom"), "{message}");
        let message = prepare(&options("tiny")).unwrap_err().to_string();
        assert!(message.contains("use the simulator"), "{message}");
        let message = prepare(&options("custom")).unwrap_err().to_string();
        assert!(message.contains("no/such/folder"), "{message}");
    }
}
