//! The metrics against definitions that look at every pair, on random rows with many ties.

use approx::assert_abs_diff_eq;
use ctr_metrics::{
    Error, Gauc, GaucVariant, auc, gauc, log_loss_from_logits, log_loss_from_probabilities,
    rela_impr,
};
use std::collections::BTreeMap;

/// A small linear congruential generator; its upper bits are good enough for test data.
struct Lcg(u64);

impl Lcg {
    fn below(&mut self, bound: u32) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.0 >> 33) as u32 % bound
    }
}

struct Rows {
    users: Vec<u32>,
    labels: Vec<u8>,
    scores: Vec<f32>,
}

/// Rows of `users` users with scores from `levels` values, negative ones and both zeros among them.
fn rows(seed: u64, count: usize, users: u32, levels: u32) -> Rows {
    let mut random = Lcg(seed);
    let mut rows = Rows { users: vec![], labels: vec![], scores: vec![] };
    for _ in 0..count {
        rows.users.push(random.below(users));
        rows.labels.push(u8::from(random.below(3) == 0));
        let level = random.below(levels) as f32 - (levels / 2) as f32;
        rows.scores.push(if random.below(2) == 0 { level } else { -level });
    }
    rows
}

/// (won, tied, pairs) over all pairs of a positive and a negative row.
fn pairs(labels: &[u8], scores: &[f32]) -> (f64, f64, f64) {
    let mut count = (0.0, 0.0, 0.0);
    for (i, &positive) in labels.iter().enumerate() {
        for (j, &negative) in labels.iter().enumerate() {
            if positive == 1 && negative == 0 {
                count.0 += f64::from(u8::from(scores[i] > scores[j]));
                count.1 += f64::from(u8::from(scores[i] == scores[j]));
                count.2 += 1.0;
            }
        }
    }
    count
}

fn slow_gauc(rows: &Rows, variant: GaucVariant) -> Gauc {
    let mut by_user: BTreeMap<u32, (Vec<u8>, Vec<f32>)> = BTreeMap::new();
    for (row, &user) in rows.users.iter().enumerate() {
        let entry = by_user.entry(user).or_default();
        entry.0.push(rows.labels[row]);
        entry.1.push(rows.scores[row]);
    }
    let (mut sum, mut weights) = (0.0, 0.0);
    let mut result = Gauc { value: 0.0, users_counted: 0, users_skipped: 0, rows_counted: 0 };
    for (labels, scores) in by_user.values() {
        let (won, tied, all) = pairs(labels, scores);
        if all == 0.0 {
            result.users_skipped += 1;
            continue;
        }
        let positives: f64 = labels.iter().map(|&label| f64::from(label)).sum();
        let (weight, value) = match variant {
            GaucVariant::Paper | GaucVariant::FuxiCtr => {
                (labels.len() as f64, (won + tied / 2.0) / all)
            }
            GaucVariant::Authors => (1.0, won / all),
            GaucVariant::RecBole => (positives, (won + tied / 2.0) / all),
        };
        sum += weight * value;
        weights += weight;
        result.users_counted += 1;
        result.rows_counted += labels.len();
    }
    result.value = sum / weights;
    result
}

#[test]
fn auc_equals_the_count_over_all_pairs() {
    for seed in 0..20 {
        for levels in [2, 7, 1000] {
            let rows = rows(seed, 300, 1, levels);
            let (won, tied, all) = pairs(&rows.labels, &rows.scores);
            let expected = (2.0 * won + tied) / (2.0 * all);
            assert_eq!(auc(&rows.labels, &rows.scores).unwrap(), expected, "{seed} {levels}");
        }
    }
}

#[test]
fn auc_over_many_rows_equals_the_count_over_all_pairs() {
    // Enough rows for the radix sort.
    let rows = rows(1, 12_000, 1, 5000);
    let (won, tied, all) = pairs(&rows.labels, &rows.scores);
    assert_eq!(auc(&rows.labels, &rows.scores).unwrap(), (2.0 * won + tied) / (2.0 * all));
}

#[test]
fn gauc_equals_the_count_over_all_pairs_in_all_variants() {
    for seed in 0..20 {
        for (users, levels) in [(1, 5), (40, 3), (40, 1000), (200, 5)] {
            let rows = rows(seed, 400, users, levels);
            for variant in GaucVariant::ALL {
                let found = gauc(&rows.users, &rows.labels, &rows.scores, variant).unwrap();
                let expected = slow_gauc(&rows, variant);
                assert_abs_diff_eq!(found.value, expected.value, epsilon = 1e-14);
                assert_eq!(Gauc { value: 0.0, ..found }, Gauc { value: 0.0, ..expected });
            }
        }
    }
}

