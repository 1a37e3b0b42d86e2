//! The machine, for the run records.

use anyhow::{Context, Result};
use ctr_core::Environment;
use std::collections::BTreeMap;
use std::path::Path;

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
        ranks: None,
        rustc: env!("DIN_REPRO_RUSTC").into(),
        versions: versions
            .into_iter()
            .map(|(name, version)| (name.to_string(), version.to_string()))
            .collect::<BTreeMap<_, _>>(),
    }
}

/// The largest resident memory of this process so far, where Linux tells.
pub fn peak_rss_bytes() -> Option<u64> {
    kibibytes("/proc/self/status", "VmHWM")
}

/// The resident memory of this process, where Linux tells.
pub fn resident_bytes() -> Option<u64> {
    kibibytes("/proc/self/status", "VmRSS")
}

/// The machine's memory, where Linux tells.
pub fn memory_bytes() -> Option<u64> {
    kibibytes("/proc/meminfo", "MemTotal")
}

/// The memory that a new program could have without others being moved to disk, where Linux tells.
pub fn available_bytes() -> Option<u64> {
    kibibytes("/proc/meminfo", "MemAvailable")
}

/// What the control group of this process allows, where there is one with a limit.
pub fn group_limit_bytes() -> Option<u64> {
    let text = std::fs::read_to_string("/sys/fs/cgroup/memory.max").ok()?;
    text.trim().parse().ok()
}

/// `ulimit -v`, where it is set.
pub fn address_space_limit() -> Option<u64> {
    soft_limit("Max address space")
}

/// `ulimit -n`, where it is set.
pub fn open_files_limit() -> Option<u64> {
    soft_limit("Max open files")
}

fn soft_limit(name: &str) -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/limits").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Bytes that can still be written in a folder, where the system tells.
#[cfg(unix)]
pub fn free_bytes(folder: &Path) -> Option<u64> {
    let found = rustix::fs::statvfs(folder).ok()?;
    Some(found.f_bavail * found.f_frsize)
}

/// Bytes that can still be written in a folder, where the system tells.
#[cfg(not(unix))]
pub fn free_bytes(_: &Path) -> Option<u64> {
    None
}

/// Bytes of a line of kibibytes.
fn kibibytes(path: &str, key: &str) -> Option<u64> {
    let line = line_of(path, key)?;
    let kibibytes: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kibibytes * 1024)
}

/// Half of this machine's memory; 4 GiB where it cannot be told.
pub fn half_of_memory() -> u64 {
    memory_bytes().map_or(4 << 30, |bytes| bytes / 2)
}

/// A number of bytes, such as `4GiB`, `500MiB` or `1000000`.
pub fn parse_bytes(text: &str) -> std::result::Result<u64, String> {
    let units = [("KiB", 10), ("MiB", 20), ("GiB", 30), ("", 0)];
    units
        .iter()
        .find_map(|(unit, shift)| {
            let number: u64 = text.strip_suffix(unit)?.trim().parse().ok()?;
            number.checked_mul(1 << shift).filter(|&bytes| bytes > 0)
        })
        .ok_or_else(|| format!("{text:?} is no size: write 4GiB, 500MiB or a number of bytes"))
}

/// Cores that this process may use.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// A pool of so many threads.
pub fn pool(threads: usize) -> Result<rayon::ThreadPool> {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().context(NO_THREADS)
}

/// Starts the threads that work outside of any pool; where that fails later there is no error, only a panic.
pub fn begin_threads() -> Result<()> {
    rayon::ThreadPoolBuilder::new().build_global().context(NO_THREADS)
}

const NO_THREADS: &str = "cannot start threads: `ulimit -u` and `ulimit -v` say what is allowed; RAYON_NUM_THREADS=1, and \
                          --jobs 1 or --threads 1, need fewer";

/// What follows `key` and a colon in the first such line of a file.
fn line_of(path: &str, key: &str) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    let line = text.lines().find(|line| line.starts_with(key))?;
    Some(line.split_once(':')?.1.trim().to_string())
}

#[cfg(test)]
mod tests {
    use super::parse_bytes;

    #[test]
    fn sizes_are_read_with_their_units() {
        assert_eq!(parse_bytes("4GiB"), Ok(4 << 30));
        assert_eq!(parse_bytes("500 MiB"), Ok(500 << 20));
        assert_eq!(parse_bytes("17"), Ok(17));
        for text in ["", "0", "-1", "4GB", "99999999999GiB"] {
            assert!(parse_bytes(text).is_err(), "{text}");
        }
    }
}
