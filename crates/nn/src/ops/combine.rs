//! Side by side, sum and product of matrices.

use crate::kernels::{add, multiply_add, multiply_into, sigmoid_backward, sum_into};
use crate::trace::Operation;
use crate::{Error, Graph, Matrix, ParameterId, Result, Tape};

impl<T: Tape> Graph<'_, T> {
    /// The one row of a matrix for every row of this pass. For scoring alone: nothing goes on the tape.
    pub(crate) fn repeat_first_row(&mut self, input: &Matrix) -> Result<Matrix> {
        let (rows, width) = (self.rows(), input.shape().1);
        if input.shape().0 != 1 {
            return Err(Error::Shape { op: "repeat", left: input.shape(), right: (1, width) });
        }
        let mut out = self.pool.take(rows * width);
        crate::kernels::repeat_row(input.values(), &mut out);
        self.matrix_of("repeat", out, rows, width)
    }

    /// Matrices of equally many rows, side by side.
    ///
    /// # Errors
    /// When the numbers of rows differ.
    pub fn concat(&mut self, parts: &[&Matrix]) -> Result<Matrix> {
        let rows = parts.first().map_or(0, |part| part.shape().0);
        if let Some(other) = parts.iter().find(|part| part.shape().0 != rows) {
            return Err(Error::Shape {
                op: "concat",
                left: parts[0].shape(),
                right: other.shape(),
            });
        }
        let width: usize = parts.iter().map(|part| part.shape().1).sum();
        let mut out = self.pool.take(rows * width);
        let mut start = 0;
        for part in parts {
            let columns = part.shape().1;
            let from = part.values().chunks_exact(columns.max(1));
            for (to, from) in out.chunks_exact_mut(width.max(1)).zip(from) {
                to[start..start + columns].copy_from_slice(from);
            }
            start += columns;
        }
        let out = self.matrix_of("concat", out, rows, width)?;
        self.trace(&out, |trace| Ok(Operation::Concat { parts: trace.values(parts)? }))?;
        if T::OWNS_TAPE {
            let from = out.slot();
            let parts: Vec<_> = parts.iter().map(|part| (part.slot(), part.shape().1)).collect();
            self.record(move |pass| {
                let gradient = pass.take(&from, rows * width)?;
                let mut start = 0;
                for (slot, columns) in &parts {
                    let (to, fresh) = pass.target(slot, rows * columns)?;
                    let to = to.chunks_exact_mut((*columns).max(1));
                    for (to, from) in to.zip(gradient.chunks_exact(width.max(1))) {
                        let from = &from[start..start + columns];
                        if fresh {
                            to.copy_from_slice(from);
                        } else {
                            add(from, to);
                        }
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
        let (rows, columns) = left.shape();
        let mut out = self.pool.take(rows * columns);
        sum_into(left.values(), right.values(), &mut out);
        let out = self.matrix_of("add", out, rows, columns)?;
        self.trace(&out, |trace| {
            Ok(Operation::Add { sides: [trace.value(left)?, trace.value(right)?] })
        })?;
        if T::OWNS_TAPE {
            let (from, left, right) = (out.slot(), left.slot(), right.slot());
            self.record(move |pass| {
                let gradient = pass.take(&from, rows * columns)?;
                let copy = gradient.copy();
                pass.add(&left, copy)?;
                pass.add(&right, gradient)
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
        let (rows, columns) = left.shape();
        let mut out = self.pool.take(rows * columns);
        multiply_into(left.values(), right.values(), &mut out);
        let out = self.matrix_of("multiply", out, rows, columns)?;
        self.trace(&out, |trace| {
            Ok(Operation::Multiply { sides: [trace.value(left)?, trace.value(right)?] })
        })?;
        if T::OWNS_TAPE {
            let from = out.slot();
            let pairs = [(left.slot(), right.shared()), (right.slot(), left.shared())];
            self.record(move |pass| {
                let gradient = pass.take(&from, rows * columns)?;
                for (slot, other) in &pairs {
                    let (to, fresh) = pass.target(slot, rows * columns)?;
                    if fresh {
                        multiply_into(&gradient, other, to);
                    } else {
                        multiply_add(&gradient, other, to);
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
        let (rows, columns) = input.shape();
        let mut out = self.pool.take(rows * columns);
        out.copy_from_slice(input.values());
        crate::kernels::sigmoid_in_place(&mut out);
        let out = self.matrix_of("sigmoid", out, rows, columns)?;
        self.trace(&out, |trace| Ok(Operation::Sigmoid { input: trace.value(input)? }))?;
        if T::OWNS_TAPE {
            let (y, from, to) = (out.shared(), out.slot(), input.slot());
            self.record(move |pass| {
                let mut gradient = pass.take(&from, rows * columns)?;
                sigmoid_backward(&y, &mut gradient);
                pass.add(&to, gradient)
            });
        }
        Ok(out)
    }

    /// Sum of each row's columns, plus a 1 × 1 parameter where given: rows × 1.
    ///
    /// # Errors
    /// When memory runs out.
    pub fn sum_columns(&mut self, input: &Matrix, bias: Option<ParameterId>) -> Result<Matrix> {
        let (rows, width) = input.shape();
        let data = input.values();
        let bias_id = bias;
        let bias = bias.map(|bias| self.parameter(bias));
        let start = bias.map_or(0.0, |bias| bias.values()[0]);
        let mut out = self.pool.take(rows);
        for (row, out) in out.iter_mut().enumerate() {
            *out = start + data[row * width..(row + 1) * width].iter().sum::<f32>();
        }
        let out = self.matrix_of("sum_columns", out, rows, 1)?;
        self.trace(&out, |trace| {
            Ok(Operation::SumColumns { input: trace.value(input)?, bias: bias_id })
        })?;
        if T::OWNS_TAPE {
            let (from, to) = (out.slot(), input.slot());
            let place = bias.map(crate::Parameter::place);
            self.record(move |pass| {
                let gradient = pass.take(&from, rows)?;
                if let Some(place) = place {
                    pass.add_to_parameter(place, |bias| bias[0] += gradient.iter().sum::<f32>());
                }
                let mut repeated = pass.pool.take(rows * width);
                for (to, &gradient) in repeated.chunks_exact_mut(width.max(1)).zip(&*gradient) {
                    to.fill(gradient);
                }
                pass.add(&to, repeated)
            });
        }
        Ok(out)
    }

    /// Some columns of a matrix, in the order given.
    ///
    /// # Errors
    /// When a column does not exist.
    pub fn columns(&mut self, input: &Matrix, wanted: &[usize]) -> Result<Matrix> {
        let (rows, width) = input.shape();
        if let Some(&column) = wanted.iter().find(|&&column| column >= width) {
            return Err(Error::Shape { op: "columns", left: (rows, width), right: (rows, column) });
        }
        let data = input.values();
        let mut out = self.pool.take(rows * wanted.len());
        for (row, to) in out.chunks_exact_mut(wanted.len().max(1)).enumerate() {
            for (to, column) in to.iter_mut().zip(wanted) {
                *to = data[row * width + column];
            }
        }
        let out = self.matrix_of("columns", out, rows, wanted.len())?;
        self.trace(&out, |trace| {
            Ok(Operation::Columns { input: trace.value(input)?, wanted: wanted.to_vec() })
        })?;
        if T::OWNS_TAPE {
            let (from, to, wanted) = (out.slot(), input.slot(), wanted.to_vec());
            self.record(move |pass| {
                let gradient = pass.take(&from, rows * wanted.len())?;
                let (to, fresh) = pass.target(&to, rows * width)?;
                if fresh {
                    to.fill(0.0);
                }
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
    if left.shape() == right.shape() {
        Ok(())
    } else {
        Err(Error::Shape { op, left: left.shape(), right: right.shape() })
    }
}
