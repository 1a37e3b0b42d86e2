//! From operations of a trace to nodes.

use super::Preparation;
use super::builder::{Builder, Setting, value_info};
use super::inputs::{Ids, Inputs};
use super::proto::{GraphProto, kind};
use crate::{Error, Result};
use ctr_core::{FieldReference, Schema};
use ctr_nn::{Operation, Step, TableSource, Trace, Value, Weights};

/// A trace being lowered.
pub(super) struct Lowering<'l> {
    pub weights: &'l Weights,
    pub builder: Builder,
    pub inputs: Inputs<'l>,
    /// The result of each step so far, and its columns.
    values: Vec<(String, usize)>,
}

/// The graph of a trace.
pub(super) fn lower(
    weights: &Weights,
    schema: &Schema,
    preparation: &Preparation,
    trace: &Trace,
) -> Result<GraphProto> {
    let inputs = Inputs::new(schema, preparation);
    let mut lowering =
        Lowering { weights, builder: Builder::default(), inputs, values: Vec::new() };
    for step in &trace.steps {
        let value = lowering.step(step)?;
        lowering.values.push((value, step.columns));
    }
    let logits = lowering.of(trace.output)?;
    let Lowering { mut builder, inputs, .. } = lowering;
    let last = builder.ints(&[1], &[1]);
    builder.named("Squeeze", &[&logits, &last], &[], "logit");
    builder.named("Sigmoid", &["logit"], &[], "probability");
    let mut graph = builder.graph;
    graph.name = "ctr".into();
    graph.input = inputs.finish()?;
    let batch = ["batch".to_string()];
    graph.output = vec![
        value_info("logit", kind::FLOAT, &batch, "what predictions call score"),
        value_info("probability", kind::FLOAT, &batch, "of a click"),
    ];
    Ok(graph)
}

