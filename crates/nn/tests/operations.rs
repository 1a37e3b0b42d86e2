//! Operations on ragged rows and bags of ids against plain loops over the batch, in f64.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod common;

use common::{Values, check_scores, check_training_pass, network, read_out, read_out_f64, values};
use ctr_core::{
    Batch, Cardinality, EventColumn, Field, GroupEvents, Role, Schema, SeedStreams, Vocabulary,
};
use ctr_nn::{
    Architecture, Error, FieldTables, Graph, Init, Matrix, Network, ParameterId, Pooling, Result,
    ScoringMemory, Tape, embed_group, model_checks, table_per_vocabulary,
};

/// Numbers a table row; goods and tags side by side are twice as wide.
const DIM: usize = 3;
const WIDTH: usize = 2 * DIM;
const WANTED: [usize; 7] = [5, 0, 0, 3, 5, 1, 0];

#[derive(Clone, Copy, Debug)]
enum Operation {
    /// Rows of tables themselves, bags of several ids among them.
    Embed,
    Pool(Pooling),
    /// Three matrices, one of them twice.
    Concat,
    Pairs,
    Columns,
    SumColumns,
    /// A matrix with itself on both sides.
    Square,
    Double,
    /// An operation of dfdx itself.
    Stock,
}

struct Probe {
    tables: FieldTables,
    schema: Schema,
    bias: ParameterId,
    operation: Operation,
}

impl Architecture for Probe {
    fn logits<T: Tape>(&self, graph: &mut Graph<'_, T>) -> Result<Matrix> {
        let behaviors = embed_group(graph, &self.tables, &self.schema.fields_of(0))?;
        let candidate = embed_group(graph, &self.tables, &self.schema.fields_of(1))?;
        let offsets = graph.offsets(0);
        let output = match self.operation {
            Operation::Embed => candidate,
            Operation::Pool(pooling) => graph.pool(&behaviors, &offsets, pooling)?,
            Operation::Concat => {
                let user = graph.pool(&behaviors, &offsets, Pooling::Sum)?;
                graph.concat(&[&user, &candidate, &user])?
            }
            Operation::Pairs => {
                let user = graph.pool(&behaviors, &offsets, Pooling::Sum)?;
                let mut fields = Vec::new();
                for side in [&user, &candidate] {
                    for start in [0, DIM] {
                        let wanted: Vec<usize> = (start..start + DIM).collect();
                        fields.push(graph.columns(side, &wanted)?);
                    }
                }
                graph.pairwise_products(&fields.iter().collect::<Vec<_>>())?
            }
            Operation::Columns => graph.columns(&candidate, &WANTED)?,
            Operation::SumColumns => graph.sum_columns(&candidate, Some(self.bias))?,
            Operation::Square => graph.multiply(&candidate, &candidate)?,
            Operation::Double => graph.add(&candidate, &candidate)?,
            Operation::Stock => graph.stock(&candidate, |x| Ok(x.try_tanh()?))?,
        };
        read_out(graph, &output)
    }
}

/// Goods with bags of tags, in both groups.
fn schema() -> Schema {
    let mut schema = Schema::goods_and_categories(7, 5);
    schema.vocabularies[1] = Vocabulary { name: "tags".into(), size: 6 };
    for group in &mut schema.groups {
        group.fields[1] =
            Field { name: "tags".into(), vocabulary: 1, cardinality: Cardinality::Many };
    }
    schema.validate().unwrap();
    assert_eq!(schema.groups[0].role, Role::Behaviors);
    schema
}

fn probe(operation: Operation) -> Network {
    network(
        |builder| Probe {
            tables: table_per_vocabulary(builder, &schema(), DIM, Init::GlorotUniform),
            schema: schema(),
            bias: builder.parameter("bias", 1, 1, Init::Constant(0.0)).unwrap(),
            operation,
        },
        &mut SeedStreams::new(6).stream("weights"),
    )
}

/// One event by loops: the good's row, then the mean of its tags' rows, zero without tags.
fn event(values: &Values, group: &GroupEvents, event: usize) -> Vec<f64> {
    let good = group.fields[0].ids[event] as usize;
    let tags = &group.fields[1];
    let bag = &tags.ids[tags.offsets[event] as usize..tags.offsets[event + 1] as usize];
    let mut vector = values["goods_id"][good * DIM..(good + 1) * DIM].to_vec();
    for column in 0..DIM {
        let sum: f64 = bag.iter().map(|&tag| values["tags"][tag as usize * DIM + column]).sum();
        vector.push(if bag.is_empty() { 0.0 } else { sum / bag.len() as f64 });
    }
    vector
}

