//! Checks that every model must pass, for the tests of model crates (and of a model you add).

use crate::gradient_check::{Disagreement, worst_disagreement};
use crate::{Network, Optimizer, OptimizerConfig, OptimizerKind, Result, Schedule, ScoringMemory};
use ctr_core::{Batch, Cardinality, EventColumn, GroupEvents, RandomStream, Role, Schema};

/// Random rows of a schema: histories of 0 to `longest` events, bags of 0 to 3 ids, labels in turn.
pub fn random_batch(
    schema: &Schema,
    rows: usize,
    longest: u64,
    stream: &mut RandomStream,
) -> Batch {
    let mut batch = Batch {
        labels: (0..rows).map(|row| (row % 2) as f32).collect(),
        groups: Vec::with_capacity(schema.groups.len()),
    };
    for group in &schema.groups {
        let mut events = GroupEvents::default();
        let mut count = rows;
        if group.role == Role::Behaviors {
            events.offsets.push(0);
            let mut end = 0;
            for _ in 0..rows {
                end += stream.below(longest + 1) as u32;
                events.offsets.push(end);
            }
            count = end as usize;
        }
        for field in &group.fields {
            let size = u64::from(schema.vocabularies[field.vocabulary].size);
            let mut column = EventColumn::default();
            column.clear(field.cardinality == Cardinality::Many);
            for _ in 0..count {
                let ids = match field.cardinality {
                    Cardinality::One => 1,
                    Cardinality::Many => stream.below(4),
                };
                for _ in 0..ids {
                    column.ids.push(1 + stream.below(size - 1) as u32);
                }
                if field.cardinality == Cardinality::Many {
                    column.offsets.push(column.ids.len() as u32);
                }
            }
            events.fields.push(column);
        }
        batch.groups.push(events);
    }
    batch
}

/// The given rows of a batch, in that order.
pub fn select_rows(schema: &Schema, batch: &Batch, rows: &[usize]) -> Batch {
    let mut selected = Batch {
        labels: rows.iter().map(|&row| batch.labels[row]).collect(),
        groups: Vec::with_capacity(batch.groups.len()),
    };
    for (group, events) in schema.groups.iter().zip(&batch.groups) {
        let mut part = GroupEvents::default();
        let behaviors = group.role == Role::Behaviors;
        if behaviors {
            part.offsets.push(0);
        }
        for (field, source) in group.fields.iter().zip(&events.fields) {
            let mut column = EventColumn::default();
            column.clear(field.cardinality == Cardinality::Many);
            for &row in rows {
                let (from, to) = if behaviors {
                    (events.offsets[row] as usize, events.offsets[row + 1] as usize)
                } else {
                    (row, row + 1)
                };
                column.extend_from(source, from, to);
            }
            part.fields.push(column);
        }
        if behaviors {
            let mut end = 0;
            for &row in rows {
                end += events.offsets[row + 1] - events.offsets[row];
                part.offsets.push(end);
            }
        }
        selected.groups.push(part);
    }
    selected
}

/// Exchanges the candidates of rows 0 and 1, of 2 and 3 and so on, and nothing else.
pub fn swap_candidates(schema: &Schema, batch: &Batch) -> Batch {
    let swapped: Vec<usize> = (0..batch.rows()).map(|row| row ^ 1).collect();
    let other = select_rows(schema, batch, &swapped);
    let mut result = batch.clone();
    for (index, group) in schema.groups.iter().enumerate() {
        if group.role == Role::Candidate {
            result.groups[index] = other.groups[index].clone();
        }
    }
    result
}

/// Moves every weight by a normal draw of standard deviation `std`, so that no gradient is zero because
/// a weight begins at zero.
pub fn randomize(network: &mut Network, std: f64, stream: &mut RandomStream) {
    let weights = &mut network.weights;
    let parameters = weights.parameters.iter_mut().map(crate::Parameter::values_mut);
    let tables = weights.tables.iter_mut().map(crate::EmbeddingTable::values_mut);
    for values in parameters.chain(tables) {
        for value in values {
            *value += (std * stream.normal()) as f32;
        }
    }
}

/// What [`check`] measured.
#[derive(Clone, Debug)]
pub struct Checked {
    /// Backward pass against central differences.
    pub gradients: Disagreement,
    /// Largest change when a user's positive and negative are exchanged, against the exchanged scores.
    pub swap_difference: f32,
    /// Smallest difference between a user's two scores: that swapping was no empty test.
    pub smallest_gap: f32,
    /// Largest difference between a row scored alone and among others.
    pub alone_difference: f32,
    /// Largest difference between the candidates of one user ranked together and scored row by row.
    pub ranking_difference: f32,
    /// Loss after learning 32 rows by heart.
    pub overfitted_loss: f64,
    /// Whether stored and reloaded weights score bit by bit alike.
    pub reload_equal: bool,
}

