//! Rows out of shards: in the order of memory where all fit, otherwise each once an epoch, and the same after a stop.

// Helpers outside of test functions may panic too.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

mod common;
#[path = "common/shards.rs"]
mod shards;

use common::{MODELS, dataset, network};
use ctr_core::{
    Batch, Dataset, EventColumn, Part, Protocol, Samples, SeedStreams, Split, Status, TrainShards,
};
use ctr_nn::{Alone, OptimizerConfig, OptimizerKind};
use ctr_train::{
    Feed, Observer, Outcome, RunSpec, Silent, TrainConfig, count_occurrences,
    count_occurrences_in_shards, read_losses, train, train_streamed,
};
use shards::{Fate, Shards};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

fn config() -> TrainConfig {
    TrainConfig {
        batch_size: 16,
        epochs: 3,
        evaluate_every_steps: 0,
        evaluations_per_epoch: 2,
        optimizer: OptimizerConfig {
            kind: OptimizerKind::Adam,
            learning_rate: 0.01,
            ..OptimizerConfig::default()
        },
        ..TrainConfig::default()
    }
}

/// A run's outcome, without times, and its losses.
type Ended = (Vec<ctr_core::CurvePoint>, ctr_train::Chosen, Vec<f64>);

fn ended(outcome: Outcome, directory: &Path) -> Ended {
    match outcome {
        Outcome::Ended { status: Status::Finished, curve, chosen, .. } => {
            (curve, *chosen.unwrap(), read_losses(directory).unwrap())
        }
        other => panic!("{other:?}"),
    }
}

/// Without the rows to learn from, as they are not in memory.
fn held(data: &Dataset) -> Dataset {
    Dataset {
        train: Samples {
            groups: data
                .train
                .groups
                .iter()
                .map(|fields| vec![EventColumn::default(); fields.len()])
                .collect(),
            ..Samples::default()
        },
        ..data.clone()
    }
}

fn streamed(
    directory: &Path,
    model: &str,
    data: &Dataset,
    shards: &Arc<Shards>,
    config: &TrainConfig,
    observer: &dyn Observer,
    stop: &AtomicBool,
) -> ctr_train::Result<Outcome> {
    let spec = RunSpec { run_id: model, config, seed: 5, directory, shared: None, resume: true };
    let shards = Arc::clone(shards) as Arc<dyn TrainShards>;
    train_streamed(&spec, &held(data), shards, network(model, data, 5), observer, stop)
}

fn whole_run(model: &str, data: &Dataset, shards: &Arc<Shards>, config: &TrainConfig) -> Ended {
    let folder = tempfile::tempdir().unwrap();
    let stop = AtomicBool::new(false);
    let outcome = streamed(folder.path(), model, data, shards, config, &Silent, &stop);
    ended(outcome.unwrap(), folder.path())
}

#[test]
fn a_buffer_that_holds_all_rows_gives_the_bits_of_memory() {
    for protocol in [Protocol::HeldOut, Protocol::Authors] {
        let data = dataset(protocol);
        let rows = data.train.rows() as u64;
        for model in MODELS {
            let folder = tempfile::tempdir().unwrap();
            let config = config();
            let spec = RunSpec {
                run_id: model,
                config: &config,
                seed: 5,
                directory: folder.path(),
                shared: None,
                resume: false,
            };
            let stop = AtomicBool::new(false);
            let outcome = train(&spec, &data, network(model, &data, 5), &Silent, &stop).unwrap();
            let memory = ended(outcome, folder.path());
            for (count, buffer) in [(1, rows), (5, rows), (9, 100 * rows)] {
                let config = TrainConfig { shuffle_buffer: buffer, ..config.clone() };
                let shards = Shards::new(&data, count, 1, Fate::Fine);
                assert_eq!(whole_run(model, &data, &shards, &config), memory, "{model} {count}");
                // Read once, whatever the number of epochs.
                assert_eq!(shards.loaded.lock().unwrap().len(), 1);
            }
        }
    }
}

/// A dataset whose rows are told apart by their candidate, which is the row's number plus one.
fn numbered(rows_of_users: &[u32]) -> Dataset {
    let mut data = dataset(Protocol::HeldOut);
    let rows: u32 = rows_of_users.iter().sum();
    let users: Vec<u32> = (0u32..)
        .zip(rows_of_users)
        .flat_map(|(user, &rows)| std::iter::repeat_n(user, rows as usize))
        .collect();
    data.schema = ctr_core::Schema::goods_and_categories(rows, 5);
    let events: Vec<u32> = (0..users.len() as u32).collect();
    data.sequences.offsets =
        (0..=rows_of_users.len()).map(|user| rows_of_users[..user].iter().sum()).collect();
    data.sequences.fields = vec![
        EventColumn::single(events.iter().map(|event| 1 + event).collect()),
        EventColumn::single(events.iter().map(|event| 1 + event % 5).collect()),
    ];
    let lengths = users.iter().map(|&user| rows_of_users[user as usize] / 2).collect();
    data.train = Samples {
        labels: events.iter().map(|row| (row % 2) as u8).collect(),
        history_lengths: lengths,
        sequences: Vec::new(),
        groups: vec![Vec::new(), data.sequences.fields.clone()],
        users,
    };
    data.validation = Samples { groups: held(&data).train.groups, ..Samples::default() };
    data.test = data.validation.clone();
    data.validate().unwrap();
    data
}

