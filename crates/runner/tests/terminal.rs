//! What is seen while a grid runs: lines without control codes in a file, bars on a terminal.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

mod common;

use common::{Desk, text};
use std::process::{Command, Stdio};

const GRID: [&str; 3] = ["reproduce", "--suite", "suite.toml"];

/// A desk with a suite of four short runs.
fn desk() -> Desk {
    let desk = Desk::new();
    desk.write(
        "suite.toml",
        "description = \"two models\"\ndatasets = []\nfallback = \"tiny\"\n\
         protocols = [\"held-out\"]\nmodels = [\"lr\", \"din\"]\nseeds = [1, 2]\n\
         presets = [\"small\"]\n[common]\n\"train.epochs\" = 2\n\"train.evaluations_per_epoch\" = 1\n",
    );
    desk
}

/// Runs a line under `script`, whose terminal has so many columns, and gives all that a terminal would get; none
/// where there is no `script`.
fn on_terminal(desk: &Desk, columns: u16, variables: &[(&str, &str)]) -> Option<String> {
    let program = env!("CARGO_BIN_EXE_din-repro");
    let line = format!("stty cols {columns} rows 24; {program} {}", GRID.join(" "));
    let output = Command::new("script")
        .args(["-qec", &line, "/dev/null"])
        .current_dir(desk.path(""))
        .env_remove("NO_COLOR")
        .env("TERM", "xterm-256color")
        .env_remove("DATA_DIR")
        .envs(variables.iter().copied())
        .stdin(Stdio::null())
        .output();
    let Ok(output) = output else {
        println!("there is no `script` to have a terminal by");
        return None;
    };
    assert!(output.status.success(), "{}", text(&output.stdout));
    Some(text(&output.stdout))
}

#[test]
fn without_a_terminal_there_are_plain_lines() {
    let desk = desk();
    let output = desk.run(&GRID);
    let (told, result) = (text(&output.stderr), text(&output.stdout));
    assert!(!told.contains('\x1b') && !result.contains('\x1b') && !told.contains('\r'), "{told}");
    // A line an evaluation, and one a run, with how far the grid is.
    assert_eq!(told.matches(" gAUC valid ").count(), 8, "{told}");
    for far in ["(1 of 4, about ", "(2 of 4, about ", "(3 of 4, about ", "(4 of 4)"] {
        assert_eq!(told.matches(far).count(), 1, "{far}: {told}");
    }
    let last = told.lines().last().unwrap();
    assert!(last.starts_with("4 runs: 4 trained in "), "{told}");
    assert!(last.ends_with("; the report is reports/index.html"), "{told}");

    let again = text(&desk.run(&GRID).stderr);
    assert!(again.contains("4 runs: 4 finished before in "), "{again}");
    let quiet = desk.run(&[&GRID[..], &["--quiet"]].concat());
    assert_eq!(text(&quiet.stderr), "");
}

#[test]
fn a_terminal_has_bars_for_its_width() {
    for columns in [80, 40] {
        let desk = desk();
        let Some(shown) = on_terminal(&desk, columns, &[]) else { return };
        assert!(shown.contains('\x1b') && shown.contains("/4 runs"), "{shown}");
        assert!(!shown.contains(" gAUC valid "), "evaluations are in the bars: {shown}");
        assert_eq!(shown.contains('█'), columns == 80, "{columns}: {shown}");
        assert!(shown.contains("4 runs: 4 trained in "), "{shown}");
        assert!(!shown.contains(" of 4"), "the bar says it: {shown}");
    }
}

#[test]
fn who_wants_no_color_gets_no_control_codes() {
    let desk = desk();
    for variable in [("NO_COLOR", "1"), ("TERM", "dumb")] {
        let Some(shown) = on_terminal(&desk, 80, &[variable]) else { return };
        assert!(!shown.contains('\x1b'), "{variable:?}: {shown:?}");
        assert!(shown.contains("(4 of 4)"), "{shown}");
    }
    // Usage errors and help are clap's.
    let program = env!("CARGO_BIN_EXE_din-repro");
    let colors = |variable: (&str, &str)| {
        let line = format!("{program} trian; {program} --help");
        let mut script = Command::new("script");
        script.args(["-qc", &line, "/dev/null"]).env("TERM", "xterm-256color");
        let output = script.env_remove("NO_COLOR").envs([variable]).stdin(Stdio::null()).output();
        text(&output.unwrap().stdout).contains('\x1b')
    };
    assert!(colors(("LANG", "C")) && !colors(("NO_COLOR", "1")));
}
