//! Regularizers by name, and what they do to data and network.

use crate::streamed::{Change, Shards};
use anyhow::{Context, Result, bail};
use ctr_core::{Dataset, SeedStreams};
use ctr_nn::{
    EmbeddingTable, FeatureDropout, Network, Penalty, PenaltyNorm, RowPenalties, TableSource,
};
use ctr_train::{TrainConfig, count_occurrences, count_occurrences_in_shards};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// What keeps embeddings from overfitting (paper, sections 5.1 and 6.5).
///
/// `--set regularizer=mba` gives a kind with its defaults, `--set regularizer.lambda=0.001` a setting.
/// `vocabularies` names those whose tables are meant; empty for all tables. `vocabulary` is a single one;
/// empty for that of the candidate's first field, which is the good, ad or movie.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Regularizer {
    /// Nothing: what the paper and the authors' code do on the public data sets.
    #[default]
    None,
    /// Without the fields of one vocabulary: table 4's "without goods_ids feature".
    WithoutGoodsIds {
        #[serde(default)]
        vocabulary: String,
    },
    /// L2 on every row of the tables in every step.
    L2 {
        #[serde(default = "paper_lambda")]
        lambda: f64,
        #[serde(default)]
        vocabularies: Vec<String>,
    },
    /// Mini-batch-aware (equations 4 to 7): the rows of a batch alone, each by λ / n_j.
    Mba {
        /// 0.01 in the paper, section 6.5.
        #[serde(default = "paper_lambda")]
        lambda: f64,
        #[serde(default)]
        norm: PenaltyNorm,
        #[serde(default)]
        vocabularies: Vec<String>,
    },
    /// The rows of a batch alone, each by λ: mini-batch-aware without n_j.
    LazyL2 {
        #[serde(default = "paper_lambda")]
        lambda: f64,
        #[serde(default)]
        vocabularies: Vec<String>,
    },
    /// By λ once an occurrence, as the paper discusses DiFacto; see [`Penalty::Occurrence`].
    Difacto {
        /// 0.01 in the paper, section 6.5.
        #[serde(default = "paper_lambda")]
        lambda: f64,
        #[serde(default)]
        vocabularies: Vec<String>,
    },
    /// Leaves feature ids out of each training sample.
    Dropout {
        /// Share left out; half in the paper, section 6.5.
        #[serde(default = "half")]
        rate: f64,
        #[serde(default)]
        vocabularies: Vec<String>,
    },
    /// Keeps the most frequent ids of one vocabulary; see [`Dataset::keep_frequent`].
    Filter {
        /// Share kept; 20 million of 0.6 billion goods in the paper, sections 6.1 and 6.5.
        #[serde(default = "paper_share")]
        share: f64,
        #[serde(default)]
        vocabulary: String,
        /// Whether candidates lose the other ids too; the paper filters "visited goods_id".
        #[serde(default)]
        candidates: bool,
    },
}

fn paper_lambda() -> f64 {
    0.01
}

fn half() -> f64 {
    0.5
}

fn paper_share() -> f64 {
    20e6 / 0.6e9
}

impl std::fmt::Display for Regularizer {
    /// For the signature: everything that moves a number.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let on = |names: &[String]| match names {
            [] => String::new(),
            names => format!("-on-{}", names.join("+")),
        };
        match self {
            Self::None => f.write_str("none"),
            Self::WithoutGoodsIds { vocabulary } if vocabulary.is_empty() => {
                f.write_str("without_goods_ids")
            }
            Self::WithoutGoodsIds { vocabulary } => write!(f, "without-{vocabulary}"),
            Self::L2 { lambda, vocabularies } => write!(f, "l2-{lambda}{}", on(vocabularies)),
            Self::Mba { lambda, norm, vocabularies } => {
                let norm = if *norm == PenaltyNorm::L1 { "-l1" } else { "" };
                write!(f, "mba{norm}-{lambda}{}", on(vocabularies))
            }
            Self::LazyL2 { lambda, vocabularies } => {
                write!(f, "lazy_l2-{lambda}{}", on(vocabularies))
            }
            Self::Difacto { lambda, vocabularies } => {
                write!(f, "difacto-{lambda}{}", on(vocabularies))
            }
            Self::Dropout { rate, vocabularies } => {
                write!(f, "dropout-{rate}{}", on(vocabularies))
            }
            Self::Filter { share, vocabulary, candidates } => {
                let of = if vocabulary.is_empty() { "" } else { "-of-" };
                let all = if *candidates { "-all" } else { "" };
                write!(f, "filter-{share:.4}{of}{vocabulary}{all}")
            }
        }
    }
}

impl Regularizer {
    /// Checks what no dataset is needed for.
    pub fn validate(&self) -> Result<()> {
        match self {
            Self::L2 { lambda, .. }
            | Self::Mba { lambda, .. }
            | Self::LazyL2 { lambda, .. }
            | Self::Difacto { lambda, .. }
                if !(*lambda >= 0.0 && lambda.is_finite()) =>
            {
                bail!("regularizer.lambda is {lambda}, expected a number from 0")
            }
            Self::Dropout { rate, .. } if !(0.0..1.0).contains(rate) => {
                bail!("regularizer.rate is {rate}, expected 0 to below 1")
            }
            Self::Filter { share, .. } if !(0.0..=1.0).contains(share) => {
                bail!("regularizer.share is {share}, expected 0 to 1")
            }
            _ => Ok(()),
        }
    }

