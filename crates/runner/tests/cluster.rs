//! Grids on a cluster, with commands that stand in for Slurm's: what is submitted, what its scripts do at each end of a
//! task, and how far the runs are said to be. `scripts/slurm/check` does it with Slurm itself.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

mod common;

use common::{Desk, text};
use serde_json::Value;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

const SUITE: &str = r#"
description = "on a cluster"
datasets = ["tiny"]
fallback = "tiny"
protocols = ["held-out"]
models = ["base_model"]
seeds = [1, 2]
presets = ["small"]
[common]
"train.epochs" = 2
[[arms]]
models = ["lr"]
search = { "train.optimizer.learning_rate" = [0.001, 0.01] }
"#;

/// Numbers its jobs from 1 and notes how it was called.
const SBATCH: &str = r#"#!/bin/sh
[ "$1" = --version ] && exit 0
[ -e refusal ] && { cat refusal >&2; exit 1; }
echo "$@" >>submitted
wc -l <submitted
"#;
const SQUEUE: &str = "#!/bin/sh\n[ -e queue ] && cat queue\nexit 0\n";
const SCONTROL: &str = "#!/bin/sh\n[ \"$1\" = requeue ] && echo \"$@\" >>controlled\nexit 0\n";

/// A desk with a suite and a Slurm that only takes notes.
struct Cluster {
    desk: Desk,
}

impl Cluster {
    fn new() -> Self {
        let desk = Desk::new();
        desk.write("suite.toml", SUITE);
        for (name, script) in [("sbatch", SBATCH), ("squeue", SQUEUE), ("scontrol", SCONTROL)] {
            executable(&desk, &format!("bin/{name}"), script);
        }
        Self { desk }
    }

    /// A command that finds them.
    fn with_slurm(&self, mut command: Command) -> Command {
        let path = std::env::var("PATH").unwrap();
        command.env("PATH", format!("{}:{path}", self.desk.path("bin").display()));
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.with_slurm(self.desk.command(arguments)).output().unwrap()
    }

    fn ok(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
        text(&output.stdout)
    }

    fn fails(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", text(&output.stderr));
        text(&output.stderr)
    }

    fn submit(&self, more: &[&str]) -> String {
        self.ok(&[&SUBMIT[..], more].concat())
    }

    fn status(&self) -> Value {
        let status = ["reproduce", "status", "--suite", "suite.toml", "--format", "json"];
        serde_json::from_str(&self.ok(&status)).unwrap()
    }

    fn lines(&self, name: &str) -> Vec<String> {
        let text = std::fs::read_to_string(self.desk.path(name)).unwrap_or_default();
        text.lines().map(String::from).collect()
    }

    /// Runs a script as Slurm would run a task.
    fn script(&self, name: &str, index: usize) -> Command {
        let mut command = Command::new("bash");
        command.arg(self.desk.path("reports/launch").join(name));
        command.current_dir(self.desk.path("")).env_remove("DATA_DIR");
        command
            .env("SLURM_ARRAY_TASK_ID", index.to_string())
            .env("SLURM_JOB_ID", "80")
            .env("SLURM_ARRAY_JOB_ID", "77");
        self.with_slurm(command)
    }

    /// Has a script's program replaced by one that ends with a code.
    fn ends_with(&self, name: &str, code: i32) {
        executable(&self.desk, "ended", &format!("#!/bin/sh\nexit {code}\n"));
        let path = self.desk.path("reports/launch").join(name);
        let script = std::fs::read_to_string(&path).unwrap();
        let own = env!("CARGO_BIN_EXE_din-repro");
        let stand_in = self.desk.path("ended").display().to_string();
        std::fs::write(path, script.replace(own, &stand_in)).unwrap();
    }

    /// `result_sha256` of all runs, by their names.
    fn results(&self) -> Vec<(String, String)> {
        let mut results = Vec::new();
        for entry in std::fs::read_dir(self.desk.path("reports/runs")).unwrap() {
            let path = entry.unwrap().path();
            let text = std::fs::read_to_string(path.join("record.json")).unwrap();
            let record: Value = serde_json::from_str(&text).unwrap();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            results.push((name, record["result_sha256"].as_str().unwrap().to_string()));
        }
        results.sort();
        results
    }
}

const SUBMIT: [&str; 5] = ["reproduce", "--suite", "suite.toml", "--launcher", "slurm"];

