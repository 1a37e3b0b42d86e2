//! A prepared dataset on disk: `manifest.json` and some Parquet files, either those of [`reviews`] or
//! those of [`rows`].

mod folder;
mod reviews;
mod rows;
mod rows_sharded;
mod sharded;
mod truth;

pub(crate) use folder::{Folder, Table};
pub(crate) use reviews::KEYS as REVIEW_KEYS;
pub(crate) use reviews::{
    ShardEvents, Vocabularies, read_categories, read_shard, read_users, write_users,
    write_vocabularies,
};
pub(crate) use rows::{
    ROWS, SEQUENCES, USERS, columns_of_rows, columns_of_sequences, owners, read_bags_of,
    vocabulary_file,
};
pub(crate) use rows_sharded::{RowPart, ShardTables, read_rows_of_shard, read_users_of_rows};
pub use sharded::MOST_SHARDS;
pub(crate) use sharded::{SHARD_RULE, check_shards, shard_file, shard_of};
pub use truth::read_truth;
pub(crate) use truth::{TRUTH, column_of_truth};

use crate::columns::{decode, texts};
use crate::form::Form;
use crate::manifest::{FileRecord, Layout, MANIFEST_SCHEMA_VERSION, Manifest, NEGATIVES};
use crate::{Error, Result};
use ctr_core::{Dataset, FileLock, Protocol, Workshop, sha256_hex};
use polars::prelude::DataFrame;
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::{Path, PathBuf};

const MANIFEST: &str = "manifest.json";
/// What to do about a damaged dataset.
pub(crate) const AGAIN: &str = "prepare the dataset again";

/// Writes content that is in memory.
pub(crate) fn write(content: &Form, manifest: &Manifest, out: &Path) -> Result<()> {
    replace(out, |folder| {
        let mut file = |name: &str, bytes: &[u8]| folder.put(name, bytes);
        match content {
            Form::Reviews(content) => reviews::write(content, &mut file)?,
            Form::Rows(content) => rows::write(content, &mut file)?,
        }
        Ok(manifest.clone())
    })?;
    Ok(())
}

/// Writes content that is in memory with its rows in shards.
pub(crate) fn write_sharded(
    content: &Form,
    manifest: &Manifest,
    out: &Path,
    shards: u32,
) -> Result<Manifest> {
    check_shards(shards, out)?;
    replace(out, |folder| {
        let sharding = match content {
            Form::Reviews(content) => reviews::write_sharded(content, shards, folder)?,
            Form::Rows(content) => rows::write_sharded(content, shards, folder)?,
        };
        Ok(Manifest { shards: Some(sharding), ..manifest.clone() })
    })
}

/// Has everything written into a temporary folder beside `out`, which then takes its place. `fill` writes
/// the tables and gives the manifest, to which the files are added here.
pub(crate) fn replace(
    out: &Path,
    fill: impl FnOnce(&mut Folder) -> Result<Manifest>,
) -> Result<Manifest> {
    replace_folder(out, MANIFEST, |folder| {
        let mut manifest = fill(folder)?;
        manifest.files = folder.take_files();
        Ok(manifest)
    })
}

/// The same for a folder with a description of any kind, in the file `name`, by which a folder is known that may
/// be replaced.
pub(crate) fn replace_folder<T: Serialize>(
    out: &Path,
    name: &str,
    fill: impl FnOnce(&mut Folder) -> Result<T>,
) -> Result<T> {
    replaceable(out, name)?;
    let write_error = |path: &Path| {
        let path = path.to_path_buf();
        move |source| Error::Write { path, source }
    };
    let parent = match out.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    fs::create_dir_all(parent).map_err(write_error(parent))?;
    // Removed with all that is left in it when this function ends, well or not.
    let workshop = Workshop::new(parent, ".preparing-")?;
    // The temporary folder itself is private; the one inside gets the usual permissions.
    let fresh = workshop.path().join("fresh");
    fs::create_dir(&fresh).map_err(write_error(&fresh))?;

    let mut folder = Folder::new(&fresh, workshop.path());
    let description = fill(&mut folder)?;
    let mut text = serde_json::to_string_pretty(&description).map_err(ctr_core::Error::from)?;
    text.push('\n');
    folder::put(&fresh.join(name), text.as_bytes())?;

    // Two programs may be at it: each takes the place of what is there by now.
    let _lock = FileLock::wait_for_folder(parent, || ());
    let replace = replaceable(out, name)?;
    let old = workshop.path().join("old");
    // In one step where the system has it, so that there is a dataset at every moment.
    let exchanged = replace && exchange(&fresh, out);
    if replace && !exchanged {
        fs::rename(out, &old).map_err(write_error(out))?;
    }
    if !exchanged && let Err(source) = fs::rename(&fresh, out) {
        if replace {
            // Best effort: the first error is the one to report.
            let _ = fs::rename(&old, out);
        }
        return Err(Error::Write { path: out.to_path_buf(), source });
    }
    tracing::debug!("{}: in place", out.display());
    Ok(description)
}

