//! TensorFlow's record files: length, its checksum, content, its checksum.

/// Added to a checksum after its rotation, so that checksums of checksums stay apart.
const MASK: u32 = 0xa282_ead8;

fn masked(bytes: &[u8]) -> [u8; 4] {
    crc32c::crc32c(bytes).rotate_right(15).wrapping_add(MASK).to_le_bytes()
}

/// Appends one record.
pub(super) fn append_record(to: &mut Vec<u8>, content: &[u8]) {
    let length = (content.len() as u64).to_le_bytes();
    to.extend(length);
    to.extend(masked(&length));
    to.extend(content);
    to.extend(masked(content));
}

/// The records of a file, up to the first that is not whole.
pub(super) fn records(mut bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (&length, rest) = bytes.split_first_chunk::<8>()?;
        let (&of_length, rest) = rest.split_first_chunk::<4>()?;
        let (content, rest) = rest.split_at_checked(u64::from_le_bytes(length) as usize)?;
        let (&of_content, rest) = rest.split_first_chunk::<4>()?;
        bytes = rest;
        (of_length == masked(&length) && of_content == masked(content)).then_some(content)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_come_back_until_the_first_that_is_damaged() {
        // CRC-32C of 32 zeros is in RFC 3720, appendix B.4.
        assert_eq!(crc32c::crc32c(&[0; 32]), 0x8a91_36aa);
        let mut bytes = Vec::new();
        for content in [&b"one"[..], b"", b"three"] {
            append_record(&mut bytes, content);
        }
        assert_eq!(records(&bytes).collect::<Vec<_>>(), [&b"one"[..], b"", b"three"]);
        assert_eq!(records(&bytes[..bytes.len() - 1]).count(), 2);
        let place = bytes.len() - 6;
        bytes[place] ^= 1;
        assert_eq!(records(&bytes).count(), 2);
        assert_eq!(records(&[0xff; 40]).count(), 0);
    }
}
