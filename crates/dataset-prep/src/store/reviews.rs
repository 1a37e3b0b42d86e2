//! Users' events with their negatives.
//!
//! | file | columns |
//! |---|---|
//! | `interactions.parquet` | `user_id`, `goods_id`, `negative_id`, by user and time |
//! | `items.parquet` | `goods_id`, `key`, `cate_id` |
//! | `categories.parquet` | `cate_id`, `key` |
//! | `users.parquet` | `user_id`, `key` |
//!
//! Where events are in shards, `interactions-<shard>-of-<shards>.parquet` take the place of the first one, each with
//! the events of its users, and `users.parquet` has a third column, `events`: how many each has.
//!
//! Histories are not repeated a row: the splits of both protocols follow from these columns.

use super::{AGAIN, Folder, SHARD_RULE, check_counts, check_numbers, shard_file, shard_of, table};
use crate::columns::{encode, id_column, ids, of_texts, text_column, texts};
use crate::content::Content;
use crate::manifest::{Manifest, ShardRecord, Sharding};
use crate::splits::training_rows;
use crate::{Error, Result};
use ctr_core::Protocol;
use std::ops::Range;
use std::path::Path;

const INTERACTIONS: &str = "interactions.parquet";
/// How the names of shards begin.
const STEM: &str = "interactions";
/// The column of [`USERS`] with the number of events, where they lie in shards.
const EVENTS: &str = "events";
pub(super) const ITEMS: &str = "items.parquet";
pub(super) const CATEGORIES: &str = "categories.parquet";
pub(crate) const USERS: &str = "users.parquet";
/// Files with the keys of goods and of categories, in the order of the schema's vocabularies.
pub(crate) const KEYS: [&str; 2] = [ITEMS, CATEGORIES];

/// Writes the files, one at a time.
pub(super) fn write(
    content: &Content,
    file: &mut impl FnMut(&str, &[u8]) -> Result<()>,
) -> Result<()> {
    let users = 0..content.user_keys.len() as u32;
    let event_users: Vec<u32> =
        users.flat_map(|user| content.events(user as usize).map(move |_| user)).collect();
    let events = [&event_users, &content.goods, &content.negatives];
    file(INTERACTIONS, &encode_events(events)?)?;
    let Content { goods_keys, goods_categories, category_keys, user_keys, .. } = content;
    write_vocabularies(&Vocabularies { goods_keys, goods_categories, category_keys }, file)?;
    write_users(user_keys, None, file)
}

/// [`write`] with users' events in shards.
pub(super) fn write_sharded(
    content: &Content,
    shards: u32,
    folder: &mut Folder,
) -> Result<Sharding> {
    let mut users_of: Vec<Vec<u32>> = vec![Vec::new(); shards as usize];
    for (user, key) in content.user_keys.iter().enumerate() {
        users_of[shard_of(key, shards) as usize].push(user as u32);
    }
    let mut sharding = Sharding { rule: SHARD_RULE.into(), shards: Vec::new() };
    for (shard, users) in users_of.iter().enumerate() {
        let mut part = ShardEvents::default();
        for &user in users {
            let events = content.events(user as usize);
            part.push(user, &content.goods[events.clone()], &content.negatives[events]);
        }
        sharding.shards.push(part.write(shard, shards as usize, folder)?);
    }
    let Content { goods_keys, goods_categories, category_keys, user_keys, offsets, .. } = content;
    let counts: Vec<u32> = offsets.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let mut file = |name: &str, bytes: &[u8]| folder.put(name, bytes);
    write_vocabularies(&Vocabularies { goods_keys, goods_categories, category_keys }, &mut file)?;
    write_users(user_keys, Some(&counts), &mut file)?;
    Ok(sharding)
}

fn encode_events([users, goods, negatives]: [&Vec<u32>; 3]) -> Result<Vec<u8>> {
    encode(vec![
        id_column("user_id", users),
        id_column("goods_id", goods),
        id_column("negative_id", negatives),
    ])
}

/// Goods and categories by number.
pub(crate) struct Vocabularies<'v> {
    pub goods_keys: &'v [String],
    pub goods_categories: &'v [u32],
    pub category_keys: &'v [String],
}

pub(crate) fn write_vocabularies(
    vocabularies: &Vocabularies<'_>,
    file: &mut impl FnMut(&str, &[u8]) -> Result<()>,
) -> Result<()> {
    let items = encode(vec![
        id_column("goods_id", &numbered(1, vocabularies.goods_keys)),
        text_column("key", vocabularies.goods_keys),
        id_column("cate_id", vocabularies.goods_categories),
    ]);
    file(ITEMS, &items?)?;
    let categories = encode(vec![
        id_column("cate_id", &numbered(1, vocabularies.category_keys)),
        text_column("key", vocabularies.category_keys),
    ]);
    file(CATEGORIES, &categories?)
}

