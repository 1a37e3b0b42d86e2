//! Transposed copies of weights, for the products of the backward pass.

/// Side of a block that is turned in registers.
const BLOCK: usize = 8;

/// Writes the transposed matrix: `from` has `rows` × `columns` numbers.
pub(crate) fn transpose(from: &[f32], rows: usize, columns: usize, to: &mut [f32]) {
    let (whole_rows, whole_columns) = turn_blocks(from, rows, columns, to);
    for row in 0..rows {
        let rest = if row < whole_rows { whole_columns } else { 0 };
        for column in rest..columns {
            to[column * rows + row] = from[row * columns + column];
        }
    }
}

/// Turns whole blocks, if the machine can; gives the rows and columns that are done.
#[cfg(target_arch = "x86_64")]
fn turn_blocks(from: &[f32], rows: usize, columns: usize, to: &mut [f32]) -> (usize, usize) {
    let Some(simd) = pulp::x86::V3::try_new() else { return (0, 0) };
    let (whole_rows, whole_columns) = (rows - rows % BLOCK, columns - columns % BLOCK);
    pulp::Simd::vectorize(
        simd,
        #[inline(always)]
        || {
            for column in (0..whole_columns).step_by(BLOCK) {
                for row in (0..whole_rows).step_by(BLOCK) {
                    let block = std::array::from_fn(|offset| {
                        let start = (row + offset) * columns + column;
                        let line: [f32; BLOCK] =
                            std::array::from_fn(|index| from[start..start + BLOCK][index]);
                        pulp::cast(line)
                    });
                    for (offset, line) in turned(simd, block).into_iter().enumerate() {
                        let start = (column + offset) * rows + row;
                        let line: [f32; BLOCK] = pulp::cast(line);
                        to[start..start + BLOCK].copy_from_slice(&line);
                    }
                }
            }
        },
    );
    (whole_rows, whole_columns)
}

/// 8 × 8 numbers, transposed by interleaving pairs, then pairs of pairs, then halves.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn turned(
    simd: pulp::x86::V3,
    block: [std::arch::x86_64::__m256; BLOCK],
) -> [std::arch::x86_64::__m256; BLOCK] {
    let avx = simd.avx;
    let pairs: [_; BLOCK] = std::array::from_fn(|index| {
        let (left, right) = (block[index & !1], block[index | 1]);
        if index % 2 == 0 {
            avx._mm256_unpacklo_ps(left, right)
        } else {
            avx._mm256_unpackhi_ps(left, right)
        }
    });
    let quads: [_; BLOCK] = std::array::from_fn(|index| {
        let first = (index & 4) + (index & 2) / 2;
        let (left, right) = (pairs[first], pairs[first + 2]);
        if index % 2 == 0 {
            avx._mm256_shuffle_ps::<0x44>(left, right)
        } else {
            avx._mm256_shuffle_ps::<0xee>(left, right)
        }
    });
    std::array::from_fn(|index| {
        let (left, right) = (quads[index & 3], quads[(index & 3) + 4]);
        if index < 4 {
            avx._mm256_permute2f128_ps::<0x20>(left, right)
        } else {
            avx._mm256_permute2f128_ps::<0x31>(left, right)
        }
    })
}

/// The compiler's own loop has to do elsewhere.
#[cfg(not(target_arch = "x86_64"))]
fn turn_blocks(_: &[f32], _: usize, _: usize, _: &mut [f32]) -> (usize, usize) {
    (0, 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_is_at_its_place() {
        for (rows, columns) in
            [(0, 5), (1, 1), (8, 8), (7, 9), (16, 24), (33, 17), (128, 80), (5, 0)]
        {
            let from: Vec<f32> = (0..rows * columns).map(|number| number as f32).collect();
            let mut to = vec![f32::NAN; from.len()];
            transpose(&from, rows, columns, &mut to);
            for row in 0..rows {
                for column in 0..columns {
                    assert_eq!(to[column * rows + row], from[row * columns + column]);
                }
            }
        }
    }
}
