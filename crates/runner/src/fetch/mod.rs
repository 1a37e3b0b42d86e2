//! Getting a dataset's raw files: the first alternative of the catalog whose files all come and are right.
//!
//! A file appears under its own name only when it is whole and checked; until then its name ends in `.part`.
//! A file that is there already is checked too, and never replaced or deleted: it is the user's.

mod archive;
mod download;
mod package;
#[cfg(test)]
mod tests;
mod verify;

use crate::failure::Failure;
use crate::progress::Progress;
use anyhow::{Context, Result, anyhow, bail};
use ctr_core::{FileLock, Workshop};
use ctr_dataset_prep::{Address, KnownDataset, Origin};
use std::path::{Path, PathBuf};

pub use verify::identity;

/// Brings the raw files of `dataset` to `folder`, or says exactly what to place there. Gives their paths,
/// those that were there already among them.
pub fn fetch(dataset: &KnownDataset, folder: &Path, progress: &Progress) -> Result<Vec<PathBuf>> {
    fetch_with(dataset, folder, progress, &package::PROGRAMS)
}

fn fetch_with(
    dataset: &KnownDataset,
    folder: &Path,
    progress: &Progress,
    pip: &[&[&str]],
) -> Result<Vec<PathBuf>> {
    if dataset.sources.is_empty() {
        bail!("{} with `din-repro simulate {}`", dataset.where_to_get(), dataset.id);
    }
    for source in &dataset.sources {
        source.address().map_err(|problem| anyhow!("{}: {problem}", dataset.id))?;
    }
    std::fs::create_dir_all(folder)
        .with_context(|| format!("cannot make the folder {}", folder.display()))?;
    // Two programs must not write to the same files; the second finds those of the first.
    let _lock = FileLock::wait_for_folder(folder, || {
        tracing::info!("another din-repro fetches into {}; waiting for it", folder.display());
    });
    let alternatives = dataset.alternatives();
    for source in &dataset.sources {
        check_present(source, folder)?;
    }
    if let Some(there) = alternatives.iter().find(|sources| missing(sources, folder).is_empty()) {
        tracing::info!("{}: all files are there", dataset.id);
        return Ok(paths(there, folder));
    }
    let mut failures = String::new();
    for sources in &alternatives {
        match get_all(sources, folder, progress, pip) {
            Ok(()) => return Ok(paths(sources, folder)),
            Err(error) if error.is::<Failure>() => return Err(error),
            Err(error) => failures.push_str(&format!("  {error:#}\n")),
        }
    }
    let place = dataset.where_to_place(&folder.display().to_string());
    bail!("{} could not be fetched\n{failures}{place}", dataset.id)
}

fn paths(sources: &[&Origin], folder: &Path) -> Vec<PathBuf> {
    let names = sources.iter().flat_map(|source| source.files());
    names.map(|(name, _)| folder.join(name)).collect()
}

fn missing<'a>(sources: &[&'a Origin], folder: &Path) -> Vec<&'a str> {
    let names = sources.iter().flat_map(|source| source.files());
    names.map(|(name, _)| name).filter(|name| !folder.join(name).exists()).collect()
}

/// Refuses files that are there and are others than the catalog's.
fn check_present(source: &Origin, folder: &Path) -> Result<()> {
    let download = (!source.urls.is_empty()).then(|| (source.download_name(), source.checks()));
    for (name, checks) in source.files().into_iter().chain(download) {
        let path = folder.join(name);
        if path.exists()
            && let Some(problem) = verify::mismatch(&path, &checks)?
        {
            bail!(
                "{} is there and is not the published file: {problem}; it is left as it is, move it \
                 away and run the same command again",
                path.display()
            );
        }
    }
    Ok(())
}

/// Brings the files of one alternative.
fn get_all(sources: &[&Origin], folder: &Path, progress: &Progress, pip: &[&[&str]]) -> Result<()> {
    let pages: Vec<&Origin> =
        sources.iter().copied().filter(|source| source.page.is_some()).collect();
    let by_hand = missing(&pages, folder);
    if !by_hand.is_empty() {
        bail!("{}: to be had by hand only", by_hand.join(", "));
    }
    sources.iter().try_for_each(|source| get(source, folder, progress, pip))
}

