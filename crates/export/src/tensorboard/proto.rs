//! The messages of event files that are needed, with the field numbers of TensorFlow's published descriptions
//! (`event.proto`, `summary.proto`, `tensor.proto`, `tensor_shape.proto`).

use crate::wire::{Message, Value, Writer, fields};

/// `DT_STRING`.
const STRING: i32 = 7;
/// `DATA_CLASS_TENSOR`.
const TENSOR_CLASS: i32 = 2;

/// One thing that happened.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Event {
    /// Seconds since 1970.
    pub wall_time: f64,
    pub step: i64,
    pub file_version: Option<String>,
    pub summary: Option<Summary>,
}

impl Message for Event {
    fn write(&self, to: &mut Writer) {
        to.double(1, self.wall_time);
        to.int(2, self.step);
        self.file_version.iter().for_each(|text| to.text(3, text));
        to.messages(5, &self.summary);
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Summary {
    pub value: Vec<SummaryValue>,
}

impl Message for Summary {
    fn write(&self, to: &mut Writer) {
        to.messages(1, &self.value);
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct SummaryValue {
    pub tag: String,
    pub simple_value: Option<f32>,
    pub tensor: Option<Tensor>,
    pub metadata: Option<Metadata>,
}

impl Message for SummaryValue {
    fn write(&self, to: &mut Writer) {
        to.text(1, &self.tag);
        self.simple_value.iter().for_each(|&number| to.float(2, number));
        to.messages(8, &self.tensor);
        to.messages(9, &self.metadata);
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Tensor {
    pub dtype: i32,
    pub shape: Option<Shape>,
    pub string_val: Vec<Vec<u8>>,
}

impl Message for Tensor {
    fn write(&self, to: &mut Writer) {
        to.int(1, self.dtype.into());
        to.messages(2, &self.shape);
        self.string_val.iter().for_each(|bytes| to.bytes(8, bytes));
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Shape {
    pub dim: Vec<Dimension>,
}

impl Message for Shape {
    fn write(&self, to: &mut Writer) {
        to.messages(2, &self.dim);
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Dimension {
    pub size: i64,
}

impl Message for Dimension {
    fn write(&self, to: &mut Writer) {
        to.int(1, self.size);
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Metadata {
    pub plugin_data: Option<PluginData>,
    pub data_class: i32,
}

impl Message for Metadata {
    fn write(&self, to: &mut Writer) {
        to.messages(1, &self.plugin_data);
        to.int(4, self.data_class.into());
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct PluginData {
    pub plugin_name: String,
}

impl Message for PluginData {
    fn write(&self, to: &mut Writer) {
        to.text(1, &self.plugin_name);
    }
}

impl Event {
    /// The first event of a file.
    pub fn version(wall_time: f64) -> Self {
        Self { wall_time, file_version: Some("brain.Event:2".into()), ..Self::default() }
    }

    /// Time, step and scalars of an event.
    pub fn read(bytes: &[u8]) -> Self {
        let mut event = Self::default();
        for (field, value) in fields(bytes) {
            match (field, value) {
                (1, Value::Double(time)) => event.wall_time = time,
                (2, Value::Int(step)) => event.step = step as i64,
                (5, Value::Bytes(summary)) => {
                    let values = fields(summary).filter_map(|(field, value)| match value {
                        Value::Bytes(value) if field == 1 => Some(SummaryValue::read(value)),
                        _ => None,
                    });
                    event.summary = Some(Summary { value: values.collect() });
                }
                _ => {}
            }
        }
        event
    }

    /// One value at a step.
    pub fn of(wall_time: f64, step: u64, value: SummaryValue) -> Self {
        let summary = Some(Summary { value: vec![value] });
        Self { wall_time, step: step as i64, file_version: None, summary }
    }
}

impl SummaryValue {
    fn read(bytes: &[u8]) -> Self {
        let mut scalar = Self::default();
        for (field, value) in fields(bytes) {
            match (field, value) {
                (1, Value::Bytes(tag)) => scalar.tag = String::from_utf8_lossy(tag).into_owned(),
                (2, Value::Float(number)) => scalar.simple_value = Some(number),
                _ => {}
            }
        }
        scalar
    }

    pub fn scalar(tag: &str, value: f64) -> Self {
        Self { tag: tag.into(), simple_value: Some(value as f32), ..Self::default() }
    }

    /// A text for the tab of that name.
    pub fn text(name: &str, text: &str) -> Self {
        let plugin_data = Some(PluginData { plugin_name: "text".into() });
        Self {
            tag: format!("{name}/text_summary"),
            simple_value: None,
            tensor: Some(Tensor {
                dtype: STRING,
                shape: Some(Shape { dim: vec![Dimension { size: 1 }] }),
                string_val: vec![text.as_bytes().to_vec()],
            }),
            metadata: Some(Metadata { plugin_data, data_class: TENSOR_CLASS }),
        }
    }
}
