//! The form of the files in `reports/reference/`, and what is checked of them.

use ctr_core::Role;
use serde::Deserialize;

/// One file: everything taken from one source.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Reference {
    pub source: Source,
    #[serde(default)]
    pub datasets: Vec<DatasetCounts>,
    #[serde(default)]
    pub results: Vec<PublishedTable>,
    #[serde(default)]
    pub features: Vec<PublishedFeatures>,
    #[serde(default)]
    pub curves: Vec<PublishedCurve>,
    #[serde(default)]
    pub throughputs: Vec<PublishedThroughput>,
}

/// Where numbers come from and how they were made.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Source {
    pub id: String,
    pub title: String,
    pub citation: String,
    pub url: String,
    pub note: String,
}

/// A row of the paper's table 2, or what a publisher says of the same.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DatasetCounts {
    pub id: String,
    pub title: String,
    pub users: Option<u64>,
    pub goods: Option<u64>,
    pub categories: Option<u64>,
    pub samples: Option<u64>,
    pub note: String,
}

impl DatasetCounts {
    /// Users, goods, categories and samples.
    pub(crate) fn all(&self) -> [Option<u64>; 4] {
        [self.users, self.goods, self.categories, self.samples]
    }
}

/// One dataset's part of a published table.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PublishedTable {
    pub table: String,
    pub dataset: String,
    /// The model that RelaImpr is over.
    pub base: String,
    #[serde(default)]
    pub note: String,
    pub rows: Vec<PublishedRow>,
}

/// A published row.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PublishedRow {
    pub model: String,
    pub title: String,
    /// Absent where the source has AUC over all rows alone.
    pub gauc: Option<f64>,
    pub auc: Option<f64>,
    /// Standard deviation of `auc` over runs.
    pub auc_std: Option<f64>,
    pub log_loss: Option<f64>,
    /// In percent as printed; absent where the source has none.
    pub rela_impr: Option<f64>,
    /// The authors no longer stand by this number.
    #[serde(default)]
    pub withdrawn: bool,
    #[serde(default)]
    pub note: String,
}

/// Table 1 of a source: the fields of a dataset.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PublishedFeatures {
    pub table: String,
    pub dataset: String,
    pub note: String,
    pub rows: Vec<PublishedFeature>,
}

/// A published field. Its sizes are texts, such as `~10^9`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PublishedFeature {
    pub role: Role,
    pub name: String,
    pub dimensionality: String,
    pub multi_hot: bool,
    pub ids_per_row: String,
}

/// Test gAUC while a model was trained, as its source logged it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PublishedCurve {
    pub dataset: String,
    pub model: String,
    pub title: String,
    /// Rows of a step.
    pub batch_size: u64,
    /// Evaluations in the source, of which `points` are some.
    pub evaluations: u64,
    pub note: String,
    /// Step and test gAUC.
    pub points: Vec<(u64, f64)>,
}

/// Speed of training that somebody reports.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PublishedThroughput {
    pub model: String,
    pub machine: String,
    pub batch: u64,
    pub rows_per_second: u64,
    pub source: String,
    /// Data, shapes, and whether the number was computed here.
    pub note: String,
}

impl Reference {
    /// What the form alone cannot refuse; a slip of the pen in a number should not reach a table.
    pub(crate) fn check(&self) -> Result<(), String> {
        for part in &self.results {
            part.check().map_err(|reason| {
                format!("table {:?} on {:?}: {reason}", part.table, part.dataset)
            })?;
        }
        for curve in &self.curves {
            let fail = |reason: String| Err(format!("curve of {:?}: {reason}", curve.model));
            if !curve.points.is_sorted_by(|one, other| one.0 < other.0) {
                return fail("steps are not ascending".into());
            }
            if let Some((step, value)) = curve.points.iter().find(|point| !is_share(point.1)) {
                return fail(format!("{value} at step {step} is not between 0 and 1"));
            }
        }
        Ok(())
    }
}

/// AUC is a share of pairs; a percentage among shares is the usual mistake.
fn is_share(value: f64) -> bool {
    (0.0..=1.0).contains(&value)
}

impl PublishedTable {
    fn check(&self) -> Result<(), String> {
        for (index, row) in self.rows.iter().enumerate() {
            if row.gauc.or(row.auc).is_none() {
                return Err(format!("{} has neither gauc nor auc", row.model));
            }
            if let Some(value) = [row.gauc, row.auc].iter().flatten().find(|v| !is_share(**v)) {
                return Err(format!("{value} of {} is not between 0 and 1", row.model));
            }
            if self.rows.iter().take(index).any(|other| other.model == row.model) {
                return Err(format!("{} stands there twice", row.model));
            }
        }
        match self.row(&self.base) {
            Some(_) => Ok(()),
            None => Err(format!("no row {}, which is to be the base", self.base)),
        }
    }

    pub(crate) fn row(&self, model: &str) -> Option<&PublishedRow> {
        self.rows.iter().find(|row| row.model == model)
    }

    /// RelaImpr as published, or over the table's own base.
    pub(crate) fn rela_impr(&self, row: &PublishedRow) -> Option<f64> {
        row.rela_impr
            .or_else(|| ctr_metrics::rela_impr(row.gauc?, self.row(&self.base)?.gauc?).ok())
    }
}
