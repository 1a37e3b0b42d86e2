//! The end of a run: the chosen weights, scored as a stranger with the model file would.

use crate::checkpoint::{self, MODEL_FILE};
use crate::handout::hand_out_file;
use crate::run::Run;
use crate::{Chosen, Error, Evaluation, Outcome, Result, Waits};
use ctr_core::{
    Dataset, Digest, MetricValues, Signature, Split, Status, sha256_hex, sha256_of_file,
};
use ctr_metrics::GaucVariant;
use ctr_nn::NamedTensors;
use serde_json::json;
use std::path::Path;
use std::sync::atomic::AtomicBool;

impl Run<'_> {
    /// Takes the chosen weights back, and gives the hash of their file.
    fn load_chosen(&mut self, path: &Path) -> Result<String> {
        let fail = |source| Error::Io { path: path.to_path_buf(), source };
        if !self.network.is_partitioned() {
            let bytes = std::fs::read(path).map_err(fail)?;
            self.network.weights.import(&NamedTensors::from_bytes(&bytes)?)?;
            return Ok(sha256_hex(&bytes));
        }
        // The others have not written it.
        hand_out_file(&*self.network.ranks, path)?;
        let rest = checkpoint::read_part(path, &mut self.network, None)?;
        self.network.weights.import(&rest)?;
        sha256_of_file(path).map_err(fail)
    }

    /// Scores test once more with the chosen weights, as a stranger with the model file would.
    pub fn finish(mut self, status: Status, stop: &AtomicBool) -> Result<Outcome> {
        self.losses.sync()?;
        if self.spec.shared.is_some() && !self.network.is_partitioned() {
            // Should the first be lost from here on: the weights in memory become the chosen ones.
            self.save_here()?;
        }
        let chosen = match self.progress.best {
            // A run that diverged has no result, whatever it reached before.
            Some(best) if status == Status::Finished => {
                let path = self.spec.directory.join(MODEL_FILE);
                let model_sha256 = self.load_chosen(&path)?;
                let scores = match self.score(Split::Test, stop) {
                    // The checkpoint of the last evaluation has all.
                    Err(Error::Interrupted) => {
                        return Ok(Outcome::Interrupted { step: self.progress.step });
                    }
                    scores => scores?,
                };
                let test = Evaluation::of(self.dataset, Split::Test, &scores)?;
                let curve = &self.progress.curve;
                let peak = curve.iter().filter_map(|point| point.test_gauc).fold(0.0, f64::max);
                let at_best = curve.iter().find(|point| point.step == best.step);
                Some(Box::new(Chosen {
                    best,
                    metrics: MetricValues {
                        test_gauc: Some(test.gauc),
                        test_auc: Some(test.auc),
                        test_log_loss: Some(test.log_loss),
                        peak_test_gauc: Some(peak),
                        valid_gauc: at_best.and_then(|point| point.valid_gauc),
                    },
                    predictions_sha256: predictions_sha256(self.dataset, &scores),
                    model_sha256,
                    test_scores: scores,
                }))
            }
            _ => None,
        };
        if let Some(Waits { windows, seconds }) = self.feed.waits() {
            let waited = json!({"windows": windows, "waited_seconds": seconds});
            self.events.write("streamed", &waited)?;
        }
        self.events.write("ended", &json!({"status": status, "step": self.progress.step}))?;
        let (steps, bytes) = self.network_bytes;
        let apart = self.network.ranks.size() > 1 && steps > 0;
        let progress = self.progress;
        let rate =
            |rows: u64, seconds: f64| if seconds > 0.0 { rows as f64 / seconds } else { 0.0 };
        Ok(Outcome::Ended {
            status,
            chosen,
            train_seconds: progress.train_seconds,
            train_samples_per_second: rate(progress.train_rows, progress.train_seconds),
            eval_samples_per_second: rate(progress.eval_rows, progress.eval_seconds),
            network_bytes_per_step: apart.then(|| bytes as f64 / steps as f64),
            curve: progress.curve,
        })
    }
}

fn predictions_sha256(dataset: &Dataset, scores: &[f32]) -> String {
    let mut digest = Digest::new();
    digest.ids(&dataset.test.users);
    digest.update(&dataset.test.labels);
    digest.numbers(scores);
    digest.finish()
}

/// The signature of one run's test gAUC on `dataset`, with `regularizer` as the run had it.
pub fn signature(dataset: &Dataset, regularizer: &str) -> Signature {
    let mut signature = Signature::new("gAUC");
    for part in GaucVariant::Paper.signature().split('|') {
        if let Some((key, value)) = part.split_once(':') {
            signature = signature.with(key, value);
        }
    }
    let hash: String = dataset.content_sha256.chars().take(8).collect();
    signature
        .with("ds", format!("{}@{hash}", dataset.id))
        .with("split", &dataset.split_rule)
        .with("neg", &dataset.negatives)
        .with("proto", dataset.protocol)
        .with("seeds", 1)
        .with("reg", regularizer)
        .with("v", env!("CARGO_PKG_VERSION"))
}
