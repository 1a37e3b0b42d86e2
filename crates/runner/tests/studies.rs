//! The program from runs to verdicts: paired comparison, claims with expectations, exhibits.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Desk, text};
use serde_json::Value;

/// A grid of four small models on the smallest simulation.
fn suite(expected: &str) -> String {
    format!(
        r#"
        description = "a test"
        datasets = ["tiny"]
        fallback = "tiny"
        protocols = ["held-out", "authors"]
        models = ["lr", "base_model", "din"]
        seeds = [1, 2]
        presets = ["small"]
        exhibits = ["base_model", "din"]
        [common]
        "train.epochs" = 2
        "train.min_epochs" = 1.0
        [[expected]]
        dataset = "amazon-beauty"
        protocol = "held-out"
        preset = "small"
        verdicts = {{ din-above-base = "holds" }}
        [[expected]]
        dataset = "tiny"
        protocol = "held-out"
        preset = "small"
        verdicts = {{ {expected} }}
        "#
    )
}

const REPRODUCE: [&str; 5] = ["reproduce", "--suite", "suite.toml", "--jobs", "2"];

#[test]
fn from_runs_to_verdicts() {
    let desk = Desk::new();
    desk.write("suite.toml", suite("no-such-claim = \"holds\""));
    let checked = [&REPRODUCE[..], &["--check-claims"]].concat();
    let message = desk.fails(1, &checked);
    assert!(
        message.contains("no-such-claim on tiny, held-out, preset small: no runs, expected holds")
    );
    assert!(message.contains("amazon-beauty: not run, its claims are not checked"), "{message}");

    // What was found is what is expected now; then its opposite.
    let claims = std::fs::read_to_string(desk.path("reports/claims.csv")).unwrap();
    let found = claims
        .lines()
        .find(|line| line.starts_with("lr-below-base,") && line.contains(",tiny,held-out,"))
        .unwrap();
    let verdicts = ["holds", "does not hold", "not decided"];
    let verdict = verdicts.iter().find(|verdict| found.contains(&format!(",{verdict},"))).unwrap();
    desk.write("suite.toml", suite(&format!("lr-below-base = \"{verdict}\"")));
    let output = desk.run(&checked);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("1 verdicts compared, 0 differ"));
    let other = verdicts.iter().find(|other| *other != verdict).unwrap();
    desk.write("suite.toml", suite(&format!("lr-below-base = \"{other}\"")));
    let message = desk.fails(1, &checked);
    assert!(message.contains(&format!("{verdict}, expected {other}")), "{message}");
    // Without the flag nothing is compared.
    desk.ok(&REPRODUCE);
    desk.write("suite.toml", suite("lr-below-base = \"perhaps\""));
    assert!(desk.fails(2, &REPRODUCE).contains("perhaps"));

    // Claims under both protocols, and the optimism beside them.
    assert!(claims.lines().any(|line| line.contains(",tiny,authors,")));
    let table = std::fs::read_to_string(desk.path("reports/table3.md")).unwrap();
    assert!(table.contains("optimism") && table.contains("ours, authors"), "{table}");

    // Exhibits lie beside the honest runs of both models, and BaseModel has nothing to leak.
    let exhibits = std::fs::read_to_string(desk.path("reports/exhibits.csv")).unwrap();
    let value = |line: &str, place: usize| line.rsplit(',').nth(place).unwrap().to_string();
    let mut leaks =
        exhibits.lines().filter(|line| line.contains(",exhibit_a_attends_to_positive,"));
    assert!(leaks.clone().count() == 4);
    assert!(leaks.all(|line| (value(line, 0) == value(line, 1)) == line.contains(",base_model,")));

    // One run against another, and groups of them.
    let compare = |first: &str, second: &str| -> Value {
        let arguments = ["compare", first, second, "--resamples", "500", "--format", "json"];
        serde_json::from_str(&desk.ok(&arguments)).unwrap()
    };
    let folder = |part: &str| {
        let all = std::fs::read_dir(desk.path("reports/runs")).unwrap();
        let mut names = all.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        format!("reports/runs/{}", names.find(|name| name.contains(part)).unwrap())
    };
    let (din, base) = (folder("held-out-din-seed1"), folder("held-out-base_model-seed1"));
    let one = compare(&din, &base);
    let gauc =
        |part: &str| desk.record("reports/runs", part)["metrics"]["test_gauc"].as_f64().unwrap();
    let difference = gauc("held-out-din-seed1") - gauc("held-out-base_model-seed1");
    assert!((one["effect"].as_f64().unwrap() - difference).abs() < 1e-9, "{one}");
    assert_eq!((one["runs"][0].as_u64(), one["resamples"].as_u64()), (Some(1), Some(500)));
    assert!(one["standard_error_seeds"].is_null());
    let (low, high) =
        (one["interval_95"][0].as_f64().unwrap(), one["interval_95"][1].as_f64().unwrap());
    assert!(low < difference && difference < high);
    let none = compare(&din, &din);
    assert_eq!((none["effect"].as_f64(), none["p_permutation"].as_f64()), (Some(0.0), Some(1.0)));
    let groups = compare(
        "reports/runs/tiny-held-out-din-seed*",
        "reports/runs/tiny-held-out-base_model-seed*",
    );
    assert_eq!(
        (groups["runs"][1].as_u64(), groups["paired_by_seed"].as_bool()),
        (Some(2), Some(true))
    );
    let signature = groups["first"]["signature"].as_str().unwrap();
    assert!(signature.starts_with("gAUC|w:impressions|ties:half|one-class:skip|ds:tiny@"));
    assert!(signature.contains("|seeds:2|reg:none|v:"), "{signature}");
    // The signature is read back.
    let parts: Value =
        serde_json::from_str(&desk.ok(&["signature", signature, "--format", "json"])).unwrap();
    assert_eq!((parts["metric"].as_str(), parts["seeds"].as_str()), (Some("gAUC"), Some("2")));
    assert!(desk.ok(&["signature", signature]).contains("chosen on validation"));
    assert!(desk.fails(2, &["signature", "gAUC|seeds"]).contains("has no colon"));
    let words = desk.ok(&["compare", &din, &base]);
    assert!(
        words.contains("A − B") && words.contains("10,000 resamples from seed 1234"),
        "{words}"
    );

    // What cannot be compared is said.
    let authors = folder("authors-din-seed1");
    let message = desk.fails(2, &["compare", &din, &authors]);
    assert!(message.contains("only runs on the same rows"), "{message}");
    let message = desk.fails(2, &["compare", "reports/runs", &base]);
    assert!(message.contains("narrow the pattern"), "{message}");
    let message = desk.fails(2, &["compare", "reports/runs/nothing*", &base]);
    assert!(message.contains("no finished run"), "{message}");
}
