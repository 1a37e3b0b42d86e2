//! What is counted while a log is written.

use super::clicks::Impression;
use super::users::{HISTORY_LIMIT, Visit};
use super::world::AdWorld;
use crate::rows::part;
use ctr_core::Ceiling;
use ctr_metrics::{GaucVariant, auc, gauc, log_loss_from_probabilities};
use std::collections::BTreeMap;

/// One bit a number.
struct Marks(Vec<u64>);

impl Marks {
    fn new(count: u32) -> Self {
        Self(vec![0; count as usize / 64 + 1])
    }

    fn set(&mut self, number: u32) {
        self.0[number as usize / 64] |= 1 << (number % 64);
    }

    fn has(&self, number: u32) -> bool {
        self.0[number as usize / 64] >> (number % 64) & 1 == 1
    }

    fn count(&self) -> u64 {
        self.0.iter().map(|word| u64::from(word.count_ones())).sum()
    }

    fn count_without(&self, others: &Self) -> u64 {
        let pairs = self.0.iter().zip(&others.0);
        pairs.map(|(word, other)| u64::from((word & !other).count_ones())).sum()
    }
}

/// The test day, for the ceiling.
#[derive(Default)]
struct TestDay {
    users: Vec<u32>,
    labels: Vec<u8>,
    probabilities: Vec<f32>,
}

/// Counts so far. Bits a good and the test day are all that grows with the data.
pub(super) struct Tally {
    samples: u64,
    positives: u64,
    visits: u64,
    history_visits: u64,
    rows_by_part: [u64; 3],
    train_ads: Marks,
    /// Test rows of each ad.
    test_ads: Vec<u32>,
    /// Goods that a training row has, visited or as candidate.
    train_goods: Marks,
    /// Goods that a test row's history has.
    test_goods: Marks,
    test_day: TestDay,
}

impl Tally {
    pub fn new(world: &AdWorld) -> Self {
        let (ads, goods) = (world.ads(), world.counts.goods);
        Self {
            samples: 0,
            positives: 0,
            visits: 0,
            history_visits: 0,
            rows_by_part: [0; 3],
            train_ads: Marks::new(ads),
            test_ads: vec![0; ads as usize],
            train_goods: Marks::new(goods),
            test_goods: Marks::new(goods),
            test_day: TestDay::default(),
        }
    }

    /// Counts a user.
    pub fn add(
        &mut self,
        world: &AdWorld,
        user: u32,
        visits: &[Visit],
        impressions: &[Impression],
    ) {
        self.visits += visits.len() as u64;
        // Where the visits end that are marked already, for training and for test.
        let mut marked = [0, 0];
        for impression in impressions {
            let end = impression.history as usize;
            let start = end.saturating_sub(HISTORY_LIMIT);
            self.samples += 1;
            self.positives += u64::from(impression.clicked);
            self.history_visits += (end - start) as u64;
            let own = super::write::part_of(impression.day());
            self.rows_by_part[own as usize] += 1;
            let ad = world.ad_number(&impression.ad);
            let (goods, marked) = match own {
                part::TRAIN => {
                    self.train_ads.set(ad);
                    self.train_goods.set(impression.ad.number);
                    (&mut self.train_goods, &mut marked[0])
                }
                part::TEST => {
                    self.test_ads[ad as usize] += 1;
                    self.test_day.users.push(user);
                    self.test_day.labels.push(u8::from(impression.clicked));
                    self.test_day.probabilities.push(impression.probability as f32);
                    (&mut self.test_goods, &mut marked[1])
                }
                _ => continue,
            };
            visits[start.max(*marked)..end].iter().for_each(|visit| goods.set(visit.good.number));
            *marked = end;
        }
    }

    /// The manifest's counts.
    pub fn counts(&self, world: &AdWorld) -> BTreeMap<String, u64> {
        let unseen = (0..).zip(&self.test_ads).filter(|&(ad, _)| !self.train_ads.has(ad));
        let counts = world.counts;
        let [train, validation, test] = self.rows_by_part;
        let named: [(&str, u64); 18] = [
            ("users", counts.users.into()),
            ("goods", counts.goods.into()),
            ("categories", counts.categories.into()),
            ("interest_groups", counts.groups.into()),
            ("shops", counts.shops.into()),
            ("ads", world.ads().into()),
            ("samples", self.samples),
            ("positives", self.positives),
            ("visits", self.visits),
            // Over the samples, it is the mean length of histories.
            ("history_visits", self.history_visits),
            ("rows_until_day_12", train),
            ("rows_on_day_13", validation),
            ("rows_on_day_14", test),
            ("train_ads", self.train_ads.count()),
            ("train_goods", self.train_goods.count()),
            ("test_visited_goods", self.test_goods.count()),
            ("test_visited_goods_unseen", self.test_goods.count_without(&self.train_goods)),
            ("test_rows_with_unseen_ad", unseen.map(|(_, &rows)| u64::from(rows)).sum()),
        ];
        named.map(|(name, count)| (name.to_string(), count)).into()
    }

    /// What the true probabilities reach on the test day; none when that day has no user with and
    /// without a click, which the smallest scales can do.
    pub fn ceiling(&self) -> Option<Ceiling> {
        let TestDay { users, labels, probabilities } = &self.test_day;
        Some(Ceiling {
            test_gauc: gauc(users, labels, probabilities, GaucVariant::Paper).ok()?.value,
            test_auc: auc(labels, probabilities).ok()?,
            test_log_loss: log_loss_from_probabilities(labels, probabilities).ok()?,
        })
    }
}
