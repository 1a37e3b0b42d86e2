//! The update rules on slices.

use super::OptimizerKind;
use crate::sums::cut_rows;

const BETA_1: f64 = 0.9;
const BETA_2: f64 = 0.999;
const EPSILON: f32 = 1e-8;

/// Adam's moving averages of the gradient and of its square; empty for SGD.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Moments {
    pub first: Vec<f32>,
    pub second: Vec<f32>,
}

impl Moments {
    pub fn zeros(len: usize) -> Self {
        Self { first: vec![0.0; len], second: vec![0.0; len] }
    }

    /// Both, with their names in files.
    pub fn kinds(&self) -> [(&'static str, &Vec<f32>); 2] {
        [("first", &self.first), ("second", &self.second)]
    }

    /// Sets all to zero.
    pub fn clear(&mut self) {
        self.first.fill(0.0);
        self.second.fill(0.0);
    }

    /// All of them.
    pub fn all(&mut self) -> MomentsPart<'_> {
        MomentsPart { first: &mut self.first, second: &mut self.second }
    }

    /// The moments of chunks of table rows, cut like the rows themselves.
    pub fn cut_rows(&mut self, chunks: &[&[u32]], dim: usize) -> Vec<MomentsPart<'_>> {
        if self.first.is_empty() {
            return chunks.iter().map(|_| MomentsPart::default()).collect();
        }
        let first = cut_rows(chunks, dim, &mut self.first).into_iter();
        let second = cut_rows(chunks, dim, &mut self.second);
        first.zip(second).map(|((_, first), (_, second))| MomentsPart { first, second }).collect()
    }
}

/// Moments of some weights; empty for SGD.
#[derive(Debug, Default)]
pub(super) struct MomentsPart<'m> {
    first: &'m mut [f32],
    second: &'m mut [f32],
}

/// A rule with everything that is the same for all weights of a step.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rule {
    kind: OptimizerKind,
    /// Learning rate with Adam's bias corrections in it.
    rate: f32,
    /// Factor of clipping.
    shrink: f32,
}

impl Rule {
    /// The rule of step number `step`, counted from 1.
    pub fn new(kind: OptimizerKind, rate: f64, step: u64, shrink: f32) -> Self {
        let correction = match kind {
            OptimizerKind::Sgd => 1.0,
            OptimizerKind::Adam => {
                let step = step.min(i32::MAX as u64) as i32;
                (1.0 - BETA_2.powi(step)).sqrt() / (1.0 - BETA_1.powi(step))
            }
        };
        Self { kind, rate: (rate * correction) as f32, shrink }
    }

    /// Updates `weights`.
    pub fn update(&self, weights: &mut [f32], gradient: &[f32], moments: &mut MomentsPart<'_>) {
        let MomentsPart { first, second } = moments;
        crate::kernels::vectorized(
            #[inline(always)]
            || self.update_some(weights, gradient, first, second),
        );
    }

    /// Updates rows of `dim` numbers that begin at the given places of `weights`.
    pub fn update_rows(
        &self,
        weights: &mut [f32],
        places: impl Iterator<Item = usize>,
        gradients: &[f32],
        moments: &mut MomentsPart<'_>,
        dim: usize,
    ) {
        let MomentsPart { first, second } = moments;
        crate::kernels::vectorized(
            #[inline(always)]
            || {
                for (place, gradient) in places.zip(gradients.chunks_exact(dim.max(1))) {
                    let range = place..place + dim;
                    let moments = if first.is_empty() { 0..0 } else { range.clone() };
                    self.update_some(
                        &mut weights[range],
                        gradient,
                        &mut first[moments.clone()],
                        &mut second[moments],
                    );
                }
            },
        );
    }

    #[inline(always)]
    fn update_some(
        &self,
        weights: &mut [f32],
        gradient: &[f32],
        first: &mut [f32],
        second: &mut [f32],
    ) {
        let (rate, shrink) = (self.rate, self.shrink);
        match self.kind {
            OptimizerKind::Sgd => {
                for (weight, gradient) in weights.iter_mut().zip(gradient) {
                    *weight -= rate * (shrink * gradient);
                }
            }
            OptimizerKind::Adam => {
                let (keep_1, take_1) = (BETA_1 as f32, (1.0 - BETA_1) as f32);
                let (keep_2, take_2) = (BETA_2 as f32, (1.0 - BETA_2) as f32);
                for (((weight, gradient), first), second) in
                    weights.iter_mut().zip(gradient).zip(first).zip(second)
                {
                    let gradient = shrink * gradient;
                    *first = keep_1 * *first + take_1 * gradient;
                    *second = keep_2 * *second + take_2 * (gradient * gradient);
                    *weight -= rate * *first / (second.sqrt() + EPSILON);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adam_equals_the_textbook_in_f64() {
        let gradients = [0.3f64, -0.1, 0.7, 0.05];
        let (mut w, mut m, mut v) = (1.0f64, 0.0, 0.0);
        let mut weights = [1.0f32];
        let mut moments = Moments::zeros(1);
        for (index, g) in gradients.iter().enumerate() {
            let t = index as i32 + 1;
            m = BETA_1 * m + (1.0 - BETA_1) * g;
            v = BETA_2 * v + (1.0 - BETA_2) * g * g;
            let rate = 0.01 * (1.0 - BETA_2.powi(t)).sqrt() / (1.0 - BETA_1.powi(t));
            w -= rate * m / (v.sqrt() + 1e-8);
            Rule::new(OptimizerKind::Adam, 0.01, t as u64, 1.0).update(
                &mut weights,
                &[*g as f32],
                &mut moments.all(),
            );
            assert!((f64::from(weights[0]) - w).abs() < 1e-6, "{} {w}", weights[0]);
        }
    }

    #[test]
    fn sgd_with_clipping_shrinks_the_gradient() {
        let mut weights = [1.0f32, 2.0];
        Rule::new(OptimizerKind::Sgd, 0.5, 1, 0.25).update(
            &mut weights,
            &[4.0, -8.0],
            &mut MomentsPart::default(),
        );
        assert_eq!(weights, [0.5, 3.0]);
    }
}
