//! Weights as safetensors.

use crate::distributed::SpreadRows;
use crate::{Error, Result, Weights};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use std::collections::{BTreeMap, HashMap};

/// Key of the one metadata entry: several would be written in random order.
pub(crate) const METADATA_KEY: &str = "ctr";

/// One named tensor of f32.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredTensor {
    /// Its path in the model.
    pub name: String,
    /// Its dimensions.
    pub shape: Vec<usize>,
    /// Its values, row by row.
    pub values: Vec<f32>,
}

/// Named tensors and a text that describes them (JSON of the caller's choice).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NamedTensors {
    tensors: BTreeMap<String, StoredTensor>,
    /// Text stored beside the tensors.
    pub metadata: String,
}

impl NamedTensors {
    /// Adds a tensor; one of the same name is replaced.
    pub fn push(&mut self, tensor: StoredTensor) {
        self.tensors.insert(tensor.name.clone(), tensor);
    }

    /// Adds all tensors of another set.
    pub fn append(&mut self, other: Self) {
        self.tensors.extend(other.tensors);
    }

    /// All tensors, by name.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &StoredTensor> {
        self.tensors.values()
    }

    /// The tensors whose names are wanted.
    #[must_use]
    pub fn only(mut self, wanted: impl Fn(&str) -> bool) -> Self {
        self.tensors.retain(|name, _| wanted(name));
        self
    }

    /// The values of a tensor that must have this shape.
    ///
    /// # Errors
    /// When it is missing or has another shape.
    pub fn get(&self, name: &str, shape: &[usize]) -> Result<&[f32]> {
        let tensor = self
            .tensors
            .get(name)
            .ok_or_else(|| Error::Stored(format!("{name} is missing; was it another model?")))?;
        if tensor.shape != shape {
            return Err(Error::Stored(format!(
                "{name} has shape {:?}, expected {shape:?}; was it another configuration or dataset?",
                tensor.shape
            )));
        }
        Ok(&tensor.values)
    }

    /// The bytes of a safetensors file: equal tensors and metadata give equal bytes.
    ///
    /// # Errors
    /// When a tensor's shape and values do not fit.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let fail = |error: safetensors::SafeTensorError| Error::Stored(error.to_string());
        let bytes: Vec<(&String, Vec<u8>)> = self
            .tensors
            .iter()
            .map(|(name, tensor)| {
                (name, tensor.values.iter().flat_map(|value| value.to_le_bytes()).collect())
            })
            .collect();
        let views = bytes
            .iter()
            .zip(self.tensors.values())
            .map(|((name, bytes), tensor)| {
                TensorView::new(Dtype::F32, tensor.shape.clone(), bytes)
                    .map(|view| (name.as_str(), view))
                    .map_err(fail)
            })
            .collect::<Result<Vec<_>>>()?;
        let metadata = HashMap::from([(METADATA_KEY.to_string(), self.metadata.clone())]);
        safetensors::serialize(views, Some(metadata)).map_err(fail)
    }

    /// Reads the bytes of a safetensors file.
    ///
    /// # Errors
    /// When they are none, or hold anything but f32.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let fail = |error: safetensors::SafeTensorError| {
            Error::Stored(format!("not a valid safetensors file: {error}"))
        };
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(fail)?;
        let metadata = header
            .metadata()
            .as_ref()
            .and_then(|entries| entries.get(METADATA_KEY))
            .cloned()
            .unwrap_or_default();
        let mut result = Self { tensors: BTreeMap::new(), metadata };
        for (name, view) in SafeTensors::deserialize(bytes).map_err(fail)?.iter() {
            if view.dtype() != Dtype::F32 {
                return Err(Error::Stored(format!("{name} is {:?}, expected F32", view.dtype())));
            }
            let values = view
                .data()
                .chunks_exact(4)
                .map(|bytes| f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
                .collect();
            result.push(StoredTensor { name: name.into(), shape: view.shape().to_vec(), values });
        }
        Ok(result)
    }
}

