//! `fetch` as a user runs it, without the network.

// Helpers outside of test functions may panic too.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;
#[path = "common/server.rs"]
#[allow(dead_code)] // shared with the unit tests
mod server;

use common::Desk;
use server::{Reply, Server};
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

fn gz(content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

/// The addresses of the catalog, answered by the test: http goes to it as to a proxy, the rest nowhere.
fn fetch(desk: &Desk, proxy: &str, more: &[&str]) -> Command {
    let mut command = desk.command(&["fetch", "amazon-beauty"]);
    command.args(more);
    for name in ["http_proxy", "HTTP_PROXY"] {
        command.env(name, proxy);
    }
    for name in ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"] {
        command.env(name, "http://127.0.0.1:9");
    }
    for name in ["no_proxy", "NO_PROXY"] {
        command.env_remove(name);
    }
    command
}

#[test]
fn a_killed_fetch_is_continued_and_its_curl_is_gone() {
    let desk = Desk::new();
    let packed = gz(&(0..200_000_u32).flat_map(u32::to_le_bytes).collect::<Vec<u8>>());
    let body = packed.clone();
    let server = Server::new(move |request, number| {
        let reply = Reply::honest(request, &body);
        if number == 0 { reply.cut(300_000).claiming(body.len()).held() } else { reply }
    });
    let part = desk.path("datasets/raw/amazon-beauty/reviews_Beauty_5.json.gz.part");
    let mut child = fetch(&desk, &server.address, &[])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    while std::fs::metadata(&part).map_or(0, |metadata| metadata.len()) < 300_000 {
        assert!(child.try_wait().unwrap().is_none(), "ended before it was killed");
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();

    let output = fetch(&desk, &server.address, &["--format", "json"]).output().unwrap();
    assert!(output.status.success(), "{}", common::text(&output.stderr));
    assert_eq!(server.ranges(), [None, Some(300_000), None]);
    let files: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let names = ["reviews_Beauty_5.json.gz", "meta_Beauty.json.gz"];
    for (file, name) in files.as_array().unwrap().iter().zip(names) {
        let path = desk.path(file["path"].as_str().unwrap());
        assert!(path.ends_with(name), "{file}");
        assert_eq!(std::fs::read(path).unwrap(), packed);
        assert_eq!(file["bytes"], packed.len());
        assert_eq!(file["sha256"], ctr_core::sha256_hex(&packed));
    }
    assert!(!part.exists());

    // A result for scripts: nothing else on stdout, nothing at all on stderr when it is to be quiet.
    let output = fetch(&desk, &server.address, &["--quiet"]).output().unwrap();
    assert!(common::text(&output.stdout).contains("meta_Beauty.json.gz  800,"));
    assert!(output.stderr.is_empty());
    assert_eq!(server.requests().len(), 3);
}

#[test]
fn without_network_it_is_said_what_to_place_where() {
    let desk = Desk::new();
    let output = fetch(&desk, "http://127.0.0.1:9", &["--raw", "mine"]).output().unwrap();
    let message = common::text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{message}");
    for part in [
        "place these files in mine/amazon-beauty",
        "reviews_Beauty_5.json.gz",
        "meta_Beauty.json.gz",
        "snap.stanford.edu",
        "terms:",
    ] {
        assert!(message.contains(part), "{part:?} is not in {message}");
    }
    assert!(output.stdout.is_empty());
}

#[test]
fn what_asks_for_a_person_is_not_downloaded() {
    let desk = Desk::new();
    let message = desk.fails(2, &["fetch", "taobao-ad"]);
    for part in ["raw_sample.csv, ad_feature.csv", "by hand", "tianchi.aliyun.com/dataset/56"] {
        assert!(message.contains(part), "{part:?} is not in {message}");
    }
    assert!(desk.fails(2, &["fetch", "tiny"]).contains("din-repro simulate tiny"));
}

#[cfg(unix)]
#[test]
fn a_package_that_is_not_the_one_of_the_catalog_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let desk = Desk::new();
    let script = "#!/bin/sh\n[ \"$1\" = --version ] && exit\nwhile [ \"$1\" != --dest ]; do shift; done\n\
                  echo \"$3\" > asked\nprintf 'not a zip' > \"$2/recbole.whl\"\n";
    desk.write("bin/pip", script);
    std::fs::set_permissions(desk.path("bin/pip"), std::fs::Permissions::from_mode(0o755)).unwrap();
    // No curl is on this path, so the other alternative fails as well.
    let output =
        desk.command(&["fetch", "movielens-100k"]).env("PATH", desk.path("bin")).output().unwrap();
    let message = common::text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{message}");
    for part in ["recbole==1.2.1: not a whole zip", "curl is not installed", "ml-100k/u.data"] {
        assert!(message.contains(part), "{part:?} is not in {message}");
    }
    assert_eq!(std::fs::read_to_string(desk.path("asked")).unwrap().trim(), "recbole==1.2.1");
    assert_eq!(std::fs::read_dir(desk.path("datasets/raw/movielens-100k")).unwrap().count(), 0);
}
