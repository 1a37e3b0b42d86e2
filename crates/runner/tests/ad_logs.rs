//! The program on the simulated log of ads: regularizers, searches, and the online test.
#![allow(clippy::unwrap_used)]

mod common;

use common::Desk;
use serde_json::Value;

const LOG: &str = "datasets/prepared/alibaba-sim-x0.005";

fn log() -> Desk {
    let desk = Desk::new();
    desk.ok(&["simulate", "alibaba-sim", "--scale", "0.005"]);
    desk
}

fn arguments<'a>(out: &'a str, model: &'a str, settings: &[&'a str]) -> Vec<&'a str> {
    let mut arguments = vec![
        "train",
        "--model",
        model,
        "--data",
        LOG,
        "--preset",
        "alibaba",
        "--epochs",
        "2",
        "--out",
        out,
        "--batch-size",
        "500",
        "--format",
        "json",
    ];
    settings.iter().for_each(|setting| arguments.extend(["--set", setting]));
    arguments
}

fn train(desk: &Desk, out: &str, model: &str, settings: &[&str]) -> Value {
    serde_json::from_str(&desk.ok(&arguments(out, model, settings))).unwrap()
}

#[test]
fn every_regularizer_trains_every_model_and_verifies() {
    let desk = log();
    let regularizers = [
        "without_goods_ids",
        "l2",
        "mba",
        "lazy_l2",
        "difacto",
        "dropout",
        "filter",
        "{kind='mba',norm='l1',lambda=0.1,vocabularies=['goods_id']}",
    ];
    let models =
        ["lr", "base_model", "wide_deep", "pnn", "deepfm", "din", "din_dice", "gru", "bst"];
    let mut hashes = std::collections::BTreeSet::new();
    for (index, regularizer) in regularizers.iter().enumerate() {
        // Every model meets some regularizers, every regularizer some models.
        for model in [models[index % 9], models[(index + 4) % 9]] {
            let out = format!("runs/{index}-{model}");
            let record = train(&desk, &out, model, &[&format!("regularizer={regularizer}")]);
            assert_eq!(record["status"], "finished", "{model} {regularizer}");
            assert!(hashes.insert(record["model_sha256"].to_string()), "{model} {regularizer}");
            desk.ok(&["eval", &out]);
            desk.ok(&["verify", &out, "--threads", "1"]);
        }
    }
    let plain = train(&desk, "runs/plain", "base_model", &[]);
    let again = train(&desk, "runs/again", "base_model", &["train.reinitialize_embeddings=true"]);
    assert_ne!(plain["model_sha256"], again["model_sha256"]);
    // 16 fields, and what the truth reaches, are in every record.
    assert_eq!(plain["dataset"]["fields"].as_array().unwrap().len(), 16);
    let ceiling = plain["dataset"]["ceiling"]["test_gauc"].as_f64().unwrap();
    assert!((0.6..0.8).contains(&ceiling), "{ceiling}");
    let unknown = desk.fails(
        2,
        &[
            "train",
            "--model",
            "din",
            "--data",
            LOG,
            "--set",
            "regularizer={kind='dropout',vocabularies=['movie_id']}",
        ],
    );
    assert!(unknown.contains("movie_id") && unknown.contains("goods_id"), "{unknown}");
}

