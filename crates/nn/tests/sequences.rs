//! Gated recurrent units, attention and what belongs to it, against plain loops in f64: one row, one event,
//! one number at a time.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

mod common;

use common::{
    Values, bits, check_scores, check_training_pass, network, read_out, read_out_f64, sigmoid,
    values,
};
use ctr_core::{Batch, GroupEvents, Schema, SeedStreams};
use ctr_nn::{
    Architecture, Dense, FieldTables, Graph, Gru, Init, LayerNormalization, Matrix, Network,
    Optimizer, OptimizerConfig, ParameterId, Pooling, Result, Side, Tape, TransformerBlock,
    TransformerConfig, embed_group, model_checks, table_per_vocabulary,
};

/// Numbers a table row; goods and categories side by side are twice as wide.
const DIM: usize = 3;
const WIDTH: usize = 2 * DIM;
/// Numbers a state.
const UNITS: usize = 5;
/// Rows of the table of positions, and numbers each.
const POSITIONS: usize = 4;
const POSITION: usize = 2;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Operation {
    /// States of the recurrent unit: the last one of a row, or their mean.
    LastState,
    MeanState,
    LastEvent,
    WithCandidate,
    WithCandidateAlone,
    /// Candidates ask the events, in so many heads.
    Candidates(usize),
    /// Events ask all events of their row.
    Events(usize),
    LayerNormalization,
    LeakyRelu,
    /// A block of a transformer, all events or the last.
    Block {
        last: bool,
        layer_normalization: bool,
        heads: usize,
    },
}

struct Probe {
    tables: FieldTables,
    gru: Gru,
    positions: ParameterId,
    query: Dense,
    normalization: LayerNormalization,
    block: TransformerBlock,
    operation: Operation,
}

fn schema() -> Schema {
    Schema::goods_and_categories(7, 5)
}

fn probe(operation: Operation) -> Network {
    network(
        |builder| {
            let (layer_normalization, heads) = match operation {
                Operation::Block { layer_normalization, heads, .. } => (layer_normalization, heads),
                _ => (true, 1),
            };
            let sizes = TransformerConfig { width: WIDTH, heads, layer_normalization };
            Probe {
                tables: table_per_vocabulary(builder, &schema(), DIM, Init::GlorotUniform),
                gru: Gru::build(&mut builder.scope("gru"), WIDTH, UNITS).unwrap(),
                positions: builder
                    .parameter("positions", POSITIONS, POSITION, Init::GlorotUniform)
                    .unwrap(),
                query: Dense::build(builder, "query", WIDTH, WIDTH).unwrap(),
                normalization: LayerNormalization::build(builder, "normalization", WIDTH).unwrap(),
                block: TransformerBlock::build(&mut builder.scope("block"), sizes).unwrap(),
                operation,
            }
        },
        &mut SeedStreams::new(6).stream("weights"),
    )
}