impl Checked {
    /// Whether all is as it must be.
    ///
    /// # Errors
    /// Names the first figure outside its bound, with all figures.
    pub fn verdict(&self) -> std::result::Result<(), String> {
        let bounds = [
            (
                "the backward pass disagrees with central differences",
                self.gradients.relative < 1e-2,
            ),
            ("too few weights were compared", self.gradients.compared >= 30),
            ("too many weights lie at a kink", self.gradients.kinks * 10 < self.gradients.compared),
            ("a user's positive and negative score alike", self.smallest_gap > 1e-4),
            ("swapping the candidates does not swap the scores", self.swap_difference < 1e-5),
            ("a score depends on the batch's other rows", self.alone_difference < 1e-5),
            ("ranking differs from scoring", self.ranking_difference < 1e-5),
            ("32 rows cannot be learned by heart", self.overfitted_loss < 0.01),
            ("reloaded weights score otherwise", self.reload_equal),
        ];
        match bounds.iter().find(|(_, holds)| !holds) {
            Some((failure, _)) => Err(format!("{failure}: {self:?}")),
            None => Ok(()),
        }
    }
}

/// Runs all checks on a model of `schema`. `build` gives a fresh network.
///
/// # Errors
/// Those of the model.
pub fn check(
    schema: &Schema,
    build: impl Fn() -> Result<Network>,
    stream: &mut RandomStream,
) -> Result<Checked> {
    let mut memory = ScoringMemory::default();
    let mut network = build()?;
    randomize(&mut network, 0.3, stream);
    let batch = random_batch(schema, 12, 6, stream);
    let gradients = worst_disagreement(&mut network, &batch, stream, 24, 4e-3, 2e-2)?;

    // Neighboring rows share a user: the same history, another candidate.
    let pairs: Vec<usize> = (0..batch.rows()).map(|row| row & !1).collect();
    let mut users = select_rows(schema, &batch, &pairs);
    for (index, group) in schema.groups.iter().enumerate() {
        if group.role == Role::Candidate {
            users.groups[index] = batch.groups[index].clone();
        }
    }
    let scores = network.score(&users, &mut memory)?;
    let swapped = network.score(&swap_candidates(schema, &users), &mut memory)?;
    let difference = |left: f32, right: f32| (left - right).abs();
    let swap_difference =
        (0..scores.len()).map(|row| difference(scores[row], swapped[row ^ 1])).fold(0.0, f32::max);
    let smallest_gap = (0..scores.len())
        .map(|row| difference(scores[row], scores[row ^ 1]))
        .fold(f32::INFINITY, f32::min);

    let mut alone_difference = 0.0f32;
    for (row, &among_others) in scores.iter().enumerate() {
        let alone = network.score(&select_rows(schema, &users, &[row]), &mut memory)?;
        alone_difference = alone_difference.max(difference(alone[0], among_others));
    }

    let mut ranking_difference = 0.0f32;
    for owner in 0..batch.rows() {
        let mut request = select_rows(schema, &batch, &vec![owner; batch.rows()]);
        for (index, group) in schema.groups.iter().enumerate() {
            if group.role == Role::Candidate {
                request.groups[index] = batch.groups[index].clone();
            }
        }
        let scores = network.score(&request, &mut memory)?;
        let one = select_rows(schema, &batch, &[owner]);
        for (index, group) in schema.groups.iter().enumerate() {
            if group.role == Role::Behaviors {
                request.groups[index] = one.groups[index].clone();
            }
        }
        let ranked = network.rank(&request, &mut memory)?;
        let pairs = scores.iter().zip(&ranked);
        ranking_difference =
            pairs.map(|(&left, &right)| difference(left, right)).fold(ranking_difference, f32::max);
    }

    let mut fresh = build()?;
    let config = OptimizerConfig {
        kind: OptimizerKind::Adam,
        learning_rate: 0.02,
        schedule: Schedule::Constant,
        clip_norm: 0.0,
    };
    let mut optimizer = Optimizer::new(config, &fresh.weights)?;
    let rows = random_batch(schema, 32, 5, stream);
    let mut overfitted_loss = f64::INFINITY;
    for _ in 0..1500 {
        overfitted_loss = fresh.train_step(&rows, &mut optimizer)?.loss;
    }

    let mut reloaded = build()?;
    let bytes = fresh.weights.export().to_bytes()?;
    reloaded.weights.import(&crate::NamedTensors::from_bytes(&bytes)?)?;
    let bits = |scores: Vec<f32>| scores.into_iter().map(f32::to_bits).collect::<Vec<_>>();
    let reload_equal = bits(fresh.score(&rows, &mut memory)?)
        == bits(reloaded.score(&rows, &mut ScoringMemory::default())?);
    Ok(Checked {
        gradients,
        swap_difference,
        smallest_gap,
        alone_difference,
        ranking_difference,
        overfitted_loss,
        reload_equal,
    })
}
