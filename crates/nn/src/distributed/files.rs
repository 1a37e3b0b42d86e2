//! Tables that are spread over ranks in one safetensors file, which has the same bytes as that of one process,
//! without a whole table in anybody's memory.

use super::{Communicator, Parcels, Partition, Words};
use crate::persist::METADATA_KEY;
use crate::{Error, NamedTensors, Network, Optimizer, Result, StoredTensor};
use safetensors::tensor::{Dtype, Metadata, TensorInfo};
use std::collections::{BTreeMap, HashMap};
use std::io::{self, Read, Seek, SeekFrom, Write};

/// Rows that are on their way at a time.
const ROWS: usize = 1 << 14;
/// Longest header that is read: what safetensors allows.
const LONGEST_HEADER: u64 = 100_000_000;

/// Numbers of rows that are spread over ranks: a table's, or what an optimizer knows of them.
pub(crate) struct SpreadRows<N> {
    /// Name in the file.
    pub name: String,
    /// Shape in the file.
    pub shape: Vec<usize>,
    /// Rows of all ranks.
    pub rows: usize,
    /// Numbers a row.
    pub dim: usize,
    /// How rows are spread.
    pub partition: Partition,
    /// Those of this rank.
    pub numbers: N,
}

/// Writes the weights of all ranks, and the optimizer's state where it is given. All ranks must call it together;
/// the first one gives `out`.
///
/// # Errors
/// When `out` cannot be written, or a rank is lost.
pub fn write_spread(
    network: &Network,
    optimizer: Option<&Optimizer>,
    metadata: &str,
    mut out: Option<&mut dyn Write>,
) -> Result<()> {
    let (weights, ranks) = (&network.weights, &*network.ranks);
    let mut small = weights.export();
    let mut large = weights.spread_rows();
    if let Some(optimizer) = optimizer {
        small.append(optimizer.export(weights));
        large.extend(optimizer.spread_rows(weights));
    }
    /// Shape, and rows where they are spread.
    type Part<'p> = (&'p [usize], Option<&'p SpreadRows<&'p [f32]>>);
    let mut parts: BTreeMap<&str, Part<'_>> =
        small.iter().map(|tensor| (tensor.name.as_str(), (&tensor.shape[..], None))).collect();
    parts.extend(large.iter().map(|rows| (rows.name.as_str(), (&rows.shape[..], Some(rows)))));
    if let Some(out) = &mut out {
        let shapes = parts.iter().map(|(name, (shape, _))| (*name, *shape));
        out.write_all(&header(shapes, metadata)?).map_err(not_written)?;
    }
    for (name, (shape, rows)) in parts {
        match (rows, &mut out) {
            (Some(rows), out) => rows.write(ranks, out)?,
            (None, Some(out)) => write_numbers(*out, small.get(name, shape)?)?,
            (None, None) => {}
        }
    }
    Ok(())
}

/// Length and text of a header, as the crate `safetensors` writes them.
fn header<'n>(
    shapes: impl Iterator<Item = (&'n str, &'n [usize])>,
    metadata: &str,
) -> Result<Vec<u8>> {
    let mut end = 0;
    let infos = shapes
        .map(|(name, shape)| {
            let start = end;
            end += 4 * shape.iter().product::<usize>();
            let info =
                TensorInfo { dtype: Dtype::F32, shape: shape.to_vec(), data_offsets: (start, end) };
            (name.to_string(), info)
        })
        .collect();
    let metadata = HashMap::from([(METADATA_KEY.to_string(), metadata.to_string())]);
    let fail = |reason: String| Error::Stored(reason);
    let header = Metadata::new(Some(metadata), infos).map_err(|error| fail(error.to_string()))?;
    let mut text = serde_json::to_vec(&header).map_err(|error| fail(error.to_string()))?;
    text.resize(text.len().next_multiple_of(8), b' ');
    let mut bytes = (text.len() as u64).to_le_bytes().to_vec();
    bytes.extend(text);
    Ok(bytes)
}

/// The header of a safetensors file, and where its numbers begin.
fn read_header(input: &mut impl Read) -> Result<(Metadata, u64)> {
    let mut length = [0; 8];
    input.read_exact(&mut length).map_err(not_read)?;
    let length = u64::from_le_bytes(length);
    if length > LONGEST_HEADER {
        return Err(Error::Stored(format!("no safetensors file: a header of {length} bytes")));
    }
    let mut header = vec![0; length as usize];
    input.read_exact(&mut header).map_err(not_read)?;
    let header = serde_json::from_slice(&header)
        .map_err(|error| Error::Stored(format!("no safetensors file: {error}")))?;
    Ok((header, 8 + length))
}

fn metadata_of(header: &Metadata) -> String {
    let entries = header.metadata().as_ref();
    entries.and_then(|entries| entries.get(METADATA_KEY).cloned()).unwrap_or_default()
}

/// What [`NamedTensors::metadata`](crate::NamedTensors) of a file would be, without reading its tensors.
///
/// # Errors
/// When it is no such file.
pub fn read_metadata(input: &mut impl Read) -> Result<String> {
    Ok(metadata_of(&read_header(input)?.0))
}