/// Brings the files of one source.
fn get(source: &Origin, folder: &Path, progress: &Progress, pip: &[&[&str]]) -> Result<()> {
    if missing(&[source], folder).is_empty() {
        return Ok(());
    }
    match source.address().map_err(|problem| anyhow!("{problem}"))? {
        Address::Mirrors(urls) => {
            let target = folder.join(source.download_name());
            if !source.members.is_empty() && target.exists() {
                tracing::info!("unpacking {}", target.display());
                return archive::extract(&target, &source.members, folder, archive::LIMITS)
                    .with_context(|| target.display().to_string());
            }
            mirrors(source, urls, &target, progress)
        }
        Address::Package(name) => {
            tracing::info!("downloading the Python package {name} by pip");
            let rest = Workshop::new(&std::env::temp_dir(), "din-repro-pip-")?;
            package::download(name, rest.path(), pip)
                .and_then(|wheel| {
                    archive::extract(&wheel, &source.members, folder, archive::LIMITS)
                })
                .with_context(|| format!("Python package {name}"))
        }
        Address::Page(page) => {
            bail!("{} is missing, to be had by hand from {page}", source.download_name())
        }
    }
}

/// Tries one address after the other.
fn mirrors(source: &Origin, urls: &[String], target: &Path, progress: &Progress) -> Result<()> {
    let mut failures = Vec::new();
    for (index, url) in urls.iter().enumerate() {
        // Each address has its own, so that what came from two is never mixed.
        let part = part(target, index);
        let continued = part.exists();
        let verb = if continued { "continuing" } else { "downloading" };
        tracing::info!("{verb} {url}");
        let bar = progress.download(source.download_name(), source.bytes);
        let mut outcome = mirror(source, url, &part, target, &bar);
        if continued && outcome.is_err() && !part.exists() {
            // What an earlier attempt left may have been the fault.
            outcome = mirror(source, url, &part, target, &bar);
        }
        bar.finish_and_clear();
        match outcome {
            Ok(()) => {
                for other in (0..urls.len()).map(|index| self::part(target, index)) {
                    // Most were never there.
                    let _ = std::fs::remove_file(other);
                }
                return Ok(());
            }
            Err(error) if error.is::<Failure>() => return Err(error),
            Err(error) => failures.push(format!("{error:#} ({url})")),
        }
    }
    bail!("{}: {}", source.download_name(), failures.join("\n    and "))
}

/// Downloads, checks and places. What turns out to be wrong is deleted.
fn mirror(
    source: &Origin,
    url: &str,
    part: &Path,
    target: &Path,
    bar: &indicatif::ProgressBar,
) -> Result<()> {
    let checks = source.checks();
    download::download(url, part, checks.bytes, bar).inspect_err(|_| remove_empty(part))?;
    let placed = match verify::mismatch(part, &checks)? {
        Some(problem) => Err(anyhow!("{problem}")),
        None if source.members.is_empty() => {
            let known = checks.sha256.is_some() || checks.md5.is_some();
            match if known { None } else { verify::damage(part, source.download_name())? } {
                Some(problem) => Err(anyhow!("{problem}")),
                None => return place(part, target),
            }
        }
        None => {
            let folder = target.parent().unwrap_or(Path::new("."));
            archive::extract(part, &source.members, folder, archive::LIMITS)
        }
    };
    std::fs::remove_file(part).with_context(|| format!("cannot remove {}", part.display()))?;
    placed
}

/// An attempt that brought nothing leaves nothing.
fn remove_empty(part: &Path) {
    if std::fs::metadata(part).is_ok_and(|metadata| metadata.len() == 0) {
        let _ = std::fs::remove_file(part);
    }
}

/// Where a file lies until it is whole: one name for each of its addresses.
fn part(target: &Path, address: usize) -> PathBuf {
    let mut name = target.as_os_str().to_owned();
    name.push(if address == 0 { ".part".into() } else { format!(".part{}", address + 1) });
    name.into()
}

/// Gives a file that is whole its own name.
fn place(part: &Path, target: &Path) -> Result<()> {
    std::fs::rename(part, target)
        .with_context(|| format!("cannot rename {} to {}", part.display(), target.display()))
}
