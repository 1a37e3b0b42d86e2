//! Writing files so that a crash leaves the old content or the new, never half of it.

use crate::{Error, Result};
use std::fs::TryLockError;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Writes `content` to a temporary file beside `path`, forces it to disk and renames it to `path`.
///
/// # Errors
/// Names the path and what the system said; the temporary file is removed.
pub fn write_atomic(path: &Path, content: &[u8]) -> Result<()> {
    let mut file = AtomicFile::new(path)?;
    file.write_all(content).map_err(|source| file.fail(source))?;
    file.finish()
}

/// A file written piece by piece that takes the place of its path when it is finished. Dropped before, it leaves
/// nothing behind.
#[derive(Debug)]
pub struct AtomicFile {
    path: PathBuf,
    file: tempfile::NamedTempFile,
}

impl AtomicFile {
    /// A temporary file beside `path`.
    ///
    /// # Errors
    /// Names the path and what the system said.
    pub fn new(path: &Path) -> Result<Self> {
        let folder = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let file = tempfile::Builder::new()
            .prefix(PREFIX)
            .permissions_like_a_plain_file()
            .tempfile_in(folder)
            .map_err(|source| Error::Write { path: path.to_path_buf(), source })?;
        // For `remove_half_written`: the dead hold no lock. Where a system has none, there is nobody to tell.
        let _ = file.as_file().try_lock();
        Ok(Self { path: path.to_path_buf(), file })
    }

    fn fail(&self, source: io::Error) -> Error {
        Error::Write { path: self.path.clone(), source }
    }

    /// Forces all to disk and renames the file to its path.
    ///
    /// # Errors
    /// Names the path and what the system said; the temporary file is removed.
    pub fn finish(self) -> Result<()> {
        self.file.as_file().sync_all().map_err(|source| self.fail(source))?;
        let Self { path, file } = self;
        if let Err(error) = file.persist(&path) {
            return Err(Error::Write { path, source: error.error });
        }
        // The name is on disk when the folder is. Not every system can force that; the content is whole anyway.
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        if let Ok(folder) = std::fs::File::open(folder.unwrap_or(Path::new("."))) {
            let _ = folder.sync_all();
        }
        Ok(())
    }
}

impl Write for AtomicFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Removes what [`AtomicFile`] and [`write_atomic`] leave in a folder when their process is killed, and nothing that a
/// living process writes.
pub fn remove_half_written(folder: &Path) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(PREFIX) && !is_held(&entry.path()) {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

/// Whether somebody is at a file.
fn is_held(path: &Path) -> bool {
    let Ok(file) = std::fs::File::open(path) else { return false };
    matches!(file.try_lock(), Err(TryLockError::WouldBlock))
}

/// How the names of files begin that are not whole.
const PREFIX: &str = ".writing-";

/// Temporary files are private by default; a result should be as readable as any other file.
trait PlainPermissions {
    fn permissions_like_a_plain_file(&mut self) -> &mut Self;
}

impl PlainPermissions for tempfile::Builder<'_, '_> {
    #[cfg(unix)]
    fn permissions_like_a_plain_file(&mut self) -> &mut Self {
        use std::os::unix::fs::PermissionsExt;
        // The process's umask still applies.
        self.permissions(std::fs::Permissions::from_mode(0o666))
    }

    #[cfg(not(unix))]
    fn permissions_like_a_plain_file(&mut self) -> &mut Self {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_is_replaced_and_nothing_else_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("record.json");
        write_atomic(&path, b"old").unwrap();
        write_atomic(&path, b"new").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"new");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_a_killed_process_left_can_be_removed() {
        let folder = tempfile::tempdir().unwrap();
        for name in [".writing-abc", "record.json", "writing"] {
            std::fs::write(folder.path().join(name), "x").unwrap();
        }
        remove_half_written(folder.path());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[cfg(unix)]
    #[test]
    fn what_a_living_process_writes_is_left_to_it() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = AtomicFile::new(&folder.path().join("scores.csv")).unwrap();
        file.write_all(b"1").unwrap();
        remove_half_written(folder.path());
        file.write_all(b"2").unwrap();
        file.finish().unwrap();
        assert_eq!(std::fs::read(folder.path().join("scores.csv")).unwrap(), b"12");
    }

    #[test]
    fn a_missing_folder_is_an_error_that_names_the_file() {
        let error = write_atomic(Path::new("no/such/folder/x.json"), b"").unwrap_err();
        assert!(error.to_string().contains("no/such/folder/x.json"));
    }
}
