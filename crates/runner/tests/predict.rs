//! `rows` and `predict`: new rows get the scores that a run's own evaluation gave them.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

mod common;

use common::Desk;
use ctr_dataset_prep::{Predictions, read_predictions};

const TINY: &str = "datasets/prepared/tiny";
const LOG: &str = "datasets/prepared/alibaba-sim-x0.005";

fn trained(simulation: &[&str], data: &str, model: &str, settings: &[&str]) -> Desk {
    let desk = Desk::new();
    desk.ok(&[&["simulate"], simulation].concat());
    let mut arguments = vec!["train", "--model", model, "--data", data, "--max-steps", "40"];
    arguments.extend(["--out", "run"]);
    settings.iter().for_each(|setting| arguments.extend(["--set", setting]));
    desk.ok(&arguments);
    desk
}

fn bits(predictions: &Predictions) -> Vec<(u32, u8, u32)> {
    let rows = predictions.users.iter().zip(&predictions.labels).zip(&predictions.scores);
    rows.map(|((&user, &label), score)| (user, label, score.to_bits())).collect()
}

fn same_scores(desk: &Desk, data: &str) {
    let expected = bits(&read_predictions(&desk.path("run/predictions.parquet")).unwrap());
    for ids in ["keys", "numbers"] {
        desk.ok(&["rows", "--data", data, "--output", "rows.parquet", "--ids", ids]);
        for more in [&["--threads", "1"][..], &["--batch-size", "1000"], &["--batch-size", "77"]] {
            let files = ["--input", "rows.parquet", "--output", "scores.parquet", "--ids", ids];
            let closing = desk.ok(&[&["predict", "--run", "run"], &files[..], more].concat());
            assert!(closing.contains("no unknown ids"), "{closing}");
            let found = read_predictions(&desk.path("scores.parquet")).unwrap();
            assert!(bits(&found) == expected, "{ids} {more:?}");
        }
        // Text carries the same bits, packed or not.
        desk.ok(&["rows", "--data", data, "--output", "rows.csv", "--ids", ids]);
        let packed = {
            use std::io::Write;
            let file = std::fs::File::create(desk.path("rows.csv.gz")).unwrap();
            let mut packed = flate2::write::GzEncoder::new(file, Default::default());
            packed.write_all(&std::fs::read(desk.path("rows.csv")).unwrap()).unwrap();
            packed.finish().unwrap();
            "rows.csv.gz"
        };
        for input in ["rows.csv", packed] {
            let files = ["--input", input, "--output", "scores.csv", "--ids", ids];
            desk.ok(&[&["predict", "--run", "run"], &files[..]].concat());
            let text = std::fs::read_to_string(desk.path("scores.csv")).unwrap();
            let mut lines = text.lines();
            assert_eq!(lines.next(), Some("user,label,score,probability"));
            let found: Vec<(u32, u8, u32)> = lines
                .map(|line| {
                    let values: Vec<&str> = line.split(',').collect();
                    let score: f32 = values[2].parse().unwrap();
                    let probability: f32 = values[3].parse().unwrap();
                    assert_eq!(probability.to_bits(), ctr_nn::sigmoid(score).to_bits());
                    (values[0].parse().unwrap(), values[1].parse().unwrap(), score.to_bits())
                })
                .collect();
            assert!(found == expected, "{ids} {input}");
        }
    }
}

#[test]
fn the_test_rows_get_the_scores_of_the_run() {
    for (model, settings) in [
        ("din", &["train.max_history=3"][..]),
        ("din_dice", &["model.network.normalization=batch"]),
        ("bst", &["regularizer.kind=filter", "regularizer.share=0.3"]),
        ("wide_deep", &["model.wide=crosses", "regularizer={kind='filter',candidates=true}"]),
        ("lr", &["regularizer=without_goods_ids"]),
    ] {
        same_scores(&trained(&["tiny"], TINY, model, settings), TINY);
    }
    let log = ["alibaba-sim", "--scale", "0.005"];
    same_scores(&trained(&log, LOG, "deepfm", &["train.batch_size=500"]), LOG);
}

