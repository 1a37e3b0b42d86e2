//! One process at a time at a place.

use crate::{Error, Result};
use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;

/// A locked file. The system takes the lock back when its holder ends in whatever way, kill -9 and
/// crashes included; the file that stays behind means nothing.
///
/// A file system without locks (some of clusters) gives every asker the lock: what is written there is
/// atomic still, but work may be done twice.
#[derive(Debug)]
pub struct FileLock(File);

impl Drop for FileLock {
    fn drop(&mut self) {
        // Closing is not enough: a process that another thread is just starting has a copy of the handle.
        let _ = self.0.unlock();
    }
}

impl FileLock {
    /// The lock, or none when another process, or another part of this one, has it.
    ///
    /// # Errors
    /// When the file cannot be made.
    pub fn try_new(path: &Path) -> Result<Option<Self>> {
        Ok(Self::try_on(open(path)?))
    }

    /// The lock of an open file or folder, or none when somebody else has it.
    pub fn try_on(file: File) -> Option<Self> {
        match file.try_lock() {
            Ok(()) => Some(Self(file)),
            Err(TryLockError::WouldBlock) => None,
            Err(TryLockError::Error(_)) => Some(Self(file)),
        }
    }

    /// The lock, after whoever has it; `waiting` is called once if there is somebody.
    ///
    /// # Errors
    /// When the file cannot be made.
    pub fn wait(path: &Path, waiting: impl FnOnce()) -> Result<Self> {
        if let Some(lock) = Self::try_new(path)? {
            return Ok(lock);
        }
        waiting();
        let file = open(path)?;
        file.lock().map_err(|source| Error::Write { path: path.to_path_buf(), source })?;
        Ok(Self(file))
    }

    /// The lock of a folder itself, after whoever has it; `waiting` is called once if there is somebody. None where
    /// folders cannot be locked, which is for places that only lose work done twice by it.
    pub fn wait_for_folder(folder: &Path, waiting: impl FnOnce()) -> Option<Self> {
        match Self::try_on(File::open(folder).ok()?) {
            Some(lock) => Some(lock),
            None => {
                waiting();
                let file = File::open(folder).ok()?;
                file.lock().ok().map(|()| Self(file))
            }
        }
    }
}

fn open(path: &Path) -> Result<File> {
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .map_err(|source| Error::Write { path: path.to_path_buf(), source })
}

#[cfg(test)]
mod tests {
    use super::FileLock;
    use std::cell::Cell;

    #[test]
    fn one_holder_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let first = FileLock::try_new(&path).unwrap();
        assert!(first.is_some());
        assert!(FileLock::try_new(&path).unwrap().is_none());
        drop(first);
        let asked = Cell::new(false);
        let again = FileLock::wait(&path, || asked.set(true)).unwrap();
        assert!(!asked.get());
        assert!(FileLock::try_new(&path).unwrap().is_none());
        drop(again);
    }

    #[test]
    fn who_waits_is_told_and_comes_next() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let first = FileLock::try_new(&path).unwrap();
        let (told, hears) = std::sync::mpsc::channel();
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| FileLock::wait(&path, || told.send(()).unwrap()).map(drop));
            hears.recv().unwrap();
            drop(first);
            waiter.join().unwrap().unwrap();
        });
    }

    #[test]
    #[cfg(unix)]
    fn a_folder_is_locked_without_a_trace() {
        let folder = tempfile::tempdir().unwrap();
        let lock = FileLock::wait_for_folder(folder.path(), || panic!("nobody is there"));
        assert!(lock.is_some());
        let file = std::fs::File::open(folder.path()).unwrap();
        assert!(FileLock::try_on(file).is_none());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        assert!(FileLock::wait_for_folder(std::path::Path::new("no/such"), || ()).is_none());
    }

    #[test]
    fn a_place_that_cannot_be_is_named() {
        let error = FileLock::try_new(std::path::Path::new("no/such/lock")).unwrap_err();
        assert!(error.to_string().contains("no/such/lock"), "{error}");
    }
}
