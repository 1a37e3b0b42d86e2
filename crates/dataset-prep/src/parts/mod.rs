//! Preparation in parts: each of several processes, such as the tasks of an array, reads the raw files and keeps the
//! events of its users; one process then numbers everything and writes a dataset in shards.
//!
//! A part is a folder `part-<index>-of-<parts>`:
//!
//! | file | columns |
//! |---|---|
//! | `events.parquet` | `goods`, by user and time |
//! | `users.parquet` | `key`, `events`: how many each has |
//! | `items.parquet` | `key`, `category` |
//! | `categories.parquet` | `key` |
//! | `part.json` | what the part is of, and the files |
//!
//! Numbers in it are its own: the places of keys in its tables, from 1. Keys stand in byte order in every part and in
//! the whole dataset, so events at equal times are in the whole's order already, and times are not needed any more.

mod merge;
mod merged_digest;
mod vocabulary;

pub use merge::{Merged, merge_parts};

use crate::columns::{encode, id_column, ids, text_column, texts};
use crate::content::Content;
use crate::manifest::FileRecord;
use crate::numbering;
use crate::prepare::{Reader, read_events, reader};
use crate::raw::Partition;
use crate::store::{AGAIN, Folder, listed_table, replace_folder};
use crate::{Error, PrepOptions, Result};
use ctr_core::Protocol;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Version of a part's layout.
const PART_SCHEMA_VERSION: u32 = 1;
/// What is in a part, and by which a part is known.
const DESCRIPTION: &str = "part.json";
const EVENTS: &str = "events.parquet";
const USERS: &str = "users.parquet";
const ITEMS: &str = "items.parquet";
const CATEGORIES: &str = "categories.parquet";

/// `part.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartManifest {
    /// Version of the layout.
    pub schema_version: u32,
    /// The dataset.
    pub id: String,
    /// Which part it is.
    pub index: u32,
    /// Number of parts.
    pub of: u32,
    /// Seed of the negatives, which are drawn when parts are merged.
    pub seed: u64,
    /// The default protocol of the dataset.
    pub protocol: Protocol,
    /// Events of the raw files, those of all parts.
    pub events_read: u64,
    /// Events of this part.
    pub events: u64,
    /// Items of the raw files, with and without events.
    pub items_read: u64,
    /// The raw files.
    pub sources: Vec<FileRecord>,
    /// The Parquet files beside this one.
    pub files: Vec<FileRecord>,
    /// Version of the crate.
    pub tool_version: String,
}

/// The folder of a part.
fn part_name(index: u32, of: u32) -> String {
    format!("part-{index:05}-of-{of:05}")
}

/// Reads the raw files of a dataset and writes one part of it into a folder below `parts`: all of it or nothing.
///
/// # Errors
/// Those of [`crate::prepare`]; a dataset that cannot be prepared in parts.
pub fn prepare_part(
    options: &PrepOptions,
    partition: Partition,
    parts: &Path,
) -> Result<PartManifest> {
    let Reader::Events(category) = reader(options)? else {
        return Err(Error::Files {
            folder: options.raw.clone(),
            problem: format!(
                "{} has rows as its source had them, which are not prepared in parts yet",
                options.id
            ),
            remedy: "leave --partition out; parts are for reviews and tables of interactions"
                .into(),
        });
    };
    let raw = read_events(options, category.as_deref(), Some(partition))?;
    let (content, _) = numbering::arrange(&raw)?;
    let out = parts.join(part_name(partition.index, partition.of));
    replace_folder(&out, DESCRIPTION, |folder| {
        write(&content, folder)?;
        Ok(PartManifest {
            schema_version: PART_SCHEMA_VERSION,
            id: options.id.clone(),
            index: partition.index,
            of: partition.of,
            seed: options.seed,
            protocol: options.protocol,
            events_read: raw.events.read,
            events: content.goods.len() as u64,
            items_read: raw.items.items.len() as u64,
            sources: raw.sources.clone(),
            files: folder.take_files(),
            tool_version: env!("CARGO_PKG_VERSION").into(),
        })
    })
}

fn write(content: &Content, folder: &mut Folder) -> Result<()> {
    let counts: Vec<u32> = content.offsets.windows(2).map(|pair| pair[1] - pair[0]).collect();
    folder.put(EVENTS, &encode(vec![id_column("goods", &content.goods)])?)?;
    let users = vec![text_column("key", &content.user_keys), id_column("events", &counts)];
    folder.put(USERS, &encode(users)?)?;
    let items = vec![
        text_column("key", &content.goods_keys),
        id_column("category", &content.goods_categories),
    ];
    folder.put(ITEMS, &encode(items)?)?;
    folder.put(CATEGORIES, &encode(vec![text_column("key", &content.category_keys)])?)
}

/// A part on disk.
#[derive(Debug)]
struct Part {
    dir: PathBuf,
    manifest: PartManifest,
}

impl Part {
    fn open(dir: &Path) -> Result<Self> {
        let path = dir.join(DESCRIPTION);
        let text =
            std::fs::read(&path).map_err(|source| Error::Read { path: path.clone(), source })?;
        let manifest: PartManifest = serde_json::from_slice(&text).map_err(|error| {
            Error::damaged(&path, format!("not the description of a part: {error}; {AGAIN}"))
        })?;
        if manifest.schema_version != PART_SCHEMA_VERSION {
            let reason = format!(
                "schema_version {}, but this program knows {PART_SCHEMA_VERSION}; prepare all parts with one \
                 version",
                manifest.schema_version
            );
            return Err(Error::damaged(&path, reason));
        }
        Ok(Self { dir: dir.to_path_buf(), manifest })
    }

    /// Keys of a table and, where there is such a column, a number for each.
    fn keys(&self, name: &str, column: Option<&str>) -> Result<(Vec<String>, Vec<u32>)> {
        let (path, frame) = listed_table(&self.dir, DESCRIPTION, &self.manifest.files, name)?;
        let keys = texts(&path, &frame, "key")?;
        // Merging walks through them in this order.
        if let Some(row) = keys.windows(2).position(|pair| pair[0] >= pair[1]) {
            let reason = format!("key {:?} in row {} is out of order", keys[row + 1], row + 2);
            return Err(Error::damaged(&path, format!("{reason}; {AGAIN}")));
        }
        let numbers = column.map_or(Ok(Vec::new()), |column| ids(&path, &frame, column))?;
        Ok((keys, numbers))
    }

    /// The good of each event, as the part numbers goods.
    fn goods(&self) -> Result<Vec<u32>> {
        let (path, frame) = listed_table(&self.dir, DESCRIPTION, &self.manifest.files, EVENTS)?;
        ids(&path, &frame, "goods")
    }

    fn damaged<T>(&self, reason: impl std::fmt::Display) -> Result<T> {
        Err(Error::damaged(&self.dir, format!("{reason}; {AGAIN}")))
    }
}
