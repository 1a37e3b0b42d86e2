//! A Python package as a zip archive, by the user's own pip: it knows which index or mirror to ask.

use crate::failure::Failure;
use crate::interrupt;
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The names that pip goes by.
pub const PROGRAMS: [&[&str]; 3] = [&["pip"], &["pip3"], &["python3", "-m", "pip"]];

/// Downloads the wheel of `package` (`name==version`) to `folder`; nothing is installed or run.
pub fn download(package: &str, folder: &Path, programs: &[&[&str]]) -> Result<PathBuf> {
    let Some(program) = programs.iter().find(|program| runs(program)) else {
        let names: Vec<String> = programs.iter().map(|program| program.join(" ")).collect();
        bail!("none of {} runs; install Python with pip", names.join(", "));
    };
    let _watch = interrupt::watch();
    let output = command(program)
        // A wheel only: a source package would be built, that is, its code would run.
        .args(["download", "--no-deps", "--only-binary", ":all:", "--no-input", "--retries", "2"])
        .args(["--disable-pip-version-check", "--progress-bar", "off", "--dest"])
        .arg(folder)
        .arg(package)
        .output()
        .with_context(|| format!("cannot run {}", program.join(" ")))?;
    if interrupt::is_raised() {
        return Err(Failure::Interrupted("the same command begins anew".into()).into());
    }
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        let reason = text.lines().rev().find(|line| line.contains("ERROR")).or(text.lines().last());
        bail!("{} failed: {}", program.join(" "), reason.unwrap_or("no message").trim());
    }
    let entries =
        std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.extension().is_some_and(|ending| ending == "whl"))
        .with_context(|| format!("{} left no wheel", program.join(" ")))
}

fn command(program: &[&str]) -> Command {
    let mut command = Command::new(program.first().copied().unwrap_or_default());
    command.args(program.iter().skip(1)).stdin(Stdio::null());
    command
}

/// Whether it is there and works; a version manager may leave a `pip` on the path that does not.
fn runs(program: &[&str]) -> bool {
    command(program).arg("--version").output().is_ok_and(|output| output.status.success())
}
