//! `doctor`: is this machine ready, and what to do if not?

use crate::cli::DoctorArguments;
use crate::failure::Failure;
use crate::{data, environment, output};
use anyhow::Result;
use ctr_core::FileLock;
use ctr_dataset_prep::{catalog, read_manifest};
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Space below which a folder is worth a warning: the quick suite takes a tenth of it, a prepared log of ads
/// or the runs of the paper suite about as much.
const LITTLE_SPACE: u64 = 4 << 30;
/// Memory below which training is worth a warning; the peak of the quick suite is about 1 GiB.
const LITTLE_MEMORY: u64 = 2 << 30;
/// Files open at a time below which sorting a large log may fail.
const FEW_FILES: u64 = 256;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    Good,
    Warning,
    Problem,
}

#[derive(Debug, Serialize)]
struct Finding {
    what: String,
    state: State,
    found: String,
    /// What to do, where something is to be done.
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<String>,
}

impl Finding {
    fn good(what: impl Into<String>, found: impl Into<String>) -> Self {
        Self { what: what.into(), state: State::Good, found: found.into(), remedy: None }
    }

    fn but(mut self, state: State, remedy: impl Into<String>) -> Self {
        self.state = state;
        self.remedy = Some(remedy.into());
        self
    }

    /// A warning with this remedy when `wrong`.
    fn warn_if(self, wrong: bool, remedy: impl Into<String>) -> Self {
        if wrong { self.but(State::Warning, remedy) } else { self }
    }
}

pub fn doctor(arguments: &DoctorArguments) -> Result<()> {
    let mut findings = vec![versions(), processor(), threads(), memory(), open_files()];
    let temporary = std::env::temp_dir();
    for (what, folder) in [
        ("reports", arguments.out.as_path()),
        ("prepared data", &arguments.prepared),
        ("temporary files", &temporary),
    ] {
        findings.extend(folder_state(what, folder));
    }
    findings.push(raw_data(&data::raw_folders(arguments.data_dir.as_deref())?)?);
    findings.extend(prepared_data(&arguments.prepared));
    findings.push(programs());
    output::formatted(arguments.format, &findings, || text(&findings))?;
    let problems = findings.iter().filter(|finding| finding.state == State::Problem).count();
    if problems > 0 {
        return Err(Failure::Expectation(format!("{problems} problems, see above")).into());
    }
    Ok(())
}

fn gibibytes(bytes: u64) -> String {
    format!("{:.1} GiB", bytes as f64 / f64::from(1u32 << 30))
}

fn text(findings: &[Finding]) -> String {
    let mut text = String::new();
    for Finding { what, state, found, remedy } in findings {
        let word = match state {
            State::Good => "good",
            State::Warning => "warning",
            State::Problem => "problem",
        };
        text.push_str(&format!("{word:8} {what}: {found}\n"));
        if let Some(remedy) = remedy {
            text.push_str(&format!("         -> {remedy}\n"));
        }
    }
    text
}

fn versions() -> Finding {
    let environment = environment::describe(environment::cores());
    let versions: Vec<String> =
        environment.versions.iter().map(|(name, version)| format!("{name} {version}")).collect();
    Finding::good("versions", format!("{}, {}", versions.join(", "), environment.rustc))
}

fn processor() -> Finding {
    let environment = environment::describe(environment::cores());
    let found = format!("{}, {}", environment.cpu, environment.os);
    #[cfg(target_arch = "x86_64")]
    {
        let wide = is_x86_feature_detected!("avx512f");
        let usual = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
        let kernels = match (wide, usual) {
            (true, _) => "AVX-512",
            (false, true) => "AVX2 and FMA",
            _ => "SSE2 only",
        };
        Finding::good("processor", format!("{found}, computing with {kernels}")).warn_if(
            !wide && !usual,
            "training takes several times as long without AVX2 and FMA; results may differ in last bits",
        )
    }
    #[cfg(not(target_arch = "x86_64"))]
    Finding::good("processor", found)
}

fn threads() -> Finding {
    let cores = environment::cores();
    Finding::good("threads", format!("{cores} (runs at a time, and threads of a single run)"))
        .warn_if(cores < 2, "with one core the paper suite takes about a day")
}

