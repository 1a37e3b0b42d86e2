//! The manifest of a Kubernetes Indexed Job, as JSON, which kubectl takes as it does YAML.
//!
//! Nothing here talks to a cluster. The claim holds the folder that the program was called in, so that reports, lists and
//! prepared data lie below the same relative paths there.

use super::estimate::{self, Experience, Need};
use super::folder;
use super::list::{ListFile, Listed, short_name};
use super::state::MOST_KILLS;
use crate::cli::ReproduceArguments;
use crate::job::Job;
use crate::output;
use anyhow::{Context, Result, bail};
use ctr_core::FileLock;
use serde_json::{Value, json};
use std::path::{Component, Path};

/// Where the claim lies in a container.
const MOUNT: &str = "/work";
/// Seconds from SIGTERM to SIGKILL: for the step, an evaluation's part and the checkpoint.
const GRACE_SECONDS: u64 = 120;

/// Writes the list of the runs and prints the manifest.
///
/// # Errors
/// Where every run is finished, too: a text in place of the manifest would go to kubectl.
pub fn print(open: &[Job<'_>], arguments: &ReproduceArguments) -> Result<()> {
    check(open, arguments)?;
    let folder = folder(&arguments.out);
    std::fs::create_dir_all(&folder)
        .with_context(|| format!("cannot make the folder {}", folder.display()))?;
    let _lock = FileLock::wait(&folder.join(".lock"), || {
        tracing::info!("another process submits from this folder; waiting for it");
    })?;
    let text = manifest(open, arguments)?;
    let listed: Vec<Listed> = open.iter().map(Listed::of).collect::<Result<_>>()?;
    let list = ListFile::next(&folder, &arguments.suite);
    list.write(&listed)?;
    tracing::info!(
        "{} runs in {}, which the claim must hold; docs/cluster.md says how to go on",
        open.len(),
        list.path().display()
    );
    output::result(&text)
}

/// The manifest: the runs, and a job for what comes after them, which waits until somebody lets it go.
pub fn manifest(open: &[Job<'_>], arguments: &ReproduceArguments) -> Result<String> {
    check(open, arguments)?;
    let list = ListFile::next(&folder(&arguments.out), &arguments.suite);
    let experience = Experience::below(&arguments.out.join("runs"));
    let needs: Vec<_> = open.iter().map(|job| (job, experience.need(job))).collect();
    let (table, need) = estimate::table(&needs);
    tracing::info!("estimates:\n{}", table.trim_end());
    let need = need.unwrap_or(Need::UNKNOWN);

    let shared = |more: &[&str]| {
        let mut words = vec!["din-repro".to_string(), "reproduce".into()];
        words.extend(["--out".to_string(), arguments.out.display().to_string()]);
        words.extend(["--prepared".to_string(), arguments.prepared.display().to_string()]);
        words.extend(more.iter().map(|word| (*word).to_string()));
        words
    };
    // A pod finds its index in the environment, where the program looks for it.
    let task = shared(&["--list", &list.path().display().to_string()]);
    let mut after = shared(&["--suite", &arguments.suite]);
    if let Some(folder) = arguments.data_dir.as_ref().filter(|dir| !dir.as_os_str().is_empty()) {
        after.extend(["--data-dir".to_string(), folder.display().to_string()]);
    }
    if arguments.check_claims {
        after.push("--check-claims".into());
    }
    let name = format!("din-repro-{}-{}", short_name(&arguments.suite), list.number);
    let report = format!("{name}-report");
    let mut runs = job(&name, &pod(arguments, "run", &task, need));
    let spec = &mut runs["spec"];
    spec["completionMode"] = "Indexed".into();
    spec["completions"] = open.len().into();
    spec["parallelism"] =
        arguments.jobs.map_or(open.len(), |jobs| jobs.clamp(1, open.len())).into();
    spec["backoffLimitPerIndex"] = MOST_KILLS.into();
    spec["podFailurePolicy"] = json!({"rules": [
        // Bad input: a second time would not mend it.
        {"action": "FailIndex", "onExitCodes": {"containerName": "run", "operator": "In", "values": [2]}},
        // A drained or preempted node is nobody's failure.
        {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
    ]});
    let mut last = job(&report, &pod(arguments, "report", &after, need.with(Need::UNKNOWN)));
    last["spec"]["suspend"] = true.into();
    // A verdict that is not as expected, or bad input.
    last["spec"]["podFailurePolicy"] = json!({"rules": [
        {"action": "FailJob", "onExitCodes": {"containerName": "report", "operator": "In", "values": [1, 2]}},
    ]});
    let both = json!({"apiVersion": "v1", "kind": "List", "items": [runs, last]});
    Ok(serde_json::to_string_pretty(&both)?)
}

fn job(name: &str, pod: &Value) -> Value {
    let labels = json!({"app.kubernetes.io/name": "din-repro", "app.kubernetes.io/instance": name});
    json!({
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "labels": labels},
        "spec": {"template": {"metadata": {"labels": labels}, "spec": pod}},
    })
}

fn pod(arguments: &ReproduceArguments, container: &str, command: &[String], need: Need) -> Value {
    let memory = format!("{}Mi", need.mebibytes());
    json!({
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": GRACE_SECONDS,
        "automountServiceAccountToken": false,
        "containers": [{
            "name": container,
            "image": arguments.launch.image,
            "command": command,
            "workingDir": MOUNT,
            "resources": {
                "requests": {"cpu": "1", "memory": memory},
                "limits": {"memory": memory},
            },
            "volumeMounts": [{"name": "work", "mountPath": MOUNT}],
        }],
        "volumes": [{
            "name": "work",
            "persistentVolumeClaim": {"claimName": arguments.launch.claim},
        }],
    })
}

/// Whether there is something to run, at places that pods find too.
fn check(open: &[Job<'_>], arguments: &ReproduceArguments) -> Result<()> {
    if open.is_empty() {
        bail!(
            "every run is finished: `din-repro reproduce --suite {} --out {}` writes the report",
            arguments.suite,
            arguments.out.display()
        );
    }
    let paths = [Some(&arguments.out), Some(&arguments.prepared), arguments.data_dir.as_ref()];
    for path in paths.into_iter().flatten() {
        below(path)?;
    }
    if Path::new(&arguments.suite).extension().is_some() {
        below(Path::new(&arguments.suite))?;
    }
    Ok(())
}

/// Whether a path means the same where the claim is mounted.
fn below(path: &Path) -> Result<()> {
    let inside =
        path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    if !inside {
        bail!(
            "{}: for Kubernetes give paths below this folder, which the claim holds (no / at the beginning, no ..)",
            path.display()
        );
    }
    Ok(())
}
