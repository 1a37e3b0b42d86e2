//! Figures 5 and 6 of a run, from the command and from a suite.
#![allow(clippy::unwrap_used)]

mod common;

use common::Desk;
use serde_json::Value;

const DATA: &str = "prepared/tiny";

fn figure(desk: &Desk, path: &str) -> Value {
    serde_json::from_str(&std::fs::read_to_string(desk.path(path)).unwrap()).unwrap()
}

fn train(desk: &Desk, model: &str, more: &[&str]) -> String {
    let out = format!("runs/{model}{}", more.len());
    let base = ["train", "--model", model, "--data", DATA, "--epochs", "2", "--out", &out];
    desk.ok(&[&base[..], more].concat());
    out
}

#[test]
fn weights_and_maps_of_a_run() {
    let desk = Desk::new();
    desk.ok(&["simulate", "tiny", "--out", DATA]);
    let run = train(&desk, "din", &[]);
    let look = |figure: &str, out: &str| {
        desk.ok(&["visualize", figure, "--run", &run, "--data", DATA, "--out", out])
    };
    let told = look("activation", "one");
    assert!(told.contains("figure5_activation.png") && told.contains("1: all alike"), "{told}");
    let activation = figure(&desk, "one/activation-tiny.json");
    assert_eq!(activation["source"]["simulated"], true);
    let users = activation["users"].as_array().unwrap();
    assert!(!users.is_empty());
    for user in users {
        let events = user["events"].as_array().unwrap();
        assert!((6..=12).contains(&events.len()), "{}", events.len());
        let of = |good: &Value| good["categories"].clone();
        let wanted = of(&user["relevant"][0]);
        let other = of(&user["irrelevant"][0]);
        assert_ne!(wanted, other);
        let mut same = 0;
        for event in events {
            assert_eq!(event["same_category"], of(&event["good"]) == wanted);
            assert_ne!(of(&event["good"]), other);
            same += usize::from(event["same_category"] == true);
        }
        assert!(4 * same >= events.len() && 4 * same <= 3 * events.len());
        // Relative to the mean: they sum to their number.
        for candidate in 0..2 {
            let weight = |event: &Value| event["weights"][candidate].as_f64().unwrap();
            let sum: f64 = events.iter().map(weight).sum();
            assert!((sum - events.len() as f64).abs() < 1e-3, "{sum}");
        }
    }

    let told = look("embedding", "one");
    assert!(told.contains("by chance") && told.contains("figure6_embedding.svg"), "{told}");
    let embedding = figure(&desk, "one/embedding-tiny.json");
    let (categories, points) = (&embedding["categories"], embedding["points"].as_array().unwrap());
    let categories = categories.as_array().unwrap().len();
    assert!(categories >= 2 && points.len() % categories == 0);
    let probability = |point: &Value| point["probability"].as_f64().unwrap();
    assert!(points.iter().all(|point| (0.0..=1.0).contains(&probability(point))));
    assert!(points.iter().any(|point| probability(point) != probability(&points[0])));

    // The same bits again.
    look("activation", "two");
    look("embedding", "two");
    for name in [
        "activation-tiny.json",
        "figure5_activation.png",
        "embedding-tiny.json",
        "figure6_embedding.svg",
    ] {
        let read = |folder: &str| std::fs::read(desk.path(&format!("{folder}/{name}"))).unwrap();
        assert!(read("one") == read("two"), "{name}");
    }
}

#[test]
fn weights_without_softmax_are_not_relative() {
    let desk = Desk::new();
    desk.ok(&["simulate", "tiny", "--out", DATA]);
    let run = train(&desk, "din", &["--set", "model.activation_unit.normalization=none"]);
    desk.ok(&["visualize", "activation", "--run", &run, "--data", DATA, "--out", "out"]);
    assert_eq!(figure(&desk, "out/activation-tiny.json")["relative"], false);
}

#[test]
fn what_cannot_be_looked_into_is_said() {
    let desk = Desk::new();
    desk.ok(&["simulate", "tiny", "--out", DATA]);
    let run = train(&desk, "base_model", &[]);
    let look = ["visualize", "activation", "--run", &run, "--data", DATA, "--out", "out"];
    let message = desk.fails(2, &look);
    assert!(
        message.contains("no local activation unit") && message.contains("take a run of din"),
        "{message}"
    );
    let lr = train(&desk, "lr", &[]);
    let look = ["visualize", "embedding", "--run", &lr, "--data", DATA, "--out", "out"];
    assert!(desk.fails(2, &look).contains("one weight a good"));
    // Its embeddings can be seen.
    desk.ok(&["visualize", "embedding", "--run", &run, "--data", DATA, "--out", "out"]);
    let few = ["visualize", "embedding", "--run", &run, "--data", DATA, "--perplexity", "nan"];
    assert!(desk.fails(2, &few).contains("--perplexity NaN"));
    let filtered = train(&desk, "din", &["--set", "regularizer=filter"]);
    let look = ["visualize", "activation", "--run", &filtered, "--data", DATA, "--out", "out"];
    assert!(desk.fails(2, &look).contains("take a run that knows all goods"));
}

#[test]
fn suites_draw_both() {
    let desk = Desk::new();
    desk.write(
        "suite.toml",
        r#"
        description = "a test"
        datasets = []
        fallback = "tiny"
        protocols = ["held-out"]
        models = ["lr", "din"]
        seeds = [1]
        presets = ["small"]
        [common]
        "train.epochs" = 2
        "#,
    );
    let reproduce = ["reproduce", "--suite", "suite.toml", "--prepared", "prepared"];
    desk.ok(&reproduce);
    let read = |name: &str| std::fs::read(desk.path(&format!("reports/{name}"))).unwrap();
    for name in ["figure5_activation.png", "figure6_embedding.png", "figure5_activation.svg"] {
        assert!(!read(name).is_empty(), "{name}");
    }
    let page = String::from_utf8(read("index.html")).unwrap();
    assert!(page.contains("id=\"figure5\"") && page.contains("id=\"figure6\""));
    let before = read("embedding-tiny.json");
    desk.ok(&reproduce);
    assert!(read("embedding-tiny.json") == before);

    // Another suite adds its data, and takes nothing away.
    let more = ["reproduce", "--suite", "more.toml", "--prepared", "prepared"];
    let suite = std::fs::read_to_string(desk.path("suite.toml")).unwrap();
    desk.write("more.toml", suite.replace("\"tiny\"", "\"alibaba-sim-x0.005\""));
    desk.ok(&more);
    assert!(read("embedding-tiny.json") == before);
    let histograms = figure(&desk, "reports/data_histograms.json");
    let datasets = histograms["datasets"].as_array().unwrap();
    let names: Vec<&str> = datasets.iter().map(|of| of["dataset"].as_str().unwrap()).collect();
    assert_eq!(names, ["alibaba-sim-x0.005", "tiny"]);
}
