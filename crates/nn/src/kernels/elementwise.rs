//! Elementwise loops, compiled for the instruction sets that the machine turns out to have.
//!
//! Fused multiply-adds are written where they are meant, and sums run over a fixed number of lanes in a
//! fixed order, so the bits are the same on every instruction set.

use pulp::Arch;

/// Runs a loop compiled for the best instruction set of the machine. The closure must be
/// `#[inline(always)]`, and so must be what it calls.
#[inline(always)]
pub(crate) fn vectorized<R>(body: impl FnOnce() -> R) -> R {
    Arch::new().dispatch(body)
}

/// [`vectorized`] with the attribute.
macro_rules! vectorized {
    ($body:expr) => {
        vectorized(
            #[inline(always)]
            || $body,
        )
    };
}

/// Lanes of a sum. Fixed, whatever the width of the machine's registers.
pub(super) const LANES: usize = 16;

/// e^x within about 2 units in the last place, for x in [-87, 88]; outside, the value at the border.
#[inline(always)]
fn exp(x: f32) -> f32 {
    let x = x.clamp(-87.0, 88.0);
    // Rounds to the nearest whole number on every instruction set: adding 1.5 · 2²³ leaves no fraction.
    const ROUND: f32 = 12_582_912.0;
    let shifted = x.mul_add(std::f32::consts::LOG2_E, ROUND);
    let n = shifted - ROUND;
    // ln 2 in two parts, the first of which is exact in few bits, so that r is exact.
    let r = n.mul_add(2.121_944_4e-4, n.mul_add(-0.693_359_4, x));
    let mut p = 1.987_569_1e-4;
    p = r.mul_add(p, 1.398_199_9e-3);
    p = r.mul_add(p, 8.333_452e-3);
    p = r.mul_add(p, 4.166_579_6e-2);
    p = r.mul_add(p, 1.666_666_5e-1);
    p = r.mul_add(p, 0.5);
    let mantissa = (p * r).mul_add(r, r) + 1.0;
    // The same whole number stands in the last bits of `shifted`: no conversion, which would have to
    // saturate.
    let power = f32::from_bits(shifted.to_bits().wrapping_add(127) << 23);
    mantissa * power
}

