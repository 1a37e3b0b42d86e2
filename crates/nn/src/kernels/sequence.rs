//! Loops of the sequence models, row by row: one step of a gated recurrent unit, and layer normalization.

use super::elementwise::{LANES, logistic, plain, vectorized};

/// Within 1e-7 of tanh x: by the logistic function, whose exponential runs in vectors.
#[inline(always)]
fn tanh(x: f32) -> f32 {
    2.0 * logistic(2.0 * x) - 1.0
}

/// Parts of a row that lie one after the other, each as wide as the state.
#[inline(always)]
fn parts<const N: usize>(row: &[f32], width: usize) -> [&[f32]; N] {
    std::array::from_fn(|part| &row[part * width..(part + 1) * width])
}

/// One row of a step forward.
///
/// `input` is W·x + b of reset gate, update gate and candidate state, `recurrent` is U·h of the same three.
/// `state` is h before and after. `kept` takes what the backward pass reads: both gates, the candidate state
/// and U·h + b of the candidate, before the reset gate.
#[inline(always)]
pub(crate) fn gru_forward_row(
    input: &[f32],
    recurrent: &[f32],
    bias: &[f32],
    state: &mut [f32],
    kept: &mut [f32],
) {
    let width = bias.len();
    let [input_reset, input_update, input_new] = parts(input, width);
    let [state_reset, state_update, state_new] = parts(recurrent, width);
    let (kept_reset, kept) = kept.split_at_mut(width);
    let (kept_update, kept) = kept.split_at_mut(width);
    let (kept_new, kept_inner) = kept.split_at_mut(width);
    let reset = input_reset.iter().zip(state_reset);
    let update = input_update.iter().zip(state_update);
    let new = input_new.iter().zip(state_new).zip(bias);
    let kept = kept_reset.iter_mut().zip(kept_update).zip(kept_new).zip(kept_inner);
    for ((((reset, update), new), kept), state) in
        reset.zip(update).zip(new).zip(kept).zip(state.iter_mut())
    {
        let (((kept_reset, kept_update), kept_new), kept_inner) = kept;
        let r = logistic(reset.0 + reset.1);
        let z = logistic(update.0 + update.1);
        let inner = new.0.1 + new.1;
        let n = tanh(r.mul_add(inner, *new.0.0));
        *state = z.mul_add(*state - n, n);
        (*kept_reset, *kept_update, *kept_new, *kept_inner) = (r, z, n, inner);
    }
}

/// One row of a step backward.
///
/// `gradient` is that of the state after the step; on return it is the part of the gradient of the state
/// before that does not go through U. `before` is that state, empty for zeros. Writes the gradients of
/// `input` and of `recurrent` of [`gru_forward_row`].
#[inline(always)]
pub(crate) fn gru_backward_row(
    kept: &[f32],
    before: &[f32],
    gradient: &mut [f32],
    to_input: &mut [f32],
    to_recurrent: &mut [f32],
) {
    let width = gradient.len();
    let [reset, update, new, inner] = parts(kept, width);
    let (input_reset, rest) = to_input.split_at_mut(width);
    let (input_update, input_new) = rest.split_at_mut(width);
    // The state before, or zeros from the same place: then n − h is n.
    let (before, share) = if before.is_empty() { (new, 0.0) } else { (before, 1.0) };
    let kept = reset.iter().zip(update).zip(new.iter().zip(inner)).zip(before);
    let to = input_reset.iter_mut().zip(input_update).zip(input_new);
    for (((((&r, &z), (&n, &inner)), &h), gradient), to) in kept.zip(gradient.iter_mut()).zip(to) {
        let ((to_reset, to_update), to_new) = to;
        let given = *gradient;
        let new = given * (1.0 - z) * (1.0 - n * n);
        *to_new = new;
        *to_reset = new * inner * r * (1.0 - r);
        *to_update = given * (share * h - n) * z * (1.0 - z);
        *gradient = given * z;
    }
    // The gates' gradients are the same on both sides; the candidate's passed the reset gate.
    let (gates, inner) = to_recurrent.split_at_mut(2 * width);
    gates.copy_from_slice(&to_input[..2 * width]);
    plain::multiply_into(&to_input[2 * width..], reset, inner);
}

