//! Fetching from a server that behaves and from several that do not.

mod archives;
mod downloads;
#[path = "../../../tests/common/server.rs"]
#[allow(dead_code)] // shared with the tests of the program
mod server;

use super::fetch_with;
use crate::progress::Progress;
use anyhow::Result;
use ctr_dataset_prep::KnownDataset;
use std::path::{Path, PathBuf};

/// MD5 of `right`.
const MD5_OF_RIGHT: &str = "7c4f29407893c334a6cb7a87bf045c0d";

/// A dataset with these `[[sources]]`.
fn dataset(sources: &str) -> KnownDataset {
    let head = "id = 'some'\ntitle = 'Some'\nkind = 'tables'\nfolder = 'some'\nlicense = 'none'\n";
    toml::from_str(&format!("{head}{sources}")).unwrap()
}

fn fetch(sources: &str, folder: &Path) -> Result<Vec<PathBuf>> {
    fetch_with(&dataset(sources), folder, &Progress::new(true), &[])
}

/// Expects an error that contains all of `parts`.
fn refused(sources: &str, folder: &Path, parts: &[&str]) {
    let message = format!("{:#}", fetch(sources, folder).unwrap_err());
    for part in parts {
        assert!(message.contains(part), "{part:?} is not in {message}");
    }
}

/// The names in a folder, sorted.
fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn the_next_alternative_is_taken_when_one_fails() {
    let folder = tempfile::tempdir().unwrap();
    let server = server::Server::new(|request, _| match request.path.as_str() {
        "/a" | "/c" => server::Reply::whole(b"right"),
        _ => server::Reply::error("404 Not Found"),
    });
    let sources = format!(
        "[[sources]]\nalternative = 'one'\nurls = ['{0}/a']\n\
         [[sources]]\nalternative = 'one'\nurls = ['{0}/b']\n\
         [[sources]]\nalternative = 'two'\nurls = ['{0}/c']\n",
        server.address
    );
    assert_eq!(fetch(&sources, folder.path()).unwrap(), [folder.path().join("c")]);
    // Nothing is asked for again: one alternative is there.
    fetch(&sources, folder.path()).unwrap();
    assert_eq!(server.requests().len(), 3);
}

#[test]
fn what_only_a_person_can_get_is_named_once_and_checked_when_it_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let sources = "[[sources]]\nname = 'a.csv'\npage = 'https://a.org/data'\n\
                   [[sources]]\nname = 'b.csv'\npage = 'https://a.org/data'\nbytes = 5\n";
    let place = format!("place these files in {}", folder.path().display());
    refused(sources, folder.path(), &["a.csv, b.csv: to be had by hand", "a.org/data", &place]);
    std::fs::write(folder.path().join("a.csv"), "anything").unwrap();
    refused(sources, folder.path(), &["  b.csv: to be had by hand"]);
    std::fs::write(folder.path().join("b.csv"), "wrong").unwrap();
    assert_eq!(fetch(sources, folder.path()).unwrap().len(), 2);
    std::fs::write(folder.path().join("b.csv"), "larger").unwrap();
    refused(sources, folder.path(), &["b.csv is there", "expected 5 bytes, found 6"]);
}

#[test]
fn a_folder_is_fetched_into_by_one_program_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let lock = ctr_core::FileLock::wait_for_folder(folder.path(), || panic!("nobody is there"));
    assert!(lock.is_some());
    std::thread::scope(|scope| {
        let second =
            scope.spawn(|| fetch("[[sources]]\nname = 'a'\npage = 'a.org'", folder.path()));
        std::thread::sleep(std::time::Duration::from_millis(100));
        assert!(!second.is_finished(), "it did not wait");
        drop(lock);
        assert!(second.join().unwrap().is_err());
    });
}

#[test]
fn an_entry_with_a_path_for_a_name_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let sources = "[[sources]]\nname = '../x'\nurls = ['http://127.0.0.1/x']";
    refused(sources, folder.path(), &["\"../x\" is no plain file name"]);
    refused("", folder.path(), &["din-repro simulate"]);
}

#[cfg(unix)]
mod pip {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn script(folder: &Path, name: &str, text: &str) -> String {
        let path = folder.join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path.to_str().unwrap().to_string()
    }

    const SOURCES: &str =
        "[[sources]]\npackage = 'p==1.0'\nmembers = [{ path = 'p/x.inter', bytes = 5 }]";

    #[test]
    fn the_first_pip_that_works_brings_a_wheel() {
        let desk = tempfile::tempdir().unwrap();
        let folder = desk.path().join("raw");
        archives::write_zip(&desk.path().join("made"), &[("p/x.inter", b"right")]);
        let broken = script(desk.path(), "broken", "exit 127");
        let good = script(
            desk.path(),
            "pip",
            "[ \"$1\" = --version ] && exit\n\
             while [ \"$1\" != --dest ]; do shift; done\n\
             [ \"$3\" = p==1.0 ] && cp \"$(dirname \"$0\")/made\" \"$2/p-1.0-py3-none-any.whl\"",
        );
        let programs: [&[&str]; 3] = [&["/no/such/pip"], &[&broken], &[&good]];
        let paths =
            fetch_with(&dataset(SOURCES), &folder, &Progress::new(true), &programs).unwrap();
        assert_eq!(std::fs::read(&paths[0]).unwrap(), b"right");
        assert_eq!(names(&folder), ["x.inter"]);
    }

    #[test]
    fn what_pip_says_is_told() {
        let desk = tempfile::tempdir().unwrap();
        let folder = desk.path().join("raw");
        let bad = script(
            desk.path(),
            "pip",
            "[ \"$1\" = --version ] && exit\necho 'ERROR: no such version' >&2\nexit 1",
        );
        let message = |programs: &[&[&str]]| {
            let progress = Progress::new(true);
            format!(
                "{:#}",
                fetch_with(&dataset(SOURCES), &folder, &progress, programs).unwrap_err()
            )
        };
        let told = message(&[&[&bad]]);
        assert!(told.contains("ERROR: no such version") && told.contains("p==1.0"), "{told}");
        let told = message(&[&["/no/such/pip", "-m"]]);
        assert!(told.contains("none of /no/such/pip -m runs; install Python"), "{told}");
        assert!(names(&folder).is_empty());
    }
}
