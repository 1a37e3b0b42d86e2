//! Parts to a dataset in shards, with the vocabulary and one part in memory.

use super::merged_digest::Spilled;
use super::vocabulary::{Vocabulary, places};
use super::{ITEMS, Part, PartManifest, USERS, part_name};
use crate::content::begin_digest;
use crate::manifest::{Manifest, Sharding};
use crate::numbering::{NOTHING_LEFT_REMEDY, Negatives, nothing_left};
use crate::prepare::{checks, manifest_of_events};
use crate::store::{
    Folder, SHARD_RULE, ShardEvents, Vocabularies, replace, shard_of, write_users,
    write_vocabularies,
};
use crate::{Check, Error, Place, PrepOptions, Result, Statistics};
use ctr_core::Protocol;
use std::collections::BTreeMap;
use std::path::Path;

/// A dataset that was written from its parts.
#[derive(Clone, Debug)]
pub struct Merged {
    /// Its manifest.
    pub manifest: Manifest,
    /// Its counts under the manifest's protocol.
    pub statistics: Statistics,
    /// Test rows under the protocol `authors`.
    test_rows: u64,
}

impl Merged {
    /// As [`crate::Prepared::checks`].
    pub fn checks(&self, expected: &BTreeMap<String, u64>) -> Vec<Check> {
        let mut found = self.manifest.counts.clone();
        if let Some(sharding) = &self.manifest.shards {
            let rows = sharding.train_rows(Protocol::Authors).iter().sum();
            found.insert("authors_train_rows".into(), rows);
            found.insert("authors_test_rows".into(), self.test_rows);
        }
        checks(expected, &found)
    }
}

/// Makes one dataset of all parts below `parts` and writes it to the folder `out`: all of it or nothing. It is what
/// [`crate::prepare`] and [`crate::Prepared::write_sharded`] with as many shards as there are parts write. `options`
/// are those that the parts were prepared with; the raw files are not read any more.
///
/// # Errors
/// A missing or damaged part; parts of other options, of different raw files or numbers of parts.
pub fn merge_parts(options: &PrepOptions, parts: &Path, out: &Path) -> Result<Merged> {
    let parts_of = open_all(parts)?;
    check(options, parts, &parts_of)?;
    let vocabulary = Vocabulary::of(parts, &parts_of)?;
    let manifest = replace(out, |folder| write(options, parts, &parts_of, &vocabulary, folder))?;
    let statistics = Statistics::of_events(&manifest, &vocabulary.events);
    Ok(Merged { test_rows: statistics.test_rows, manifest, statistics })
}

/// All parts below a folder, by their names.
fn open_all(parts: &Path) -> Result<Vec<Part>> {
    let mut all = Vec::new();
    for name in crate::inputs::names(parts)? {
        if name.starts_with("part-") {
            all.push(Part::open(&parts.join(name))?);
        }
    }
    if all.is_empty() {
        return Err(Error::Files {
            folder: parts.to_path_buf(),
            problem: "no parts".into(),
            remedy: format!(
                "prepare them there with --partition I/N; they are named like {}",
                part_name(0, 16)
            ),
        });
    }
    all.sort_by_key(|part| (part.manifest.of, part.manifest.index));
    Ok(all)
}

/// Checks that these are all parts of one dataset.
fn check(options: &PrepOptions, dir: &Path, parts: &[Part]) -> Result<()> {
    let fail = |problem: String, remedy: &str| {
        Err(Error::Files { folder: dir.to_path_buf(), problem, remedy: remedy.into() })
    };
    let Some(first) = parts.first().map(|part| &part.manifest) else { return Ok(()) };
    let named = |part: &PartManifest| part_name(part.index, part.of);
    for part in parts.iter().map(|part| &part.manifest) {
        if part.of != first.of {
            return fail(
                format!("parts of {} and of {}", first.of, part.of),
                "keep those of one number, or merge them from folders of their own",
            );
        }
        for (what, same, asked) in [
            ("dataset", part.id == options.id, format!("{} and not {}", part.id, options.id)),
            ("seed", part.seed == options.seed, format!("{} and not {}", part.seed, options.seed)),
            (
                "protocol",
                part.protocol == options.protocol,
                format!("{} and not {}", part.protocol, options.protocol),
            ),
        ] {
            if !same {
                return fail(
                    format!("the {what} of {} is {asked}", named(part)),
                    "prepare all parts and merge them with the same dataset, --seed and --protocol",
                );
            }
        }
        if let Some((one, other)) = first.sources.iter().zip(&part.sources).find(|(a, b)| a != b) {
            return fail(
                format!(
                    "{} was made of {} with SHA-256 {}, {} of {} with {}",
                    named(first),
                    one.name,
                    one.sha256,
                    named(part),
                    other.name,
                    other.sha256
                ),
                "prepare all parts from the same raw files",
            );
        }
        if (part.events_read, part.items_read) != (first.events_read, first.items_read) {
            return fail(
                format!("{} and {} counted different raw files", named(first), named(part)),
                "prepare all parts from the same raw files with one version of this program",
            );
        }
    }
    let missing: Vec<String> = (0..first.of)
        .filter(|&index| parts.iter().all(|part| part.manifest.index != index))
        .map(|index| format!("{index}/{}", first.of))
        .collect();
    if !missing.is_empty() || parts.len() != first.of as usize {
        return fail(
            format!(
                "{} of {} parts are there, without {}",
                parts.len(),
                first.of,
                missing.join(", ")
            ),
            "prepare the missing ones with --partition",
        );
    }
    let events: u64 = parts.iter().map(|part| part.manifest.events).sum();
    if events != first.events_read {
        return fail(
            format!("the parts have {events} events, the raw files {}", first.events_read),
            "prepare the parts again",
        );
    }
    Ok(())
}

