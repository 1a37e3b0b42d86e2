//! Comparisons against scipy and statsmodels (`golden/statistics.py` wrote the file).

#![allow(clippy::unwrap_used, clippy::panic)]

use approx::assert_abs_diff_eq;
use ctr_metrics::{
    Error, PairedComparison, Resampling, SeededUsers, UserAuc, compare_paired, holm,
    standard_error, std_interval_95, student_975, student_p,
};
use serde_json::Value;

fn golden() -> Value {
    serde_json::from_str(include_str!("golden/statistics.json")).unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

/// The runs of one model.
fn runs(golden: &Value, model: &str, weights: &[f64]) -> Vec<Vec<UserAuc>> {
    let users = |run: &Value| {
        let pairs = numbers(run).into_iter().zip(weights);
        let user = |(user, (auc, &weight))| UserAuc { user, weight, auc };
        (0u32..).zip(pairs).map(user).collect()
    };
    golden[model].as_array().unwrap().iter().map(users).collect()
}

fn seeded(runs: &[Vec<UserAuc>], first_seed: u64) -> Vec<SeededUsers<'_>> {
    (first_seed..).zip(runs).map(|(seed, users)| SeededUsers { seed, users }).collect()
}

const MANY: Resampling = Resampling { resamples: 40_000, seed: 7 };

/// Both sides of the comparison have drawn at random; ends of intervals lie on a lattice of single users in the
/// golden data of one run.
fn close_intervals(found: &PairedComparison, expected: &Value, tolerance: f64) {
    let ends = numbers(&expected["interval"]);
    assert_abs_diff_eq!(found.effect, expected["effect"].as_f64().unwrap(), epsilon = 1e-7);
    assert_abs_diff_eq!(found.interval.0, ends[0], epsilon = tolerance);
    assert_abs_diff_eq!(found.interval.1, ends[1], epsilon = tolerance);
    let p = expected["p_permutation"].as_f64().unwrap();
    let error = (p * (1.0 - p) * (1.0 / 40_000.0 + 1.0 / 200_000.0)).sqrt();
    assert_abs_diff_eq!(found.p_permutation, p, epsilon = 4.0 * error + 1e-5);
}

#[test]
fn one_run_a_side_is_scipys_bootstrap_over_users() {
    let golden = golden();
    let weights = vec![1.0; 400];
    let (first, second) = (runs(&golden, "first", &weights), runs(&golden, "second", &weights));
    let found = compare_paired(&seeded(&first[..1], 1), &seeded(&second[..1], 1), MANY).unwrap();
    close_intervals(&found, &golden["single"], 7e-4);
    let expected = golden["single"]["standard_error"].as_f64().unwrap();
    assert_abs_diff_eq!(found.standard_error_users, expected, epsilon = 1e-9);
    assert_eq!((found.users, found.runs, found.standard_error_seeds), (400, (1, 1), None));
    assert!(found.paired_seeds);
}

#[test]
fn several_seeds_and_weights_agree_with_numpy() {
    let golden = golden();
    let weights = numbers(&golden["weights"]);
    let (first, second) = (runs(&golden, "first", &weights), runs(&golden, "second", &weights));
    let found = compare_paired(&seeded(&first, 1), &seeded(&second, 1), MANY).unwrap();
    let expected = &golden["seeds"];
    close_intervals(&found, expected, 4e-4);
    let p = expected["p_bootstrap"].as_f64().unwrap();
    assert_abs_diff_eq!(found.p_bootstrap, p, epsilon = 0.15 * p + 1e-4);
    let error = expected["standard_error_seeds"].as_f64().unwrap();
    assert_abs_diff_eq!(found.standard_error_seeds.unwrap(), error, epsilon = 1e-9);
    // scipy: 2·t.sf(effect/√(u² + s²), degrees), the degrees being Satterthwaite's.
    let expected = &expected["p_student"];
    assert_abs_diff_eq!(found.p_student().unwrap(), expected.as_f64().unwrap(), epsilon = 1e-6);
    assert_eq!(
        found.p(),
        found.p_bootstrap.max(found.p_permutation).max(found.p_student().unwrap())
    );
    // The other way round is the mirror image.
    let mirrored = compare_paired(&seeded(&second, 1), &seeded(&first, 1), MANY).unwrap();
    assert_abs_diff_eq!(mirrored.effect, -found.effect, epsilon = 1e-12);
    assert_abs_diff_eq!(mirrored.interval.0, -found.interval.1, epsilon = 4e-4);
}

#[test]
fn equal_users_are_no_difference_however_rounding_falls() {
    let golden = golden();
    let weights = numbers(&golden["weights"]);
    let runs = runs(&golden, "first", &weights);
    let backward: Vec<Vec<UserAuc>> = runs.iter().rev().cloned().collect();
    for other in [&runs, &backward] {
        // Without pairs the runs of one side are the same in another order.
        let found = compare_paired(&seeded(&runs, 1), &seeded(other, 50), MANY).unwrap();
        assert_eq!((found.effect, found.p_permutation), (0.0, 1.0));
        assert!(found.interval.0 < 0.0 && found.interval.1 > 0.0);
        let found = compare_paired(&seeded(&runs, 1), &seeded(&runs, 1), MANY).unwrap();
        assert_eq!((found.interval, found.p()), ((0.0, 0.0), 1.0));
    }
}