impl Weights {
    /// All weights by name, but tables that are spread over ranks.
    pub fn export(&self) -> NamedTensors {
        let mut tensors = NamedTensors::default();
        for parameter in &self.parameters {
            tensors.push(StoredTensor {
                name: parameter.name.clone(),
                shape: vec![parameter.rows, parameter.columns],
                values: parameter.values().to_vec(),
            });
        }
        for table in self.tables.iter().filter(|table| table.partition.is_none()) {
            tensors.push(StoredTensor {
                name: table.name.clone(),
                shape: vec![table.vocabulary, table.dim],
                values: table.values().to_vec(),
            });
        }
        for statistics in &self.statistics {
            // The count is a whole number below 2⁴⁸ in two f32 of 24 bits each, so nothing is lost.
            let count =
                [(statistics.batches >> 24) as f32, (statistics.batches & 0xff_ffff) as f32];
            for (part, values) in [
                ("mean", statistics.mean.as_slice()),
                ("variance", &statistics.variance),
                ("batches", &count),
            ] {
                tensors.push(StoredTensor {
                    name: format!("{}/{part}", statistics.name),
                    shape: vec![values.len()],
                    values: values.to_vec(),
                });
            }
        }
        tensors
    }

    /// Tables that are spread over ranks.
    pub(crate) fn spread_rows(&self) -> Vec<SpreadRows<&[f32]>> {
        self.tables
            .iter()
            .filter_map(|table| Some(table.spread_rows(table.partition?, &table.values[..])))
            .collect()
    }

    /// The same, to be written.
    pub(crate) fn spread_rows_mut(&mut self) -> Vec<SpreadRows<&mut [f32]>> {
        let mut spread = Vec::new();
        for table in &mut self.tables {
            if let Some(partition) = table.partition {
                let place = table.spread_rows(partition, ());
                spread.push(place.with(&mut table.values[..]));
            }
        }
        spread
    }

    /// Takes back what [`Weights::export`] gave. On an error some weights may already be replaced.
    ///
    /// # Errors
    /// Names the tensor that is missing or has another shape.
    pub fn import(&mut self, stored: &NamedTensors) -> Result<()> {
        for parameter in &mut self.parameters {
            let shape = [parameter.rows, parameter.columns];
            let from = stored.get(&parameter.name, &shape)?;
            parameter.values_mut().copy_from_slice(from);
        }
        for table in self.tables.iter_mut().filter(|table| table.partition.is_none()) {
            let from = stored.get(&table.name, &[table.vocabulary, table.dim])?;
            table.values_mut().copy_from_slice(from);
        }
        for statistics in &mut self.statistics {
            let width = [statistics.mean.len()];
            let part = |name| stored.get(&format!("{}/{name}", statistics.name), &width);
            let (mean, variance) = (part("mean")?.to_vec(), part("variance")?.to_vec());
            let count = stored.get(&format!("{}/batches", statistics.name), &[2])?;
            statistics.batches = ((count[0] as u64) << 24) | count[1] as u64;
            (statistics.mean, statistics.variance) = (mean, variance);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Init, WeightsBuilder};
    use ctr_core::SeedStreams;

    fn weights(seed: u64) -> Weights {
        let mut weights = Weights::default();
        let mut builder = WeightsBuilder::new(&mut weights, SeedStreams::new(seed));
        builder.parameter("w", 2, 3, Init::GlorotUniform).unwrap();
        builder.table("t", 4, 2, Init::GlorotUniform, crate::TableSource::Fields(vec![]));
        builder.statistics("s", 3);
        weights.statistics[0].batches = 40_000_007;
        weights
    }

    #[test]
    fn weights_survive_the_file_and_its_bytes_repeat() {
        let original = weights(1);
        let mut stored = original.export();
        stored.metadata = "{\"a\":1}".into();
        let bytes = stored.to_bytes().unwrap();
        assert_eq!(bytes, stored.to_bytes().unwrap());
        let read = NamedTensors::from_bytes(&bytes).unwrap();
        assert_eq!(read, stored);
        let mut other = weights(2);
        assert_ne!(other.export().to_bytes().unwrap(), original.export().to_bytes().unwrap());
        other.import(&read).unwrap();
        assert_eq!(other.export(), original.export());
        assert_eq!(other.statistics[0].batches, 40_000_007);
    }

    #[test]
    fn foreign_weights_are_refused_by_name() {
        let mut stored = weights(1).export();
        stored.push(StoredTensor { name: "t".into(), shape: vec![5, 2], values: vec![0.0; 10] });
        let message = weights(1).import(&stored).unwrap_err().to_string();
        assert!(message.contains("t has shape [5, 2], expected [4, 2]"), "{message}");
        let message = weights(1).import(&NamedTensors::default()).unwrap_err().to_string();
        assert!(message.contains("w is missing"), "{message}");
        assert!(NamedTensors::from_bytes(b"no tensors here").is_err());
    }
}
