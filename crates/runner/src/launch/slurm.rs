//! Submission to Slurm: an array, and a job after it that submits what is left or writes the report.

use super::command;
use super::estimate::{self, Experience, Need};
use super::list::{ListFile, Listed};
use super::queue::{self, Submitted};
use super::state::{Lists, State};
use super::{folder, script};
use crate::cli::ReproduceArguments;
use crate::job::Job;
use crate::output;
use anyhow::{Context, Result, bail};
use ctr_core::{FileLock, write_atomic};
use std::path::{Path, PathBuf};

/// Arrays in a row that finish no run, after which no further one is submitted.
const MOST_IN_VAIN: u32 = 3;
/// Options of sbatch that a list and its indices depend on.
const OURS: [&str; 5] = ["--array", "--wrap", "--parsable", "--test-only", "--wait"];

/// What became of a submission.
pub enum Sent {
    /// Slurm has the runs, or had them already.
    Away,
    /// Every run is finished.
    Nothing,
    /// Some runs are not finished and will not be by trying again; why.
    Stuck(String),
}

/// Submits the runs of `open` that no living job has.
pub fn send(open: &[Job<'_>], arguments: &ReproduceArguments) -> Result<Sent> {
    if open.is_empty() {
        return Ok(Sent::Nothing);
    }
    check_arguments(arguments)?;
    let folder = folder(&absolute(&arguments.out)?);
    std::fs::create_dir_all(&folder).with_context(|| {
        format!(
            "cannot make the folder {}: choose a shared folder that can be written, by --out",
            folder.display()
        )
    })?;
    let _lock = FileLock::wait(&folder.join(".lock"), || {
        tracing::info!("another process submits from this folder; waiting for it");
    })?;
    // Before anything is written: is there a Slurm?
    command::call("sbatch", &["--version"])?;
    let files = ListFile::all(&folder);
    let lists = Lists::read(&files, queue::ask(&files)?);
    let runs = arguments.out.join("runs");
    let in_vain = match &arguments.launch.after {
        Some(before) => in_vain(before, &lists, &runs, arguments.launch.in_vain)?,
        None => 0,
    };
    let Sorted { mut todo, under_way, failed } = sort(open, &lists, &runs, arguments)?;
    if todo.is_empty() && under_way.is_empty() {
        return Ok(Sent::Stuck(format!("{} runs failed: {}", failed.len(), failed.join(", "))));
    }
    if in_vain >= MOST_IN_VAIN && !todo.is_empty() {
        return Ok(Sent::Stuck(format!(
            "{MOST_IN_VAIN} arrays in a row finished none of {} runs: see the *.out files in {}",
            todo.len(),
            folder.display()
        )));
    }
    if let Some(task) = under_way.first() {
        tracing::info!(
            "{} runs are queued or running already, such as task {task}; `{}` lists them",
            under_way.len(),
            status_command(arguments)
        );
    }
    if todo.is_empty() {
        return Ok(Sent::Away);
    }
    let most = command::most_tasks();
    if todo.len() > most {
        tracing::info!(
            "{} runs, of which an array may have {most}: the others after these",
            todo.len()
        );
        todo.truncate(most);
    }
    let list = ListFile::next(&folder, &arguments.suite);
    let plan = Plan::new(list, &todo, arguments, in_vain)?;
    let listed: Vec<Listed> = todo.iter().map(Listed::of).collect::<Result<_>>()?;
    plan.list.write(&listed)?;
    plan.submit(arguments)?;
    Ok(Sent::Away)
}

/// Runs that have no record.
#[derive(Default)]
struct Sorted<'d> {
    /// To be submitted.
    todo: Vec<Job<'d>>,
    /// Tasks of Slurm that have the others.
    under_way: Vec<String>,
    /// Names and reasons of those that failed.
    failed: Vec<String>,
}

