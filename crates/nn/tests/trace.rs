//! What a network says of its operations.
#![allow(clippy::unwrap_used)]

use ctr_core::{Schema, SeedStreams};
use ctr_nn::{
    Architecture, EmbeddingMlp, EmbeddingMlpConfig, Events, Graph, Matrix, Network, Operation,
    Pooling, Result, Tape, Weights, WeightsBuilder,
};

/// A model of known operations, and where told one that nobody outside knows.
struct Small {
    frame: EmbeddingMlp,
    secret: bool,
}

impl Architecture for Small {
    fn logits<T: Tape>(&self, graph: &mut Graph<'_, T>) -> Result<Matrix> {
        let mut user = self.frame.pooled_user(graph, Pooling::Mean)?;
        if self.secret {
            user = graph.stock(&user, |x| Ok(x.try_tanh()?))?;
        }
        let candidate = self.frame.candidate(graph)?;
        self.frame.logit(graph, &[&user, &candidate])
    }
}

fn network(schema: &Schema, secret: bool) -> Network {
    let mut weights = Weights::default();
    let mut builder = WeightsBuilder::new(&mut weights, SeedStreams::new(1));
    let config = EmbeddingMlpConfig::default();
    let frame = EmbeddingMlp::build(&mut builder, schema, &config, 0).unwrap();
    Network::new(Small { frame, secret }, weights)
}

#[test]
fn operations_come_in_order_and_read_earlier_ones() {
    let schema = Schema::goods_and_categories(10, 3);
    let trace = network(&schema, false).trace(&schema).unwrap();
    let Operation::Pool { input, events, pooling } = &trace.steps[1].operation else {
        unreachable!("{:?}", trace.steps[1])
    };
    assert!(matches!(trace.steps[input.0].operation, Operation::Embed { .. }));
    assert_eq!((events, *pooling), (&Events::Group(0), Pooling::Mean));
    // The logit is the last sum, of the MLP and the good's bias.
    assert_eq!(trace.output.0, trace.steps.len() - 1);
    let last = &trace.steps[trace.output.0];
    assert!(matches!(last.operation, Operation::Add { .. }) && last.columns == 1, "{last:?}");
    assert_eq!(trace, network(&schema, false).trace(&schema).unwrap());
}

#[test]
fn an_operation_without_a_form_outside_is_named() {
    let schema = Schema::goods_and_categories(10, 3);
    let message = network(&schema, true).trace(&schema).unwrap_err().to_string();
    assert!(message.contains("operation stock") && message.contains("exported"), "{message}");
}
