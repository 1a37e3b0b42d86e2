//! Named random streams.
//!
//! A draw depends on the seed, the stream's name and its place in that stream, and on nothing else: not
//! on the order in which streams are opened, not on threads. The conversions to numbers are written
//! here, because those of the `rand` crates change between releases.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use sha2::{Digest, Sha256};

/// Opens named streams of one seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeedStreams {
    seed: u64,
}

impl SeedStreams {
    /// Streams of `seed`.
    pub fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// The stream called `name`, such as `init/goods_id` or `shuffle/epoch-3`, from its beginning:
    /// ChaCha8 keyed with SHA-256(seed ‖ name).
    pub fn stream(&self, name: &str) -> RandomStream {
        let mut hash = Sha256::new();
        hash.update(self.seed.to_le_bytes());
        hash.update(name.as_bytes());
        RandomStream { generator: ChaCha8Rng::from_seed(hash.finalize().into()) }
    }
}

/// One stream of random numbers.
#[derive(Clone, Debug)]
pub struct RandomStream {
    generator: ChaCha8Rng,
}

impl RandomStream {
    /// The next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        self.generator.next_u64()
    }

    /// An independent stream derived from this one by number, for example one a user, so that draws for
    /// one user do not depend on how many another needed.
    #[must_use]
    pub fn substream(&self, number: u64) -> Self {
        let mut generator = self.generator.clone();
        generator.set_stream(number);
        generator.set_word_pos(0);
        Self { generator }
    }

    /// A whole number in `0..bound`, each equally likely (Lemire's multiplication with rejection).
    /// `bound` 0 gives 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        if bound == 0 {
            return 0;
        }
        let threshold = bound.wrapping_neg() % bound;
        loop {
            let product = u128::from(self.next_u64()) * u128::from(bound);
            if product as u64 >= threshold {
                return (product >> 64) as u64;
            }
        }
    }

    /// A number in `[0, 1)` with 53 random bits.
    pub fn unit(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// A number in `[low, high)`.
    pub fn uniform(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// A draw from the standard normal distribution (Box and Muller; the second value is not kept, so
    /// that each call takes exactly two numbers).
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.unit()).cos()
    }

    /// Shuffles in place (Fisher and Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last as u64 + 1) as usize);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_repeat_and_differ_by_name_and_seed() {
        let first = SeedStreams::new(1).stream("a").next_u64();
        assert_eq!(first, SeedStreams::new(1).stream("a").next_u64());
        assert_ne!(first, SeedStreams::new(1).stream("b").next_u64());
        assert_ne!(first, SeedStreams::new(2).stream("a").next_u64());
    }

    #[test]
    fn the_values_are_fixed_for_ever() {
        // A change here moves every number in every report.
        let mut stream = SeedStreams::new(2018).stream("init/goods_id");
        let drawn: Vec<u64> = (0..3).map(|_| stream.below(1000)).collect();
        assert_eq!(drawn, [91, 991, 525]);
    }

    #[test]
    fn substreams_do_not_depend_on_how_far_the_parent_went() {
        let mut parent = SeedStreams::new(1).stream("negatives");
        let before = parent.substream(7).next_u64();
        parent.next_u64();
        assert_eq!(before, parent.substream(7).next_u64());
        assert_ne!(before, parent.substream(8).next_u64());
    }

    #[test]
    fn bounded_draws_are_uniform() {
        let mut stream = SeedStreams::new(3).stream("t");
        let mut counts = [0u32; 7];
        for _ in 0..70_000 {
            counts[stream.below(7) as usize] += 1;
        }
        // Standard deviation of a count is 93.
        assert!(counts.iter().all(|count| (9_600..10_400).contains(count)), "{counts:?}");
    }

    #[test]
    fn normal_draws_have_mean_zero_and_variance_one() {
        let mut stream = SeedStreams::new(3).stream("n");
        let draws: Vec<f64> = (0..100_000).map(|_| stream.normal()).collect();
        let mean = draws.iter().sum::<f64>() / draws.len() as f64;
        let variance = draws.iter().map(|x| x * x).sum::<f64>() / draws.len() as f64;
        assert!(mean.abs() < 0.015, "{mean}");
        assert!((variance - 1.0).abs() < 0.02, "{variance}");
    }

    #[test]
    fn a_shuffle_is_a_permutation() {
        let mut items: Vec<u32> = (0..100).collect();
        SeedStreams::new(5).stream("s").shuffle(&mut items);
        assert_ne!(items, (0..100).collect::<Vec<_>>());
        items.sort_unstable();
        assert_eq!(items, (0..100).collect::<Vec<_>>());
    }
}
