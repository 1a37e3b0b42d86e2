//! The folder that a dataset is written into, file by file or in pieces.

use crate::columns::TableEncoder;
use crate::manifest::FileRecord;
use crate::{Error, Result};
use ctr_core::{Digest, sha256_hex};
use polars::prelude::Column;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// Files written so far, as the manifest lists them.
pub(crate) struct Folder {
    path: PathBuf,
    /// A place for what is not to stay.
    aside: PathBuf,
    files: Vec<FileRecord>,
}

impl Folder {
    pub(super) fn new(path: &Path, aside: &Path) -> Self {
        Self { path: path.to_path_buf(), aside: aside.to_path_buf(), files: Vec::new() }
    }

    /// The path of a file that goes when the folder is finished, or fails.
    pub fn aside(&self, name: &str) -> PathBuf {
        self.aside.join(name)
    }

    /// Writes a whole file.
    pub fn put(&mut self, name: &str, bytes: &[u8]) -> Result<()> {
        put(&self.path.join(name), bytes)?;
        let record =
            FileRecord { name: name.into(), bytes: bytes.len() as u64, sha256: sha256_hex(bytes) };
        self.files.push(record);
        Ok(())
    }

    /// Begins a table to be written in pieces.
    pub fn table(&self, name: &str) -> Result<Table> {
        let path = self.path.join(name);
        let file = fs::File::create(&path)
            .map_err(|source| Error::Write { path: path.clone(), source })?;
        let output = Output(Arc::new(Mutex::new(Hashed { file, digest: Digest::new(), bytes: 0 })));
        Ok(Table { name: name.into(), path, output, encoder: None })
    }

    /// Ends a table.
    pub fn close(&mut self, table: Table) -> Result<()> {
        let Table { name, path, output, encoder } = table;
        if let Some(encoder) = encoder {
            encoder.finish()?;
        }
        let hashed = output.0.lock().unwrap_or_else(PoisonError::into_inner);
        hashed.file.sync_all().map_err(|source| Error::Write { path, source })?;
        let sha256 = hashed.digest.clone().finish();
        self.files.push(FileRecord { name, bytes: hashed.bytes, sha256 });
        Ok(())
    }

    /// The files so far, for their description.
    pub fn take_files(&mut self) -> Vec<FileRecord> {
        std::mem::take(&mut self.files)
    }
}

/// A Parquet file that grows by pieces, each a row group, so that memory holds one piece.
pub(crate) struct Table {
    name: String,
    path: PathBuf,
    output: Output,
    /// None before the first piece, which has the columns' types.
    encoder: Option<TableEncoder<Output>>,
}

impl Table {
    /// Whether it has columns already.
    pub fn has_begun(&self) -> bool {
        self.encoder.is_some()
    }

    /// Appends rows; every piece has the same columns.
    pub fn append(&mut self, columns: Vec<Column>) -> Result<()> {
        let encoder = match &mut self.encoder {
            Some(encoder) => encoder,
            none => none.insert(TableEncoder::new(self.output.clone(), &columns)?),
        };
        encoder.append(columns)
    }
}

struct Hashed {
    file: fs::File,
    digest: Digest,
    bytes: u64,
}

/// Hashes what goes by. Shared, because polars' writer does not give back what it writes to.
#[derive(Clone)]
struct Output(Arc<Mutex<Hashed>>);

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut hashed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let written = hashed.file.write(bytes)?;
        hashed.digest.update(&bytes[..written]);
        hashed.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).file.flush()
    }
}

/// Writes a file and forces it to disk, so that a rename never precedes its content.
pub(super) fn put(path: &Path, bytes: &[u8]) -> Result<()> {
    let fail = |source| Error::Write { path: path.to_path_buf(), source };
    let mut file = fs::File::create(path).map_err(fail)?;
    file.write_all(bytes).map_err(fail)?;
    file.sync_all().map_err(fail)
}
