//! Tests that look inside: identifiers, counts, the formula, the order of time.

use super::clicks::Impression;
use super::hash::Attribute;
use super::users::{DAY, FIRST_DAY, Visit};
use super::world::DAYS;
use super::*;
use crate::rows::part;
use ctr_core::{Protocol, Split};

#[test]
fn identifiers_name_the_scale_in_one_way() {
    for (id, scale) in [("alibaba-sim", 1.0), ("alibaba-sim-x0.25", 0.25)] {
        assert_eq!(ads_dataset_id(scale), id);
        assert_eq!(ads_scale(id), Some(scale));
    }
    for id in ["tiny", "alibaba-sim-x1", "alibaba-sim-x0.250", "alibaba-sim-", "alibaba-simx2"] {
        assert_eq!(ads_scale(id), None, "{id}");
    }
}

#[test]
fn a_scale_that_cannot_be_is_explained() {
    for scale in [0.0, -1.0, f64::NAN, f64::INFINITY, 101.0, 0.001] {
        let message = AdWorld::new(scale, 1).unwrap_err().to_string();
        assert!(message.contains("alibaba-sim: scale"), "{message}");
    }
}

#[test]
fn counts_keep_the_published_ratios() {
    let counts = Counts::scaled(1.0).unwrap();
    assert_eq!((counts.users, counts.goods, counts.shops), (56_000, 560_000, 5_600));
    assert_eq!((counts.categories, counts.groups), (600, 60));
    assert_eq!(Counts::scaled(4.0).unwrap().categories, 1200);
}

/// The formula once more, from ids as they are written and plain numbers. Only what is hidden by design
/// (style, quality, liking, propensity) is asked of the world.
fn naive(
    world: &AdWorld,
    user: u32,
    visited: &[[u32; 3]],
    ad: [u32; 3],
    pid: u32,
    hour: u32,
) -> f64 {
    let [good, shop, category] = ad;
    let groups = world.counts.groups;
    let style = |good: u32| world.hash.below(Attribute::Style, u64::from(good - 1), 4);
    let mut sum = 0.0;
    for &[other, other_shop, other_category] in visited {
        if (other_category - 1) % groups == (category - 1) % groups {
            sum += match (other_category == category, style(other) == style(good)) {
                (true, true) => 2.0,
                (true, false) => 1.0,
                (false, _) => 0.25,
            };
            sum +=
                f64::from(u8::from(other_shop == shop)) + 3.0 * f64::from(u8::from(other == good));
        }
    }
    let person = world.user(user);
    let hours = [(i64::from(hour) - 1 - 21).abs(), 24 - (i64::from(hour) - 1 - 21).abs()];
    let inner = 0.6 * world.hash.normal(Attribute::GoodQuality, u64::from(good - 1))
        + 0.5 * 0.6 * world.hash.normal(Attribute::ShopQuality, u64::from(shop - 1))
        + 0.4 * world.affinity(person.gender, person.age_level, category - 1)
        + 0.1 * (3.5 - f64::from(pid - 1))
        + 0.2 * (1.0 - hours.into_iter().min().unwrap() as f64 / 6.0)
        + 0.6 * ((1.0 + sum).ln() - 1.0);
    1.0 / (1.0 + (1.78 - person.propensity - clicks::TAU * inner).exp())
}

#[test]
fn written_rows_have_the_probability_that_the_formula_gives_them() {
    let options = SimulateOptions {
        preset: ALIBABA_SIM.into(),
        seed: 3,
        scale: 0.01,
        protocol: Protocol::Authors,
    };
    let place = tempfile::tempdir().unwrap();
    let out = place.path().join("sim");
    simulate_ads(&options, &out).unwrap();
    let truth = crate::read_truth(&out).unwrap();
    let dataset = crate::open(&out, None).unwrap();
    let world = AdWorld::new(options.scale, options.seed).unwrap();
    // Rows stand by user and time: a user's test rows come after the training rows.
    let mut rows = 0;
    let (train, test) = (&dataset.train, &dataset.test);
    let count =
        |users: &[u32], user: usize| users.iter().filter(|&&own| own as usize == user).count();
    let (mut first_train, mut first_test) = (0, 0);
    for user in 0..40 {
        let [own_train, own_test] = [&train.users, &test.users].map(|users| count(users, user));
        for row in 0..own_train + own_test {
            let (split, at) = if row < own_train {
                (Split::Train, first_train + row)
            } else {
                (Split::Test, first_test + row - own_train)
            };
            let samples = dataset.split(split);
            let id = |group: usize, field: usize| samples.groups[group][field].ids[at];
            let end = dataset.sequences.offsets[user] + samples.history_lengths[at];
            let start = (end - samples.history_lengths[at]).max(end.saturating_sub(50));
            let visited: Vec<[u32; 3]> = (start as usize..end as usize)
                .map(|event| [0, 1, 2].map(|field| dataset.sequences.fields[field].ids[event]))
                .collect();
            let ad = [id(2, 0), id(2, 1), id(2, 2)];
            let expected = naive(&world, user as u32, &visited, ad, id(3, 0), id(3, 1));
            let found = truth[rows + row];
            assert!((found - expected).abs() < 1e-12, "row {}: {found} {expected}", rows + row);
        }
        rows += own_train + own_test;
        first_train += own_train;
        first_test += own_test;
    }
    assert!(rows > 500, "{rows}");
}

#[test]
fn histories_end_before_the_impression_and_parts_follow_days() {
    let world = AdWorld::new(0.01, 3).unwrap();
    let mut parts = [0; 3];
    for number in 0..100 {
        let user = world.user(number);
        let (mut visits, mut impressions): (Vec<Visit>, Vec<Impression>) = Default::default();
        for day in FIRST_DAY..DAYS {
            world.visit(&user, day, &mut visits);
            if day >= 0 {
                world.impress(&user, day, &visits, &mut impressions);
            }
        }
        assert!(visits.is_sorted_by_key(|visit| visit.moment));
        assert!(impressions.is_sorted_by_key(|impression| impression.moment));
        // Nothing is seen before it appears.
        for visit in &visits {
            assert!(world.available(visit.good.number, visit.moment.div_euclid(DAY)));
        }
        for impression in &impressions {
            assert!(world.available(impression.ad.number, impression.day()));
            assert_eq!(world.good(impression.ad.number), impression.ad);
        }
        for impression in &impressions {
            let (before, after) = visits.split_at(impression.history as usize);
            assert!(before.iter().all(|visit| visit.moment < impression.moment));
            assert!(after.iter().all(|visit| visit.moment >= impression.moment));
            assert!(impression.hour() < 24);
            let own = write::part_of(impression.day());
            let expected = match impression.day() {
                14 => part::TEST,
                13 => part::VALIDATION,
                0..13 => part::TRAIN,
                day => panic!("day {day}"),
            };
            assert_eq!(own, expected);
            parts[own as usize] += 1;
        }
    }
    assert!(parts.iter().all(|&rows| rows > 100), "{parts:?}");
}
