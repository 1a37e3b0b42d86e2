//! Nodes and constants of a graph under construction.

use super::proto::{
    AttributeProto, DimensionProto, GraphProto, NodeProto, TensorProto, TensorShapeProto,
    TensorTypeProto, TypeProto, ValueInfoProto, attribute_kind, kind,
};
use std::collections::BTreeMap;

/// A graph under construction. Values are known by their names.
#[derive(Default)]
pub(super) struct Builder {
    pub graph: GraphProto,
    /// Names of small constants by their content, so that equal ones are there once.
    constants: BTreeMap<(Vec<i64>, i32, Vec<u8>), String>,
}

/// A setting of a node.
pub(super) enum Setting<'s> {
    Int(i64),
    Ints(&'s [i64]),
    Float(f32),
    Text(&'s str),
}

impl Builder {
    /// Adds a node with one result and gives the result's name.
    pub fn node(&mut self, op: &str, inputs: &[&str]) -> String {
        self.node_with(op, inputs, &[])
    }

    /// The same with settings.
    pub fn node_with(
        &mut self,
        op: &str,
        inputs: &[&str],
        settings: &[(&str, Setting<'_>)],
    ) -> String {
        let name = format!("{}_{}", op.to_lowercase(), self.graph.node.len());
        self.named(op, inputs, settings, &name);
        name
    }

    /// The same with a name for the result.
    pub fn named(
        &mut self,
        op: &str,
        inputs: &[&str],
        settings: &[(&str, Setting<'_>)],
        output: &str,
    ) {
        self.graph.node.push(NodeProto {
            input: inputs.iter().map(ToString::to_string).collect(),
            output: vec![output.into()],
            name: output.into(),
            op_type: op.into(),
            attribute: settings.iter().map(|(name, value)| attribute(name, value)).collect(),
        });
    }

    /// A named constant of f32.
    pub fn weights(&mut self, name: &str, dims: &[usize], values: &[f32]) -> String {
        if !self.graph.initializer.iter().any(|known| known.name == name) {
            self.graph.initializer.push(TensorProto {
                dims: dims.iter().map(|&size| size as i64).collect(),
                data_type: kind::FLOAT,
                name: name.into(),
                raw_data: values.iter().flat_map(|value| value.to_le_bytes()).collect(),
            });
        }
        name.into()
    }

    /// A constant of whole numbers.
    pub fn ints(&mut self, dims: &[i64], values: &[i64]) -> String {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.constant(dims, kind::INT64, bytes)
    }

    /// A constant whole number without dimensions.
    pub fn int(&mut self, value: i64) -> String {
        self.ints(&[], &[value])
    }

    /// A constant number without dimensions.
    pub fn float(&mut self, value: f32) -> String {
        self.constant(&[], kind::FLOAT, value.to_le_bytes().to_vec())
    }

    /// A constant unsigned number without dimensions.
    pub fn unsigned(&mut self, value: u64) -> String {
        self.constant(&[], kind::UINT64, value.to_le_bytes().to_vec())
    }

    fn constant(&mut self, dims: &[i64], data_type: i32, raw_data: Vec<u8>) -> String {
        let next = format!("constant_{}", self.constants.len());
        let key = (dims.to_vec(), data_type, raw_data.clone());
        let name = self.constants.entry(key).or_insert_with(|| next.clone()).clone();
        if name == next {
            self.graph.initializer.push(TensorProto {
                dims: dims.to_vec(),
                data_type,
                name: next,
                raw_data,
            });
        }
        name
    }

    /// Adds dimensions of size 1.
    pub fn unsqueeze(&mut self, value: &str, axes: &[i64]) -> String {
        let axes = self.ints(&[axes.len() as i64], axes);
        self.node("Unsqueeze", &[value, &axes])
    }

    /// Takes dimensions of size 1 away.
    pub fn squeeze(&mut self, value: &str, axis: i64) -> String {
        let axes = self.ints(&[1], &[axis]);
        self.node("Squeeze", &[value, &axes])
    }

    /// Sums over a dimension, which goes.
    pub fn sum(&mut self, value: &str, axis: i64) -> String {
        let axes = self.ints(&[1], &[axis]);
        self.node_with("ReduceSum", &[value, &axes], &[("keepdims", Setting::Int(0))])
    }

    pub fn transpose(&mut self, value: &str, order: &[i64]) -> String {
        self.node_with("Transpose", &[value], &[("perm", Setting::Ints(order))])
    }

    pub fn cast(&mut self, value: &str, to: i32) -> String {
        self.node_with("Cast", &[value], &[("to", Setting::Int(i64::from(to)))])
    }

    /// Counts to divide by, as f32.
    pub fn at_least_one(&mut self, counts: &str) -> String {
        let one = self.int(1);
        let counts = self.node("Max", &[counts, &one]);
        self.cast(&counts, kind::FLOAT)
    }

    pub fn reshape(&mut self, value: &str, shape: &[i64]) -> String {
        let shape = self.ints(&[shape.len() as i64], shape);
        self.node("Reshape", &[value, &shape])
    }

    /// Values side by side: the last dimension is joined.
    pub fn concat(&mut self, parts: &[String], axis: i64) -> String {
        match parts {
            [part] => part.clone(),
            parts => {
                let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
                self.node_with("Concat", &parts, &[("axis", Setting::Int(axis))])
            }
        }
    }

    /// The size of a value's dimension; of the last one for -1.
    pub fn size_of(&mut self, value: &str, axis: i64) -> String {
        let (all, axis) = (self.node("Shape", &[value]), self.int(axis));
        self.node("Gather", &[&all, &axis])
    }

    /// The whole numbers from 0 to below the size of a value's dimension.
    pub fn range_of(&mut self, value: &str, axis: i64) -> String {
        let size = self.size_of(value, axis);
        let (zero, one) = (self.int(0), self.int(1));
        self.node("Range", &[&zero, &size, &one])
    }
}

/// An input or output whose dimensions have these names.
pub(super) fn value_info(
    name: &str,
    elem_type: i32,
    dimensions: &[String],
    doc_string: &str,
) -> ValueInfoProto {
    let dim = dimensions.iter().map(|name| DimensionProto { dim_param: name.clone() }).collect();
    let tensor_type = Some(TensorTypeProto { elem_type, shape: Some(TensorShapeProto { dim }) });
    ValueInfoProto {
        name: name.into(),
        r#type: Some(TypeProto { tensor_type }),
        doc_string: doc_string.into(),
    }
}

fn attribute(name: &str, value: &Setting<'_>) -> AttributeProto {
    let blank = AttributeProto { name: name.into(), ..AttributeProto::default() };
    match value {
        Setting::Int(i) => AttributeProto { i: *i, r#type: attribute_kind::INT, ..blank },
        Setting::Float(f) => AttributeProto { f: *f, r#type: attribute_kind::FLOAT, ..blank },
        Setting::Ints(ints) => {
            AttributeProto { ints: ints.to_vec(), r#type: attribute_kind::INTS, ..blank }
        }
        Setting::Text(text) => {
            AttributeProto { s: text.as_bytes().to_vec(), r#type: attribute_kind::STRING, ..blank }
        }
    }
}
