//! Updates: SGD and Adam, dense and row by row, with schedule and clipping.

mod schedule;
mod update;

pub use schedule::Schedule;

use crate::step::{StepMemory, Task, cut_rows, run_all};
use crate::{Error, NamedTensors, Result, StoredTensor, Weights};
use serde::{Deserialize, Serialize};
use update::Moments;

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

/// Numbers that one task updates.
const CHUNK: usize = 16_384;

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

    /// Updates the weights by the gradients in `memory`, whose squares sum up to `squares`. Gives the
    /// gradient's global norm before clipping, where clipping is on. (The norm counts each table row
    /// once; the authors' TensorFlow sums the squares of a row's parts before adding the parts up.)
    ///
    /// # Errors
    /// When the norm is not finite: the gradient overflowed.
    pub(crate) fn apply(
        &mut self,
        weights: &mut Weights,
        memory: &StepMemory,
        squares: f64,
    ) -> Result<Option<f64>> {
        let norm = (self.config.clip_norm > 0.0).then(|| squares.sqrt());
        let shrink = match norm {
            Some(norm) if !norm.is_finite() => {
                return Err(Error::Diverged { step: self.steps + 1, loss: norm });
            }
            Some(norm) if norm > self.config.clip_norm => (self.config.clip_norm / norm) as f32,
            _ => 1.0,
        };
        let rate = self.learning_rate();
        self.steps += 1;
        let rule = update::Rule::new(self.config.kind, rate, self.steps, shrink);
        let mut tasks: Vec<Task<'_, ()>> = Vec::new();
        for (parameter, moments) in weights.parameters.iter_mut().zip(&mut self.parameters) {
            let place = parameter.place();
            let gradient = memory.dense()[place.start..place.start + place.len].chunks(CHUNK);
            let values = parameter.values_mut().chunks_mut(CHUNK);
            for ((values, gradient), moments) in values.zip(gradient).zip(moments.chunks(CHUNK)) {
                tasks.push(Box::new(move || rule.update(values, gradient, moments)));
            }
        }
        let tables = weights.tables.iter_mut().zip(memory.tables()).zip(&mut self.tables);
        for ((table, gradients), moments) in tables {
            let dim = table.dim;
            let rows_a_task = (CHUNK / dim).max(1);
            let chunks: Vec<&[u32]> = gradients.uses.rows.chunks(rows_a_task).collect();
            let gradients = gradients.values.chunks(rows_a_task * dim);
            let values = cut_rows(&chunks, dim, table.values_mut());
            let moments = moments.cut_rows(&chunks, dim);
            for (((rows, gradients), (start, values)), mut moments) in
                chunks.into_iter().zip(gradients).zip(values).zip(moments)
            {
                tasks.push(Box::new(move || {
                    for (&row, gradient) in rows.iter().zip(gradients.chunks_exact(dim)) {
                        let place = row as usize * dim - start;
                        let values = &mut values[place..place + dim];
                        rule.update(values, gradient, moments.part(place, dim));
                    }
                }));
            }
        }
        run_all(tasks);
        Ok(norm)
    }

    /// The state, to be stored beside the weights.
    pub fn export(&self, weights: &Weights) -> NamedTensors {
        let mut tensors = NamedTensors::default();
        let names = weights
            .parameters
            .iter()
            .map(|p| &p.name)
            .chain(weights.tables.iter().map(|table| &table.name));
        for (name, moments) in names.zip(self.parameters.iter().chain(&self.tables)) {
            for (kind, values) in [("first", &moments.first), ("second", &moments.second)] {
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
        let names = weights
            .parameters
            .iter()
            .map(|p| &p.name)
            .chain(weights.tables.iter().map(|table| &table.name));
        for (name, moments) in names.zip(self.parameters.iter_mut().chain(&mut self.tables)) {
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
}
