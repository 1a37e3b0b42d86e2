//! What the first rank knows of an unfinished run, for the others.

use crate::{CHECKPOINT_FILE, Error, LOSSES_FILE, MODEL_FILE, Result};
use ctr_core::AtomicFile;
use ctr_nn::Communicator;
use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;

/// Words of a piece: files may be larger than what MPI counts.
const PIECE: usize = 1 << 24;

/// Gives all ranks the files that a run goes on from: from `directory` of the first rank to `directory` of each
/// other one, so that nothing but the first needs the folder of the run.
///
/// # Errors
/// When a file cannot be read or written, or a rank is lost.
pub fn hand_out(ranks: &dyn Communicator, directory: &Path) -> Result<()> {
    for name in [LOSSES_FILE, MODEL_FILE, CHECKPOINT_FILE] {
        hand_out_file(ranks, &directory.join(name))?;
    }
    Ok(())
}

/// [`hand_out`] of one file, which each rank has at a path of its own.
pub(crate) fn hand_out_file(ranks: &dyn Communicator, path: &Path) -> Result<()> {
    if ranks.rank() == 0 { give(ranks, path) } else { take(ranks, path) }
}

/// Sends a file: first whether it is there and its bytes, then piece by piece.
fn give(ranks: &dyn Communicator, path: &Path) -> Result<()> {
    let fail = |source| Error::Io { path: path.to_path_buf(), source };
    if !path.exists() {
        ranks.all_gather(&[])?;
        return Ok(());
    }
    let mut file = File::open(path).map_err(fail)?;
    let length = file.metadata().map_err(fail)?.len();
    ranks.all_gather(&[length as u32, (length >> 32) as u32])?;
    let mut rest = length as usize;
    let mut bytes = Vec::new();
    while rest > 0 {
        let count = rest.min(4 * PIECE);
        bytes.resize(count, 0);
        file.read_exact(&mut bytes).map_err(fail)?;
        let word =
            |bytes: &[u8]| bytes.iter().rev().fold(0u32, |word, &byte| word << 8 | u32::from(byte));
        let words: Vec<u32> = bytes.chunks(4).map(word).collect();
        ranks.all_gather(&words)?;
        rest -= count;
    }
    Ok(())
}

/// Writes what the first rank sends, if it has it.
fn take(ranks: &dyn Communicator, path: &Path) -> Result<()> {
    let header = ranks.all_gather(&[])?;
    let &[low, high] = header.of(0) else { return Ok(()) };
    let mut rest = (u64::from(high) << 32 | u64::from(low)) as usize;
    let fail = |source| Error::Io { path: path.to_path_buf(), source };
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(fail)?;
    }
    let mut file = AtomicFile::new(path)?;
    while rest > 0 {
        let piece = ranks.all_gather(&[])?;
        if piece.of(0).is_empty() {
            return Err(
                ctr_nn::Error::Exchange("the first rank sent less than it said".into()).into()
            );
        }
        let mut bytes: Vec<u8> = piece.of(0).iter().flat_map(|word| word.to_le_bytes()).collect();
        bytes.truncate(rest);
        file.write_all(&bytes).map_err(fail)?;
        rest -= bytes.len();
    }
    Ok(file.finish()?)
}
