//! A log of behaviors larger than memory: written apart by user, then sorted part by part.
//!
//! Only behaviors of users with impressions are taken, and of those only what some impression's history
//! keeps. So memory follows the impressions and the limit, however long the log is.

use crate::assemble::RawRows;
use crate::manifest::FileRecord;
use crate::records::Records;
use crate::{Error, Result};
use ctr_core::{EventColumn, Sequences, Workshop};
use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

/// What became of the log.
pub(super) struct Log {
    /// One sequence a user, by first appearance: category and brand.
    pub sequences: Sequences,
    /// Events before each row's time, among those kept.
    pub lengths: Vec<u32>,
    /// Lines of the log.
    pub behaviors: u64,
    pub record: FileRecord,
}

/// User, time, category, brand.
type Event = [u32; 4];
const EVENT_BYTES: usize = size_of::<Event>();
/// Bytes of a line at least, to know beforehand how many events come at most: `1,1,pv,1,1`.
const SHORTEST_LINE: u64 = 20;
/// Parts at most: each has a file open and a buffer.
const MOST_PARTS: usize = 200;
const BUFFER: usize = 1 << 18;

/// Rows of each user in the order of their times.
struct Impressions {
    offsets: Vec<u32>,
    rows: Vec<u32>,
}

impl Impressions {
    fn of(rows: &RawRows) -> Self {
        let mut offsets = vec![0u32; rows.user_keys.len() + 1];
        for &user in &rows.users {
            offsets[user as usize + 1] += 1;
        }
        for user in 0..rows.user_keys.len() {
            offsets[user + 1] += offsets[user];
        }
        let mut order: Vec<u32> = (0..rows.users.len() as u32).collect();
        order
            .sort_unstable_by_key(|&row| (rows.users[row as usize], rows.times[row as usize], row));
        Self { offsets, rows: order }
    }

    fn of_user(&self, user: usize) -> &[u32] {
        &self.rows[self.offsets[user] as usize..self.offsets[user + 1] as usize]
    }
}

/// The log in parts of neighboring users, on disk.
struct Parts {
    folder: Workshop,
    users_a_part: usize,
    files: Vec<BufWriter<File>>,
}

impl Parts {
    fn new(path: &Path, users: usize, memory_limit: u64) -> Result<Self> {
        let bytes = std::fs::metadata(path)
            .map_err(|source| Error::Read { path: path.to_path_buf(), source })?
            .len();
        // A packed log unfolds to several times its size.
        let unfolded = if path.extension().is_some_and(|ending| ending == "gz") { 8 } else { 1 };
        let events = bytes * unfolded / SHORTEST_LINE;
        let parts = (events * EVENT_BYTES as u64).div_ceil((memory_limit / 4).max(1)) as usize;
        let parts = parts.clamp(1, MOST_PARTS.min(users.max(1)));
        let folder = Workshop::new(&std::env::temp_dir(), "din-repro-log-")?;
        let mut all =
            Self { folder, users_a_part: users.div_ceil(parts).max(1), files: Vec::new() };
        for part in 0..parts {
            let path = all.path(part);
            let file = File::create(&path).map_err(|source| Error::Write { path, source })?;
            all.files.push(BufWriter::with_capacity(BUFFER, file));
        }
        Ok(all)
    }

    fn path(&self, part: usize) -> PathBuf {
        self.folder.path().join(format!("part-{part}"))
    }

    fn write(&mut self, event: Event) -> Result<()> {
        let part = event[0] as usize / self.users_a_part;
        let mut bytes = [0; EVENT_BYTES];
        for (to, number) in bytes.chunks_exact_mut(4).zip(event) {
            to.copy_from_slice(&number.to_le_bytes());
        }
        let written = self.files[part].write_all(&bytes);
        written.map_err(|source| Error::Write { path: self.path(part), source })
    }

    /// The events of a part by user and time; those of one moment by their values.
    fn read(&mut self, part: usize) -> Result<Vec<Event>> {
        let path = self.path(part);
        let flushed = self.files[part].flush();
        flushed.map_err(|source| Error::Write { path: path.clone(), source })?;
        let fail = |source| Error::Read { path: path.clone(), source };
        let file = File::open(&path).map_err(fail)?;
        let count = file.metadata().map_err(fail)?.len() as usize / EVENT_BYTES;
        let mut reader = BufReader::with_capacity(BUFFER, file);
        let mut events = Vec::with_capacity(count);
        let mut bytes = [0; EVENT_BYTES];
        for _ in 0..count {
            reader.read_exact(&mut bytes).map_err(fail)?;
            let mut event = [0; 4];
            for (number, from) in event.iter_mut().zip(bytes.chunks_exact(4)) {
                *number = u32::from_le_bytes([from[0], from[1], from[2], from[3]]);
            }
            events.push(event);
        }
        events.sort_unstable();
        // Its space is free for what comes; what is left goes with the folder.
        let _ = std::fs::remove_file(&path);
        Ok(events)
    }
}

