//! Zip archives: only listed members, whole and right, within limits.

use super::server::{Reply, Server};
use super::{MD5_OF_RIGHT, fetch, names, refused};
use crate::fetch::archive::{LIMITS, Limits, extract};
use ctr_dataset_prep::Member;
use std::io::{Cursor, Write};
use std::path::Path;
use zip::write::{SimpleFileOptions, ZipWriter};

fn zipped(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in members {
        writer.start_file(*name, SimpleFileOptions::default()).unwrap();
        writer.write_all(content).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

pub fn write_zip(path: &Path, members: &[(&str, &[u8])]) {
    std::fs::write(path, zipped(members)).unwrap();
}

fn member(path: &str) -> Member {
    toml::from_str(&format!("path = '{path}'")).unwrap()
}

/// Extracts and expects a refusal that leaves nothing.
fn not_extracted(archive: &[u8], members: &[Member], limits: Limits, part: &str) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.zip");
    std::fs::write(&path, archive).unwrap();
    let message = format!("{:#}", extract(&path, members, folder.path(), limits).unwrap_err());
    assert!(message.contains(part), "{part:?} is not in {message}");
    assert_eq!(names(folder.path()), ["a.zip"]);
}

#[test]
fn listed_members_are_placed_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let archive = zipped(&[
        ("m/ratings.csv", b"right"),
        ("m/README.txt", b"no"),
        ("../evil.csv", b"evil"),
        ("/etc/evil.csv", b"evil"),
        ("m/deep/tags.csv", b"tags"),
    ]);
    let server = Server::new(move |request, _| Reply::honest(request, &archive));
    let sources = format!(
        "[[sources]]\nurls = ['{}']\nmembers = [{{ path = 'm/ratings.csv', md5 = '{MD5_OF_RIGHT}' }}, \
         {{ path = 'tags.csv', name = 'labels.csv' }}]",
        server.url("m.zip")
    );
    let raw = folder.path().join("raw");
    fetch(&sources, &raw).unwrap();
    assert_eq!(names(&raw), ["labels.csv", "ratings.csv"]);
    assert_eq!(names(folder.path()), ["raw"]);
    assert_eq!(std::fs::read(raw.join("labels.csv")).unwrap(), b"tags");
    fetch(&sources, &raw).unwrap();
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn a_listed_path_that_leads_outside_is_placed_inside() {
    let folder = tempfile::tempdir().unwrap();
    let raw = folder.path().join("raw");
    std::fs::create_dir(&raw).unwrap();
    write_zip(&folder.path().join("a.zip"), &[("../evil.csv", b"evil")]);
    extract(&folder.path().join("a.zip"), &[member("../evil.csv")], &raw, LIMITS).unwrap();
    assert_eq!(names(&raw), ["evil.csv"]);
    assert_eq!(names(folder.path()), ["a.zip", "raw"]);
}

#[test]
fn an_archive_without_a_member_or_with_a_wrong_one_sends_to_the_next_mirror() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::new(|request, _| {
        let archive = match request.path.as_str() {
            "/lacks" => zipped(&[("m/a.csv", b"right")]),
            "/wrong" => zipped(&[("m/a.csv", b"wrong"), ("m/b.csv", b"b")]),
            "/page" => b"<html>log in</html>".to_vec(),
            _ => zipped(&[("m/a.csv", b"right"), ("m/b.csv", b"b")]),
        };
        Reply::honest(request, &archive)
    });
    let sources = |last: &str| {
        format!(
            "[[sources]]\nname = 'm.zip'\nurls = ['{0}/lacks', '{0}/wrong', '{0}/{last}']\n\
             members = [{{ path = 'm/a.csv', md5 = '{MD5_OF_RIGHT}' }}, {{ path = 'm/b.csv' }}]",
            server.address
        )
    };
    let parts =
        ["no member \"m/b.csv\"", "m/a.csv\" of the archive: expected MD5", "not a whole zip"];
    refused(&sources("page"), folder.path(), &parts);
    assert!(names(folder.path()).is_empty(), "{:?}", names(folder.path()));
    fetch(&sources("good"), folder.path()).unwrap();
    assert_eq!(names(folder.path()), ["a.csv", "b.csv"]);
}

#[test]
fn an_archive_that_the_user_placed_is_unpacked_and_kept() {
    let folder = tempfile::tempdir().unwrap();
    write_zip(&folder.path().join("m.zip"), &[("m/a.csv", b"right")]);
    let sources =
        "[[sources]]\nurls = ['http://127.0.0.1:9/m.zip']\nmembers = [{ path = 'm/a.csv' }]";
    fetch(sources, folder.path()).unwrap();
    assert_eq!(names(folder.path()), ["a.csv", "m.zip"]);
    std::fs::write(folder.path().join("m.zip"), "half").unwrap();
    std::fs::remove_file(folder.path().join("a.csv")).unwrap();
    refused(sources, folder.path(), &["m.zip: not a whole zip archive"]);
    assert_eq!(names(folder.path()), ["m.zip"]);
}

#[test]
fn members_that_would_fill_the_disk_are_refused() {
    // Deflate makes at most 1032 bytes out of one.
    let bomb = zipped(&[("a.csv", &vec![0; 101 << 20])]);
    not_extracted(&bomb, &[member("a.csv")], LIMITS, "zip bomb");
    let limits = Limits { bytes: 4, ..LIMITS };
    not_extracted(
        &zipped(&[("a.csv", b"right")]),
        &[member("a.csv")],
        limits,
        "5 bytes are refused",
    );
}

#[test]
fn a_member_that_is_not_what_the_archive_says_is_refused() {
    let content: Vec<u8> = (0..9000_u32).flat_map(u32::to_le_bytes).collect();
    let good = zipped(&[("a.csv", &content)]);
    // The checksum and the size stand in the local header and again in the central directory.
    let central = good.windows(4).rposition(|bytes| bytes == b"PK\x01\x02").unwrap();
    for (place, part) in [(16, "damaged"), (24, "the archive declares")] {
        let mut bad = good.clone();
        bad[central + place] ^= 1;
        not_extracted(&bad, &[member("a.csv")], LIMITS, part);
    }
    not_extracted(&good[..good.len() / 2], &[member("a.csv")], LIMITS, "not a whole zip");
}

#[test]
fn a_name_without_folders_must_be_in_one_folder_only() {
    let twice = zipped(&[("m/a.csv", b"1"), ("n/a.csv", b"2")]);
    not_extracted(&twice, &[member("a.csv")], LIMITS, "no member \"a.csv\"");
    let once = zipped(&[("m/n/a.csv", b"1")]);
    not_extracted(&once, &[member("n/a.csv")], LIMITS, "no member \"n/a.csv\"");
}
