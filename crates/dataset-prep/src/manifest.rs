//! The manifest: what a prepared dataset is and where it came from.

use ctr_core::{Ceiling, Protocol, Schema};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Version of the layout of a prepared dataset; it grows with every change that a reader must know of.
pub const MANIFEST_SCHEMA_VERSION: u32 = 2;

/// How events of one user with the same time are ordered.
pub(crate) const TIE_RULE: &str =
    "events of a user with equal times stand in the byte order of the items' keys";

/// What a negative is, in the signature's words.
pub(crate) const NEGATIVES: &str = "uniform-1";

/// A file with its size and hash. The name has no folder: a manifest says nothing about the machine it
/// was made on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileRecord {
    /// File name.
    pub name: String,
    /// Size on disk in bytes.
    pub bytes: u64,
    /// SHA-256 of the bytes on disk, lower-case hexadecimal.
    pub sha256: String,
}

/// What the files of a prepared dataset hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Layout {
    /// Users' events, each with a negative: rows follow from them.
    Reviews,
    /// Rows as the source had them, and histories.
    Rows,
}

/// The files that users' rows are spread over, and by which rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sharding {
    /// How users come to their shards.
    pub rule: String,
    /// The shards, in the order of their numbers.
    pub shards: Vec<ShardRecord>,
}

impl Sharding {
    /// Training rows of each shard.
    pub fn train_rows(&self, protocol: Protocol) -> Vec<u64> {
        let of = |shard: &ShardRecord| match protocol {
            Protocol::HeldOut => shard.train_rows,
            Protocol::Authors => shard.authors_train_rows,
        };
        self.shards.iter().map(of).collect()
    }
}

/// What one shard has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShardRecord {
    /// Its users.
    pub users: u64,
    /// Their events, or rows as the source had them.
    pub events: u64,
    /// Training rows under the protocol `held-out`.
    pub train_rows: u64,
    /// Training rows under the protocol `authors`.
    pub authors_train_rows: u64,
}

/// How simulated data was made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Simulation {
    /// Name of the preset.
    pub preset: String,
    /// Factor on the preset's counts.
    pub scale: f64,
    /// Version of the generator: the same version, preset, scale and seed give the same data.
    pub generator_version: u32,
    /// What the true click probabilities reach on the test rows, where the generator has them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ceiling: Option<Ceiling>,
}

/// `manifest.json` of a prepared dataset.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// [`MANIFEST_SCHEMA_VERSION`] of the writer.
    pub schema_version: u32,
    /// Identifier of the dataset, such as `amazon-beauty`.
    pub id: String,
    /// True for data of the simulator.
    pub simulated: bool,
    /// How it was simulated; none for real data.
    pub simulation: Option<Simulation>,
    /// Seed of the negatives, and of the simulator.
    pub seed: u64,
    /// Protocol used unless another one is asked for. The files serve both.
    pub protocol: Protocol,
    /// What the files hold.
    pub layout: Layout,
    /// How rows were split, in the signature's words: `last-item`, `users`, `time`, `given`.
    pub split_rule: String,
    /// What a negative is: `uniform-1`, one good a position, drawn once, uniform over the goods that the
    /// user touches neither before nor after; `observed`, a row that was in the source.
    pub negatives: String,
    /// The choices that made this dataset out of its files, by name: the rule of labels, of histories.
    pub choices: BTreeMap<String, String>,
    /// Latest events of a history that a row keeps at most; none for all.
    pub history_limit: Option<u32>,
    /// How events with equal times are ordered.
    pub tie_rule: String,
    /// Groups and vocabularies.
    pub schema: Schema,
    /// What was counted on the way: `users`, `goods`, `categories`, `samples` (table 2 of the paper) and
    /// what else the source has, such as `positives` or `items_without_reviews`.
    pub counts: BTreeMap<String, u64>,
    /// SHA-256 over counts, keys and columns: equal on every machine, whatever the files look like.
    pub content_sha256: String,
    /// The raw files; empty for simulated data.
    pub sources: Vec<FileRecord>,
    /// The shards that users are spread over; none where their rows lie in one file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shards: Option<Sharding>,
    /// The Parquet files beside the manifest, so that damage is found before anything is decoded.
    pub files: Vec<FileRecord>,
    /// Version of this crate.
    pub tool_version: String,
}
