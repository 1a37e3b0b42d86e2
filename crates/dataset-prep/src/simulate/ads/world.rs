//! Goods, shops, categories and ads. Their attributes are functions of their numbers; memory holds two
//! numbers a category.

use super::Counts;
use super::hash::{Attribute, Hash};
use crate::simulate::world::STYLES;
use ctr_core::{RandomStream, SeedStreams};

/// One rank in so many is an ad's good.
pub(super) const RANKS_AN_AD: u32 = 60;
/// Place of an ad among the ranks: its good is of middling popularity, not the category's most visited.
const AD_RANK: u32 = 29;
/// Popularity of rank x among n is 1 / (x + FLATNESS · n).
const GOODS_FLATNESS: f64 = 0.02;
const SHOPS_FLATNESS: f64 = 0.1;
/// Share of its interest group's categories that a shop sells.
const ASSORTMENT: f64 = 0.4;
/// Share of goods that were there before the log.
const OLD: f64 = 0.7;
/// Days of the log; new goods appear evenly over them.
pub(super) const DAYS: i32 = 15;
/// Days for which an ad counts as new, and how often an older one is passed over.
const NEW_DAYS: i32 = 3;
const OLD_PASSED_OVER: f64 = 0.25;
/// Draws until a good of the wanted style, and until one that is available.
const STYLE_TRIES: u32 = 12;
const TRIES: u32 = 48;

/// What a visit or a click depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Good {
    pub number: u32,
    pub shop: u32,
    pub category: u32,
    pub style: u32,
}

/// The simulated market and its people, for any scale and seed: everything follows from numbers, and
/// nothing but two small tables is stored.
///
/// The public functions serve an online test: [`AdWorld::user`], [`AdWorld::history`],
/// [`AdWorld::request`]. The formula stands in the documentation of the module `simulate::ads`.
#[derive(Debug)]
pub struct AdWorld {
    pub(super) counts: Counts,
    pub(super) hash: Hash,
    /// Category c has goods `goods[c]..goods[c + 1]`, the most popular first.
    goods: Vec<u32>,
    /// Category c has the ads `ads[c]..ads[c + 1]`.
    ads: Vec<u32>,
    pub(super) streams: super::users::Streams,
}

impl AdWorld {
    pub(super) fn with(counts: Counts, seed: u64) -> Self {
        let streams = SeedStreams::new(seed);
        let goods = starts_of_goods(counts);
        let mut ads = vec![0];
        for pair in goods.windows(2) {
            let count = ads_among(pair[1] - pair[0]);
            ads.push(ads.last().copied().unwrap_or(0) + count);
        }
        Self {
            counts,
            hash: Hash::new(streams),
            goods,
            ads,
            streams: super::users::Streams::new(streams),
        }
    }

    /// Number of ads.
    pub(super) fn ads(&self) -> u32 {
        self.ads.last().copied().unwrap_or(0)
    }

    pub(super) fn group(&self, category: u32) -> u32 {
        category % self.counts.groups
    }

    fn size(&self, category: u32) -> u32 {
        self.goods[category as usize + 1] - self.goods[category as usize]
    }

    /// A category, drawn by its number of goods.
    pub(super) fn draw_category(&self, stream: &mut RandomStream) -> u32 {
        let good = stream.below(u64::from(self.counts.goods)) as u32;
        self.category(good)
    }

    fn category(&self, good: u32) -> u32 {
        self.goods.partition_point(|&start| start <= good) as u32 - 1
    }

    pub(super) fn good(&self, number: u32) -> Good {
        let category = self.category(number);
        Good { number, shop: self.shop(number, category), category, style: self.style(number) }
    }

    fn style(&self, good: u32) -> u32 {
        self.hash.below(Attribute::Style, good.into(), STYLES)
    }