fn executable(desk: &Desk, name: &str, script: &str) {
    desk.write(name, script);
    let path: PathBuf = desk.path(name);
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn arrays_and_the_jobs_after_them_do_a_suite() {
    let local = Cluster::new();
    local.ok(&["reproduce", "--suite", "suite.toml", "--quiet"]);
    let cluster = Cluster::new();
    let before = cluster.submit(&["--dry-run", "--jobs", "3"]);
    assert!(before.contains("#SBATCH --array=0-3%3"), "{before}");
    assert!(!cluster.desk.path("reports").exists() && !cluster.desk.path("submitted").exists());

    let told = cluster.submit(&["--jobs", "3", "--slurm-arg=--mem=1G", "--slurm-arg", "-p"]);
    assert!(told.contains("| tiny | lr | 2 | 4096 MiB | 240 min | no record: default |"), "{told}");
    assert!(told.contains("submitted 4 runs as array 1, and 2 after it"), "{told}");
    let submitted = cluster.lines("submitted");
    assert!(submitted[0].starts_with("--parsable --mem=1G -p /"), "{submitted:?}");
    assert!(submitted[1].contains("--dependency=afterany:1"), "{submitted:?}");
    assert_eq!(cluster.status()["counts"]["to_do"], 4);

    // What the queue says; of other jobs nothing.
    cluster.desk.write("queue", "1|0|RUNNING|None\n1|3|PENDING|Resources\n9|1|RUNNING|None\n");
    let status = cluster.status();
    let counts = &status["counts"];
    assert_eq!(
        (&counts["running"], &counts["queued"], &counts["to_do"]),
        (&1.into(), &1.into(), &2.into())
    );
    assert_eq!(status["more"], 1);
    // A second call submits what no living task has.
    let told = cluster.submit(&[]);
    assert!(told.contains("submitted 2 runs as array 3"), "{told}");
    std::fs::remove_file(cluster.desk.path("queue")).unwrap();

    for index in 0..4 {
        assert!(cluster.script("suite-1.sh", index).output().unwrap().status.success());
    }
    assert_eq!(cluster.status()["counts"]["finished"], 4);
    // The other seed of what validation chose, then the report.
    assert!(cluster.script("suite-1-report.sh", 0).output().unwrap().status.success());
    let submitted = cluster.lines("submitted");
    assert_eq!(submitted.len(), 6, "{submitted:?}");
    assert!(submitted[4].starts_with("--parsable --mem=1G -p /"), "{submitted:?}");
    let second = std::fs::read_to_string(cluster.desk.path("reports/launch/suite-3.sh")).unwrap();
    assert!(second.contains("--array=0-0%3\n"), "{second}");
    assert!(!second.contains("--mem=4096M"), "the records tell less: {second}");
    assert!(!cluster.desk.path("reports/index.html").exists());
    assert!(cluster.script("suite-3.sh", 0).output().unwrap().status.success());
    assert!(cluster.script("suite-3-report.sh", 0).output().unwrap().status.success());
    assert_eq!(cluster.lines("submitted").len(), 6);
    assert!(cluster.desk.path("reports/index.html").exists());
    assert_eq!(cluster.results(), local.results());
    assert_eq!(cluster.results().len(), 5);
    assert_eq!(cluster.status()["counts"]["finished"], 5);
}

#[test]
fn a_task_goes_back_to_the_queue_when_that_helps() {
    let cluster = Cluster::new();
    cluster.submit(&[]);
    let ended = |index: usize, code: i32, state: &str| {
        cluster.ends_with("suite-1.sh", code);
        cluster.desk.write("queue", format!("{state}\n"));
        let before = cluster.lines("controlled").len();
        let status = cluster.script("suite-1.sh", index).output().unwrap().status;
        assert_eq!(status.code(), Some(code));
        let controlled = cluster.lines("controlled").split_off(before);
        let requeued = format!("requeue 77_{index}");
        assert!(controlled.iter().all(|line| *line == requeued), "{controlled:?}");
        !controlled.is_empty()
    };
    // Its state kept, for its time is over: as often as that happens.
    assert!((0..6).all(|_| ended(0, 130, "RUNNING")));
    // Killed: three times.
    assert_eq!([0; 5].map(|_| ended(1, 137, "RUNNING")), [true, true, true, false, false]);
    // Bad input: never. Canceled: neither.
    assert!(!ended(2, 2, "RUNNING"));
    assert!(!ended(3, 130, "COMPLETING") && !ended(3, 143, ""));
    std::fs::remove_file(cluster.desk.path("queue")).unwrap();

    let status = cluster.status();
    let counts = &status["counts"];
    assert_eq!((&counts["failed"], &counts["to_do"]), (&2.into(), &2.into()), "{status}");
    let runs = status["runs"].as_array().unwrap();
    let mut notes: Vec<&str> = runs.iter().filter_map(|run| run["note"].as_str()).collect();
    notes.sort_unstable();
    assert_eq!(
        notes,
        ["ended by signal 9, 5 times; see suite-1-1.out", "exit code 2, see suite-1-2.out"]
    );
    // The job after it submits the others; the user who calls again means all.
    assert!(cluster.script("suite-1-report.sh", 0).output().unwrap().status.success());
    let list = |number| cluster.lines(&format!("reports/launch/suite-{number}.runs.jsonl")).len();
    assert_eq!(list(2), 2);
    cluster.submit(&[]);
    assert_eq!(list(3), 4);
    assert_eq!(cluster.status()["counts"]["to_do"], 4);
}

#[test]
fn what_cannot_be_done_is_not_tried_for_ever() {
    let cluster = Cluster::new();
    cluster.submit(&[]);
    // Nobody runs the tasks: three arrays in vain.
    let after =
        |number: usize| cluster.script(&format!("suite-{number}-report.sh"), 0).output().unwrap();
    assert!(after(1).status.success() && after(2).status.success());
    let output = after(3);
    assert_eq!(output.status.code(), Some(2));
    let message = text(&output.stderr);
    assert!(message.contains("3 arrays in a row finished none of 4 runs"), "{message}");
    assert_eq!(cluster.lines("submitted").len(), 6);
}

#[test]
fn a_grid_larger_than_an_array_may_be_is_several() {
    let cluster = Cluster::new();
    let config = "#!/bin/sh\necho 'MaxArraySize            = 3'\n";
    executable(&cluster.desk, "bin/scontrol", config);
    let told = cluster.submit(&[]);
    assert!(told.contains("submitted 3 runs"), "{told}");
    for index in 0..3 {
        assert!(cluster.script("suite-1.sh", index).output().unwrap().status.success());
    }
    assert!(cluster.script("suite-1-report.sh", 0).output().unwrap().status.success());
    assert_eq!(cluster.lines("reports/launch/suite-2.runs.jsonl").len(), 1);
    assert_eq!(cluster.status()["counts"]["finished"], 3);
}

#[test]
fn sigterm_ends_what_has_no_state_at_once_and_leaves_nothing() {
    let desk = Desk::new();
    let simulate = ["simulate", "amazon-electronics-sim", "--scale", "0.3", "--quiet"];
    for milliseconds in [100, 500] {
        let child = desk.command(&simulate).stdout(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(milliseconds));
        let id = child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        // The fastest machine is done; the slowest has not begun to listen, and the signal itself ends it.
        let code = child.wait_with_output().unwrap().status.code();
        assert!(matches!(code, Some(143 | 0) | None), "{code:?}");
        let unfinished = |path: &PathBuf| path.display().to_string().contains(".preparing-");
        let left: Vec<PathBuf> = desk.listing().into_iter().filter(unfinished).collect();
        assert!(left.is_empty(), "{left:?}");
    }
}

#[test]
fn a_signal_becomes_a_checkpoint_that_the_task_goes_on_from() {
    let cluster = Cluster::new();
    // Long enough to be ended in the middle.
    let long =
        SUITE.replace("\"train.epochs\" = 2", "\"train.epochs\" = 40\n\"train.patience\" = 0");
    cluster.desk.write("suite.toml", long);
    cluster.submit(&[]);
    cluster.desk.write("queue", "RUNNING\n");
    let list = cluster.lines("reports/launch/suite-1.runs.jsonl");
    let first: Value = serde_json::from_str(&list[0]).unwrap();
    let run = format!("reports/runs/{}", first["directory"].as_str().unwrap());
    let mut command = cluster.script("suite-1.sh", 0);
    let mut task = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let begun = Instant::now();
    while !cluster.desk.path(&format!("{run}/checkpoint/state.safetensors")).exists() {
        assert!(begun.elapsed() < Duration::from_secs(60) && task.try_wait().unwrap().is_none());
        std::thread::sleep(Duration::from_millis(5));
    }
    // To the script and, as schedulers do, to the program too: twice is no hurry.
    let id = task.id().to_string();
    let pids = Command::new("pgrep").args(["-P", &id]).output();
    let mut pids = pids.map(|output| text(&output.stdout)).unwrap_or_default();
    pids.push_str(&id);
    let kill = Command::new("kill").arg("-TERM").args(pids.split_whitespace()).status();
    assert!(kill.unwrap().success());
    assert_eq!(task.wait().unwrap().code(), Some(130));
    assert_eq!(cluster.lines("controlled"), ["requeue 77_0"]);
    std::fs::remove_file(cluster.desk.path("queue")).unwrap();
    let status = cluster.status();
    let stopped = status["runs"].as_array().unwrap().iter().find(|run| run["step"].is_u64());
    let (step, steps) = (stopped.unwrap()["step"].as_u64(), stopped.unwrap()["steps"].as_u64());
    assert!(step > Some(0) && step < steps, "{status}");

    assert!(cluster.script("suite-1.sh", 0).output().unwrap().status.success());
    let events = cluster.lines(&format!("{run}/events.jsonl"));
    let resumed = format!("{{\"data\":{{\"step\":{}}},\"event\":\"resumed\"", step.unwrap());
    assert!(events.iter().any(|line| line.starts_with(&resumed)), "{events:?}");
    let record = cluster.desk.record("reports/runs", &run["reports/runs/".len()..]);
    assert_eq!(record["status"], "finished");
    let verified = cluster.run(&["verify", &run, "--quiet"]);
    assert!(verified.status.success(), "{}", text(&verified.stderr));
}

#[test]
fn what_stands_in_the_way_is_named() {
    let cluster = Cluster::new();
    // No Slurm: nothing was written.
    let mut command = cluster.desk.command(&SUBMIT);
    let output = command.env("PATH", cluster.desk.path("nowhere")).output().unwrap();
    let message = text(&output.stderr);
    assert!(message.contains("sbatch is not in the PATH"), "{message}");
    assert!(!cluster.desk.path("reports/launch/suite-1.sh").exists());
    // Slurm's own words, and what to do about them.
    let refusal = "sbatch: error: Invalid account or account/partition combination specified\n";
    cluster.desk.write("refusal", refusal);
    let message = cluster.fails(&SUBMIT);
    assert!(
        message.contains(refusal.trim()) && message.contains("--slurm-arg=--account"),
        "{message}"
    );
    std::fs::remove_file(cluster.desk.path("refusal")).unwrap();
    let left = std::fs::read_dir(cluster.desk.path("reports/launch")).unwrap();
    let left: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, [".lock"]);
    for (argument, word) in [("--array=1-2", "--jobs"), ("-a0", "--jobs"), ("long", "an option")] {
        let message = cluster.fails(&[&SUBMIT[..], &["--slurm-arg", argument]].concat());
        assert!(message.contains(word), "{message}");
    }
    cluster.desk.write("file", "");
    let message = cluster.fails(&[&SUBMIT[..], &["--out", "file"]].concat());
    assert!(message.contains("file"), "{message}");

    cluster.submit(&[]);
    let list = "reports/launch/suite-1.runs.jsonl";
    let task = |index| ["reproduce", "--list", list, "--index", index];
    assert!(cluster.fails(&task("4")).contains("has 4 runs, there is none with index 4"));
    // Another version's configuration, or another dataset than was submitted.
    let text = std::fs::read_to_string(cluster.desk.path(list)).unwrap();
    cluster.desk.write(list, text.replace("\"seed\":1", "\"seed\":7"));
    let message = cluster.fails(&task("0"));
    assert!(message.contains("submit again"), "{message}");
    cluster.desk.write(list, "{}\n");
    assert!(cluster.fails(&task("0")).contains("line 1"));
    assert!(cluster.fails(&["reproduce", "--list", "x"]).contains("x is no list"));
    // Status looks on where it can.
    let output = cluster.run(&["reproduce", "status"]);
    assert!(output.status.success() && common::text(&output.stderr).contains("passed over"));
}

#[test]
fn status_works_without_slurm() {
    let desk = Desk::new();
    desk.write("suite.toml", SUITE);
    let status = ["reproduce", "status", "--suite", "suite.toml"];
    assert!(desk.ok(&status).starts_with("0 finished, 0 running, 0 queued, 0 failed, 0 to do"));
    desk.ok(&["simulate", "tiny", "--quiet"]);
    let told = desk.ok(&status);
    assert!(
        told.starts_with("0 finished, 0 running, 0 queued, 0 failed, 4 to do; 1 more"),
        "{told}"
    );
    desk.ok(&["reproduce", "--suite", "suite.toml", "--quiet"]);
    let told = desk.ok(&status);
    assert!(told.starts_with("5 finished, 0 running, 0 queued, 0 failed, 0 to do\n"), "{told}");
    assert_eq!(told.lines().filter(|line| line.starts_with("finished ")).count(), 5);
    assert_eq!(desk.ok(&["reproduce", "status"]).lines().count(), 6);
}
