//! A dataset in shards is the dataset, whether it was prepared at once or in parts.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test may fail loudly"
)]

mod common;

use common::{Place, ThreadReader, authors, survives_shards, tables};
use ctr_core::{Dataset, OneReader, Protocol, TrainShards, sha256_number};
use ctr_dataset_prep::{
    Partition, PrepOptions, Prepared, SimulateOptions, Statistics, merge_parts, open,
    open_streamed, prepare, prepare_part, read_manifest, simulate,
};
use std::path::Path;
use std::sync::{Barrier, Mutex};

const PROTOCOLS: [Protocol; 2] = [Protocol::HeldOut, Protocol::Authors];

fn tiny() -> Prepared {
    let options =
        SimulateOptions { preset: "tiny".into(), seed: 7, scale: 0.5, protocol: Protocol::HeldOut };
    simulate(&options).unwrap()
}

/// All files of a folder by name.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut all: Vec<(String, Vec<u8>)> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| {
            (entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap())
        })
        .collect();
    all.sort();
    all
}

/// Label, history and candidate of every training row, by their categories too.
fn training_rows(dataset: &Dataset) -> Vec<(u32, u8, Vec<u32>, Vec<u32>)> {
    let samples = &dataset.train;
    (0..samples.rows())
        .map(|row| {
            let from = dataset.sequences.offsets[samples.sequence(row) as usize] as usize;
            let to = from + samples.history_lengths[row] as usize;
            let history =
                dataset.sequences.fields.iter().flat_map(|field| field.ids[from..to].to_vec());
            let candidate = samples.groups[1].iter().map(|field| field.ids[row]);
            (samples.users[row], samples.labels[row], history.collect(), candidate.collect())
        })
        .collect()
}

#[test]
fn opened_as_a_whole_it_is_what_it_was() {
    let prepared = tiny();
    let folder = tempfile::tempdir().unwrap();
    for shards in [1, 4, 700] {
        let out = folder.path().join(format!("{shards}"));
        let manifest = prepared.write_sharded(&out, shards).unwrap();
        assert_eq!(manifest, read_manifest(&out).unwrap());
        assert_eq!(manifest.content_sha256, prepared.manifest().content_sha256);
        assert_eq!(manifest.files.len(), shards as usize + 3);
        for protocol in PROTOCOLS {
            let whole = open(&out, Some(protocol)).unwrap();
            assert_eq!(whole, prepared.dataset(protocol).unwrap(), "{shards}");
        }
    }
    for shards in [0, 70_000] {
        let message = prepared.write_sharded(&folder.path().join("x"), shards).unwrap_err();
        assert!(message.to_string().contains("choose 1 to 65536"), "{message}");
    }
    // Another rule is another program's.
    let path = folder.path().join("4/manifest.json");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("SHA-256 of a user's key", "MD5 of a user's key")).unwrap();
    let message = open(&folder.path().join("4"), None).unwrap_err().to_string();
    assert!(message.contains("a rule that this program does not know"), "{message}");
    // A folder without shards has a manifest as before.
    let out = folder.path().join("plain");
    prepared.write(&out).unwrap();
    let text = std::fs::read_to_string(out.join("manifest.json")).unwrap();
    assert!(!text.contains("shards"), "{text}");
}

#[test]
fn events_survive_shards() {
    survives_shards(&tiny());
    survives_shards(&tables().prepare().unwrap());
}

#[test]
fn streamed_it_has_the_same_rows_in_shards_and_the_others_in_memory() {
    let prepared = tiny();
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let manifest = prepared.write_sharded(&out, 5).unwrap();
    let keys: Vec<String> = (0..300).map(|user| format!("u{user:08}")).collect();
    for protocol in PROTOCOLS {
        let whole = prepared.dataset(protocol).unwrap();
        let (held, shards) = open_streamed(&out, Some(protocol), &OneReader).unwrap();
        assert_eq!((&held.validation, &held.test), (&whole.validation, &whole.test));
        assert_eq!(held.sequences, whole.sequences);
        assert_eq!((held.train.rows(), &held.statistics), (0, &whole.statistics));
        assert_eq!(held.content_sha256, whole.content_sha256);
        assert_eq!(manifest.shards.as_ref().unwrap().train_rows(protocol), shards.rows());

        // The order tells where each row of the whole lies.
        let rows: Vec<_> =
            (0..5).map(|shard| training_rows(&shards.load(&[shard]).unwrap())).collect();
        let mut next = [0; 5];
        let mut merged = Vec::new();
        for run in shards.order().unwrap() {
            let (shard, count) = (run.shard as usize, run.rows as usize);
            merged.extend_from_slice(&rows[shard][next[shard]..next[shard] + count]);
            next[shard] += count;
        }
        assert_eq!(merged, training_rows(&whole));
        for (shard, rows) in rows.iter().enumerate() {
            assert_eq!(rows.len() as u64, shards.rows()[shard]);
            // The documented rule.
            let own = |user: u32| sha256_number(&keys[user as usize]) % 5 == shard as u64;
            assert!(rows.iter().all(|(user, ..)| own(*user)));
        }
        // Several at once stand one after the other, in the order asked for.
        let both = training_rows(&shards.load(&[3, 1]).unwrap());
        assert_eq!(both, [rows[3].clone(), rows[1].clone()].concat());
        assert_eq!(shards.load(&[]).unwrap().train.rows(), 0);
    }
}

