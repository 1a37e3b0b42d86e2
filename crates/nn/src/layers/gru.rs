//! Gated recurrent unit.

use super::Dense;
use crate::derived::Rule;
use crate::{Graph, Init, Matrix, ParameterId, Result, Tape, WeightsBuilder};
use std::sync::Arc;

/// One layer of gated recurrent units over each row's events (Cho et al. 2014), in the form of cuDNN and
/// PyTorch's `nn.GRU`: see [`Graph::gated_recurrent`].
///
/// What the events give to the gates is one matrix product for all of them. PyTorch has a second bias for
/// each gate; those of reset and update gate would only be added to the first ones, so only the candidate
/// state's is here.
#[derive(Clone, Copy, Debug)]
pub struct Gru {
    input: Dense,
    recurrent: ParameterId,
    bias: ParameterId,
}

impl Gru {
    /// States of `units` numbers from events of `inputs`. Both matrices, each for the three parts at once,
    /// begin by Glorot, as all layers here; biases are zero, as Keras has them.
    ///
    /// # Errors
    /// When there is a layer of these names already.
    pub fn build(builder: &mut WeightsBuilder<'_>, inputs: usize, units: usize) -> Result<Self> {
        let input = Dense::build(builder, "input", inputs, 3 * units)?;
        let mut builder = builder.scope("recurrent");
        let shape = (units, 3 * units);
        Ok(Self {
            input,
            recurrent: builder.matrix("weight", shape, Init::GlorotUniform, Rule::Dense)?,
            bias: builder.parameter("bias", 1, units, Init::Constant(0.0))?,
        })
    }

    /// The state after each event, events × units.
    ///
    /// # Errors
    /// When shapes and offsets do not fit.
    pub fn forward<T: Tape>(
        &self,
        graph: &mut Graph<'_, T>,
        events: &Matrix,
        offsets: &Arc<Vec<u32>>,
    ) -> Result<Matrix> {
        let input = self.input.forward(graph, events)?;
        graph.gated_recurrent(&input, offsets, self.recurrent, self.bias)
    }
}