/// Reads the log. `fields` are the vocabularies of category and brand.
pub(super) fn read(
    path: &Path,
    rows: &mut RawRows,
    fields: (usize, usize),
    limit: Option<u32>,
    memory_limit: u64,
) -> Result<Log> {
    let users = rows.user_keys.len();
    let impressions = Impressions::of(rows);
    let last: Vec<u64> = (0..users)
        .map(|user| {
            let last = impressions.of_user(user).last();
            last.map_or(0, |&row| rows.times[row as usize])
        })
        .collect();
    let mut parts = Parts::new(path, users, memory_limit)?;
    let mut records = Records::open(path)?;
    let (user, time) = (records.column("user")?, records.column("time_stamp")?);
    let (category, brand) = (records.column("cate")?, records.column("brand")?);
    records.column("btag")?;
    let mut behaviors = 0;
    while records.advance()? {
        behaviors += 1;
        let moment = records.number(time)?;
        let Some(number) = rows.user_keys.number(records.filled(user)?) else { continue };
        // Some lines of the published log have a time before 1970 or far ahead; ours must lie before
        // an impression anyway.
        if moment >= last[number as usize] {
            continue;
        }
        let mut intern = |vocabulary: usize, column: usize| -> Result<u32> {
            Ok(rows.vocabularies[vocabulary].texts.intern(records.filled(column)?))
        };
        let event = [number, moment as u32, intern(fields.0, category)?, intern(fields.1, brand)?];
        parts.write(event)?;
    }
    let record = records.finish()?;

    let mut kept = Kept {
        sequences: Sequences {
            offsets: vec![0],
            fields: vec![EventColumn::default(), EventColumn::default()],
        },
        lengths: vec![0; rows.users.len()],
    };
    for part in 0..parts.files.len() {
        let events = parts.read(part)?;
        let first = part * parts.users_a_part;
        let mut rest = events.as_slice();
        for user in first..(first + parts.users_a_part).min(users) {
            let count = rest.partition_point(|event| event[0] as usize == user);
            let (own, others) = rest.split_at(count);
            rest = others;
            kept.add(own, impressions.of_user(user), &rows.times, limit);
            if kept.sequences.fields[0].ids.len() > (u32::MAX / 2) as usize {
                return Err(Error::input(
                    path,
                    crate::Place::File,
                    "",
                    "more behaviors in histories than a prepared dataset can hold",
                    "set a smaller --history-limit",
                ));
            }
        }
    }
    Ok(Log { sequences: kept.sequences, lengths: kept.lengths, behaviors, record })
}

struct Kept {
    sequences: Sequences,
    lengths: Vec<u32>,
}

impl Kept {
    /// Keeps the events of a user that one of the user's impressions, given in the order of time, has in
    /// its history.
    fn add(&mut self, events: &[Event], impressions: &[u32], times: &[u64], limit: Option<u32>) {
        let limit = limit.map_or(usize::MAX, |limit| limit as usize);
        let (mut kept, mut next) = (0u32, 0);
        for &row in impressions {
            let time = times[row as usize];
            let end = events.partition_point(|event| u64::from(event[1]) < time);
            // Events before `next` are kept or in no history.
            next = next.max(end.saturating_sub(limit));
            for event in &events[next.min(end)..end] {
                for (column, &id) in self.sequences.fields.iter_mut().zip(&event[2..]) {
                    column.ids.push(id);
                }
                kept += 1;
            }
            next = next.max(end);
            self.lengths[row as usize] = kept;
        }
        let last = self.sequences.offsets.len() - 1;
        self.sequences.offsets.push(self.sequences.offsets[last] + kept);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_history_holds_is_dropped_and_lengths_count_what_is_kept() {
        let mut kept = Kept {
            sequences: Sequences { offsets: vec![0], fields: vec![EventColumn::default(); 2] },
            lengths: vec![9; 4],
        };
        let events: Vec<Event> = (0..10).map(|time| [0, time, 100 + time, time]).collect();
        // Rows 2, 0, 3, 1 at times 3, 4, 4 and 9, with at most two events each.
        let times = [4, 9, 3, 4];
        kept.add(&events, &[2, 0, 3, 1], &times, Some(2));
        assert_eq!(kept.sequences.fields[0].ids, [101, 102, 103, 107, 108]);
        assert_eq!(kept.lengths, [3, 5, 2, 3]);
        assert_eq!(kept.sequences.offsets, [0, 5]);
        kept.add(&events, &[2], &[0; 4], None);
        assert_eq!(kept.sequences.offsets, [0, 5, 5]);
    }
}
