//! `fetch`: downloads by the system's curl, since a web client of our own would be most of the program.

use crate::cli::FetchArguments;
use crate::{data, output};
use anyhow::{Context, Result, anyhow, bail};
use std::path::Path;
use std::process::Command;

pub fn fetch(arguments: &FetchArguments) -> Result<()> {
    let dataset = data::known(&arguments.dataset)?;
    if dataset.sources.is_empty() {
        bail!("{}: there is nothing to download; {}", dataset.id, dataset.where_to_get());
    }
    let folder = arguments.raw.join(&dataset.folder);
    std::fs::create_dir_all(&folder)
        .with_context(|| format!("cannot make the folder {}", folder.display()))?;
    for source in &dataset.sources {
        let target = folder.join(&source.name);
        if target.exists() {
            output::message(&format!("{} is there", target.display()));
            continue;
        }
        download(&source.url, &target)
            .with_context(|| format!("{}\n{}", source.name, dataset.where_to_get()))?;
    }
    output::result(&format!("{}: raw files in {}", dataset.id, folder.display()))
}

/// Downloads under another name, continuing an earlier attempt, and renames at the end.
fn download(url: &str, target: &Path) -> Result<()> {
    let mut part = target.as_os_str().to_owned();
    part.push(".part");
    let status = Command::new("curl")
        .args(["--fail", "--location", "--continue-at", "-", "--output"])
        .arg(&part)
        .arg(url)
        .status()
        .map_err(|error| {
            anyhow!("cannot run curl ({error}); install it or place the files by hand")
        })?;
    if !status.success() {
        bail!("the download failed ({status}); what came is kept, the same command continues");
    }
    std::fs::rename(&part, target).with_context(|| format!("cannot rename to {}", target.display()))
}
