//! Oracles for training passes: the model's logits again, by plain loops in f64, and the gradient of
//! the loss from them alone, by differences.
#![allow(dead_code, clippy::unwrap_used)]

use ctr_core::{
    Batch, EventColumn, FieldReference, GroupEvents, RandomStream, Schema, SeedStreams,
};
use ctr_nn::{
    Activation, ActivationUnit, ActivationUnitConfig, Architecture, EmbeddingMlp,
    EmbeddingMlpConfig, Graph, Init, Matrix, Network, Pooling, Result, ScoringMemory, TableId,
    TableSource, Tape, Weights, WeightsBuilder,
};
use std::collections::{BTreeMap, BTreeSet};

/// All parameters and tables by name, row by row.
pub type Values = BTreeMap<String, Vec<f64>>;

/// The weights of a network in f64.
pub fn values(weights: &Weights) -> Values {
    let wide = |values: &[f32]| values.iter().copied().map(f64::from).collect();
    let parameters = weights.parameters.iter().map(|p| (p.name.clone(), wide(p.values())));
    let tables = weights.tables.iter().map(|t| (t.name.clone(), wide(t.values())));
    parameters.chain(tables).collect()
}

/// A network whose weights are built by `build` and then moved off their beginning values.
pub fn network<A: Architecture>(
    build: impl FnOnce(&mut WeightsBuilder<'_>) -> A,
    stream: &mut RandomStream,
) -> Network {
    let mut weights = Weights::default();
    let model = build(&mut WeightsBuilder::new(&mut weights, SeedStreams::new(1)));
    let mut network = Network::new(model, weights);
    ctr_nn::model_checks::randomize(&mut network, 0.5, stream);
    network
}

/// All of DIN's parts.
struct Interest {
    frame: EmbeddingMlp,
    unit: ActivationUnit,
}

impl Architecture for Interest {
    fn logits<T: Tape>(&self, graph: &mut Graph<'_, T>) -> Result<Matrix> {
        let behaviors = self.frame.behaviors(graph)?;
        let candidate = self.frame.candidate(graph)?;
        let offsets = self.frame.offsets(graph);
        let interest = self.unit.forward(graph, &candidate, &behaviors, &offsets)?;
        let user = self.frame.user(graph, interest)?;
        let product = graph.multiply(&user, &candidate)?;
        self.frame.logit(graph, &[&user, &candidate, &product])
    }
}

/// A network of all of DIN's parts.
pub fn interest_network(
    schema: &Schema,
    frame: &EmbeddingMlpConfig,
    unit: &ActivationUnitConfig,
    stream: &mut RandomStream,
) -> Network {
    network(
        |builder| {
            let frame = EmbeddingMlp::build(builder, schema, frame, 1).unwrap();
            let dim = frame.vector_dim();
            let unit = ActivationUnit::build(&mut builder.scope("unit"), unit, dim).unwrap();
            Interest { frame, unit }
        },
        stream,
    )
}

/// A table with one id an event of one field.
pub fn table(
    builder: &mut WeightsBuilder<'_>,
    name: &str,
    vocabulary: usize,
    dim: usize,
    (group, field): (usize, usize),
) -> TableId {
    let source = TableSource::Fields(vec![FieldReference { group, field }]);
    builder.table(name, vocabulary, dim, Init::GlorotUniform, source)
}

/// A batch of one group without events, one field, one id a row.
pub fn single_ids(ids: Vec<u32>) -> Batch {
    Batch {
        labels: (0..ids.len()).map(|row| (row % 2) as f32).collect(),
        groups: vec![GroupEvents { offsets: vec![], fields: vec![EventColumn::single(ids)] }],
    }
}

/// The number that weighs column `column` of row `row` on its way to the logit.
pub fn reading(row: usize, column: usize) -> f64 {
    f64::from((1.0 + 1.7 * row as f64 + 0.9 * column as f64 * column as f64).cos() as f32)
}

/// A matrix read out as one logit a row: each number of it counts, each with another weight.
pub fn read_out<T: Tape>(graph: &mut Graph<'_, T>, matrix: &Matrix) -> Result<Matrix> {
    let width = matrix.shape().1;
    let first = graph.first_row();
    let weights = (0..graph.rows())
        .flat_map(|row| (0..width).map(move |column| reading(first + row, column) as f32))
        .collect();
    let weights = graph.matrix(weights, graph.rows(), width)?;
    let weighed = graph.multiply(matrix, &weights)?;
    graph.sum_columns(&weighed, None)
}

/// The same by loops.
pub fn read_out_f64(rows: &[Vec<f64>]) -> Vec<f64> {
    let logit = |(row, values): (usize, &Vec<f64>)| {
        values.iter().enumerate().map(|(column, value)| value * reading(row, column)).sum()
    };
    rows.iter().enumerate().map(logit).collect()
}

pub fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// Equation 2 as it stands; for moderate logits.
pub fn log_loss(logits: &[f64], labels: &[f32]) -> f64 {
    let terms = logits.iter().zip(labels).map(|(&z, &y)| {
        let y = f64::from(y);
        -(y * sigmoid(z).ln() + (1.0 - y) * sigmoid(-z).ln())
    });
    terms.sum::<f64>() / labels.len() as f64
}

/// Asserts that loss and gradients of a training pass are those of `logits`, where the logits depend on
/// the weights alone: within `tolerance` of the largest gradient of the same tensor. Rows that are not
/// in the batch must have no gradient on either side. Gives the largest deviation.
pub fn check_training_pass(
    network: &mut Network,
    batch: &Batch,
    tolerance: f64,
    logits: impl Fn(&Values) -> Vec<f64>,
) -> f64 {
    let found = network.gradients(batch).unwrap();
    let mut values = values(&network.weights);
    let loss = log_loss(&logits(&values), &batch.labels);
    assert!((found.loss - loss).abs() < 1e-6 * loss.max(1.0), "loss {} is {loss}", found.loss);
    let mut worst = 0.0f64;
    let names: Vec<String> = values.keys().cloned().collect();
    for name in names {
        let count = values[&name].len();
        let analytic = whole_gradient(network, &found, &name);
        // Fourth order, so that the step may be small against columns of tiny variance and still
        // large against rounding.
        let h = 1e-6;
        let numeric: Vec<f64> = (0..count)
            .map(|index| {
                let value = values[&name][index];
                let mut at = |distance: f64| {
                    values.get_mut(&name).unwrap()[index] = value + distance;
                    log_loss(&logits(&values), &batch.labels)
                };
                let slope = (8.0 * (at(h) - at(-h)) - (at(2.0 * h) - at(-2.0 * h))) / (12.0 * h);
                values.get_mut(&name).unwrap()[index] = value;
                slope
            })
            .collect();
        let largest = numeric.iter().fold(0.0f64, |most, slope| most.max(slope.abs()));
        for (index, (&analytic, &numeric)) in analytic.iter().zip(&numeric).enumerate() {
            // Below 1e-4 the differences are rounding, not slope.
            let deviation = (analytic - numeric).abs() / largest.max(1e-4);
            worst = worst.max(deviation);
            assert!(deviation < tolerance, "{name}[{index}]: {analytic} instead of {numeric}");
        }
    }
    worst
}

/// The gradient of a parameter or of a whole table, zero for rows that were not in the batch.
pub fn whole_gradient(
    network: &Network,
    gradients: &ctr_nn::BatchGradients,
    name: &str,
) -> Vec<f64> {
    let weights = &network.weights;
    if let Some(index) = weights.parameters.iter().position(|p| p.name == name) {
        let gradient = &gradients.parameters[index];
        assert_eq!(gradient.len(), weights.parameters[index].values().len());
        return gradient.iter().copied().map(f64::from).collect();
    }
    let index = weights.tables.iter().position(|t| t.name == name).unwrap();
    let (table, rows) = (&weights.tables[index], &gradients.tables[index]);
    assert_eq!(rows.values.len(), rows.rows.len() * table.dim);
    let mut whole = vec![0.0; table.values().len()];
    let mut seen = vec![false; table.vocabulary];
    for (&row, values) in rows.rows.iter().zip(rows.values.chunks(table.dim)) {
        assert!(!std::mem::replace(&mut seen[row as usize], true), "row {row} of {name} twice");
        for (column, &value) in values.iter().enumerate() {
            whole[row as usize * table.dim + column] = f64::from(value);
        }
    }
    whole
}

/// Asserts scores within `tolerance`; gives the largest deviation.
pub fn check_scores(network: &Network, batch: &Batch, tolerance: f64, expected: &[f64]) -> f64 {
    let scores = network.score(batch, &mut ScoringMemory::default()).unwrap();
    assert_eq!(scores.len(), expected.len());
    let mut worst = 0.0f64;
    for (row, (&score, &expected)) in scores.iter().zip(expected).enumerate() {
        let deviation = (f64::from(score) - expected).abs();
        worst = worst.max(deviation);
        assert!(deviation < tolerance, "row {row}: {score} instead of {expected}");
    }
    worst
}

/// The bits of everything a network learns, in order.
pub fn bits(weights: &Weights) -> Vec<u32> {
    let parameters = weights.parameters.iter().flat_map(|p| p.values().to_vec());
    let tables = weights.tables.iter().flat_map(|t| t.values().to_vec());
    let statistics =
        weights.statistics.iter().flat_map(|s| [s.mean.clone(), s.variance.clone()].concat());
    parameters.chain(tables).chain(statistics).map(f32::to_bits).collect()
}

/// Embeddings, pooling and MLP, with gradients of every size.
pub struct Probe(EmbeddingMlp);

impl Architecture for Probe {
    fn logits<T: Tape>(&self, graph: &mut Graph<'_, T>) -> Result<Matrix> {
        let user = self.0.pooled_user(graph, Pooling::Sum)?;
        let candidate = self.0.candidate(graph)?;
        // The frame's output goes on through a readout, so that gradients are of every size.
        let logit = self.0.logit(graph, &[&user, &candidate])?;
        let direct = read_out(graph, &user)?;
        graph.add(&logit, &direct)
    }
}

/// Goods of [`schema`].
pub const GOODS: u32 = 60;

/// Goods and 30 categories.
pub fn schema() -> Schema {
    Schema::goods_and_categories(GOODS, 30)
}

/// A network of [`Probe`].
pub fn probe(stream: &mut RandomStream) -> Network {
    let config = EmbeddingMlpConfig {
        embedding_dim: 4,
        hidden_units: vec![6],
        activation: Activation::Prelu,
        ..EmbeddingMlpConfig::default()
    };
    network(|builder| Probe(EmbeddingMlp::build(builder, &schema(), &config, 0).unwrap()), stream)
}

/// Rows of each table that the batch's ids name.
pub fn rows_in(batch: &Batch) -> BTreeMap<&'static str, BTreeSet<usize>> {
    let ids = |group: usize, field: usize| {
        batch.groups[group].fields[field].ids.iter().map(|&id| id as usize)
    };
    BTreeMap::from([
        ("embedding/goods_id", ids(0, 0).chain(ids(1, 0)).collect()),
        ("embedding/cate_id", ids(0, 1).chain(ids(1, 1)).collect()),
        ("item_bias", ids(1, 0).collect()),
    ])
}
