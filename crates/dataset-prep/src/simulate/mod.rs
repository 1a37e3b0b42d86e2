//! The simulator: data with the counts and the shape of the Amazon sets and with planted interests.
//!
//! # The generator
//!
//! *Goods.* Every good `g` has a category, every category belongs to one of K interests (categories c
//! with equal c mod K: related categories). Within its interest a good has one of four styles. Its
//! popularity is w(g) = b + 1 / (rank(g) + 30) with ranks in random order and b such that it carries a
//! quarter of the total: a power law over a floor. Every good has four *complements*, drawn by
//! popularity among the goods of its interest and style.
//!
//! *Users.* Every user has n events; n − 5 follows a discrete power law, P(x) ∝ 1 / (x + c)³ with c the
//! wanted mean of n − 5, cut off at 400 events or half of the goods; single events are then added or
//! taken at random users until the sum is exact. Every user has 1 to 4 interests, one more for every 24
//! events, at most 8, distinct and drawn by the popularity of their goods, with weights π = 4, 3, 2, 2,
//! 1, …, and for each interest i a style s(i).
//!
//! *Events.* Given the history, the next good is drawn from
//!
//! P(g | history) = 1/16 · w(g) + 15/16 · Σᵢ π(i) · [ 3/8 · C(g | last good of interest i)
//!   + 5/8 · ( 13/16 · w(g | i, s(i)) + 3/16 · w(g | i) ) ]
//!
//! where w(g | …) is w restricted and normalized, and C is uniform over the four complements (without a
//! last good, the second part has all the weight). A good that the user already has is drawn again, so
//! that nobody reviews a good twice. So the next event depends mainly on the part of the history that
//! belongs to the same interest, which is what attention over the history can find and an average over
//! it blurs.
//!
//! *5-core.* A good drawn fewer than five times takes the place of one drawn more than five times, in
//! the sequence of a user who does not have it; if possible of the same interest and style, else of the
//! same interest, else anywhere. At the size of Electronics one event in 700 is replaced so.
//!
//! All draws compare integers, so that the data is the same on every machine.
//!
//! The preset `alibaba-sim` is another generator: see the module `ads`.

mod ads;
mod events;
mod repair;
mod world;

pub use ads::{
    AdCandidate, AdHistory, AdRequest, AdUser, AdWorld, ads_dataset_id, ads_scale,
    is_simulation_of, simulate_ads, simulate_ads_in_shards,
};

use crate::manifest::Simulation;
use crate::prepare::{Prepared, from_raw};
use crate::raw::{Events, Items, Raw};
use crate::{Error, Place, Result};
use ctr_core::{Protocol, SeedStreams};
use std::path::Path;

/// Version of the generator; it grows with every change that moves an event.
pub(crate) const GENERATOR_VERSION: u32 = 1;

/// Reviews that every user and every good has at least.
pub(crate) const CORE: u32 = 5;

/// What to simulate.
#[derive(Clone, Debug, PartialEq)]
pub struct SimulateOptions {
    /// A name out of [`presets`].
    pub preset: String,
    /// Seed of all draws, of the negatives too.
    pub seed: u64,
    /// Factor on the preset's counts of users, goods, categories and reviews; 1 for the preset itself.
    pub scale: f64,
    /// The prepared dataset's default protocol.
    pub protocol: Protocol,
}

/// Counts to be met exactly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) users: u32,
    pub(crate) goods: u32,
    pub(crate) categories: u32,
    pub(crate) reviews: u32,
    /// Number of interests: categories are spread over them.
    pub(crate) interests: u32,
}

struct Preset {
    name: &'static str,
    counts: Counts,
}

const PRESETS: [Preset; 2] = [
    Preset {
        name: "tiny",
        counts: Counts { users: 600, goods: 300, categories: 12, reviews: 8_000, interests: 6 },
    },
    Preset {
        name: "amazon-electronics-sim",
        counts: Counts {
            users: 192_403,
            goods: 63_001,
            categories: 801,
            reviews: 1_689_188,
            interests: 160,
        },
    },
];

/// Names of the presets: those of [`simulate`], then that of [`simulate_ads`].
pub fn presets() -> Vec<&'static str> {
    PRESETS.iter().map(|preset| preset.name).chain([ads::ALIBABA_SIM]).collect()
}

/// Simulates a dataset and prepares it. Nothing is written.
///
/// # Errors
/// An unknown preset, that of [`simulate_ads`], or a scale that leaves too little or too much.
pub fn simulate(options: &SimulateOptions) -> Result<Prepared> {
    let counts = counts(options)?;
    let raw = raw(options, counts)?;
    from_raw(&raw, options.seed, options.protocol)
}

