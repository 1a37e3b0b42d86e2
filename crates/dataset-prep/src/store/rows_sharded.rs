//! Rows as a source had them, in shards: `rows-<shard>-of-<shards>.parquet` and `sequences-<shard>-of-<shards>.parquet`
//! with the columns of `rows.parquet` and `sequences.parquet`, a user's in the shard of the user's key. A sequence that
//! rows of several shards begin with lies in each of them. `users.parquet` has two columns more: `train_rows` and
//! `authors_train_rows`, how many each user has under the two protocols.

use super::rows::{ROWS, SEQUENCES, USERS, parse_rows, parse_sequences};
use super::{AGAIN, Folder, SHARD_RULE, check_numbers, folder::Table, shard_file, shard_of, table};
use crate::columns::{id_column, ids, of_texts};
use crate::manifest::{Manifest, ShardRecord, Sharding};
use crate::rows::part;
use crate::{Error, Result};
use ctr_core::{EventColumn, Protocol, Samples, Sequences};
use polars::prelude::{Column, DataFrame};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// The columns of [`USERS`] with the training rows of a user.
const TRAIN_ROWS: [&str; 2] = ["train_rows", "authors_train_rows"];

fn stem(name: &str) -> &str {
    name.trim_end_matches(".parquet")
}

/// Tables of rows and of sequences that are written shard by shard, in one piece or several.
pub(crate) struct ShardTables {
    shards: Vec<(Table, Option<Table>, ShardRecord)>,
    /// The shard of each user.
    of_user: Vec<u32>,
    /// Training rows of each user under either protocol.
    train_rows: [Vec<u32>; 2],
}

impl ShardTables {
    /// Begins the tables; of users with these keys, and with or without sequences.
    pub fn new<K: AsRef<str>>(
        folder: &Folder,
        keys: impl Iterator<Item = K>,
        shards: u32,
        sequences: bool,
    ) -> Result<Self> {
        let of_user: Vec<u32> = keys.map(|key| shard_of(key.as_ref(), shards)).collect();
        let file = |name: &str, shard: u32| {
            folder.table(&shard_file(stem(name), shard as usize, shards as usize))
        };
        let tables = (0..shards).map(|shard| {
            let sequences = sequences.then(|| file(SEQUENCES, shard)).transpose()?;
            Ok((file(ROWS, shard)?, sequences, ShardRecord::default()))
        });
        let none = vec![0; of_user.len()];
        Ok(Self {
            shards: tables.collect::<Result<_>>()?,
            of_user,
            train_rows: [none.clone(), none],
        })
    }

    /// Adds the rows of some users, all that they have, with the sequences of those rows. `owners` are the numbers
    /// of the sequences' events; where rows name none, these are users.
    pub fn append(
        &mut self,
        parts: &[u8],
        rows: &Samples,
        columns: &[Column],
        owners: &[u32],
        sequences: &[Column],
    ) -> Result<()> {
        let mut of_shard: Vec<[Vec<u32>; 2]> = vec![Default::default(); self.shards.len()];
        for (row, &user) in rows.users.iter().enumerate() {
            let shard = self.of_user[user as usize] as usize;
            let record = &mut self.shards[shard].2;
            record.users += u64::from(row == 0 || rows.users[row - 1] != user);
            record.events += 1;
            let held_out = u64::from(parts[row] == part::TRAIN);
            let authors = u64::from(parts[row] != part::TEST);
            record.train_rows += held_out;
            record.authors_train_rows += authors;
            self.train_rows[0][user as usize] += held_out as u32;
            self.train_rows[1][user as usize] += authors as u32;
            of_shard[shard][0].push(row as u32);
        }
        let wanted = self.shards_of_sequences(rows, owners);
        for (event, &owner) in owners.iter().enumerate() {
            for &shard in wanted.get(owner as usize).into_iter().flatten() {
                of_shard[shard as usize][1].push(event as u32);
            }
        }
        for ((table, histories, _), [rows, events]) in self.shards.iter_mut().zip(&of_shard) {
            append_some(table, columns, rows)?;
            if let Some(histories) = histories {
                append_some(histories, sequences, events)?;
            }
        }
        Ok(())
    }

