//! What a run leaves behind, as plain data: tables and pictures are functions of these records alone.

use crate::{Protocol, Result, Role, canonical_json, sha256_hex};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Version of the layout below; it grows with every change that a reader must know of.
pub const RECORD_SCHEMA_VERSION: u32 = 1;

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Trained to its end or to its early stop; the metrics are results.
    Finished,
    /// The loss became infinite or not a number; the metrics are none.
    Diverged,
}

/// What scoring by the true click probabilities reaches: no model can be expected to do better. Only a
/// simulator knows it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ceiling {
    /// Impression-weighted AUC over users (paper, equation 10) on the test rows.
    pub test_gauc: f64,
    /// Pooled AUC on the test rows.
    pub test_auc: f64,
    /// Mean logistic loss on the test rows.
    pub test_log_loss: f64,
}

/// A field as the paper's table 1 describes it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FieldSummary {
    /// Name of the field's group.
    pub group: String,
    /// The group's part.
    pub role: Role,
    /// Name of the field.
    pub name: String,
    /// Real ids of its vocabulary.
    pub dimensionality: u64,
    /// Whether a row has several ids of it: a field of behaviors, or a bag.
    pub multi_hot: bool,
    /// Mean number of ids in a training row.
    pub ids_per_row: f64,
}

/// The data a run used.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DatasetReference {
    /// Identifier, such as `amazon-beauty`.
    pub id: String,
    /// SHA-256 over the content.
    pub content_sha256: String,
    /// Data of the simulator.
    pub simulated: bool,
    /// What a negative is: `uniform-1`, `observed`.
    pub negatives: String,
    /// Rows by split.
    pub rows: BTreeMap<String, u64>,
    /// Counts for table 2.
    pub statistics: BTreeMap<String, u64>,
    /// Fields for table 1; empty in records of before it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<FieldSummary>,
    /// What the truth reaches, where a simulator knows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ceiling: Option<Ceiling>,
}

/// The model's name and size.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelInfo {
    /// Identifier, such as `wide_deep`.
    pub id: String,
    /// Trained numbers outside the tables.
    pub num_params_dense: u64,
    /// Trained numbers in the tables.
    pub num_params_embedding: u64,
}

/// Where a run happened. Not part of [`RunRecord::result_sha256`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Environment {
    /// Operating system and architecture.
    pub os: String,
    /// Processor.
    pub cpu: String,
    /// Threads the run was allowed; on each rank, where several processes did it.
    pub threads: u64,
    /// Processes that did the run together, where it was not one alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ranks: Option<u64>,
    /// Compiler.
    pub rustc: String,
    /// Versions of this project and of the crates that compute.
    pub versions: BTreeMap<String, String>,
}

/// How long it took. Not part of [`RunRecord::result_sha256`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Timing {
    /// When the run ended, seconds since 1970.
    pub finished_unix_seconds: u64,
    /// Seconds spent in training steps.
    pub train_seconds: f64,
    /// Rows trained on in a second.
    pub train_samples_per_second: f64,
    /// Rows scored in a second.
    pub eval_samples_per_second: f64,
    /// Largest resident memory of the process so far, where the system tells.
    pub peak_rss_bytes: Option<u64>,
    /// Bytes that the first of several ranks gave to the others in a training step, on average.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network_bytes_per_step: Option<f64>,
}

/// One evaluation. Losses are means over rows (natural logarithm).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CurvePoint {
    /// Steps done.
    pub step: u64,
    /// Epochs done, with fraction.
    pub epoch: f64,
    /// Mean loss of the training steps since the point before.
    pub train_loss: Option<f64>,
    /// Loss on validation, absent under the authors' protocol; so for the two below.
    pub valid_loss: Option<f64>,
    /// Pooled AUC on validation.
    pub valid_auc: Option<f64>,
    /// gAUC on validation.
    pub valid_gauc: Option<f64>,
    /// Loss on test.
    pub test_loss: Option<f64>,
    /// Pooled AUC on test.
    pub test_auc: Option<f64>,
    /// gAUC on test.
    pub test_gauc: Option<f64>,
}

/// The evaluation that was chosen: highest validation gAUC under the held-out protocol, highest test
/// gAUC under the authors'.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Best {
    /// Its step.
    pub step: u64,
    /// Its epoch.
    pub epoch: f64,
}

/// The result. Test values are those of the chosen evaluation.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MetricValues {
    /// Impression-weighted AUC over users (paper, equation 10).
    pub test_gauc: Option<f64>,
    /// Pooled AUC.
    pub test_auc: Option<f64>,
    /// Mean logistic loss.
    pub test_log_loss: Option<f64>,
    /// Highest test gAUC of all evaluations, chosen by looking at test: what the paper printed.
    pub peak_test_gauc: Option<f64>,
    /// Validation gAUC of the chosen evaluation.
    pub valid_gauc: Option<f64>,
}

