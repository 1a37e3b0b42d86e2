//! What an online test asks of the simulated world: users, their histories, requests with candidates and
//! true click probabilities. All ids are those of the dataset (numbers of the world plus 1).

use super::hash::Attribute;
use super::users::{AdUser, FIRST_DAY, HISTORY_LIMIT, Visit, draw_hour};
use super::world::{AdWorld, Good};
use super::{Counts, clicks};
use crate::Result;
use ctr_core::Schema;

/// Bids: median of the lowest price level, deviation of the logarithm, and what a level adds to it.
const BID_MEDIAN: f64 = 0.5;
const BID_DEVIATION: f64 = 0.5;
const BID_A_LEVEL: f64 = 0.15;

/// A user's latest visits before a day.
#[derive(Clone, Debug)]
pub struct AdHistory {
    day: i32,
    visits: Vec<Visit>,
}

impl AdHistory {
    /// Field ids of each visit in the order of the schema's behaviors (goods, shop, category), oldest
    /// first, 50 at most.
    pub fn visits(&self) -> impl ExactSizeIterator<Item = [u32; 3]> + '_ {
        self.visits.iter().map(|visit| good_fields(&visit.good))
    }
}

/// An ad that can be shown.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdCandidate {
    /// Field ids in the order of the schema's candidate group.
    pub fields: [u32; 9],
    /// What its advertiser pays for a click, in yuan.
    pub bid: f64,
    /// The true probability that this user clicks it here and now.
    pub probability: f64,
}

/// A page view that an ad is to be chosen for.
#[derive(Clone, Debug, PartialEq)]
pub struct AdRequest {
    /// Field ids in the order of the schema's user group: gender, age level.
    pub user: [u32; 2],
    /// Field ids in the order of the schema's context group: position, hour.
    pub context: [u32; 2],
    /// Ads to choose from. The same ad may stand twice in small worlds.
    pub candidates: Vec<AdCandidate>,
}

impl AdWorld {
    /// The world that the dataset of this scale and seed was drawn from.
    ///
    /// # Errors
    /// A scale that leaves too little or too much.
    pub fn new(scale: f64, seed: u64) -> Result<Self> {
        Ok(Self::with(Counts::scaled(scale)?, seed))
    }

    /// Number of users, who are numbered from 0 as in the dataset.
    pub fn users(&self) -> u32 {
        self.counts.users
    }

    /// A user. `number` must be below [`AdWorld::users`].
    pub fn user(&self, number: u32) -> AdUser {
        self.draw_user(number)
    }

    /// The dataset's schema.
    pub fn schema(&self) -> Schema {
        super::schema::schema(&self.counts)
    }

    /// The user's visits before a day begins: what a profile built overnight knows. The log has days 0
    /// to 14; later days continue it.
    pub fn history(&self, user: &AdUser, day: u16) -> AdHistory {
        let day = i32::from(day);
        let mut visits = Vec::new();
        (FIRST_DAY..day).for_each(|day| self.visit(user, day, &mut visits));
        visits.drain(..visits.len().saturating_sub(HISTORY_LIMIT));
        AdHistory { day, visits }
    }

    /// A request of the user on the history's day. Requests of a day are told apart by `number`;
    /// `candidates` ads are drawn as those of the log's impressions are, and their probabilities are
    /// true given the history.
    pub fn request(
        &self,
        user: &AdUser,
        history: &AdHistory,
        number: u32,
        candidates: usize,
    ) -> AdRequest {
        let mut stream = self.streams.request(user.number, history.day, number);
        let hour = draw_hour(&mut stream);
        let position = clicks::draw_position(&mut stream);
        let candidates = (0..candidates).map(|_| {
            let ad = self.draw_candidate(user, history.day, &mut stream);
            AdCandidate {
                fields: self.candidate_fields(&ad),
                bid: self.bid(&ad),
                probability: self.probability(user, &history.visits, &ad, position, hour),
            }
        });
        AdRequest {
            candidates: candidates.collect(),
            user: user_fields(user),
            context: [position + 1, hour + 1],
        }
    }

    pub(super) fn candidate_fields(&self, ad: &Good) -> [u32; 9] {
        let [goods, shop, category] = good_fields(ad);
        let [brand, campaign, customer, price, creative, level] =
            self.ad_fields(ad).map(|number| number + 1);
        [goods, shop, category, brand, campaign, customer, price, creative, level]
    }

    /// Roughly log-normal.
    fn bid(&self, ad: &Good) -> f64 {
        let [_, _, _, price, _, _] = self.ad_fields(ad);
        let normal = self.hash.normal(Attribute::Bid, ad.number.into());
        BID_MEDIAN * libm::exp(BID_DEVIATION * normal + BID_A_LEVEL * f64::from(price))
    }
}

/// Ids of a good in the order of the behaviors group.
pub(super) fn good_fields(good: &Good) -> [u32; 3] {
    [good.number + 1, good.shop + 1, good.category + 1]
}

/// Ids in the order of the user group.
pub(super) fn user_fields(user: &AdUser) -> [u32; 2] {
    [user.gender + 1, user.age_level + 1]
}
