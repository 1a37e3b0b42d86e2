//! Operations on sequences refuse what does not fit.
#![allow(clippy::unwrap_used)]

mod common;

use common::network;
use ctr_core::{Schema, SeedStreams};
use ctr_nn::{
    Architecture, Error, FieldTables, Graph, Init, Matrix, ParameterId, Result, Side, Tape,
    embed_group, model_checks, table_per_vocabulary,
};

fn schema() -> Schema {
    Schema::goods_and_categories(7, 5)
}

#[derive(Clone, Copy, Debug)]
enum Misuse {
    Heads,
    Values,
    Rows,
    Candidates,
    States,
    Widths,
    Offsets,
}

struct Wrong {
    tables: FieldTables,
    weight: ParameterId,
    misuse: Misuse,
}

impl Architecture for Wrong {
    fn logits<T: Tape>(&self, graph: &mut Graph<'_, T>) -> Result<Matrix> {
        let behaviors = embed_group(graph, &self.tables, &schema().fields_of(0))?;
        let candidate = embed_group(graph, &self.tables, &schema().fields_of(1))?;
        let offsets = graph.offsets(0);
        let none = std::sync::Arc::new(vec![0, behaviors.shape().0 as u32]);
        let events = Side { events: &behaviors, offsets: &offsets };
        match self.misuse {
            Misuse::Heads => graph.attend(events, events, &behaviors, 4),
            Misuse::Values => graph.attend(events, events, &candidate, 1),
            Misuse::Rows => graph.attend(events, Side { offsets: &none, ..events }, &behaviors, 1),
            Misuse::Candidates => {
                Ok(graph.with_candidate(&behaviors, &behaviors, &offsets, None)?.0)
            }
            Misuse::States => graph.gated_recurrent(&behaviors, &offsets, self.weight, self.weight),
            Misuse::Widths => graph.layer_normalization(&behaviors, self.weight, self.weight, 1e-5),
            Misuse::Offsets => graph.last_events(&candidate, &offsets),
        }
    }
}

#[test]
fn shapes_that_do_not_fit_are_errors_and_no_panics() {
    let mut stream = SeedStreams::new(6).stream("errors");
    let batch = model_checks::random_batch(&schema(), 3, 4, &mut stream);
    assert!(batch.groups[0].offsets[3] > 3);
    for misuse in [
        Misuse::Heads,
        Misuse::Values,
        Misuse::Rows,
        Misuse::Candidates,
        Misuse::States,
        Misuse::Widths,
        Misuse::Offsets,
    ] {
        let mut network = network(
            |builder| Wrong {
                tables: table_per_vocabulary(builder, &schema(), 3, Init::GlorotUniform),
                weight: builder.parameter("weight", 2, 5, Init::GlorotUniform).unwrap(),
                misuse,
            },
            &mut stream,
        );
        let error = network.gradients(&batch).unwrap_err();
        assert!(matches!(error, Error::Shape { .. }), "{misuse:?}: {error}");
    }
}
