//! What a simulated online test leaves behind.

use serde::{Deserialize, Serialize};

/// Version of the layout below.
pub const AB_TEST_SCHEMA_VERSION: u32 = 1;

/// A simulated online test: users split by hash over arms, each served by its own ranking.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AbTestRecord {
    /// [`AB_TEST_SCHEMA_VERSION`] of the writer.
    pub schema_version: u32,
    /// The dataset whose world was served.
    pub dataset: String,
    /// Its content.
    pub content_sha256: String,
    /// Seed of users, requests and clicks.
    pub seed: u64,
    /// Requests a day, over all arms.
    pub requests: u32,
    /// Ads to choose one from in each request.
    pub candidates: u32,
    /// The arms: A, B, and the true click probabilities.
    pub arms: Vec<AbArm>,
}

/// One arm.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AbArm {
    /// `A`, `B` or `truth`.
    pub name: String,
    /// Model and regularizer; none for the truth.
    pub model: Option<String>,
    /// The run whose weights rank; none for the truth.
    pub run_id: Option<String>,
    /// What happened, day by day.
    pub days: Vec<AbDay>,
    /// How long ranking took on one thread; none for the truth.
    pub latency: Option<Latency>,
}

/// One day of an arm. One ad is shown a request; its advertiser pays the bid for a click.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AbDay {
    /// Ads shown.
    pub impressions: u64,
    /// Clicks on them, drawn from the true probabilities.
    pub clicks: u64,
    /// Bids of the clicked ads.
    pub revenue: f64,
}

/// Times of single requests: filling the batch and scoring all candidates, on one thread.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Latency {
    /// Requests measured.
    pub requests: u32,
    /// The middle one, in milliseconds.
    pub p50_milliseconds: f64,
    /// Of a hundred requests, 99 took at most this long.
    pub p99_milliseconds: f64,
}

impl AbDay {
    /// Clicks an impression.
    pub fn ctr(&self) -> f64 {
        self.clicks as f64 / self.impressions.max(1) as f64
    }

    /// Revenue of a thousand impressions.
    pub fn rpm(&self) -> f64 {
        1000.0 * self.revenue / self.impressions.max(1) as f64
    }
}

impl AbArm {
    /// All days together.
    pub fn total(&self) -> AbDay {
        self.days.iter().fold(AbDay::default(), |sum, day| AbDay {
            impressions: sum.impressions + day.impressions,
            clicks: sum.clicks + day.clicks,
            revenue: sum.revenue + day.revenue,
        })
    }
}
