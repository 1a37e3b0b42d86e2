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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::{ModelConfig, ModelId};
    use ctr_core::{Cardinality, Schema, SeedStreams};
    use ctr_export::onnx::proto::GraphProto;
    use std::collections::BTreeSet;

    fn graph(model: &ModelConfig, schema: &Schema, preparation: &Preparation) -> GraphProto {
        let network = model.network(schema, SeedStreams::new(1)).unwrap();
        onnx::model(&network, schema, preparation, &[]).unwrap().graph.unwrap()
    }

    fn default_of(id: ModelId) -> ModelConfig {
        ModelConfig::default_of(id).unwrap()
    }

    fn of(json: serde_json::Value) -> ModelConfig {
        serde_json::from_value(json).unwrap()
    }

    /// Each node reads what is there already, each name is given once, and nothing is there in vain.
    fn check(graph: &GraphProto, what: &str) {
        let mut known: BTreeSet<&str> = BTreeSet::new();
        let given = graph.input.iter().map(|input| &input.name);
        for name in given.chain(graph.initializer.iter().map(|tensor| &tensor.name)) {
            assert!(known.insert(name), "{what}: {name} twice");
        }
        let mut read: BTreeSet<&str> = BTreeSet::new();
        for node in &graph.node {
            for name in &node.input {
                assert!(known.contains(name.as_str()), "{what}: {} reads {name}", node.name);
                read.insert(name);
            }
            for name in &node.output {
                assert!(known.insert(name), "{what}: {name} twice");
            }
        }
        for output in &graph.output {
            assert!(known.contains(output.name.as_str()), "{what}: no {}", output.name);
        }
        let in_vain = graph.initializer.iter().find(|one| !read.contains(one.name.as_str()));
        assert!(in_vain.is_none(), "{what}: {:?} is not read", in_vain.map(|one| &one.name));
        for tensor in &graph.initializer {
            let numbers: i64 = tensor.dims.iter().product();
            let size = if tensor.data_type == 1 { 4 } else { 8 };
            assert_eq!(tensor.raw_data.len() as i64, size * numbers, "{what}: {}", tensor.name);
        }
    }

    fn names(graph: &GraphProto) -> Vec<&str> {
        graph.input.iter().map(|input| input.name.as_str()).collect()
    }

    #[test]
    fn every_model_and_option_has_a_whole_graph() {
        let schema = Schema::goods_and_categories(10, 3);
        let plain = Preparation::default();
        let mut limited = Preparation { max_history: Some(4), ..plain.clone() };
        limited.kept.insert(0, (vec![true; 11], true));
        for &id in ModelId::all() {
            let model = default_of(id);
            for preparation in [&plain, &limited] {
                let graph = graph(&model, &schema, preparation);
                check(&graph, id.name());
                let expected = [
                    "behaviors.goods_id",
                    "behaviors.cate_id",
                    "behaviors.length",
                    "candidate.goods_id",
                    "candidate.cate_id",
                ];
                assert_eq!(names(&graph), expected, "{}", id.name());
                assert_eq!(graph.output[0].name, "logit");
                assert_eq!(graph.output[1].name, "probability");
            }
        }
        for json in [
            json!({"id": "wide_deep", "wide": "crosses"}),
            json!({"id": "deepfm", "factorization_machine": "paper"}),
            json!({"id": "gru", "units": 3, "readout": "mean"}),
            json!({"id": "bst", "blocks": 2, "heads": 3, "readout": "mean", "position_dim": 0}),
            json!({"id": "din", "network": {"normalization": "batch", "activation": "dice_authors"}}),
            json!({"id": "din", "activation_unit": {"inputs": "paper", "normalization": "none"}}),
        ] {
            check(&graph(&of(json.clone()), &schema, &plain), &json.to_string());
        }
    }

    #[test]
    fn bags_have_counts_and_histories_lengths() {
        let mut schema = Schema::goods_and_categories(10, 3);
        for group in &mut schema.groups {
            group.fields[1].cardinality = Cardinality::Many;
        }
        for &id in ModelId::all() {
            let graph = graph(&default_of(id), &schema, &Preparation::default());
            check(&graph, id.name());
            let wanted = ["behaviors.cate_id.count", "candidate.cate_id.count"];
            assert!(wanted.iter().all(|name| names(&graph).contains(name)), "{:?}", names(&graph));
        }
        schema.groups[0].fields[1].name = "length".into();
        let network =
            default_of(ModelId::named("din").unwrap()).network(&schema, SeedStreams::new(1));
        let error = onnx::model(&network.unwrap(), &schema, &Preparation::default(), &[]);
        let error = error.unwrap_err().to_string();
        assert!(error.contains("two inputs would be called behaviors.length"), "{error}");
    }
}
