//! Full disks, folders that cannot be written, too few file handles, too little memory: a clear error, exit code 2,
//! finished runs intact, and the same command goes on when the fault is gone.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

mod common;

use common::{Desk, text};
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// Runs a shell script in the desk's folder, with `$DIN` as the program.
fn shell(desk: &Desk, script: &str) -> Output {
    let mut command = Command::new("sh");
    command.args(["-c", script]).current_dir(desk.path("")).env_remove("DATA_DIR");
    command.env("DIN", env!("CARGO_BIN_EXE_din-repro")).output().unwrap()
}

/// The same with mounts of its own, where this system lets a user have them; else none, and the reason is told.
fn shell_with_mounts(desk: &Desk, script: &str) -> Option<Output> {
    let allowed = Command::new("unshare")
        .args(["--map-root-user", "--mount", "sh", "-c", "mkdir -p m && mount -t tmpfs tmpfs m"])
        .current_dir(desk.path(""))
        .stderr(Stdio::null())
        .status();
    if !allowed.is_ok_and(|status| status.success()) {
        println!("left out: this system lets no user mount a file system (unshare --mount)");
        return None;
    }
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "--mount", "sh", "-c", script]).current_dir(desk.path(""));
    Some(command.env("DIN", env!("CARGO_BIN_EXE_din-repro")).output().unwrap())
}

/// Exit code 2, one error with all of the parts, no panic and no trace.
fn refused(output: &Output, parts: &[&str]) {
    let message = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{message}");
    assert_eq!(message.matches("error: ").count(), 1, "{message}");
    assert!(!message.contains("panicked") && !message.contains("defect"), "{message}");
    for part in parts {
        assert!(message.contains(part), "{part}: {message}");
    }
}

const SUITE: &str = r#"
description = "faults"
datasets = ["tiny"]
fallback = "tiny"
protocols = ["held-out"]
models = ["base_model", "din"]
seeds = [1, 2]
presets = ["small"]
[common]
"train.epochs" = 2
"#;

/// A desk with a prepared dataset, a suite and one finished run in `finished`.
fn desk() -> Desk {
    let desk = Desk::new();
    desk.write("suite.toml", SUITE);
    desk.ok(&["simulate", "tiny"]);
    let train = ["train", "--model", "din", "--data", "datasets/prepared/tiny", "--epochs", "1"];
    desk.ok(&[&train[..], &["--out", "finished"]].concat());
    desk
}

fn verified(desk: &Desk) {
    assert!(desk.ok(&["verify", "finished"]).contains("the same bits"));
}

