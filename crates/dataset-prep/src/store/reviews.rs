//! Users' events with their negatives.
//!
//! | file | columns |
//! |---|---|
//! | `interactions.parquet` | `user_id`, `goods_id`, `negative_id`, by user and time |
//! | `items.parquet` | `goods_id`, `key`, `cate_id` |
//! | `categories.parquet` | `cate_id`, `key` |
//! | `users.parquet` | `user_id`, `key` |
//!
//! Histories are not repeated a row: the splits of both protocols follow from these columns.

use super::{AGAIN, check_counts, check_numbers, table};
use crate::columns::{encode, id_column, ids, text_column, texts};
use crate::content::Content;
use crate::manifest::Manifest;
use crate::{Error, Result};
use std::path::Path;

const INTERACTIONS: &str = "interactions.parquet";
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
    let numbered =
        |first: u32, keys: &[String]| -> Vec<u32> { (first..first + keys.len() as u32).collect() };
    let users = numbered(0, &content.user_keys);
    let event_users: Vec<u32> =
        users.iter().flat_map(|&user| content.events(user as usize).map(move |_| user)).collect();
    let events = encode(vec![
        id_column("user_id", &event_users),
        id_column("goods_id", &content.goods),
        id_column("negative_id", &content.negatives),
    ]);
    file(INTERACTIONS, &events?)?;
    let items = encode(vec![
        id_column("goods_id", &numbered(1, &content.goods_keys)),
        text_column("key", &content.goods_keys),
        id_column("cate_id", &content.goods_categories),
    ]);
    file(ITEMS, &items?)?;
    let categories = encode(vec![
        id_column("cate_id", &numbered(1, &content.category_keys)),
        text_column("key", &content.category_keys),
    ]);
    file(CATEGORIES, &categories?)?;
    let keys = encode(vec![id_column("user_id", &users), text_column("key", &content.user_keys)]);
    file(USERS, &keys?)
}

/// Reads the files and checks that they fit one another.
pub(super) fn read(dir: &Path, manifest: &Manifest) -> Result<Content> {
    let (path, frame) = table(dir, manifest, INTERACTIONS)?;
    let event_users = ids(&path, &frame, "user_id")?;
    let goods = ids(&path, &frame, "goods_id")?;
    let negatives = ids(&path, &frame, "negative_id")?;

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

    let path = dir.join(INTERACTIONS);
    let mut offsets = vec![0u32; user_keys.len() + 1];
    for (row, &user) in event_users.iter().enumerate() {
        if user as usize >= user_keys.len() {
            let reason = format!("user_id {user} in row {} of {} users", row + 1, user_keys.len());
            return Err(Error::damaged(&path, format!("{reason}; {AGAIN}")));
        }
        if row > 0 && user < event_users[row - 1] {
            let reason = format!("user_id falls in row {}", row + 1);
            return Err(Error::damaged(&path, format!("{reason}; {AGAIN}")));
        }
        offsets[user as usize + 1] += 1;
    }
    for user in 0..user_keys.len() {
        offsets[user + 1] += offsets[user];
    }
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
