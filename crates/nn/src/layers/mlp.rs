//! Multilayer perceptron.

use super::{Activation, ActivationLayer, Dense};
use crate::{Graph, Matrix, Result, Tape, WeightsBuilder};

/// Hidden layers with an activation, then one linear output.
#[derive(Clone, Debug)]
pub struct Mlp {
    hidden: Vec<(Dense, ActivationLayer)>,
    output: Dense,
}

impl Mlp {
    /// Layers `inputs` → `hidden_units`… → 1.
    ///
    /// # Errors
    /// When memory runs out.
    pub fn build(
        builder: &mut WeightsBuilder<'_>,
        inputs: usize,
        hidden_units: &[usize],
        activation: Activation,
    ) -> Result<Self> {
        let mut width = inputs;
        let mut hidden = Vec::with_capacity(hidden_units.len());
        for (index, &units) in hidden_units.iter().enumerate() {
            let dense = Dense::build(builder, index, width, units)?;
            hidden.push((
                dense,
                ActivationLayer::build(&mut builder.scope(index), activation, units)?,
            ));
            width = units;
        }
        Ok(Self { hidden, output: Dense::build(builder, "output", width, 1)? })
    }

    /// Rows × inputs to rows × 1.
    ///
    /// # Errors
    /// When the input has another width.
    pub fn forward<T: Tape>(&self, graph: &mut Graph<'_, T>, input: &Matrix) -> Result<Matrix> {
        let first = self.hidden.split_first();
        let Some(((dense, activation), rest)) = first else {
            return self.output.forward(graph, input);
        };
        let hidden = activation.after_dense(graph, dense, input)?;
        self.finish(graph, hidden, rest)
    }

    /// Like [`Mlp::forward`], where a layer before this one gave `first`.
    pub(crate) fn forward_from_first<T: Tape>(
        &self,
        graph: &mut Graph<'_, T>,
        first: Matrix,
    ) -> Result<Matrix> {
        self.finish(graph, first, &self.hidden)
    }

    fn finish<T: Tape>(
        &self,
        graph: &mut Graph<'_, T>,
        mut hidden: Matrix,
        rest: &[(Dense, ActivationLayer)],
    ) -> Result<Matrix> {
        for (dense, activation) in rest {
            hidden = activation.after_dense(graph, dense, &hidden)?;
        }
        self.output.forward(graph, &hidden)
    }
}
