//! Canonical JSON and SHA-256: the identity of configurations, datasets and results.

use crate::Result;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

/// JSON with sorted keys, no spaces and shortest round-trip numbers: equal values give equal bytes.
///
/// # Errors
/// When a value has no JSON form (a map with keys that are not strings).
pub fn canonical_json<T: Serialize>(value: &T) -> Result<String> {
    // `serde_json::Value` keeps its keys in a sorted map unless `preserve_order` is on; a test below
    // fails if some dependency switches it on.
    Ok(serde_json::to_value(value)?.to_string())
}

/// SHA-256 in lower-case hexadecimal.
pub fn sha256_hex(bytes: &[u8]) -> String {
    let mut digest = Digest::new();
    digest.update(bytes);
    digest.finish()
}

/// The same of a file's content, which need not fit into memory.
///
/// # Errors
/// What the system says.
pub fn sha256_of_file(path: &std::path::Path) -> std::io::Result<String> {
    let mut digest = Digest::new();
    std::io::copy(&mut std::fs::File::open(path)?, &mut digest.hash)?;
    Ok(digest.finish())
}

/// The first 16 digits of a text's SHA-256 as a number: `printf %s TEXT | sha256sum | cut -c 1-16`.
pub fn sha256_number(text: &str) -> u64 {
    let hash = Sha256::digest(text.as_bytes());
    hash.iter().take(8).fold(0, |number, &byte| number << 8 | u64::from(byte))
}

/// SHA-256 over typed pieces, the same on every machine: numbers go in as little-endian bytes.
#[derive(Clone, Debug, Default)]
pub struct Digest {
    hash: Sha256,
}

impl Digest {
    /// An empty digest.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds raw bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.hash.update(bytes);
    }

    /// Adds a text with its length before it, so that neighboring texts cannot run together.
    pub fn text(&mut self, text: &str) {
        self.hash.update((text.len() as u64).to_le_bytes());
        self.hash.update(text.as_bytes());
    }

    /// Adds a column of ids with its length before it.
    pub fn ids(&mut self, ids: &[u32]) {
        self.hash.update((ids.len() as u64).to_le_bytes());
        for chunk in ids.chunks(1024) {
            let bytes: Vec<u8> = chunk.iter().flat_map(|id| id.to_le_bytes()).collect();
            self.hash.update(&bytes);
        }
    }

    /// Adds a column of numbers, bit by bit, with its length before it.
    pub fn numbers(&mut self, numbers: &[f32]) {
        self.hash.update((numbers.len() as u64).to_le_bytes());
        for chunk in numbers.chunks(1024) {
            let bytes: Vec<u8> = chunk.iter().flat_map(|x| x.to_bits().to_le_bytes()).collect();
            self.hash.update(&bytes);
        }
    }

    /// The digest in lower-case hexadecimal.
    pub fn finish(self) -> String {
        self.hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn keys_are_sorted_at_every_depth() {
        let text = r#"{"b": {"z": 1, "a": 0.1}, "a": [2.0, null]}"#;
        let value: serde_json::Value = serde_json::from_str(text).unwrap();
        assert_eq!(canonical_json(&value).unwrap(), r#"{"a":[2.0,null],"b":{"a":0.1,"z":1}}"#);
    }

    #[test]
    fn anagrams_have_different_identities() {
        // FuxiCTR's run ids sort the characters and take these two for one.
        let first = canonical_json(&json!({"attention_dropout": 0.2, "net_dropout": 0.1})).unwrap();
        let second =
            canonical_json(&json!({"attention_dropout": 0.1, "net_dropout": 0.2})).unwrap();
        assert_ne!(sha256_hex(first.as_bytes()), sha256_hex(second.as_bytes()));
    }

    #[test]
    fn the_digest_is_sha256() {
        assert_eq!(
            sha256_hex(b"abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert_eq!(sha256_number("abc"), 0xba78_16bf_8f01_cfea);
    }
}
