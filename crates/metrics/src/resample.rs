//! Drawing users again: the inner loops of bootstrap and permutation test.

use ctr_core::{RandomStream, SeedStreams};
use rayon::prelude::*;

/// How often and from which seed users are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resampling {
    /// Resamples of the bootstrap, and as many permutations.
    pub resamples: usize,
    /// Seed of both.
    pub seed: u64,
}

impl Default for Resampling {
    /// 10,000 from seed 1234.
    fn default() -> Self {
        Self { resamples: 10_000, seed: 1234 }
    }
}

impl Resampling {
    /// One value for each resample, each from a stream of its own: neither threads nor their order matter.
    pub(crate) fn each<M: Send>(
        &self,
        stream: &str,
        memory: impl Fn() -> M + Sync + Send,
        value: impl Fn(&mut M, RandomStream) -> f64 + Sync + Send,
    ) -> Vec<f64> {
        let stream = SeedStreams::new(self.seed).stream(stream);
        (0..self.resamples)
            .into_par_iter()
            .with_min_len(16)
            .map_init(memory, |memory, number| value(memory, stream.substream(number as u64)))
            .collect()
    }
}

/// Draws as many users as there are, with replacement, and counts how often each was drawn.
///
/// An index is the upper half of a 32-bit draw times the number of users; the lower indexes are more likely by
/// less than users / 2³², which no interval shows.
pub(crate) fn draw_users(counts: &mut [u8], stream: &mut RandomStream) {
    counts.fill(0);
    let users = counts.len() as u64;
    let mut draw = |bits: u64| {
        let count = &mut counts[((bits * users) >> 32) as usize];
        // More than 255 of one user: impossible for few users, and never for many.
        *count = count.saturating_add(1);
    };
    for _ in 0..users / 2 {
        let bits = stream.next_u64();
        draw(bits & 0xffff_ffff);
        draw(bits >> 32);
    }
    if users % 2 == 1 {
        draw(stream.next_u64() >> 32);
    }
}

/// Independent partial sums, so that the compiler may use vectors.
const LANES: usize = 16;
/// Values after which partial sums move into `f64`.
const BLOCK: usize = 2048;

/// Σ counts · values.
pub(crate) fn counted_sum(counts: &[u8], values: &[f32]) -> f64 {
    let block = |(counts, values): (&[u8], &[f32])| {
        let mut lanes = [0.0f32; LANES];
        let mut counts = counts.chunks_exact(LANES);
        let mut values = values.chunks_exact(LANES);
        for (counts, values) in counts.by_ref().zip(values.by_ref()) {
            for lane in 0..LANES {
                lanes[lane] += f32::from(counts[lane]) * values[lane];
            }
        }
        let rest = counts.remainder().iter().zip(values.remainder());
        let rest: f64 = rest.map(|(&count, &value)| f64::from(count) * f64::from(value)).sum();
        rest + lanes.iter().map(|&lane| f64::from(lane)).sum::<f64>()
    };
    counts.chunks(BLOCK).zip(values.chunks(BLOCK)).map(block).sum()
}

/// Σ ± values, each sign a bit of the stream.
pub(crate) fn signed_sum(values: &[f32], stream: &mut RandomStream) -> f64 {
    let mut sum = 0.0;
    for values in values.chunks(64) {
        let bits = stream.next_u64();
        let signed = values.iter().enumerate().map(|(place, value)| {
            let sign = ((bits >> place) as u32 & 1) << 31;
            f32::from_bits(value.to_bits() ^ sign)
        });
        sum += f64::from(signed.sum::<f32>());
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_users_are_drawn_as_there_are() {
        for users in [1, 2, 7, 200] {
            let mut counts = vec![9u8; users];
            draw_users(&mut counts, &mut SeedStreams::new(1).stream("t"));
            assert_eq!(counts.iter().map(|&count| usize::from(count)).sum::<usize>(), users);
        }
    }

    #[test]
    fn sums_are_those_of_a_plain_loop() {
        let values: Vec<f32> = (0..5000).map(|n| ((n * 31) % 17) as f32 - 8.0).collect();
        let counts: Vec<u8> = (0..5000).map(|n| (n % 5) as u8).collect();
        let plain: f64 =
            counts.iter().zip(&values).map(|(&c, &v)| f64::from(c) * f64::from(v)).sum();
        assert_eq!(counted_sum(&counts, &values), plain);
        let stream = SeedStreams::new(1).stream("t");
        let mut bits = Vec::new();
        let mut copy = stream.clone();
        for _ in 0..values.len().div_ceil(64) {
            let word = copy.next_u64();
            bits.extend((0..64).map(|place| word >> place & 1 == 1));
        }
        let plain: f64 = values
            .iter()
            .zip(bits)
            .map(|(&v, minus)| if minus { -f64::from(v) } else { f64::from(v) })
            .sum();
        assert_eq!(signed_sum(&values, &mut stream.clone()), plain);
    }
}