fn partition(index: u32, of: u32) -> Partition {
    Partition { index, of }
}

#[test]
fn parts_merged_are_byte_for_byte_what_one_process_prepares() {
    for place in [tables(), authors()] {
        for (of, protocol) in
            [(1, Protocol::HeldOut), (3, Protocol::Authors), (20, Protocol::HeldOut)]
        {
            let options = PrepOptions { protocol, seed: 99, ..place.options() };
            let parts = place.out().join("parts");
            let mut events = 0;
            // In any order, as tasks of an array end.
            for index in (0..of).rev() {
                let part = prepare_part(&options, partition(index, of), &parts).unwrap();
                assert_eq!((part.events_read, part.items_read), (14, 7));
                events += part.events;
            }
            assert_eq!(events, 14);
            let [merged, at_once] = ["merged", "at-once"].map(|name| place.out().join(name));
            let result = merge_parts(&options, &parts, &merged).unwrap();
            let prepared = prepare(&options).unwrap();
            prepared.write_sharded(&at_once, of).unwrap();
            assert_eq!(files(&merged), files(&at_once), "{of}");
            assert_eq!(result.statistics, prepared.statistics().unwrap());
            assert_eq!(open(&merged, None).unwrap(), prepared.dataset(protocol).unwrap());
            let expected = [("authors_train_rows", 12), ("users", 5), ("samples", 15)]
                .map(|(name, count)| (name.to_string(), count));
            let expected = expected.into();
            assert_eq!(result.checks(&expected), prepared.checks(&expected).unwrap());
            // A second time, over what is there.
            prepare_part(&options, partition(0, of), &parts).unwrap();
            merge_parts(&options, &parts, &merged).unwrap();
            assert_eq!(files(&merged), files(&at_once));
            std::fs::remove_dir_all(&parts).unwrap();
        }
    }
}

/// Three parts of the small tables.
fn parts_of(place: &Place) -> std::path::PathBuf {
    let parts = place.out().join("parts");
    for index in 0..3 {
        prepare_part(&place.options(), partition(index, 3), &parts).unwrap();
    }
    parts
}

#[test]
fn parts_that_do_not_make_a_whole_are_told_apart() {
    let place = tables();
    let parts = parts_of(&place);
    let out = place.out().join("merged");
    let refused = |options: &PrepOptions, expected: &[&str]| {
        let message = merge_parts(options, &parts, &out).unwrap_err().to_string();
        assert!(expected.iter().all(|part| message.contains(part)), "{message}");
        assert!(!out.exists());
    };
    let options = place.options();
    let again = |change: &dyn Fn(&mut PrepOptions), place: &Place| {
        let mut options = place.options();
        change(&mut options);
        prepare_part(&options, partition(1, 3), &parts).unwrap();
    };
    let missing = parts.join("part-00001-of-00003");
    std::fs::remove_dir_all(&missing).unwrap();
    refused(&options, &["2 of 3 parts are there, without 1/3", "--partition"]);
    again(&|options| options.seed = 5, &place);
    refused(&options, &["the seed of part-00001-of-00003 is 5 and not 1234", "--seed"]);
    again(&|options| options.protocol = Protocol::HeldOut, &place);
    refused(&options, &["the protocol of part-00001-of-00003 is held-out and not authors"]);
    let other = tables();
    let mut raw = std::fs::read(other.raw().join("interactions.tsv")).unwrap();
    raw.extend_from_slice(b"zoe\tink\t3\n");
    other.put("interactions.tsv", &raw);
    again(&|_| (), &other);
    refused(&options, &["interactions.tsv with SHA-256", "from the same raw files"]);
    again(&|_| (), &place);
    prepare_part(&options, partition(0, 4), &parts).unwrap();
    refused(&options, &["parts of 3 and of 4"]);
    std::fs::remove_dir_all(parts.join("part-00000-of-00004")).unwrap();
    let named = PrepOptions { id: "amazon-beauty".into(), ..options.clone() };
    refused(&named, &["the dataset of part-00000-of-00003 is custom and not amazon-beauty"]);
    // A damaged file of a part.
    let path = parts.join("part-00002-of-00003/events.parquet");
    let sound = std::fs::read(&path).unwrap();
    std::fs::write(&path, &sound[1..]).unwrap();
    refused(&options, &["part-00002-of-00003", "events.parquet", "part.json says", "again"]);
    std::fs::remove_file(&path).unwrap();
    refused(&options, &["events.parquet", "cannot read"]);
    std::fs::write(&path, &sound).unwrap();
    merge_parts(&options, &parts, &out).unwrap();
    let message = merge_parts(&options, &place.raw(), &out).unwrap_err().to_string();
    assert!(message.contains("no parts") && message.contains("--partition I/N"), "{message}");
}