impl Architecture for Probe {
    fn logits<T: Tape>(&self, graph: &mut Graph<'_, T>) -> Result<Matrix> {
        let behaviors = embed_group(graph, &self.tables, &schema().fields_of(0))?;
        let candidate = embed_group(graph, &self.tables, &schema().fields_of(1))?;
        let offsets = graph.offsets(0);
        let events = Side { events: &behaviors, offsets: &offsets };
        let output = match self.operation {
            Operation::LastState => {
                let states = self.gru.forward(graph, &behaviors, &offsets)?;
                graph.last_events(&states, &offsets)?
            }
            Operation::MeanState => {
                let states = self.gru.forward(graph, &behaviors, &offsets)?;
                graph.pool(&states, &offsets, Pooling::Mean)?
            }
            Operation::LastEvent => graph.last_events(&behaviors, &offsets)?,
            Operation::WithCandidate | Operation::WithCandidateAlone => {
                let positions =
                    (self.operation == Operation::WithCandidate).then_some(self.positions);
                let (sequence, offsets) =
                    graph.with_candidate(&behaviors, &candidate, &offsets, positions)?;
                // So that a sum still depends on what stood beside what.
                let mixed = graph.sigmoid(&sequence)?;
                graph.pool(&mixed, &offsets, Pooling::Sum)?
            }
            Operation::Candidates(heads) => {
                let one_a_row = std::sync::Arc::new((0..=graph.rows() as u32).collect());
                let candidates = self.query.forward(graph, &candidate)?;
                let queries = Side { events: &candidates, offsets: &one_a_row };
                graph.attend(queries, events, &behaviors, heads)?
            }
            Operation::Events(heads) => {
                let asking = self.query.forward(graph, &behaviors)?;
                let queries = Side { events: &asking, ..events };
                let gathered = graph.attend(queries, events, &behaviors, heads)?;
                let mixed = graph.sigmoid(&gathered)?;
                graph.pool(&mixed, &offsets, Pooling::Sum)?
            }
            Operation::LayerNormalization => self.normalization.forward(graph, &candidate)?,
            Operation::LeakyRelu => graph.leaky_relu(&candidate, 0.2)?,
            Operation::Block { last: true, .. } => {
                self.block.forward_last(graph, &behaviors, &offsets)?
            }
            Operation::Block { .. } => {
                let sequence = self.block.forward(graph, &behaviors, &offsets)?;
                graph.pool(&sequence, &offsets, Pooling::Sum)?
            }
        };
        read_out(graph, &output)
    }
}

fn event(values: &Values, group: &GroupEvents, event: usize) -> Vec<f64> {
    let row = |name: &str, id: u32| values[name][id as usize * DIM..][..DIM].to_vec();
    [row("goods_id", group.fields[0].ids[event]), row("cate_id", group.fields[1].ids[event])]
        .concat()
}

/// `x · W + b`, where W has the columns `columns` of the matrix called `name`/weight.
fn affine(values: &Values, name: &str, x: &[f64], columns: std::ops::Range<usize>) -> Vec<f64> {
    let weight = &values[&format!("{name}/weight")];
    let width = weight.len() / x.len();
    let bias = values.get(&format!("{name}/bias")).filter(|bias| bias.len() == width);
    let product =
        |column| (0..x.len()).map(|row| x[row] * weight[row * width + column]).sum::<f64>();
    columns.map(|column| product(column) + bias.map_or(0.0, |bias| bias[column])).collect()
}

fn dense(values: &Values, name: &str, x: &[f64]) -> Vec<f64> {
    affine(values, name, x, 0..values[&format!("{name}/weight")].len() / x.len())
}

/// States after each event: gate by gate, in PyTorch's form.
fn states(values: &Values, history: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let mut h = vec![0.0; UNITS];
    let step = |x: &Vec<f64>| {
        let gate = |index: usize, h: &[f64]| -> (Vec<f64>, Vec<f64>) {
            let columns = index * UNITS..(index + 1) * UNITS;
            (
                affine(values, "gru/input", x, columns.clone()),
                affine(values, "gru/recurrent", h, columns),
            )
        };
        let (reset, update, new) = (gate(0, &h), gate(1, &h), gate(2, &h));
        h = (0..UNITS)
            .map(|unit| {
                let r = sigmoid(reset.0[unit] + reset.1[unit]);
                let z = sigmoid(update.0[unit] + update.1[unit]);
                let inner = new.1[unit] + values["gru/recurrent/bias"][unit];
                let n = (new.0[unit] + r * inner).tanh();
                (1.0 - z) * n + z * h[unit]
            })
            .collect();
        h.clone()
    };
    history.iter().map(step).collect()
}

