//! The claims as written in `claims.toml`.

use crate::reference::is_alibaba_kin;
use crate::{Error, Result};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

const FILE: &str = "claims.toml";
const CLAIMS: &str = include_str!("../../claims.toml");

/// Something that the paper states as a result.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Claim {
    /// Its name in files and expectations.
    pub id: String,
    /// The table, or part of the paper, whose claims share one correction.
    pub family: String,
    /// Where the paper has it.
    pub section: String,
    /// The claim as a sentence.
    pub text: String,
    /// Kinds of data that it is about.
    pub data: Vec<Kind>,
    /// The difference that the paper prints.
    #[serde(default)]
    pub published: Option<Published>,
    /// What decides it.
    pub test: Test,
}

/// A kind of data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    Reviews,
    Ratings,
    Ads,
}

impl Kind {
    /// That of a dataset; none for data that the paper has nothing like, such as a user's own.
    pub(crate) fn of(dataset: &str) -> Option<Self> {
        match dataset {
            _ if is_alibaba_kin(dataset) => Some(Self::Ads),
            "taobao-ad" => Some(Self::Ads),
            _ if dataset.starts_with("movielens-") => Some(Self::Ratings),
            // The smallest simulation is made like Amazon's reviews.
            _ if dataset.starts_with("amazon-") || dataset == "tiny" => Some(Self::Reviews),
            _ => None,
        }
    }
}

/// Two rows of a table of the paper.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Published {
    pub table: String,
    pub higher: String,
    pub lower: String,
}

/// What decides a claim. `higher` and `lower` are compared in test gAUC unless said otherwise.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Test {
    /// The interval of the difference lies above 0 and Holm's p is below 0.05: holds. Below 0 with such a p: does
    /// not hold.
    Above { higher: Selector, lower: Selector },
    /// The whole interval lies below `margin`: holds. Above it: does not hold.
    NotAbove { higher: Selector, lower: Selector, margin: f64 },
    /// The interval of RelaImpr (equation 11) has `percent` in it and reaches no farther than `within` of it:
    /// holds. `percent` outside: does not hold.
    RelaImpr { higher: Selector, lower: Selector, percent: f64, within: f64 },
    /// The same for the difference itself.
    Gain { higher: Selector, lower: Selector, by: f64, within: f64 },
    /// As `above`, at the last evaluation of the first epoch.
    AboveAfterOneEpoch { higher: Selector, lower: Selector },
    /// Test gAUC falls from the last evaluation of the first epoch to the last of all: the whole interval lies above
    /// 0. `beside` must have been run too: it tells runs that are about this question.
    Falls { row: Selector, beside: Selector },
    /// From its peak to the last evaluation it falls by less than `within`.
    Fall { row: Selector, within: f64 },
    /// The standard deviation over seeds, pooled over rows of two seeds and more, is below a bound: decided by its
    /// interval.
    Spread { rows: Vec<Selector>, below: f64 },
}

/// Which runs a claim is about.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Selector {
    pub model: String,
    /// Kind of regularizer.
    #[serde(default = "none")]
    pub regularizer: String,
    /// All settings of the model that differ from the preset's, with their values.
    #[serde(default)]
    pub changes: BTreeMap<String, String>,
    /// Settings that the configuration must have.
    #[serde(default)]
    pub settings: BTreeMap<String, String>,
}

impl Selector {
    /// A model as its preset has it, without a regularizer.
    pub(crate) fn plain(model: &str) -> Self {
        Self { model: model.into(), regularizer: none(), ..Self::default() }
    }
}

fn none() -> String {
    "none".into()
}

impl Test {
    /// All runs that it needs.
    pub(crate) fn rows(&self) -> Vec<&Selector> {
        match self {
            Self::Above { higher, lower }
            | Self::NotAbove { higher, lower, .. }
            | Self::RelaImpr { higher, lower, .. }
            | Self::Gain { higher, lower, .. }
            | Self::AboveAfterOneEpoch { higher, lower } => vec![higher, lower],
            Self::Falls { row, beside } => vec![row, beside],
            Self::Fall { row, .. } => vec![row],
            Self::Spread { rows, .. } => rows.iter().collect(),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Claims {
    claims: Vec<Claim>,
}

/// All claims, in the order of the file.
pub(crate) fn load() -> Result<Vec<Claim>> {
    parse(CLAIMS)
}

fn parse(text: &str) -> Result<Vec<Claim>> {
    let fail = |reason: String| Error::Reference { file: FILE, reason };
    let Claims { claims } = toml::from_str(text).map_err(|error| fail(error.to_string()))?;
    let mut ids = BTreeSet::new();
    for claim in &claims {
        if !ids.insert(&claim.id) {
            return Err(fail(format!("two claims are called {}", claim.id)));
        }
        if claim.data.is_empty() || claim.test.rows().is_empty() {
            return Err(fail(format!("{} has no data or no rows", claim.id)));
        }
    }
    Ok(claims)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_sound_and_a_bad_one_is_named() {
        let claims = load().unwrap();
        assert!(claims.len() > 30);
        let twice = CLAIMS.replace("id = \"pnn-above-base\"", "id = \"din-above-base\"");
        assert!(parse(&twice).unwrap_err().to_string().contains("two claims are called din"));
        let odd = CLAIMS.replace("kind = \"spread\"", "kind = \"guess\"");
        assert!(parse(&odd).unwrap_err().to_string().contains("claims.toml: "));
    }

    #[test]
    fn datasets_have_the_kind_of_the_papers() {
        assert_eq!(Kind::of("amazon-beauty"), Some(Kind::Reviews));
        assert_eq!(Kind::of("movielens-1m"), Some(Kind::Ratings));
        assert_eq!(Kind::of("alibaba-sim-x0.4"), Some(Kind::Ads));
        assert_eq!(Kind::of("taobao-ad"), Some(Kind::Ads));
        assert_eq!(Kind::of("my-shop"), None);
    }
}