    /// The dataset as models see it under this regularizer.
    pub fn features<'d>(&self, dataset: &'d Dataset) -> Result<Cow<'d, Dataset>> {
        let change = self.change(dataset, |name| Ok(dataset.rows_with(name)?))?;
        Ok(match change {
            Some(change) => Cow::Owned(change.apply(dataset)?),
            None => Cow::Borrowed(dataset),
        })
    }

    /// What it takes out of every row, if anything; `frequencies` tells in how many training rows' histories each id
    /// of a vocabulary occurs.
    pub fn change(
        &self,
        dataset: &Dataset,
        frequencies: impl FnOnce(&str) -> Result<Vec<u32>>,
    ) -> Result<Option<Change>> {
        Ok(match self {
            Self::WithoutGoodsIds { vocabulary } => {
                Some(Change::Without(one_of(dataset, vocabulary)?.to_string()))
            }
            Self::Filter { share, vocabulary, candidates } => {
                let vocabulary = one_of(dataset, vocabulary)?.to_string();
                let counts = frequencies(&vocabulary)?;
                let kept = dataset.most_frequent(&vocabulary, *share, &counts)?;
                Some(Change::Keep { vocabulary, kept, candidates: *candidates })
            }
            _ => None,
        })
    }

    /// What this regularizer leaves of one vocabulary of the dataset: which ids, and whether other fields
    /// than histories lose the rest too. None where it leaves all.
    pub fn kept_ids(&self, dataset: &Dataset, name: &str) -> Result<Option<(Vec<bool>, bool)>> {
        match self {
            Self::Filter { share, vocabulary, candidates }
                if one_of(dataset, vocabulary)? == name =>
            {
                Ok(Some((dataset.frequent_ids(name, *share)?, *candidates)))
            }
            _ => Ok(None),
        }
    }

    /// Puts penalties and dropout into a network for training on `dataset` and `shards`, which
    /// [`crate::streamed::features`] gave.
    pub fn install(
        &self,
        network: &mut Network,
        dataset: &Dataset,
        shards: &Shards,
        train: &TrainConfig,
        seeds: SeedStreams,
    ) -> Result<()> {
        let (penalty, vocabularies) = match self {
            Self::None | Self::WithoutGoodsIds { .. } | Self::Filter { .. } => return Ok(()),
            Self::Dropout { rate, vocabularies } => {
                let chosen = tables_of(dataset, vocabularies)?;
                network.dropout =
                    Some(FeatureDropout::new(&network.weights, *rate, seeds, chosen)?);
                return Ok(());
            }
            Self::L2 { lambda, vocabularies } => (Penalty::Dense { lambda: *lambda }, vocabularies),
            Self::LazyL2 { lambda, vocabularies } => {
                (Penalty::Lazy { lambda: *lambda }, vocabularies)
            }
            Self::Difacto { lambda, vocabularies } => {
                (Penalty::Occurrence { lambda: *lambda }, vocabularies)
            }
            Self::Mba { lambda, norm, vocabularies } => {
                (Penalty::MiniBatchAware { lambda: *lambda, norm: *norm }, vocabularies)
            }
        };
        let chosen = tables_of(dataset, vocabularies)?;
        let counts = match penalty {
            Penalty::MiniBatchAware { .. } => {
                let (weights, limit) = (&network.weights, train.history_limit());
                Some(match shards {
                    None => count_occurrences(dataset, weights, limit)?,
                    Some(shards) => count_occurrences_in_shards(
                        shards.as_ref(),
                        weights,
                        limit,
                        &*network.ranks,
                    )?,
                })
            }
            _ => None,
        };
        let counts = counts.as_ref().map_or(&[][..], |counts| counts.counts());
        network.penalties = RowPenalties::new(&network.weights, penalty, chosen, counts)?;
        Ok(())
    }
}

/// The vocabulary of a name; of the candidate's first field when the name is empty.
fn one_of<'d>(dataset: &'d Dataset, name: &'d str) -> Result<&'d str> {
    if !name.is_empty() {
        return Ok(name);
    }
    let schema = &dataset.schema;
    let candidate = schema.candidate().context("the data has no candidate group")?;
    let field = schema.groups[candidate].fields.first().context("the candidate has no field")?;
    Ok(&schema.vocabularies[field.vocabulary].name)
}

/// Says of a table whether it belongs to one of the vocabularies; of every table when there is no name.
fn tables_of(dataset: &Dataset, names: &[String]) -> Result<impl Fn(&EmbeddingTable) -> bool> {
    let schema = dataset.schema.clone();
    let known: Vec<&str> = schema.vocabularies.iter().map(|one| one.name.as_str()).collect();
    if let Some(unknown) = names.iter().find(|name| !known.contains(&name.as_str())) {
        bail!("regularizer.vocabularies names {unknown:?}; the data has {}", known.join(", "));
    }
    let names = names.to_vec();
    Ok(move |table: &EmbeddingTable| match &table.source {
        _ if names.is_empty() => true,
        TableSource::Fields(fields) => {
            fields.iter().any(|&field| names.contains(&schema.vocabulary(field).name))
        }
        TableSource::Crosses { .. } => false,
    })
}
