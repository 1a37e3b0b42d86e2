//! The loss of every step, by which two runs can be compared step by step.

use crate::{Error, Result};
use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Mean loss of each training step, one little-endian f64 after the other:
/// `numpy.fromfile("losses.f64")`.
pub const LOSSES_FILE: &str = "losses.f64";

const BYTES: u64 = size_of::<f64>() as u64;

/// Appends to [`LOSSES_FILE`].
#[derive(Debug)]
pub(crate) struct LossLog {
    path: PathBuf,
    file: BufWriter<File>,
}

impl LossLog {
    /// The file of a run that has done `steps` steps; losses of later ones, which a killed process may have
    /// left, are cut off.
    pub fn open(directory: &Path, steps: u64) -> Result<Self> {
        let path = directory.join(LOSSES_FILE);
        let fail = |source| Error::Io { path: path.clone(), source };
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        let mut file = file.map_err(fail)?;
        let length = file.metadata().map_err(fail)?.len();
        if length < steps * BYTES {
            return Err(Error::Checkpoint {
                reason: format!(
                    "it has {} losses, the checkpoint was written after step {steps}",
                    length / BYTES
                ),
                path,
            });
        }
        file.set_len(steps * BYTES).map_err(fail)?;
        file.seek(SeekFrom::End(0)).map_err(fail)?;
        Ok(Self { path, file: BufWriter::new(file) })
    }

    pub fn push(&mut self, loss: f64) -> Result<()> {
        self.file.write_all(&loss.to_le_bytes()).map_err(|source| self.fail(source))
    }

    /// Forces all to disk, so that a checkpoint never knows of steps that the file does not have.
    pub fn sync(&mut self) -> Result<()> {
        let synced = self.file.flush().and_then(|()| self.file.get_ref().sync_data());
        synced.map_err(|source| self.fail(source))
    }

    fn fail(&self, source: std::io::Error) -> Error {
        Error::Io { path: self.path.clone(), source }
    }
}

/// Reads the losses of a run, the first step's first.
///
/// # Errors
/// When the file cannot be read or its end is missing.
pub fn read_losses(directory: &Path) -> Result<Vec<f64>> {
    let path = directory.join(LOSSES_FILE);
    let bytes = std::fs::read(&path).map_err(|source| Error::Io { path: path.clone(), source })?;
    let (losses, rest) = bytes.as_chunks();
    if !rest.is_empty() {
        let source = std::io::Error::other(format!("{} bytes are no whole losses", bytes.len()));
        return Err(Error::Io { path, source });
    }
    Ok(losses.iter().map(|&bytes| f64::from_le_bytes(bytes)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_process_left_is_cut_off_and_what_is_missing_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let mut log = LossLog::open(folder.path(), 0).unwrap();
        for loss in [0.7, 0.6, f64::NAN] {
            log.push(loss).unwrap();
        }
        log.sync().unwrap();
        drop(log);
        let mut log = LossLog::open(folder.path(), 2).unwrap();
        log.push(0.5).unwrap();
        log.sync().unwrap();
        assert_eq!(read_losses(folder.path()).unwrap(), [0.7, 0.6, 0.5]);
        let error = LossLog::open(folder.path(), 4).unwrap_err().to_string();
        assert!(error.contains("it has 3 losses") && error.contains("after step 4"), "{error}");
        // Asked for all of them to go, as a run that begins anew does.
        drop(LossLog::open(folder.path(), 0).unwrap());
        assert!(read_losses(folder.path()).unwrap().is_empty());
        std::fs::write(folder.path().join(LOSSES_FILE), [0; 12]).unwrap();
        assert!(read_losses(folder.path()).unwrap_err().to_string().contains("12 bytes"));
    }
}
