//! The simulated display-advertising log: what stands in for the paper's Alibaba data, which is closed.
//!
//! # The generator
//!
//! From publications are the *ratios* of counts (paper, table 2: 2.14 billion samples, 60 million users,
//! 0.6 billion goods; table 1: shops a hundredth of the goods, ads' goods a sixtieth), the split (two
//! weeks of training, the next day test), and the fields that table 1 and Alibaba's public sample of such
//! a log have. Scale 1 is a thousandth of that. All other numbers are ours. Uniform numbers are u; N is
//! roughly standard normal (a sum of four u); every attribute marked # is a hash of the number and seed,
//! so that nothing is stored for a good and memory stays small at any scale.
//!
//! *Counts.* At scale x: 56,000 x users, 560,000 x goods, 5,600 x shops. Categories are 600 √x (100,000 in
//! the paper): in proportion to goods there would be less than ads enough for a choice within a category.
//! They lie in 60 interest groups (category mod 60; in small worlds a third as many as categories).
//!
//! *Goods.* Category c has a contiguous range of numbers, some goods for each and the rest ∝
//! 1 / (c + categories / 10). Within a category of n goods the popularity of rank r is ∝ 1 / (r + n / 50).
//! Ranks 29, 89, 149, … are ads' goods. A good belongs to one of four styles #, and to a shop # of its
//! category's interest group: shop j of m with density ∝ 1 / (j + m / 10), drawn again until it is one of
//! those that sell the category (two in five do, #). 70 % of the goods were there before; the others appear
//! # evenly over the 15 days and have no visit or impression before; each category's first ad was there.
//! *Ads* further have brand (two a shop), campaign, customer (a campaign's), price level, creative type and
//! ad level, all #, which clicks do not depend on.
//!
//! *Users.* Gender (2), age level (8). Activity a is Pareto with exponent 2, most over least 20, mean 1. 2 to
//! 6 interests: a category drawn by its goods, kept with probability 1 / (1 + exp(−A)), where A(gender, age,
//! interest group) = N # is the demographic's affinity; weights 4, 3, 2, 2, 1, 1; in each interest a
//! preferred style. β_user = 0.6 N.
//!
//! *Visits.* On each day from −7 on, a Poisson number with mean a · 23 / 15, at moments with an evening-heavy
//! profile. A visit is, with probability 0.10, a good by overall popularity; 0.15 one of the latest 50
//! visits again; else a good of an interest drawn by weight, by popularity and in 3 of 4 cases of the
//! preferred style (drawn again up to twelve times).
//!
//! *Impressions.* On days 0 to 14, a Poisson number with mean a · 36 / 15, at a position (8, the best most
//! often). Half are aimed: an ad of an interest drawn by weight. The others take a category by its goods.
//! Within a category the ad is that nearest to a good drawn by popularity; an ad older than three days is
//! passed over once in four times.
//!
//! *Clicks.* The history H of an impression are the latest 50 visits before it. A click has probability
//!
//! p = σ( β₀ + β_user + τ · [ q_good + ½ q_shop + d + c_position + c_hour + ρ · (R − 1) ] )
//!
//! R = ln(1 + Σ_{v ∈ H} k(v, ad))
//!
//! k = 0 for a visit outside of the ad's interest group; else 1 in the ad's category (2 also in its style)
//! and 0.25 in another one, plus 1 for its shop, plus 3 for its good. So only what the candidate makes
//! relevant counts (the paper's local activation), and interests exist beside one another (its diversity).
//!
//! | | value | |
//! |---|---|---|
//! | β₀ | −1.78 | a fifth of the impressions is clicked. Taobao's public log has 5 %; with 20 % the test day of a thousandth of the paper's data decides differences of 0.002 in gAUC |
//! | q_good, q_shop | 0.6 N # | |
//! | d | 0.4 A | |
//! | c_position | 0.1 · (3.5 − position) | |
//! | c_hour | 0.2 · (1 − hours from 21 h / 6) | around the clock, 0 to 12 |
//! | ρ | 0.6 | |
//! | τ | 0.65 | the only knob for how much can be learned; the truth's own gAUC on the test day is about 0.70 |
//!
//! *Protocol.* Day 14 is test; day 13 validation (training under the authors' protocol), before it training.
//!
//! Draws are uniform numbers and whole numbers; floats pass through + − × ÷ √ and the `exp` and `log` of the
//! crate `libm` alone, so that the data is the same on every machine.

mod clicks;
mod hash;
mod schema;
mod serve;
mod tally;
#[cfg(test)]
mod tests;
mod users;
mod world;
mod write;

pub use serve::{AdCandidate, AdHistory, AdRequest};
pub use users::AdUser;
pub use world::AdWorld;

