//! The factorization machine of DeepFM.

use crate::graph::{
    Graph, Matrix, Tape, gradient_key, input_gradient, shape, take_gradient, values,
};
use crate::{Error, Result};

impl<T: Tape> Graph<'_, T> {
    /// Second-order part of a factorization machine: the sum of the inner products of all pairs of the
    /// given vectors, ½ Σ_d ((Σ_f v_fd)² − Σ_f v_fd²), one number a row. All vectors are rows × d.
    /// (Guo et al., DeepFM, IJCAI 2017, equation 2; Rendle 2010 for the linear-time form.)
    ///
    /// # Errors
    /// When the shapes differ.
    pub fn pairwise_products(&mut self, vectors: &[&Matrix]) -> Result<Matrix> {
        let (rows, width) = vectors.first().map_or((0, 0), |first| shape(first));
        if let Some(other) = vectors.iter().find(|other| shape(other) != (rows, width)) {
            return Err(Error::Shape {
                op: "pairwise_products",
                left: (rows, width),
                right: shape(other),
            });
        }
        let data: Vec<Vec<f32>> = vectors.iter().map(|vector| values(vector)).collect();
        let mut sums = vec![0.0f32; rows * width];
        for vector in &data {
            crate::kernels::axpy(1.0, vector, &mut sums);
        }
        let mut out = vec![0.0f32; rows];
        for (row, out) in out.iter_mut().enumerate() {
            for index in row * width..(row + 1) * width {
                let squares: f32 = data.iter().map(|vector| vector[index] * vector[index]).sum();
                *out += 0.5 * (sums[index] * sums[index] - squares);
            }
        }
        let out = self.matrix(out, rows, 1)?;
        if T::OWNS_TAPE {
            let key = gradient_key(&out);
            let keys: Vec<_> = vectors.iter().map(|vector| gradient_key(vector)).collect();
            self.record(move |gradients| {
                let gradient = take_gradient(gradients, &key)?;
                for (vector, key) in data.iter().zip(&keys) {
                    let to = input_gradient(gradients, key)?;
                    for (index, to) in to.iter_mut().enumerate() {
                        *to += gradient[index / width] * (sums[index] - vector[index]);
                    }
                }
                Ok(())
            });
        }
        Ok(out)
    }
}
