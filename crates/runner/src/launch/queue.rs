//! What Slurm's queue says of submitted runs.

use super::command;
use super::list::ListFile;
use anyhow::Result;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The jobs of a list, noted beside it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Submitted {
    /// Job id of the array.
    pub array: String,
    /// Job id of the job after it.
    #[serde(default)]
    pub report: Option<String>,
}

impl Submitted {
    /// What was noted of a list; none when it was not submitted to Slurm.
    pub fn of(list: &ListFile) -> Option<Self> {
        serde_json::from_slice(&std::fs::read(list.beside(".job.json")).ok()?).ok()
    }
}

/// A task that Slurm knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// Job and index, as Slurm's commands take them.
    pub id: String,
    /// Slurm's word.
    pub state: String,
    /// Why it waits.
    pub reason: String,
}

impl Task {
    /// Whether it has a node, and not only a place in the queue.
    pub fn is_running(&self) -> bool {
        ["RUNNING", "COMPLETING", "SUSPENDED", "STOPPED", "CONFIGURING"]
            .contains(&self.state.as_str())
    }
}

/// The living tasks of lists, by the list's number and the index in it.
pub type Queue = BTreeMap<(u64, usize), Task>;

/// Asks squeue, if anything was ever submitted.
///
/// # Errors
/// When squeue is not there or Slurm does not answer.
pub fn ask(lists: &[ListFile]) -> Result<Queue> {
    let submitted: Vec<(u64, String)> =
        lists.iter().filter_map(|list| Some((list.number, Submitted::of(list)?.array))).collect();
    if submitted.is_empty() {
        return Ok(Queue::new());
    }
    // By names: Slurm answers an old id with an error.
    let names: Vec<String> = lists.iter().map(job_name).collect();
    let names = format!("--name={}", names.join(","));
    let text = command::call("squeue", &["--noheader", "--array", "--format=%F|%K|%T|%r", &names])?;
    Ok(parse(&text, &submitted))
}

/// What the array of a list is called.
pub fn job_name(list: &ListFile) -> String {
    format!("din-repro-{}", list.name())
}

fn parse(text: &str, submitted: &[(u64, String)]) -> Queue {
    let task = |line: &str| {
        let mut parts = line.trim().splitn(4, '|');
        let (array, index) = (parts.next()?, parts.next()?.parse().ok()?);
        let (state, reason) = (parts.next()?.to_string(), parts.next()?.to_string());
        let (number, _) = submitted.iter().find(|(_, id)| id == array)?;
        Some(((*number, index), Task { id: format!("{array}_{index}"), state, reason }))
    };
    text.lines().filter_map(task).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_are_those_of_our_arrays() {
        let submitted = [(3, "12".to_string()), (4, "15".to_string())];
        let text = "12|0|RUNNING|None\n12|7|PENDING|JobArrayTaskLimit\n99|1|RUNNING|None\n\
                    16|N/A|PENDING|Dependency\n15|2|REQUEUE_HOLD|launch failed|x\nslurm: odd\n";
        let queue = parse(text, &submitted);
        assert_eq!(queue.keys().copied().collect::<Vec<_>>(), [(3, 0), (3, 7), (4, 2)]);
        assert!(queue[&(3, 0)].is_running() && !queue[&(3, 7)].is_running());
        assert_eq!(queue[&(4, 2)].id, "15_2");
        assert_eq!(queue[&(4, 2)].reason, "launch failed|x");
    }
}
