//! Users and their visits. Everything of a user comes from substreams of the user's number, and every
//! day from one of its own, so that days after the log go on where it ends.

use super::hash::{Attribute, normal_of};
use super::world::{AdWorld, Good};
use crate::simulate::world::STYLES;
use ctr_core::{RandomStream, SeedStreams};

/// The first day of visits; impressions begin with day 0.
pub(super) const FIRST_DAY: i32 = -7;
pub(super) const DAY: i32 = 86_400;
/// Latest visits that an impression sees.
pub(super) const HISTORY_LIMIT: usize = 50;
/// Mean events of a user in the 15 days of the log: 2.14 billion samples on 60 million users; visits by
/// choice.
pub(super) const IMPRESSIONS_A_DAY: f64 = 2_000_000.0 / 56_000.0 / 15.0;
const VISITS_A_DAY: f64 = 23.0 / 15.0;
/// Most active over least active user.
const ACTIVITY_RANGE: f64 = 20.0;
/// Weights of a user's interests, of which there are two to six.
const WEIGHTS: [u64; 6] = [4, 3, 2, 2, 1, 1];
/// Percent of users by age level.
const AGES: [u64; 8] = [6, 14, 20, 18, 15, 12, 9, 6];
/// Weights of hours: the evening has most.
const HOURS: [u64; 24] = [3, 2, 1, 1, 1, 1, 2, 3, 4, 5, 5, 5, 6, 6, 5, 5, 5, 5, 6, 8, 10, 11, 9, 6];
/// Shares of visits by overall popularity and of repetitions, and of the preferred style in the rest.
const POPULAR: f64 = 0.10;
const REPEATED: f64 = 0.15;
const PREFERRED_STYLE: f64 = 0.75;
const PROPENSITY_DEVIATION: f64 = 0.6;

/// The parents of all substreams.
#[derive(Debug)]
pub(super) struct Streams {
    profiles: RandomStream,
    visits: RandomStream,
    impressions: RandomStream,
    requests: RandomStream,
}

impl Streams {
    pub fn new(streams: SeedStreams) -> Self {
        let stream = |name: &str| streams.stream(&format!("simulate/ads/{name}"));
        Self {
            profiles: stream("profiles"),
            visits: stream("visits"),
            impressions: stream("impressions"),
            requests: stream("requests"),
        }
    }

    pub fn impressions(&self, user: u32, day: i32) -> RandomStream {
        self.impressions.substream(user_day(user, day))
    }

    pub fn request(&self, user: u32, day: i32, number: u32) -> RandomStream {
        // Numbered from a random place that is the day's own, so that a day may have any number.
        let mut stream = self.requests.substream(user_day(user, day));
        self.requests.substream(stream.next_u64().wrapping_add(number.into()))
    }
}

/// 65,536 days are enough for any test.
fn user_day(user: u32, day: i32) -> u64 {
    (u64::from(user) << 16) | u64::from((day - FIRST_DAY) as u16)
}

/// What a user returns to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Interest {
    pub category: u32,
    style: u32,
    weight: u64,
}

/// A simulated person.
#[derive(Clone, Debug)]
pub struct AdUser {
    pub(super) number: u32,
    pub(super) gender: u32,
    pub(super) age_level: u32,
    /// Factor on the mean numbers of events.
    pub(super) activity: f64,
    /// What the user's own readiness to click adds to the logit.
    pub(super) propensity: f64,
    pub(super) interests: Vec<Interest>,
}

impl AdUser {
    pub(super) fn draw_interest(&self, stream: &mut RandomStream) -> Option<&Interest> {
        let total = self.interests.iter().map(|interest| interest.weight).sum();
        let mut point = stream.below(total);
        self.interests.iter().find(|interest| {
            let found = point < interest.weight;
            point = point.saturating_sub(interest.weight);
            found
        })
    }
}

/// A good seen at a moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Visit {
    /// Seconds since day 0 began; before it, negative.
    pub moment: i32,
    pub good: Good,
}

impl AdWorld {
    pub(super) fn draw_user(&self, number: u32) -> AdUser {
        let mut stream = self.streams.profiles.substream(number.into());
        let gender = stream.below(2) as u32;
        let age_level = draw_weighted(&AGES, &mut stream);
        let wanted = 2 + stream.below(5) as usize;
        let mut interests: Vec<Interest> = Vec::with_capacity(wanted);
        for _ in 0..200 {
            let category = self.draw_category(&mut stream);
            let affinity = self.affinity(gender, age_level, category);
            let accepted = stream.unit() < 1.0 / (1.0 + libm::exp(-affinity));
            if accepted && interests.iter().all(|interest| interest.category != category) {
                let style = stream.below(STYLES.into()) as u32;
                interests.push(Interest { category, style, weight: WEIGHTS[interests.len()] });
            }
            if interests.len() == wanted {
                break;
            }
        }
        let propensity = PROPENSITY_DEVIATION * normal(&mut stream);
        AdUser { number, gender, age_level, activity: activity(number), propensity, interests }
    }

