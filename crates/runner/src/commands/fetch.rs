//! `fetch`.

use crate::cli::FetchArguments;
use crate::data;
use crate::fetch::{self, identity};
use crate::output::{self, Format, grouped};
use crate::progress::Progress;
use anyhow::{Context, Result};
use serde_json::json;

pub fn fetch(arguments: &FetchArguments, quiet: bool) -> Result<()> {
    let dataset = data::known(&arguments.dataset)?;
    let folder = arguments.raw.join(&dataset.folder);
    let progress = Progress::new(quiet);
    let paths = fetch::fetch(&dataset, &folder, &progress)?;
    let mut rows = Vec::new();
    let mut text = format!("{}: raw files in {}", dataset.id, folder.display());
    for path in &paths {
        // The sum of a file of many gigabytes takes a while, so only for those who see it.
        match arguments.format {
            Format::Json => {
                let (bytes, sha256) = identity(path)?;
                rows.push(json!({ "path": path, "bytes": bytes, "sha256": sha256 }));
            }
            Format::Text => {
                let bytes = std::fs::metadata(path)
                    .with_context(|| format!("cannot read {}", path.display()))?
                    .len();
                let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
                text.push_str(&format!("\n  {name}  {} bytes", grouped(bytes)));
            }
        }
    }
    output::formatted(arguments.format, &rows, || text)?;
    let raw = if arguments.raw == std::path::Path::new(data::RAW_FOLDER) {
        String::new()
    } else {
        format!(" --raw {}", folder.display())
    };
    tracing::info!("next: din-repro prep {}{raw}", dataset.id);
    Ok(())
}
