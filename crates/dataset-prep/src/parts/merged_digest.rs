//! Columns of events that are written part by part and hashed in the order of users.

use crate::{Error, Result};
use ctr_core::Digest;
use std::fs::File;
use std::io::{BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Bytes of a part that are read at a time.
const BLOCK: usize = 1 << 16;

/// A column of one number an event in a temporary file, part after part.
pub(super) struct Spilled {
    path: PathBuf,
    file: BufWriter<File>,
    /// Where each part begins, in bytes.
    begins: Vec<u64>,
    bytes: u64,
}

impl Spilled {
    pub fn new(path: PathBuf) -> Result<Self> {
        let file = File::options().create_new(true).read(true).write(true).open(&path);
        let file = file.map_err(|source| Error::Write { path: path.clone(), source })?;
        Ok(Self { path, file: BufWriter::new(file), begins: Vec::new(), bytes: 0 })
    }

    /// Adds the next part's numbers.
    pub fn add(&mut self, numbers: &[u32]) -> Result<()> {
        self.begins.push(self.bytes);
        for chunk in numbers.chunks(1024) {
            let bytes: Vec<u8> = chunk.iter().flat_map(|number| number.to_le_bytes()).collect();
            let written = self.file.write_all(&bytes);
            written.map_err(|source| Error::Write { path: self.path.clone(), source })?;
            self.bytes += bytes.len() as u64;
        }
        Ok(())
    }

    /// Adds the column to a digest in the order of users: the part that each is in, and how many events it has.
    /// Within a part users stand in that order too.
    pub fn hash(self, part_of: &[u32], events: &[u32], digest: &mut Digest) -> Result<()> {
        let Self { path, file, begins, bytes } = self;
        let file = file
            .into_inner()
            .map_err(|error| Error::Write { path: path.clone(), source: error.into_error() })?;
        let mut parts: Vec<Cursor> =
            begins.iter().map(|&next| Cursor { next, block: Vec::new(), used: 0 }).collect();
        digest.update(&(bytes / 4).to_le_bytes());
        for (&part, &events) in part_of.iter().zip(events) {
            let mut wanted = events as usize * 4;
            while wanted > 0 {
                let Some(cursor) = parts.get_mut(part as usize) else { break };
                let taken = cursor.take(&file, &path, wanted)?;
                digest.update(taken);
                wanted -= taken.len();
            }
        }
        Ok(())
    }
}

/// How far a part was read.
struct Cursor {
    next: u64,
    block: Vec<u8>,
    used: usize,
}

impl Cursor {
    /// The next bytes, at least one and at most so many.
    fn take(&mut self, mut file: &File, path: &Path, most: usize) -> Result<&[u8]> {
        let fail = |source| Error::Read { path: path.to_path_buf(), source };
        if self.used == self.block.len() {
            self.block.clear();
            file.seek(SeekFrom::Start(self.next)).map_err(fail)?;
            file.take(BLOCK as u64).read_to_end(&mut self.block).map_err(fail)?;
            if self.block.is_empty() {
                return Err(fail(std::io::ErrorKind::UnexpectedEof.into()));
            }
            self.next += self.block.len() as u64;
            self.used = 0;
        }
        let from = self.used;
        self.used = (from + most).min(self.block.len());
        Ok(&self.block[from..self.used])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_hashed_in_the_order_of_users_across_blocks() {
        let folder = tempfile::tempdir().unwrap();
        // Users by turns in three parts, with 0 to 40,000 events.
        let part_of: Vec<u32> = (0..30).map(|user| user * 7 % 3).collect();
        let events: Vec<u32> = (0..30).map(|user| user * user * user % 40_001).collect();
        let (mut whole, mut parts, mut number) = (Vec::new(), vec![Vec::new(); 3], 0u32);
        for (&part, &events) in part_of.iter().zip(&events) {
            for _ in 0..events {
                number = number.wrapping_mul(1_664_525).wrapping_add(1);
                whole.push(number);
                parts[part as usize].push(number);
            }
        }
        let mut spilled = Spilled::new(folder.path().join("column")).unwrap();
        parts.iter().for_each(|part| spilled.add(part).unwrap());
        let (mut merged, mut expected) = (Digest::new(), Digest::new());
        spilled.hash(&part_of, &events, &mut merged).unwrap();
        expected.ids(&whole);
        assert_eq!(merged.finish(), expected.finish());
    }
}
