//! The matrix product, in registers.
//!
//! One kernel serves all products of a step: left operand broadcast value by value, right operand read
//! in rows of vectors, nothing packed. The matrices of this program are small and thin (K at most a few
//! hundred, 80 or 40 columns), so that the packing of a general library costs as much as it saves: on
//! an AVX-512 machine this reaches 95 to 117 GFLOP/s on the shapes of DIN's step where the `gemm` crate
//! reaches 66 to 84 (bench `product`).
//!
//! Each number of the result is one chain of fused multiply-adds over k in rising order, whatever the
//! instruction set, the tile or the number of rows. So bits do not depend on the machine or on how a
//! batch is cut.

use pulp::{Arch, Simd, WithSimd};

/// A matrix to read, of any strides: the left operand.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    values: &'a [f32],
    rows: usize,
    columns: usize,
    row_stride: usize,
    column_stride: usize,
}

impl<'a> View<'a> {
    /// Row-major values.
    pub fn new(values: &'a [f32], rows: usize, columns: usize) -> Self {
        Self { values, rows, columns, row_stride: columns, column_stride: 1 }
    }

    /// The transposed matrix, without moving a value.
    pub fn transposed(self) -> Self {
        Self {
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
            ..self
        }
    }
}

/// What the product is added to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Write<'a> {
    /// Nothing: what the result's memory holds is not looked at.
    Over,
    /// The numbers that are there.
    Add,
    /// One row, the same for all: a layer's bias.
    Onto(&'a [f32]),
}

impl Write<'_> {
    /// `Over` for memory that holds nothing yet.
    pub fn over_if(fresh: bool) -> Self {
        if fresh { Self::Over } else { Self::Add }
    }
}

/// `out = left · right`, or that added to what [`Write`] says; `right` and `out` are row-major with as many columns
/// as `out` has numbers a row of `left`.
///
/// # Panics
/// When the lengths do not fit; layers check shapes before.
pub fn multiply(left: View<'_>, right: &[f32], out: &mut [f32], write: Write<'_>) {
    let (rows, inner) = (left.rows, left.columns);
    if rows == 0 {
        return;
    }
    let columns = out.len() / rows;
    assert!(
        out.len() == rows * columns && right.len() == inner * columns,
        "product of {rows} × {inner} by {} numbers into {}",
        right.len(),
        out.len()
    );
    if columns == 0 {
        return;
    }
    if inner == 0 {
        match write {
            Write::Over => out.fill(0.0),
            Write::Add => {}
            Write::Onto(row) => super::repeat_row(row, out),
        }
        return;
    }
    let column = columns == 1 && left.row_stride == 1 && !matches!(write, Write::Onto(_));
    let product = if column {
        // A column as result would fill one lane of each vector: its transposed is the same numbers.
        let (rows, columns) = (View::new(right, 1, inner), left.rows);
        Product { left: rows, right: &left.values[..inner * columns], out, columns, write }
    } else {
        Product { left, right, out, columns, write }
    };
    Arch::new().dispatch(product);
}

struct Product<'a> {
    left: View<'a>,
    right: &'a [f32],
    out: &'a mut [f32],
    columns: usize,
    write: Write<'a>,
}

impl WithSimd for Product<'_> {
    type Output = ();

    /// Cuts the columns into panels of a few vectors, as wide as leave registers for several rows.
    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let lanes = S::F32_LANES;
        let mut column = 0;
        // 32 wide registers hold 5 × 5 or 6 × 4 sums beside the operands, 16 narrower ones 6 × 2.
        let wide = lanes >= 16;
        while self.columns > column {
            let rest = self.columns - column;
            let (vectors, tail) = (rest.div_ceil(lanes), rest % lanes);
            column += if wide && vectors == 5 && tail == 0 {
                self.panel::<S, 5, 5>(simd, column, lanes)
            } else if wide && (vectors > 4 || (vectors == 4 && tail == 0)) {
                self.panel::<S, 6, 4>(simd, column, lanes)
            } else if wide && vectors == 4 {
                self.panel::<S, 6, 4>(simd, column, tail)
            } else if wide && vectors == 3 {
                self.panel::<S, 6, 3>(simd, column, if tail == 0 { lanes } else { tail })
            } else if vectors > 2 || (vectors == 2 && tail == 0) {
                self.panel::<S, 6, 2>(simd, column, lanes)
            } else if vectors == 2 {
                self.panel::<S, 6, 2>(simd, column, tail)
            } else {
                self.panel::<S, 6, 1>(simd, column, if tail == 0 { lanes } else { tail })
            };
        }
    }
}

