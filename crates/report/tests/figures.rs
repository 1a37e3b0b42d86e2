//! Figures 5 and 6: drawn from numbers beside the records, and refused when the numbers are none.
#![allow(clippy::unwrap_used)] // helpers outside of test functions may panic too

mod support;

use ctr_core::{
    ACTIVATION_FILES, ActivatedEvent, ActivatedUser, ActivationFigure, EMBEDDING_FILES,
    EmbeddedGood, EmbeddingFigure, FIGURES_SCHEMA_VERSION, FigureSource, NamedGood,
};
use ctr_report::{Background, ReportOptions, write_activation, write_embedding, write_report};
use std::path::Path;
use support::{made, place};

fn source() -> FigureSource {
    FigureSource {
        schema_version: FIGURES_SCHEMA_VERSION,
        run_id: "1234567890abcdef".into(),
        model: "din".into(),
        model_sha256: "aa".into(),
        dataset: "tiny".into(),
        content_sha256: "bb".into(),
        simulated: true,
        titled: false,
        rule: "The first of the <b>test</b> rows.".into(),
    }
}

fn good(name: &str) -> NamedGood {
    NamedGood { name: name.into(), categories: vec!["Comedy".into()] }
}

fn activation(weights: [f64; 2]) -> ActivationFigure {
    let event =
        |name: &str, same_category| ActivatedEvent { good: good(name), same_category, weights };
    let long = "a name so long that it cannot stand beside its bars and has to be cut somewhere in its middle";
    ActivationFigure {
        source: source(),
        relative: true,
        rows: 1234,
        same_category: 1.25,
        other_categories: 0.75,
        users: vec![ActivatedUser {
            user: 7,
            relevant: (good("<script>alert(1)</script>"), 0.8),
            irrelevant: (good("other"), 0.1),
            events: vec![event("first", true), event(long, false)],
        }],
    }
}

fn embedding(places: &[[f64; 2]]) -> EmbeddingFigure {
    EmbeddingFigure {
        source: source(),
        dim: 8,
        seed: 1,
        perplexity: 30.0,
        neighbors: 10,
        purity: 0.5,
        map_purity: 0.6,
        chance: 0.25,
        user: 7,
        history: vec![good("seen")],
        categories: vec!["Comedy".into(), "Drama".into()],
        points: (0u32..)
            .zip(places)
            .map(|(number, &place)| EmbeddedGood {
                name: format!("good {number}"),
                category: number % 2,
                probability: f64::from(number) / 10.0,
                place,
            })
            .collect(),
    }
}

fn decode(path: &Path) -> (u32, Vec<u8>) {
    let file = std::io::BufReader::new(std::fs::File::open(path).unwrap());
    let mut reader = png::Decoder::new(file).read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let width = reader.next_frame(&mut pixels).unwrap().width;
    (width, pixels)
}

#[test]
fn longer_bars_have_more_of_their_color() {
    let folder = tempfile::tempdir().unwrap();
    let count = |weights: [f64; 2]| {
        let files = write_activation(&activation(weights), folder.path()).unwrap();
        let names: Vec<&str> =
            files.iter().map(|file| file.file_name().unwrap().to_str().unwrap()).collect();
        assert_eq!(names, ["figure5_activation.png", "figure5_activation.svg"]);
        let (_, pixels) = decode(&files[0]);
        let of = |color: [u8; 3]| pixels.chunks(3).filter(|pixel| *pixel == color).count();
        [of([213, 94, 0]), of([0, 114, 178])]
    };
    // The axis reaches from 0 to the larger weight, so bars are shares of it.
    let [relevant, irrelevant] = count([2.0, 1.0]);
    let ratio = relevant as f64 / irrelevant as f64;
    assert!((1.7..2.1).contains(&ratio), "{relevant} {irrelevant}");
    let [relevant, irrelevant] = count([-1.0, 1.0]);
    assert!((relevant as f64 / irrelevant as f64 - 1.0).abs() < 0.1, "{relevant} {irrelevant}");
}

#[test]
fn maps_show_every_point_at_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let places: Vec<[f64; 2]> = (0..8).map(|at| [f64::from(at), f64::from(at * at)]).collect();
    let files = write_embedding(&embedding(&places), folder.path()).unwrap();
    assert_eq!(files.len(), 2);
    let (width, pixels) = decode(&files[0]);
    // Within the frame, pixels that are neither white nor gray belong to points: some in each quarter of the diagonal.
    let colored = |pixel: &[u8]| pixel.iter().max().unwrap() - pixel.iter().min().unwrap() > 40;
    let rows: Vec<usize> = pixels
        .chunks(3)
        .enumerate()
        .filter(|(at, pixel)| (60..790).contains(&(at / width as usize)) && colored(pixel))
        .map(|(at, _)| at / width as usize)
        .collect();
    assert!(rows.len() > 8 * 40, "{}", rows.len());
    // The parabola's upper end stands high, its lower end low.
    assert!(rows.iter().min().unwrap() < &150 && rows.iter().max().unwrap() > &700);
}

#[test]
fn the_page_shows_them_and_says_their_numbers() {
    let folder = tempfile::tempdir().unwrap();
    let (runs, out) = (folder.path().join("runs"), folder.path().join("out"));
    place(&runs, "a", &made().record());
    std::fs::create_dir_all(&out).unwrap();
    let put = |begin: &str, text: String| {
        std::fs::write(out.join(format!("{begin}tiny.json")), text).unwrap();
    };
    put(ACTIVATION_FILES, serde_json::to_string(&activation([1.0, 0.5])).unwrap());
    put(EMBEDDING_FILES, serde_json::to_string(&embedding(&[[0.0, 0.0], [1.0, 1.0]])).unwrap());
    let options = ReportOptions { runs, out: out.clone() };
    write_report(&options, &Background::default()).unwrap();
    let page = std::fs::read_to_string(out.join("index.html")).unwrap();
    assert!(page.contains("id=\"figure5\"") && page.contains("id=\"figure6\""));
    assert!(page.contains("those within weigh 1.250 on the mean of a row, the others 0.750"));
    for name in ["figure5_activation.png", "figure5_activation-tiny.svg", "figure6_embedding.svg"] {
        assert!(out.join(name).is_file(), "{name}");
    }
    assert!(page.contains(
        "50.0% are of its category by distance of embeddings and 60.0% on the map; by chance 25.0%"
    ));
    assert!(page.contains("The first of the &lt;b&gt;test&lt;&#x2f;b&gt; rows."));

    // What cannot be read is named with its file and a remedy.
    put(EMBEDDING_FILES, "{\"source\": {\"schema_version\": 1}}".into());
    let error = write_report(&options, &Background::default()).unwrap_err().to_string();
    assert!(error.contains("embedding-tiny.json") && error.contains("remove the file"), "{error}");
    put(EMBEDDING_FILES, "{\"source\": {\"schema_version\": 99}}".into());
    let error = write_report(&options, &Background::default()).unwrap_err().to_string();
    assert!(error.contains("later program"), "{error}");
}

#[test]
fn what_is_no_number_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let error = write_activation(&activation([f64::NAN, 1.0]), folder.path()).unwrap_err();
    assert!(error.to_string().contains("not a finite number"), "{error}");
    assert!(write_activation(&activation([1e308, -1e308]), folder.path()).is_err());
    assert!(write_embedding(&embedding(&[[0.0, f64::INFINITY]]), folder.path()).is_err());
    assert!(write_embedding(&embedding(&[]), folder.path()).is_err());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}