fn sort<'d>(
    open: &[Job<'d>],
    lists: &Lists,
    runs: &Path,
    arguments: &ReproduceArguments,
) -> Result<Sorted<'d>> {
    let mut sorted = Sorted::default();
    for job in open {
        let standing = lists.standing(runs, &job.directory_name()?, None);
        match standing.job {
            Some(task) => sorted.under_way.push(task),
            // What failed is begun again when the user says so, and not by itself.
            None if standing.state == State::Failed && arguments.launch.after.is_some() => {
                let reason = standing.note.unwrap_or_default();
                sorted.failed.push(format!("{} ({reason})", standing.run));
            }
            None => sorted.todo.push(job.clone()),
        }
    }
    Ok(sorted)
}

/// How many arrays in a row finished no run, up to that of the list `before`.
fn in_vain(before: &Path, lists: &Lists, runs: &Path, so_far: u32) -> Result<u32> {
    let list = ListFile::at(before)
        .with_context(|| format!("{} is no list of runs by its name", before.display()))?;
    let finished =
        |run: &Listed| lists.standing(runs, &run.directory, None).state == State::Finished;
    Ok(if list.read()?.iter().any(finished) { 0 } else { so_far + 1 })
}

fn status_command(arguments: &ReproduceArguments) -> String {
    let words = ["din-repro", "reproduce", "status", "--out", &arguments.out.to_string_lossy()];
    script::line(&words.map(String::from))
}

