//! On data whose true gAUC is one half, and on rows that are no pairs.

use super::*;
use crate::registry::ModelId;
use crate::{config, data};
use ctr_core::{Dataset, Protocol, SeedStreams};
use ctr_train::Silent;
use std::sync::atomic::AtomicBool;

/// The small simulation, with a coin for each test user that decides which of his two candidates is called
/// the positive: the true gAUC of every model is one half.
fn chance() -> Dataset {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("tiny");
    let prepared = data::simulate("tiny", 1, 2.0, Protocol::HeldOut).unwrap();
    prepared.write(&out).unwrap();
    let mut dataset = data::open(&out, Some(Protocol::HeldOut)).unwrap();
    let mut coins = SeedStreams::new(9).stream("coins");
    for (positive, negative) in pairs(&dataset.test).unwrap() {
        if coins.below(2) == 1 {
            dataset.test.labels.swap(positive as usize, negative as usize);
        }
    }
    dataset.content_sha256 = "chance".into();
    dataset
}

fn exhibit(dataset: &Dataset, model: &str, settings: &[&str]) -> ExhibitRecord {
    let all: Vec<String> = ["train.epochs=3", "train.patience=0"]
        .iter()
        .chain(settings)
        .map(ToString::to_string)
        .collect();
    let model = ModelId::named(model).unwrap();
    let config = config::resolve(model, "small", None, &all).unwrap();
    let job = Job { dataset, shards: None, config, seed: 1 };
    let folder = tempfile::tempdir().unwrap();
    job.run(folder.path(), false, &Silent, &AtomicBool::new(false)).unwrap();
    let exhibit = write(&job, folder.path()).unwrap().unwrap();
    // Stored, and not made again.
    assert_eq!(write(&job, folder.path()).unwrap().unwrap(), exhibit);
    assert!(folder.path().join(EXHIBIT_FILE).exists());
    exhibit
}

#[test]
fn wrong_ways_find_what_is_not_there() {
    let dataset = chance();
    let error = 0.5 / (pairs(&dataset.test).unwrap().len() as f64).sqrt();
    let near_chance = |value: f64| (value - 0.5).abs() < 3.0 * error;

    let din =
        exhibit(&dataset, "din", &["model.network.activation=dice_authors", "train.epochs=14"]);
    assert!(near_chance(din.test_gauc), "{din:?}");
    let added = |name: &str| din.exhibits[name] - din.test_gauc;
    assert!(added(A) > 3.0 * error, "{din:?}, {error}");
    assert!(added(AB).abs() > 0.0 && added(B).abs() > 0.0 && added(C).abs() > 0.0, "{din:?}");
    assert!(!din.exhibits.contains_key(D) && !din.exhibits.contains_key(C_IF));

    for (way, with_peak) in [(A, AE), (B, BE), (AB, ABE), (C, CE)] {
        assert!(din.exhibits[with_peak] >= din.exhibits[way], "{way}: {din:?}");
    }

    let base = exhibit(&dataset, "base_model", &[]);
    assert!(near_chance(base.test_gauc), "{base:?}");
    assert_eq!(base.exhibits[A].to_bits(), base.test_gauc.to_bits());
    assert_eq!(base.exhibits[C].to_bits(), base.test_gauc.to_bits());
    assert!(base.exhibits[C_IF] != base.test_gauc);
    assert_eq!(base.exhibits[AE].to_bits(), base.exhibits[E].to_bits());
    assert!(base.exhibits[E] >= base.test_gauc);

    let batch = exhibit(&dataset, "din", &["model.network.normalization=batch"]);
    assert!(batch.exhibits[D] != batch.test_gauc, "{batch:?}");
}

#[test]
fn only_pairs_are_exhibited() {
    let samples = |users: &[u32], labels: &[u8]| Samples {
        users: users.to_vec(),
        labels: labels.to_vec(),
        ..Samples::default()
    };
    assert_eq!(pairs(&samples(&[4, 2, 2, 4], &[1, 0, 1, 0])), Some(vec![(2, 1), (0, 3)]));
    assert_eq!(pairs(&samples(&[1, 1, 1], &[1, 0, 0])), None);
    assert_eq!(pairs(&samples(&[1, 1, 2], &[1, 0, 0])), None);
}