/// One run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunRecord {
    /// [`RECORD_SCHEMA_VERSION`] of the writer.
    pub schema_version: u32,
    /// First 16 digits of the SHA-256 over configuration, seed, protocol and data.
    pub run_id: String,
    /// What the number is, in one line (see [`crate::Signature`]).
    pub signature: String,
    /// The configuration with every default filled in.
    pub config: serde_json::Value,
    /// SHA-256 over its canonical JSON.
    pub config_sha256: String,
    /// The data.
    pub dataset: DatasetReference,
    /// The protocol.
    pub protocol: Protocol,
    /// The seed of all random streams.
    pub seed: u64,
    /// The model.
    pub model: ModelInfo,
    /// The machine.
    pub env: Environment,
    /// Times.
    pub timing: Timing,
    /// All evaluations, in order.
    pub curve: Vec<CurvePoint>,
    /// The one chosen; absent when the run diverged before any.
    pub best: Option<Best>,
    /// The result.
    pub metrics: MetricValues,
    /// SHA-256 of the predictions on test (users, labels, scores).
    pub predictions_sha256: String,
    /// SHA-256 of the weights of the chosen evaluation.
    pub model_sha256: String,
    /// SHA-256 over all that must repeat bit by bit; see [`RunRecord::compute_result_sha256`].
    pub result_sha256: String,
    /// How it ended.
    pub status: Status,
}

impl RunRecord {
    /// The identity of a run: SHA-256 over what decides its bits, shortened to 16 digits.
    ///
    /// # Errors
    /// When the configuration has no JSON form.
    pub fn compute_run_id(
        config_sha256: &str,
        dataset_sha256: &str,
        protocol: Protocol,
        seed: u64,
    ) -> Result<String> {
        let identity = serde_json::json!({
            "config_sha256": config_sha256,
            "dataset_sha256": dataset_sha256,
            "protocol": protocol,
            "seed": seed,
            "version": env!("CARGO_PKG_VERSION"),
        });
        Ok(sha256_hex(canonical_json(&identity)?.as_bytes())[..16].to_string())
    }

    /// SHA-256 over the record without machine, time and the hash itself: two honest runs of one
    /// configuration agree in it.
    ///
    /// # Errors
    /// When a value has no JSON form.
    pub fn compute_result_sha256(&self) -> Result<String> {
        let mut value = serde_json::to_value(self)?;
        if let Some(object) = value.as_object_mut() {
            for key in ["env", "timing", "result_sha256"] {
                object.remove(key);
            }
        }
        Ok(sha256_hex(canonical_json(&value)?.as_bytes()))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn record() -> RunRecord {
        RunRecord {
            schema_version: RECORD_SCHEMA_VERSION,
            run_id: "0".into(),
            signature: String::new(),
            config: serde_json::json!({"a": 1}),
            config_sha256: String::new(),
            dataset: DatasetReference {
                id: "d".into(),
                content_sha256: "x".into(),
                simulated: true,
                negatives: "uniform-1".into(),
                rows: BTreeMap::new(),
                statistics: BTreeMap::new(),
                fields: Vec::new(),
                ceiling: None,
            },
            protocol: Protocol::HeldOut,
            seed: 1,
            model: ModelInfo { id: "din".into(), num_params_dense: 1, num_params_embedding: 2 },
            env: Environment {
                os: String::new(),
                cpu: String::new(),
                threads: 1,
                ranks: None,
                rustc: String::new(),
                versions: BTreeMap::new(),
            },
            timing: Timing::default(),
            curve: vec![CurvePoint { step: 1, test_gauc: Some(0.5), ..CurvePoint::default() }],
            best: None,
            metrics: MetricValues::default(),
            predictions_sha256: String::new(),
            model_sha256: String::new(),
            result_sha256: String::new(),
            status: Status::Finished,
        }
    }

    #[test]
    fn the_result_hash_covers_results_and_leaves_the_machine_out() {
        let first = record();
        let mut elsewhere = first.clone();
        elsewhere.env.cpu = "another".into();
        elsewhere.timing.train_seconds = 9.0;
        assert_eq!(
            first.compute_result_sha256().unwrap(),
            elsewhere.compute_result_sha256().unwrap()
        );
        let mut other = first.clone();
        other.curve[0].test_gauc = Some(0.5 + f64::EPSILON);
        assert_ne!(first.compute_result_sha256().unwrap(), other.compute_result_sha256().unwrap());
    }

    #[test]
    fn run_ids_differ_by_each_of_their_parts() {
        let id = |config, data, protocol, seed| {
            RunRecord::compute_run_id(config, data, protocol, seed).unwrap()
        };
        let base = id("c", "d", Protocol::HeldOut, 1);
        assert_eq!(base.len(), 16);
        assert_eq!(base, id("c", "d", Protocol::HeldOut, 1));
        for other in [
            id("C", "d", Protocol::HeldOut, 1),
            id("c", "D", Protocol::HeldOut, 1),
            id("c", "d", Protocol::Authors, 1),
            id("c", "d", Protocol::HeldOut, 2),
        ] {
            assert_ne!(base, other);
        }
    }

    #[test]
    fn a_record_survives_json() {
        let text = serde_json::to_string(&record()).unwrap();
        assert_eq!(serde_json::from_str::<RunRecord>(&text).unwrap(), record());
    }
}