fn write(
    options: &PrepOptions,
    dir: &Path,
    parts: &[Part],
    vocabulary: &Vocabulary,
    folder: &mut Folder,
) -> Result<Manifest> {
    let Some(offsets) = vocabulary.offsets() else {
        return Err(Error::Files {
            folder: dir.to_path_buf(),
            problem: "more events than a prepared dataset can hold".into(),
            remedy: "split the raw files".into(),
        });
    };
    let mut goods = Spilled::new(folder.aside("goods"))?;
    let mut negatives = Spilled::new(folder.aside("negatives"))?;
    let mut draw = Negatives::new(vocabulary.goods_keys.len(), options.seed);
    let mut sharding = Sharding { rule: SHARD_RULE.into(), shards: Vec::new() };
    for (index, part) in parts.iter().enumerate() {
        let events = number(part, index, parts.len(), vocabulary, &mut draw)?;
        goods.add(&events.goods)?;
        negatives.add(&events.negatives)?;
        sharding.shards.push(events.write(index, parts.len(), folder)?);
    }
    let Vocabulary { user_keys, events, part_of, goods_keys, goods_categories, category_keys } =
        vocabulary;
    let keys = [&**user_keys, &**goods_keys, &**category_keys];
    let mut digest = begin_digest(keys, goods_categories, &offsets);
    goods.hash(part_of, events, &mut digest)?;
    negatives.hash(part_of, events, &mut digest)?;

    let mut file = |name: &str, bytes: &[u8]| folder.put(name, bytes);
    write_vocabularies(&Vocabularies { goods_keys, goods_categories, category_keys }, &mut file)?;
    write_users(user_keys, Some(events), &mut file)?;

    let total = offsets.last().map_or(0, |&total| total as usize);
    let sizes = [user_keys.len(), goods_keys.len(), category_keys.len(), total];
    let mut manifest = manifest_of_events(sizes, &options.id, options.protocol);
    manifest.seed = options.seed;
    manifest.content_sha256 = digest.finish();
    if let Some(part) = parts.first().map(|part| &part.manifest) {
        manifest.sources = part.sources.clone();
        let unused = part.items_read.saturating_sub(goods_keys.len() as u64);
        manifest.counts.insert("items_without_reviews".into(), unused);
    }
    manifest.shards = Some(sharding);
    Ok(manifest)
}

/// A part's events under the numbers of the whole dataset, with their negatives.
fn number(
    part: &Part,
    index: usize,
    of: usize,
    vocabulary: &Vocabulary,
    draw: &mut Negatives,
) -> Result<ShardEvents> {
    let (items, _) = part.keys(ITEMS, None)?;
    let Some(numbers) = places(&vocabulary.goods_keys, &items) else {
        return part.damaged("it has an item that it did not have before");
    };
    drop(items);
    let mut goods = part.goods()?;
    for good in &mut goods {
        let Some(&number) = (*good as usize).checked_sub(1).and_then(|at| numbers.get(at)) else {
            return part.damaged(format!("an event has good {good} of {}", numbers.len()));
        };
        *good = number;
    }
    let mut events = ShardEvents::default();
    let mut from = 0;
    for (user, &part_of) in vocabulary.part_of.iter().enumerate() {
        if part_of as usize != index {
            continue;
        }
        let key = &vocabulary.user_keys[user];
        if shard_of(key, of as u32) as usize != index {
            return part.damaged(format!("user {key:?} belongs to another part"));
        }
        let to = from + vocabulary.events[user] as usize;
        let Some(own) = goods.get(from..to).filter(|own| !own.is_empty()) else {
            return part.damaged(format!("{} events, {USERS} counts more", goods.len()));
        };
        let mut negatives = Vec::with_capacity(own.len());
        if !draw.of_user(user as u32, own, &mut negatives) {
            let problem = nothing_left(key, vocabulary.goods_keys.len());
            return Err(Error::input(&part.dir, Place::File, "", problem, NOTHING_LEFT_REMEDY));
        }
        events.push(user as u32, own, &negatives);
        from = to;
    }
    if from != goods.len() {
        return part.damaged(format!("{} events, {USERS} counts {from}", goods.len()));
    }
    Ok(events)
}