impl Lowering<'_> {
    /// The name of an earlier result.
    pub fn of(&self, value: Value) -> Result<String> {
        Ok(self.known(value)?.0.clone())
    }

    /// The columns of an earlier result.
    pub fn columns(&self, value: Value) -> Result<usize> {
        Ok(self.known(value)?.1)
    }

    fn known(&self, value: Value) -> Result<&(String, usize)> {
        let missing = || Error::Model("an operation reads a later one's result".into());
        self.values.get(value.0).ok_or_else(missing)
    }

    /// A parameter as it is, or one row of it without the dimension of rows.
    pub fn parameter(&mut self, id: ctr_nn::ParameterId) -> String {
        let parameter = self.weights.parameter(id);
        let (rows, columns) = (parameter.rows, parameter.columns);
        let dims = if rows == 1 { &[columns][..] } else { &[rows, columns] };
        self.builder.weights(&parameter.name, dims, parameter.values())
    }

    pub fn sigmoid_if(&mut self, wanted: bool, value: String) -> String {
        if wanted { self.builder.node("Sigmoid", &[&value]) } else { value }
    }

    fn step(&mut self, step: &Step) -> Result<String> {
        Ok(match &step.operation {
            Operation::Embed { parts } => {
                let columns = parts
                    .iter()
                    .map(|&(table, column)| self.embed(table, column))
                    .collect::<Result<Vec<_>>>()?;
                self.builder.concat(&columns, -1)
            }
            Operation::Concat { parts } => {
                let parts =
                    parts.iter().map(|&part| self.of(part)).collect::<Result<Vec<String>>>()?;
                self.builder.concat(&parts, -1)
            }
            Operation::Add { sides } => self.both("Add", sides)?,
            Operation::Multiply { sides } => self.both("Mul", sides)?,
            Operation::Sigmoid { input } => {
                let input = self.of(*input)?;
                self.sigmoid_if(true, input)
            }
            Operation::SumColumns { input, bias } => {
                let input = self.of(*input)?;
                let axis = self.builder.ints(&[1], &[-1]);
                let keep = [("keepdims", Setting::Int(1))];
                let sum = self.builder.node_with("ReduceSum", &[&input, &axis], &keep);
                self.plus(sum, *bias)
            }
            Operation::Columns { input, wanted } => {
                let input = self.of(*input)?;
                let wanted: Vec<i64> = wanted.iter().map(|&column| column as i64).collect();
                let wanted = self.builder.ints(&[wanted.len() as i64], &wanted);
                let settings = [("axis", Setting::Int(-1))];
                self.builder.node_with("Gather", &[&input, &wanted], &settings)
            }
            Operation::PairwiseProducts { vectors } => self.pairwise_products(vectors)?,
            Operation::Standardize { input, statistics, epsilon } => {
                let running = self.weights.statistics_of(*statistics);
                let scales: Vec<f32> =
                    running.variance.iter().map(|v| 1.0 / (v + epsilon).sqrt()).collect();
                let (name, width) = (&running.name, [running.mean.len()]);
                let mean = self.builder.weights(&format!("{name}/mean"), &width, &running.mean);
                let scale = self.builder.weights(&format!("{name}/scale"), &width, &scales);
                let input = self.of(*input)?;
                let centered = self.builder.node("Sub", &[&input, &mean]);
                self.builder.node("Mul", &[&centered, &scale])
            }
            Operation::ScaleColumns { input, scale, bias, factor } => {
                let parameter = self.weights.parameter(*scale);
                let values: Vec<f32> = parameter.values().iter().map(|x| factor * x).collect();
                let name = format!("{}/scaled", parameter.name);
                let scale = self.builder.weights(&name, &[values.len()], &values);
                let input = self.of(*input)?;
                let scaled = self.builder.node("Mul", &[&input, &scale]);
                self.plus(scaled, *bias)
            }
            Operation::Scale { input, factor } => {
                let (input, factor) = (self.of(*input)?, self.builder.float(*factor));
                self.builder.node("Mul", &[&input, &factor])
            }
            Operation::Gate { s, z, alpha } => {
                let (s, z, alpha) = (self.of(*s)?, self.of(*z)?, self.parameter(*alpha));
                let one = self.builder.float(1.0);
                let open = self.sigmoid_if(true, z);
                let closed = self.builder.node("Sub", &[&one, &open]);
                let closed = self.builder.node("Mul", &[&closed, &alpha]);
                let share = self.builder.node("Add", &[&open, &closed]);
                self.builder.node("Mul", &[&s, &share])
            }
            Operation::Prelu { input, alpha } => {
                let (input, alpha) = (self.of(*input)?, self.parameter(*alpha));
                self.builder.node("PRelu", &[&input, &alpha])
            }
            Operation::LeakyRelu { input, slope } => {
                let input = self.of(*input)?;
                let settings = [("alpha", Setting::Float(*slope))];
                self.builder.node_with("LeakyRelu", &[&input], &settings)
            }
            Operation::LayerNormalization { input, scale, bias, epsilon } => {
                let input = self.of(*input)?;
                let (scale, bias) = (self.parameter(*scale), self.parameter(*bias));
                let settings = [("axis", Setting::Int(-1)), ("epsilon", Setting::Float(*epsilon))];
                self.builder.node_with("LayerNormalization", &[&input, &scale, &bias], &settings)
            }
            Operation::Dense { input, weight, bias, sigmoid } => {
                let (input, parameter) = (self.of(*input)?, self.weights.parameter(*weight));
                let dims = [parameter.rows, parameter.columns];
                let weight = self.builder.weights(&parameter.name, &dims, parameter.values());
                let product = self.builder.node("MatMul", &[&input, &weight]);
                let sum = self.plus(product, *bias);
                self.sigmoid_if(*sigmoid, sum)
            }
            Operation::UnitLayer { candidates, behaviors, weight, bias, difference, sigmoid } => {
                let sum =
                    self.unit_layer([*candidates, *behaviors], *weight, *bias, *difference)?;
                self.sigmoid_if(*sigmoid, sum)
            }
            Operation::Pool { input, events, pooling } => self.pool(*input, events, *pooling)?,
            Operation::AttentionPool { scores, input, events, softmax } => {
                self.attention_pool(*scores, *input, events, *softmax)?
            }
            Operation::LastEvents { input, events } => self.last_events(*input, events)?,
            Operation::WithCandidate { input, events, candidates, positions } => {
                self.with_candidate(*input, events, *candidates, *positions)?
            }
            Operation::Attend { queries, keys, values, heads } => {
                self.attend(queries, keys, *values, *heads)?
            }
            Operation::GatedRecurrent { input, weight, bias, events: _ } => {
                self.gated_recurrent(*input, *weight, *bias)?
            }
        })
    }

    fn both(&mut self, op: &str, sides: &[Value; 2]) -> Result<String> {
        let (left, right) = (self.of(sides[0])?, self.of(sides[1])?);
        Ok(self.builder.node(op, &[&left, &right]))
    }

    pub fn plus(&mut self, value: String, bias: Option<ctr_nn::ParameterId>) -> String {
        let Some(bias) = bias else { return value };
        let bias = self.parameter(bias);
        self.builder.node("Add", &[&value, &bias])
    }

    fn pairwise_products(&mut self, vectors: &[Value]) -> Result<String> {
        let vectors =
            vectors.iter().map(|&vector| self.of(vector)).collect::<Result<Vec<String>>>()?;
        let names: Vec<&str> = vectors.iter().map(String::as_str).collect();
        let sum = self.builder.node("Sum", &names);
        let of_sum = self.builder.node("Mul", &[&sum, &sum]);
        let squares: Vec<String> =
            names.iter().map(|name| self.builder.node("Mul", &[name, name])).collect();
        let names: Vec<&str> = squares.iter().map(String::as_str).collect();
        let of_each = self.builder.node("Sum", &names);
        let both = self.builder.node("Sub", &[&of_sum, &of_each]);
        let (half, axis) = (self.builder.float(0.5), self.builder.ints(&[1], &[-1]));
        let keep = [("keepdims", Setting::Int(1))];
        let sum = self.builder.node_with("ReduceSum", &[&both, &axis], &keep);
        Ok(self.builder.node("Mul", &[&sum, &half]))
    }

    /// Rows of a table for one column of its ids.
    fn embed(&mut self, table: ctr_nn::TableId, column: usize) -> Result<String> {
        let table = self.weights.table(table);
        let rows =
            self.builder.weights(&table.name, &[table.vocabulary, table.dim], table.values());
        match &table.source {
            TableSource::Fields(fields) => {
                let field = fields.get(column).copied();
                let missing = || Error::Model(format!("table {} lacks a field", table.name));
                let ids = self.inputs.field(&mut self.builder, field.ok_or_else(missing)?);
                Ok(self.gather(&rows, &ids))
            }
            TableSource::Crosses { behavior, candidate } => {
                let ids = self.crosses(*behavior, *candidate, table.vocabulary);
                Ok(self.gather(&rows, &Ids { ids, counts: None }))
            }
        }
    }

    /// Rows of a table; the mean of them for bags.
    fn gather(&mut self, rows: &str, Ids { ids, counts }: &Ids) -> String {
        let builder = &mut self.builder;
        let gathered = builder.node("Gather", &[rows, ids]);
        let Some(counts) = counts else { return gathered };
        let range = builder.range_of(ids, -1);
        let count = builder.unsqueeze(counts, &[-1]);
        let real = builder.node("Less", &[&range, &count]);
        let real = builder.cast(&real, kind::FLOAT);
        let real = builder.unsqueeze(&real, &[-1]);
        let masked = builder.node("Mul", &[&gathered, &real]);
        let sum = builder.sum(&masked, -2);
        let count = builder.at_least_one(&count);
        builder.node("Div", &[&sum, &count])
    }

    /// One id for each pair of a behavior and its row's candidate: the hash of `ctr_nn`'s crosses. Products
    /// of i64 wrap around, which gives the bits of u64's.
    fn crosses(
        &mut self,
        behavior: FieldReference,
        candidate: FieldReference,
        buckets: usize,
    ) -> String {
        let behavior = self.inputs.field(&mut self.builder, behavior);
        let candidate = self.inputs.field(&mut self.builder, candidate);
        let left = self.first_id(&behavior);
        let right = self.first_id(&candidate);
        let builder = &mut self.builder;
        let right = builder.unsqueeze(&right, &[1]);
        let high = builder.int(1 << 32);
        let left = builder.node("Mul", &[&left, &high]);
        let bits = builder.node("Add", &[&left, &right]);
        let start = builder.int(ctr_nn::CROSS_MIXING.start as i64);
        let mut bits = builder.node("Add", &[&bits, &start]);
        bits = builder.cast(&bits, kind::UINT64);
        for (shift, factor) in ctr_nn::CROSS_MIXING.rounds {
            let shift = builder.unsigned(u64::from(shift));
            let direction = [("direction", Setting::Text("RIGHT"))];
            let shifted = builder.node_with("BitShift", &[&bits, &shift], &direction);
            bits = builder.node("BitwiseXor", &[&bits, &shifted]);
            if let Some(factor) = factor {
                let signed = builder.cast(&bits, kind::INT64);
                let factor = builder.int(factor as i64);
                let product = builder.node("Mul", &[&signed, &factor]);
                bits = builder.cast(&product, kind::UINT64);
            }
        }
        let buckets = builder.unsigned(buckets as u64 - 1);
        let bucket = builder.node("Mod", &[&bits, &buckets]);
        let bucket = builder.cast(&bucket, kind::INT64);
        let one = builder.int(1);
        builder.node("Add", &[&bucket, &one])
    }

    /// The first id of each bag, 0 for an empty one.
    fn first_id(&mut self, Ids { ids, counts }: &Ids) -> String {
        let Some(counts) = counts else { return ids.clone() };
        let builder = &mut self.builder;
        let zero = builder.int(0);
        let first = builder.node_with("Gather", &[ids, &zero], &[("axis", Setting::Int(-1))]);
        let some = builder.node("Greater", &[counts, &zero]);
        builder.node("Where", &[&some, &first, &zero])
    }
}