    /// How much people of a gender and age like an interest group: standard normal.
    pub(super) fn affinity(&self, gender: u32, age_level: u32, category: u32) -> f64 {
        let who = gender * AGES.len() as u32 + age_level;
        let pair = u64::from(who) << 32 | u64::from(self.group(category));
        self.hash.normal(Attribute::Affinity, pair)
    }

    /// Appends the visits of a day. `visits` must hold the days before it.
    pub(super) fn visit(&self, user: &AdUser, day: i32, visits: &mut Vec<Visit>) {
        let mut stream = self.streams.visits.substream(user_day(user.number, day));
        for moment in moments(day, VISITS_A_DAY * user.activity, &mut stream) {
            let kind = stream.unit();
            let latest = &visits[visits.len().saturating_sub(HISTORY_LIMIT)..];
            let good = if kind < POPULAR {
                let category = self.draw_category(&mut stream);
                self.draw_good(category, None, day, &mut stream)
            } else if kind < POPULAR + REPEATED && !latest.is_empty() {
                latest[stream.below(latest.len() as u64) as usize].good
            } else {
                let wanted = stream.unit() < PREFERRED_STYLE;
                let (category, style) = match user.draw_interest(&mut stream) {
                    Some(interest) => (interest.category, wanted.then_some(interest.style)),
                    None => (self.draw_category(&mut stream), None),
                };
                self.draw_good(category, style, day, &mut stream)
            };
            visits.push(Visit { moment, good });
        }
    }
}

/// Moments of a day's events, in order; their number has a Poisson distribution.
pub(super) fn moments(day: i32, mean: f64, stream: &mut RandomStream) -> Vec<i32> {
    let moment = |stream: &mut RandomStream| {
        day * DAY + draw_weighted(&HOURS, stream) as i32 * 3600 + stream.below(3600) as i32
    };
    let mut moments: Vec<i32> = (0..poisson(mean, stream)).map(|_| moment(stream)).collect();
    moments.sort_unstable();
    moments
}

/// An hour of the day, the evening most often.
pub(super) fn draw_hour(stream: &mut RandomStream) -> u32 {
    draw_weighted(&HOURS, stream)
}

/// An index in proportion to weights.
pub(super) fn draw_weighted(weights: &[u64], stream: &mut RandomStream) -> u32 {
    let mut point = stream.below(weights.iter().sum());
    for (index, &weight) in weights.iter().enumerate() {
        if point < weight {
            return index as u32;
        }
        point -= weight;
    }
    0
}

/// Roughly standard normal, the same on every machine.
fn normal(stream: &mut RandomStream) -> f64 {
    normal_of((0..4).map(|_| stream.unit()).sum())
}

/// Knuth's product of uniforms; the means here are small.
fn poisson(mean: f64, stream: &mut RandomStream) -> u32 {
    let (least, mut product, mut count) = (libm::exp(-mean), stream.unit(), 0);
    while product > least {
        product *= stream.unit();
        count += 1;
    }
    count
}

/// Pareto with exponent 2 on [1, L], divided by its mean 2 L / (L + 1). Users take evenly spread
/// quantiles (multiples of the golden section), so that the total hardly varies: independent draws of so
/// heavy a tail would move it by half a percent.
fn activity(user: u32) -> f64 {
    let golden = (5f64.sqrt() - 1.0) / 2.0;
    let multiple = (f64::from(user) + 0.5) * golden;
    let quantile = multiple - multiple.floor();
    let cut = 1.0 - 1.0 / (ACTIVITY_RANGE * ACTIVITY_RANGE);
    let pareto = 1.0 / (1.0 - quantile * cut).sqrt();
    pareto * (ACTIVITY_RANGE + 1.0) / (2.0 * ACTIVITY_RANGE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn activities_have_mean_one_and_a_long_tail() {
        let all: Vec<f64> = (0..56_000).map(activity).collect();
        let mean = all.iter().sum::<f64>() / all.len() as f64;
        assert!((mean - 1.0).abs() < 1e-3, "{mean}");
        assert!(all.iter().all(|&x| (0.5..=10.5).contains(&x)));
        assert!(all.iter().any(|&x| x > 9.0));
    }

    #[test]
    fn counts_of_events_have_their_mean_and_moments_rise() {
        let mut stream = SeedStreams::new(1).stream("t");
        let total: u32 = (0..20_000).map(|_| poisson(2.5, &mut stream)).sum();
        // Standard deviation 224.
        assert!((49_000..51_000).contains(&total), "{total}");
        let found = moments(3, 20.0, &mut stream);
        assert!(found.is_sorted() && found.iter().all(|moment| moment / DAY == 3));
    }
}
