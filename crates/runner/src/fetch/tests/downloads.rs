//! Single files: resuming, mirrors, checks.

use super::server::{Reply, Server};
use super::{MD5_OF_RIGHT, fetch, names, refused};
use std::io::Write;

/// Text in which a piece that is missing or comes twice shows.
fn body() -> Vec<u8> {
    (0..40_000_u32).flat_map(u32::to_le_bytes).collect()
}

fn source(server: &Server) -> String {
    format!("[[sources]]\nurls = ['{}']\n", server.url("data.bin"))
}

#[test]
fn a_file_comes_and_is_not_asked_for_again() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::new(|request, _| Reply::honest(request, &body()));
    for _ in 0..2 {
        let paths = fetch(&source(&server), &folder.path().join("new/raw")).unwrap();
        assert_eq!(std::fs::read(&paths[0]).unwrap(), body());
    }
    assert_eq!(server.ranges(), [None]);
    assert_eq!(names(&folder.path().join("new/raw")), ["data.bin"]);
}

#[test]
fn a_dropped_connection_is_continued() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::new(|request, number| {
        let reply = Reply::honest(request, &body());
        if number < 2 { reply.cut(50_000) } else { reply }
    });
    let paths = fetch(&source(&server), folder.path()).unwrap();
    assert_eq!(server.ranges(), [None, Some(50_000), Some(100_000)]);
    assert_eq!(std::fs::read(&paths[0]).unwrap(), body());
    assert_eq!(names(folder.path()), ["data.bin"]);
}

#[test]
fn what_a_killed_program_left_is_continued() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::new(|request, _| Reply::honest(request, &body()));
    for left in [1000, body().len()] {
        std::fs::write(folder.path().join("data.bin.part"), &body()[..left]).unwrap();
        let paths = fetch(&source(&server), folder.path()).unwrap();
        assert_eq!(server.ranges().last(), Some(&Some(left)));
        assert_eq!(std::fs::read(&paths[0]).unwrap(), body());
        assert_eq!(names(folder.path()), ["data.bin"]);
        std::fs::remove_file(&paths[0]).unwrap();
    }
}

#[test]
fn what_was_left_of_another_file_is_thrown_away() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::new(|request, _| Reply::honest(request, b"right"));
    for left in ["wro", "wrong and longer"] {
        let sources = format!("{}md5 = '{MD5_OF_RIGHT}'\nbytes = 5\n", source(&server));
        std::fs::write(folder.path().join("data.bin.part"), left).unwrap();
        let paths = fetch(&sources, folder.path()).unwrap();
        assert_eq!(std::fs::read(&paths[0]).unwrap(), b"right");
        assert_eq!(server.ranges().last(), Some(&None));
        std::fs::remove_file(&paths[0]).unwrap();
    }
}

#[test]
fn a_server_that_cannot_continue_begins_anew() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::new(|_, number| {
        let reply = Reply::whole(&body());
        if number == 0 { reply.cut(50_000) } else { reply }
    });
    let paths = fetch(&source(&server), folder.path()).unwrap();
    assert_eq!(server.ranges(), [None, Some(50_000), None]);
    assert_eq!(std::fs::read(&paths[0]).unwrap(), body());
}

#[test]
fn a_passing_fault_of_the_server_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::new(|request, number| match number {
        0 => Reply::error("503 Service Unavailable"),
        _ => Reply::honest(request, b"right"),
    });
    fetch(&source(&server), folder.path()).unwrap();
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn a_length_that_is_a_lie_is_no_success() {
    let folder = tempfile::tempdir().unwrap();
    // More is announced than ever comes.
    let server = Server::new(|_, _| Reply::whole(b"right").claiming(9));
    refused(&source(&server), folder.path(), &["cannot continue", "data.bin"]);
    assert!(!folder.path().join("data.bin").exists());

    // Less is announced than the file has, and more comes than the file has.
    let folder = tempfile::tempdir().unwrap();
    let server = Server::new(|_, _| Reply::whole(b"right").claiming(3));
    let known = format!("{}bytes = 5\n", source(&server));
    refused(&known, folder.path(), &["expected 5 bytes, found 3"]);
    let server = Server::new(|_, _| Reply::whole(b"right and more"));
    let known = format!("{}bytes = 5\n", source(&server));
    refused(&known, folder.path(), &["more than the expected 5 bytes"]);
    assert!(names(folder.path()).is_empty());
}