    /// A shop of the category's interest group that sells the category, the large ones more often.
    fn shop(&self, good: u32, category: u32) -> u32 {
        let (group, groups) = (self.group(category), self.counts.groups);
        let count = (self.counts.shops - group).div_ceil(groups);
        let mut shop = group;
        // Most shops do not sell most categories; where none does, the last one drawn takes it.
        for attempt in 0..16 {
            let unit = self.hash.unit(Attribute::Shop, u64::from(good) * 16 + attempt);
            shop = group + groups * rank(unit, count, SHOPS_FLATNESS);
            let pair = u64::from(shop) * u64::from(self.counts.categories) + u64::from(category);
            if self.hash.unit(Attribute::Assortment, pair) < ASSORTMENT {
                break;
            }
        }
        shop
    }

    /// The first day on which a good can be seen; none when it always could.
    fn birthday(&self, good: u32) -> Option<i32> {
        let unit = self.hash.unit(Attribute::Birthday, good.into());
        (unit >= OLD).then(|| ((unit - OLD) / (1.0 - OLD) * f64::from(DAYS)) as i32)
    }

    /// Whether a good can be seen on a day. A category's first ad always can, so that no category is
    /// ever without.
    pub(super) fn available(&self, good: u32, day: i32) -> bool {
        self.birthday(good).is_none_or(|birthday| birthday <= day)
            || good == self.first_ad(self.category(good))
    }

    fn first_ad(&self, category: u32) -> u32 {
        self.goods[category as usize] + first_ad_rank(self.size(category))
    }

    /// A good of a category by popularity, if possible of a style.
    pub(super) fn draw_good(
        &self,
        category: u32,
        style: Option<u32>,
        day: i32,
        stream: &mut RandomStream,
    ) -> Good {
        let mut found = self.first_ad(category);
        for attempt in 0..TRIES {
            let rank = rank(stream.unit(), self.size(category), GOODS_FLATNESS);
            let good = self.goods[category as usize] + rank;
            if !self.available(good, day) {
                continue;
            }
            found = good;
            if attempt + 1 >= STYLE_TRIES || style.is_none_or(|style| style == self.style(good)) {
                break;
            }
        }
        self.good(found)
    }

    /// An ad of a category: that nearest to a good drawn by popularity, new ones a bit favored.
    pub(super) fn draw_ad(&self, category: u32, day: i32, stream: &mut RandomStream) -> Good {
        let size = self.size(category);
        for _ in 0..TRIES {
            let place = rank(stream.unit(), size, GOODS_FLATNESS) / RANKS_AN_AD;
            let ad = self.first_ad(category) + place.min(ads_among(size) - 1) * RANKS_AN_AD;
            if !self.available(ad, day) {
                continue;
            }
            let new = self.birthday(ad).is_some_and(|birthday| day - birthday < NEW_DAYS);
            if new || stream.unit() >= OLD_PASSED_OVER {
                return self.good(ad);
            }
        }
        self.good(self.first_ad(category))
    }

    /// Number of an ad among all, from its good.
    pub(super) fn ad_number(&self, ad: &Good) -> u32 {
        self.ads[ad.category as usize] + (ad.number - self.first_ad(ad.category)) / RANKS_AN_AD
    }

    /// Brand, campaign, customer, price level, creative type and ad level of an ad, counted from 0.
    pub(super) fn ad_fields(&self, ad: &Good) -> [u32; 6] {
        let (hash, number) = (self.hash, u64::from(ad.number));
        let counts = self.counts;
        // A shop sells two brands, an advertiser runs several campaigns, a campaign has several ads.
        let brand = u64::from(ad.shop) * 2 + (number & 1);
        let campaign = hash.below(Attribute::Campaign, number, counts.campaigns);
        [
            hash.below(Attribute::Brand, brand, counts.brands),
            campaign,
            hash.below(Attribute::Customer, campaign.into(), counts.customers),
            hash.below(Attribute::PriceLevel, number, super::PRICE_LEVELS),
            hash.below(Attribute::CreativeType, number, super::CREATIVE_TYPES),
            hash.below(Attribute::AdLevel, number, super::AD_LEVELS),
        ]
    }
}