    /// The shards that need each sequence, by its number.
    fn shards_of_sequences(&self, rows: &Samples, owners: &[u32]) -> Vec<Vec<u32>> {
        let count = owners.iter().max().map_or(0, |&last| last as usize + 1);
        if rows.sequences.is_empty() {
            return self.of_user.iter().take(count).map(|&shard| vec![shard]).collect();
        }
        let mut wanted = vec![Vec::new(); count];
        for (&sequence, &user) in rows.sequences.iter().zip(&rows.users) {
            let shard = self.of_user[user as usize];
            // An empty sequence has no events to be kept.
            if let Some(shards) = wanted.get_mut(sequence as usize)
                && !shards.contains(&shard)
            {
                shards.push(shard);
            }
        }
        wanted
    }

    /// Ends the tables, and gives the columns that the users' keys get beside them.
    pub fn finish(self, folder: &mut Folder) -> Result<(Sharding, Vec<Column>)> {
        let mut sharding = Sharding { rule: SHARD_RULE.into(), shards: Vec::new() };
        for (rows, sequences, record) in self.shards {
            folder.close(rows)?;
            if let Some(sequences) = sequences {
                folder.close(sequences)?;
            }
            sharding.shards.push(record);
        }
        let columns = TRAIN_ROWS.iter().zip(&self.train_rows);
        Ok((sharding, columns.map(|(name, rows)| id_column(name, rows)).collect()))
    }
}

/// Appends some rows of columns. A table without any rows gets its columns all the same.
fn append_some(table: &mut Table, columns: &[Column], rows: &[u32]) -> Result<()> {
    if rows.is_empty() && table.has_begun() {
        return Ok(());
    }
    let some = columns.iter().map(|column| column.take_slice(rows));
    let some = some.collect::<std::result::Result<Vec<Column>, _>>();
    table.append(some.map_err(|error| Error::Columns(error.to_string()))?)
}

/// Of each user of a dataset in shards: the shard and the number of training rows.
pub(crate) fn read_users_of_rows(
    dir: &Path,
    manifest: &Manifest,
    sharding: &Sharding,
    protocol: Protocol,
) -> Result<Vec<(u32, u32)>> {
    let (path, frame) = table(dir, manifest, USERS)?;
    check_numbers(&path, "user_id", &ids(&path, &frame, "user_id")?, 0)?;
    let rows = ids(&path, &frame, TRAIN_ROWS[usize::from(protocol == Protocol::Authors)])?;
    let shards = sharding.shards.len() as u32;
    let of_users = of_texts(&path, &frame, "key", |key| shard_of(key, shards))?;
    Ok(of_users.into_iter().zip(rows).collect())
}

/// A table of which each shard has a part, in the order of users or sequences. A run of equal numbers that several
/// shards have is taken from the first of them.
pub(super) fn gather(
    dir: &Path,
    manifest: &Manifest,
    sharding: &Sharding,
    name: &str,
    by: &str,
) -> Result<(PathBuf, DataFrame)> {
    let mut all: Option<DataFrame> = None;
    let mut owners: Vec<u32> = Vec::new();
    let mut shard_of_row: Vec<u32> = Vec::new();
    for shard in 0..sharding.shards.len() {
        let (path, frame) = read_part(dir, manifest, sharding, name, shard)?;
        let own = ids(&path, &frame, by)?;
        if let Some(row) = own.windows(2).position(|pair| pair[0] > pair[1]) {
            let reason = format!("{by} {} in row {} is out of order", own[row + 1], row + 2);
            return Err(Error::damaged(&path, format!("{reason}; {AGAIN}")));
        }
        shard_of_row.resize(shard_of_row.len() + own.len(), shard as u32);
        owners.extend(own);
        match &mut all {
            None => all = Some(frame),
            Some(all) => {
                all.vstack_mut(&frame).map_err(|error| Error::damaged(&path, error.to_string()))?;
            }
        }
    }
    let path = dir.join(name);
    let Some(frame) = all else {
        return Err(Error::damaged(dir, format!("manifest.json lists no shard; {AGAIN}")));
    };
    let mut order: Vec<u32> = (0..owners.len() as u32).collect();
    order.sort_by_key(|&row| owners[row as usize]);
    // The shard that the run under way is taken from.
    let mut run: Option<(u32, u32)> = None;
    order.retain(|&row| {
        let (owner, shard) = (owners[row as usize], shard_of_row[row as usize]);
        match run {
            Some((last, from)) if last == owner => from == shard,
            _ => {
                run = Some((owner, shard));
                true
            }
        }
    });
    let columns: std::result::Result<Vec<Column>, _> =
        frame.columns().iter().map(|column| column.take_slice(&order)).collect();
    let sorted = columns.and_then(DataFrame::new_infer_height);
    Ok((path.clone(), sorted.map_err(|error| Error::damaged(&path, error.to_string()))?))
}