/// One query of several heads, each by the definition of softmax.
fn attention(query: &[f64], keys: &[Vec<f64>], from: &[Vec<f64>], heads: usize) -> Vec<f64> {
    let part = query.len() / heads;
    let mut out = vec![0.0; query.len()];
    for column in 0..query.len() {
        let head = column / part * part..(column / part + 1) * part;
        let score = |key: &Vec<f64>| {
            let product: f64 = head.clone().map(|index| query[index] * key[index]).sum();
            (product / (part as f64).sqrt()).exp()
        };
        let total: f64 = keys.iter().map(score).sum();
        for (key, from) in keys.iter().zip(from) {
            out[column] += score(key) / total * from[column];
        }
    }
    out
}

fn normalized(values: &Values, name: &str, x: &[f64]) -> Vec<f64> {
    let count = x.len() as f64;
    let mean = x.iter().sum::<f64>() / count;
    // E[x²] − E[x]².
    let variance = x.iter().map(|x| x * x).sum::<f64>() / count - mean * mean;
    let weight = |part: &str, index: usize| values[&format!("{name}/{part}")][index];
    let one = |(index, x): (usize, &f64)| {
        (x - mean) / (variance + 1e-5).sqrt() * weight("gamma", index) + weight("beta", index)
    };
    x.iter().enumerate().map(one).collect()
}

fn sum(left: &[f64], right: &[f64]) -> Vec<f64> {
    left.iter().zip(right).map(|(left, right)| left + right).collect()
}

fn leaky(x: &[f64], slope: f64) -> Vec<f64> {
    x.iter().map(|&x| x.max(slope * x)).collect()
}

/// A block of the transformer at one query's place.
fn block(
    values: &Values,
    query: &[f64],
    sequence: &[Vec<f64>],
    (normalize, heads): (bool, usize),
) -> Vec<f64> {
    let all = |name: &str| -> Vec<Vec<f64>> {
        sequence
            .iter()
            .map(|event| dense(values, &format!("block/attention/{name}"), event))
            .collect()
    };
    let asking = dense(values, "block/attention/query", query);
    let gathered = attention(&asking, &all("key"), &all("value"), heads);
    let mut attended = sum(query, &dense(values, "block/attention/output", &gathered));
    if normalize {
        attended = normalized(values, "block/attention/normalization", &attended);
    }
    let hidden = leaky(&dense(values, "block/feed_forward/inner", &attended), 0.01);
    let out = sum(&attended, &dense(values, "block/feed_forward/outer", &hidden));
    if normalize { normalized(values, "block/feed_forward/normalization", &out) } else { out }
}

fn total(rows: impl IntoIterator<Item = Vec<f64>>, width: usize) -> Vec<f64> {
    rows.into_iter().fold(vec![0.0; width], |all, row| sum(&all, &row))
}

fn sigmoids(row: &[f64]) -> Vec<f64> {
    row.iter().map(|&x| sigmoid(x)).collect()
}

fn expected(operation: Operation, values: &Values, batch: &Batch) -> Vec<f64> {
    let row = |row: usize| {
        let candidate = event(values, &batch.groups[1], row);
        let behaviors = &batch.groups[0];
        let history: Vec<Vec<f64>> =
            behaviors.of_row(row).map(|index| event(values, behaviors, index)).collect();
        match operation {
            Operation::LastState => {
                states(values, &history).pop().unwrap_or_else(|| vec![0.0; UNITS])
            }
            Operation::MeanState => {
                let count = history.len().max(1) as f64;
                let sum = total(states(values, &history), UNITS);
                sum.into_iter().map(|sum| sum / count).collect()
            }
            Operation::LastEvent => history.last().cloned().unwrap_or_else(|| vec![0.0; WIDTH]),
            Operation::WithCandidate | Operation::WithCandidateAlone => {
                let known = operation == Operation::WithCandidate;
                let sequence: Vec<Vec<f64>> = history.into_iter().chain([candidate]).collect();
                let placed = sequence.iter().rev().enumerate().map(|(position, event)| {
                    let table = values["positions"].chunks(POSITION);
                    let place = table.take(position + 1).next_back().unwrap();
                    sigmoids(&[event.as_slice(), if known { place } else { &[] }].concat())
                });
                total(placed, if known { WIDTH + POSITION } else { WIDTH })
            }
            Operation::Candidates(heads) => {
                attention(&dense(values, "query", &candidate), &history, &history, heads)
            }
            Operation::Events(heads) => {
                let each = |event: &Vec<f64>| {
                    sigmoids(&attention(&dense(values, "query", event), &history, &history, heads))
                };
                total(history.iter().map(each), WIDTH)
            }
            Operation::LayerNormalization => normalized(values, "normalization", &candidate),
            Operation::LeakyRelu => leaky(&candidate, 0.2),
            Operation::Block { last, layer_normalization, heads } => {
                let form = (layer_normalization, heads);
                let zeros = vec![0.0; WIDTH];
                if last {
                    block(values, history.last().unwrap_or(&zeros), &history, form)
                } else {
                    let each = |event: &Vec<f64>| block(values, event, &history, form);
                    total(history.iter().map(each), WIDTH)
                }
            }
        }
    };
    read_out_f64(&(0..batch.rows()).map(row).collect::<Vec<_>>())
}