#[allow(clippy::needless_pass_by_value)] // for map_err
fn not_written(source: io::Error) -> Error {
    Error::Stored(format!("cannot be written: {source}"))
}

#[allow(clippy::needless_pass_by_value)] // for map_err
fn not_read(source: io::Error) -> Error {
    Error::Stored(format!("cannot be read: {source}"))
}

fn write_numbers(out: &mut dyn Write, numbers: &[f32]) -> Result<()> {
    let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
    out.write_all(&bytes).map_err(not_written)
}

impl<N> SpreadRows<N> {
    /// The same description of other numbers.
    pub fn with<M>(self, numbers: M) -> SpreadRows<M> {
        let Self { name, shape, rows, dim, partition, .. } = self;
        SpreadRows { name, shape, rows, dim, partition, numbers }
    }

    /// The rows of all ranks, some at a time.
    fn pieces(&self) -> impl Iterator<Item = std::ops::Range<u32>> + use<N> {
        let rows = self.rows;
        (0..rows).step_by(ROWS).map(move |start| start as u32..(start + ROWS).min(rows) as u32)
    }
}

impl SpreadRows<&[f32]> {
    fn write(&self, ranks: &dyn Communicator, out: &mut Option<&mut dyn Write>) -> Result<()> {
        let (dim, partition) = (self.dim, self.partition);
        let mut numbers: Vec<f32> = Vec::new();
        for piece in self.pieces() {
            numbers.clear();
            for id in piece.clone().filter(|&id| partition.has(id)) {
                let start = partition.place(id) as usize * dim;
                numbers.extend_from_slice(&self.numbers[start..start + dim]);
            }
            // All for the first rank, nothing for the others.
            let mut parcels = Parcels::default();
            parcels.push(bytemuck::cast_slice(&numbers));
            (1..ranks.size()).for_each(|_| parcels.close());
            let received = ranks.all_to_all(parcels)?;
            let Some(out) = out else { continue };
            let mut next: Vec<Words<'_>> = received.iter().map(Words).collect();
            numbers.clear();
            for id in piece {
                let owner = partition.owner(id);
                numbers.extend_from_slice(bytemuck::cast_slice(next[owner].take(dim)?));
            }
            write_numbers(*out, &numbers)?;
        }
        Ok(())
    }
}

impl SpreadRows<&mut [f32]> {
    /// Reads this rank's rows out of all rows, which begin where `input` is.
    fn read(&mut self, input: &mut impl Read) -> Result<()> {
        let (dim, partition) = (self.dim, self.partition);
        let mut bytes = Vec::new();
        for piece in self.pieces() {
            bytes.resize(4 * dim * piece.len(), 0);
            input.read_exact(&mut bytes).map_err(not_read)?;
            for (id, row) in piece.zip(bytes.chunks_exact((4 * dim).max(1))) {
                if partition.has(id) {
                    let start = partition.place(id) as usize * dim;
                    from_bytes(row, &mut self.numbers[start..start + dim]);
                }
            }
        }
        Ok(())
    }
}

fn from_bytes(bytes: &[u8], numbers: &mut [f32]) {
    for (number, bytes) in numbers.iter_mut().zip(bytes.as_chunks().0) {
        *number = f32::from_le_bytes(*bytes);
    }
}

/// Reads this rank's rows from a file that [`write_spread`] or one process wrote, and gives all that is not spread,
/// with the metadata, for [`crate::Weights::import`] and [`Optimizer::import`].
///
/// # Errors
/// When it is no such file, or that of another model.
pub fn read_spread<R: Read + Seek>(
    network: &mut Network,
    optimizer: Option<&mut Optimizer>,
    input: &mut R,
) -> Result<NamedTensors> {
    let (header, begin) = read_header(input)?;
    let mut tensors = header.tensors();
    let place = |info: &TensorInfo| SeekFrom::Start(begin + info.data_offsets.0 as u64);

    let mut large = optimizer.map_or_else(Vec::new, |one| one.spread_rows_mut(&network.weights));
    large.extend(network.weights.spread_rows_mut());
    for mut rows in large {
        let info = tensors.remove(&rows.name);
        let info = info.filter(|info| info.shape == rows.shape && info.dtype == Dtype::F32);
        let info = info.ok_or_else(|| {
            Error::Stored(format!(
                "{} is missing or not of shape {:?}; was it another configuration or dataset?",
                rows.name, rows.shape
            ))
        })?;
        input.seek(place(info)).map_err(not_read)?;
        rows.read(&mut io::BufReader::new(&mut *input))?;
    }

    let mut small = NamedTensors::default();
    small.metadata = metadata_of(&header);
    for (name, info) in tensors {
        let count = info.shape.iter().product::<usize>();
        let mut bytes = vec![0; info.data_offsets.1 - info.data_offsets.0];
        if info.dtype != Dtype::F32 || bytes.len() != 4 * count {
            return Err(Error::Stored(format!("{name} is not of F32")));
        }
        input.seek(place(info)).map_err(not_read)?;
        input.read_exact(&mut bytes).map_err(not_read)?;
        let mut values = vec![0.0; count];
        from_bytes(&bytes, &mut values);
        small.push(StoredTensor { name, shape: info.shape.clone(), values });
    }
    Ok(small)
}
