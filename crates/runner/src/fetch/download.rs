//! One file over the network, by the system's curl.
//!
//! A web client of our own, with TLS, certificates, proxies and redirects, would be most of the program;
//! curl is on every system that has a shell, and people have already told it about their proxy. Its output
//! comes through a pipe: when this program is killed, curl cannot go on writing to a file behind the back
//! of the next attempt.

use super::verify::PIECE;
use crate::failure::Failure;
use crate::interrupt;
use anyhow::{Context, Result, anyhow, bail};
use indicatif::ProgressBar;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Seconds to wait before attempts that follow one that brought nothing; after the last one gives up.
const PAUSES: [u64; 3] = [1, 2, 4];
/// Attempts in all, so that a server which drops every connection after a few bytes comes to an end.
const ATTEMPTS: usize = 100;

/// How an attempt ended.
enum End {
    /// All came, or all was there.
    Complete,
    /// The connection broke; trying again continues.
    Dropped(String),
    /// The server cannot continue a download.
    NoRanges,
    /// Trying again will not help.
    Refused(String),
}

/// Downloads `url` to `part`, continuing what is there, and again when the connection breaks. What came is
/// kept when it fails, for the next time. No more than `limit` bytes are taken, when the size is known.
pub fn download(url: &str, part: &Path, limit: Option<u64>, bar: &ProgressBar) -> Result<()> {
    let mut fruitless = 0;
    let mut restarted = false;
    let mut last = String::new();
    for _ in 0..ATTEMPTS {
        let before = length(part);
        match attempt(url, part, limit, bar)? {
            End::Complete => return Ok(()),
            End::Refused(reason) => bail!("{reason}"),
            End::NoRanges if restarted => bail!("the server drops connections and cannot continue"),
            End::NoRanges => {
                restarted = true;
                std::fs::remove_file(part)
                    .with_context(|| format!("cannot remove {}", part.display()))?;
            }
            End::Dropped(reason) => {
                last = reason;
                if length(part) > before {
                    fruitless = 0;
                } else if let Some(&seconds) = PAUSES.get(fruitless) {
                    std::thread::sleep(Duration::from_secs(seconds));
                    fruitless += 1;
                } else {
                    break;
                }
            }
        }
    }
    bail!("{last}; what came is kept in {}, the same command continues", part.display())
}

fn length(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |metadata| metadata.len())
}

fn attempt(url: &str, part: &Path, limit: Option<u64>, bar: &ProgressBar) -> Result<End> {
    let writing = || format!("cannot write {}; is there space left?", part.display());
    let mut file = OpenOptions::new().create(true).append(true).open(part).with_context(writing)?;
    let begin = file.metadata().with_context(writing)?.len();
    bar.set_position(begin);
    bar.reset_eta();
    let _watch = interrupt::watch();
    let mut child = spawn(url, begin)?;
    let copied = copy(&mut child, &mut file, begin, limit, bar);
    if !matches!(copied, Ok(Copied::All)) {
        // It may have ended by itself already.
        let _ = child.kill();
    }
    let mut text = String::new();
    if let Some(mut stderr) = child.stderr.take() {
        let _ = stderr.read_to_string(&mut text);
    }
    let status = child.wait().context("cannot wait for curl")?;
    if interrupt::is_raised() {
        return Err(Failure::Interrupted(format!(
            "what came is kept in {}; the same command continues",
            part.display()
        ))
        .into());
    }
    if matches!(copied.with_context(writing)?, Copied::TooMuch) {
        drop(file);
        std::fs::remove_file(part).with_context(|| format!("cannot remove {}", part.display()))?;
        return Ok(End::Refused(format!(
            "more than the expected {} bytes came",
            limit.unwrap_or_default()
        )));
    }
    file.sync_all().with_context(writing)?;
    let (message, code) = text.trim_end().rsplit_once('\n').unwrap_or(("", text.trim_end()));
    let message = message.trim();
    let received = length(part) > begin;
    Ok(match (status.code(), code) {
        // There is nothing beyond what was there (416): complete, unless the checks find otherwise.
        (Some(0), _) | (Some(22), "416") => End::Complete,
        (Some(33), _) => End::NoRanges,
        // Too early, too many requests, or a fault of the server that may pass.
        (Some(22), "408" | "425" | "429" | "500" | "502" | "503" | "504") => {
            End::Dropped(message.into())
        }
        // Broken in the middle (18), nothing came (52), sending or receiving failed (55, 56), a stream of
        // HTTP/2 or HTTP/3 broke (16, 92, 95).
        (Some(16 | 18 | 52 | 55 | 56 | 92 | 95), _) => End::Dropped(message.into()),
        // Silence for a minute is worth another attempt only if there was something before.
        (Some(28), _) if received => End::Dropped(message.into()),
        _ if message.is_empty() => End::Refused(format!("curl failed ({status})")),
        _ => End::Refused(message.into()),
    })
}

fn spawn(url: &str, begin: u64) -> Result<Child> {
    let mut command = Command::new("curl");
    command
        .args(["--silent", "--show-error", "--fail", "--location", "--proto", "=http,https"])
        .args(["--connect-timeout", "15", "--speed-limit", "1", "--speed-time", "60"])
        // Without --no-buffer the last few kilobytes before a stall would be lost with a killed program.
        .args(["--write-out", "%{stderr}\n%{http_code}", "--no-buffer", "--output", "-"]);
    if begin > 0 {
        command.arg("--continue-at").arg(begin.to_string());
    }
    command.arg("--url").arg(url);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().map_err(|error| match error.kind() {
        ErrorKind::NotFound => {
            anyhow!("curl is not installed; install it, or place the files by hand")
        }
        _ => anyhow!("cannot run curl: {error}"),
    })
}

/// What ended the copying.
enum Copied {
    All,
    TooMuch,
    Stopped,
}

fn copy(
    child: &mut Child,
    file: &mut File,
    begin: u64,
    limit: Option<u64>,
    bar: &ProgressBar,
) -> std::io::Result<Copied> {
    let Some(mut stdout) = child.stdout.take() else {
        return Ok(Copied::All);
    };
    let mut piece = vec![0; PIECE];
    let mut length = begin;
    loop {
        let count = stdout.read(&mut piece)?;
        if count == 0 {
            return Ok(Copied::All);
        }
        file.write_all(&piece[..count])?;
        length += count as u64;
        bar.set_position(length);
        if limit.is_some_and(|limit| length > limit) {
            return Ok(Copied::TooMuch);
        }
        if interrupt::is_raised() {
            return Ok(Copied::Stopped);
        }
    }
}