#[test]
fn bags_of_values_get_the_scores_of_the_run() {
    let desk = Desk::new();
    let mut log = String::from("user,item,tags,click,time,seen,seen_tags\n");
    for row in 0..600 {
        let item = (row * 7) % 23;
        let seen: Vec<String> =
            (0..row % 5).map(|event| format!("i{}", (row + event) % 23)).collect();
        let tags = |item: usize| ["", "a", "a|b", "c|a|b"][item % 4];
        let marks: Vec<&str> =
            (0..row % 5).map(|event| ["x", "y", "z"][(row + event) % 3]).collect();
        let click = u8::from((row * 31) % 7 < 3);
        log.push_str(&format!(
            "u{},i{item},{},{click},{row},{},{}\n",
            row % 40,
            tags(item),
            seen.join("^"),
            marks.join("^")
        ));
    }
    desk.write("raw/log.csv", log);
    desk.write(
        "raw/dataset.toml",
        "id = 'shop'\nrows = ['log.csv']\nuser = 'user'\nlabel = 'click'\ntime = 'time'\n\
         candidate = ['item', 'tags|']\nhistory = 'liked'\nbehaviors = ['item', 'tags']\n\
         split = 'time'\ntest = 0.3\nvalidation = 0.2\n",
    );
    desk.ok(&["prep", "custom", "--raw", "raw", "--out", "shop"]);
    let train = ["train", "--model", "din", "--data", "shop", "--max-steps", "40", "--out", "run"];
    desk.ok(&train);
    std::fs::create_dir_all(desk.path("datasets/prepared")).unwrap();
    std::fs::rename(desk.path("shop"), desk.path("datasets/prepared/shop")).unwrap();
    same_scores(&desk, "datasets/prepared/shop");
}

#[test]
fn bad_input_is_named_by_file_row_and_column() {
    let desk = trained(&["tiny"], TINY, "din", &[]);
    desk.ok(&["rows", "--data", TINY, "--output", "rows.csv"]);
    let rows = std::fs::read_to_string(desk.path("rows.csv")).unwrap();
    let lines: Vec<&str> = rows.lines().collect();
    let names = lines[0];
    assert_eq!(
        names,
        "user,label,behaviors.goods_id,behaviors.cate_id,candidate.goods_id,candidate.cate_id"
    );
    let predict = |name: &str, text: String, more: &[&str]| {
        desk.write(name, text);
        let files = ["predict", "--run", "run", "--input", name, "--output", "out.csv"];
        let output = desk.run(&[&files[..], more].concat());
        (output.status.code(), common::text(&output.stdout) + &common::text(&output.stderr))
    };
    let row = |values: [&str; 6]| format!("{names}\n{}\n{}\n", lines[1], values.join(","));
    let known: Vec<&str> = lines[1].split(',').collect();
    let (goods, cates) = (known[4], known[5]);

    let unknown = row(["7", "0", "new|new", &format!("{cates}|{cates}"), goods, cates]);
    let (code, text) = predict("a.csv", unknown.clone(), &[]);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("2 in behaviors.goods_id"), "{text}");
    std::fs::remove_file(desk.path("out.csv")).unwrap();

    let (code, text) = predict("a.csv", unknown, &["--unknown", "error"]);
    assert_eq!(code, Some(2));
    assert!(text.contains("a.csv, line 3, field behaviors.goods_id: \"new\""), "{text}");

    // What the run's history limit cuts off is no unknown id.
    desk.ok(&[
        "train",
        "--model",
        "din",
        "--data",
        TINY,
        "--out",
        "short",
        "--max-steps",
        "5",
        "--set",
        "train.max_history=1",
    ]);
    let cut = row(["7", "0", &format!("new|{goods}"), &format!("{cates}|{cates}"), goods, cates]);
    desk.write("cut.csv", &cut);
    let short = [
        "predict",
        "--run",
        "short",
        "--input",
        "cut.csv",
        "--output",
        "out.csv",
        "--unknown",
        "error",
    ];
    assert!(desk.ok(&short).contains("no unknown ids"));
    std::fs::remove_file(desk.path("out.csv")).unwrap();

    let onto_itself = ["predict", "--run", "run", "--input", "cut.csv", "--output", "./cut.csv"];
    assert!(desk.fails(2, &onto_itself).contains("would lose the rows"));
    assert_eq!(std::fs::read_to_string(desk.path("cut.csv")).unwrap(), cut);

    let ragged = row(["7", "0", goods, "", goods, cates]);
    let (code, text) = predict("b.csv", ragged, &[]);
    assert_eq!(code, Some(2));
    assert!(text.contains("b.csv, line 3, field behaviors.cate_id: 0 events"), "{text}");

    let (_, text) = predict("c.csv", row(["7", "0", "", "", goods, cates]), &["--ids", "numbers"]);
    assert!(text.contains("c.csv, line 2, field behaviors.goods_id"), "{text}");

    let (code, text) = predict("d.csv", "user,candidate.goods_id\n1,2\n".into(), &[]);
    assert_eq!(code, Some(2));
    assert!(text.contains("behaviors.goods_id") && text.contains("missing column"), "{text}");

    let (_, text) = predict("e.csv", format!("{names},score\n{},1\n", lines[1]), &[]);
    assert!(text.contains("field score"), "{text}");
    let (_, text) = predict("f.csv", format!("{names}\n"), &[]);
    assert!(text.contains("no rows"), "{text}");
    let (_, text) = predict("g.parquet", "no parquet".into(), &[]);
    assert!(text.contains("g.parquet: cannot be read"), "{text}");
    assert!(!desk.path("out.csv").exists());
    let hidden =
        desk.listing().into_iter().find(|path| path.to_string_lossy().contains(".writing-"));
    assert_eq!(hidden, None);
}

