//! The factorization machine of DeepFM.

use crate::trace::Operation;
use crate::{Error, Graph, Matrix, Result, Tape};

impl<T: Tape> Graph<'_, T> {
    /// Second-order part of a factorization machine: the sum of the inner products of all pairs of the
    /// given vectors, ½ Σ_d ((Σ_f v_fd)² − Σ_f v_fd²), one number a row. All vectors are rows × d.
    /// (Guo et al., DeepFM, IJCAI 2017, equation 2; Rendle 2010 for the linear-time form.)
    ///
    /// # Errors
    /// When the shapes differ.
    pub fn pairwise_products(&mut self, vectors: &[&Matrix]) -> Result<Matrix> {
        let (rows, width) = vectors.first().map_or((0, 0), |first| first.shape());
        if let Some(other) = vectors.iter().find(|other| other.shape() != (rows, width)) {
            return Err(Error::Shape {
                op: "pairwise_products",
                left: (rows, width),
                right: other.shape(),
            });
        }
        let mut sums = self.pool.zeros(rows * width);
        let mut squares = self.pool.zeros(rows * width);
        for vector in vectors {
            crate::kernels::add(vector.values(), &mut sums);
            crate::kernels::multiply_add(vector.values(), vector.values(), &mut squares);
        }
        let mut out = self.pool.take(rows);
        let parts = sums.chunks_exact(width.max(1)).zip(squares.chunks_exact(width.max(1)));
        for (out, (sums, squares)) in out.iter_mut().zip(parts) {
            *out = 0.5 * (crate::kernels::dot(sums, sums) - squares.iter().sum::<f32>());
        }
        let out = self.matrix_of("pairwise_products", out, rows, 1)?;
        self.trace(&out, |trace| {
            Ok(Operation::PairwiseProducts { vectors: trace.values(vectors)? })
        })?;
        if T::OWNS_TAPE {
            let from = out.slot();
            let vectors: Vec<_> =
                vectors.iter().map(|vector| (vector.slot(), vector.shared())).collect();
            self.record(move |pass| {
                let gradient = pass.take(&from, rows)?;
                for (slot, vector) in &vectors {
                    let mut to = pass.pool.take(rows * width);
                    crate::kernels::subtract_into(&sums, vector, &mut to);
                    for (to, &gradient) in to.chunks_exact_mut(width.max(1)).zip(&*gradient) {
                        to.iter_mut().for_each(|to| *to *= gradient);
                    }
                    pass.add(slot, to)?;
                }
                Ok(())
            });
        }
        Ok(out)
    }
}
