//! How long data preparation takes, in events a second: simulating, reading tables, reading the
//! authors' pair, opening what was prepared.
#![allow(missing_docs, clippy::unwrap_used, reason = "a bench may fail loudly")]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use ctr_core::{Dataset, Protocol};
use ctr_dataset_prep::{PrepOptions, SimulateOptions, open, prepare, simulate};
use std::fmt::Write;
use std::hint::black_box;
use std::path::Path;

/// The shape of Electronics at about the size of Beauty.
fn options() -> SimulateOptions {
    SimulateOptions {
        preset: "amazon-electronics-sim".into(),
        seed: 1234,
        scale: 0.1,
        protocol: Protocol::HeldOut,
    }
}

/// A raw file: its first line and a line for each event (user, good, time) or item (good, category).
struct File<'a, F> {
    path: &'a Path,
    header: &'a str,
    line: F,
}

/// Writes a dataset's events and items.
fn write_pair(
    dataset: &Dataset,
    events: &File<'_, impl Fn(usize, u32, usize) -> String>,
    items: &File<'_, impl Fn(u32, u32) -> String>,
) {
    let (mut event_text, mut item_text) = (events.header.to_string(), items.header.to_string());
    let (goods, categories) = (&dataset.sequences.fields[0].ids, &dataset.sequences.fields[1].ids);
    let mut written = vec![false; dataset.schema.vocabularies[0].size as usize];
    for (user, pair) in dataset.sequences.offsets.windows(2).enumerate() {
        for (time, place) in (pair[0] as usize..pair[1] as usize).enumerate() {
            writeln!(event_text, "{}", (events.line)(user, goods[place], time)).unwrap();
            if !std::mem::replace(&mut written[goods[place] as usize], true) {
                writeln!(item_text, "{}", (items.line)(goods[place], categories[place])).unwrap();
            }
        }
    }
    std::fs::write(events.path, event_text).unwrap();
    std::fs::write(items.path, item_text).unwrap();
}

fn prep(criterion: &mut Criterion) {
    let prepared = simulate(&options()).unwrap();
    let dataset = prepared.dataset(Protocol::HeldOut).unwrap();
    let events = prepared.manifest().counts["samples"];
    let folder = tempfile::tempdir().unwrap();
    let (tables, authors, out) =
        (folder.path().join("tables"), folder.path().join("authors"), folder.path().join("out"));
    std::fs::create_dir(&tables).unwrap();
    std::fs::create_dir(&authors).unwrap();
    write_pair(
        &dataset,
        &File {
            path: &tables.join("interactions.tsv"),
            header: "user\titem\torder\n",
            line: |user, good, time| format!("u{user}\tg{good}\t{time}"),
        },
        &File {
            path: &tables.join("items.tsv"),
            header: "item\tcate\n",
            line: |good, category| format!("g{good}\tc{category}"),
        },
    );
    let text = "It does what it says. ".repeat(20);
    let related = "'B000000001', ".repeat(30);
    write_pair(
        &dataset,
        &File {
            path: &authors.join("reviews_Things_5.json"),
            header: "",
            line: |user, good, time| {
                format!(
                    r#"{{"reviewerID": "A{user}", "asin": "B{good}", "reviewText": "{text}", "unixReviewTime": {time}}}"#
                )
            },
        },
        &File {
            path: &authors.join("meta_Things.json"),
            header: "",
            line: |good, category| {
                format!(
                    "{{'asin': 'B{good}', 'title': \"It's\", 'related': {{'also_bought': [{related}]}}, 'categories': [['All', 'c{category}']]}}"
                )
            },
        },
    );
    prepared.write(&out).unwrap();

    let mut group = criterion.benchmark_group("prep");
    group.throughput(Throughput::Elements(events)).sample_size(10);
    group.bench_function("simulate/electronics-0.1", |bencher| {
        bencher.iter(|| simulate(black_box(&options())).unwrap());
    });
    for (name, raw) in [("tables", &tables), ("authors", &authors)] {
        let options = PrepOptions::new("custom", raw, Protocol::HeldOut);
        group.bench_function(format!("{name}/electronics-0.1"), |bencher| {
            bencher.iter(|| prepare(black_box(&options)).unwrap());
        });
    }
    group.bench_function("open/electronics-0.1", |bencher| {
        bencher.iter(|| open(black_box(&out), None).unwrap());
    });
    group.finish();
}

criterion_group!(benches, prep);
criterion_main!(benches);
