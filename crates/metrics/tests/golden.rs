//! The metrics against values of scikit-learn (`golden/make.py` wrote both files).

use approx::assert_abs_diff_eq;
use ctr_metrics::{GaucVariant, auc, gauc, log_loss_from_logits, log_loss_from_probabilities};
use std::collections::BTreeMap;

const ROWS: &str = include_str!("golden/rows.csv");
const VALUES: &str = include_str!("golden/values.csv");

#[test]
fn scikit_learn_agrees() {
    let expected: BTreeMap<&str, f64> = VALUES
        .lines()
        .skip(1)
        .map(|line| line.split_once(',').unwrap())
        .map(|(name, value)| (name, value.parse().unwrap()))
        .collect();
    let (mut users, mut labels, mut logits, mut probabilities) = (vec![], vec![], vec![], vec![]);
    for line in ROWS.lines().skip(1) {
        let cells: Vec<&str> = line.split(',').collect();
        users.push(cells[0].parse::<u32>().unwrap());
        labels.push(cells[1].parse::<u8>().unwrap());
        logits.push(cells[2].parse::<f32>().unwrap());
        probabilities.push(cells[3].parse::<f32>().unwrap());
    }
    assert_eq!(users.len(), 1000);

    let close =
        |found: f64, name: &str| assert_abs_diff_eq!(found, expected[name], epsilon = 1e-13);
    close(auc(&labels, &logits).unwrap(), "auc");
    for (variant, name) in [
        (GaucVariant::Paper, "gauc_paper"),
        (GaucVariant::Authors, "gauc_authors"),
        (GaucVariant::FuxiCtr, "gauc_fuxictr"),
        (GaucVariant::RecBole, "gauc_recbole"),
    ] {
        let found = gauc(&users, &labels, &logits, variant).unwrap();
        close(found.value, name);
        assert_eq!(found.users_counted as f64, expected["users_counted"]);
        assert_eq!(found.rows_counted as f64, expected["rows_counted"]);
        assert!(found.users_skipped >= 2);
    }
    close(log_loss_from_logits(&labels, &logits).unwrap(), "log_loss_logits");
    // scikit-learn computes this one in float32 steps.
    assert_abs_diff_eq!(
        log_loss_from_probabilities(&labels, &probabilities).unwrap(),
        expected["log_loss_probabilities"],
        epsilon = 1e-6
    );
}
