//! Slurm's commands, called as a user would.

use anyhow::{Result, anyhow, bail};
use std::ffi::OsStr;
use std::process::{Command, Stdio};

/// What is to be done where there is no Slurm.
const NOWHERE: &str = "is not in the PATH: call this where Slurm's commands are (a login node), or without \
                       --launcher to run here";

/// What is to be done about the refusals that users meet most, by words of Slurm's.
const HINTS: [(&str, &str); 6] = [
    ("nvalid account", "name yours: --slurm-arg=--account=NAME"),
    ("nvalid partition", "`sinfo` lists the partitions: --slurm-arg=--partition=NAME"),
    (
        "emory specification can not be satisfied",
        "ask for less, or where the cluster does not count memory for all of a node: --slurm-arg=--mem=0",
    ),
    ("ime limit", "ask for less, a run goes on after it: --slurm-arg=--time=MINUTES"),
    ("ob violates accounting", "`sacctmgr show qos` tells the limits"),
    ("nable to contact slurm controller", "`scontrol ping` tells whether it answers"),
];

/// Calls a command of Slurm and gives what it printed.
///
/// # Errors
/// When it is not there; when it refuses, in its own words.
pub fn call<A: AsRef<OsStr>>(program: &str, arguments: &[A]) -> Result<String> {
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output();
    let output = output.map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => anyhow!("{program} {NOWHERE}"),
        _ => anyhow!("{program} cannot be started: {error}"),
    })?;
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr);
        let words = words.trim();
        let hint = HINTS.iter().find(|(part, _)| words.contains(part));
        let hint = hint.map(|(_, hint)| format!(" ({hint})")).unwrap_or_default();
        bail!("{program} refused: {words}{hint}");
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Tasks that one array may have: a setting of the cluster, by default 1001.
pub fn most_tasks() -> usize {
    let config = call("scontrol", &["show", "config"]).unwrap_or_default();
    let line = config.lines().find_map(|line| line.trim().strip_prefix("MaxArraySize"));
    let value = line.and_then(|line| line.trim_start_matches([' ', '=']).trim().parse().ok());
    value.filter(|&most: &usize| most > 0).unwrap_or(1001)
}
