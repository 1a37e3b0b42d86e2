//! Drawing users and writing them, a chunk at a time.

use super::clicks::Impression;
use super::serve::{good_fields, user_fields};
use super::tally::Tally;
use super::users::{AdUser, FIRST_DAY, HISTORY_LIMIT, Visit};
use super::world::{AdWorld, DAYS};
use super::{GENERATOR_VERSION, ads_dataset_id, schema};
use crate::columns::{id_column, text_column};
use crate::digest::RowDigest;
use crate::manifest::{Sharding, Simulation};
use crate::prepare::blank;
use crate::rows::part;
use crate::simulate::SimulateOptions;
use crate::store::{
    Folder, ROWS, SEQUENCES, ShardTables, TRUTH, Table, USERS, check_shards, column_of_truth,
    columns_of_rows, columns_of_sequences, owners, replace, vocabulary_file,
};
use crate::{Manifest, Result};
use ctr_core::{EventColumn, Field, Samples, Schema, Sequences};
use polars::prelude::Column;
use rayon::prelude::*;
use std::path::Path;

/// How events of one user with the same second are ordered.
const TIE_RULE: &str = "visits of the second of an impression are after it";
/// Keys written at a time.
const KEYS_A_PIECE: u32 = 1 << 18;

/// The part of a day's rows.
pub(super) fn part_of(day: i32) -> u8 {
    match DAYS - 1 - day {
        0 => part::TEST,
        1 => part::VALIDATION,
        _ => part::TRAIN,
    }
}

/// One user's log.
struct UserLog {
    user: AdUser,
    visits: Vec<Visit>,
    impressions: Vec<Impression>,
}

fn log(world: &AdWorld, number: u32) -> UserLog {
    let user = world.user(number);
    let (mut visits, mut impressions) = (Vec::new(), Vec::new());
    for day in FIRST_DAY..DAYS {
        world.visit(&user, day, &mut visits);
        if day >= 0 {
            world.impress(&user, day, &visits, &mut impressions);
        }
    }
    UserLog { user, visits, impressions }
}

/// Some users' logs in columns.
struct Chunk {
    parts: Vec<u8>,
    rows: Samples,
    sequences: Sequences,
    probabilities: Vec<f64>,
}

fn chunk(world: &AdWorld, schema: &Schema, logs: &[UserLog]) -> Chunk {
    let columns = |count: usize| vec![EventColumn::default(); count];
    let mut chunk = Chunk {
        parts: Vec::new(),
        rows: Samples::default(),
        sequences: Sequences { offsets: vec![0], fields: columns(3) },
        probabilities: Vec::new(),
    };
    let push = |group: &mut Vec<EventColumn>, ids: &[u32]| {
        group.iter_mut().zip(ids).for_each(|(column, &id)| column.ids.push(id));
    };
    let sizes = schema.groups.iter().map(|group| group.fields.len());
    // The first group is the behaviors', whose columns are the sequences'.
    let mut groups: Vec<Vec<EventColumn>> = sizes.map(columns).collect();
    groups[0].clear();
    for log in logs {
        for visit in &log.visits {
            push(&mut chunk.sequences.fields, &good_fields(&visit.good));
        }
        chunk.sequences.offsets.push(chunk.sequences.fields[0].ids.len() as u32);
        for impression in &log.impressions {
            chunk.parts.push(part_of(impression.day()));
            chunk.rows.users.push(log.user.number);
            chunk.rows.history_lengths.push(impression.history);
            chunk.rows.labels.push(u8::from(impression.clicked));
            chunk.probabilities.push(impression.probability);
            push(&mut groups[1], &user_fields(&log.user));
            push(&mut groups[2], &world.candidate_fields(&impression.ad));
            push(&mut groups[3], &[impression.position + 1, impression.hour() + 1]);
        }
    }
    chunk.rows.groups = groups;
    chunk
}

/// Writes the dataset. `users_a_chunk` bounds the memory and cuts the files into row groups; the content
/// does not depend on it.
pub(super) fn write(
    world: &AdWorld,
    options: &SimulateOptions,
    users_a_chunk: u32,
    shards: Option<u32>,
    out: &Path,
) -> Result<Manifest> {
    let schema = world.schema();
    if let Some(shards) = shards {
        check_shards(shards, out)?;
    }
    replace(out, |folder| {
        let mut digest = RowDigest::new(&schema);
        let mut tally = Tally::new(world);
        let all = 0..world.users();
        let mut tables = Tables::new(folder, all.clone(), shards)?;
        write_rows(world, &schema, users_a_chunk, &mut tables, &mut digest, &mut tally)?;
        let (sharding, more) = tables.finish(folder)?;
        write_keys(folder, USERS, ("user_id", all), user_key, &more, |keys| digest.users(keys))?;
        for (vocabulary, known) in schema.vocabularies.iter().enumerate() {
            let name = vocabulary_file("vocabulary", &schema, vocabulary);
            let key = |id: u32| schema::key(vocabulary, id);
            write_keys(folder, &name, ("id", 1..known.size), key, &[], |keys| {
                digest.keys(vocabulary, keys, &[]);
            })?;
        }
        Ok(Manifest {
            simulated: true,
            simulation: Some(Simulation {
                preset: options.preset.clone(),
                scale: options.scale,
                generator_version: GENERATOR_VERSION,
                ceiling: tally.ceiling(),
            }),
            seed: options.seed,
            split_rule: "time".into(),
            history_limit: Some(HISTORY_LIMIT as u32),
            tie_rule: TIE_RULE.into(),
            schema: schema.clone(),
            counts: tally.counts(world),
            content_sha256: digest.finish(),
            shards: sharding,
            ..blank(&ads_dataset_id(options.scale), options.protocol)
        })
    })
}