impl Product<'_> {
    /// All rows of `V` vectors of columns, the last of which has `last` columns. Gives the width.
    #[inline(always)]
    fn panel<S: Simd, const R: usize, const V: usize>(
        &mut self,
        simd: S,
        column: usize,
        last: usize,
    ) -> usize {
        if last == S::F32_LANES {
            self.rows_of_panel::<S, R, V, false>(simd, column, last);
        } else {
            self.rows_of_panel::<S, R, V, true>(simd, column, last);
        }
        (V - 1) * S::F32_LANES + last
    }

    #[inline(always)]
    fn rows_of_panel<S: Simd, const R: usize, const V: usize, const PARTIAL: bool>(
        &mut self,
        simd: S,
        column: usize,
        last: usize,
    ) {
        let mut row = 0;
        while row + R <= self.left.rows {
            self.tile::<S, R, V, PARTIAL>(simd, row, column, last);
            row += R;
        }
        match self.left.rows - row {
            0 => {}
            1 => self.tile::<S, 1, V, PARTIAL>(simd, row, column, last),
            2 => self.tile::<S, 2, V, PARTIAL>(simd, row, column, last),
            3 => self.tile::<S, 3, V, PARTIAL>(simd, row, column, last),
            4 => self.tile::<S, 4, V, PARTIAL>(simd, row, column, last),
            _ => self.tile::<S, 5, V, PARTIAL>(simd, row, column, last),
        }
    }

    /// `R` rows by `V` vectors of the result, kept in registers over all of k.
    #[inline(always)]
    fn tile<S: Simd, const R: usize, const V: usize, const PARTIAL: bool>(
        &mut self,
        simd: S,
        row: usize,
        column: usize,
        last: usize,
    ) {
        let lanes = S::F32_LANES;
        let width = (V - 1) * lanes + last;
        let mut sums = [[simd.splat_f32s(0.0); V]; R];
        for (r, sums) in sums.iter_mut().enumerate() {
            let start = (row + r) * self.columns + column;
            let from = match self.write {
                Write::Over => break,
                Write::Add => &self.out[start..start + width],
                Write::Onto(row) => &row[column..column + width],
            };
            for (v, sum) in sums.iter_mut().enumerate() {
                *sum = load::<S, PARTIAL>(simd, from, v, V);
            }
        }
        let View { values, row_stride, column_stride, .. } = self.left;
        let rows: [&[f32]; R] = std::array::from_fn(|r| &values[(row + r) * row_stride..]);
        for (k, right) in self.right.chunks_exact(self.columns).enumerate() {
            let right = &right[column..column + width];
            let vectors: [S::f32s; V] =
                std::array::from_fn(|v| load::<S, PARTIAL>(simd, right, v, V));
            for (row, sums) in rows.iter().zip(&mut sums) {
                let left = simd.splat_f32s(row[k * column_stride]);
                for (sum, &vector) in sums.iter_mut().zip(&vectors) {
                    *sum = simd.mul_add_f32s(left, vector, *sum);
                }
            }
        }
        for (r, sums) in sums.iter().enumerate() {
            let start = (row + r) * self.columns + column;
            let to = &mut self.out[start..start + width];
            for (v, &sum) in sums.iter().enumerate() {
                if PARTIAL && v + 1 == V {
                    simd.partial_store_f32s(&mut to[v * lanes..], sum);
                } else {
                    S::as_mut_simd_f32s(&mut to[v * lanes..(v + 1) * lanes]).0[0] = sum;
                }
            }
        }
    }
}

/// Vector `v` of `count` in `from`; the last one may be shorter.
#[inline(always)]
fn load<S: Simd, const PARTIAL: bool>(simd: S, from: &[f32], v: usize, count: usize) -> S::f32s {
    let lanes = S::F32_LANES;
    if PARTIAL && v + 1 == count {
        simd.partial_load_f32s(&from[v * lanes..])
    } else {
        S::as_simd_f32s(&from[v * lanes..(v + 1) * lanes]).0[0]
    }
}