/// Place among `count` with density 1 / (x + f · count), in closed form:
/// x = f · count · ((1 + 1 / f)^u − 1) for a uniform u.
fn rank(unit: f64, count: u32, flatness: f64) -> u32 {
    let power = libm::exp(unit * libm::log(1.0 + 1.0 / flatness));
    let place = f64::from(count) * flatness * (power - 1.0);
    (place as u32).min(count.saturating_sub(1))
}

fn first_ad_rank(goods: u32) -> u32 {
    AD_RANK.min(goods / 2)
}

/// Number of ads in a category of `goods` goods, one at least.
fn ads_among(goods: u32) -> u32 {
    goods.saturating_sub(first_ad_rank(goods)).div_ceil(RANKS_AN_AD)
}

/// Boundaries of categories: ten goods or what there is for each, the rest with weight
/// 1 / (c + categories / 10).
fn starts_of_goods(counts: Counts) -> Vec<u32> {
    let categories = counts.categories;
    let least = (counts.goods / categories / 2).min(10);
    let weight = |category: u32| 1.0 / (f64::from(category) + f64::from(categories) / 10.0);
    let total: f64 = (0..categories).map(weight).sum();
    let rest = f64::from(counts.goods - least * categories);
    let (mut starts, mut sum) = (vec![0], 0.0);
    for category in 0..categories {
        sum += weight(category);
        starts.push((category + 1) * least + (rest * (sum / total)) as u32);
    }
    // What rounding took goes to the last.
    if let Some(end) = starts.last_mut() {
        *end = counts.goods;
    }
    starts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goods_lie_in_categories_and_every_ad_is_one_of_its_category() {
        for scale in [0.004, 0.01, 1.0] {
            let world = AdWorld::new(scale, 7).unwrap();
            let counts = world.counts;
            assert_eq!(world.goods.last(), Some(&counts.goods));
            for category in 0..counts.categories {
                assert!(world.size(category) > 0);
                let first = world.first_ad(category);
                assert_eq!(world.category(first), category);
                let last = first + (ads_among(world.size(category)) - 1) * RANKS_AN_AD;
                assert_eq!(world.category(last), category);
                assert!(world.available(first, -7));
            }
            // A sixtieth of the goods, up to rounding in each category.
            let wanted = f64::from(counts.goods) / f64::from(RANKS_AN_AD);
            let ads = f64::from(world.ads());
            assert!((ads - wanted).abs() < f64::from(counts.categories), "{ads} {wanted}");
        }
    }

    #[test]
    fn shops_stay_in_their_group_and_sell_several_categories() {
        let world = AdWorld::new(0.1, 7).unwrap();
        let mut categories = vec![Vec::new(); world.counts.shops as usize];
        for number in 0..world.counts.goods {
            let good = world.good(number);
            assert_eq!(good.shop % world.counts.groups, world.group(good.category));
            categories[good.shop as usize].push(good.category);
        }
        categories.iter_mut().for_each(Vec::dedup);
        let several = categories.iter().filter(|list| list.len() > 1).count();
        assert!(several * 3 > categories.len(), "{several} of {}", categories.len());
    }

    #[test]
    fn ranks_follow_their_density() {
        let count = |low: f64, high: f64| {
            (0..10_000)
                .map(|step| rank((f64::from(step) + 0.5) / 10_000.0, 1000, GOODS_FLATNESS))
                .filter(|&rank| f64::from(rank) >= low && f64::from(rank) < high)
                .count() as f64
                / 10_000.0
        };
        let share = |low: f64, high: f64| ((high + 20.0) / (low + 20.0)).ln() / 51f64.ln();
        for (low, high) in [(0.0, 10.0), (10.0, 100.0), (100.0, 1000.0)] {
            assert!((count(low, high) - share(low, high)).abs() < 0.001);
        }
    }
}