#[test]
fn without_common_seeds_each_side_is_drawn_on_its_own() {
    let golden = golden();
    let weights = numbers(&golden["weights"]);
    let (first, second) = (runs(&golden, "first", &weights), runs(&golden, "second", &weights));
    let paired = compare_paired(&seeded(&first, 1), &seeded(&second, 1), MANY).unwrap();
    let apart = compare_paired(&seeded(&first, 1), &seeded(&second, 11), MANY).unwrap();
    assert!(!apart.paired_seeds);
    assert_abs_diff_eq!(apart.effect, paired.effect, epsilon = 1e-12);
    // Seeds shift the two models independently here, and not equally.
    assert!(apart.standard_error_seeds != paired.standard_error_seeds);
    // Runs without a partner do not count.
    let some = compare_paired(&seeded(&first, 1), &seeded(&second[..2], 2), MANY).unwrap();
    assert_eq!((some.runs, some.paired_seeds), ((2, 2), true));
}

#[test]
fn the_same_bits_on_any_number_of_threads() {
    let golden = golden();
    let weights = numbers(&golden["weights"]);
    let (first, second) = (runs(&golden, "first", &weights), runs(&golden, "second", &weights));
    let compare = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            compare_paired(&seeded(&first, 1), &seeded(&second, 1), Resampling::default()).unwrap()
        })
    };
    assert_eq!(compare(1), compare(3));
}

#[test]
fn under_the_null_the_interval_covers_zero_as_often_as_it_says() {
    // 300 experiments of two equal models: about 5 % of the intervals of one run a side leave zero out.
    let mut outside = 0;
    let mut state = 1u64;
    let mut coin = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        f64::from((state >> 40) as u32 & 1)
    };
    for experiment in 0..300 {
        let mut run = || -> Vec<UserAuc> {
            (0..200).map(|user| UserAuc { user, weight: 2.0, auc: coin() }).collect()
        };
        let (first, second) = (run(), run());
        let resampling = Resampling { resamples: 500, seed: experiment };
        let (first, second) = ([first], [second]);
        let found = compare_paired(&seeded(&first, 1), &seeded(&second, 1), resampling).unwrap();
        outside += usize::from(found.interval.0 > 0.0 || found.interval.1 < 0.0);
    }
    assert!((5..=27).contains(&outside), "{outside} of 300");
}

#[test]
fn other_users_are_no_pair() {
    let user = |user, weight| UserAuc { user, weight, auc: 0.5 };
    let compare = |first: Vec<UserAuc>, second: Vec<UserAuc>| {
        compare_paired(&seeded(&[first], 1), &seeded(&[second], 1), MANY).unwrap_err()
    };
    for second in [vec![user(2, 2.0)], vec![user(1, 3.0)], vec![user(1, 2.0), user(2, 2.0)]] {
        let error = compare(vec![user(1, 2.0)], second);
        assert!(matches!(error, Error::OtherUsers { .. }), "{error}");
    }
    assert!(matches!(compare(vec![], vec![]), Error::NoUser { .. }));
    assert!(matches!(compare_paired(&[], &[], MANY), Err(Error::NoRuns { .. })));
}

#[test]
fn holm_and_quantiles_are_those_of_statsmodels_and_scipy() {
    let golden = golden();
    let adjusted = holm(&numbers(&golden["holm"]["p"]));
    for (found, expected) in adjusted.iter().zip(numbers(&golden["holm"]["adjusted"])) {
        assert_abs_diff_eq!(*found, expected, epsilon = 1e-14);
    }
    for (degrees, expected) in golden["student_975"].as_object().unwrap() {
        let found = student_975(degrees.parse().unwrap());
        assert_abs_diff_eq!(found, expected.as_f64().unwrap(), epsilon = 1e-8);
    }
    assert_eq!(student_975(0), f64::INFINITY);
    for row in golden["student_p"].as_array().unwrap() {
        let [t, degrees, expected] = numbers(row)[..] else { panic!("{row}") };
        let found = student_p(-t, degrees);
        assert_abs_diff_eq!(found, expected, epsilon = 1e-9);
    }
    assert_eq!((student_p(f64::NAN, 3.0), student_p(f64::INFINITY, 3.0)), (1.0, 0.0));
    for (n, expected) in golden["std_interval_95"].as_object().unwrap() {
        let (low, high) = std_interval_95(2.0, n.parse().unwrap()).unwrap();
        let ends = numbers(expected);
        assert_abs_diff_eq!(low, 2.0 * ends[0], epsilon = 1e-7);
        assert_abs_diff_eq!(high, 2.0 * ends[1], epsilon = 1e-7 * ends[1]);
    }
    assert_eq!(std_interval_95(1.0, 1), None);
    assert!(standard_error(&[]).is_none());
}
