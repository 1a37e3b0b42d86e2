//! Updates: SGD and Adam, dense and row by row, with schedule and clipping.

mod parts;
mod schedule;
mod update;

pub use schedule::Schedule;

use crate::distributed::SpreadRows;
use crate::regularizer::RowPenalties;
use crate::sums::Sums;
use crate::tasks::{Task, run_all};
use crate::{Error, NamedTensors, Result, StoredTensor, Weights};
use parts::{Part, parts};
use serde::{Deserialize, Serialize};
use update::{Moments, Rule};

/// Which rule.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OptimizerKind {
    /// w ← w − η g.
    Sgd,
    /// Kingma & Ba 2015 in TensorFlow 1's form (ε outside the bias correction); β₁ 0.9, β₂ 0.999,
    /// ε 1e-8. Table rows are lazy: a row's moments move only in steps that touch it.
    Adam,
}

/// Settings of the optimizer.
///
/// | name | default | source |
/// |---|---|---|
/// | `kind` | sgd | paper, 6.2; authors' code (all but DeepFM) |
/// | `learning_rate` | 1.0 | paper, 6.2; authors' code |
/// | `schedule` | 0.1 × from step 336,000 | authors' code |
/// | `clip_norm` | 5.0 | authors' code; the paper mentions none |
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OptimizerConfig {
    /// The rule.
    pub kind: OptimizerKind,
    /// η at the beginning.
    pub learning_rate: f64,
    /// How η changes.
    pub schedule: Schedule,
    /// Largest global norm of the gradient (dense and rows together), or 0 for no clipping.
    pub clip_norm: f64,
}

impl Default for OptimizerConfig {
    fn default() -> Self {
        Self {
            kind: OptimizerKind::Sgd,
            learning_rate: 1.0,
            schedule: Schedule::Step { at: vec![336_000], factor: 0.1 },
            clip_norm: 5.0,
        }
    }
}

/// An optimizer with its state.
#[derive(Clone, Debug)]
pub struct Optimizer {
    config: OptimizerConfig,
    steps: u64,
    parameters: Vec<Moments>,
    tables: Vec<Moments>,
}

impl Optimizer {
    /// A new optimizer for these weights.
    ///
    /// # Errors
    /// When the learning rate is not a positive number or the clip norm a negative one.
    pub fn new(config: OptimizerConfig, weights: &Weights) -> Result<Self> {
        if !(config.learning_rate > 0.0 && config.learning_rate.is_finite()) {
            return Err(Error::Config(format!(
                "learning_rate is {}, expected a positive number",
                config.learning_rate
            )));
        }
        if config.clip_norm.is_nan() || config.clip_norm < 0.0 {
            return Err(Error::Config(format!(
                "clip_norm is {}, expected 0 (no clipping) or more",
                config.clip_norm
            )));
        }
        config.schedule.validate()?;
        let moments = |len| match config.kind {
            OptimizerKind::Sgd => Moments::default(),
            OptimizerKind::Adam => Moments::zeros(len),
        };
        let parameters = weights.parameters.iter().map(|p| moments(p.values().len())).collect();
        let tables = weights.tables.iter().map(|t| moments(t.values().len())).collect();
        Ok(Self { config, steps: 0, parameters, tables })
    }

    /// Steps done.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// The learning rate of the next step.
    pub fn learning_rate(&self) -> f64 {
        self.config.learning_rate * self.config.schedule.factor(self.steps)
    }