#[test]
fn raw_files_are_refused_by_a_part_as_by_the_whole() {
    // The item without a category is bob's; only his part knows, and tells the line as it stands in the file.
    let place = tables();
    place.put("items.tsv", b"item\tcate\ntea\tk\nmug\tk\ncup\tk\nink\to\nlamp\th\ndesk\tf\n");
    place.put("interactions.tsv", b"user\titem\torder\nann\tink\t1\nbob\tink\t1\nbob\tpen\t2\n");
    let whole = prepare(&place.options()).unwrap_err().to_string();
    assert!(whole.contains("line 4, field item"), "{whole}");
    let parts = place.out().join("parts");
    let refusals: Vec<String> = (0..8)
        .filter_map(|index| prepare_part(&place.options(), partition(index, 8), &parts).err())
        .map(|error| error.to_string())
        .collect();
    assert_eq!(refusals, [whole]);
    // Nobody is left to draw a negative from: only the whole knows.
    let place = Place::with(&[
        (
            "interactions.tsv",
            b"user\titem\torder\nann\tink\t1\nann\ttea\t2\nbob\ttea\t2\n".to_vec(),
        ),
        ("items.tsv", b"item\tcate\nink\to\ntea\tk\n".to_vec()),
    ]);
    let parts = place.out().join("parts");
    prepare_part(&place.options(), partition(0, 1), &parts).unwrap();
    let message = merge_parts(&place.options(), &parts, &place.out().join("x")).unwrap_err();
    assert!(message.to_string().contains("user \"ann\" has events with all 2 goods"), "{message}");
    // A file without events has no parts either.
    let place = Place::with(&[
        ("interactions.tsv", b"user\titem\torder\n".to_vec()),
        ("items.tsv", b"item\tcate\nink\to\n".to_vec()),
    ]);
    let parts = place.out().join("parts");
    let message = prepare_part(&place.options(), partition(0, 2), &parts).unwrap_err();
    assert!(message.to_string().contains("no rows"), "{message}");
}

#[test]
fn what_has_no_shards_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("plain");
    tiny().write(&out).unwrap();
    let message = open_streamed(&out, None, &OneReader).unwrap_err().to_string();
    assert!(message.contains("not in shards") && message.contains("--shards N"), "{message}");
    let rows = Place::with(&[
        ("log.csv", b"user_id,item,click\na,x,1\na,y,0\nb,x,0\nb,y,1\n".to_vec()),
        (
            "dataset.toml",
            b"rows = ['log.csv']\nuser = 'user_id'\nlabel = 'click'\ncandidate = ['item']\nsplit = 'users'\n"
                .to_vec(),
        ),
    ]);
    let message =
        prepare_part(&rows.options(), partition(0, 2), &rows.out()).unwrap_err().to_string();
    assert!(message.contains("not prepared in parts yet"), "{message}");
}

#[test]
fn a_damaged_or_missing_shard_is_named_with_its_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    tiny().write_sharded(&out, 3).unwrap();
    let (_, shards) = open_streamed(&out, None, &OneReader).unwrap();
    let path = out.join("interactions-00001-of-00003.parquet");
    let sound = std::fs::read(&path).unwrap();
    let mut damaged = sound.clone();
    damaged[40] ^= 1;
    let all = |expected: &str| {
        for message in [
            shards.load(&[0, 1]).unwrap_err().to_string(),
            open_streamed(&out, None, &OneReader).unwrap_err().to_string(),
            open(&out, None).unwrap_err().to_string(),
        ] {
            assert!(message.contains("interactions-00001-of-00003.parquet"), "{message}");
            assert!(message.contains(expected), "{message}");
        }
        assert!(shards.load(&[0, 2]).is_ok(), "the others are sound");
    };
    std::fs::write(&path, &damaged).unwrap();
    all("prepare the dataset again");
    std::fs::write(&path, &sound[..sound.len() - 1]).unwrap();
    all("truncated?");
    std::fs::remove_file(&path).unwrap();
    all("cannot read");
    std::fs::write(&path, &sound).unwrap();
    assert_eq!(Statistics::of(&open(&out, None).unwrap()).users, 300);
}

#[test]
fn processes_that_open_other_data_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    tiny().write_sharded(&out, 3).unwrap();
    let (brought, meeting) = ([Mutex::default(), Mutex::default()], Barrier::new(2));
    let open = |number: usize| {
        let reader = ThreadReader { number, brought: &brought, meeting: &meeting };
        open_streamed(&out, Some(PROTOCOLS[number]), &reader).unwrap_err().to_string()
    };
    std::thread::scope(|scope| {
        let open = &open;
        for thread in [0, 1].map(|number| scope.spawn(move || open(number))) {
            let message = thread.join().unwrap();
            assert!(message.contains("another process has opened other data"), "{message}");
        }
    });
}