/// Sum over fixed lanes.
#[inline(always)]
fn sum(values: &[f32]) -> f32 {
    let mut lanes = [0.0f32; LANES];
    let chunks = values.chunks_exact(LANES);
    let tail: f32 = chunks.remainder().iter().sum();
    for chunk in chunks {
        for (lane, &value) in lanes.iter_mut().zip(chunk) {
            *lane += value;
        }
    }
    let mut width = LANES / 2;
    while width > 0 {
        for lane in 0..width {
            lanes[lane] += lanes[lane + width];
        }
        width /= 2;
    }
    lanes[0] + tail
}

/// Each row of `from` with mean 0 and variance 1: `(x − E[x]) / √(Var[x] + ε)`, the variance biased.
/// `scales` takes each row's 1 / √(Var[x] + ε).
pub(crate) fn standardize_each_row(
    from: &[f32],
    width: usize,
    epsilon: f32,
    to: &mut [f32],
    scales: &mut [f32],
) {
    let share = 1.0 / width.max(1) as f32;
    let rows = from.chunks_exact(width.max(1)).zip(to.chunks_exact_mut(width.max(1))).zip(scales);
    vectorized(
        #[inline(always)]
        || {
            for ((from, to), scale) in rows {
                let mean = share * sum(from);
                for (to, &x) in to.iter_mut().zip(from) {
                    *to = x - mean;
                }
                *scale = 1.0 / (share * plain::dot(to, to) + epsilon).sqrt();
                to.iter_mut().for_each(|to| *to *= *scale);
            }
        },
    );
}

/// Backward pass of [`standardize_each_row`] followed by a factor for each column: turns the gradient of
/// the product into that of `from`.
pub(crate) fn standardize_each_row_backward(
    (standardized, scales, factors): (&[f32], &[f32], &[f32]),
    gradient: &mut [f32],
) {
    let width = factors.len().max(1);
    let share = 1.0 / width as f32;
    let rows = gradient.chunks_exact_mut(width).zip(standardized.chunks_exact(width)).zip(scales);
    vectorized(
        #[inline(always)]
        || {
            for ((gradient, standardized), scale) in rows {
                for (gradient, &factor) in gradient.iter_mut().zip(factors) {
                    *gradient *= factor;
                }
                let along_one = share * sum(gradient);
                let along_self = share * plain::dot(gradient, standardized);
                for (gradient, &x) in gradient.iter_mut().zip(standardized) {
                    *gradient = scale * (*gradient - (along_one + x * along_self));
                }
            }
        },
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tanh_is_within_two_units_of_one() {
        let mut x = -30.0f32;
        while x < 30.0 {
            assert!((f64::from(tanh(x)) - f64::from(x).tanh()).abs() < 2.5e-7, "{x}");
            x += 0.0137;
        }
        assert_eq!(tanh(0.0), 0.0);
        assert!(tanh(f32::NAN).is_nan());
    }

    #[test]
    fn sums_of_any_length_are_right() {
        for length in [0, 1, 15, 16, 17, 192, 200] {
            let values: Vec<f32> = (0..length).map(|i| (i as f32 * 0.7).sin()).collect();
            let exact: f64 = values.iter().copied().map(f64::from).sum();
            assert!((f64::from(sum(&values)) - exact).abs() < 1e-5, "{length}");
        }
    }

    #[test]
    fn a_constant_row_becomes_zeros() {
        let (mut to, mut scales) = ([f32::NAN; 4], [f32::NAN; 2]);
        standardize_each_row(&[3.0, 3.0, 1.0, -1.0], 2, 1e-5, &mut to, &mut scales);
        assert_eq!(to[..2], [0.0, 0.0]);
        assert!((to[2] - 1.0).abs() < 1e-5 && (to[3] + 1.0).abs() < 1e-5, "{to:?}");
    }
}
