//! Lists of runs: what a launcher hands out, and a task finds its run in.
//!
//! A list is JSON, a run a line, in `launch/` of the reports' folder, beside the scripts and outputs of its jobs. It has
//! all that a run needs but the data, so that a task opens one dataset and no suite, and does what was submitted even
//! when somebody has edited the suite since.

use crate::config::RunConfig;
use crate::job::Job;
use anyhow::{Context, Result, anyhow};
use ctr_core::{Protocol, write_atomic};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// One run of a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listed {
    /// Name of the run's directory.
    pub directory: String,
    /// The dataset, by the name of its folder.
    pub dataset: String,
    /// The protocol.
    pub protocol: Protocol,
    /// The seed.
    pub seed: u64,
    /// Steps at most.
    pub steps: u64,
    /// The configuration.
    pub config: RunConfig,
}

impl Listed {
    /// What a task needs to know of a run.
    pub fn of(job: &Job<'_>) -> Result<Self> {
        Ok(Self {
            directory: job.directory_name()?,
            dataset: job.dataset.id.clone(),
            protocol: job.dataset.protocol,
            seed: job.seed,
            steps: job.config.train.steps(job.dataset.train.rows() as u64),
            config: job.config.clone(),
        })
    }
}

/// A list and the files of its jobs, which have its name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ListFile {
    /// Which list of the folder it is, from 1: of two lists with one run the later one counts.
    pub number: u64,
    /// Path without the ending.
    stem: PathBuf,
}

/// How names of lists end.
const ENDING: &str = ".runs.jsonl";

impl ListFile {
    /// The lists in a folder, the oldest first.
    pub fn all(folder: &Path) -> Vec<Self> {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let mut lists: Vec<Self> = entries.filter_map(|entry| Self::at(&entry.path())).collect();
        lists.sort();
        lists
    }

    /// The list with this path, if its name is one of a list.
    pub fn at(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_str()?.strip_suffix(ENDING)?;
        let (_, number) = name.rsplit_once('-')?;
        Some(Self { number: number.parse().ok()?, stem: path.with_file_name(name) })
    }

    /// The next list of a suite in a folder.
    pub fn next(folder: &Path, suite: &str) -> Self {
        let number = Self::all(folder).last().map_or(1, |last| last.number + 1);
        Self { number, stem: folder.join(format!("{}-{number}", short_name(suite))) }
    }

    /// Its name, which no other list of the folder has.
    pub fn name(&self) -> String {
        self.stem.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// A file of its jobs.
    pub fn beside(&self, ending: &str) -> PathBuf {
        self.stem.with_file_name(format!("{}{ending}", self.name()))
    }

    /// The list itself.
    pub fn path(&self) -> PathBuf {
        self.beside(ENDING)
    }

    /// Where a task's script notes the exit codes by which it ended badly, a line each.
    pub fn ends(&self, index: usize) -> PathBuf {
        self.beside(&format!("-{index}.ends"))
    }

    /// Writes the list.
    pub fn write(&self, runs: &[Listed]) -> Result<()> {
        let mut text = String::new();
        for run in runs {
            text.push_str(&serde_json::to_string(run)?);
            text.push('\n');
        }
        Ok(write_atomic(&self.path(), text.as_bytes())?)
    }

    /// Reads the list.
    ///
    /// # Errors
    /// Names the line that is none.
    pub fn read(&self) -> Result<Vec<Listed>> {
        let path = self.path();
        let text = std::fs::read_to_string(&path)
            .with_context(|| format!("cannot read the list of runs {}", path.display()))?;
        let read = |(index, line): (usize, &str)| {
            serde_json::from_str(line).map_err(|error| {
                anyhow!("{}, line {}: {error}: submit again", path.display(), index + 1)
            })
        };
        text.lines().enumerate().map(read).collect()
    }
}

/// What a suite is called in names of files and jobs: letters, digits and hyphens.
pub fn short_name(suite: &str) -> String {
    let stem = Path::new(suite).file_stem().unwrap_or_default().to_string_lossy().to_lowercase();
    let plain = |letter: char| if letter.is_ascii_alphanumeric() { letter } else { '-' };
    let name: String = stem.chars().map(plain).take(30).collect();
    let name = name.trim_matches('-');
    if name.is_empty() { "suite".into() } else { name.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_numbered_in_their_folder_whatever_suite_they_are_of() {
        let folder = tempfile::tempdir().unwrap();
        let first = ListFile::next(folder.path(), "paper");
        first.write(&[]).unwrap();
        let second = ListFile::next(folder.path(), "mine/My suite.toml");
        second.write(&[]).unwrap();
        assert_eq!((first.name().as_str(), second.name().as_str()), ("paper-1", "my-suite-2"));
        assert_eq!(ListFile::all(folder.path()), [first.clone(), second]);
        assert_eq!(ListFile::at(&first.path()), Some(first.clone()));
        assert!(first.ends(3).ends_with("paper-1-3.ends"));
        std::fs::write(folder.path().join("paper-1-3.ends"), "2\n").unwrap();
        assert_eq!(ListFile::all(folder.path()).len(), 2);
        assert_eq!(short_name("../.toml/..."), "suite");
    }

    #[test]
    fn a_broken_list_is_refused_with_its_line() {
        let folder = tempfile::tempdir().unwrap();
        let list = ListFile::next(folder.path(), "paper");
        assert!(list.read().unwrap_err().to_string().contains("paper-1.runs.jsonl"));
        std::fs::write(list.path(), "{\"directory\": \"x\"}\n").unwrap();
        let error = list.read().unwrap_err().to_string();
        assert!(error.contains("line 1") && error.contains("submit again"), "{error}");
    }
}