use super::SimulateOptions;
use crate::{Error, Manifest, Result};
use std::path::Path;

/// The preset's name.
pub const ALIBABA_SIM: &str = "alibaba-sim";
/// Version of the generator; it grows with every change that moves a row.
pub(crate) const GENERATOR_VERSION: u32 = 1;

/// Users drawn and written at a time: what memory holds of the data.
const USERS_A_CHUNK: u32 = 4096;
const AGE_LEVELS: u32 = 8;
const POSITIONS: u32 = 8;
const HOURS: u32 = 24;
const PRICE_LEVELS: u32 = 10;
const CREATIVE_TYPES: u32 = 6;
const AD_LEVELS: u32 = 5;

/// Sizes of a world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Counts {
    pub users: u32,
    pub goods: u32,
    pub shops: u32,
    pub categories: u32,
    pub groups: u32,
    pub brands: u32,
    pub campaigns: u32,
    pub customers: u32,
}

impl Counts {
    fn scaled(scale: f64) -> Result<Self> {
        let fail = |reason: String| Err(Error::Simulation { preset: ALIBABA_SIM.into(), reason });
        if !(scale > 0.0 && scale <= 100.0) {
            return fail(format!("scale {scale} is not above 0 and up to 100"));
        }
        let linear = |count: f64| (count * scale).round() as u32;
        let rooted = |count: f64| (count * scale.sqrt()).round() as u32;
        let categories = rooted(600.0);
        let groups = (categories / 3).clamp(1, 60);
        let counts = Self {
            users: linear(56_000.0),
            goods: linear(560_000.0),
            // Every interest group has some.
            shops: linear(5_600.0).max(2 * groups),
            categories,
            groups,
            brands: rooted(400.0).max(20),
            // Five ads a campaign and four campaigns a customer.
            campaigns: linear(1_900.0).max(10),
            customers: linear(480.0).max(5),
        };
        if counts.users < 200 || counts.goods < 600 {
            return fail(format!(
                "scale {scale} leaves {} users and {} goods; at least 200 and 600 are needed, choose a \
                 larger scale",
                counts.users, counts.goods
            ));
        }
        Ok(counts)
    }
}

/// The identifier of the dataset at a scale: `alibaba-sim`, `alibaba-sim-x0.25`.
pub fn ads_dataset_id(scale: f64) -> String {
    if scale == 1.0 { ALIBABA_SIM.into() } else { format!("{ALIBABA_SIM}-x{scale}") }
}

/// The scale in a dataset's identifier; none when it is not of this simulation.
pub fn ads_scale(id: &str) -> Option<f64> {
    let scale = match id.strip_prefix(ALIBABA_SIM)? {
        "" => 1.0,
        rest => rest.strip_prefix("-x")?.parse().ok()?,
    };
    // One name a scale: neither x1 nor x0.250.
    (ads_dataset_id(scale) == id).then_some(scale)
}

/// Whether a manifest is that of the data which [`simulate_ads`] would write for these options.
pub fn is_simulation_of(manifest: &Manifest, options: &SimulateOptions) -> bool {
    manifest.id == ads_dataset_id(options.scale)
        && manifest.seed == options.seed
        && manifest.simulation.as_ref().is_some_and(|simulation| {
            simulation.preset == options.preset
                && simulation.scale == options.scale
                && simulation.generator_version == GENERATOR_VERSION
        })
}

/// Simulates the log of displayed ads into the folder `out`: all of it or nothing, as
/// [`crate::Prepared::write`]. Memory holds some thousand users at a time, at any scale. Beside the usual
/// files lies `truth.parquet` (see [`crate::read_truth`]).
///
/// # Errors
/// A preset other than `alibaba-sim`, a scale that leaves too little or too much, or what the system
/// refuses.
pub fn simulate_ads(options: &SimulateOptions, out: &Path) -> Result<Manifest> {
    simulate_ads_into(options, None, out)
}

/// [`simulate_ads`] with users' rows spread over so many files; truth lies in one, in the order of the whole.
///
/// # Errors
/// As there; a number of shards that cannot be.
pub fn simulate_ads_in_shards(
    options: &SimulateOptions,
    shards: u32,
    out: &Path,
) -> Result<Manifest> {
    simulate_ads_into(options, Some(shards), out)
}

fn simulate_ads_into(
    options: &SimulateOptions,
    shards: Option<u32>,
    out: &Path,
) -> Result<Manifest> {
    if options.preset != ALIBABA_SIM {
        let reason = format!("only {ALIBABA_SIM} is a log of ads");
        return Err(Error::Simulation { preset: options.preset.clone(), reason });
    }
    let world = AdWorld::new(options.scale, options.seed)?;
    write::write(&world, options, USERS_A_CHUNK, shards, out)
}
