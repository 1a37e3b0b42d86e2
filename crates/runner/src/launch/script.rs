//! The scripts that Slurm runs: text, written beside the list so that a user can read them.

use super::estimate::Need;
use super::list::ListFile;
use super::queue::job_name;
use super::state::MOST_KILLS;
use std::path::Path;

/// Seconds before the end of a task's time at which it is told: for the step, an evaluation's part and the checkpoint.
const WARNING_SECONDS: u64 = 60;

/// The script of an array: a run a task, `limit` tasks at a time.
pub fn of_array(
    list: &ListFile,
    tasks: usize,
    limit: Option<usize>,
    need: Need,
    command: &[String],
) -> String {
    let limit = limit.map(|limit| format!("%{}", limit.max(1))).unwrap_or_default();
    let own = [
        format!("--job-name={}", job_name(list)),
        format!("--array=0-{}{limit}", tasks.saturating_sub(1)),
        output(&list.beside("-"), "%a.out"),
    ];
    let ends = list.beside("-");
    let ends = format!("{}\"$SLURM_ARRAY_TASK_ID\".ends", quoted(&ends.to_string_lossy()));
    let command = format!("{} --index \"$SLURM_ARRAY_TASK_ID\"", line(command));
    // The last task of an array has the array's own number in SLURM_JOB_ID, by which commands mean all tasks.
    let job = "${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID";
    text("One run of a list.", &own, need, job, &ends, &command)
}

/// The script of the job after an array.
pub fn of_report(list: &ListFile, need: Need, command: &[String]) -> String {
    let own =
        [format!("--job-name={}-report", job_name(list)), output(&list.beside("-report"), ".out")];
    let ends = quoted(&list.beside("-report.ends").to_string_lossy());
    text(
        "What comes after an array: the runs that are still to do, or the report.",
        &own,
        need,
        "$SLURM_JOB_ID",
        &ends,
        &line(command),
    )
}

fn text(what: &str, own: &[String], need: Need, job: &str, ends: &str, command: &str) -> String {
    let (memory, minutes) = (need.mebibytes(), need.minutes());
    let shared = [
        "--open-mode=append".to_string(),
        "--requeue".to_string(),
        "--ntasks=1".to_string(),
        "--cpus-per-task=1".to_string(),
        format!("--mem={memory}M"),
        format!("--time={minutes}"),
        format!("--signal=B:TERM@{WARNING_SECONDS}"),
    ];
    let options = own.iter().chain(&shared);
    let options: String = options.map(|option| format!("#SBATCH {option}\n")).collect();
    format!(
        "#!/bin/bash\n\
         # {what} Written by `din-repro reproduce --launcher slurm`; docs/cluster.md tells more.\n\
         {options}{}",
        BODY.replace("{job}", job)
            .replace("{ends}", ends)
            .replace("{command}", command)
            .replace("{most}", &MOST_KILLS.to_string())
    )
}

/// Runs the program so that signals reach it, and decides by its exit code whether the task goes to the queue again.
const BODY: &str = r#"
job="{job}"
# Exit codes of ends that say something, a line each.
ends={ends}

# Slurm tells this script that time is nearly over; bash would hear it after the program's end.
trap 'told=yes; kill -TERM "$program" 2>/dev/null' TERM
{command} &
program=$!
# A signal ends `wait`, not the program, which writes a checkpoint now.
while told=; wait "$program"; code=$?; [ -n "$told" ]; do :; done

again=no
case $code in
0) ;;
# Told to end, and its state is kept.
130) again=yes ;;
*)
    echo "$code" >>"$ends"
    # Killed: for its memory, or by somebody. Other codes are errors, which a second time would not mend.
    if [ "$code" -ge 128 ] && [ "$(wc -l <"$ends")" -le {most} ]; then again=yes; fi
    ;;
esac
# Of a job that somebody has canceled or that Slurm requeues by itself, Slurm says something else.
if [ $again = yes ] && [ "$(squeue --noheader --format=%T --jobs="$job")" = RUNNING ]; then
    echo "exit code $code: back to the queue, to go on from the last checkpoint"
    scontrol requeue "$job"
fi
exit "$code"
"#;

/// The option of an output file; `pattern` is for Slurm to fill in.
fn output(path: &Path, pattern: &str) -> String {
    let path = path.to_string_lossy().replace('%', "%%");
    let escaped = path.replace('\\', "\\\\").replace('"', "\\\"");
    format!("--output=\"{escaped}{pattern}\"")
}

/// A command as a shell takes it.
pub fn line(words: &[String]) -> String {
    words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_=./:,@%+".contains(letter);
    if !word.is_empty() && word.chars().all(plain) {
        word.into()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::launch::list::ListFile;

    #[test]
    fn words_reach_the_shell_as_they_are() {
        let words = ["plain/path-1", "a b", "it's", "", "$HOME`x`\""].map(String::from);
        let printed = std::process::Command::new("sh")
            .args(["-c", &format!("printf '%s|' {}", line(&words))])
            .output();
        match printed {
            Ok(output) => assert_eq!(
                String::from_utf8(output.stdout).unwrap(),
                "plain/path-1|a b|it's||$HOME`x`\"|"
            ),
            Err(_) => println!("there is no shell to try it"),
        }
    }

    #[test]
    fn an_array_asks_for_its_tasks_and_what_the_largest_needs() {
        let list = ListFile::next(Path::new("re%ports/launch"), "paper");
        let need = Need { bytes: (700 << 20) + 1, seconds: 61, records: 1 };
        let command = ["din-repro".to_string(), "reproduce".into()];
        let script = of_array(&list, 5, Some(2), need, &command);
        for line in [
            "#SBATCH --array=0-4%2",
            "#SBATCH --mem=701M",
            "#SBATCH --time=2",
            "#SBATCH --requeue",
            "#SBATCH --job-name=din-repro-paper-1",
            "#SBATCH --output=\"re%%ports/launch/paper-1-%a.out\"",
            "din-repro reproduce --index \"$SLURM_ARRAY_TASK_ID\" &",
        ] {
            assert!(script.lines().any(|found| found == line), "{line}: {script}");
        }
        assert!(of_array(&list, 1, None, need, &command).contains("--array=0-0\n"));
        let report = of_report(&list, need, &command);
        assert!(!report.contains("--array") && !report.contains("ARRAY_TASK"), "{report}");
    }
}
