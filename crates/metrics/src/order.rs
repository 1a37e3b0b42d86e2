//! Scores as whole numbers of the same order, and sorting them without comparisons.
//!
//! Sorting `u32` keys by their digits takes a fixed number of passes over the memory and gives the same
//! result however the work is shared.

/// Bits of one digit: 2048 counters fit the first-level cache, and three digits cover 32 bits.
const DIGIT_BITS: u32 = 11;
const BUCKETS: usize = 1 << DIGIT_BITS;
const PASSES: usize = 3;
/// Below this many keys the counters cost more than comparisons.
const SMALL: usize = 4096;

/// The key of a score that is a number: `a < b` exactly when `key(a) < key(b)`, and -0.0 has the key of
/// 0.0. Infinities are the ends.
pub(crate) fn key(score: f32) -> u32 {
    // Adding 0.0 turns -0.0 into 0.0 and leaves all other numbers as they are.
    let bits = (score + 0.0).to_bits();
    // Positive numbers move above the middle; negative ones are mirrored, as their bits grow downward.
    if bits >> 31 == 0 { bits | 0x8000_0000 } else { !bits }
}

/// Sorts keys ascending.
pub(crate) fn sort(keys: &mut Vec<u32>) {
    if keys.len() < SMALL {
        keys.sort_unstable();
        return;
    }
    let digit =
        |key: u32, pass: usize| (key >> (DIGIT_BITS * pass as u32)) as usize & (BUCKETS - 1);
    let mut counts = vec![[0usize; BUCKETS]; PASSES];
    for &key in keys.iter() {
        for (pass, count) in counts.iter_mut().enumerate() {
            count[digit(key, pass)] += 1;
        }
    }
    let mut other = vec![0u32; keys.len()];
    for (pass, count) in counts.iter_mut().enumerate() {
        // Scores of one model often share their upper bits; such a pass would only copy.
        if count.contains(&keys.len()) {
            continue;
        }
        let mut start = 0;
        for slot in count.iter_mut() {
            start += std::mem::replace(slot, start);
        }
        for &key in keys.iter() {
            let slot = &mut count[digit(key, pass)];
            other[*slot] = key;
            *slot += 1;
        }
        std::mem::swap(keys, &mut other);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_the_order_of_the_scores() {
        let ascending = [
            f32::NEG_INFINITY,
            f32::MIN,
            -1.5,
            -1.0,
            -f32::MIN_POSITIVE,
            -f32::from_bits(1),
            0.0,
            f32::from_bits(1),
            f32::MIN_POSITIVE,
            0.1,
            1.0,
            f32::MAX,
            f32::INFINITY,
        ];
        for pair in ascending.windows(2) {
            assert!(key(pair[0]) < key(pair[1]), "{} and {}", pair[0], pair[1]);
        }
        assert_eq!(key(-0.0), key(0.0));
    }

    #[test]
    fn radix_sort_equals_comparison_sort() {
        for (count, mask) in [(SMALL - 1, u32::MAX), (20_000, u32::MAX), (20_000, 0x0000_ff00)] {
            let mut state = 7u32;
            let mut keys: Vec<u32> = (0..count)
                .map(|_| {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    (state ^ state >> 15) & mask
                })
                .collect();
            let mut expected = keys.clone();
            expected.sort_unstable();
            sort(&mut keys);
            assert_eq!(keys, expected);
        }
    }
}