#[test]
fn an_interrupted_run_with_dropout_and_fresh_embeddings_resumes_to_the_same_bits() {
    let desk = log();
    let settings = [
        "regularizer=dropout",
        "train.reinitialize_embeddings=true",
        "train.checkpoint_every_steps=3",
    ];
    let whole = train(&desk, "whole", "din", &settings);
    let mut resume = arguments("part", "din", &settings);
    let mut command = desk.command(&resume);
    let mut child = command
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    // Kill -9 as soon as there is something to go on from.
    let checkpoint = desk.path("part/checkpoint/state.safetensors");
    while !checkpoint.exists() && child.try_wait().unwrap().is_none() {
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    let _ = child.kill();
    child.wait().unwrap();
    resume.push("--resume");
    let resumed: Value = serde_json::from_str(&desk.ok(&resume)).unwrap();
    assert_eq!(resumed["result_sha256"], whole["result_sha256"]);
}

#[test]
fn a_search_repeats_what_validation_chose_and_the_report_says_so() {
    let desk = Desk::new();
    desk.write(
        "suite.toml",
        "description = \"search\"\ndatasets = [\"alibaba-sim-x0.005\"]\nfallback = \"tiny\"\n\
         protocols = [\"held-out\"]\nseeds = [1, 2]\npresets = [\"alibaba\"]\n\
         [common]\n\"train.epochs\" = 2\n\"train.batch_size\" = 500\n\
         [[arms]]\nmodels = [\"base_model\"]\nset = { regularizer = \"without_goods_ids\" }\n\
         [[arms]]\nmodels = [\"base_model\", \"din\"]\nset = { regularizer = \"mba\" }\n\
         search = { \"regularizer.lambda\" = [0.01, 100.0] }\n\
         [[arms]]\nmodels = [\"base_model\"]\nset = { regularizer = \"dropout\" }\n",
    );
    let shown = desk.ok(&["reproduce", "--suite", "suite.toml"]);
    for part in ["# Table 4", "# Table 5", "tried λ", "ceiling"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    // Two rows of two seeds, two searches of two points with one seed and one more of the chosen.
    let records: Vec<Value> = std::fs::read_dir(desk.path("reports/runs"))
        .unwrap()
        .map(|entry| std::fs::read_to_string(entry.unwrap().path().join("record.json")).unwrap())
        .map(|text| serde_json::from_str(&text).unwrap())
        .collect();
    assert_eq!(records.len(), 2 + 2 + 2 * 3);
    for model in ["base_model", "din"] {
        let of = |seed: u64| {
            let wanted = |record: &&Value| {
                record["model"]["id"] == model
                    && record["seed"] == seed
                    && record["config"]["regularizer"]["kind"] == "mba"
            };
            let mut found: Vec<(f64, f64)> = records
                .iter()
                .filter(wanted)
                .map(|record| {
                    let value = record["metrics"]["valid_gauc"].as_f64().unwrap();
                    (value, record["config"]["regularizer"]["lambda"].as_f64().unwrap())
                })
                .collect();
            found.sort_by(|left, right| right.0.total_cmp(&left.0));
            found
        };
        assert_eq!((of(1).len(), of(2).len()), (2, 1), "{model}");
        assert_eq!(of(1)[0].1, of(2)[0].1, "{model}");
    }
    for file in ["table1.md", "table4.csv", "table5.tex", "figure4_regularization.png"] {
        assert!(desk.path("reports").join(file).exists(), "{file}");
    }
}

#[test]
fn an_online_test_serves_both_models_and_the_truth() {
    let desk = log();
    train(&desk, "a", "base_model", &[]);
    train(&desk, "b", "din", &["regularizer=mba"]);
    let serve = |threads: &str| {
        let shown = desk.ok(&[
            "ab-test",
            "--a",
            "a",
            "--b",
            "b",
            "--days",
            "2",
            "--requests",
            "300",
            "--candidates",
            "20",
            "--threads",
            threads,
            "--format",
            "json",
        ]);
        let mut record: Value = serde_json::from_str(&shown).unwrap();
        // The one thing that does not repeat.
        for arm in record["arms"].as_array_mut().unwrap() {
            arm.as_object_mut().unwrap().remove("latency");
        }
        record
    };
    let record = serve("1");
    assert_eq!(record, serve("2"));
    let arms = record["arms"].as_array().unwrap();
    let total = |arm: usize, what: &str| -> f64 {
        arms[arm]["days"].as_array().unwrap().iter().map(|day| day[what].as_f64().unwrap()).sum()
    };
    assert_eq!((0..3).map(|arm| total(arm, "impressions")).sum::<f64>(), 600.0);
    for arm in 0..3 {
        // A third of the users each, and each with clicks and revenue.
        assert!((120.0..280.0).contains(&total(arm, "impressions")));
        assert!(total(arm, "clicks") > 0.0 && total(arm, "revenue") > 0.0);
    }
    // Ranking by the truth earns more than by models that saw 5,000 rows.
    let rpm = |arm| total(arm, "revenue") / total(arm, "impressions");
    assert!(rpm(2) > rpm(0), "{} {}", rpm(2), rpm(0));
    desk.ok(&["report", "--runs", "."]);
    let page = std::fs::read_to_string(desk.path("reports/index.html")).unwrap();
    assert!(page.contains("Online A/B test, simulated"));
    assert!(desk.path("reports/ab_test.md").exists());

    train(&desk, "filtered", "base_model", &["regularizer=filter"]);
    let message = desk.fails(2, &["ab-test", "--a", "a", "--b", "filtered"]);
    assert!(message.contains("filtered ids"), "{message}");
    train(&desk, "without", "base_model", &["regularizer=without_goods_ids"]);
    let message = desk.fails(2, &["ab-test", "--a", "without", "--b", "a"]);
    assert!(message.contains("without goods_ids"), "{message}");
    desk.ok(&["simulate", "tiny"]);
    desk.ok(&[
        "train",
        "--model",
        "lr",
        "--data",
        "datasets/prepared/tiny",
        "--epochs",
        "1",
        "--out",
        "tiny",
    ]);
    let message = desk.fails(2, &["ab-test", "--a", "tiny", "--b", "tiny"]);
    assert!(message.contains("not a simulated log of ads"), "{message}");
}
