//! The messages of ONNX that are needed, with the field numbers of its published description (`onnx.proto3`).

use crate::wire::{Message, Writer};

/// Kinds of numbers, as tensors and values name them.
pub mod kind {
    /// f32.
    pub const FLOAT: i32 = 1;
    /// i64.
    pub const INT64: i32 = 7;
    /// Truth values.
    pub const BOOL: i32 = 9;
    /// u64.
    pub const UINT64: i32 = 13;
}

/// Kinds of attributes.
pub(super) mod attribute_kind {
    pub const FLOAT: i32 = 1;
    pub const INT: i32 = 2;
    pub const STRING: i32 = 3;
    pub const INTS: i32 = 7;
}

/// A file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ModelProto {
    /// Version of the format.
    pub ir_version: i64,
    /// The program that wrote it.
    pub producer_name: String,
    /// Its version.
    pub producer_version: String,
    /// For people.
    pub doc_string: String,
    /// What is computed.
    pub graph: Option<GraphProto>,
    /// The operators that it uses.
    pub opset_import: Vec<OperatorSetIdProto>,
    /// Anything else.
    pub metadata_props: Vec<StringStringEntryProto>,
}

impl Message for ModelProto {
    fn write(&self, to: &mut Writer) {
        to.int(1, self.ir_version);
        to.text(2, &self.producer_name);
        to.text(3, &self.producer_version);
        to.text(6, &self.doc_string);
        to.messages(7, &self.graph);
        to.messages(8, &self.opset_import);
        to.messages(14, &self.metadata_props);
    }
}

/// A version of a set of operators.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OperatorSetIdProto {
    /// Empty for ONNX's own.
    pub domain: String,
    /// The version.
    pub version: i64,
}

impl Message for OperatorSetIdProto {
    fn write(&self, to: &mut Writer) {
        to.text(1, &self.domain);
        to.int(2, self.version);
    }
}

/// A key and a value.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StringStringEntryProto {
    /// The key.
    pub key: String,
    /// The value.
    pub value: String,
}

impl Message for StringStringEntryProto {
    fn write(&self, to: &mut Writer) {
        to.text(1, &self.key);
        to.text(2, &self.value);
    }
}

/// Nodes between inputs and outputs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GraphProto {
    /// In an order in which each reads only what is there.
    pub node: Vec<NodeProto>,
    /// The graph's name.
    pub name: String,
    /// Constants.
    pub initializer: Vec<TensorProto>,
    /// What is to be given.
    pub input: Vec<ValueInfoProto>,
    /// What comes out.
    pub output: Vec<ValueInfoProto>,
}

impl Message for GraphProto {
    fn write(&self, to: &mut Writer) {
        to.messages(1, &self.node);
        to.text(2, &self.name);
        to.messages(5, &self.initializer);
        to.messages(11, &self.input);
        to.messages(12, &self.output);
    }
}

/// One operator's use.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NodeProto {
    /// Names of values; empty for one left out.
    pub input: Vec<String>,
    /// Names of results.
    pub output: Vec<String>,
    /// The node's name.
    pub name: String,
    /// The operator.
    pub op_type: String,
    /// Its settings.
    pub attribute: Vec<AttributeProto>,
}

impl Message for NodeProto {
    fn write(&self, to: &mut Writer) {
        self.input.iter().for_each(|text| to.bytes(1, text.as_bytes()));
        self.output.iter().for_each(|text| to.bytes(2, text.as_bytes()));
        to.text(3, &self.name);
        to.text(4, &self.op_type);
        to.messages(5, &self.attribute);
    }
}

/// A setting.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AttributeProto {
    /// Its name.
    pub name: String,
    /// A number.
    pub f: f32,
    /// A whole number.
    pub i: i64,
    /// A text.
    pub s: Vec<u8>,
    /// Whole numbers.
    pub ints: Vec<i64>,
    /// Which of these it is.
    pub r#type: i32,
}

impl Message for AttributeProto {
    fn write(&self, to: &mut Writer) {
        to.text(1, &self.name);
        // A value that is written counts as given, so only the one that the type names may be.
        match self.r#type {
            attribute_kind::FLOAT => to.float(2, self.f),
            attribute_kind::INT => to.int(3, self.i),
            attribute_kind::STRING => to.bytes(4, &self.s),
            _ => to.ints(8, &self.ints),
        }
        to.int(20, self.r#type.into());
    }
}

/// A constant.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TensorProto {
    /// Its dimensions.
    pub dims: Vec<i64>,
    /// One of [`kind`].
    pub data_type: i32,
    /// Its name.
    pub name: String,
    /// Its numbers, little-endian.
    pub raw_data: Vec<u8>,
}

impl Message for TensorProto {
    fn write(&self, to: &mut Writer) {
        to.ints(1, &self.dims);
        to.int(2, self.data_type.into());
        to.text(8, &self.name);
        to.bytes(9, &self.raw_data);
    }
}

/// An input or output.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ValueInfoProto {
    /// Its name.
    pub name: String,
    /// Its type.
    pub r#type: Option<TypeProto>,
    /// For people.
    pub doc_string: String,
}

impl Message for ValueInfoProto {
    fn write(&self, to: &mut Writer) {
        to.text(1, &self.name);
        to.messages(2, &self.r#type);
        to.text(3, &self.doc_string);
    }
}

/// A type; here always a tensor's.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TypeProto {
    /// The tensor.
    pub tensor_type: Option<TensorTypeProto>,
}

impl Message for TypeProto {
    fn write(&self, to: &mut Writer) {
        to.messages(1, &self.tensor_type);
    }
}

/// Type and shape of a tensor.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TensorTypeProto {
    /// One of [`kind`].
    pub elem_type: i32,
    /// Its dimensions.
    pub shape: Option<TensorShapeProto>,
}

impl Message for TensorTypeProto {
    fn write(&self, to: &mut Writer) {
        to.int(1, self.elem_type.into());
        to.messages(2, &self.shape);
    }
}

/// Dimensions.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TensorShapeProto {
    /// One after the other.
    pub dim: Vec<DimensionProto>,
}

impl Message for TensorShapeProto {
    fn write(&self, to: &mut Writer) {
        to.messages(1, &self.dim);
    }
}

/// A dimension that may be of any size; equal names are equal sizes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DimensionProto {
    /// Its name.
    pub dim_param: String,
}

impl Message for DimensionProto {
    fn write(&self, to: &mut Writer) {
        to.text(2, &self.dim_param);
    }
}