#[test]
fn a_full_disk_while_training_costs_nothing_that_is_finished() {
    let desk = desk();
    // Room for some runs of the grid but not for all, found by trying; then the disk grows and the same command
    // goes on.
    let script = "mkdir -p full
        for size in 1600 2000 2400 2800 3200 3600 4000; do
            mount -t tmpfs -o size=${size}k tmpfs full || exit 99
            $DIN reproduce --suite suite.toml --out full/reports --jobs 1 --quiet 2> message; first=$?
            count=$(ls full/reports/runs/*/record.json 2> none | wc -l)
            [ $first = 2 ] && [ $count -ge 1 ] && [ $count -le 3 ] && break
            umount full
        done
        ls full/reports/runs/*/record.json > finished-before
        cat full/reports/runs/*/record.json > records-before
        ls -aR full/reports | grep -c writing > temporary-before
        mount -o remount,size=200m full || exit 98
        $DIN reproduce --suite suite.toml --out full/reports --jobs 1 --quiet > none || exit 97
        cat $(cat finished-before) > records-after
        ls full/reports/runs/*/record.json > finished-after
        cat message >&2
        exit $first";
    let Some(output) = shell_with_mounts(&desk, script) else { return };
    refused(&output, &["write", "has space"]);
    let read = |name: &str| std::fs::read_to_string(desk.path(name)).unwrap();
    let before = read("finished-before").lines().count();
    assert!((1..4).contains(&before), "{before} of 4 runs were finished: choose another size");
    assert_eq!(read("finished-after").lines().count(), 4);
    assert_eq!(read("records-before"), read("records-after"));
    assert_eq!(read("temporary-before").trim(), "0");
}

#[test]
fn a_full_disk_while_preparing_leaves_nothing_half_done() {
    let desk = desk();
    let script = "mkdir -p full && mount -t tmpfs -o size=16k tmpfs full || exit 99
        $DIN simulate tiny --out full/tiny --quiet; first=$?
        ls -A full | grep -v lock > left-over
        mount -o remount,size=200m full || exit 98
        $DIN simulate tiny --out full/tiny >&2 || exit 97
        exit $first";
    let Some(output) = shell_with_mounts(&desk, script) else { return };
    refused(&output, &["cannot write", "has space"]);
    assert_eq!(std::fs::read_to_string(desk.path("left-over")).unwrap(), "");
}

#[test]
fn a_folder_that_cannot_be_written_is_named_before_anything_is_trained() {
    let desk = desk();
    // Permissions do not bind the superuser, a mount does.
    let script = "mkdir -p shut && mount -t tmpfs tmpfs shut && mount -o remount,ro shut || exit 99
        $DIN reproduce --suite suite.toml --out shut/reports --quiet";
    if let Some(output) = shell_with_mounts(&desk, script) {
        refused(&output, &["shut/reports", "Read-only file system"]);
    }
    let script = "mkdir -p shut && mount -t tmpfs tmpfs shut && mount -o remount,ro shut || exit 99
        $DIN simulate tiny --out shut/tiny --quiet";
    if let Some(output) = shell_with_mounts(&desk, script) {
        refused(&output, &["shut", "Read-only file system"]);
    }
    // A file where a folder should be.
    desk.write("file", "");
    let train = ["train", "--model", "lr", "--data", "datasets/prepared/tiny", "--quiet"];
    let message = desk.fails(2, &[&train[..], &["--out", "file"]].concat());
    assert!(message.contains("file"), "{message}");
    let doctor = desk.run(&["doctor", "--out", "file/reports"]);
    assert_eq!(doctor.status.code(), Some(1), "{}", text(&doctor.stdout));
    assert!(text(&doctor.stdout).contains("choose another folder"), "{}", text(&doctor.stdout));
}

#[test]
fn too_few_file_handles_are_an_error_that_names_the_file() {
    let desk = desk();
    for arguments in [
        "train --model din --data datasets/prepared/tiny --out few --epochs 1",
        "reproduce --suite suite.toml --jobs 2",
        "simulate tiny --out few-tiny",
    ] {
        // 3 are taken by the standard streams.
        let output = shell(&desk, &format!("ulimit -n 5; exec $DIN {arguments} --quiet"));
        if output.status.code() != Some(0) {
            refused(&output, &["Too many open files"]);
        }
        let output = shell(&desk, &format!("ulimit -n 4; exec $DIN {arguments} --quiet"));
        if output.status.code() != Some(0) {
            refused(&output, &["Too many open files"]);
        }
        let output = shell(&desk, &format!("ulimit -n 64; exec $DIN {arguments} --quiet"));
        assert!(output.status.success(), "{}", text(&output.stderr));
    }
    verified(&desk);
}

/// Kibibytes of address space below which the program does not even begin, found by halving.
fn smallest_limit(desk: &Desk, arguments: &str) -> u64 {
    let works = |limit: u64| {
        // What an earlier trial finished would only be read.
        let script = format!("rm -rf little little-log; ulimit -v {limit}; exec $DIN {arguments}");
        shell(desk, &script).status.success()
    };
    let (mut low, mut high) = (10_000, 8_000_000);
    assert!(works(high), "{arguments}: not even with {high} KiB");
    while high - low > low / 8 {
        let middle = (low + high) / 2;
        if works(middle) { high = middle } else { low = middle }
    }
    high
}

#[test]
fn too_little_memory_is_an_error_with_a_remedy() {
    let desk = desk();
    let begins = smallest_limit(&desk, "--version");
    let mut cases = 0;
    for arguments in [
        "train --model din --data datasets/prepared/log --out little --preset alibaba --epochs 1",
        "simulate alibaba-sim --scale 0.02 --out little-log",
    ] {
        if arguments.starts_with("train") {
            desk.ok(&[
                "simulate",
                "alibaba-sim",
                "--scale",
                "0.005",
                "--out",
                "datasets/prepared/log",
            ]);
        }
        let enough = smallest_limit(&desk, &format!("{arguments} --quiet"));
        // From what lets the program begin to what is just not enough.
        for share in [0.1, 0.3, 0.5, 0.7, 0.9] {
            let limit = begins + ((enough - begins) as f64 * share) as u64;
            let script = format!(
                "rm -rf little little-log; ulimit -v {limit}; exec $DIN {arguments} --quiet"
            );
            let output = shell(&desk, &script);
            if output.status.success() {
                continue;
            }
            cases += 1;
            let message = text(&output.stderr);
            assert_eq!(output.status.code(), Some(2), "{limit} KiB: {message}");
            let said = ["out of memory", "cannot start", "memory", "thread"];
            assert!(said.iter().any(|part| message.contains(part)), "{limit} KiB: {message}");
            assert!(!message.contains("panicked"), "{message}");
        }
    }
    assert!(cases >= 5, "only {cases} of 10 limits were too low");
    verified(&desk);
    assert!(
        !Path::new(&desk.path("little-log")).exists()
            || desk.run(&["stats", "little-log"]).status.success()
    );
}
