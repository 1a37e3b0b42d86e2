//! What all fuzz targets do: an input is some files with a line `----` between them, which are prepared as a
//! dataset. It may be refused, but never with a panic, and what is accepted must pass its own checks under
//! both protocols.

use ctr_core::Protocol;
use ctr_dataset_prep::{PrepOptions, prepare};
use std::cell::RefCell;
use tempfile::TempDir;

thread_local! {
    static FOLDER: RefCell<Option<TempDir>> = const { RefCell::new(None) };
}

/// Prepares `data` as the files `names` of the dataset `id`.
pub fn run(id: &str, names: &[&str], data: &[u8]) {
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