/// Lets two folders change their places at once; false where the file system cannot.
#[cfg(any(target_os = "linux", target_os = "macos"))]
fn exchange(one: &Path, other: &Path) -> bool {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE).is_ok()
}

#[cfg(not(any(target_os = "linux", target_os = "macos")))]
fn exchange(_: &Path, _: &Path) -> bool {
    false
}

/// Whether there is something to replace at `out`; an error when it is not ours to replace.
fn replaceable(out: &Path, name: &str) -> Result<bool> {
    match fs::symlink_metadata(out) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(source) => Err(Error::Read { path: out.to_path_buf(), source }),
        Ok(_) if out.join(name).is_file() => Ok(true),
        Ok(found) if found.is_dir() => {
            let fail = |source| Error::Read { path: out.to_path_buf(), source };
            match fs::read_dir(out).map_err(fail)?.next() {
                None => Ok(true),
                Some(_) => Err(Error::occupied(out, name)),
            }
        }
        Ok(_) => Err(Error::occupied(out, name)),
    }
}

/// Opens a prepared dataset under the given protocol, or under the manifest's.
///
/// The files are compared with the manifest before they are decoded, and the decoded content with the
/// manifest's `content_sha256` before it is used.
///
/// # Errors
/// Names the file that is missing, damaged or does not fit, and what to do.
pub fn open(dir: &Path, protocol: Option<Protocol>) -> Result<Dataset> {
    let manifest = || fs::read(dir.join(MANIFEST)).ok();
    let before = manifest();
    // Another process may have put a new dataset in its place in between.
    open_once(dir, protocol)
        .or_else(|error| if manifest() == before { Err(error) } else { open_once(dir, protocol) })
}

fn open_once(dir: &Path, protocol: Option<Protocol>) -> Result<Dataset> {
    let manifest = read_manifest(dir)?;
    let content = match manifest.layout {
        Layout::Reviews => Form::Reviews(reviews::read(dir, &manifest)?),
        Layout::Rows => Form::Rows(Box::new(rows::read(dir, &manifest)?)),
    };
    let found = content.sha256();
    if found != manifest.content_sha256 {
        return Err(Error::damaged(
            dir,
            format!(
                "the content has SHA-256 {found}, but manifest.json says content_sha256 {}; {AGAIN}",
                manifest.content_sha256
            ),
        ));
    }
    if manifest.schema != content.schema() {
        let reason = "the schema in manifest.json does not fit the files";
        return Err(Error::damaged(dir, format!("{reason}; {AGAIN}")));
    }
    let dataset = content.dataset(&manifest, protocol.unwrap_or(manifest.protocol))?;
    tracing::debug!(
        "{}: opened, {} {} train, {} validation and {} test rows, content {found}",
        dir.display(),
        dataset.protocol,
        dataset.train.rows(),
        dataset.validation.rows(),
        dataset.test.rows()
    );
    Ok(dataset)
}

/// Compares counts of the manifest with what the files have.
pub(crate) fn check_counts(dir: &Path, manifest: &Manifest, found: &[(&str, usize)]) -> Result<()> {
    for &(name, found) in found {
        let said = manifest.counts.get(name).copied();
        if said != Some(found as u64) {
            let said = said.map_or("nothing".into(), |said| said.to_string());
            let reason = format!("manifest.json says {said} of {name}, the files have {found}");
            return Err(Error::damaged(dir, format!("{reason}; {AGAIN}")));
        }
    }
    Ok(())
}

