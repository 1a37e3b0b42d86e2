//! Listed members of a zip archive, and nothing else of it.

use super::verify::{PIECE, Sums};
use super::{part, place};
use anyhow::{Context, Result, anyhow, bail};
use ctr_dataset_prep::Member;
use std::fs::File;
use std::io::{BufReader, Read, Write};
use std::path::Path;
use zip::ZipArchive;

/// What is refused as too large, so that a few kilobytes cannot fill a disk.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of a member.
    pub bytes: u64,
    /// Bytes out of one byte of the archive…
    pub ratio: u64,
    /// …for members larger than this.
    pub ratio_from: u64,
}

/// The largest file of any known dataset has 23 GB and is no member of an archive; text of ratings
/// shrinks to a third or a tenth.
pub const LIMITS: Limits = Limits { bytes: 20 << 30, ratio: 1000, ratio_from: 100 << 20 };

/// Places `members` in `folder` under their own names. They appear only when all of them are there and
/// right. Names in the archive never become paths.
pub fn extract(archive: &Path, members: &[Member], folder: &Path, limits: Limits) -> Result<()> {
    let file = File::open(archive).with_context(|| format!("cannot read {}", archive.display()))?;
    let mut zip = ZipArchive::new(BufReader::with_capacity(PIECE, file))
        .map_err(|error| anyhow!("not a whole zip archive ({error})"))?;
    let unpacked = unpack_all(&mut zip, members, folder, limits);
    for member in members {
        let target = folder.join(member.name());
        if unpacked.is_ok() {
            place(&part(&target, 0), &target)?;
        } else {
            // Not every one of them need be there.
            let _ = std::fs::remove_file(part(&target, 0));
        }
    }
    unpacked
}

fn unpack_all(
    zip: &mut ZipArchive<BufReader<File>>,
    members: &[Member],
    folder: &Path,
    limits: Limits,
) -> Result<()> {
    for member in members {
        let index = find(zip, &member.path)?;
        unpack(zip, index, member, &part(&folder.join(member.name()), 0), limits)
            .with_context(|| format!("member {:?} of the archive", member.path))?;
    }
    Ok(())
}

fn find(zip: &ZipArchive<BufReader<File>>, path: &str) -> Result<usize> {
    if let Some(index) = zip.index_for_name(path) {
        return Ok(index);
    }
    let ending = format!("/{path}");
    let alike: Vec<&str> = zip.file_names().filter(|name| name.ends_with(&ending)).collect();
    match alike[..] {
        [name] if !path.contains('/') => zip.index_for_name(name),
        _ => None,
    }
    .with_context(|| {
        let mut names: Vec<&str> = zip.file_names().take(10).collect();
        names.sort_unstable();
        format!("the archive has no member {path:?}; it begins with {names:?}")
    })
}

fn unpack(
    zip: &mut ZipArchive<BufReader<File>>,
    index: usize,
    member: &Member,
    target: &Path,
    limits: Limits,
) -> Result<()> {
    let writing = || format!("cannot write {}; is there space left?", target.display());
    let mut source = zip.by_index(index).map_err(|error| anyhow!("{error}"))?;
    let (size, packed) = (source.size(), source.compressed_size());
    if size > limits.bytes {
        bail!(
            "{size} bytes are refused, more than {} are no data set of this program",
            limits.bytes
        );
    }
    if size > limits.ratio_from && size / limits.ratio > packed {
        bail!("{size} bytes out of {packed} are refused, this looks like a zip bomb");
    }
    let checks = member.checks();
    let mut sums = Sums::default();
    let mut file = File::create(target).with_context(writing)?;
    let mut piece = vec![0; PIECE];
    let mut written = 0;
    loop {
        // A wrong checksum inside the archive is an error of the last read.
        let count = source.read(&mut piece).context("damaged")?;
        if count == 0 {
            break;
        }
        written += count as u64;
        if written > size {
            bail!("more than the {size} bytes come that the archive declares");
        }
        sums.update(&piece[..count], &checks);
        file.write_all(&piece[..count]).with_context(writing)?;
    }
    if written < size {
        bail!("only {written} of the {size} bytes come that the archive declares");
    }
    file.sync_all().with_context(writing)?;
    sums.mismatch(&checks).map_or(Ok(()), |problem| bail!("{problem}"))
}