    /// Sums the gradients up and updates the weights by them. Gives the gradient's global norm before
    /// clipping, where clipping is on. (The norm counts each table row once; the authors' TensorFlow sums
    /// the squares of a row's parts before adding the parts up.) `row_squares` are the sums of squares of the
    /// gradients of table rows, where other ranks have some of them.
    ///
    /// # Errors
    /// When the norm is not finite: the gradient overflowed.
    pub(crate) fn apply(
        &mut self,
        weights: &mut Weights,
        penalties: &RowPenalties,
        sums: Sums<'_>,
        row_squares: Option<&[f64]>,
    ) -> Result<Option<f64>> {
        let (rate, steps) = (self.learning_rate(), self.steps + 1);
        let rule = |shrink| Rule::new(self.config.kind, rate, steps, shrink);
        let mut parts = parts(weights, &mut self.parameters, &mut self.tables, sums);
        let norm = if self.config.clip_norm > 0.0 {
            let sum = |part| Box::new(|| Part::sum(part, penalties)) as Task<'_, _>;
            let dense = parts.iter().filter(|part| matches!(part, Part::Dense(..))).count();
            let mut squares = run_all(parts.iter_mut().map(sum).collect());
            if let Some(row_squares) = row_squares {
                squares.truncate(dense);
                squares.extend_from_slice(row_squares);
            }
            let squares: f64 = squares.into_iter().sum();
            let norm = squares.sqrt();
            if !norm.is_finite() {
                return Err(Error::Diverged { step: steps, loss: norm });
            }
            let rule = rule((self.config.clip_norm / norm).min(1.0) as f32);
            let update = |part| Box::new(move || Part::update(part, &rule)) as Task<'_, _>;
            run_all(parts.iter_mut().map(update).collect());
            Some(norm)
        } else {
            // Nothing needs all sums: each is used while it is near.
            let rule = rule(1.0);
            let both = |part: &mut Part<'_>| {
                part.sum_only(penalties);
                part.update(&rule);
            };
            let task = |part| Box::new(move || both(part)) as Task<'_, _>;
            run_all(parts.iter_mut().map(task).collect());
            None
        };
        self.steps = steps;
        Ok(norm)
    }

    /// Forgets all that is known of table rows, as when they are drawn again.
    pub fn forget_tables(&mut self) {
        self.tables.iter_mut().for_each(Moments::clear);
    }

    /// Whether the rule remembers anything. (A rank may have no row of a small table, and so no numbers of it.)
    fn has_moments(&self) -> bool {
        self.config.kind == OptimizerKind::Adam
    }

    /// Whether the gradient is clipped, so that its norm is needed.
    pub(crate) fn clips(&self) -> bool {
        self.config.clip_norm > 0.0
    }

    /// The state, to be stored beside the weights, but for tables that are spread over ranks.
    pub fn export(&self, weights: &Weights) -> NamedTensors {
        let mut tensors = NamedTensors::default();
        for (name, moments) in names(weights).zip(self.parameters.iter().chain(&self.tables)) {
            let Some(name) = name else { continue };
            for (kind, values) in moments.kinds() {
                if !values.is_empty() {
                    tensors.push(StoredTensor {
                        name: format!("optimizer/{kind}/{name}"),
                        shape: vec![values.len()],
                        values: values.clone(),
                    });
                }
            }
        }
        tensors
    }

    /// Takes back a state that [`Optimizer::export`] gave, after `steps` steps.
    ///
    /// # Errors
    /// Names what is missing or has another size.
    pub fn import(&mut self, weights: &Weights, stored: &NamedTensors, steps: u64) -> Result<()> {
        let all = self.parameters.iter_mut().chain(&mut self.tables);
        for (name, moments) in names(weights).zip(all) {
            let Some(name) = name else { continue };
            for (kind, values) in [("first", &mut moments.first), ("second", &mut moments.second)] {
                if !values.is_empty() {
                    let from = stored.get(&format!("optimizer/{kind}/{name}"), &[values.len()])?;
                    values.copy_from_slice(from);
                }
            }
        }
        self.steps = steps;
        Ok(())
    }

    /// The state of tables that are spread over ranks.
    pub(crate) fn spread_rows(&self, weights: &Weights) -> Vec<SpreadRows<&[f32]>> {
        let tables = self.tables.iter().zip(&weights.tables).filter(|_| self.has_moments());
        let spread = tables.filter_map(|(moments, table)| Some((moments, table, table.partition?)));
        spread
            .flat_map(|(moments, table, partition)| {
                moments.kinds().map(|(kind, numbers)| {
                    let place = table.spread_rows(partition, &numbers[..]);
                    moments_of(place, kind)
                })
            })
            .collect()
    }

    /// The same, to be written.
    pub(crate) fn spread_rows_mut(&mut self, weights: &Weights) -> Vec<SpreadRows<&mut [f32]>> {
        let has = self.has_moments();
        let tables = self.tables.iter_mut().zip(&weights.tables).filter(|_| has);
        let spread = tables.filter_map(|(moments, table)| Some((moments, table, table.partition?)));
        spread
            .flat_map(|(moments, table, partition)| {
                let Moments { first, second } = moments;
                [("first", first), ("second", second)].map(|(kind, numbers)| {
                    let place = table.spread_rows(partition, &mut numbers[..]);
                    moments_of(place, kind)
                })
            })
            .collect()
    }
}

/// Names of what has moments, in their order; none for tables that are spread over ranks.
fn names(weights: &Weights) -> impl Iterator<Item = Option<&String>> {
    let tables =
        weights.tables.iter().map(|table| table.partition.is_none().then_some(&table.name));
    weights.parameters.iter().map(|parameter| Some(&parameter.name)).chain(tables)
}

/// Moments of a table's rows lie like the rows, and are stored as one long list.
fn moments_of<N>(mut rows: SpreadRows<N>, kind: &str) -> SpreadRows<N> {
    rows.name = format!("optimizer/{kind}/{}", rows.name);
    rows.shape = vec![rows.rows * rows.dim];
    rows
}