#[test]
fn wrong_bytes_send_to_the_next_mirror() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::new(|request, _| match request.path.as_str() {
        "/good" => Reply::honest(request, b"right"),
        "/gone" => Reply::error("404 Not Found"),
        _ => Reply::honest(request, b"wrong"),
    });
    let sources = |last: &str| {
        format!(
            "[[sources]]\nname = 'data'\nurls = ['{0}/gone', '{0}/bad', '{0}/{last}']\n\
             md5 = '{MD5_OF_RIGHT}'\n",
            server.address
        )
    };
    let found =
        "expected MD5 7c4f29407893c334a6cb7a87bf045c0d, found 2bda2998d9b0ee197da142a0447f6725";
    refused(&sources("also"), folder.path(), &["404", found, "/bad)", "/also)", "place these"]);
    assert!(names(folder.path()).is_empty(), "{:?}", names(folder.path()));
    let paths = fetch(&sources("good"), folder.path()).unwrap();
    assert_eq!(std::fs::read(&paths[0]).unwrap(), b"right");
    assert_eq!(names(folder.path()), ["data"]);
}

#[test]
fn a_sha256_is_checked_too() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::new(|request, _| Reply::honest(request, b"right"));
    let with = |hash: &str| format!("{}sha256 = '{hash}'\n", source(&server));
    refused(&with(&"0".repeat(64)), folder.path(), &["expected SHA-256 000", "found "]);
    fetch(&with(&ctr_core::sha256_hex(b"right")), folder.path()).unwrap();
}

#[test]
fn a_page_in_place_of_a_gzip_file_is_found_out() {
    let folder = tempfile::tempdir().unwrap();
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(&body()).unwrap();
    let packed = encoder.finish().unwrap();
    let server = Server::new(move |request, _| match request.path.as_str() {
        "/login" => Reply::whole(b"<html>log in</html>"),
        "/half" => Reply::whole(&packed[..packed.len() / 2]),
        _ => Reply::honest(request, &packed),
    });
    let sources = |names: &str| format!("[[sources]]\nname = 'data.gz'\nurls = [{names}]\n");
    let (login, half) = (server.url("login"), server.url("half"));
    let wrong = format!("'{login}', '{half}'");
    refused(&sources(&wrong), folder.path(), &["not a whole gzip file", "/login)", "/half)"]);
    assert!(names(folder.path()).is_empty());
    fetch(&sources(&format!("{wrong}, '{}'", server.url("good"))), folder.path()).unwrap();
    assert_eq!(names(folder.path()), ["data.gz"]);
}

#[test]
fn a_file_of_the_users_is_checked_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::new(|request, _| Reply::honest(request, b"right"));
    let sources = format!("{}md5 = '{MD5_OF_RIGHT}'\n", source(&server));
    let path = folder.path().join("data.bin");
    std::fs::write(&path, "mine!").unwrap();
    refused(&sources, folder.path(), &["data.bin is there", "expected MD5", "left as it is"]);
    assert_eq!(std::fs::read(&path).unwrap(), b"mine!");
    std::fs::write(&path, "right").unwrap();
    fetch(&sources, folder.path()).unwrap();
    assert!(server.requests().is_empty());
}

#[test]
fn nobody_at_the_address_is_told_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let sources = format!("[[sources]]\nurls = ['http://{free}/data.bin']\n");
    refused(&sources, folder.path(), &["data.bin: curl: (7)", "place these files"]);
    assert!(names(folder.path()).is_empty());
}