#[cfg(test)]
mod tests {
    use super::super::transpose;
    use super::*;
    use ctr_core::SeedStreams;

    fn random(count: usize, name: &str) -> Vec<f32> {
        let mut stream = SeedStreams::new(1).stream(name);
        (0..count).map(|_| stream.uniform(-1.0, 1.0) as f32).collect()
    }

    fn transposed(from: &[f32], rows: usize, columns: usize) -> Vec<f32> {
        let mut to = vec![f32::NAN; from.len()];
        transpose(from, rows, columns, &mut to);
        to
    }

    /// One chain of fused multiply-adds a number: the bits that the module promises.
    fn chain(a: &[f32], b: &[f32], out: &mut [f32], (m, k, n): (usize, usize, usize)) {
        for i in 0..m {
            for j in 0..n {
                for l in 0..k {
                    out[i * n + j] = a[i * k + l].mul_add(b[l * n + j], out[i * n + j]);
                }
            }
        }
    }

    #[test]
    fn products_have_the_bits_of_three_loops_on_every_shape() {
        // All numbers of columns around the widths of panels and vectors, all rests of rows.
        let columns = (1..100).chain([128, 200, 256, 384]);
        for (index, n) in columns.enumerate() {
            let (m, k) = (1 + index % 17, index % 23);
            let (a, b, start) = (random(m * k, "a"), random(k * n, "b"), random(m * n, "c"));
            let row = random(n, "row");
            for write in [Write::Over, Write::Add, Write::Onto(&row)] {
                let mut expected = match write {
                    Write::Over => vec![0.0; m * n],
                    Write::Add => start.clone(),
                    Write::Onto(row) => row.repeat(m),
                };
                chain(&a, &b, &mut expected, (m, k, n));
                let at = transposed(&a, m, k);
                for left in [View::new(&a, m, k), View::new(&at, k, m).transposed()] {
                    let mut out = start.clone();
                    multiply(left, &b, &mut out, write);
                    assert_eq!(out, expected, "{m} × {k} × {n} {write:?}");
                }
            }
        }
    }

    #[test]
    fn a_column_as_result_has_the_bits_of_three_loops() {
        for (m, k) in [(40, 333), (333, 40), (1, 7), (17, 1)] {
            let (a, b) = (random(m * k, "a"), random(k, "b"));
            let mut expected = vec![0.0; m];
            chain(&a, &b, &mut expected, (m, k, 1));
            let at = transposed(&a, m, k);
            for left in [View::new(&a, m, k), View::new(&at, k, m).transposed()] {
                let mut out = vec![f32::NAN; m];
                multiply(left, &b, &mut out, Write::Over);
                assert_eq!(out, expected, "{m} × {k}");
            }
        }
    }

    #[test]
    fn products_are_near_the_exact_ones() {
        let (m, k, n) = (37, 300, 80);
        let (a, b) = (random(m * k, "a"), random(k * n, "b"));
        let mut out = vec![f32::NAN; m * n];
        multiply(View::new(&a, m, k), &b, &mut out, Write::Over);
        for i in 0..m {
            for j in 0..n {
                let exact: f64 =
                    (0..k).map(|l| f64::from(a[i * k + l]) * f64::from(b[l * n + j])).sum();
                assert!((f64::from(out[i * n + j]) - exact).abs() < 5e-5);
            }
        }
    }

    #[test]
    fn an_empty_inner_dimension_gives_zeros() {
        let mut out = vec![f32::NAN; 6];
        multiply(View::new(&[], 2, 0), &[], &mut out, Write::Over);
        assert_eq!(out, [0.0; 6]);
    }

    #[test]
    fn dfdx_was_built_with_a_working_product() {
        // Without its `cpu` feature dfdx 0.13 overwrites instead of adding and prints 3.
        use dfdx::prelude::*;
        let device = Cpu::default();
        let left = device.tensor([[1.0f32, 2.0, 3.0]]);
        let right = device.tensor([[1.0f32], [1.0], [1.0]]);
        assert_eq!(left.matmul(right).array(), [[6.0]]);
    }
}