#[inline(always)]
pub(super) fn logistic(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

/// The logistic function 1 / (1 + e^-x), as all layers compute it.
pub fn sigmoid(x: f32) -> f32 {
    logistic(x)
}

/// Replaces each value by its logistic function.
pub(crate) fn sigmoid_in_place(values: &mut [f32]) {
    vectorized!(for value in values.iter_mut() {
        *value = logistic(*value);
    });
}

/// Dice's gate: `out = s·p + α·s·(1 − p)` with `p = sigmoid(z)`, row by row; `alpha` has one value a
/// column.
pub(crate) fn gate_forward(s: &[f32], z: &[f32], alpha: &[f32], out: &mut [f32]) {
    let width = alpha.len().max(1);
    let rows = s.chunks_exact(width).zip(z.chunks_exact(width));
    vectorized!(for ((s, z), out) in rows.zip(out.chunks_exact_mut(width)) {
        for (((&s, &z), &alpha), out) in s.iter().zip(z).zip(alpha).zip(out) {
            let p = logistic(z);
            *out = s * (p + (1.0 - p) * alpha);
        }
    });
}

/// Backward pass of [`gate_forward`]: from the gradient of `out`, adds to that of `s` and of `alpha`
/// and writes that of `z`.
pub(crate) fn gate_backward(
    gradient: &[f32],
    (s, z, alpha): (&[f32], &[f32], &[f32]),
    (s_gradient, z_gradient, alpha_gradient): (&mut [f32], &mut [f32], &mut [f32]),
) {
    let width = alpha.len().max(1);
    let given = gradient.chunks_exact(width).zip(s.chunks_exact(width)).zip(z.chunks_exact(width));
    let wanted = s_gradient.chunks_exact_mut(width).zip(z_gradient.chunks_exact_mut(width));
    vectorized!(for (((g, s), z), (s_gradient, z_gradient)) in given.zip(wanted) {
        gate_backward_row((g, s, z, alpha), (s_gradient, z_gradient, &mut *alpha_gradient));
    });
}

/// One row of [`gate_backward`]. Zipped, since an index that may be outside keeps a loop from being
/// compiled to vectors.
#[inline(always)]
fn gate_backward_row(
    (g, s, z, alpha): (&[f32], &[f32], &[f32], &[f32]),
    (s_gradient, z_gradient, alpha_gradient): (&mut [f32], &mut [f32], &mut [f32]),
) {
    let given = g.iter().zip(s).zip(z).zip(alpha);
    let wanted = s_gradient.iter_mut().zip(z_gradient).zip(alpha_gradient);
    for ((((&g, &s), &z), &alpha), ((s_gradient, z_gradient), alpha_gradient)) in given.zip(wanted)
    {
        let p = logistic(z);
        *s_gradient += g * (p + (1.0 - p) * alpha);
        *z_gradient = g * s * (1.0 - alpha) * p * (1.0 - p);
        *alpha_gradient += g * (1.0 - p) * s;
    }
}

/// `to = (from − mean) ⊙ scale`, row by row.
pub(crate) fn standardize_rows(from: &[f32], mean: &[f32], scale: &[f32], to: &mut [f32]) {
    let width = mean.len().max(1);
    vectorized!(for (to, from) in to.chunks_exact_mut(width).zip(from.chunks_exact(width)) {
        for (((to, &x), &mean), &scale) in to.iter_mut().zip(from).zip(mean).zip(scale) {
            *to = (x - mean) * scale;
        }
    });
}

/// Adds each column's squared deviations from its mean.
pub(crate) fn sum_squared_deviations(from: &[f32], mean: &[f32], to: &mut [f32]) {
    vectorized!(for from in from.chunks_exact(mean.len().max(1)) {
        for ((to, &x), &mean) in to.iter_mut().zip(from).zip(mean) {
            *to += (x - mean) * (x - mean);
        }
    });
}

/// Backward pass of standardization: `to = scale ⊙ (gradient − one − standardized ⊙ itself)`, row by row,
/// with a value of `one` and of `itself` for each column.
pub(crate) fn standardize_backward(
    (gradient, standardized): (&[f32], &[f32]),
    (scale, one, itself): (&[f32], &[f32], &[f32]),
    to: &mut [f32],
) {
    let width = scale.len().max(1);
    let rows = gradient.chunks_exact(width).zip(standardized.chunks_exact(width));
    vectorized!(for (to, (g, x)) in to.chunks_exact_mut(width).zip(rows) {
        let columns = scale.iter().zip(one).zip(itself);
        for (((to, &g), &x), ((&scale, &one), &itself)) in to.iter_mut().zip(g).zip(x).zip(columns)
        {
            *to = scale * (g - (one + x * itself));
        }
    });
}

/// PReLU (equation 8): `to = from` where positive, else `alpha ⊙ from`, row by row.
pub(crate) fn prelu_forward(from: &[f32], alpha: &[f32], to: &mut [f32]) {
    let width = alpha.len().max(1);
    vectorized!(for (to, from) in to.chunks_exact_mut(width).zip(from.chunks_exact(width)) {
        for ((to, &from), &alpha) in to.iter_mut().zip(from).zip(alpha) {
            *to = from * if from > 0.0 { 1.0 } else { alpha };
        }
    });
}

/// Backward pass of [`prelu_forward`]: turns the gradient of `to` into that of `from` and adds to that
/// of `alpha`.
pub(crate) fn prelu_backward(
    from: &[f32],
    alpha: &[f32],
    gradient: &mut [f32],
    alpha_gradient: &mut [f32],
) {
    let width = alpha.len().max(1);
    vectorized!(for (gradient, from) in
        gradient.chunks_exact_mut(width).zip(from.chunks_exact(width))
    {
        for (((gradient, &from), &alpha), alpha_gradient) in
            gradient.iter_mut().zip(from).zip(alpha).zip(alpha_gradient.iter_mut())
        {
            let positive = from > 0.0;
            *alpha_gradient += if positive { 0.0 } else { *gradient * from };
            *gradient *= if positive { 1.0 } else { alpha };
        }
    });
}

/// `to += from`.
pub(crate) fn add(from: &[f32], to: &mut [f32]) {
    vectorized!(for (to, &from) in to.iter_mut().zip(from) {
        *to += from;
    });
}

/// Loops for use inside of [`vectorized`], where rows are too short for a dispatch each.
pub(crate) mod plain {
    /// `to += factor · from`.
    #[inline(always)]
    pub fn axpy(factor: f32, from: &[f32], to: &mut [f32]) {
        for (to, &from) in to.iter_mut().zip(from) {
            *to += factor * from;
        }
    }

    /// `to = factor · from`.
    #[inline(always)]
    pub fn scale_into(factor: f32, from: &[f32], to: &mut [f32]) {
        for (to, &from) in to.iter_mut().zip(from) {
            *to = factor * from;
        }
    }

    /// `to = left ⊙ right`.
    #[inline(always)]
    pub fn multiply_into(left: &[f32], right: &[f32], to: &mut [f32]) {
        for ((to, &left), &right) in to.iter_mut().zip(left).zip(right) {
            *to = left * right;
        }
    }

    /// `to += left ⊙ right`.
    #[inline(always)]
    pub fn multiply_add(left: &[f32], right: &[f32], to: &mut [f32]) {
        for ((to, &left), &right) in to.iter_mut().zip(left).zip(right) {
            *to += left * right;
        }
    }

    /// Sum of products over fixed lanes.
    #[inline(always)]
    pub fn dot(left: &[f32], right: &[f32]) -> f32 {
        const LANES: usize = super::LANES;
        let mut lanes = [0.0f32; LANES];
        let (left_chunks, right_chunks) = (left.chunks_exact(LANES), right.chunks_exact(LANES));
        let tail: f32 =
            left_chunks.remainder().iter().zip(right_chunks.remainder()).map(|(a, b)| a * b).sum();
        for (left, right) in left_chunks.zip(right_chunks) {
            for ((lane, &left), &right) in lanes.iter_mut().zip(left).zip(right) {
                *lane += left * right;
            }
        }
        // A tree rather than a chain: shorter, and more exact.
        let mut width = LANES / 2;
        while width > 0 {
            for lane in 0..width {
                lanes[lane] += lanes[lane + width];
            }
            width /= 2;
        }
        lanes[0] + tail
    }
}

/// [`plain::axpy`].
pub(crate) fn axpy(factor: f32, from: &[f32], to: &mut [f32]) {
    vectorized!(plain::axpy(factor, from, to));
}

/// [`plain::multiply_into`].
pub(crate) fn multiply_into(left: &[f32], right: &[f32], to: &mut [f32]) {
    vectorized!(plain::multiply_into(left, right, to));
}

/// [`plain::multiply_add`].
pub(crate) fn multiply_add(left: &[f32], right: &[f32], to: &mut [f32]) {
    vectorized!(plain::multiply_add(left, right, to));
}

/// [`plain::dot`].
pub(crate) fn dot(left: &[f32], right: &[f32]) -> f32 {
    vectorized!(plain::dot(left, right))
}

/// `to = left + right`.
pub(crate) fn sum_into(left: &[f32], right: &[f32], to: &mut [f32]) {
    vectorized!(for ((to, &left), &right) in to.iter_mut().zip(left).zip(right) {
        *to = left + right;
    });
}

/// `to = left − right`.
pub(crate) fn subtract_into(left: &[f32], right: &[f32], to: &mut [f32]) {
    vectorized!(for ((to, &left), &right) in to.iter_mut().zip(left).zip(right) {
        *to = left - right;
    });
}

/// `gradient ← gradient · y · (1 − y)`: back through `y = sigmoid(x)`.
pub(crate) fn sigmoid_backward(y: &[f32], gradient: &mut [f32]) {
    vectorized!(for (gradient, &y) in gradient.iter_mut().zip(y) {
        *gradient *= y * (1.0 - y);
    });
}

/// Adds all rows of `from` to `to`, which is one row.
pub(crate) fn sum_rows(from: &[f32], to: &mut [f32]) {
    let width = to.len().max(1);
    vectorized!(for row in from.chunks_exact(width) {
        for (to, &from) in to.iter_mut().zip(row) {
            *to += from;
        }
    });
}

/// Copies one row into all rows of `to`.
pub(crate) fn repeat_row(row: &[f32], to: &mut [f32]) {
    for to in to.chunks_exact_mut(row.len().max(1)) {
        to.copy_from_slice(row);
    }
}

/// `to = factor · scale ⊙ from + bias`, row by row; no bias is an empty slice.
pub(crate) fn scale_rows(factor: f32, scale: &[f32], bias: &[f32], from: &[f32], to: &mut [f32]) {
    let width = scale.len().max(1);
    vectorized!(for (to, from) in to.chunks_exact_mut(width).zip(from.chunks_exact(width)) {
        if bias.is_empty() {
            for ((to, &from), &scale) in to.iter_mut().zip(from).zip(scale) {
                *to = from * (factor * scale);
            }
        } else {
            for (((to, &from), &scale), &bias) in to.iter_mut().zip(from).zip(scale).zip(bias) {
                *to = from * (factor * scale) + bias;
            }
        }
    });
}

/// `to += factor · left ⊙ right`, summed over rows; `to` is one row.
pub(crate) fn sum_products(factor: f32, left: &[f32], right: &[f32], to: &mut [f32]) {
    let width = to.len().max(1);
    vectorized!(for (left, right) in left.chunks_exact(width).zip(right.chunks_exact(width)) {
        for ((to, &left), &right) in to.iter_mut().zip(left).zip(right) {
            *to += factor * left * right;
        }
    });
}

/// e^x of each value.
pub(crate) fn exp_in_place(values: &mut [f32]) {
    vectorized!(for value in values.iter_mut() {
        *value = exp(*value);
    });
}

/// Sum of squares in f64, over fixed lanes.
pub(crate) fn sum_of_squares(values: &[f32]) -> f64 {
    let mut lanes = [0.0f64; LANES];
    let chunks = values.chunks_exact(LANES);
    let tail: f64 = chunks.remainder().iter().map(|&x| f64::from(x) * f64::from(x)).sum();
    vectorized!(for chunk in chunks {
        for (lane, &x) in lanes.iter_mut().zip(chunk) {
            *lane += f64::from(x) * f64::from(x);
        }
    });
    lanes.iter().sum::<f64>() + tail
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_accurate_to_two_units_in_the_last_place() {
        let mut worst = 0.0f64;
        let mut x = -86.9f32;
        while x < 87.9 {
            let exact = f64::from(x).exp();
            worst = worst.max((f64::from(exp(x)) - exact).abs() / exact);
            x += 0.000_917;
        }
        assert!(worst < 2.0 * f64::from(f32::EPSILON), "{worst}");
    }

    #[test]
    fn sigmoid_saturates_and_is_symmetric() {
        assert_eq!(sigmoid(0.0), 0.5);
        assert_eq!(sigmoid(200.0), 1.0);
        assert!(sigmoid(-200.0) < 1e-37 && sigmoid(-200.0) >= 0.0);
        assert!(sigmoid(f32::NAN).is_nan());
        let mut x = -20.0f32;
        while x < 20.0 {
            let exact = 1.0 / (1.0 + (-f64::from(x)).exp());
            assert!((f64::from(sigmoid(x)) - exact).abs() < 1.2e-7, "{x}");
            x += 0.0137;
        }
    }

    #[test]
    fn the_loop_gives_the_bits_of_the_scalar_function() {
        let input: Vec<f32> = (0..1003).map(|i| (i as f32 - 500.0) * 0.031).collect();
        let mut looped = input.clone();
        sigmoid_in_place(&mut looped);
        for (x, y) in input.iter().zip(looped) {
            assert_eq!(sigmoid(*x).to_bits(), y.to_bits());
        }
    }

    #[test]
    fn dots_of_any_length_are_right() {
        for length in [0, 1, 15, 16, 17, 128, 131] {
            let left: Vec<f32> = (0..length).map(|i| (i as f32 * 0.7).sin()).collect();
            let right: Vec<f32> = (0..length).map(|i| (i as f32 * 1.3).cos()).collect();
            let exact: f64 =
                left.iter().zip(&right).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
            assert!((f64::from(dot(&left, &right)) - exact).abs() < 1e-5);
        }
    }
}
