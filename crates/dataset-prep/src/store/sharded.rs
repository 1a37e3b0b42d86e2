//! Which shard a user belongs to, and what a shard's files are called.

use crate::{Error, Result};
use ctr_core::sha256_number;
use std::path::Path;

/// Most shards of a dataset: beyond it files are small and many.
pub const MOST_SHARDS: u32 = 65_536;

/// How users come to their shards, in the manifest's words.
pub(crate) const SHARD_RULE: &str =
    "the first 16 hexadecimal digits of the SHA-256 of a user's key, modulo the number of shards";

/// The shard of a user.
pub(crate) fn shard_of(user_key: &str, shards: u32) -> u32 {
    (sha256_number(user_key) % u64::from(shards.max(1))) as u32
}

/// The name of a shard's file.
pub(crate) fn shard_file(stem: &str, shard: usize, of: usize) -> String {
    format!("{stem}-{shard:05}-of-{of:05}.parquet")
}

/// Checks a number of shards.
pub(crate) fn check_shards(shards: u32, place: &Path) -> Result<()> {
    if (1..=MOST_SHARDS).contains(&shards) {
        return Ok(());
    }
    Err(Error::Files {
        folder: place.to_path_buf(),
        problem: format!("{shards} shards"),
        remedy: format!("choose 1 to {MOST_SHARDS}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_spread_by_a_rule_that_is_fixed_for_ever() {
        // printf %s abc | sha256sum | cut -c 1-16
        assert_eq!(shard_of("", 16), (0xe3b0_c442_98fc_1c14_u64 % 16) as u32);
        assert_eq!(shard_of("abc", 1000), (0xba78_16bf_8f01_cfea_u64 % 1000) as u32);
        let mut counts = [0u32; 8];
        (0..8000).for_each(|user| counts[shard_of(&format!("u{user}"), 8) as usize] += 1);
        // The standard deviation of a count is 30.
        assert!(counts.iter().all(|count| (850..1150).contains(count)), "{counts:?}");
    }

    #[test]
    fn a_number_of_shards_that_cannot_be_is_refused() {
        assert!(check_shards(1, Path::new("x")).is_ok());
        for shards in [0, MOST_SHARDS + 1] {
            let message = check_shards(shards, Path::new("x")).unwrap_err().to_string();
            assert!(message.contains("choose 1 to"), "{message}");
        }
    }
}
