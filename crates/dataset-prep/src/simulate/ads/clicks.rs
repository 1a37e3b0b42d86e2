//! Impressions and the true probability of a click.

use super::hash::Attribute;
use super::users::{AdUser, DAY, HISTORY_LIMIT, IMPRESSIONS_A_DAY, Visit, draw_weighted, moments};
use super::world::{AdWorld, Good};
use ctr_core::RandomStream;

/// The one knob for how much can be learned: it multiplies everything that differs within a user.
pub(super) const TAU: f64 = 0.65;
/// Weight of the history.
const RHO: f64 = 0.6;
/// Sets the rate of clicks.
const BASE: f64 = -1.78;
const GOOD_DEVIATION: f64 = 0.6;
const SHOP_DEVIATION: f64 = 0.6;
const DEMOGRAPHIC_DEVIATION: f64 = 0.4;
/// What a visit is worth: of the ad's interest group, its category, also its style, its shop, itself.
const SAME_GROUP: f64 = 0.25;
const SAME_CATEGORY: f64 = 1.0;
const SAME_STYLE: f64 = 1.0;
const SAME_SHOP: f64 = 1.0;
const SAME_GOOD: f64 = 3.0;
/// Percent of impressions by position, the best first.
const POSITIONS: [u64; 8] = [24, 20, 16, 12, 10, 8, 6, 4];
/// Share of impressions that are aimed at an interest of the user.
const TARGETED: f64 = 0.5;

/// An ad shown to a user.
#[derive(Clone, Copy, Debug)]
pub(super) struct Impression {
    /// Seconds since day 0 began.
    pub moment: i32,
    pub position: u32,
    pub ad: Good,
    /// Visits of the user before it.
    pub history: u32,
    pub probability: f64,
    pub clicked: bool,
}

impl Impression {
    pub fn day(&self) -> i32 {
        self.moment / DAY
    }

    pub fn hour(&self) -> u32 {
        (self.moment % DAY / 3600) as u32
    }
}

impl AdWorld {
    /// The impressions of a day. `visits` are all of the user's up to the end of that day at least.
    pub(super) fn impress(
        &self,
        user: &AdUser,
        day: i32,
        visits: &[Visit],
        impressions: &mut Vec<Impression>,
    ) {
        let mut stream = self.streams.impressions(user.number, day);
        for moment in moments(day, IMPRESSIONS_A_DAY * user.activity, &mut stream) {
            let hour = (moment % DAY / 3600) as u32;
            let position = draw_position(&mut stream);
            let ad = self.draw_candidate(user, day, &mut stream);
            let history = visits.partition_point(|visit| visit.moment < moment);
            let latest = &visits[history.saturating_sub(HISTORY_LIMIT)..history];
            let probability = self.probability(user, latest, &ad, position, hour);
            let clicked = stream.unit() < probability;
            let history = history as u32;
            impressions.push(Impression { moment, position, ad, history, probability, clicked });
        }
    }

    /// An ad out of the user's interests, or by overall popularity.
    pub(super) fn draw_candidate(
        &self,
        user: &AdUser,
        day: i32,
        stream: &mut RandomStream,
    ) -> Good {
        let targeted = stream.unit() < TARGETED;
        let interest = if targeted { user.draw_interest(stream) } else { None };
        let category = match interest {
            Some(interest) => interest.category,
            None => self.draw_category(stream),
        };
        self.draw_ad(category, day, stream)
    }

    /// The true probability of a click: the formula of the module's documentation.
    pub(super) fn probability(
        &self,
        user: &AdUser,
        latest: &[Visit],
        ad: &Good,
        position: u32,
        hour: u32,
    ) -> f64 {
        let relevance: f64 = latest.iter().map(|visit| self.relevance(&visit.good, ad)).sum();
        let history = libm::log(1.0 + relevance);
        let good = GOOD_DEVIATION * self.hash.normal(Attribute::GoodQuality, ad.number.into());
        let shop = SHOP_DEVIATION * self.hash.normal(Attribute::ShopQuality, ad.shop.into());
        let liking =
            DEMOGRAPHIC_DEVIATION * self.affinity(user.gender, user.age_level, ad.category);
        let effects = good
            + 0.5 * shop
            + liking
            + position_effect(position)
            + hour_effect(hour)
            + RHO * (history - 1.0);
        1.0 / (1.0 + libm::exp(-(BASE + user.propensity + TAU * effects)))
    }

    /// k(visit, ad): multiples of a quarter, so that their sum is exact in any order.
    fn relevance(&self, visited: &Good, ad: &Good) -> f64 {
        if self.group(visited.category) != self.group(ad.category) {
            return 0.0;
        }
        let mut value = SAME_GROUP;
        if visited.category == ad.category {
            value = SAME_CATEGORY;
            if visited.style == ad.style {
                value += SAME_STYLE;
            }
        }
        // Shops stay in their interest group.
        if visited.shop == ad.shop {
            value += SAME_SHOP;
        }
        if visited.number == ad.number {
            value += SAME_GOOD;
        }
        value
    }
}

/// A position on the page, the best most often.
pub(super) fn draw_position(stream: &mut RandomStream) -> u32 {
    draw_weighted(&POSITIONS, stream)
}

/// From 0.35 at the best position to −0.35.
fn position_effect(position: u32) -> f64 {
    0.1 * (3.5 - f64::from(position))
}

/// From 0.2 at nine in the evening to −0.2 twelve hours away.
fn hour_effect(hour: u32) -> f64 {
    let apart = hour.abs_diff(21);
    0.2 * (1.0 - f64::from(apart.min(24 - apart)) / 6.0)
}