#[test]
fn user_ids_may_be_sparse() {
    let mut rows = rows(3, 500, 40, 5);
    let dense = gauc(&rows.users, &rows.labels, &rows.scores, GaucVariant::Paper).unwrap();
    for user in &mut rows.users {
        *user = u32::MAX - 97_000_000 + *user * 2_000_003;
    }
    let sparse = gauc(&rows.users, &rows.labels, &rows.scores, GaucVariant::Paper).unwrap();
    assert_eq!(dense, sparse);
}

#[test]
fn the_order_of_rows_does_not_matter() {
    let rows = rows(4, 5000, 700, 50);
    let backward = Rows {
        users: rows.users.iter().rev().copied().collect(),
        labels: rows.labels.iter().rev().copied().collect(),
        scores: rows.scores.iter().rev().copied().collect(),
    };
    for variant in GaucVariant::ALL {
        assert_eq!(
            gauc(&rows.users, &rows.labels, &rows.scores, variant),
            gauc(&backward.users, &backward.labels, &backward.scores, variant)
        );
    }
    assert_eq!(auc(&rows.labels, &rows.scores), auc(&backward.labels, &backward.scores));
}

#[test]
fn a_monotone_transform_of_the_scores_changes_nothing() {
    let rows = rows(5, 3000, 300, 40);
    let stretched: Vec<f32> = rows.scores.iter().map(|x| x * x * x + 2.0 * x - 7.0).collect();
    assert_eq!(auc(&rows.labels, &rows.scores), auc(&rows.labels, &stretched));
    for variant in GaucVariant::ALL {
        assert_eq!(
            gauc(&rows.users, &rows.labels, &rows.scores, variant),
            gauc(&rows.users, &rows.labels, &stretched, variant)
        );
    }
    let turned: Vec<f32> = rows.scores.iter().map(|x| -x).collect();
    let sum = auc(&rows.labels, &rows.scores).unwrap() + auc(&rows.labels, &turned).unwrap();
    assert_abs_diff_eq!(sum, 1.0, epsilon = 1e-15);
}

#[test]
fn one_pair_a_user_without_ties_is_one_number_in_all_variants() {
    let mut random = Lcg(6);
    let (mut users, mut labels, mut scores) = (vec![], vec![], vec![]);
    for user in 0..500 {
        users.extend([user, user]);
        labels.extend([1, 0]);
        let negative = random.below(1000) as f32;
        scores.extend([negative + 1.0 - 2.0 * (random.below(3) == 0) as u8 as f32, negative]);
    }
    let values: Vec<f64> = GaucVariant::ALL
        .iter()
        .map(|&variant| gauc(&users, &labels, &scores, variant).unwrap().value)
        .collect();
    assert!(values[0] > 0.5 && values[0] < 0.9, "{values:?}");
    assert!(values.iter().all(|&value| value == values[0]), "{values:?}");
    // A tie is where they part.
    scores[0] = scores[1];
    let value = |variant| gauc(&users, &labels, &scores, variant).unwrap().value;
    assert_abs_diff_eq!(
        value(GaucVariant::Paper) - value(GaucVariant::Authors),
        0.5 / 500.0,
        epsilon = 1e-12
    );
}

#[test]
fn infinities_are_scores() {
    let scores = [f32::INFINITY, f32::NEG_INFINITY, f32::MAX, f32::INFINITY];
    assert_eq!(auc(&[1, 0, 0, 0], &scores).unwrap(), 2.5 / 3.0);
    assert_eq!(auc(&[1, 0], &[-0.0, 0.0]).unwrap(), 0.5);
    assert_eq!(log_loss_from_logits(&[1, 0], &[f32::INFINITY, f32::NEG_INFINITY]).unwrap(), 0.0);
    assert_eq!(log_loss_from_logits(&[0], &[f32::INFINITY]).unwrap(), f64::INFINITY);
}

