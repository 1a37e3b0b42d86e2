//! Transformer block.

use super::{Dense, LayerNormalization};
use crate::{Error, Graph, Matrix, Result, Side, Tape, WeightsBuilder};
use std::sync::Arc;

/// Sizes of a [`TransformerBlock`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransformerConfig {
    /// Numbers an event.
    pub width: usize,
    /// Heads of the attention. Each has `width / heads` numbers, rounded up, so that any number of heads
    /// goes with any width.
    pub heads: usize,
    /// Whether each sum with what was there before is normalized.
    pub layer_normalization: bool,
}

/// Slope of the leaky rectifier: PyTorch's default.
const SLOPE: f32 = 0.01;

/// One block of a transformer's encoder as BST has it (Chen et al. 2019, section 2.2, equations 2 to 6):
///
/// S = LayerNorm(E + MH(E)), F = LayerNorm(S + LeakyReLU(S W₁ + b₁) W₂ + b₂)
///
/// W₁ and W₂ are square, and the products with W^Q, W^V and W^H have biases: both as in FuxiCTR, where the
/// latter are PyTorch's. PyTorch has one for the keys too, which adds the same number to all scores of a
/// query: a softmax does not see it, and Adam would follow the rounding of its gradient. There is no dropout.
#[derive(Clone, Copy, Debug)]
pub struct TransformerBlock {
    query: Dense,
    key: Dense,
    value: Dense,
    output: Dense,
    heads: usize,
    attention_normalization: Option<LayerNormalization>,
    inner: Dense,
    outer: Dense,
    feed_forward_normalization: Option<LayerNormalization>,
}

impl TransformerBlock {
    /// A block with weights by Glorot and biases of zero.
    ///
    /// # Errors
    /// When width or heads are 0.
    pub fn build(builder: &mut WeightsBuilder<'_>, config: TransformerConfig) -> Result<Self> {
        let TransformerConfig { width, heads, layer_normalization } = config;
        if width == 0 || heads == 0 {
            return Err(Error::Config("a transformer's width and heads must be at least 1".into()));
        }
        let attention_width = heads * width.div_ceil(heads);
        let normalization = |builder: &mut WeightsBuilder<'_>| {
            layer_normalization
                .then(|| LayerNormalization::build(builder, "normalization", width))
                .transpose()
        };
        let mut attention = builder.scope("attention");
        let query = Dense::build(&mut attention, "query", width, attention_width)?;
        let key = Dense::without_bias(&mut attention.scope("key"), width, attention_width)?;
        let value = Dense::build(&mut attention, "value", width, attention_width)?;
        let output = Dense::build(&mut attention, "output", attention_width, width)?;
        let attention_normalization = normalization(&mut attention)?;
        let mut feed_forward = builder.scope("feed_forward");
        Ok(Self {
            query,
            key,
            value,
            output,
            heads,
            attention_normalization,
            inner: Dense::build(&mut feed_forward, "inner", width, width)?,
            outer: Dense::build(&mut feed_forward, "outer", width, width)?,
            feed_forward_normalization: normalization(&mut feed_forward)?,
        })
    }

    /// All events of each row, events × width.
    ///
    /// # Errors
    /// When shapes and offsets do not fit.
    pub fn forward<T: Tape>(
        &self,
        graph: &mut Graph<'_, T>,
        events: &Matrix,
        offsets: &Arc<Vec<u32>>,
    ) -> Result<Matrix> {
        self.of_queries(graph, Side { events, offsets }, Side { events, offsets })
    }

    /// The last event of each row alone, rows × width: the same numbers as in [`TransformerBlock::forward`],
    /// without those of events that nobody reads.
    ///
    /// # Errors
    /// When shapes and offsets do not fit.
    pub fn forward_last<T: Tape>(
        &self,
        graph: &mut Graph<'_, T>,
        events: &Matrix,
        offsets: &Arc<Vec<u32>>,
    ) -> Result<Matrix> {
        let last = graph.last_events(events, offsets)?;
        let one_a_row = graph.one_event_a_row(last.shape().0)?;
        let queries = Side { events: &last, offsets: &one_a_row };
        self.of_queries(graph, queries, Side { events, offsets })
    }

    fn of_queries<T: Tape>(
        &self,
        graph: &mut Graph<'_, T>,
        queries: Side<'_>,
        sequence: Side<'_>,
    ) -> Result<Matrix> {
        let query = self.query.forward(graph, queries.events)?;
        let key = self.key.forward(graph, sequence.events)?;
        let value = self.value.forward(graph, sequence.events)?;
        let query = Side { events: &query, ..queries };
        let key = Side { events: &key, ..sequence };
        let gathered = graph.attend(query, key, &value, self.heads)?;
        let gathered = self.output.forward(graph, &gathered)?;
        let sum = graph.add(queries.events, &gathered)?;
        let attended = normalized(graph, self.attention_normalization, sum)?;
        let hidden = self.inner.forward(graph, &attended)?;
        let hidden = graph.leaky_relu(&hidden, SLOPE)?;
        let hidden = self.outer.forward(graph, &hidden)?;
        let sum = graph.add(&attended, &hidden)?;
        normalized(graph, self.feed_forward_normalization, sum)
    }
}

fn normalized<T: Tape>(
    graph: &mut Graph<'_, T>,
    layer: Option<LayerNormalization>,
    input: Matrix,
) -> Result<Matrix> {
    match layer {
        Some(layer) => layer.forward(graph, &input),
        None => Ok(input),
    }
}
