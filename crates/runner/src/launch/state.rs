//! How far one run is, from its own files, its lists and the queue.

use super::list::{ListFile, Listed};
use super::queue::Queue;
use crate::job::{CHECKPOINT_FOLDER, RECORD_FILE};
use ctr_core::FileLock;
use ctr_train::{LOSSES_FILE, kept_step};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;

/// Ends by a signal after which a run is not begun again: the script's bound and this one's.
pub const MOST_KILLS: usize = 3;

/// How far a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It has its record.
    Finished,
    /// Somebody is at it.
    Running,
    /// A task of a job waits for a node.
    Queued,
    /// It ended badly, and is not begun again by itself.
    Failed,
    /// Nobody is at it.
    ToDo,
}

impl State {
    /// All, in the order of tables.
    pub const ALL: [Self; 5] =
        [Self::Finished, Self::Running, Self::Queued, Self::Failed, Self::ToDo];

    /// As JSON has it.
    pub fn key(self) -> &'static str {
        if self == Self::ToDo { "to_do" } else { self.word() }
    }

    /// As people write it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Finished => "finished",
            Self::Running => "running",
            Self::Queued => "queued",
            Self::Failed => "failed",
            Self::ToDo => "to do",
        }
    }
}

/// What is known of one run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Standing {
    /// Name of its directory.
    pub run: String,
    /// How far it is.
    pub state: State,
    /// Steps done, of a run that is not finished.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<u64>,
    /// Steps at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub steps: Option<u64>,
    /// The task of Slurm that is or will be at it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job: Option<String>,
    /// Why it failed or waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// Where a run was listed last, which is what counts of it.
struct Last {
    list: ListFile,
    index: usize,
    steps: u64,
}

/// All lists of a reports' folder and what the queue says of them.
pub struct Lists {
    queue: Queue,
    last: BTreeMap<String, Last>,
}

impl Lists {
    /// Reads the lists. One that cannot be read, such as another version's, is told and passed over.
    pub fn read(files: &[ListFile], queue: Queue) -> Self {
        let mut last = BTreeMap::new();
        for list in files {
            let runs = list.read().unwrap_or_else(|error| {
                tracing::warn!("{error:#}; passed over");
                Vec::new()
            });
            for (index, Listed { directory, steps, .. }) in runs.into_iter().enumerate() {
                last.insert(directory, Last { list: list.clone(), index, steps });
            }
        }
        Self { queue, last }
    }

    /// Names of all runs listed.
    pub fn names(&self) -> impl Iterator<Item = &String> {
        self.last.keys()
    }

    /// How far a run is; `steps` where somebody knows better than the lists.
    pub fn standing(&self, runs: &Path, name: &str, steps: Option<u64>) -> Standing {
        let directory = runs.join(name);
        let last = self.last.get(name);
        let mut standing = Standing {
            run: name.into(),
            state: State::Finished,
            step: None,
            steps: None,
            job: None,
            note: None,
        };
        if directory.join(RECORD_FILE).exists() {
            return standing;
        }
        let steps = steps.or(last.map(|last| last.steps));
        let task = last.and_then(|last| self.queue.get(&(last.list.number, last.index)));
        let held = task.is_none_or(|task| !task.is_running()) && is_held(&directory);
        if let Some(task) = task {
            standing.job = Some(task.id.clone());
            standing.state = if task.is_running() { State::Running } else { State::Queued };
            standing.note = Some(&task.reason)
                .filter(|reason| *reason != "None" && !task.is_running())
                .cloned();
        } else if let Some(failed) = last.and_then(|last| failure(&last.list, last.index)) {
            standing.state = State::Failed;
            standing.note = Some(failed);
        } else {
            standing.state = State::ToDo;
        }
        if held {
            standing.state = State::Running;
        }
        standing.step = match standing.state {
            State::Running => losses(&directory),
            _ => kept_step(&directory, None),
        };
        standing.steps = standing.step.and(steps);
        standing
    }
}

/// Why a task will not be begun again, by what its script noted: bad input, or killed too often.
fn failure(list: &ListFile, index: usize) -> Option<String> {
    let text = std::fs::read_to_string(list.ends(index)).ok()?;
    let codes: Vec<i32> = text.lines().filter_map(|line| line.trim().parse().ok()).collect();
    let last = *codes.last()?;
    let name = list.name();
    if last < 128 {
        Some(format!("exit code {last}, see {name}-{index}.out"))
    } else if codes.len() > MOST_KILLS {
        let signal = last - 128;
        Some(format!("ended by signal {signal}, {} times; see {name}-{index}.out", codes.len()))
    } else {
        None
    }
}

/// Whether a process on any machine that shares the lock is at a run.
fn is_held(directory: &Path) -> bool {
    let path = directory.join(CHECKPOINT_FOLDER).join("lock");
    // A look must not make the file.
    let Ok(file) = std::fs::File::open(path) else { return false };
    FileLock::try_on(file).is_none()
}

/// Steps of a run at work: its losses are written in blocks, and all of them with a checkpoint.
fn losses(directory: &Path) -> Option<u64> {
    let length = std::fs::metadata(directory.join(LOSSES_FILE)).ok()?.len();
    Some(length / size_of::<f64>() as u64)
}