/// The users' keys and, where events lie in shards, how many events each has.
pub(crate) fn write_users(
    keys: &[String],
    events: Option<&[u32]>,
    file: &mut impl FnMut(&str, &[u8]) -> Result<()>,
) -> Result<()> {
    let mut columns = vec![id_column("user_id", &numbered(0, keys)), text_column("key", keys)];
    columns.extend(events.map(|events| id_column(EVENTS, events)));
    file(USERS, &encode(columns)?)
}

fn numbered(first: u32, keys: &[String]) -> Vec<u32> {
    (first..first + keys.len() as u32).collect()
}

/// Events of some users, in the order of their numbers.
#[derive(Debug)]
pub(crate) struct ShardEvents {
    /// The users' numbers in the whole dataset.
    pub users: Vec<u32>,
    /// User `users[i]` has events `offsets[i]..offsets[i + 1]`.
    pub offsets: Vec<u32>,
    pub goods: Vec<u32>,
    pub negatives: Vec<u32>,
}

impl Default for ShardEvents {
    fn default() -> Self {
        Self { users: vec![], offsets: vec![0], goods: vec![], negatives: vec![] }
    }
}

impl ShardEvents {
    pub fn push(&mut self, user: u32, goods: &[u32], negatives: &[u32]) {
        self.users.push(user);
        self.goods.extend_from_slice(goods);
        self.negatives.extend_from_slice(negatives);
        self.offsets.push(self.goods.len() as u32);
    }

    /// The place of each user's events, with the user.
    pub fn of_users(&self) -> impl Iterator<Item = (u32, Range<usize>)> {
        let ranges = self.offsets.windows(2).map(|pair| pair[0] as usize..pair[1] as usize);
        self.users.iter().copied().zip(ranges)
    }

    /// Writes it as one shard of many.
    pub fn write(&self, shard: usize, of: usize, folder: &mut Folder) -> Result<ShardRecord> {
        let event_users: Vec<u32> = self
            .of_users()
            .flat_map(|(user, events)| std::iter::repeat_n(user, events.len()))
            .collect();
        let events = [&event_users, &self.goods, &self.negatives];
        folder.put(&shard_file(STEM, shard, of), &encode_events(events)?)?;
        let rows = |protocol| -> u64 {
            self.of_users().map(|(_, events)| training_rows(events.len() as u64, protocol)).sum()
        };
        Ok(ShardRecord {
            users: self.users.len() as u64,
            events: self.goods.len() as u64,
            train_rows: rows(Protocol::HeldOut),
            authors_train_rows: rows(Protocol::Authors),
        })
    }
}

/// Reads one shard and checks it against the manifest.
pub(crate) fn read_shard(
    dir: &Path,
    manifest: &Manifest,
    sharding: &Sharding,
    shard: usize,
) -> Result<ShardEvents> {
    let name = shard_file(STEM, shard, sharding.shards.len());
    let (path, frame) = table(dir, manifest, &name)?;
    let fail = |reason: String| Err(Error::damaged(&path, format!("{reason}; {AGAIN}")));
    let event_users = ids(&path, &frame, "user_id")?;
    let mut part = ShardEvents {
        goods: ids(&path, &frame, "goods_id")?,
        negatives: ids(&path, &frame, "negative_id")?,
        ..ShardEvents::default()
    };
    drop(frame);
    let size = |name: &str| manifest.counts.get(name).copied().unwrap_or_default();
    let (users, goods) = (size("users"), size("goods"));
    for (row, &user) in event_users.iter().enumerate() {
        if u64::from(user) >= users {
            return fail(format!("user_id {user} in row {} of {users} users", row + 1));
        }
        match part.users.last() {
            Some(&last) if user < last => return fail(format!("user_id falls in row {}", row + 1)),
            Some(&last) if user == last => {}
            _ => {
                part.users.push(user);
                part.offsets.push(row as u32);
            }
        }
        if let Some(end) = part.offsets.last_mut() {
            *end = row as u32 + 1;
        }
    }
    for (name, column) in [("goods_id", &part.goods), ("negative_id", &part.negatives)] {
        if let Some(row) = column.iter().position(|&id| id == 0 || u64::from(id) > goods) {
            return fail(format!(
                "{name} {} in row {} is not in 1..={goods}",
                column[row],
                row + 1
            ));
        }
    }
    let said = sharding.shards.get(shard).copied().unwrap_or_default();
    let found = (part.users.len() as u64, part.goods.len() as u64);
    if found != (said.users, said.events) {
        return fail(format!(
            "{} users with {} events, manifest.json says {} with {}",
            found.0, found.1, said.users, said.events
        ));
    }
    Ok(part)
}

/// Of each user of a dataset in shards: the shard and the number of events.
pub(crate) fn read_users(
    dir: &Path,
    manifest: &Manifest,
    sharding: &Sharding,
) -> Result<Vec<(u32, u32)>> {
    let (path, frame) = table(dir, manifest, USERS)?;
    check_numbers(&path, "user_id", &ids(&path, &frame, "user_id")?, 0)?;
    let shards = sharding.shards.len() as u32;
    let of_users = of_texts(&path, &frame, "key", |key| shard_of(key, shards))?;
    Ok(of_users.into_iter().zip(ids(&path, &frame, EVENTS)?).collect())
}

