//! What keeps embeddings from overfitting: penalties on table rows, and dropout of feature ids.

mod dropout;
mod occurrences;

pub use dropout::FeatureDropout;
pub use occurrences::Occurrences;

use crate::kernels::plain::axpy;
use crate::{EmbeddingTable, Error, Result, Weights};
use serde::{Deserialize, Serialize};

/// What a penalty measures of a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PenaltyNorm {
    /// Half its squared length, so that the gradient is the row: the paper's.
    #[default]
    L2,
    /// The sum of its absolute numbers, so that the gradient is their signs.
    L1,
}

/// A penalty on table rows. Below, `g_j` is what the gradient of row `j` gains: a factor times the row
/// `w_j` ([`PenaltyNorm::L2`]) or times its signs. Factors of 2 are in λ, as in the paper.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Penalty {
    /// Mini-batch-aware (paper, section 5.1, equations 4 to 7): `λ α_mj / n_j`. α_mj is 1 for the rows of
    /// the batch and 0 for all others, n_j the number of training samples with j; a row that no sample
    /// has counts as if one had.
    MiniBatchAware {
        /// λ.
        lambda: f64,
        /// What is measured.
        norm: PenaltyNorm,
    },
    /// Lazily applied decay: `λ α_mj w_j`, the same without n_j. What remains of equation 7 without its
    /// count.
    Lazy {
        /// λ.
        lambda: f64,
    },
    /// Once an occurrence: `λ c_mj / |B| w_j`, with c_mj the times that the batch names row j. Over an
    /// epoch a row is pulled in proportion to its frequency: what the paper's experiment with DiFacto (Li,
    /// Liu, Smola, Wang, WSDM 2016, doi:10.1145/2835776.2835781) does according to its discussion,
    /// "DiFacto sets a greater penalty on goods_id with high frequency" (section 6.5). Its list of
    /// regularizers says the opposite, "parameters associated with frequent features are less
    /// over-regularized"; that would be [`Penalty::MiniBatchAware`].
    Occurrence {
        /// λ.
        lambda: f64,
    },
    /// On every row of the table in every step: `λ w_j`, plain weight decay, whose cost grows with the
    /// table (the paper's reason for equation 6).
    Dense {
        /// λ.
        lambda: f64,
    },
}

impl Penalty {
    fn lambda(self) -> f64 {
        match self {
            Self::MiniBatchAware { lambda, .. }
            | Self::Lazy { lambda }
            | Self::Occurrence { lambda }
            | Self::Dense { lambda } => lambda,
        }
    }
}

/// The penalty of one table.
#[derive(Clone, Debug)]
struct TablePenalty {
    lambda: f32,
    norm: PenaltyNorm,
    factor: Factor,
}

#[derive(Clone, Debug)]
enum Factor {
    /// λ / n_j of each row.
    Rows(Vec<f32>),
    Batch,
    Occurrence,
    EveryRow,
}

/// The penalties of a network's tables; tables without one have none.
#[derive(Clone, Debug, Default)]
pub struct RowPenalties {
    tables: Vec<Option<TablePenalty>>,
}

impl RowPenalties {
    /// A penalty on the tables that `chosen` says. `occurrences` gives n_j for each table and row;
    /// [`Penalty::MiniBatchAware`] alone looks at it.
    ///
    /// # Errors
    /// When λ is negative or not a number, or occurrences are needed and counted for other tables.
    pub fn new(
        weights: &Weights,
        penalty: Penalty,
        chosen: impl Fn(&EmbeddingTable) -> bool,
        occurrences: &[Vec<u32>],
    ) -> Result<Self> {
        let lambda = penalty.lambda();
        if !(lambda >= 0.0 && lambda.is_finite()) {
            return Err(Error::Config(format!("λ is {lambda}, expected a number from 0")));
        }
        let lambda = lambda as f32;
        let mut tables = Vec::with_capacity(weights.tables.len());
        for (index, table) in weights.tables.iter().enumerate() {
            if !chosen(table) {
                tables.push(None);
                continue;
            }
            let (norm, factor) = match penalty {
                Penalty::MiniBatchAware { norm, .. } => {
                    let counts =
                        occurrences.get(index).filter(|counts| counts.len() == table.vocabulary);
                    let Some(counts) = counts else {
                        let reason = "occurrences are counted for other tables";
                        return Err(Error::Config(reason.into()));
                    };
                    let factors = counts.iter().map(|&n| lambda / n.max(1) as f32).collect();
                    (norm, Factor::Rows(factors))
                }
                Penalty::Lazy { .. } => (PenaltyNorm::L2, Factor::Batch),
                Penalty::Occurrence { .. } => (PenaltyNorm::L2, Factor::Occurrence),
                Penalty::Dense { .. } => (PenaltyNorm::L2, Factor::EveryRow),
            };
            tables.push(Some(TablePenalty { lambda, norm, factor }));
        }
        Ok(Self { tables })
    }

    /// The penalty of the `table`-th table.
    pub(crate) fn of(&self, table: usize) -> TablePenalties<'_> {
        TablePenalties(self.tables.get(table).and_then(Option::as_ref))
    }
}

/// One table's penalty, if it has one.
#[derive(Clone, Copy)]
pub(crate) struct TablePenalties<'p>(Option<&'p TablePenalty>);

impl TablePenalties<'_> {
    /// Whether rows outside of the batch have a gradient too.
    pub fn every_row(self) -> bool {
        self.0.is_some_and(|penalty| matches!(penalty.factor, Factor::EveryRow))
    }

    /// Adds the penalty of row `id`, which a batch of `rows` rows names `occurrences` times.
    #[inline(always)]
    pub fn add(self, id: u32, occurrences: usize, rows: usize, row: &[f32], gradient: &mut [f32]) {
        let Some(penalty) = self.0 else { return };
        let factor = match &penalty.factor {
            Factor::Rows(factors) => factors.get(id as usize).copied().unwrap_or_default(),
            Factor::Batch | Factor::EveryRow => penalty.lambda,
            Factor::Occurrence => penalty.lambda * (occurrences as f32 / rows.max(1) as f32),
        };
        match penalty.norm {
            PenaltyNorm::L2 => axpy(factor, row, gradient),
            PenaltyNorm::L1 => {
                for (gradient, &value) in gradient.iter_mut().zip(row) {
                    // 0 has no sign: f32::signum would give it one.
                    *gradient += factor * (f32::from(value > 0.0) - f32::from(value < 0.0));
                }
            }
        }
    }
}
