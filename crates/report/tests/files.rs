//! Files: which are written, that they repeat, and what is refused.

mod support;

use ctr_core::Protocol;
use ctr_report::{Background, Error, ReportOptions, read_records, write_report};
use std::path::Path;
use support::{Made, made, place, report, text, without_scripts};

#[test]
fn all_files_are_there_and_sorted() {
    let authors = Made { protocol: Protocol::Authors, ..made() };
    let (folder, summary) = report(&[made(), authors]);
    let names: Vec<&str> =
        summary.files.iter().map(|file| file.file_name().unwrap().to_str().unwrap()).collect();
    assert_eq!(
        names,
        [
            "cost.csv",
            "cost.json",
            "cost.md",
            "cost.tex",
            "index.html",
            "learning_curves-tiny-authors.png",
            "learning_curves-tiny-authors.svg",
            "learning_curves-tiny-held-out.png",
            "learning_curves-tiny-held-out.svg",
            "learning_curves.png",
            "learning_curves.svg",
            "table2.csv",
            "table2.json",
            "table2.md",
            "table2.tex",
            "table3.csv",
            "table3.json",
            "table3.md",
            "table3.tex"
        ]
    );
    assert!(summary.files.iter().all(|file| file.is_file()));
    let left = std::fs::read_dir(folder.path().join("reports/new")).unwrap().count();
    assert_eq!(left, names.len());
    assert_eq!(text(&summary, "table3.md"), summary.table3_markdown);
}

#[test]
fn pictures_decode_to_their_size() {
    let authors = Made { protocol: Protocol::Authors, ..made() };
    let (_folder, summary) = report(&[made(), authors]);
    let mut sizes = Vec::new();
    for file in summary.files.iter().filter(|file| file.extension().is_some_and(|e| e == "png")) {
        let decoder =
            png::Decoder::new(std::io::BufReader::new(std::fs::File::open(file).unwrap()));
        let mut reader = decoder.read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut pixels).unwrap();
        sizes.push((info.width, info.height));
        // DIN's vermillion is somewhere.
        assert!(pixels.chunks(3).any(|pixel| pixel == [213, 94, 0]), "{}", file.display());
    }
    // Two panels below one another for each protocol, two beside one another in the overview.
    assert_eq!(sizes, [(1000, 1198), (1000, 1198), (2000, 638)]);
}

#[test]
fn the_same_records_elsewhere_give_the_same_bytes() {
    let runs = [made(), Made { seed: 2, gauc: Some(0.80), ..made() }];
    let (_first, first) = report(&runs);
    let (_second, second) = report(&runs);
    assert!(first.files.len() > 5);
    for (one, other) in first.files.iter().zip(&second.files) {
        assert_eq!(one.file_name(), other.file_name());
        assert!(std::fs::read(one).unwrap() == std::fs::read(other).unwrap(), "{}", one.display());
    }
}

#[test]
fn names_with_markup_stay_names() {
    let run = Made { dataset: "<script>alert(1)</script>", model: "<img src=x>", ..made() };
    let mut record = run.record();
    record.run_id = "\"><script>".into();
    record.config["note"] = "</pre><script>".into();
    let (_folder, summary) = support::report_records(&[record]);
    let page = without_scripts(&text(&summary, "index.html"));
    assert!(!page.contains("<script"), "a name became markup");
    assert!(!page.contains("<img src=x>"));
    assert!(page.contains("&lt;script&gt;"));
    for name in ["table2.md", "table3.md", "cost.md"] {
        assert!(!text(&summary, name).contains("<script"), "{name}");
    }
    assert!(summary.files.iter().all(|file| file.is_file()));
}

#[test]
fn the_page_needs_nothing_else() {
    let (_folder, summary) = report(&[made(), Made { model: "base_model", ..made() }]);
    // The template engine also escapes slashes.
    let page = text(&summary, "index.html").replace("&#x2f;", "/");
    assert_eq!(page.matches("<script>").count(), 1);
    let page = without_scripts(&page);
    for outside in ["<script", "<link", "@import", "src=\"http", "url("] {
        assert!(!page.contains(outside), "{outside}");
    }
    assert!(page.contains("src=\"data:image/png;base64,iVBORw0KGgo"));
    assert!(page.contains("<svg class=\"bar\""));
    assert!(page.contains("din-repro verify reports/runs/run-000"));
    assert!(page.contains(
        "din-repro train --model din --data datasets/prepared/tiny --protocol held-out --seed 1"
    ));
    assert!(page.contains("simulated data"));
}

#[test]
fn records_are_found_at_most_three_folders_down() {
    let folder = tempfile::tempdir().unwrap();
    let runs = folder.path().join("runs");
    place(&runs, "b", &made().record());
    place(&runs, "a/b/c", &Made { seed: 2, ..made() }.record());
    place(&runs, "a/b/d/e", &Made { seed: 3, ..made() }.record());
    place(&runs, ".hidden", &Made { seed: 4, ..made() }.record());
    place(&runs, "b/checkpoint", &Made { seed: 5, ..made() }.record());
    let found = read_records(&runs).unwrap();
    let seeds: Vec<u64> = found.iter().map(|(_, record)| record.seed).collect();
    assert_eq!(seeds, [2, 1]);
    assert_eq!(found[0].0, runs.join("a/b/c"));
    // The folder of one run is a folder of runs, too.
    assert_eq!(read_records(&runs.join("b")).unwrap().len(), 1);
}

#[test]
fn what_is_wrong_is_said_with_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let runs = folder.path().join("runs");
    let message = |runs: &Path| read_records(runs).unwrap_err().to_string();
    assert!(message(&runs).contains("cannot read"), "{}", message(&runs));

    std::fs::create_dir_all(&runs).unwrap();
    assert!(matches!(read_records(&runs), Err(Error::NoRecords { .. })));
    assert!(message(&runs).contains("din-repro train"));
    let out = folder.path().join("out");
    assert!(
        write_report(
            &ReportOptions { runs: runs.clone(), out: out.clone() },
            &Background::default()
        )
        .is_err()
    );
    assert!(!out.exists(), "a failed report leaves nothing behind");

    place(&runs, "good", &made().record());
    place(&runs, "later", &made().record());
    let file = runs.join("later/record.json");
    std::fs::write(&file, "{\"schema_version\": 1,\n \"run_id\": }").unwrap();
    let text = message(&runs);
    assert!(text.contains("later/record.json") && text.contains("line 2"), "{text}");

    // A later layout is named as such, even though it does not parse as this one.
    std::fs::write(&file, "{\"schema_version\": 99, \"other\": true}").unwrap();
    let text = message(&runs);
    assert!(text.contains("schema_version 99") && text.contains("up to 1"), "{text}");

    std::fs::write(&file, "{\"schema_version\": 1}").unwrap();
    assert!(message(&runs).contains("missing field `run_id`"), "{}", message(&runs));
}

#[test]
fn no_configuration_breaks_the_report() {
    for config in
        [serde_json::json!(null), serde_json::json!([1]), serde_json::json!({"preset": 3})]
    {
        let mut one = made().record();
        one.config = config.clone();
        let mut other = Made { model: "base_model", ..made() }.record();
        other.config = config;
        other.signature = "no:signature".into();
        other.curve.clear();
        let (_folder, summary) = support::report_records(&[one, other]);
        assert!(summary.table3_markdown.contains("no:signature (seeds: 1)"));
    }
}