/// Rows that a batch has, by their candidates; every row must be as memory has it.
fn rows_of(batch: &Batch, data: &Dataset) -> Vec<u32> {
    let rows: Vec<u32> = batch.groups[1].fields[0].ids.iter().map(|id| id - 1).collect();
    let mut expected = Batch::default();
    data.fill_batch(Split::Train, &rows, None, &mut expected);
    assert_eq!(*batch, expected);
    rows
}

#[test]
fn every_row_comes_once_an_epoch_for_any_buffer_and_any_shards() {
    let mut stream = SeedStreams::new(3).stream("cases");
    let mut draw = |most: u64| 1 + stream.below(most);
    for case in 0..60 {
        let rows_of_users: Vec<u32> = (0..draw(40)).map(|_| draw(30) as u32 - 1).collect();
        let data = numbered(&rows_of_users);
        let rows = data.train.rows() as u64;
        if rows == 0 {
            continue;
        }
        let shards = Shards::new(&data, draw(12) as usize, case, Fate::Fine);
        let largest = *shards.rows.iter().max().unwrap();
        let config = TrainConfig {
            batch_size: draw(50) as usize,
            epochs: 3,
            shuffle_buffer: draw(rows + 5),
            ..TrainConfig::default()
        };
        let feed = |part| {
            let shards = Arc::clone(&shards) as Arc<dyn TrainShards>;
            Feed::streamed(shards, &config, case, part).unwrap()
        };
        let mut whole = feed(Part::WHOLE);
        let of = draw(3) as usize;
        let mut parts: Vec<Feed<'_>> = (0..of).map(|index| feed(Part { index, of })).collect();
        assert_eq!((whole.rows(), whole.steps()), (rows, rows.div_ceil(config.batch_size as u64)));
        let (mut batch, mut own) = (Batch::default(), Batch::default());
        let mut orders = BTreeSet::new();
        for epoch in 0..3 {
            let mut seen = Vec::new();
            for step in 0..whole.steps() {
                let filled = whole.fill(epoch, step, &mut batch).unwrap();
                let last = step + 1 == whole.steps();
                assert!(filled == config.batch_size || last && filled > 0, "{case}");
                let all = rows_of(&batch, &data);
                // Processes that read a part each have every row between them, at its place.
                let mut together = vec![None; if of > 1 { all.len() } else { 0 }];
                for (index, feed) in parts.iter_mut().enumerate().filter(|_| of > 1) {
                    assert_eq!(feed.fill(epoch, step, &mut own).unwrap(), feed.places().len());
                    for (row, &place) in rows_of(&own, &data).iter().zip(feed.places()) {
                        let user = data.train.users[*row as usize] as usize;
                        assert_eq!(shards.of_user[user] % of, index);
                        assert_eq!(together[place as usize].replace(*row), None);
                    }
                }
                assert!(together.iter().zip(&all).all(|(one, row)| *one == Some(*row)), "{case}");
                seen.extend(all);
            }
            orders.insert(seen.clone());
            seen.sort_unstable();
            assert_eq!(seen, (0..rows as u32).collect::<Vec<_>>(), "{case} epoch {epoch}");
        }
        assert!(rows < 20 || orders.len() == 3, "epochs repeat one another");
        drop((whole, parts));
        // Each window holds what the buffer allows, or a single shard.
        for shards_of_window in shards.loaded.lock().unwrap().iter() {
            let held: u64 = shards_of_window.iter().map(|&shard| shards.rows[shard]).sum();
            assert!(held <= config.shuffle_buffer.max(largest), "{case}: {held}");
        }
    }
}

/// Raises the flag after a given step.
struct StopAfter<'f> {
    step: u64,
    stop: &'f AtomicBool,
}

impl Observer for StopAfter<'_> {
    fn stepped(&self, step: u64, _: f64) {
        if step == self.step {
            self.stop.store(true, Ordering::Relaxed);
        }
    }
}

