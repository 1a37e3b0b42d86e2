//! `dataset.toml`: what the columns of a user's own tables mean, and what contradicts itself in it.

use crate::{Error, Place, Result};
use ctr_core::Role;
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// The description looked for in a folder.
const DESCRIPTION: &str = "dataset.toml";
/// Largest description taken.
const MOST_BYTES: u64 = 1 << 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum History {
    Liked,
    All,
    Columns,
    None,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum SplitBy {
    Time,
    Users,
    Last,
    Column,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ItemsTable {
    pub file: PathBuf,
    pub key: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Description {
    pub id: Option<String>,
    pub rows: Vec<PathBuf>,
    pub user: String,
    pub label: String,
    pub positive_from: Option<f64>,
    pub time: Option<String>,
    pub candidate: Vec<String>,
    #[serde(default)]
    pub user_profile: Vec<String>,
    #[serde(default)]
    pub context: Vec<String>,
    pub history: History,
    #[serde(default)]
    pub behaviors: Vec<String>,
    #[serde(default)]
    pub history_columns: Vec<String>,
    #[serde(default)]
    pub history_limit: u32,
    pub split: SplitBy,
    #[serde(default = "tenth")]
    pub test: f64,
    #[serde(default = "tenth")]
    pub validation: f64,
    pub split_column: Option<String>,
    pub items: Option<ItemsTable>,
}

fn tenth() -> f64 {
    0.1
}

/// The description in a folder, or the file itself.
fn description_of(raw: &Path) -> PathBuf {
    if raw.is_dir() { raw.join(DESCRIPTION) } else { raw.to_path_buf() }
}

/// Whether `raw` is a description or a folder with one.
pub(crate) fn is_described(raw: &Path) -> bool {
    let file = description_of(raw);
    file.is_file() && file.extension().is_some_and(|extension| extension == "toml")
}

/// A column's name, and the letter that joins several values in it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ColumnName {
    pub name: String,
    pub joined_by: Option<char>,
}

impl ColumnName {
    /// `tags|` is the column `tags` of values joined by `|`.
    fn parse(text: &str) -> Self {
        match text.chars().last().filter(|letter| "|^;, ".contains(*letter)) {
            Some(letter) => Self { name: text[..text.len() - 1].into(), joined_by: Some(letter) },
            None => Self { name: text.into(), joined_by: None },
        }
    }
}

pub(super) struct Parsed {
    pub file: PathBuf,
    pub folder: PathBuf,
    pub description: Description,
    pub groups: Vec<(&'static str, Role, Vec<ColumnName>)>,
    /// One a behaviors field, with `history = "columns"`.
    pub history_columns: Vec<ColumnName>,
}

impl Parsed {
    fn fail(&self, field: &str, problem: impl Into<String>, remedy: &str) -> Error {
        Error::input(&self.file, Place::File, field, problem, remedy)
    }

    pub fn read(raw: &Path) -> Result<Self> {
        let file = description_of(raw);
        let read_error = |source| Error::Read { path: file.clone(), source };
        let bytes = std::fs::metadata(&file).map_err(read_error)?.len();
        if bytes > MOST_BYTES {
            let problem = format!("{bytes} bytes, at most {MOST_BYTES} are taken");
            return Err(Error::input(
                &file,
                Place::File,
                "",
                problem,
                "describe columns, not data",
            ));
        }
        let text = std::fs::read_to_string(&file).map_err(read_error)?;
        let description: Description = toml::from_str(&text).map_err(|error| {
            let line = error.span().map_or(Place::File, |span| {
                Place::Line(1 + text[..span.start.min(text.len())].matches('\n').count() as u64)
            });
            Error::input(&file, line, "", error.message(), "see `din-repro prep --help`")
        })?;
        let columns =
            |names: &[String]| names.iter().map(|name| ColumnName::parse(name)).collect::<Vec<_>>();
        let groups = [
            ("user_profile", Role::UserProfile, columns(&description.user_profile)),
            ("candidate", Role::Candidate, columns(&description.candidate)),
            ("context", Role::Context, columns(&description.context)),
        ];
        let groups = groups.into_iter().filter(|(_, _, columns)| !columns.is_empty()).collect();
        let history_columns = columns(&description.history_columns);
        let folder = file.parent().unwrap_or(Path::new("")).to_path_buf();
        let parsed = Self { file, folder, description, groups, history_columns };
        parsed.check()?;
        Ok(parsed)
    }

    /// Contradictions in the description.
    fn check(&self) -> Result<()> {
        let own = &self.description;
        let plain = |id: &String| {
            !id.is_empty()
                && id.len() <= 60
                && id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        };
        if own.id.as_ref().is_some_and(|id| !plain(id)) {
            return Err(self.fail("id", "not a plain name", "use a-z, 0-9 and -, such as my-shop"));
        }
        if own.rows.is_empty() {
            return Err(self.fail("rows", "no files", "name at least one"));
        }
        if own.candidate.is_empty() {
            return Err(self.fail("candidate", "no columns", "name at least the item"));
        }
        let candidate = || own.candidate.iter().map(|name| ColumnName::parse(name).name);
        if let Some(name) = own.behaviors.iter().find(|name| !candidate().any(|own| own == **name))
        {
            let problem = format!("{name:?} is not among the candidate's columns");
            return Err(self.fail("behaviors", problem, "histories share the candidate's columns"));
        }
        if own.history != History::None && own.behaviors.is_empty() {
            let remedy = "name columns of the candidate, or say history = \"none\"";
            return Err(self.fail("behaviors", "no columns", remedy));
        }
        let wanted = if own.history == History::Columns { own.behaviors.len() } else { 0 };
        if self.history_columns.len() != wanted {
            let problem = format!("{} columns, expected {wanted}", self.history_columns.len());
            let remedy = "name one for each of behaviors with history = \"columns\", else none";
            return Err(self.fail("history_columns", problem, remedy));
        }
        if let Some(column) = self.history_columns.iter().find(|column| column.joined_by.is_none())
        {
            let problem = format!("{:?} does not end with its separator", column.name);
            return Err(self.fail(
                "history_columns",
                problem,
                "write items^ for values joined by ^",
            ));
        }
        let times =
            own.split == SplitBy::Time || matches!(own.history, History::Liked | History::All);
        if times && own.time.is_none() {
            let remedy = "name the column; histories of earlier rows and splits by time need it";
            return Err(self.fail("time", "missing", remedy));
        }
        if (own.split == SplitBy::Column) != own.split_column.is_some() {
            let remedy = "give it with split = \"column\" and only then";
            return Err(self.fail("split_column", "does not fit split", remedy));
        }
        for (name, share) in [("test", own.test), ("validation", own.validation)] {
            if !(share > 0.0 && share < 1.0) {
                let problem = format!("{share} is not between 0 and 1");
                return Err(self.fail(name, problem, "give a share such as 0.1"));
            }
        }
        Ok(())
    }
}
