//! Attributes by hash: what a thing is follows from its number, so that nothing is stored for it.

use ctr_core::SeedStreams;

/// What is asked for. The numbers go into the hash: an attribute keeps its own for ever.
#[derive(Clone, Copy, Debug)]
pub(super) enum Attribute {
    Birthday = 1,
    Style = 2,
    GoodQuality = 3,
    Shop = 4,
    Assortment = 5,
    ShopQuality = 6,
    Affinity = 7,
    Brand = 8,
    Campaign = 9,
    Customer = 10,
    PriceLevel = 11,
    CreativeType = 12,
    AdLevel = 13,
    Bid = 14,
}

/// Random-looking functions of a number, fixed by the seed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hash {
    key: u64,
}

impl Hash {
    pub fn new(streams: SeedStreams) -> Self {
        Self { key: streams.stream("simulate/ads/attributes").next_u64() }
    }

    /// 64 bits: the finalizer of SplitMix64 (Steele, Lea and Flood 2014), twice.
    fn bits(self, attribute: Attribute, number: u64) -> u64 {
        mix(mix(self.key ^ ((attribute as u64) << 56)) ^ number)
    }

    /// A number in `[0, 1)`.
    pub fn unit(self, attribute: Attribute, number: u64) -> f64 {
        (self.bits(attribute, number) >> 11) as f64 / (1u64 << 53) as f64
    }

    /// A whole number below `bound`.
    pub fn below(self, attribute: Attribute, number: u64, bound: u32) -> u32 {
        ((u128::from(self.bits(attribute, number)) * u128::from(bound)) >> 64) as u32
    }

    /// Roughly normal with mean 0 and variance 1: a sum of four uniforms, which needs no logarithm.
    pub fn normal(self, attribute: Attribute, number: u64) -> f64 {
        let bits = self.bits(attribute, number);
        let quarter = |index: u32| f64::from((bits >> (16 * index)) as u16) + 0.5;
        normal_of((0..4).map(quarter).sum::<f64>() / 65_536.0)
    }
}

/// From the sum of four uniforms, which has mean 2 and variance 1/3, to mean 0 and variance 1.
pub(super) fn normal_of(sum: f64) -> f64 {
    (sum - 2.0) * 3f64.sqrt()
}

fn mix(mut bits: u64) -> u64 {
    bits = bits.wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_spread_and_independent() {
        let hash = Hash::new(SeedStreams::new(1));
        let mean = |f: &dyn Fn(u64) -> f64| (0..20_000).map(f).sum::<f64>() / 20_000.0;
        let normal = |number| hash.normal(Attribute::GoodQuality, number);
        let other = |number| hash.normal(Attribute::ShopQuality, number);
        // Standard deviation of the means is 0.007, of the square's 0.01.
        assert!(mean(&normal).abs() < 0.03);
        assert!((mean(&|n| normal(n) * normal(n)) - 1.0).abs() < 0.05);
        assert!(mean(&|n| normal(n) * other(n)).abs() < 0.03);
        assert!((mean(&|n| hash.unit(Attribute::Birthday, n)) - 0.5).abs() < 0.01);
        assert!((0..999).all(|n| hash.below(Attribute::Brand, n, 7) < 7));
    }
}
