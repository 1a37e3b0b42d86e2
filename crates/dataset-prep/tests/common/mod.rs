//! Small raw folders, in every form that is accepted.
#![allow(dead_code)]

use ctr_core::{
    Batch, Dataset, OneReader, Part, Protocol, Samples, ShardError, ShardReaders, Split,
    TrainShards,
};
use ctr_dataset_prep::{PrepOptions, Prepared, Result, StoredShards, open, open_streamed, prepare};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Barrier, Mutex};

/// User, item and time in the order of the file. Times repeat within users.
pub const EVENTS: [(&str, &str, i64); 14] = [
    ("ann", "lamp", 30),
    ("bob", "pen", 5),
    ("ann", "ink", 10),
    ("ann", "pen", 10),
    ("bob", "lamp", 9),
    ("cat", "mug", 1),
    ("ann", "mug", 20),
    ("dan", "ink", 100),
    ("dan", "tea", 50),
    ("dan", "pen", 70),
    ("eve", "tea", 2),
    ("eve", "cup", 2),
    ("eve", "lamp", 2),
    ("eve", "ink", 1),
];

/// Item and category; the last one has no events.
pub const ITEMS: [(&str, &str); 7] = [
    ("tea", "kitchen"),
    ("mug", "kitchen"),
    ("cup", "kitchen"),
    ("pen", "office"),
    ("ink", "office"),
    ("lamp", "home"),
    ("desk", "furniture"),
];

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), Default::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A folder `raw` with the given files, and beside it the place for the output.
pub struct Place {
    root: tempfile::TempDir,
}

impl Place {
    pub fn with(files: &[(&str, Vec<u8>)]) -> Self {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("raw")).unwrap();
        let place = Self { root };
        for (name, bytes) in files {
            place.put(name, bytes);
        }
        place
    }

    pub fn put(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.raw().join(name), bytes).unwrap();
    }

    pub fn raw(&self) -> PathBuf {
        self.root.path().join("raw")
    }

    pub fn out(&self) -> PathBuf {
        self.root.path().join("out")
    }

    /// Names of everything beside the raw folder.
    pub fn others(&self) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(self.root.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name != "raw")
            .collect();
        names.sort();
        names
    }

    pub fn options(&self) -> PrepOptions {
        PrepOptions::new("custom", &self.raw(), Protocol::Authors)
    }

    pub fn prepare(&self) -> Result<Prepared> {
        prepare(&self.options())
    }

    /// Prepares and writes, as the program does.
    pub fn run(&self) -> Result<()> {
        self.prepare()?.write(&self.out())
    }

    /// Expects an error, nothing written, and returns the message.
    pub fn refused(&self) -> String {
        let message = self.run().unwrap_err().to_string();
        assert_eq!(self.others(), Vec::<String>::new(), "left behind after: {message}");
        message
    }
}

pub fn interactions(events: &[(&str, &str, i64)], separator: char) -> Vec<u8> {
    let mut text = ["user", "item", "timestamp"].join(&separator.to_string());
    for (user, item, time) in events {
        text.push_str(&format!("\n{user}{separator}{item}{separator}{time}"));
    }
    text.push('\n');
    text.into_bytes()
}

pub fn items(items: &[(&str, &str)], separator: char) -> Vec<u8> {
    let mut text = format!("item{separator}cate{separator}attrs");
    for (item, category) in items {
        text.push_str(&format!("\n{item}{separator}{category}{separator}1 2"));
    }
    text.push('\n');
    text.into_bytes()
}

pub fn reviews(events: &[(&str, &str, i64)]) -> Vec<u8> {
    let lines: Vec<String> = events
        .iter()
        .map(|(user, item, time)| {
            format!(
                r#"{{"reviewerID": "{user}", "asin": "{item}", "overall": 4.0, "reviewText": "It's \"ok\"", "unixReviewTime": {time}, "reviewTime": "07 9, 2012"}}"#
            )
        })
        .collect();
    (lines.join("\n") + "\n").into_bytes()
}

pub fn metadata_python(items: &[(&str, &str)]) -> Vec<u8> {
    let lines: Vec<String> = items
        .iter()
        .map(|(item, category)| {
            format!(
                "{{'asin': '{item}', 'title': \"It's\", 'price': 3.5, 'categories': [['All', 'x'], ['All', '{category}']]}}"
            )
        })
        .collect();
    (lines.join("\n") + "\n").into_bytes()
}

pub fn metadata_json(items: &[(&str, &str)]) -> Vec<u8> {
    String::from_utf8(metadata_python(items))
        .unwrap()
        .replace("\"It's\"", "'Its'")
        .replace('\'', "\"")
        .into_bytes()
}

/// The small dataset as a pair of tab-separated tables.
pub fn tables() -> Place {
    Place::with(&[
        ("interactions.tsv", interactions(&EVENTS, '\t')),
        ("items.tsv", items(&ITEMS, '\t')),
    ])
}

/// The small dataset as the authors' pair.
pub fn authors() -> Place {
    Place::with(&[
        ("reviews_Things_5.json", reviews(&EVENTS)),
        ("meta_Things.json", metadata_python(&ITEMS)),
    ])
}

