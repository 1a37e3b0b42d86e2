//! A network as an ONNX graph.
//!
//! Inputs, all i64: for each field `<group>.<field>`, `[batch]`, or `[batch, length]` for histories, padded at
//! their ends with any valid id; `<group>.length`, `[batch]`, says how many events are real. A field with several
//! ids an event has one dimension more, and `<group>.<field>.count` says how many of them are real. Outputs:
//! `logit` and `probability`, `[batch]`.
//!
//! Each matrix of the trace is a tensor: `[batch, columns]` for one event a row, `[batch, length, columns]` for
//! histories. What stands in padded places is never read by a real one.

mod builder;
mod inputs;
mod lower;
pub mod proto;
mod sequences;

use crate::wire::Message;
use crate::{Error, Result};
use ctr_core::Schema;
use ctr_nn::Network;
use proto::{ModelProto, OperatorSetIdProto, StringStringEntryProto};
use std::collections::BTreeMap;

/// The operators used are those of this version.
const OPERATORS: i64 = 18;
/// The version of the format that came with them.
const FORMAT: i64 = 8;
/// Protocol Buffers end here.
const MOST_BYTES: u64 = i32::MAX as u64;

/// What happens to ids before the network sees them.
#[derive(Clone, Debug, Default)]
pub struct Preparation {
    /// Latest events of a history that stay.
    pub max_history: Option<u32>,
    /// By number of vocabulary: which ids stay, and whether in all fields or in histories alone. The rest
    /// become the reserved id 0.
    pub kept: BTreeMap<usize, (Vec<bool>, bool)>,
}

/// The ONNX model of a network for rows of `schema`, with texts to be kept in it.
///
/// # Errors
/// When the network has an operation without a form in ONNX, or is too large for one file.
pub fn model(
    network: &Network,
    schema: &Schema,
    preparation: &Preparation,
    metadata: &[(&str, String)],
) -> Result<ModelProto> {
    check_size(network.weights.num_params_dense() + network.weights.num_params_embedding())?;
    let trace = network.trace(schema)?;
    let graph = lower::lower(&network.weights, schema, preparation, &trace)?;
    Ok(ModelProto {
        ir_version: FORMAT,
        producer_name: "din-repro".into(),
        producer_version: env!("CARGO_PKG_VERSION").into(),
        doc_string: "Histories are padded at their ends; <group>.length counts the real events."
            .into(),
        graph: Some(graph),
        opset_import: vec![OperatorSetIdProto { domain: String::new(), version: OPERATORS }],
        metadata_props: metadata
            .iter()
            .map(|(key, value)| StringStringEntryProto { key: (*key).into(), value: value.clone() })
            .collect(),
    })
}

fn check_size(numbers: u64) -> Result<()> {
    let bytes = 4 * numbers;
    if bytes > MOST_BYTES {
        return Err(Error::Model(format!(
            "its weights have {bytes} bytes, an ONNX file at most {MOST_BYTES}; export safetensors \
             instead, or train with a smaller embedding_dim"
        )));
    }
    Ok(())
}

/// The bytes of a file.
pub fn encode(model: &ModelProto) -> Vec<u8> {
    model.to_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_file_can_hold_is_refused() {
        assert!(check_size(MOST_BYTES / 4).is_ok());
        let message = check_size(1 << 29).unwrap_err().to_string();
        assert!(
            message.contains("2147483648 bytes") && message.contains("safetensors"),
            "{message}"
        );
    }
}
