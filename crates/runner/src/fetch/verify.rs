//! Whether a file is what the catalog says.

use anyhow::{Context, Result};
use ctr_core::Digest;
use ctr_dataset_prep::Checks;
use md5::{Digest as _, Md5};
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

/// Bytes read at a time.
pub const PIECE: usize = 1 << 20;

/// The sums of a file that is read once, piece by piece.
#[derive(Default)]
pub struct Sums {
    bytes: u64,
    sha256: Digest,
    md5: Md5,
}

impl Sums {
    /// Adds the next piece.
    pub fn update(&mut self, piece: &[u8], checks: &Checks) {
        self.bytes += piece.len() as u64;
        // Hashing takes longer than reading, so only what is asked for.
        if checks.sha256.is_some() {
            self.sha256.update(piece);
        }
        if checks.md5.is_some() {
            self.md5.update(piece);
        }
    }

    /// What does not fit, with what was expected and what was found.
    pub fn mismatch(self, checks: &Checks) -> Option<String> {
        if let Some(bytes) = checks.bytes.filter(|&bytes| bytes != self.bytes) {
            return Some(format!("expected {bytes} bytes, found {}", self.bytes));
        }
        if let Some(expected) = checks.sha256 {
            let found = self.sha256.finish();
            if found != expected {
                return Some(format!("expected SHA-256 {expected}, found {found}"));
            }
        }
        if let Some(expected) = checks.md5 {
            let found: String =
                self.md5.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
            if found != expected {
                return Some(format!("expected MD5 {expected}, found {found}"));
            }
        }
        None
    }
}

/// What does not fit between a file and what is known of it.
pub fn mismatch(path: &Path, checks: &Checks) -> Result<Option<String>> {
    let read = || format!("cannot read {}", path.display());
    let bytes = std::fs::metadata(path).with_context(read)?.len();
    if let Some(expected) = checks.bytes.filter(|&expected| expected != bytes) {
        return Ok(Some(format!("expected {expected} bytes, found {bytes}")));
    }
    if checks.sha256.is_none() && checks.md5.is_none() {
        return Ok(None);
    }
    let mut sums = Sums::default();
    pieces(path, |piece| sums.update(piece, checks)).with_context(read)?;
    Ok(sums.mismatch(checks))
}

/// Size and SHA-256 of a file.
pub fn identity(path: &Path) -> Result<(u64, String)> {
    let mut sha256 = Digest::new();
    let mut bytes = 0;
    pieces(path, |piece| {
        sha256.update(piece);
        bytes += piece.len() as u64;
    })
    .with_context(|| format!("cannot read {}", path.display()))?;
    Ok((bytes, sha256.finish()))
}

/// What is wrong with a download called `name` of which no checksum is known. A gzip file carries one of
/// its own; that tells a page of a login, or half a file, from the real thing.
pub fn damage(path: &Path, name: &str) -> Result<Option<String>> {
    let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    let found = if name.ends_with(".gz") {
        let mut decoder = flate2::read::MultiGzDecoder::new(BufReader::with_capacity(PIECE, file));
        match std::io::copy(&mut decoder, &mut std::io::sink()) {
            Ok(_) => None,
            Err(error) => Some(format!("not a whole gzip file ({error})")),
        }
    } else if file.metadata().is_ok_and(|metadata| metadata.len() == 0) {
        Some("an empty file".to_string())
    } else {
        None
    };
    Ok(found)
}

fn pieces(path: &Path, mut each: impl FnMut(&[u8])) -> std::io::Result<()> {
    let mut file = File::open(path)?;
    let mut piece = vec![0; PIECE];
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(()),
            count => each(&piece[..count]),
        }
    }
}