fn pooled(values: &Values, group: &GroupEvents, row: usize, pooling: Pooling) -> Vec<f64> {
    let (from, to) = (group.offsets[row] as usize, group.offsets[row + 1] as usize);
    let mut sum = vec![0.0; WIDTH];
    for index in from..to {
        for (sum, value) in sum.iter_mut().zip(event(values, group, index)) {
            *sum += value;
        }
    }
    if pooling == Pooling::Mean && to > from {
        sum.iter_mut().for_each(|sum| *sum /= (to - from) as f64);
    }
    sum
}

fn expected(operation: Operation, values: &Values, batch: &Batch) -> Vec<f64> {
    let row = |row: usize| {
        let candidate = event(values, &batch.groups[1], row);
        let user = |pooling| pooled(values, &batch.groups[0], row, pooling);
        match operation {
            Operation::Embed => candidate,
            Operation::Pool(pooling) => user(pooling),
            Operation::Concat => [user(Pooling::Sum), candidate, user(Pooling::Sum)].concat(),
            Operation::Pairs => {
                let all = [user(Pooling::Sum), candidate].concat();
                let fields: Vec<&[f64]> = all.chunks(DIM).collect();
                let mut sum = 0.0;
                for left in 0..fields.len() {
                    for right in left + 1..fields.len() {
                        sum += (0..DIM).map(|d| fields[left][d] * fields[right][d]).sum::<f64>();
                    }
                }
                vec![sum]
            }
            Operation::Columns => WANTED.iter().map(|&column| candidate[column]).collect(),
            Operation::SumColumns => vec![values["bias"][0] + candidate.iter().sum::<f64>()],
            Operation::Square => candidate.iter().map(|x| x * x).collect(),
            Operation::Double => candidate.iter().map(|x| x + x).collect(),
            Operation::Stock => candidate.iter().map(|x| x.tanh()).collect(),
        }
    };
    read_out_f64(&(0..batch.rows()).map(row).collect::<Vec<_>>())
}

#[test]
fn loops_agree() {
    let schema = schema();
    let mut stream = SeedStreams::new(6).stream("batches");
    for operation in [
        Operation::Embed,
        Operation::Pool(Pooling::Sum),
        Operation::Pool(Pooling::Mean),
        Operation::Concat,
        Operation::Pairs,
        Operation::Columns,
        Operation::SumColumns,
        Operation::Square,
        Operation::Double,
        Operation::Stock,
    ] {
        let mut network = probe(operation);
        let mut worst = (0.0f64, 0.0f64);
        for (rows, longest) in [(1, 0), (1, 4), (6, 5), (17, 3)] {
            let batch = model_checks::random_batch(&schema, rows, longest, &mut stream);
            let logits = expected(operation, &values(&network.weights), &batch);
            worst.0 = worst.0.max(check_scores(&network, &batch, 1e-5, &logits));
            let gradients = check_training_pass(&mut network, &batch, 1e-5, |values| {
                expected(operation, values, &batch)
            });
            worst.1 = worst.1.max(gradients);
        }
        println!("{operation:?}: logits within {:.1e}, gradients within {:.1e}", worst.0, worst.1);
    }
}

/// The batches above are random; these bags are not.
#[test]
fn a_bag_is_the_mean_of_its_ids() {
    let mut network = probe(Operation::Embed);
    let goods = vec![1, 1, 2, 7];
    // Two ids, one id three times, none, all.
    let tags =
        EventColumn { offsets: vec![0, 2, 5, 5, 10], ids: vec![1, 4, 2, 2, 2, 1, 2, 3, 4, 5] };
    let batch = Batch {
        labels: vec![1.0, 0.0, 0.0, 1.0],
        groups: vec![
            GroupEvents {
                offsets: vec![0; 5],
                fields: vec![EventColumn::default(), EventColumn { offsets: vec![0], ids: vec![] }],
            },
            GroupEvents { offsets: vec![], fields: vec![EventColumn::single(goods), tags] },
        ],
    };
    let logits = expected(Operation::Embed, &values(&network.weights), &batch);
    check_scores(&network, &batch, 1e-6, &logits);
    check_training_pass(&mut network, &batch, 1e-5, |values| {
        expected(Operation::Embed, values, &batch)
    });
}

#[test]
fn ids_and_bags_that_do_not_fit_are_errors_and_no_panics() {
    let mut network = probe(Operation::Embed);
    let batch =
        model_checks::random_batch(&schema(), 3, 3, &mut SeedStreams::new(6).stream("errors"));
    let mut outside = batch.clone();
    outside.groups[1].fields[0].ids[2] = 8;
    let error = network.score(&outside, &mut ScoringMemory::default()).unwrap_err();
    assert!(matches!(error, Error::Batch(_)), "{error}");
    assert!(error.to_string().contains("id 8"), "{error}");
    let mut shorter = batch;
    shorter.groups[1].fields[0].ids.pop();
    assert!(matches!(network.gradients(&shorter), Err(Error::Shape { op: "embed", .. })));
}