/// What [`send`] would submit, in words.
pub fn preview(open: &[Job<'_>], arguments: &ReproduceArguments) -> Result<String> {
    check_arguments(arguments)?;
    if open.is_empty() {
        return Ok("nothing would be submitted: the report would be written here".into());
    }
    let list = ListFile::next(&folder(&absolute(&arguments.out)?), &arguments.suite);
    let plan = Plan::new(list, open, arguments, 0)?;
    let of_array = plan.arguments(arguments, &plan.array.0, None);
    let of_report = plan.arguments(arguments, &plan.report.0, Some("ARRAY"));
    Ok(format!(
        "{}\nsbatch {}\n\n{}\nsbatch {}\n\n{}",
        plan.table,
        script::line(&of_array),
        plan.array.1,
        script::line(&of_report),
        plan.report.1
    ))
}

/// All that is written and submitted for a list.
struct Plan {
    list: ListFile,
    tasks: usize,
    table: String,
    /// Script files and their text.
    array: (PathBuf, String),
    report: (PathBuf, String),
}

impl Plan {
    fn new(
        list: ListFile,
        todo: &[Job<'_>],
        arguments: &ReproduceArguments,
        in_vain: u32,
    ) -> Result<Self> {
        let experience = Experience::below(&arguments.out.join("runs"));
        let needs: Vec<_> = todo.iter().map(|job| (job, experience.need(job))).collect();
        let (table, need) = estimate::table(&needs);
        let need = need.unwrap_or(Need::UNKNOWN);
        let program = std::env::current_exe().context("cannot tell where this program lies")?;
        let words = |of: &[&str]| of.iter().map(|word| (*word).to_string()).collect::<Vec<_>>();
        let path = |path: &Path| Ok::<_, anyhow::Error>(absolute(path)?.display().to_string());
        let mut shared = words(&[&program.to_string_lossy(), "reproduce"]);
        shared.extend(words(&["--out", &path(&arguments.out)?]));
        shared.extend(words(&["--prepared", &path(&arguments.prepared)?]));
        let mut task = shared.clone();
        task.extend(words(&["--list", &list.path().to_string_lossy()]));
        let mut after = shared;
        let suite = Path::new(&arguments.suite);
        let suite =
            if suite.extension().is_some() { path(suite)? } else { arguments.suite.clone() };
        after.extend(words(&["--suite", &suite, "--launcher", "slurm"]));
        after.extend(words(&["--after", &list.path().to_string_lossy()]));
        after.extend(words(&["--in-vain", &in_vain.to_string()]));
        if let Some(folder) =
            arguments.data_dir.as_deref().filter(|dir| !dir.as_os_str().is_empty())
        {
            after.extend(words(&["--data-dir", &path(folder)?]));
        }
        if let Some(jobs) = arguments.jobs {
            after.extend(words(&["--jobs", &jobs.to_string()]));
        }
        if arguments.check_claims {
            after.push("--check-claims".into());
        }
        after.extend(
            arguments.launch.slurm_arguments.iter().map(|arg| format!("--slurm-arg={arg}")),
        );
        // It opens all datasets and looks into some runs: as long and as much as if nothing were known, or more.
        let report = need.with(Need::UNKNOWN);
        Ok(Self {
            tasks: todo.len(),
            table,
            array: (
                list.beside(".sh"),
                script::of_array(&list, todo.len(), arguments.jobs, need, &task),
            ),
            report: (list.beside("-report.sh"), script::of_report(&list, report, &after)),
            list,
        })
    }

    /// The arguments of sbatch. Those of the user come after the script's own options, which they win over.
    fn arguments(
        &self,
        arguments: &ReproduceArguments,
        script: &Path,
        after: Option<&str>,
    ) -> Vec<String> {
        let mut words = vec!["--parsable".to_string()];
        words.extend(arguments.launch.slurm_arguments.iter().cloned());
        // Any end: a run that failed is looked at there.
        words.extend(after.map(|array| format!("--dependency=afterany:{array}")));
        words.push(script.display().to_string());
        words
    }

    fn remove(&self) {
        for path in [&self.array.0, &self.report.0, &self.list.path()] {
            let _ = std::fs::remove_file(path);
        }
    }

    fn submit(&self, arguments: &ReproduceArguments) -> Result<()> {
        for (path, text) in [&self.array, &self.report] {
            write_atomic(path, text.as_bytes())?;
        }
        let note = |submitted: &Submitted| -> Result<()> {
            let text = serde_json::to_string(submitted)? + "\n";
            Ok(write_atomic(&self.list.beside(".job.json"), text.as_bytes())?)
        };
        let id = |text: &str| text.trim().split(';').next().unwrap_or_default().to_string();
        let array = command::call("sbatch", &self.arguments(arguments, &self.array.0, None));
        // A list that nobody has would be taken for the last one of its runs.
        let array = array.inspect_err(|_| self.remove())?;
        let array = id(&array);
        let mut submitted = Submitted { array: array.clone(), report: None };
        note(&submitted)?;
        let after = self.arguments(arguments, &self.report.0, Some(&array));
        let report = command::call("sbatch", &after).with_context(|| {
            format!(
                "the array {array} is submitted, the job after it is not: call the same command again when \
                 the array has ended"
            )
        })?;
        let report = id(&report);
        submitted.report = Some(report.clone());
        note(&submitted)?;
        output::result(&format!(
            "{}\nsubmitted {} runs as array {array}, and {report} after it, which submits what is left or writes \
             the report\n`{}` tells how far they are, `scancel {array} {report}` ends both, and the files of the \
             jobs are {}*",
            self.table,
            self.tasks,
            status_command(arguments),
            self.list.beside("").display()
        ))
    }
}

fn check_arguments(arguments: &ReproduceArguments) -> Result<()> {
    let mut takes_value = false;
    for argument in &arguments.launch.slurm_arguments {
        let option = argument.starts_with('-');
        if !option && !takes_value {
            bail!(
                "--slurm-arg {argument}: expected an option of sbatch, such as --slurm-arg=--partition=long"
            );
        }
        takes_value = option && !argument.contains('=');
        let name = argument.split('=').next().unwrap_or_default();
        if OURS.contains(&name) || name.starts_with("-a") {
            bail!(
                "--slurm-arg {argument}: the lists of this program depend on it; --jobs limits how many run at once"
            );
        }
    }
    Ok(())
}

fn absolute(path: &Path) -> Result<PathBuf> {
    std::path::absolute(path).with_context(|| format!("{} is no path", path.display()))
}
