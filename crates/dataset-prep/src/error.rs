//! The crate's error: every message says where, what and what to do.

use std::fmt;
use std::path::{Path, PathBuf};

/// A place in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The file as a whole.
    File,
    /// A line of a text file, counted from 1 in the decompressed text, header included.
    Line(u64),
    /// A row of a Parquet file, counted from 1.
    Row(u64),
}

impl Place {
    /// The place `rows` rows further on.
    pub(crate) fn plus(self, rows: u64) -> Self {
        match self {
            Self::File => Self::File,
            Self::Line(first) => Self::Line(first + rows),
            Self::Row(first) => Self::Row(first + rows),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File => Ok(()),
            Self::Line(number) => write!(f, ", line {number}"),
            Self::Row(number) => write!(f, ", row {number}"),
        }
    }
}

/// What can go wrong between raw files and a prepared dataset.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Something in an input file.
    #[error("{}{place}{}: {problem}; {remedy}", file.display(), field_text(field))]
    Input {
        /// The file.
        file: PathBuf,
        /// Where in it.
        place: Place,
        /// The field or column; empty when the whole line is meant.
        field: String,
        /// What is wrong, with the value.
        problem: String,
        /// What to do.
        remedy: String,
    },
    /// Files that are not where they should be, or too many of them.
    #[error("{}: {problem}; {remedy}", folder.display())]
    Files {
        /// The folder searched.
        folder: PathBuf,
        /// What is missing or ambiguous.
        problem: String,
        /// What to do.
        remedy: String,
    },
    /// An identifier that the catalog does not have.
    #[error("unknown dataset {id:?}: expected one of {known}")]
    UnknownDataset {
        /// The identifier given.
        id: String,
        /// All identifiers.
        known: String,
    },
    /// A simulation that cannot be made.
    #[error("cannot simulate {preset}: {reason}")]
    Simulation {
        /// The preset asked for.
        preset: String,
        /// Why not, and what would do.
        reason: String,
    },
    /// The system refused to read a file.
    #[error("cannot read {}: {source}; check that it exists and is readable", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// What other processes that read the same shards gave.
    #[error(transparent)]
    Readers(#[from] ctr_core::ShardError),
    /// The system refused to write a file.
    #[error(
        "cannot write {}: {source}; check that the folder is writable and has space",
        path.display()
    )]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The target folder holds something that is not ours to replace.
    #[error(
        "{} exists and is not a {what}; choose another folder or remove it yourself",
        path.display()
    )]
    Occupied {
        /// The target.
        path: PathBuf,
        /// What would be replaced, and by which file it is known.
        what: String,
    },
    /// A prepared dataset, or a predictions file, that cannot be trusted.
    #[error("{}: {reason}", path.display())]
    Damaged {
        /// The file or folder.
        path: PathBuf,
        /// What does not fit, and what to do.
        reason: String,
    },
    /// Columns that cannot be written as they are.
    #[error("cannot write columns: {0}")]
    Columns(String),
    /// The embedded catalog contradicts itself.
    #[error("catalog entry {file}: {reason}")]
    Catalog {
        /// The TOML file.
        file: String,
        /// What is wrong.
        reason: String,
    },
    /// An error of the shared types.
    #[error(transparent)]
    Core(#[from] ctr_core::Error),
}

impl Error {
    /// An [`Error::Input`].
    pub(crate) fn input(
        file: &Path,
        place: Place,
        field: &str,
        problem: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self::Input {
            file: file.to_path_buf(),
            place,
            field: field.into(),
            problem: problem.into(),
            remedy: remedy.into(),
        }
    }

    /// An [`Error::Occupied`]: `name` is the file by which what may be replaced is known.
    pub(crate) fn occupied(path: &Path, name: &str) -> Self {
        let kind = if name == "manifest.json" { "prepared dataset" } else { "part of one" };
        Self::Occupied { path: path.to_path_buf(), what: format!("{kind} (it has no {name})") }
    }

    /// An [`Error::Damaged`].
    pub(crate) fn damaged(path: &Path, reason: impl Into<String>) -> Self {
        Self::Damaged { path: path.to_path_buf(), reason: reason.into() }
    }
}

fn field_text(field: &str) -> String {
    if field.is_empty() { String::new() } else { format!(", field {field}") }
}

/// Result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_says_where_what_and_what_to_do() {
        let error =
            Error::input(Path::new("a.tsv"), Place::Line(3), "order", "-1 is bad", "fix it");
        assert_eq!(error.to_string(), "a.tsv, line 3, field order: -1 is bad; fix it");
        let error = Error::input(Path::new("a.tsv"), Place::File, "", "no rows", "add some");
        assert_eq!(error.to_string(), "a.tsv: no rows; add some");
    }

    #[test]
    fn errors_can_cross_threads() {
        fn check<T: Send + Sync + 'static>() {}
        check::<Error>();
    }
}