#[test]
fn a_streamed_run_stopped_anywhere_and_continued_ends_with_the_same_bits() {
    let data = dataset(Protocol::HeldOut);
    let rows = data.train.rows() as u64;
    let config = TrainConfig { shuffle_buffer: rows / 4, ..config() };
    let shards = Shards::new(&data, 9, 2, Fate::Fine);
    let per_epoch = rows.div_ceil(16);
    for model in ["base_model", "din_dice", "pnn"] {
        let whole = whole_run(model, &data, &shards, &config);
        // At the beginning, within and at the end of windows and epochs, one step after another.
        for steps in [
            vec![1],
            vec![per_epoch / 3, per_epoch - 1, per_epoch, per_epoch + 1],
            vec![2 * per_epoch + 3],
        ] {
            let folder = tempfile::tempdir().unwrap();
            for &step in &steps {
                let stop = AtomicBool::new(false);
                let observer = StopAfter { step, stop: &stop };
                let outcome =
                    streamed(folder.path(), model, &data, &shards, &config, &observer, &stop);
                assert_eq!(outcome.unwrap(), Outcome::Interrupted { step });
            }
            let stop = AtomicBool::new(false);
            let rest = streamed(folder.path(), model, &data, &shards, &config, &Silent, &stop);
            assert_eq!(ended(rest.unwrap(), folder.path()), whole, "{model} {steps:?}");
        }
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        assert_eq!(pool.install(|| whole_run(model, &data, &shards, &config)), whole);
        let other = Shards::new(&data, 5, 2, Fate::Fine);
        assert_ne!(whole_run(model, &data, &other, &config).2, whole.2, "the order stayed");
    }
}

#[test]
fn occurrences_are_counted_shard_by_shard() {
    let data = dataset(Protocol::Authors);
    for model in ["din", "wide_deep"] {
        let weights = network(model, &data, 1).weights;
        for limit in [None, Some(2)] {
            let whole = count_occurrences(&data, &weights, limit).unwrap();
            let shards = Shards::new(&data, 4, 1, Fate::Fine);
            let counted =
                count_occurrences_in_shards(shards.as_ref(), &weights, limit, &Alone).unwrap();
            assert_eq!(counted.counts(), whole.counts());
            assert!(whole.counts().iter().flatten().any(|&count| count > 1));
        }
    }
}

#[test]
fn what_is_wrong_with_a_shard_reaches_the_user_from_whichever_thread() {
    let data = dataset(Protocol::HeldOut);
    let config = TrainConfig { shuffle_buffer: 10, ..config() };
    let fails = |fate| {
        let shards = Shards::new(&data, 6, 2, fate);
        let folder = tempfile::tempdir().unwrap();
        let stop = AtomicBool::new(false);
        let outcome = streamed(folder.path(), "lr", &data, &shards, &config, &Silent, &stop);
        outcome.unwrap_err().to_string()
    };
    // One of the six is the first window and read by the run itself, the others are read ahead.
    for shard in 0..6 {
        let message = fails(Fate::Damaged(shard));
        assert_eq!(message, "shard-1.parquet: it is damaged; prepare the data again");
    }
    let shards = Shards::new(&data, 6, 2, Fate::Fine);
    let mut feed = Feed::streamed(shards.clone(), &config, 5, Part::WHOLE).unwrap();
    feed.fill(0, 0, &mut Batch::default()).unwrap();
    drop(feed);
    let first = shards.loaded.lock().unwrap()[0][0];
    let message = fails(Fate::Fault((first + 1) % 6));
    assert!(message.contains("a fault") && message.contains("report this"), "{message}");
}

#[test]
fn settings_that_do_not_fit_the_data_are_explained() {
    let data = dataset(Protocol::HeldOut);
    let shards: Arc<dyn TrainShards> = Shards::new(&data, 6, 2, Fate::Fine);
    let message = |config: &TrainConfig| {
        Feed::streamed(Arc::clone(&shards), config, 1, Part::WHOLE).unwrap_err().to_string()
    };
    assert!(message(&TrainConfig::default()).contains("shuffle_buffer is 0"));
    let other = TrainConfig { shuffle_buffer: 9, shards: 5, ..TrainConfig::default() };
    let other = message(&other);
    assert!(other.contains("train.shards is 5, the data has 6"), "{other}");
    let buffered = TrainConfig { shuffle_buffer: 9, ..TrainConfig::default() };
    let memory = Feed::in_memory(&data, &buffered, 1).unwrap_err().to_string();
    assert!(memory.contains("--shards"), "{memory}");
    let lost = TrainConfig { shards: 5, ..TrainConfig::default() };
    assert!(lost.validate().unwrap_err().to_string().contains("without shuffle_buffer"));
    // A configuration without the settings is what it was before there were any.
    let text = serde_json::to_string(&TrainConfig::default()).unwrap();
    assert!(!text.contains("shuffle_buffer") && !text.contains("shards"), "{text}");
}
