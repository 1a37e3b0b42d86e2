//! `signature`: what the line beside a number says.

use crate::cli::SignatureArguments;
use crate::output;
use anyhow::Result;
use ctr_core::Signature;
use serde_json::{Map, Value, json};

/// The keys of a signature and what they stand for.
const KEYS: [(&str, &str); 9] = [
    ("w", "what weights a user in the mean"),
    ("ties", "what a positive with the score of a negative counts"),
    ("one-class", "what becomes of users with positives or negatives only"),
    ("ds", "the data set, and the first digits of the hash of its content"),
    ("split", "how rows became training, validation and test"),
    ("neg", "what a negative is"),
    ("proto", "held-out: chosen on validation; authors: the best of all test evaluations"),
    ("seeds", "how many runs with different seeds the number is the mean of"),
    ("reg", "the regularizer, with its setting"),
];

pub fn signature(arguments: &SignatureArguments) -> Result<()> {
    let signature: Signature = arguments.text.trim().parse()?;
    let meaning = |key: &str| match key {
        "v" => Some("the version of this program"),
        key => KEYS.iter().find(|(known, _)| *known == key).map(|(_, meaning)| *meaning),
    };
    let mut parts = Map::new();
    parts.insert("metric".into(), signature.metric.clone().into());
    for (key, value) in &signature.parts {
        parts.insert(key.clone(), Value::String(value.clone()));
    }
    output::formatted(arguments.format, &json!(parts), || {
        let mut lines = vec![format!("{:10} {:28} the metric", "", signature.metric)];
        for (key, value) in &signature.parts {
            let meaning = meaning(key).unwrap_or("not known to this version");
            lines.push(format!("{key:10} {value:28} {meaning}"));
        }
        lines.join("\n")
    })
}
