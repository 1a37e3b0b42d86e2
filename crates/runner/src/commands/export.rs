//! `export`: a finished run's model for other programs.

use super::evaluate;
use crate::cli::{ExportArguments, ExportFormat};
use crate::config::RunConfig;
use crate::{job, output};
use anyhow::Result;
use ctr_core::{RunRecord, write_atomic};
use ctr_export::onnx::{self, Preparation};
use serde_json::json;

pub fn export(arguments: &ExportArguments) -> Result<()> {
    let bytes = match arguments.format {
        ExportFormat::Safetensors => {
            let (record, config) = job::read_run(&arguments.run)?;
            let mut tensors = job::stored_tensors(&arguments.run, &record)?;
            let texts = metadata(&record, &config)?;
            let texts: serde_json::Map<_, _> =
                texts.into_iter().map(|(key, text)| (key.into(), text.into())).collect();
            tensors.metadata = serde_json::to_string(&texts)?;
            tensors.to_bytes()?
        }
        ExportFormat::Onnx => onnx(arguments)?,
    };
    write_atomic(&arguments.output, &bytes)?;
    output::result(&format!(
        "{}, {} bytes",
        arguments.output.display(),
        output::grouped(bytes.len() as u64)
    ))
}

fn onnx(arguments: &ExportArguments) -> Result<Vec<u8>> {
    let stored = evaluate::load_from(&arguments.run, arguments.data.as_deref())?;
    let regularizer = &stored.config.regularizer;
    let schema = regularizer.features(&stored.dataset)?.schema.clone();
    let network = job::stored_network(&stored.directory, &stored.config, &schema, &stored.record)?;
    let mut preparation =
        Preparation { max_history: stored.history_limit(), ..Preparation::default() };
    for (number, vocabulary) in schema.vocabularies.iter().enumerate() {
        if let Some(kept) = regularizer.kept_ids(&stored.dataset, &vocabulary.name)? {
            preparation.kept.insert(number, kept);
        }
    }
    let texts = metadata(&stored.record, &stored.config)?;
    let model = onnx::model(&network, &schema, &preparation, &texts)?;
    Ok(onnx::encode(&model))
}

/// What the file says of where it comes from.
fn metadata(record: &RunRecord, config: &RunConfig) -> Result<Vec<(&'static str, String)>> {
    let dataset = &record.dataset;
    Ok(vec![
        ("model", record.model.id.clone()),
        ("run_id", record.run_id.clone()),
        ("signature", record.signature.clone()),
        ("config", serde_json::to_string(config)?),
        (
            "dataset",
            json!({"id": dataset.id, "content_sha256": dataset.content_sha256}).to_string(),
        ),
        ("model_sha256", record.model_sha256.clone()),
        ("din_repro_version", env!("CARGO_PKG_VERSION").into()),
    ])
}
