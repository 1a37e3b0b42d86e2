//! Operations on histories, which are padded here.

use super::builder::Setting;
use super::lower::Lowering;
use super::proto::kind;
use crate::{Error, Result};
use ctr_nn::{Events, ParameterId, Pooling, Value};

impl Lowering<'_> {
    /// (W₁ + W₃)q + (W₂ − W₃)k + W₄(q ⊙ k) + b, as `ctr_nn` computes it.
    pub fn unit_layer(
        &mut self,
        [candidates, behaviors]: [Value; 2],
        weight: ParameterId,
        bias: ParameterId,
        difference: bool,
    ) -> Result<String> {
        let parameter = self.weights.parameter(weight);
        let (dim, units) = (self.columns(behaviors)?, parameter.columns);
        let mut blocks = parameter.values().chunks_exact((dim * units).max(1));
        let (Some(query), Some(key), Some(product)) =
            (blocks.next(), blocks.next(), blocks.next_back())
        else {
            return Err(Error::Model(format!("{} has too few rows", parameter.name)));
        };
        let (mut query, mut key) = (query.to_vec(), key.to_vec());
        if difference {
            for ((query, key), both) in
                query.iter_mut().zip(&mut key).zip(blocks.next().unwrap_or_default())
            {
                *query += both;
                *key -= both;
            }
        }
        let name = parameter.name.clone();
        let mut part = |part: &str, values: &[f32]| {
            self.builder.weights(&format!("{name}/{part}"), &[dim, units], values)
        };
        let (query, key, product) =
            (part("query", &query), part("key", &key), part("product", product));
        let (q, k) = (self.of(candidates)?, self.of(behaviors)?);
        let of_query = self.builder.node("MatMul", &[&q, &query]);
        let of_query = self.plus(of_query, Some(bias));
        let of_query = self.builder.unsqueeze(&of_query, &[1]);
        let of_key = self.builder.node("MatMul", &[&k, &key]);
        let q = self.builder.unsqueeze(&q, &[1]);
        let both = self.builder.node("Mul", &[&q, &k]);
        let of_product = self.builder.node("MatMul", &[&both, &product]);
        let sum = self.builder.node("Add", &[&of_query, &of_key]);
        Ok(self.builder.node("Add", &[&sum, &of_product]))
    }

    pub fn pool(&mut self, input: Value, events: &Events, pooling: Pooling) -> Result<String> {
        let input = self.of(input)?;
        let places = self.inputs.places(&mut self.builder, events)?;
        let masked = self.builder.node("Mul", &[&input, &places.mask]);
        let sum = self.builder.sum(&masked, 1);
        Ok(match pooling {
            Pooling::Sum => sum,
            Pooling::Mean => {
                let count = self.builder.at_least_one(&places.length_column);
                self.builder.node("Div", &[&sum, &count])
            }
        })
    }

    /// Softmax of scaled scores over a dimension, zero in places that are not real.
    fn masked_softmax(&mut self, scores: &str, scale: f32, real: &str, axis: i64) -> String {
        let scale = self.builder.float(scale);
        let scaled = self.builder.node("Mul", &[scores, &scale]);
        // Not infinity: a row without events would become NaN.
        let least = self.builder.float(f32::MIN);
        let masked = self.builder.node("Where", &[real, &scaled, &least]);
        let weights =
            self.builder.node_with("Softmax", &[&masked], &[("axis", Setting::Int(axis))]);
        let mask = self.builder.cast(real, kind::FLOAT);
        self.builder.node("Mul", &[&weights, &mask])
    }

    pub fn attention_pool(
        &mut self,
        scores: Value,
        input: Value,
        events: &Events,
        softmax: Option<f32>,
    ) -> Result<String> {
        let (scores, input) = (self.of(scores)?, self.of(input)?);
        let places = self.inputs.places(&mut self.builder, events)?;
        let weights = match softmax {
            Some(scale) => {
                let real = self.builder.unsqueeze(&places.real, &[2]);
                self.masked_softmax(&scores, scale, &real, 1)
            }
            None => self.builder.node("Mul", &[&scores, &places.mask]),
        };
        let across = self.builder.transpose(&weights, &[0, 2, 1]);
        let sum = self.builder.node("MatMul", &[&across, &input]);
        Ok(self.builder.squeeze(&sum, 1))
    }

    pub fn last_events(&mut self, input: Value, events: &Events) -> Result<String> {
        let input = self.of(input)?;
        let places = self.inputs.places(&mut self.builder, events)?;
        let one = self.builder.int(1);
        let last = self.builder.node("Sub", &[&places.length_column, &one]);
        // No place is the last one of an empty history, whose sum is then zero.
        let is_last = self.builder.node("Equal", &[&places.range, &last]);
        let is_last = self.builder.cast(&is_last, kind::FLOAT);
        let is_last = self.builder.unsqueeze(&is_last, &[1]);
        let sum = self.builder.node("MatMul", &[&is_last, &input]);
        Ok(self.builder.squeeze(&sum, 1))
    }

    pub fn with_candidate(
        &mut self,
        input: Value,
        events: &Events,
        candidates: Value,
        positions: Option<ParameterId>,
    ) -> Result<String> {
        let (input, candidates) = (self.of(input)?, self.of(candidates)?);
        let before = self.inputs.places(&mut self.builder, events)?;
        let longer = Events::WithCandidate(Box::new(events.clone()));
        let range = self.inputs.places(&mut self.builder, &longer)?.range;
        let builder = &mut self.builder;
        let candidate = builder.unsqueeze(&candidates, &[1]);
        let one_more = builder.concat(&[input, candidate.clone()], 1);
        let here = builder.node("Equal", &[&range, &before.length_column]);
        let here = builder.unsqueeze(&here, &[2]);
        let sequence = builder.node("Where", &[&here, &candidate, &one_more]);
        let Some(positions) = positions else { return Ok(sequence) };
        let last = self.weights.parameter(positions).rows as i64 - 1;
        let parameter = self.weights.parameter(positions);
        let dims = [parameter.rows, parameter.columns];
        let table = self.builder.weights(&parameter.name, &dims, parameter.values());
        let builder = &mut self.builder;
        let back = builder.node("Sub", &[&before.length_column, &range]);
        let (zero, last) = (builder.int(0), builder.int(last));
        let back = builder.node("Max", &[&back, &zero]);
        let place = builder.node("Min", &[&back, &last]);
        let position = builder.node("Gather", &[&table, &place]);
        Ok(builder.concat(&[sequence, position], 2))
    }

    pub fn attend(
        &mut self,
        (queries, whose): &(Value, Events),
        (keys, events): &(Value, Events),
        values: Value,
        heads: usize,
    ) -> Result<String> {
        let part = self.columns(*queries)? / heads.max(1);
        let (mut query, key, value) = (self.of(*queries)?, self.of(*keys)?, self.of(values)?);
        let places = self.inputs.places(&mut self.builder, events)?;
        let single = *whose == Events::OneARow;
        if single {
            query = self.builder.unsqueeze(&query, &[1]);
        }
        let split = [0, 0, heads as i64, part as i64];
        // [batch, heads, events, part]; keys the other way around.
        let [query, key, value] =
            [(query, [0, 2, 1, 3]), (key, [0, 2, 3, 1]), (value, [0, 2, 1, 3])].map(
                |(side, order)| {
                    let side = self.builder.reshape(&side, &split);
                    self.builder.transpose(&side, &order)
                },
            );
        let scores = self.builder.node("MatMul", &[&query, &key]);
        let real = self.builder.unsqueeze(&places.real, &[1, 2]);
        let weights = self.masked_softmax(&scores, 1.0 / (part as f32).sqrt(), &real, -1);
        let gathered = self.builder.node("MatMul", &[&weights, &value]);
        let gathered = self.builder.transpose(&gathered, &[0, 2, 1, 3]);
        let gathered = self.builder.reshape(&gathered, &[0, 0, (heads * part) as i64]);
        Ok(if single { self.builder.squeeze(&gathered, 1) } else { gathered })
    }

    /// ONNX's unit is the same one with the gates in another order: update, reset, candidate. What the events
    /// give is computed already, so its input matrix only reorders. Padding stands at the ends, so that no
    /// state of a real event has seen it.
    pub fn gated_recurrent(
        &mut self,
        input: Value,
        weight: ParameterId,
        bias: ParameterId,
    ) -> Result<String> {
        let (recurrent, bias) = (self.weights.parameter(weight), self.weights.parameter(bias));
        let (units, columns) = (recurrent.rows, recurrent.columns);
        let ours = |row: usize| match row / units {
            0 => row + units,
            1 => row - units,
            _ => row,
        };
        let mut order = vec![0.0; columns * columns];
        let mut rows = Vec::with_capacity(columns * units);
        for row in 0..columns {
            order[row * columns + ours(row)] = 1.0;
            rows.extend((0..units).map(|from| recurrent.values()[from * columns + ours(row)]));
        }
        let mut biases = vec![0.0; 2 * columns];
        biases[2 * columns - units..].copy_from_slice(bias.values());
        let name = recurrent.name.clone();
        let builder = &mut self.builder;
        let order = builder.weights(&format!("{name}/order"), &[1, columns, columns], &order);
        let rows = builder.weights(&format!("{name}/gates"), &[1, columns, units], &rows);
        let biases = builder.weights(&format!("{name}/biases"), &[1, 2 * columns], &biases);
        let input = self.of(input)?;
        let builder = &mut self.builder;
        let by_time = builder.transpose(&input, &[1, 0, 2]);
        let settings =
            [("hidden_size", Setting::Int(units as i64)), ("linear_before_reset", Setting::Int(1))];
        let states = builder.node_with("GRU", &[&by_time, &order, &rows, &biases], &settings);
        let states = builder.squeeze(&states, 1);
        Ok(builder.transpose(&states, &[1, 0, 2]))
    }
}
