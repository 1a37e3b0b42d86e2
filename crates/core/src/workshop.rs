//! Temporary folders that do not stay behind.

use crate::{Error, FileLock, Result};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

/// The file in a workshop whose lock says that somebody is at work there.
const LOCK: &str = ".lock";
/// A folder younger than this may be one whose maker has not locked it yet.
const YOUNG: Duration = Duration::from_secs(60);

/// All workshops of this process.
static OPEN: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// A temporary folder, removed with all that is in it when it is dropped. What a killed process left behind is
/// removed by the next one that makes a workshop of the same prefix in the same place.
#[derive(Debug)]
pub struct Workshop {
    folder: tempfile::TempDir,
    _lock: FileLock,
}

impl Workshop {
    /// A folder in `parent` whose name begins with `prefix`.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn new(parent: &Path, prefix: &str) -> Result<Self> {
        sweep(parent, prefix);
        let fail = |source| Error::Write { path: parent.join(prefix), source };
        let mut open = open();
        let folder = tempfile::Builder::new().prefix(prefix).tempdir_in(parent).map_err(fail)?;
        let Some(lock) = FileLock::try_new(&folder.path().join(LOCK))? else {
            return Err(fail(std::io::ErrorKind::ResourceBusy.into()));
        };
        open.push(folder.path().to_path_buf());
        Ok(Self { folder, _lock: lock })
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }
}

impl Drop for Workshop {
    fn drop(&mut self) {
        open().retain(|path| path != self.folder.path());
    }
}

fn open() -> std::sync::MutexGuard<'static, Vec<PathBuf>> {
    OPEN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Removes all workshops of this process, which is about to end where it stands: whoever is at work in one, or
/// would begin one, waits for that end.
pub fn remove_workshops() {
    let mut open = open();
    for path in open.drain(..) {
        let _ = fs::remove_dir_all(path);
    }
    std::mem::forget(open);
}

/// Removes workshops that nobody is at work in. Nothing depends on it, so errors are nobody's concern.
fn sweep(parent: &Path, prefix: &str) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let path = entry.path();
        let lock = path.join(LOCK);
        if !entry.file_name().to_string_lossy().starts_with(prefix) {
            continue;
        }
        // One without a lock was not finished, or its removal was not.
        let left = if lock.exists() { is_old(&lock) && is_free(&lock) } else { is_old(&path) };
        if left {
            let _ = fs::remove_dir_all(path);
        }
    }
}

/// Whether the lock can be had, on a file system that has locks at all.
fn is_free(lock: &Path) -> bool {
    let first = FileLock::try_new(lock);
    let second = FileLock::try_new(lock);
    matches!((first, second), (Ok(Some(_)), Ok(None)))
}

/// Whether it is there and not young.
fn is_old(path: &Path) -> bool {
    fs::metadata(path)
        .and_then(|found| found.modified())
        .is_ok_and(|made| SystemTime::now().duration_since(made).is_ok_and(|age| age > YOUNG))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn it_goes_with_all_that_is_in_it() {
        let place = tempfile::tempdir().unwrap();
        let workshop = Workshop::new(place.path(), ".at-work-").unwrap();
        fs::write(workshop.path().join("half"), "x").unwrap();
        assert_eq!(names(place.path()).len(), 1);
        drop(workshop);
        assert!(names(place.path()).is_empty());
    }

    #[test]
    fn what_a_killed_process_left_is_removed_and_nothing_else() {
        let place = tempfile::tempdir().unwrap();
        for name in [".at-work-old", ".at-work-young", "results"] {
            let folder = place.path().join(name);
            fs::create_dir(&folder).unwrap();
            let lock = fs::File::create(folder.join(LOCK)).unwrap();
            if name != ".at-work-young" {
                lock.set_modified(SystemTime::now() - 2 * YOUNG).unwrap();
            }
        }
        // One that is old and still in use.
        let used = Workshop::new(place.path(), ".at-work-").unwrap();
        let lock = fs::File::options().append(true).open(used.path().join(LOCK)).unwrap();
        lock.set_modified(SystemTime::now() - 2 * YOUNG).unwrap();
        drop(Workshop::new(place.path(), ".at-work-").unwrap());
        let mut left = names(place.path());
        left.sort();
        let own = used.path().file_name().unwrap().to_str().unwrap();
        let mut expected = [own, ".at-work-young", "results"];
        expected.sort();
        assert_eq!(left, expected);
    }
}
