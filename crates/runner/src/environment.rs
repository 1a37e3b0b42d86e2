//! The machine, for the run records.

use ctr_core::Environment;
use std::collections::BTreeMap;

/// Describes machine and versions.
pub fn describe(threads: usize) -> Environment {
    let versions = [
        ("din-repro", env!("CARGO_PKG_VERSION")),
        ("dfdx", env!("DIN_REPRO_DFDX")),
        ("gemm", env!("DIN_REPRO_GEMM")),
        ("polars", env!("DIN_REPRO_POLARS")),
        ("pulp", env!("DIN_REPRO_PULP")),
    ];
    Environment {
        os: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
        cpu: line_of("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown".into()),
        threads: threads as u64,
        rustc: env!("DIN_REPRO_RUSTC").into(),
        versions: versions
            .into_iter()
            .map(|(name, version)| (name.to_string(), version.to_string()))
            .collect::<BTreeMap<_, _>>(),
    }
}

/// The largest resident memory of this process so far, where Linux tells.
pub fn peak_rss_bytes() -> Option<u64> {
    let line = line_of("/proc/self/status", "VmHWM")?;
    let kibibytes: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kibibytes * 1024)
}

/// Cores that this process may use.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// What follows `key` and a colon in the first such line of a file.
fn line_of(path: &str, key: &str) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    let line = text.lines().find(|line| line.starts_with(key))?;
    Some(line.split_once(':')?.1.trim().to_string())
}
