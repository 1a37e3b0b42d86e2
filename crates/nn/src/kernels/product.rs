//! The matrix product: the `gemm` crate, which dfdx itself calls, behind bounds checks.
//!
//! One thread by intent: runs of the grid are parallel, and bits must not depend on threads.

/// A matrix to read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View<'a> {
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

    fn fits(&self) -> bool {
        last_index(self.rows, self.columns, self.row_stride, self.column_stride)
            .is_none_or(|last| last < self.values.len())
    }
}

/// A row-major matrix to write.
#[derive(Debug)]
pub(crate) struct ViewMut<'a> {
    values: &'a mut [f32],
    rows: usize,
    columns: usize,
}

impl<'a> ViewMut<'a> {
    pub fn new(values: &'a mut [f32], rows: usize, columns: usize) -> Self {
        Self { values, rows, columns }
    }
}

fn last_index(
    rows: usize,
    columns: usize,
    row_stride: usize,
    column_stride: usize,
) -> Option<usize> {
    (rows > 0 && columns > 0).then(|| (rows - 1) * row_stride + (columns - 1) * column_stride)
}

/// `out = left · right`, or `out += left · right` when `accumulate`.
///
/// # Panics
/// When shapes do not fit: layers check theirs before, so this is a bug in this crate.
#[allow(unsafe_code)]
pub(crate) fn multiply(left: View<'_>, right: View<'_>, out: ViewMut<'_>, accumulate: bool) {
    let ViewMut { values: out_values, rows: out_rows, columns: out_columns } = out;
    let fits = left.columns == right.rows
        && left.rows == out_rows
        && right.columns == out_columns
        && left.fits()
        && right.fits()
        && out_values.len() >= out_rows * out_columns;
    assert!(fits, "matrix product of {left:?} and {right:?}");
    if out_rows == 0 || out_columns == 0 {
        return;
    }
    if left.columns == 0 {
        if !accumulate {
            out_values[..out_rows * out_columns].fill(0.0);
        }
        return;
    }
    // SAFETY: the asserts above show that every index the product computes lies inside the three slices,
    // `out` is exclusively borrowed, and its strides address each element once.
    unsafe {
        gemm::gemm(
            out_rows,
            out_columns,
            left.columns,
            out_values.as_mut_ptr(),
            1,
            out_columns as isize,
            accumulate,
            left.values.as_ptr(),
            left.column_stride as isize,
            left.row_stride as isize,
            right.values.as_ptr(),
            right.column_stride as isize,
            right.row_stride as isize,
            1.0,
            1.0,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ctr_core::SeedStreams;

    fn random(count: usize, name: &str) -> Vec<f32> {
        let mut stream = SeedStreams::new(1).stream(name);
        (0..count).map(|_| stream.uniform(-1.0, 1.0) as f32).collect()
    }

    #[test]
    fn products_equal_three_loops_in_all_layouts() {
        for (m, n, k) in [(1, 1, 1), (3, 5, 7), (33, 80, 129), (5, 1, 40), (4, 3, 0)] {
            let (a, b) = (random(m * k, "a"), random(k * n, "b"));
            let mut expected = vec![0.5f64; m * n];
            for i in 0..m {
                for j in 0..n {
                    for l in 0..k {
                        expected[i * n + j] += f64::from(a[i * k + l]) * f64::from(b[l * n + j]);
                    }
                }
            }
            let transpose = |x: &[f32], rows: usize, columns: usize| {
                let mut t = vec![0.0; x.len()];
                for i in 0..rows {
                    for j in 0..columns {
                        t[j * rows + i] = x[i * columns + j];
                    }
                }
                t
            };
            let (at, bt) = (transpose(&a, m, k), transpose(&b, k, n));
            for (left, right) in [
                (View::new(&a, m, k), View::new(&b, k, n)),
                (View::new(&at, k, m).transposed(), View::new(&b, k, n)),
                (View::new(&a, m, k), View::new(&bt, n, k).transposed()),
            ] {
                let mut out = vec![0.5f32; m * n];
                multiply(left, right, ViewMut::new(&mut out, m, n), true);
                for (got, want) in out.iter().zip(&expected) {
                    assert!((f64::from(*got) - want).abs() < 1e-5, "{got} {want}");
                }
                multiply(left, right, ViewMut::new(&mut out, m, n), false);
                for (got, want) in out.iter().zip(&expected) {
                    assert!((f64::from(*got) - (want - 0.5)).abs() < 1e-5, "{got} {want}");
                }
            }
        }
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