fn counts(options: &SimulateOptions) -> Result<Counts> {
    let fail = |reason: String| Err(Error::Simulation { preset: options.preset.clone(), reason });
    if options.preset == ads::ALIBABA_SIM {
        return fail("it is written as it is drawn; give a folder (simulate_ads)".into());
    }
    let Some(preset) = PRESETS.iter().find(|preset| preset.name == options.preset) else {
        return fail(format!("no such preset; there are {}", presets().join(", ")));
    };
    let scale = options.scale;
    if !(scale > 0.0 && scale <= 100.0) {
        return fail(format!("scale {scale} is not above 0 and up to 100"));
    }
    let scaled = |count: u32| (f64::from(count) * scale).round() as u32;
    let full = preset.counts;
    let counts = Counts {
        users: scaled(full.users),
        goods: scaled(full.goods),
        categories: scaled(full.categories).max(2),
        reviews: scaled(full.reviews),
        interests: scaled(full.interests).max(1),
    };
    if counts.goods < 30 || counts.users < CORE {
        return fail(format!(
            "scale {scale} leaves {} users and {} goods; at least {CORE} and 30 are needed, choose a \
             larger scale",
            counts.users, counts.goods
        ));
    }
    Ok(counts)
}

/// The same form that the readers of files deliver.
fn raw(options: &SimulateOptions, counts: Counts) -> Result<Raw> {
    let streams = SeedStreams::new(options.seed);
    let world = world::World::new(counts, streams);
    let lengths = events::lengths(counts, streams)
        .map_err(|reason| Error::Simulation { preset: options.preset.clone(), reason })?;
    let mut sequences = events::draw(&world, &lengths, streams);
    repair::to_core(&world, &mut sequences, streams)
        .map_err(|reason| Error::Simulation { preset: options.preset.clone(), reason })?;

    // No file: the names stand in messages only, which a simulation never gives.
    let mut events = Events::new(Path::new("simulated events"), Place::Row(1), "item");
    let mut items = Items::new(Path::new("simulated items"), "cate");
    // Equal widths, so that the byte order of keys is the order of numbers.
    let good_keys: Vec<String> = (0..counts.goods).map(|good| format!("g{good:08}")).collect();
    for (good, key) in good_keys.iter().enumerate() {
        let category = format!("c{:06}", world.category(good as u32));
        items.push(key, Some(&category), Place::Row(good as u64 + 1))?;
    }
    for user in 0..counts.users {
        let key = format!("u{user:08}");
        for (time, &good) in sequences.of(user).iter().enumerate() {
            events.push(&key, &good_keys[good as usize], time as u64)?;
        }
    }
    Ok(Raw {
        id: options.preset.clone(),
        events,
        items,
        sources: Vec::new(),
        simulation: Some(Simulation {
            preset: options.preset.clone(),
            scale: options.scale,
            generator_version: GENERATOR_VERSION,
            ceiling: None,
        }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(preset: &str, scale: f64) -> SimulateOptions {
        SimulateOptions { preset: preset.into(), seed: 1234, scale, protocol: Protocol::HeldOut }
    }

    #[test]
    fn a_preset_or_scale_that_cannot_be_is_explained() {
        let message = |preset, scale| simulate(&options(preset, scale)).unwrap_err().to_string();
        assert!(message("huge", 1.0).contains("there are tiny, amazon-electronics-sim"));
        for scale in [0.0, -1.0, f64::NAN, f64::INFINITY, 101.0] {
            assert!(message("tiny", scale).contains("scale"), "{scale}");
        }
        assert!(message("tiny", 0.01).contains("at least 5 and 30"));
    }

    #[test]
    fn small_scales_still_give_exact_counts() {
        for (preset, scale) in [("tiny", 0.1), ("tiny", 0.5), ("amazon-electronics-sim", 0.001)] {
            let options = options(preset, scale);
            let wanted = counts(&options).unwrap();
            let found = simulate(&options).unwrap().manifest().counts.clone();
            assert_eq!(found["users"], u64::from(wanted.users), "{preset} {scale}");
            assert_eq!(found["goods"], u64::from(wanted.goods), "{preset} {scale}");
            assert_eq!(found["categories"], u64::from(wanted.categories), "{preset} {scale}");
            assert_eq!(found["samples"], u64::from(wanted.reviews), "{preset} {scale}");
        }
    }
}