/// The category of each good, good 1 first.
pub(crate) fn read_categories(dir: &Path, manifest: &Manifest) -> Result<Vec<u32>> {
    let (path, frame) = table(dir, manifest, ITEMS)?;
    check_numbers(&path, "goods_id", &ids(&path, &frame, "goods_id")?, 1)?;
    let categories = ids(&path, &frame, "cate_id")?;
    let most = manifest.counts.get("categories").copied().unwrap_or_default();
    if let Some(row) = categories.iter().position(|&id| id == 0 || u64::from(id) > most) {
        let reason = format!("cate_id {} in row {} is not in 1..={most}", categories[row], row + 1);
        return Err(Error::damaged(&path, format!("{reason}; {AGAIN}")));
    }
    check_counts(dir, manifest, &[("goods", categories.len())])?;
    Ok(categories)
}

/// Reads the files and checks that they fit one another.
pub(super) fn read(dir: &Path, manifest: &Manifest) -> Result<Content> {
    let (path, frame) = table(dir, manifest, USERS)?;
    let user_keys = texts(&path, &frame, "key")?;
    check_numbers(&path, "user_id", &ids(&path, &frame, "user_id")?, 0)?;

    let (path, frame) = table(dir, manifest, ITEMS)?;
    let goods_keys = texts(&path, &frame, "key")?;
    let goods_categories = ids(&path, &frame, "cate_id")?;
    check_numbers(&path, "goods_id", &ids(&path, &frame, "goods_id")?, 1)?;

    let (path, frame) = table(dir, manifest, CATEGORIES)?;
    let category_keys = texts(&path, &frame, "key")?;
    check_numbers(&path, "cate_id", &ids(&path, &frame, "cate_id")?, 1)?;

    let (offsets, goods, negatives) = match &manifest.shards {
        None => read_events(dir, manifest, user_keys.len())?,
        Some(sharding) => gather(dir, manifest, sharding, user_keys.len())?,
    };
    let content = Content {
        user_keys,
        goods_keys,
        goods_categories,
        category_keys,
        offsets,
        goods,
        negatives,
    };
    if let Some(problem) = content.problem() {
        return Err(Error::damaged(dir, format!("{problem}; {AGAIN}")));
    }
    check_counts(
        dir,
        manifest,
        &[
            ("users", content.user_keys.len()),
            ("goods", content.goods_keys.len()),
            ("categories", content.category_keys.len()),
            ("samples", content.goods.len()),
        ],
    )?;
    Ok(content)
}

/// Offsets by user, goods and negatives.
type EventColumns = (Vec<u32>, Vec<u32>, Vec<u32>);

fn read_events(dir: &Path, manifest: &Manifest, users: usize) -> Result<EventColumns> {
    let (path, frame) = table(dir, manifest, INTERACTIONS)?;
    let event_users = ids(&path, &frame, "user_id")?;
    let goods = ids(&path, &frame, "goods_id")?;
    let negatives = ids(&path, &frame, "negative_id")?;
    let mut offsets = vec![0u32; users + 1];
    for (row, &user) in event_users.iter().enumerate() {
        if user as usize >= users {
            let reason = format!("user_id {user} in row {} of {users} users", row + 1);
            return Err(Error::damaged(&path, format!("{reason}; {AGAIN}")));
        }
        if row > 0 && user < event_users[row - 1] {
            let reason = format!("user_id falls in row {}", row + 1);
            return Err(Error::damaged(&path, format!("{reason}; {AGAIN}")));
        }
        offsets[user as usize + 1] += 1;
    }
    add_up(&mut offsets);
    Ok((offsets, goods, negatives))
}

fn add_up(counts: &mut [u32]) {
    for place in 1..counts.len() {
        counts[place] += counts[place - 1];
    }
}

/// The events of all shards in the order of users.
fn gather(
    dir: &Path,
    manifest: &Manifest,
    sharding: &Sharding,
    users: usize,
) -> Result<EventColumns> {
    let mut offsets = vec![0u32; users + 1];
    let mut parts = Vec::with_capacity(sharding.shards.len());
    for shard in 0..sharding.shards.len() {
        let part = read_shard(dir, manifest, sharding, shard)?;
        for (user, events) in part.of_users() {
            let count = offsets.get_mut(user as usize + 1).filter(|count| **count == 0);
            let Some(count) = count else {
                let reason = format!("user {user} is in two shards; {AGAIN}");
                return Err(Error::damaged(dir, reason));
            };
            *count = events.len() as u32;
        }
        parts.push(part);
    }
    add_up(&mut offsets);
    let total = offsets.last().map_or(0, |&total| total as usize);
    let (mut goods, mut negatives) = (vec![0; total], vec![0; total]);
    for part in parts {
        for (user, events) in part.of_users() {
            let from = offsets[user as usize] as usize;
            let to = from + events.len();
            goods[from..to].copy_from_slice(&part.goods[events.clone()]);
            negatives[from..to].copy_from_slice(&part.negatives[events]);
        }
    }
    Ok((offsets, goods, negatives))
}