const OPERATIONS: [Operation; 15] = [
    Operation::LastState,
    Operation::MeanState,
    Operation::LastEvent,
    Operation::WithCandidate,
    Operation::WithCandidateAlone,
    Operation::Candidates(1),
    Operation::Candidates(3),
    Operation::Events(1),
    Operation::Events(2),
    Operation::LayerNormalization,
    Operation::LeakyRelu,
    Operation::Block { last: true, layer_normalization: true, heads: 2 },
    Operation::Block { last: false, layer_normalization: true, heads: 3 },
    // Five heads of two numbers for six.
    Operation::Block { last: true, layer_normalization: false, heads: 5 },
    Operation::Block { last: false, layer_normalization: false, heads: 1 },
];

#[test]
fn loops_agree() {
    let mut stream = SeedStreams::new(6).stream("batches");
    for operation in OPERATIONS {
        let mut network = probe(operation);
        let mut worst = (0.0f64, 0.0f64);
        // Nothing but empty histories, short ones, long ones, several shards.
        for (rows, longest) in [(1, 0), (3, 0), (1, 4), (6, 5), (3, 40), (70, 3)] {
            let batch = model_checks::random_batch(&schema(), rows, longest, &mut stream);
            let logits = expected(operation, &values(&network.weights), &batch);
            worst.0 = worst.0.max(check_scores(&network, &batch, 2e-5 * scale(&logits), &logits));
            let gradients = check_training_pass(&mut network, &batch, 1e-5, |values| {
                expected(operation, values, &batch)
            });
            worst.1 = worst.1.max(gradients);
        }
        println!("{operation:?}: logits within {:.1e}, gradients within {:.1e}", worst.0, worst.1);
    }
}

/// The largest logit, 1 at least: sums of sixty events are as exact as their size lets them be.
fn scale(logits: &[f64]) -> f64 {
    logits.iter().fold(1.0, |most, logit| most.max(logit.abs()))
}

#[test]
fn one_thread_and_many_give_the_same_bits() {
    for operation in [
        Operation::MeanState,
        Operation::Block { last: false, layer_normalization: true, heads: 2 },
        Operation::WithCandidate,
    ] {
        let trained = |threads: usize| {
            let mut network = probe(operation);
            let mut stream = SeedStreams::new(6).stream("threads");
            let mut optimizer =
                Optimizer::new(OptimizerConfig::default(), &network.weights).unwrap();
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                for rows in [700, 5, 40, 150] {
                    let batch = model_checks::random_batch(&schema(), rows, 9, &mut stream);
                    network.train_step(&batch, &mut optimizer).unwrap();
                }
            });
            bits(&network.weights)
        };
        let one = trained(1);
        for threads in [2, 3] {
            assert!(one == trained(threads), "{operation:?}, {threads} threads");
        }
    }
}