#[test]
fn exports_carry_the_weights_and_events_change_no_bit() {
    let desk = trained(&["tiny"], TINY, "din", &[]);
    let record = |run: &str| -> serde_json::Value {
        let text = std::fs::read_to_string(desk.path(run).join("record.json")).unwrap();
        serde_json::from_str(&text).unwrap()
    };
    let arguments = ["train", "--model", "din", "--data", TINY, "--max-steps", "40"];
    desk.ok(&[&arguments[..], &["--out", "watched", "--tensorboard"]].concat());
    assert_eq!(record("watched")["result_sha256"], record("run")["result_sha256"]);
    let events = std::fs::read_dir(desk.path("watched/tensorboard")).unwrap().next().unwrap();
    assert!(events.unwrap().file_name().to_string_lossy().contains("tfevents"));
    // A finished run gets its events afterward.
    desk.ok(&[&arguments[..], &["--out", "run", "--tensorboard"]].concat());
    assert!(desk.path("run/tensorboard").exists());

    let export = |format: &'static str, output: &'static str| {
        ["export", "--run", "run", "--format", format, "--output", output]
    };
    desk.ok(&export("safetensors", "din.safetensors"));
    let read = |name: &str| {
        ctr_nn::NamedTensors::from_bytes(&std::fs::read(desk.path(name)).unwrap()).unwrap()
    };
    let (exported, mut stored) = (read("din.safetensors"), read("run/model.safetensors"));
    let texts: serde_json::Value = serde_json::from_str(&exported.metadata).unwrap();
    assert_eq!(texts["model"], "din");
    assert!(texts["dataset"].as_str().unwrap().contains("content_sha256"));
    let config: serde_json::Value =
        serde_json::from_str(texts["config"].as_str().unwrap()).unwrap();
    assert_eq!(config, record("run")["config"]);
    stored.metadata.clone_from(&exported.metadata);
    assert_eq!(exported, stored);

    desk.ok(&export("onnx", "din.onnx"));
    let bytes = std::fs::read(desk.path("din.onnx")).unwrap();
    assert!(bytes.windows(19).any(|part| part == b"behaviors.goods_id\x12"));
    let message = desk.fails(2, &export("onnx", "no/such/folder/din.onnx"));
    assert!(message.contains("no/such/folder/din.onnx"), "{message}");
    let missing = ["export", "--run", "nothing", "--format", "onnx", "--output", "x.onnx"];
    assert!(desk.fails(2, &missing).contains("nothing holds no finished run"));
}