fn read_part(
    dir: &Path,
    manifest: &Manifest,
    sharding: &Sharding,
    name: &str,
    shard: usize,
) -> Result<(PathBuf, DataFrame)> {
    table(dir, manifest, &shard_file(stem(name), shard, sharding.shards.len()))
}

/// A shard's rows with their histories.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct RowPart {
    pub parts: Vec<u8>,
    /// The rows, by user; each names its sequence among those that are here.
    pub rows: Samples,
    pub sequences: Sequences,
}

/// Reads one shard and checks it against the manifest.
pub(crate) fn read_rows_of_shard(
    dir: &Path,
    manifest: &Manifest,
    sharding: &Sharding,
    bags: &[EventColumn],
    shard: usize,
) -> Result<RowPart> {
    let schema = &manifest.schema;
    let users = manifest.counts.get("users").copied().unwrap_or_default();
    let (path, frame) = read_part(dir, manifest, sharding, ROWS, shard)?;
    let (parts, mut rows) = parse_rows(&path, &frame, schema, users as usize, bags)?;
    drop(frame);
    let fail =
        |path: &Path, reason: String| Err(Error::damaged(path, format!("{reason}; {AGAIN}")));
    let said = sharding.shards.get(shard).map_or(0, |record| record.events);
    if rows.rows() as u64 != said {
        return fail(&path, format!("{} rows, manifest.json says {said}", rows.rows()));
    }
    let Some(behaviors) = schema.behaviors() else {
        // One history, which is empty, for all.
        rows.sequences = vec![0; rows.rows()];
        return Ok(RowPart {
            parts,
            rows,
            sequences: Sequences { offsets: vec![0, 0], fields: vec![] },
        });
    };
    let (path, frame) = read_part(dir, manifest, sharding, SEQUENCES, shard)?;
    let (owners, fields) = parse_sequences(&path, &frame, &schema.groups[behaviors], bags)?;
    drop(frame);
    let (mut numbers, mut offsets) = (Vec::new(), vec![0u32]);
    for (event, &owner) in owners.iter().enumerate() {
        match numbers.last() {
            Some(&last) if owner < last => {
                return fail(&path, format!("sequence_id falls in row {}", event + 1));
            }
            Some(&last) if owner == last => {}
            _ => {
                numbers.push(owner);
                offsets.push(event as u32);
            }
        }
        if let Some(end) = offsets.last_mut() {
            *end = event as u32 + 1;
        }
    }
    // A sequence without events is in no file; its place is after all others.
    offsets.push(owners.len() as u32);
    let place = |number: &u32| numbers.binary_search(number).unwrap_or(numbers.len()) as u32;
    let named = if rows.sequences.is_empty() { &rows.users } else { &rows.sequences };
    rows.sequences = named.iter().map(place).collect();
    Ok(RowPart { parts, rows, sequences: Sequences { offsets, fields } })
}
