//! Fully connected layer.

use crate::derived::Rule;
use crate::kernels::{View, Write, multiply, sigmoid_backward, sigmoid_in_place, sum_rows};
use crate::trace::Operation;
use crate::{Error, Graph, Init, Matrix, ParameterId, Result, Tape, WeightsBuilder};

/// `x · W + b`: rows × `inputs` to rows × `outputs`, or without b, optionally with the logistic function on top, whose
/// derivative needs only the output, so that both are one operation.
#[derive(Clone, Copy, Debug)]
pub struct Dense {
    weight: ParameterId,
    bias: Option<ParameterId>,
    inputs: usize,
    outputs: usize,
}

impl Dense {
    /// Weights by Glorot, bias zero, as `tf.layers.dense` of the authors' code.
    ///
    /// # Errors
    /// When there is a layer of that name already.
    pub fn build(
        builder: &mut WeightsBuilder<'_>,
        name: impl std::fmt::Display,
        inputs: usize,
        outputs: usize,
    ) -> Result<Self> {
        let mut builder = builder.scope(name);
        let layer = Self::without_bias(&mut builder, inputs, outputs)?;
        let bias = builder.parameter("bias", 1, outputs, Init::Constant(0.0))?;
        Ok(Self { bias: Some(bias), ..layer })
    }

    /// `x · W` alone, in the builder's own scope.
    ///
    /// # Errors
    /// When there is a layer in that scope already.
    pub fn without_bias(
        builder: &mut WeightsBuilder<'_>,
        inputs: usize,
        outputs: usize,
    ) -> Result<Self> {
        let shape = (inputs, outputs);
        let weight = builder.matrix("weight", shape, Init::GlorotUniform, Rule::Dense)?;
        Ok(Self { weight, bias: None, inputs, outputs })
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
        let (rows, inputs) = input.shape();
        let outputs = self.outputs;
        if inputs != self.inputs {
            return Err(Error::Shape {
                op: "dense",
                left: (rows, inputs),
                right: (self.inputs, outputs),
            });
        }
        let weight = graph.parameter(self.weight);
        let bias = self.bias.map(|bias| graph.parameter(bias));
        let mut out = graph.pool.take(rows * outputs);
        let left = View::new(input.values(), rows, inputs);
        let write = bias.map_or(Write::Over, |bias| Write::Onto(bias.values()));
        multiply(left, weight.values(), &mut out, write);
        if sigmoid {
            sigmoid_in_place(&mut out);
        }
        let out = graph.matrix_of("dense", out, rows, outputs)?;
        graph.trace(&out, |trace| {
            Ok(Operation::Dense {
                input: trace.value(input)?,
                weight: self.weight,
                bias: self.bias,
                sigmoid,
            })
        })?;
        if T::OWNS_TAPE {
            let (x, y) = (input.shared(), out.shared());
            let (to, from) = (input.slot(), out.slot());
            let (weight_place, bias_place) = (weight.place(), bias.map(crate::Parameter::place));
            let derived = weight.derived();
            graph.record(move |pass| {
                let mut gradient = pass.take(&from, rows * outputs)?;
                if sigmoid {
                    sigmoid_backward(&y, &mut gradient);
                }
                if let Some(place) = bias_place {
                    pass.add_to_parameter(place, |bias| sum_rows(&gradient, bias));
                }
                pass.parameter(weight_place, |weight, fresh| {
                    let left = View::new(&x, rows, inputs).transposed();
                    multiply(left, &gradient, weight, Write::over_if(fresh));
                });
                let (to, fresh) = pass.target(&to, rows * inputs)?;
                let left = View::new(&gradient, rows, outputs);
                multiply(left, &derived.transposed, to, Write::over_if(fresh));
                Ok(())
            });
        }
        Ok(out)
    }
}