fn memory() -> Finding {
    let limits: Vec<(u64, &str)> = [
        (environment::memory_bytes(), "of this machine"),
        (environment::available_bytes(), "available now"),
        (environment::group_limit_bytes(), "allowed by the control group"),
        (environment::address_space_limit(), "allowed by ulimit -v"),
    ]
    .into_iter()
    .filter_map(|(bytes, name)| Some((bytes?, name)))
    .collect();
    let found: Vec<String> =
        limits.iter().map(|&(bytes, name)| format!("{} {name}", gibibytes(bytes))).collect();
    let least = limits.iter().map(|&(bytes, _)| bytes).min().unwrap_or(u64::MAX);
    let found =
        if found.is_empty() { "this system does not tell".into() } else { found.join(", ") };
    Finding::good("memory", found).warn_if(
        least < LITTLE_MEMORY,
        "use --jobs 1 for reproduce and --memory-limit for prep, or end other programs",
    )
}

fn open_files() -> Finding {
    let limit = environment::open_files_limit();
    let found = limit.map_or("this system does not tell".into(), |limit| limit.to_string());
    Finding::good("files open at a time", found).warn_if(
        limit.is_some_and(|limit| limit < FEW_FILES),
        format!("raise it: ulimit -n {FEW_FILES}"),
    )
}

/// Whether files can be written and locked there, and how many.
fn folder_state(what: &str, folder: &Path) -> Vec<Finding> {
    // What is not there yet is made in the nearest folder that is.
    let absolute = std::path::absolute(folder).unwrap_or_else(|_| folder.to_path_buf());
    let there = absolute.ancestors().find(|above| above.exists()).unwrap_or(&absolute);
    let free = environment::free_bytes(there);
    let space = free.map_or(String::new(), |free| format!(", {} free", gibibytes(free)));
    let finding =
        Finding::good(format!("folder for {what}"), format!("{}{space}", folder.display()));
    let probe = tempfile::Builder::new().prefix(".doctor-").tempfile_in(there);
    let probe = match probe {
        Ok(probe) => probe,
        Err(error) => {
            return vec![finding.but(
                State::Problem,
                format!(
                    "nothing can be written in {} ({error}): choose another folder",
                    there.display()
                ),
            )];
        }
    };
    let first = FileLock::try_new(probe.path());
    let second = FileLock::try_new(probe.path());
    let locks = matches!((&first, &second), (Ok(Some(_)), Ok(None)));
    let mut findings = vec![finding.warn_if(
        free.is_some_and(|free| free < LITTLE_SPACE),
        "make room, or choose another folder by --out, --prepared or TMPDIR",
    )];
    if !locks {
        let none = Finding::good(format!("locks in the folder for {what}"), "none");
        findings.push(none.but(
            State::Warning,
            "let only one din-repro at a time write there, or choose another file system",
        ));
    }
    findings
}

fn raw_data(folders: &[PathBuf]) -> Result<Finding> {
    let there: Vec<String> = catalog()?
        .into_iter()
        .filter(|dataset| dataset.locate(folders).is_some())
        .map(|dataset| dataset.id)
        .collect();
    let looked: Vec<String> = folders.iter().map(|folder| folder.display().to_string()).collect();
    let none = there.is_empty();
    let found = if none { "none".into() } else { there.join(", ") };
    Ok(Finding::good(format!("raw data in {}", looked.join(", ")), found).warn_if(
        none,
        "`din-repro fetch movielens-100k` gets a small set, `din-repro datasets` says where all come from; \
         without any, simulated data is used",
    ))
}

/// One finding a prepared dataset.
fn prepared_data(folder: &Path) -> Vec<Finding> {
    let mut folders: Vec<PathBuf> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.join("manifest.json").exists())
        .collect();
    folders.sort();
    let finding = |path: PathBuf| {
        let what = format!("prepared data in {}", path.display());
        match read_manifest(&path) {
            Ok(manifest) => {
                let hash: String = manifest.content_sha256.chars().take(8).collect();
                Finding::good(what, format!("{}@{hash}", manifest.id))
            }
            Err(error) => Finding::good(what, error.to_string())
                .but(State::Problem, "remove the folder and prepare the dataset again"),
        }
    };
    folders.into_iter().map(finding).collect()
}

/// Programs that downloads use.
fn programs() -> Finding {
    let runs = |name: &str, arguments: &[&str]| {
        let mut command = Command::new(name);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    let curl = runs("curl", &["--version"]);
    let pip = runs("pip", &["--version"]) || runs("python3", &["-m", "pip", "--version"]);
    let word = |there| if there { "there" } else { "missing" };
    Finding::good("programs for downloads", format!("curl {}, pip {}", word(curl), word(pip)))
        .warn_if(!curl || !pip, "install what is missing, or place raw files by hand")
}
