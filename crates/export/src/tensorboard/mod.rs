//! Event files of TensorBoard: TensorFlow's record framing around a few messages.

mod framing;
mod proto;

use crate::wire::Message;
use crate::{Error, Result};
use ctr_core::write_atomic;
use framing::{append_record, records};
use proto::{Event, SummaryValue};
use std::collections::HashMap;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// TensorBoard takes every file with `tfevents` in its name.
const FILE: &str = "events.out.tfevents.0.din-repro";

/// A number at a step.
#[derive(Clone, Debug, PartialEq)]
pub struct Scalar {
    /// What it is; the name of its chart.
    pub tag: String,
    /// When.
    pub step: u64,
    /// The number, which TensorBoard keeps as f32.
    pub value: f64,
}

/// A file of events that grows.
#[derive(Debug)]
pub struct EventFile {
    path: PathBuf,
    file: File,
}

impl EventFile {
    /// Begins the file in `folder` anew, with a text and the scalars that a run has so far. Scalars that were in
    /// the file before keep their times: so an interrupted run goes on with each of its numbers once.
    ///
    /// # Errors
    /// Names the file that could not be read or written.
    pub fn begin(folder: &Path, (name, text): (&str, &str), scalars: &[Scalar]) -> Result<Self> {
        let path = folder.join(FILE);
        let fail = |source| Error::Io { path: path.clone(), source };
        std::fs::create_dir_all(folder).map_err(fail)?;
        let before = match std::fs::read(&path) {
            Ok(bytes) => times(&bytes),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => HashMap::new(),
            Err(source) => return Err(fail(source)),
        };
        let now = now();
        let mut bytes = Vec::new();
        append_record(&mut bytes, &Event::version(now).to_bytes());
        append_record(&mut bytes, &Event::of(now, 0, SummaryValue::text(name, text)).to_bytes());
        for Scalar { tag, step, value } in scalars {
            let time = before.get(&(tag.clone(), *step)).copied().unwrap_or(now);
            let event = Event::of(time, *step, SummaryValue::scalar(tag, *value));
            append_record(&mut bytes, &event.to_bytes());
        }
        write_atomic(&path, &bytes)?;
        let file = File::options().append(true).open(&path).map_err(fail)?;
        Ok(Self { path, file })
    }

    /// Appends scalars.
    ///
    /// # Errors
    /// Names the file when it cannot be written.
    pub fn append(&mut self, scalars: &[Scalar]) -> Result<()> {
        let mut bytes = Vec::new();
        for Scalar { tag, step, value } in scalars {
            let event = Event::of(now(), *step, SummaryValue::scalar(tag, *value));
            append_record(&mut bytes, &event.to_bytes());
        }
        let written = self.file.write_all(&bytes);
        written.map_err(|source| Error::Io { path: self.path.clone(), source })
    }
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |time| time.as_secs_f64())
}

/// The times of all scalars of a file, whose end may be missing.
fn times(bytes: &[u8]) -> HashMap<(String, u64), f64> {
    let events = records(bytes).map(Event::read);
    events
        .flat_map(|event| {
            let (time, step) = (event.wall_time, event.step as u64);
            let values = event.summary.map_or_else(Vec::new, |summary| summary.value);
            values.into_iter().map(move |value| ((value.tag, step), time))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scalar(tag: &str, step: u64, value: f64) -> Scalar {
        Scalar { tag: tag.into(), step, value }
    }

    fn found(folder: &Path) -> Vec<(String, i64, f32)> {
        let bytes = std::fs::read(folder.join(FILE)).unwrap();
        records(&bytes)
            .map(Event::read)
            .flat_map(|event| {
                let values = event.summary.map_or_else(Vec::new, |summary| summary.value);
                values
                    .into_iter()
                    .filter(|value| value.simple_value.is_some())
                    .map(move |value| (value.tag.clone(), event.step, value.simple_value.unwrap()))
            })
            .collect()
    }

    #[test]
    fn a_run_that_goes_on_has_each_number_once_and_at_its_time() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("tensorboard");
        let text = ("config", "{}");
        let mut file = EventFile::begin(&folder, text, &[]).unwrap();
        file.append(&[scalar("a", 1, 0.5), scalar("a", 2, 0.25)]).unwrap();
        let path = folder.join(FILE);
        let before = times(&std::fs::read(&path).unwrap());
        // A killed process leaves half a record, and a step that the checkpoint does not know.
        let mut bytes = std::fs::read(&path).unwrap();
        bytes.extend([7; 5]);
        std::fs::write(&path, bytes).unwrap();
        let mut file = EventFile::begin(&folder, text, &[scalar("a", 1, 0.5)]).unwrap();
        file.append(&[scalar("a", 2, 0.25), scalar("b", 2, f64::NAN)]).unwrap();
        let all = found(&folder);
        assert_eq!(all[..2], [("a".to_string(), 1, 0.5), ("a".to_string(), 2, 0.25)]);
        assert!(all[2].2.is_nan() && all.len() == 3);
        let key = ("a".to_string(), 1);
        assert_eq!(times(&std::fs::read(&path).unwrap())[&key], before[&key]);
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1);
    }
}