/// Rows of a split as (user, history, candidate, label).
pub fn rows(dataset: &Dataset, samples: &Samples) -> Vec<(u32, Vec<u32>, u32, u8)> {
    (0..samples.rows())
        .map(|row| {
            let user = samples.users[row];
            let from = dataset.sequences.offsets[user as usize] as usize;
            let to = from + samples.history_lengths[row] as usize;
            let history = dataset.sequences.fields[0].ids[from..to].to_vec();
            (user, history, samples.groups[1][0].ids[row], samples.labels[row])
        })
        .collect()
}

/// The prepared data must be the same in shards: as a whole, and streamed.
pub fn survives_shards(prepared: &Prepared) {
    let folder = tempfile::tempdir().unwrap();
    for count in [1, 3] {
        let out = folder.path().join(format!("{count}"));
        prepared.write_sharded(&out, count).unwrap();
        for protocol in [Protocol::HeldOut, Protocol::Authors] {
            let whole = prepared.dataset(protocol).unwrap();
            assert_eq!(open(&out, Some(protocol)).unwrap(), whole);
            let (held, shards) = open_streamed(&out, Some(protocol), &OneReader).unwrap();
            assert_eq!((held.train.rows(), &held.schema), (0, &whole.schema));
            for split in [Split::Validation, Split::Test] {
                let (one, other) = (held.split(split), whole.split(split));
                assert_eq!((&one.users, &one.labels), (&other.users, &other.labels));
                let rows: Vec<u32> = (0..other.rows() as u32).collect();
                assert_eq!(batch(&held, split, &rows), batch(&whole, split, &rows));
            }
            for readers in [2, 4] {
                for (other, others) in by_readers(&out, protocol, readers) {
                    assert_eq!(other, held);
                    assert_eq!(others.rows(), shards.rows());
                }
            }
            // Shards in any order; their own order tells where each row of the whole lies.
            let backwards: Vec<usize> = (0..count as usize).rev().collect();
            let train = shards.load(&backwards).unwrap();
            let mut next = vec![0; count as usize];
            let mut begin = 0;
            for shard in backwards {
                next[shard] = begin;
                begin += shards.rows()[shard] as u32;
            }
            let mut rows = Vec::new();
            for run in shards.order().unwrap() {
                let place = &mut next[run.shard as usize];
                rows.extend(*place..*place + run.rows);
                *place += run.rows;
            }
            let all: Vec<u32> = (0..whole.train.rows() as u32).collect();
            assert_eq!(batch(&train, Split::Train, &rows), batch(&whole, Split::Train, &all));
            let users = rows.iter().map(|&row| train.train.users[row as usize]);
            assert_eq!(users.collect::<Vec<_>>(), whole.train.users);
        }
    }
}

fn batch(dataset: &Dataset, split: Split, rows: &[u32]) -> Batch {
    let mut batch = Batch::default();
    dataset.fill_batch(split, rows, None, &mut batch);
    batch
}

/// A folder of the public data, or none where it does not lie.
pub fn public_data(name: &str) -> Option<PathBuf> {
    let root = std::env::var_os("CTR_DATA_DIR").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"),
        PathBuf::from,
    );
    let folder = root.join(name);
    if folder.is_dir() {
        return Some(folder);
    }
    println!("skipped: no {name} in CTR_DATA_DIR");
    None
}

/// A process that is a thread and meets the others at each exchange.
pub struct ThreadReader<'m> {
    pub number: usize,
    pub brought: &'m [Mutex<Vec<u8>>],
    pub meeting: &'m Barrier,
}

impl ShardReaders for ThreadReader<'_> {
    fn part(&self) -> Part {
        Part { index: self.number, of: self.brought.len() }
    }

    fn share(&self, mine: &[u8]) -> std::result::Result<Vec<Vec<u8>>, ShardError> {
        *self.brought[self.number].lock().unwrap() = mine.to_vec();
        self.meeting.wait();
        let all = self.brought.iter().map(|bytes| bytes.lock().unwrap().clone()).collect();
        self.meeting.wait();
        Ok(all)
    }
}

/// What several processes have of a dataset, each of which finds only the files of its own shards.
fn by_readers(out: &Path, protocol: Protocol, readers: usize) -> Vec<(Dataset, StoredShards)> {
    let folder = tempfile::tempdir().unwrap();
    let (brought, meeting) =
        ((0..readers).map(|_| Mutex::default()).collect::<Vec<_>>(), Barrier::new(readers));
    std::thread::scope(|scope| {
        let open = |number: usize| {
            let own = folder.path().join(number.to_string());
            std::fs::create_dir(&own).unwrap();
            for entry in std::fs::read_dir(out).unwrap() {
                let entry = entry.unwrap();
                let name = entry.file_name().into_string().unwrap();
                let shard: Option<usize> = name
                    .split('-')
                    .find_map(|part| (part.len() == 5).then(|| part.parse().ok())?);
                if shard.is_none_or(|shard| shard % readers == number) {
                    std::fs::copy(entry.path(), own.join(name)).unwrap();
                }
            }
            let reader = ThreadReader { number, brought: &brought, meeting: &meeting };
            open_streamed(&own, Some(protocol), &reader).unwrap()
        };
        let threads: Vec<_> =
            (0..readers).map(|number| scope.spawn(move || open(number))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}
