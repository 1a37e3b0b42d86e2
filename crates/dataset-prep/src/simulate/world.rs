//! Goods, categories, interests and styles of the simulator.

use super::Counts;
use ctr_core::{RandomStream, SeedStreams};

/// Styles within an interest.
pub(crate) const STYLES: u32 = 4;

/// Complements of a good.
const COMPLEMENTS: usize = 4;

/// Numbers drawn in proportion to integer weights.
#[derive(Debug, Default)]
pub(crate) struct Weighted {
    numbers: Vec<u32>,
    /// Sum of the weights up to and including each number's.
    sums: Vec<u64>,
}

impl Weighted {
    pub(crate) fn push(&mut self, number: u32, weight: u64) {
        self.numbers.push(number);
        self.sums.push(self.total() + weight);
    }

    pub(crate) fn total(&self) -> u64 {
        self.sums.last().copied().unwrap_or(0)
    }

    /// A number, or none when there are none.
    pub(crate) fn draw(&self, stream: &mut RandomStream) -> Option<u32> {
        let point = stream.below(self.total());
        self.numbers.get(self.sums.partition_point(|&sum| sum <= point)).copied()
    }
}

/// Everything about goods that events depend on.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) counts: Counts,
    categories: Vec<u32>,
    styles: Vec<u32>,
    complements: Vec<[u32; COMPLEMENTS]>,
    /// All goods by popularity.
    pub(crate) all: Weighted,
    /// Interests by the popularity of their goods.
    pub(crate) interests: Weighted,
    by_interest: Vec<Weighted>,
    by_style: Vec<Weighted>,
}

impl World {
    pub(crate) fn new(counts: Counts, streams: SeedStreams) -> Self {
        let mut stream = streams.stream("simulate/goods");
        let goods = counts.goods as usize;
        let categories = categories(counts, &mut stream);
        let styles: Vec<u32> = (0..goods).map(|_| stream.below(u64::from(STYLES)) as u32).collect();
        let weights = popularity(goods, &mut stream);

        let mut all = Weighted::default();
        let mut by_interest: Vec<Weighted> =
            (0..counts.interests).map(|_| Default::default()).collect();
        let mut by_style: Vec<Weighted> =
            (0..counts.interests * STYLES).map(|_| Default::default()).collect();
        for good in 0..goods {
            let interest = categories[good] % counts.interests;
            all.push(good as u32, weights[good]);
            by_interest[interest as usize].push(good as u32, weights[good]);
            by_style[(interest * STYLES + styles[good]) as usize].push(good as u32, weights[good]);
        }
        let mut interests = Weighted::default();
        for (interest, goods) in by_interest.iter().enumerate() {
            interests.push(interest as u32, goods.total());
        }
        let complements = (0..goods)
            .map(|good| {
                let interest = categories[good] % counts.interests;
                let group = &by_style[(interest * STYLES + styles[good]) as usize];
                // The group holds the good itself at least.
                std::array::from_fn(|_| group.draw(&mut stream).unwrap_or(good as u32))
            })
            .collect();
        Self { counts, categories, styles, complements, all, interests, by_interest, by_style }
    }

    pub(crate) fn category(&self, good: u32) -> u32 {
        self.categories[good as usize]
    }

    pub(crate) fn interest(&self, good: u32) -> u32 {
        self.category(good) % self.counts.interests
    }

    pub(crate) fn style(&self, good: u32) -> u32 {
        self.styles[good as usize]
    }

    pub(crate) fn complement(&self, good: u32, stream: &mut RandomStream) -> u32 {
        self.complements[good as usize][stream.below(COMPLEMENTS as u64) as usize]
    }

    #[cfg(test)]
    pub(crate) fn complements(&self, good: u32) -> &[u32] {
        &self.complements[good as usize]
    }

    pub(crate) fn of_interest(&self, interest: u32) -> &Weighted {
        &self.by_interest[interest as usize]
    }

    pub(crate) fn of_style(&self, interest: u32, style: u32) -> &Weighted {
        &self.by_style[(interest * STYLES + style) as usize]
    }
}

/// A category for each good: some for every category, the rest by a power law.
fn categories(counts: Counts, stream: &mut RandomStream) -> Vec<u32> {
    let (goods, categories) = (counts.goods, counts.categories);
    let least = if goods / 3 >= categories { 3 } else { 1 };
    let mut ranks: Vec<u32> = (0..categories).collect();
    stream.shuffle(&mut ranks);
    let mut weighted = Weighted::default();
    for (rank, &category) in ranks.iter().enumerate() {
        weighted.push(category, (1 << 32) / (rank as u64 + 10));
    }
    (0..goods)
        .map(|good| {
            if good < least * categories {
                good % categories
            } else {
                weighted.draw(stream).unwrap_or(good % categories)
            }
        })
        .collect()
}

/// A weight for each good: 1 / (rank + 30) over a floor that carries a quarter of the total.
fn popularity(goods: usize, stream: &mut RandomStream) -> Vec<u64> {
    let mut ranks: Vec<u32> = (0..goods as u32).collect();
    stream.shuffle(&mut ranks);
    let power = |rank: u32| (1u64 << 32) / (u64::from(rank) + 30);
    let floor = ranks.iter().map(|&rank| power(rank)).sum::<u64>() / (3 * goods as u64);
    ranks.iter().map(|&rank| floor + power(rank)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_follow_the_weights() {
        let mut weighted = Weighted::default();
        let mut stream = SeedStreams::new(1).stream("t");
        assert_eq!(weighted.draw(&mut stream), None);
        for (number, weight) in [(7, 1), (8, 0), (9, 3)] {
            weighted.push(number, weight);
        }
        let drawn: Vec<u32> = (0..4000).filter_map(|_| weighted.draw(&mut stream)).collect();
        let count = |number| drawn.iter().filter(|&&other| other == number).count();
        assert_eq!((count(8), count(7) + count(9)), (0, 4000));
        // Mean 1000, standard deviation 27.
        assert!((850..1150).contains(&count(7)), "{}", count(7));
    }

    #[test]
    fn every_category_has_goods_and_complements_share_interest_and_style() {
        let counts = Counts { users: 10, goods: 400, categories: 20, reviews: 2000, interests: 5 };
        let world = World::new(counts, SeedStreams::new(2));
        for category in 0..20 {
            assert!((0..400).filter(|&good| world.category(good) == category).count() >= 3);
        }
        for good in 0..400 {
            for &other in world.complements(good) {
                assert_eq!(world.interest(other), world.interest(good));
                assert_eq!(world.style(other), world.style(good));
            }
        }
    }
}