/// Reads a prepared dataset's manifest.
///
/// # Errors
/// When there is none, it is of a later version than this crate knows, or it does not parse.
pub fn read_manifest(dir: &Path) -> Result<Manifest> {
    #[derive(Deserialize)]
    struct VersionOnly {
        schema_version: u32,
    }
    let path = dir.join(MANIFEST);
    let text = fs::read(&path).map_err(|source| match source.kind() {
        std::io::ErrorKind::NotFound => Error::damaged(
            dir,
            "not a prepared dataset (it has no manifest.json); prepare or simulate one there first",
        ),
        _ => Error::Read { path: path.clone(), source },
    })?;
    let fail = |error: serde_json::Error| {
        Error::damaged(&path, format!("not a manifest: {error}; {AGAIN}"))
    };
    // The version first: a later version may have fields that this one must not judge.
    let version: VersionOnly = serde_json::from_slice(&text).map_err(fail)?;
    if version.schema_version != MANIFEST_SCHEMA_VERSION {
        return Err(Error::damaged(
            &path,
            format!(
                "schema_version {}, but this program knows {MANIFEST_SCHEMA_VERSION}; use the program \
                 that wrote it or prepare the dataset again",
                version.schema_version
            ),
        ));
    }
    let manifest: Manifest = serde_json::from_slice(&text).map_err(fail)?;
    // It becomes the name of folders.
    if !is_name(&manifest.id) {
        let reason = format!("id {:?}, expected letters, digits, '-', '_' and '.'", manifest.id);
        return Err(Error::damaged(&path, format!("{reason}; {AGAIN}")));
    }
    if manifest.layout == Layout::Reviews && manifest.negatives != NEGATIVES {
        let reason = format!("negatives {:?}, expected {NEGATIVES:?}", manifest.negatives);
        return Err(Error::damaged(&path, format!("{reason}; {AGAIN}")));
    }
    if let Some(sharding) = manifest.shards.as_ref().filter(|one| one.rule != SHARD_RULE) {
        let reason = format!(
            "users are in shards by a rule that this program does not know ({:?}); use the program that \
             wrote it or prepare the dataset again",
            sharding.rule
        );
        return Err(Error::damaged(&path, reason));
    }
    Ok(manifest)
}

fn is_name(text: &str) -> bool {
    let allowed = |letter: char| letter.is_alphanumeric() || "-_.".contains(letter);
    !text.is_empty() && !text.starts_with('.') && text.chars().all(allowed)
}

/// Reads one Parquet file after comparing its size and hash with the manifest.
fn table(dir: &Path, manifest: &Manifest, name: &str) -> Result<(PathBuf, DataFrame)> {
    listed_table(dir, MANIFEST, &manifest.files, name)
}

/// The same with the files that any description lists.
pub(crate) fn listed_table(
    dir: &Path,
    description: &str,
    files: &[FileRecord],
    name: &str,
) -> Result<(PathBuf, DataFrame)> {
    let path = dir.join(name);
    let record = files.iter().find(|file| file.name == name).ok_or_else(|| {
        Error::damaged(dir, format!("{description} does not list {name}; {AGAIN}"))
    })?;
    let bytes = fs::read(&path).map_err(|source| Error::Read { path: path.clone(), source })?;
    if bytes.len() as u64 != record.bytes {
        let reason =
            format!("{} bytes, but {description} says {} (truncated?)", bytes.len(), record.bytes);
        return Err(Error::damaged(&path, format!("{reason}; {AGAIN}")));
    }
    if sha256_hex(&bytes) != record.sha256 {
        let reason =
            format!("the file is not the one that {description} describes (its SHA-256 differs)");
        return Err(Error::damaged(&path, format!("{reason}; {AGAIN}")));
    }
    let frame = decode(&path, &bytes)?;
    Ok((path, frame))
}

/// Keys of a vocabulary's file, and its titles where it has any.
pub(crate) fn read_keys_and_titles(
    dir: &Path,
    manifest: &Manifest,
    name: &str,
) -> Result<(Vec<String>, Vec<String>)> {
    let (path, frame) = table(dir, manifest, name)?;
    Ok((texts(&path, &frame, "key")?, rows::titles(&path, &frame)?))
}

/// Ids of a key table must be `first`, `first + 1`, …: a row's place is its id.
fn check_numbers(path: &Path, name: &str, ids: &[u32], first: u32) -> Result<()> {
    match (first..).zip(ids).position(|(expected, &id)| expected != id) {
        None => Ok(()),
        Some(row) => {
            let reason = format!("{name} {} in row {} is out of order", ids[row], row + 1);
            Err(Error::damaged(path, format!("{reason}; {AGAIN}")))
        }
    }
}
