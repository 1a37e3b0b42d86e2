//! Side by side, sum and product of matrices.

use crate::graph::{
    Graph, Matrix, Tape, gradient_key, input_gradient, parameter_gradient, shape, take_gradient,
    values,
};
use crate::kernels::axpy;
use crate::{Error, Parameter, ParameterId, Result};

impl<T: Tape> Graph<'_, T> {
    /// Matrices of equally many rows, side by side.
    ///
    /// # Errors
    /// When the numbers of rows differ.
    pub fn concat(&mut self, parts: &[&Matrix]) -> Result<Matrix> {
        let rows = parts.first().map_or(0, |part| shape(part).0);
        if let Some(other) = parts.iter().find(|part| shape(part).0 != rows) {
            return Err(Error::Shape { op: "concat", left: shape(parts[0]), right: shape(other) });
        }
        let widths: Vec<usize> = parts.iter().map(|part| shape(part).1).collect();
        let width: usize = widths.iter().sum();
        let mut out = vec![0.0f32; rows * width];
        let mut start = 0;
        for (part, &columns) in parts.iter().zip(&widths) {
            let data = values(part);
            for row in 0..rows {
                out[row * width + start..row * width + start + columns]
                    .copy_from_slice(&data[row * columns..(row + 1) * columns]);
            }
            start += columns;
        }
        let out = self.matrix(out, rows, width)?;
        if T::OWNS_TAPE {
            let key = gradient_key(&out);
            let keys: Vec<_> = parts.iter().map(|part| gradient_key(part)).collect();
            self.record(move |gradients| {
                let gradient = take_gradient(gradients, &key)?;
                let mut start = 0;
                for (part, &columns) in keys.iter().zip(&widths) {
                    let to = input_gradient(gradients, part)?;
                    for row in 0..rows {
                        axpy(
                            1.0,
                            &gradient[row * width + start..row * width + start + columns],
                            &mut to[row * columns..(row + 1) * columns],
                        );
                    }
                    start += columns;
                }
                Ok(())
            });
        }
        Ok(out)
    }

    /// Sum, element by element.
    ///
    /// # Errors
    /// When the shapes differ.
    pub fn add(&mut self, left: &Matrix, right: &Matrix) -> Result<Matrix> {
        same_shape("add", left, right)?;
        let mut out = values(left);
        axpy(1.0, &values(right), &mut out);
        let (rows, columns) = shape(left);
        let out = self.matrix(out, rows, columns)?;
        if T::OWNS_TAPE {
            let (key, left, right) = (gradient_key(&out), gradient_key(left), gradient_key(right));
            self.record(move |gradients| {
                let gradient = take_gradient(gradients, &key)?;
                axpy(1.0, &gradient, input_gradient(gradients, &left)?);
                axpy(1.0, &gradient, input_gradient(gradients, &right)?);
                Ok(())
            });
        }
        Ok(out)
    }

    /// Product, element by element: PNN's and DIN's u ⊙ i.
    ///
    /// # Errors
    /// When the shapes differ.
    pub fn multiply(&mut self, left: &Matrix, right: &Matrix) -> Result<Matrix> {
        same_shape("multiply", left, right)?;
        let (a, b) = (values(left), values(right));
        let out = a.iter().zip(&b).map(|(a, b)| a * b).collect();
        let (rows, columns) = shape(left);
        let out = self.matrix(out, rows, columns)?;
        if T::OWNS_TAPE {
            let (key, left, right) = (gradient_key(&out), gradient_key(left), gradient_key(right));
            self.record(move |gradients| {
                let gradient = take_gradient(gradients, &key)?;
                for (to, other) in [(&left, &b), (&right, &a)] {
                    let to = input_gradient(gradients, to)?;
                    for ((to, gradient), other) in to.iter_mut().zip(&gradient).zip(other) {
                        *to += gradient * other;
                    }
                }
                Ok(())
            });
        }
        Ok(out)
    }

    /// Logistic function, element by element.
    ///
    /// # Errors
    /// When memory runs out.
    pub fn sigmoid(&mut self, input: &Matrix) -> Result<Matrix> {
        let mut out = values(input);
        crate::kernels::sigmoid_in_place(&mut out);
        let (rows, columns) = shape(input);
        let activated = if T::OWNS_TAPE { out.clone() } else { Vec::new() };
        let out = self.matrix(out, rows, columns)?;
        if T::OWNS_TAPE {
            let (key, input) = (gradient_key(&out), gradient_key(input));
            self.record(move |gradients| {
                let gradient = take_gradient(gradients, &key)?;
                let to = input_gradient(gradients, &input)?;
                for ((to, gradient), y) in to.iter_mut().zip(&gradient).zip(&activated) {
                    *to += gradient * y * (1.0 - y);
                }
                Ok(())
            });
        }
        Ok(out)
    }

    /// Sum of each row's columns, plus a 1 × 1 parameter where given: rows × 1.
    ///
    /// # Errors
    /// When memory runs out.
    pub fn sum_columns(&mut self, input: &Matrix, bias: Option<ParameterId>) -> Result<Matrix> {
        let (rows, width) = shape(input);
        let data = values(input);
        let bias = bias.map(|bias| self.parameter(bias));
        let start = bias.map_or(0.0, |bias| bias.values[0]);
        let out = (0..rows)
            .map(|row| start + data[row * width..(row + 1) * width].iter().sum::<f32>())
            .collect();
        let out = self.matrix(out, rows, 1)?;
        if T::OWNS_TAPE {
            let (key, input, slot) =
                (gradient_key(&out), gradient_key(input), bias.map(Parameter::slot));
            self.record(move |gradients| {
                let gradient = take_gradient(gradients, &key)?;
                let to = input_gradient(gradients, &input)?;
                for (to, gradient) in to.chunks_exact_mut(width.max(1)).zip(&gradient) {
                    to.iter_mut().for_each(|to| *to += gradient);
                }
                if let Some(slot) = slot {
                    parameter_gradient(gradients, &slot, 1)?[0] += gradient.iter().sum::<f32>();
                }
                Ok(())
            });
        }
        Ok(out)
    }

    /// Some columns of a matrix, in the order given.
    ///
    /// # Errors
    /// When a column does not exist.
    pub fn columns(&mut self, input: &Matrix, wanted: &[usize]) -> Result<Matrix> {
        let (rows, width) = shape(input);
        if let Some(&column) = wanted.iter().find(|&&column| column >= width) {
            return Err(Error::Shape { op: "columns", left: (rows, width), right: (rows, column) });
        }
        let data = values(input);
        let out = (0..rows)
            .flat_map(|row| wanted.iter().map(move |column| (row, *column)))
            .map(|(row, column)| data[row * width + column])
            .collect();
        let out = self.matrix(out, rows, wanted.len())?;
        if T::OWNS_TAPE {
            let (key, input, wanted) = (gradient_key(&out), gradient_key(input), wanted.to_vec());
            self.record(move |gradients| {
                let gradient = take_gradient(gradients, &key)?;
                let to = input_gradient(gradients, &input)?;
                for row in 0..rows {
                    for (position, column) in wanted.iter().enumerate() {
                        to[row * width + column] += gradient[row * wanted.len() + position];
                    }
                }
                Ok(())
            });
        }
        Ok(out)
    }
}

fn same_shape(op: &'static str, left: &Matrix, right: &Matrix) -> Result<()> {
    if shape(left) == shape(right) {
        Ok(())
    } else {
        Err(Error::Shape { op, left: shape(left), right: shape(right) })
    }
}
