//! What the first rank knows of an unfinished run, for the others.

use crate::{CHECKPOINT_FILE, Error, LOSSES_FILE, MODEL_FILE, Result};
use ctr_core::AtomicFile;
use ctr_nn::{Communicator, gather_bytes};
use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;

/// Bytes of a piece: a file may be larger than the memory.
const PIECE: u64 = 1 << 26;

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
    if ranks.rank() == 0 { give(ranks, path, PIECE) } else { take(ranks, path) }
}

/// Sends a file: first whether it is there and its bytes, then piece by piece.
fn give(ranks: &dyn Communicator, path: &Path, piece: u64) -> Result<()> {
    let fail = |source| Error::Io { path: path.to_path_buf(), source };
    if !path.exists() {
        gather_bytes(ranks, &[])?;
        return Ok(());
    }
    let mut file = File::open(path).map_err(fail)?;
    let mut rest = file.metadata().map_err(fail)?.len();
    gather_bytes(ranks, &rest.to_le_bytes())?;
    let mut bytes = Vec::new();
    while rest > 0 {
        bytes.resize(rest.min(piece) as usize, 0);
        file.read_exact(&mut bytes).map_err(fail)?;
        gather_bytes(ranks, &bytes)?;
        rest -= bytes.len() as u64;
    }
    Ok(())
}

/// Writes what the first rank sends, if it has it.
fn take(ranks: &dyn Communicator, path: &Path) -> Result<()> {
    let Ok(length) = first_of(ranks)?.try_into() else { return Ok(()) };
    let mut rest = u64::from_le_bytes(length);
    let fail = |source| Error::Io { path: path.to_path_buf(), source };
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(fail)?;
    }
    let mut file = AtomicFile::new(path)?;
    while rest > 0 {
        let bytes = first_of(ranks)?;
        if bytes.is_empty() || bytes.len() as u64 > rest {
            let reason = "the first rank sent something else than it said";
            return Err(ctr_nn::Error::Exchange(reason.into()).into());
        }
        file.write_all(&bytes).map_err(fail)?;
        rest -= bytes.len() as u64;
    }
    Ok(file.finish()?)
}

/// What the first rank gives, to a rank that gives nothing.
fn first_of(ranks: &dyn Communicator) -> Result<Vec<u8>> {
    Ok(gather_bytes(ranks, &[])?.swap_remove(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ctr_nn::ThreadRanks;

    #[test]
    fn a_file_comes_whole_in_pieces_and_one_that_is_not_there_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = |rank: usize, name: &str| folder.path().join(format!("{rank}/{name}"));
        let bytes: Vec<u8> = (0..1003).map(|at| (at * 7) as u8).collect();
        std::fs::create_dir(folder.path().join("0")).unwrap();
        std::fs::write(path(0, "file"), &bytes).unwrap();
        std::thread::scope(|scope| {
            for (rank, ranks) in ThreadRanks::group(3).into_iter().enumerate() {
                scope.spawn(move || {
                    for (piece, name) in [(10, "file"), (1003, "file"), (10, "none")] {
                        match rank {
                            0 => give(&ranks, &path(0, name), piece).unwrap(),
                            _ => take(&ranks, &path(rank, name)).unwrap(),
                        }
                    }
                });
            }
        });
        for rank in [1, 2] {
            assert_eq!(std::fs::read(path(rank, "file")).unwrap(), bytes);
            assert!(!path(rank, "none").exists());
        }
    }
}