#[test]
fn the_two_log_losses_agree_and_follow_the_definition() {
    let mut random = Lcg(8);
    let labels: Vec<u8> = (0..2000).map(|_| random.below(2) as u8).collect();
    let logits: Vec<f32> = (0..2000).map(|_| random.below(800) as f32 / 100.0 - 4.0).collect();
    let probabilities: Vec<f32> =
        logits.iter().map(|&x| (1.0 / (1.0 + f64::from(-x).exp())) as f32).collect();
    let expected = labels
        .iter()
        .zip(&logits)
        .map(|(&label, &logit)| {
            let p = 1.0 / (1.0 + f64::from(-logit).exp());
            -(f64::from(label) * p.ln() + (1.0 - f64::from(label)) * (1.0 - p).ln())
        })
        .sum::<f64>()
        / 2000.0;
    assert_abs_diff_eq!(log_loss_from_logits(&labels, &logits).unwrap(), expected, epsilon = 1e-13);
    // Rounding p to f32 costs digits.
    assert_abs_diff_eq!(
        log_loss_from_probabilities(&labels, &probabilities).unwrap(),
        expected,
        epsilon = 1e-7
    );
    assert_abs_diff_eq!(
        log_loss_from_probabilities(&[1], &[0.0]).unwrap(),
        -f64::from(f32::EPSILON).ln(),
        epsilon = 1e-12
    );
    // A logit that would overflow exp.
    assert_eq!(log_loss_from_logits(&[0], &[1000.0]).unwrap(), 1000.0);
}

#[test]
fn bad_columns_are_errors_that_name_the_place() {
    let paper = GaucVariant::Paper;
    assert_eq!(auc(&[], &[]), Err(Error::Empty));
    assert_eq!(gauc(&[], &[], &[], paper), Err(Error::Empty));
    assert_eq!(log_loss_from_logits(&[], &[]), Err(Error::Empty));
    assert_eq!(auc(&[1, 0, 1], &[0.1, f32::NAN, f32::NAN]), Err(Error::Nan { row: 1 }));
    assert_eq!(gauc(&[1, 1], &[1, 0], &[0.1, f32::NAN], paper), Err(Error::Nan { row: 1 }));
    assert_eq!(log_loss_from_logits(&[1], &[f32::NAN]), Err(Error::Nan { row: 0 }));
    assert_eq!(auc(&[1, 2], &[0.1, 0.2]), Err(Error::Label { row: 1, label: 2 }));
    let length = |name, found, expected| Error::Length { name, found, expected };
    assert_eq!(auc(&[1, 0], &[0.1]), Err(length("scores", 1, 2)));
    assert_eq!(gauc(&[1], &[1, 0], &[0.1, 0.2], paper), Err(length("users", 1, 2)));
    let one_class = Error::OneClass { positives: 2, negatives: 0 };
    assert_eq!(auc(&[1, 1], &[0.1, 0.2]), Err(one_class));
    assert_eq!(gauc(&[1, 2], &[1, 0], &[0.1, 0.2], paper), Err(Error::NoUser { users: 2 }));
    assert_eq!(
        log_loss_from_probabilities(&[1, 0], &[0.5, 1.5]),
        Err(Error::Probability { row: 1, value: 1.5 })
    );
    let message = auc(&[1, 2], &[0.1, 0.2]).unwrap_err().to_string();
    assert_eq!(message, "row 1: label 2, expected 0 or 1");
}

#[test]
fn rela_impr_is_equation_11_and_needs_a_base_that_learned() {
    assert_abs_diff_eq!(rela_impr(0.75, 0.625).unwrap(), 100.0, epsilon = 1e-12);
    assert_abs_diff_eq!(rela_impr(0.5, 0.8).unwrap(), -100.0, epsilon = 1e-12);
    assert_eq!(rela_impr(0.6, 0.6).unwrap(), 0.0);
    assert_eq!(rela_impr(0.6, 0.5), Err(Error::RelaImpr { model: 0.6, base: 0.5 }));
    assert!(rela_impr(f64::NAN, 0.6).is_err());
}

#[test]
fn one_thread_and_two_threads_give_the_same_bits() {
    let rows = rows(9, 200_000, 30_000, 100_000);
    let all = |threads| {
        rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(|| {
            let mut bits: Vec<u64> = GaucVariant::ALL
                .iter()
                .map(|&variant| {
                    gauc(&rows.users, &rows.labels, &rows.scores, variant).unwrap().value.to_bits()
                })
                .collect();
            bits.push(auc(&rows.labels, &rows.scores).unwrap().to_bits());
            bits.push(log_loss_from_logits(&rows.labels, &rows.scores).unwrap().to_bits());
            bits
        })
    };
    assert_eq!(all(1), all(2));
}
