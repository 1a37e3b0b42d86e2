//! `verify`: a run again, compared bit by bit and step by step.

use super::evaluate::{self, Stored};
use super::pool;
use crate::cli::EvalArguments;
use crate::failure::{Failure, is_interruption};
use crate::job::Job;
use crate::output;
use crate::progress::Progress;
use anyhow::Result;
use ctr_core::{RunRecord, Workshop};
use ctr_train::{LOSSES_FILE, read_losses};
use serde_json::json;
use std::path::Path;

pub fn verify(arguments: &EvalArguments, quiet: bool) -> Result<()> {
    let Stored { directory, record, config, dataset, shards, .. } = evaluate::load(arguments)?;
    let job = Job { dataset: &dataset, shards, config, seed: record.seed };
    let again = Workshop::new(&std::env::temp_dir(), "din-repro-verify-")?;
    let progress = Progress::new(quiet);
    let observer = progress.run(job.titles());
    let repeated = pool(arguments.threads)?.install(|| job.repeat(again.path(), &observer));
    observer.close();
    if repeated.as_ref().is_err_and(is_interruption) {
        return Err(Failure::Interrupted("the same command begins anew".into()).into());
    }
    let repeated = repeated?;
    // The record says what its result is; whether the hash is that of the rest is looked at too.
    let own = record.compute_result_sha256()?;
    let equal = repeated.result_sha256 == record.result_sha256 && own == record.result_sha256;
    let differs = if equal {
        None
    } else {
        Some(first_difference(&record, &repeated, &losses(&directory)?, &losses(again.path())?))
    };
    let value = json!({
        "run": directory,
        "recorded_result_sha256": record.result_sha256,
        "repeated_result_sha256": repeated.result_sha256,
        "equal": equal,
        "first_difference": differs,
    });
    output::formatted(arguments.format, &value, || {
        if equal {
            format!("{}: the same bits, result sha256 {}", job.title(), record.result_sha256)
        } else {
            format!("{}: not the same bits", job.title())
        }
    })?;
    match differs {
        None => Ok(()),
        Some(place) => Err(Failure::Expectation(format!("the first difference is {place}")).into()),
    }
}

/// The losses of all steps; none of runs from before they were kept, or when only the record was passed on.
fn losses(directory: &Path) -> Result<Vec<f64>> {
    if directory.join(LOSSES_FILE).exists() { Ok(read_losses(directory)?) } else { Ok(Vec::new()) }
}

/// Where two runs of one configuration part: the first step whose loss differs, else the first evaluation.
fn first_difference(
    recorded: &RunRecord,
    repeated: &RunRecord,
    recorded_losses: &[f64],
    repeated_losses: &[f64],
) -> String {
    if recorded.run_id != repeated.run_id {
        return format!(
            "the run id, {} against {}: another version of this program",
            recorded.run_id, repeated.run_id
        );
    }
    let steps = recorded_losses.iter().zip(repeated_losses).zip(1u64..);
    let step = steps.into_iter().find(|((left, right), _)| left.to_bits() != right.to_bits());
    let points = recorded.curve.iter().zip(&repeated.curve);
    let point = points.into_iter().find(|(left, right)| left != right).map(|(left, _)| left.step);
    match (step, point) {
        // The losses say nothing of an evaluation before them.
        (Some(((left, right), step)), point) if point.is_none_or(|point| step <= point) => {
            format!("in step {step}: its loss was {left:?} and is now {right:?}")
        }
        (_, Some(point)) => format!("in the evaluation after step {point}"),
        _ if recorded.curve.len() != repeated.curve.len() => format!(
            "the number of evaluations, {} against {}",
            recorded.curve.len(),
            repeated.curve.len()
        ),
        _ => "not in the steps: weights, scores or settings in the record differ".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::first_difference;
    use ctr_core::{CurvePoint, RunRecord};

    fn record(gaucs: &[f64]) -> RunRecord {
        let curve: Vec<CurvePoint> = gaucs
            .iter()
            .zip(1u64..)
            .map(|(&gauc, index)| CurvePoint {
                step: 2 * index,
                epoch: index as f64,
                test_gauc: Some(gauc),
                ..CurvePoint::default()
            })
            .collect();
        let text = serde_json::json!({
            "schema_version": 1, "run_id": "r", "signature": "", "config": {}, "config_sha256": "",
            "dataset": {"id": "tiny", "content_sha256": "", "simulated": true, "negatives": "",
                "rows": {}, "statistics": {}},
            "protocol": "held-out", "seed": 1,
            "model": {"id": "din", "num_params_dense": 0, "num_params_embedding": 0},
            "env": {"os": "", "cpu": "", "threads": 1, "rustc": "", "versions": {}},
            "timing": serde_json::to_value(ctr_core::Timing::default()).unwrap(),
            "curve": serde_json::to_value(curve).unwrap(),
            "best": null,
            "metrics": serde_json::to_value(ctr_core::MetricValues::default()).unwrap(),
            "predictions_sha256": "", "model_sha256": "", "result_sha256": "", "status": "finished",
        });
        serde_json::from_value(text).unwrap()
    }

    #[test]
    fn the_first_step_that_differs_is_named() {
        let (old, new) = (record(&[0.5, 0.6]), record(&[0.5, 0.7]));
        let losses = [0.70, 0.69, 0.68, 0.67];
        let mut other = losses;
        other[2] = 0.681;
        let place = first_difference(&old, &new, &losses, &other);
        assert_eq!(place, "in step 3: its loss was 0.68 and is now 0.681");
        // Equal losses, or none: the evaluation.
        for losses in [&losses[..], &[]] {
            let place = first_difference(&old, &new, losses, losses);
            assert_eq!(place, "in the evaluation after step 4");
        }
        // The losses part only after an evaluation did.
        other = losses;
        other[3] = 0.6;
        let new = record(&[0.4, 0.6]);
        let place = first_difference(&old, &new, &losses, &other);
        assert_eq!(place, "in the evaluation after step 2");
    }

    #[test]
    fn what_differs_in_no_step_is_said_to() {
        let place = first_difference(&record(&[0.5]), &record(&[0.5, 0.6]), &[], &[]);
        assert!(place.contains("1 against 2"), "{place}");
        let place = first_difference(&record(&[0.5]), &record(&[0.5]), &[], &[]);
        assert!(place.contains("not in the steps"), "{place}");
        let mut other = record(&[0.5]);
        other.run_id = "s".into();
        let place = first_difference(&record(&[0.5]), &other, &[], &[]);
        assert!(place.contains("another version"), "{place}");
    }
}
