//! Fully connected layer.

use crate::graph::{
    Graph, Matrix, Tape, gradient_key, input_gradient, parameter_gradient, shape, take_gradient,
    values,
};
use crate::kernels::{View, ViewMut, multiply, sigmoid_in_place};
use crate::{Error, Init, ParameterId, Result, WeightsBuilder};

/// `x · W + b`: rows × `inputs` to rows × `outputs`, optionally with the logistic function on top, whose
/// derivative needs only the output, so that both are one operation.
#[derive(Clone, Copy, Debug)]
pub struct Dense {
    weight: ParameterId,
    bias: ParameterId,
    inputs: usize,
    outputs: usize,
}

impl Dense {
    /// Weights by Glorot, bias zero, as `tf.layers.dense` of the authors' code.
    ///
    /// # Errors
    /// When memory runs out.
    pub fn build(
        builder: &mut WeightsBuilder<'_>,
        name: impl std::fmt::Display,
        inputs: usize,
        outputs: usize,
    ) -> Result<Self> {
        let mut builder = builder.scope(name);
        Ok(Self {
            weight: builder.parameter("weight", inputs, outputs, Init::GlorotUniform)?,
            bias: builder.parameter("bias", 1, outputs, Init::Constant(0.0))?,
            inputs,
            outputs,
        })
    }

    /// Width of the output.
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// `x · W + b`.
    ///
    /// # Errors
    /// When the input has another width.
    pub fn forward<T: Tape>(&self, graph: &mut Graph<'_, T>, input: &Matrix) -> Result<Matrix> {
        self.apply(graph, input, false)
    }

    /// `sigmoid(x · W + b)`.
    ///
    /// # Errors
    /// When the input has another width.
    pub fn forward_sigmoid<T: Tape>(
        &self,
        graph: &mut Graph<'_, T>,
        input: &Matrix,
    ) -> Result<Matrix> {
        self.apply(graph, input, true)
    }

    fn apply<T: Tape>(
        &self,
        graph: &mut Graph<'_, T>,
        input: &Matrix,
        sigmoid: bool,
    ) -> Result<Matrix> {
        let (rows, inputs) = shape(input);
        let outputs = self.outputs;
        if inputs != self.inputs {
            return Err(Error::Shape {
                op: "dense",
                left: (rows, inputs),
                right: (self.inputs, outputs),
            });
        }
        let (weight, bias) = (graph.parameter(self.weight), graph.parameter(self.bias));
        let x = values(input);
        let mut out = Vec::with_capacity(rows * outputs);
        for _ in 0..rows {
            out.extend_from_slice(&bias.values);
        }
        multiply(
            View::new(&x, rows, inputs),
            View::new(&weight.values, inputs, outputs),
            ViewMut::new(&mut out, rows, outputs),
            true,
        );
        if sigmoid {
            sigmoid_in_place(&mut out);
        }
        if !T::OWNS_TAPE {
            return graph.matrix(out, rows, outputs);
        }
        let activated = if sigmoid { out.clone() } else { Vec::new() };
        let out = graph.matrix(out, rows, outputs)?;
        let (key, input) = (gradient_key(&out), gradient_key(input));
        let (weight_values, weight_slot, bias_slot) =
            (weight.values.clone(), weight.slot(), bias.slot());
        graph.record(move |gradients| {
            let mut gradient = take_gradient(gradients, &key)?;
            for (gradient, y) in gradient.iter_mut().zip(&activated) {
                *gradient *= y * (1.0 - y);
            }
            let to = parameter_gradient(gradients, &bias_slot, outputs)?;
            for row in gradient.chunks_exact(outputs) {
                crate::kernels::axpy(1.0, row, to);
            }
            let to = parameter_gradient(gradients, &weight_slot, inputs * outputs)?;
            multiply(
                View::new(&x, rows, inputs).transposed(),
                View::new(&gradient, rows, outputs),
                ViewMut::new(to, inputs, outputs),
                true,
            );
            let to = input_gradient(gradients, &input)?;
            multiply(
                View::new(&gradient, rows, outputs),
                View::new(&weight_values, inputs, outputs).transposed(),
                ViewMut::new(to, rows, inputs),
                true,
            );
            Ok(())
        });
        Ok(out)
    }
}
