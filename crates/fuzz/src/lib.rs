//! What the fuzz targets do. An input may be refused, but never with a panic, and what is accepted must be whole.

use ctr_core::{Protocol, SeedStreams};
use ctr_dataset_prep::{PrepOptions, SimulateOptions, open, prepare, simulate};
use ctr_nn::{Init, NamedTensors, TableSource, Weights, WeightsBuilder};
use std::cell::RefCell;
use std::path::Path;
use tempfile::TempDir;

thread_local! {
    static FOLDER: RefCell<Option<TempDir>> = const { RefCell::new(None) };
}

/// Prepares `data` as the files `names`, with a line `----` between them, of the dataset `id`. What is accepted must
/// pass its own checks under both protocols.
pub fn prepare_as(id: &str, names: &[&str], data: &[u8]) {
    FOLDER.with_borrow_mut(|folder| {
        let folder = folder.get_or_insert_with(|| TempDir::new().expect("a temporary folder"));
        let mut rest = data;
        for name in names {
            let part = match rest.windows(6).position(|bytes| bytes == b"\n----\n") {
                Some(end) => {
                    let part = &rest[..=end];
                    rest = &rest[end + 6..];
                    part
                }
                None => std::mem::take(&mut rest),
            };
            std::fs::write(folder.path().join(name), part).expect("a file in the temporary folder");
        }
        let options = PrepOptions::new(id, folder.path(), Protocol::HeldOut);
        if let Ok(prepared) = prepare(&options) {
            for protocol in [Protocol::HeldOut, Protocol::Authors] {
                if let Err(error) = prepared.dataset(protocol) {
                    panic!("accepted, but {error}");
                }
            }
        }
    });
}

/// A file in a temporary folder of its own, which `fill` has filled when the thread began.
fn with_file(name: &str, data: &[u8], fill: impl FnOnce(&Path), call: impl FnOnce(&Path)) {
    FOLDER.with_borrow_mut(|folder| {
        let folder = folder.get_or_insert_with(|| {
            let folder = TempDir::new().expect("a temporary folder");
            fill(folder.path());
            folder
        });
        std::fs::write(folder.path().join(name), data).expect("a file in the temporary folder");
        call(folder.path());
    });
}

/// Opens a prepared dataset whose manifest is `data`; its other files are as they should be.
pub fn open_with_manifest(data: &[u8]) {
    let fill = |folder: &Path| {
        let options = SimulateOptions {
            preset: "tiny".into(),
            seed: 1,
            scale: 0.1,
            protocol: Protocol::HeldOut,
        };
        let prepared = simulate(&options).expect("a small simulation");
        // The folder is there and empty, which is replaced.
        prepared.write(folder).expect("a prepared dataset");
    };
    with_file("manifest.json", data, fill, |folder| {
        if let Ok(dataset) = open(folder, None) {
            dataset.validate().expect("what was opened is whole");
        }
    });
}

/// Reads a run record.
pub fn read_record(data: &[u8]) {
    with_file(
        "record.json",
        data,
        |_| (),
        |folder| {
            if let Ok(record) = ctr_report::read_record(&folder.join("record.json")) {
                let text = serde_json::to_string(&record).expect("a record is JSON");
                assert!(
                    serde_json::from_str::<ctr_core::RunRecord>(&text).is_ok(),
                    "it comes back"
                );
            }
        },
    );
}

/// Reads a file of tensors into small weights.
pub fn read_checkpoint(data: &[u8]) {
    let mut weights = Weights::default();
    let mut builder = WeightsBuilder::new(&mut weights, SeedStreams::new(1));
    builder.parameter("w", 2, 3, Init::GlorotUniform).expect("a parameter");
    builder.table("t", 4, 2, Init::GlorotUniform, TableSource::Fields(vec![]));
    builder.statistics("s", 3);
    if let Ok(tensors) = NamedTensors::from_bytes(data)
        && weights.import(&tensors).is_ok()
    {
        assert!(weights.export().to_bytes().is_ok(), "it goes back");
    }
}

/// Reads a suite, and all settings that it asks for.
pub fn read_suite(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = ctr_runner::check_suite(text);
    }
}

/// Reads a configuration file of DIN: JSON after a first byte `{`, else TOML.
pub fn read_configuration(data: &[u8]) {
    let name = if data.first() == Some(&b'{') { "c.json" } else { "c.toml" };
    with_file(
        name,
        data,
        |_| (),
        |folder| {
            let _ = ctr_runner::check_configuration(&folder.join(name));
        },
    );
}