fn user_key(number: u32) -> String {
    format!("u{number:08}")
}

/// Tables that grow chunk by chunk, of rows and sequences in one file each or in shards.
struct Tables {
    truth: Table,
    rows: Placed,
}

enum Placed {
    Whole(Box<[Table; 2]>),
    Sharded(ShardTables),
}

impl Tables {
    fn new(folder: &Folder, users: std::ops::Range<u32>, shards: Option<u32>) -> Result<Self> {
        let rows = match shards {
            None => Placed::Whole(Box::new([folder.table(ROWS)?, folder.table(SEQUENCES)?])),
            Some(shards) => {
                let keys = users.map(user_key);
                Placed::Sharded(ShardTables::new(folder, keys, shards, true)?)
            }
        };
        Ok(Self { truth: folder.table(TRUTH)?, rows })
    }

    fn append(&mut self, schema: &Schema, chunk: &Chunk, first: u32) -> Result<()> {
        let mut column = |name: &str, _: &Field, values: &EventColumn| -> Column {
            id_column(name, &values.ids)
        };
        let of_sequences = columns_of_sequences(schema, &chunk.sequences, first, &mut column);
        let of_rows = columns_of_rows(schema, &chunk.parts, &chunk.rows, &mut column);
        match &mut self.rows {
            Placed::Whole(tables) => {
                let [rows, sequences] = &mut **tables;
                sequences.append(of_sequences)?;
                rows.append(of_rows)?;
            }
            Placed::Sharded(tables) => {
                let owners = owners(&chunk.sequences, first);
                tables.append(&chunk.parts, &chunk.rows, &of_rows, &owners, &of_sequences)?;
            }
        }
        self.truth.append(vec![column_of_truth(&chunk.probabilities)])
    }

    /// Ends the tables; the shards, and the columns that users get by them.
    fn finish(self, folder: &mut Folder) -> Result<(Option<Sharding>, Vec<Column>)> {
        let placed = match self.rows {
            Placed::Whole(tables) => {
                for table in *tables {
                    folder.close(table)?;
                }
                (None, Vec::new())
            }
            Placed::Sharded(tables) => {
                let (sharding, more) = tables.finish(folder)?;
                (Some(sharding), more)
            }
        };
        folder.close(self.truth)?;
        Ok(placed)
    }
}

fn write_rows(
    world: &AdWorld,
    schema: &Schema,
    users_a_chunk: u32,
    tables: &mut Tables,
    digest: &mut RowDigest,
    tally: &mut Tally,
) -> Result<()> {
    for first in (0..world.users()).step_by(users_a_chunk as usize) {
        let last = (first + users_a_chunk).min(world.users());
        // In any order on any number of threads, and then in the order of users.
        let logs: Vec<UserLog> =
            (first..last).into_par_iter().map(|user| log(world, user)).collect();
        for log in &logs {
            tally.add(world, log.user.number, &log.visits, &log.impressions);
        }
        let chunk = chunk(world, schema, &logs);
        drop(logs);
        digest.rows(&chunk.parts, &chunk.rows, &chunk.sequences);
        tables.append(schema, &chunk, first)?;
    }
    Ok(())
}

/// Writes a table of keys, which are built on the way, and passes them on to be hashed.
fn write_keys(
    folder: &mut Folder,
    file: &str,
    (column, ids): (&str, std::ops::Range<u32>),
    key: impl Fn(u32) -> String,
    more: &[Column],
    mut hash: impl FnMut(&[String]),
) -> Result<()> {
    let mut table = folder.table(file)?;
    for first in ids.clone().step_by(KEYS_A_PIECE as usize) {
        let piece: Vec<u32> = (first..ids.end.min(first.saturating_add(KEYS_A_PIECE))).collect();
        let keys: Vec<String> = piece.iter().map(|&id| key(id)).collect();
        hash(&keys);
        let mut columns = vec![id_column(column, &piece), text_column("key", &keys)];
        let from = (first - ids.start) as i64;
        columns.extend(more.iter().map(|column| column.slice(from, piece.len())));
        table.append(columns)?;
    }
    folder.close(table)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ctr_core::Protocol;

    #[test]
    fn the_size_of_chunks_leaves_no_trace_in_the_content() {
        let options = SimulateOptions {
            preset: "alibaba-sim".into(),
            seed: 5,
            scale: 0.004,
            protocol: Protocol::HeldOut,
        };
        let world = AdWorld::new(options.scale, options.seed).unwrap();
        let place = tempfile::tempdir().unwrap();
        let manifests = [7, 100, 4096].map(|users| {
            let out = place.path().join(users.to_string());
            let written = write(&world, &options, users, None, &out).unwrap();
            assert_eq!(crate::open(&out, None).unwrap().id, "alibaba-sim-x0.004");
            Manifest { files: Vec::new(), ..written }
        });
        assert_eq!(manifests[0], manifests[1]);
        assert_eq!(manifests[1], manifests[2]);
        // Nor does the number of shards.
        let whole = crate::open(&place.path().join("7"), None).unwrap();
        for shards in [1, 5] {
            let out = place.path().join(format!("in-{shards}"));
            let written = write(&world, &options, 31, Some(shards), &out).unwrap();
            assert_eq!(written.content_sha256, whole.content_sha256);
            assert_eq!(crate::open(&out, None).unwrap(), whole);
        }
    }
}
