//! Protocol Buffers on the wire: fields one after the other, each with its number and a type.
//!
//! Own code rather than a crate: the messages here are few, and the derive macros of prost would have the
//! parser of Rust that all others share compiled with one feature more, and everything behind it once again.

/// Types on the wire.
const VARINT: u64 = 0;
const FIXED_64: u64 = 1;
const BYTES: u64 = 2;
const FIXED_32: u64 = 5;

/// A message that can be written.
pub(crate) trait Message {
    /// Appends all fields.
    fn write(&self, to: &mut Writer);

    /// The message's bytes.
    fn to_bytes(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        self.write(&mut writer);
        writer.bytes
    }
}

/// A message under way.
#[derive(Default)]
pub(crate) struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.bytes.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.bytes.push(value as u8);
    }

    fn key(&mut self, field: u64, kind: u64) {
        self.varint(field << 3 | kind);
    }

    /// A whole number or the number of a choice.
    pub fn int(&mut self, field: u64, value: i64) {
        self.key(field, VARINT);
        // Negative ones as two's complement.
        self.varint(value as u64);
    }

    pub fn float(&mut self, field: u64, value: f32) {
        self.key(field, FIXED_32);
        self.bytes.extend(value.to_le_bytes());
    }

    pub fn double(&mut self, field: u64, value: f64) {
        self.key(field, FIXED_64);
        self.bytes.extend(value.to_le_bytes());
    }

    pub fn bytes(&mut self, field: u64, value: &[u8]) {
        self.key(field, BYTES);
        self.varint(value.len() as u64);
        self.bytes.extend(value);
    }

    /// A text; an empty one is left out, as the format has it.
    pub fn text(&mut self, field: u64, value: &str) {
        if !value.is_empty() {
            self.bytes(field, value.as_bytes());
        }
    }

    /// Whole numbers, packed.
    pub fn ints(&mut self, field: u64, values: &[i64]) {
        if !values.is_empty() {
            let mut packed = Self::default();
            values.iter().for_each(|&value| packed.varint(value as u64));
            self.bytes(field, &packed.bytes);
        }
    }

    pub fn message(&mut self, field: u64, message: &impl Message) {
        self.bytes(field, &message.to_bytes());
    }

    pub fn messages<'m, M: Message + 'm>(
        &mut self,
        field: u64,
        messages: impl IntoIterator<Item = &'m M>,
    ) {
        messages.into_iter().for_each(|message| self.message(field, message));
    }
}

/// A field's value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Value<'b> {
    Int(u64),
    Double(f64),
    Bytes(&'b [u8]),
    Float(f32),
}

/// The fields of a message, up to the first that is not whole.
pub(crate) fn fields(mut bytes: &[u8]) -> impl Iterator<Item = (u64, Value<'_>)> {
    std::iter::from_fn(move || {
        let key = varint(&mut bytes)?;
        let value = match key & 7 {
            VARINT => Value::Int(varint(&mut bytes)?),
            FIXED_64 => Value::Double(f64::from_le_bytes(take(&mut bytes)?)),
            FIXED_32 => Value::Float(f32::from_le_bytes(take(&mut bytes)?)),
            BYTES => {
                let length = usize::try_from(varint(&mut bytes)?).ok()?;
                let (value, rest) = bytes.split_at_checked(length)?;
                bytes = rest;
                Value::Bytes(value)
            }
            _ => return None,
        };
        Some((key >> 3, value))
    })
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (&first, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(first & 0x7f) << shift;
        if first < 0x80 {
            return Some(value);
        }
    }
    None
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (&first, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_are_those_of_the_published_description() {
        // The examples of its chapter on encoding: 150 in field 1, "testing" in field 2, and [3, 270, 86942].
        let mut writer = Writer::default();
        writer.int(1, 150);
        writer.text(2, "testing");
        writer.text(3, "");
        writer.ints(6, &[3, 270, 86942]);
        let expected = [
            &[0x08, 0x96, 0x01, 0x12, 0x07][..],
            b"testing",
            &[0x32, 0x06, 0x03, 0x8e, 0x02, 0x9e, 0xa7, 0x05],
        ];
        assert_eq!(writer.bytes, expected.concat());
    }

    #[test]
    fn fields_come_back_until_the_first_that_is_cut() {
        let mut writer = Writer::default();
        writer.int(1, -2);
        writer.float(2, 0.5);
        writer.double(300, -0.25);
        writer.bytes(4, b"ab");
        let bytes = writer.bytes;
        let expected = [
            (1, Value::Int(-2i64 as u64)),
            (2, Value::Float(0.5)),
            (300, Value::Double(-0.25)),
            (4, Value::Bytes(b"ab")),
        ];
        assert_eq!(fields(&bytes).collect::<Vec<_>>(), expected);
        assert_eq!(fields(&bytes[..bytes.len() - 1]).count(), 3);
        assert_eq!(fields(&[0xff; 30]).count(), 0);
    }
}
