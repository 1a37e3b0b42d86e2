//! A prepared dataset in memory.

use crate::{Batch, Cardinality, Ceiling, Error, EventColumn, Result, Role, Schema};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ops::Range;

/// How rows are split and what the test rows may be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    /// Choose on validation, report test once. On the Amazon data: a user's last event is test, the
    /// last but one validation.
    HeldOut,
    /// As the authors did: no validation, the best of all test evaluations is reported, which is an
    /// optimistic number. On the Amazon data: the last event is test, all others training.
    Authors,
}

impl std::fmt::Display for Protocol {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::HeldOut => "held-out",
            Self::Authors => "authors",
        })
    }
}

impl std::str::FromStr for Protocol {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        match text {
            "held-out" => Ok(Self::HeldOut),
            "authors" => Ok(Self::Authors),
            other => Err(format!("unknown protocol {other:?}: expected held-out or authors")),
        }
    }
}

/// A part of a dataset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Split {
    /// Rows to learn from.
    Train,
    /// Rows to choose on; empty under [`Protocol::Authors`].
    Validation,
    /// Rows to report.
    Test,
}

impl Split {
    /// All three, in order.
    pub const ALL: [Self; 3] = [Self::Train, Self::Validation, Self::Test];

    /// Lower-case name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Validation => "validation",
            Self::Test => "test",
        }
    }
}

/// Sequences of events in time order, each stored once: one a user, or more where a source gives
/// histories that are not beginnings of one another. Samples refer to prefixes of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sequences {
    /// Sequence `s` has events `offsets[s]..offsets[s + 1]`.
    pub offsets: Vec<u32>,
    /// One column a field of the behaviors group.
    pub fields: Vec<EventColumn>,
}

/// Rows of one split, column by column.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Samples {
    /// The user of each row: the group of gAUC.
    pub users: Vec<u32>,
    /// The sequence of each row, an index into [`Sequences::offsets`]; empty when it is the user's number
    /// in every row.
    pub sequences: Vec<u32>,
    /// Number of the sequence's events, counted from the oldest, that form the row's history.
    pub history_lengths: Vec<u32>,
    /// 1 for a click, 0 for none.
    pub labels: Vec<u8>,
    /// One entry a group of the schema, each with one column a field; empty for the behaviors group.
    pub groups: Vec<Vec<EventColumn>>,
}

impl Samples {
    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.labels.len()
    }

    /// The sequence that a row's history is a prefix of.
    pub fn sequence(&self, row: usize) -> u32 {
        self.sequences.get(row).copied().unwrap_or_else(|| self.users[row])
    }
}

/// A prepared dataset.
#[derive(Clone, Debug, PartialEq)]
pub struct Dataset {
    /// Identifier, such as `amazon-beauty`.
    pub id: String,
    /// SHA-256 over the content (not over the files): equal on every machine.
    pub content_sha256: String,
    /// How the splits below were made.
    pub protocol: Protocol,
    /// How rows were split, for the signature: `last-item`, `users`.
    pub split_rule: String,
    /// What a negative is, for the signature: `uniform-1`, `observed`.
    pub negatives: String,
    /// The latest events of a history that rows keep at most, where the data was prepared with a limit.
    pub history_limit: Option<u32>,
    /// True for data of the simulator, which every table's caption must say.
    pub simulated: bool,
    /// What scoring by the true probabilities reaches on the test rows; known for simulations alone.
    pub ceiling: Option<Ceiling>,
    /// Counts for table 2: `users`, `goods`, `categories`, `samples` and others.
    pub statistics: BTreeMap<String, u64>,
    /// Groups and vocabularies.
    pub schema: Schema,
    /// Histories.
    pub sequences: Sequences,
    /// Rows to learn from.
    pub train: Samples,
    /// Rows to choose on.
    pub validation: Samples,
    /// Rows to report.
    pub test: Samples,
}

impl Dataset {
    /// The rows of a split.
    pub fn split(&self, split: Split) -> &Samples {
        match split {
            Split::Train => &self.train,
            Split::Validation => &self.validation,
            Split::Test => &self.test,
        }
    }

    /// Checks that all columns fit the schema and one another, so that [`Dataset::fill_batch`] and every
    /// model can rely on it: lengths, offsets that never fall, ids within their vocabulary, histories no
    /// longer than the user's sequence, labels 0 or 1.
    ///
    /// # Errors
    /// Names the first split, field and row that does not fit.
    pub fn validate(&self) -> Result<()> {
        self.schema.validate()?;
        let fail = |reason: String| Err(Error::Dataset { dataset: self.id.clone(), reason });
        let behaviors = self.schema.behaviors();
        let sequence_events = self.sequences.offsets.last().map_or(0, |&end| end as usize);
        if self.sequences.offsets.windows(2).any(|pair| pair[0] > pair[1]) {
            return fail("sequence offsets fall".into());
        }
        if let Some(group) = behaviors {
            self.check_columns("sequences", group, &self.sequences.fields, sequence_events)?;
        }
        for split in Split::ALL {
            let samples = self.split(split);
            let (name, rows) = (split.name(), samples.rows());
            let sequences = samples.sequences.len();
            if samples.users.len() != rows
                || samples.history_lengths.len() != rows
                || (sequences != 0 && sequences != rows)
            {
                return fail(format!("{name}: columns of different lengths"));
            }
            if samples.groups.len() != self.schema.groups.len() {
                return fail(format!(
                    "{name}: {} groups, the schema has {}",
                    samples.groups.len(),
                    self.schema.groups.len()
                ));
            }
            if let Some(row) = samples.labels.iter().position(|&label| label > 1) {
                return fail(format!(
                    "{name} row {row}: label {}, expected 0 or 1",
                    samples.labels[row]
                ));
            }
            for (group, columns) in samples.groups.iter().enumerate() {
                if Some(group) != behaviors {
                    self.check_columns(name, group, columns, rows)?;
                }
            }
            if behaviors.is_some() {
                let sequences = self.sequences.offsets.len().saturating_sub(1);
                for (row, &length) in samples.history_lengths.iter().enumerate() {
                    let sequence = samples.sequence(row) as usize;
                    if sequence >= sequences {
                        return fail(format!(
                            "{name} row {row}: sequence {sequence} of {sequences}"
                        ));
                    }
                    let [start, end] =
                        [sequence, sequence + 1].map(|index| self.sequences.offsets[index]);
                    if length > end - start {
                        return fail(format!(
                            "{name} row {row}: history of {length} events, the sequence has {}",
                            end - start
                        ));
                    }
                }
            }
        }
        Ok(())
    }

    fn check_columns(
        &self,
        place: &str,
        group: usize,
        columns: &[EventColumn],
        events: usize,
    ) -> Result<()> {
        let fail = |reason: String| Err(Error::Dataset { dataset: self.id.clone(), reason });
        let fields = &self.schema.groups[group].fields;
        if columns.len() != fields.len() {
            return fail(format!("{place}: {} columns for {} fields", columns.len(), fields.len()));
        }
        for (column, field) in columns.iter().zip(fields) {
            let bag = field.cardinality == Cardinality::Many;
            let consistent = if bag {
                column.offsets.first() == Some(&0)
                    && column.offsets.windows(2).all(|pair| pair[0] <= pair[1])
                    && column.offsets.last().map(|&end| end as usize) == Some(column.ids.len())
            } else {
                column.offsets.is_empty()
            };
            if !consistent || column.events() != events {
                return fail(format!(
                    "{place}: field {} has {} events, expected {events}",
                    field.name,
                    column.ids.len()
                ));
            }
            let size = self.schema.vocabularies[field.vocabulary].size;
            if let Some(position) = column.ids.iter().position(|&id| id >= size) {
                return fail(format!(
                    "{place}: field {} has id {} at {position}, the vocabulary ends at {}",
                    field.name,
                    column.ids[position],
                    size - 1
                ));
            }
        }
        Ok(())
    }

    /// The events of a row's history in [`Dataset::sequences`]: the latest of them, as many as
    /// `max_history` and [`Dataset::history_limit`] allow.
    pub(crate) fn history(
        &self,
        samples: &Samples,
        row: usize,
        max_history: Option<u32>,
    ) -> Range<u32> {
        let most = [max_history, self.history_limit].into_iter().flatten().min();
        let end =
            self.sequences.offsets[samples.sequence(row) as usize] + samples.history_lengths[row];
        end - samples.history_lengths[row].min(most.unwrap_or(u32::MAX))..end
    }

    /// Copies the given rows of a split into `batch`, whose memory is reused. `max_history`, when given,
    /// keeps only the latest events of each history, as [`Dataset::history_limit`] does.
    ///
    /// The dataset must have passed [`Dataset::validate`]; `rows` must be rows of the split.
    pub fn fill_batch(
        &self,
        split: Split,
        rows: &[u32],
        max_history: Option<u32>,
        batch: &mut Batch,
    ) {
        let samples = self.split(split);
        batch.labels.clear();
        batch.labels.extend(rows.iter().map(|&row| f32::from(samples.labels[row as usize])));
        batch.groups.resize_with(self.schema.groups.len(), Default::default);
        for (index, group) in self.schema.groups.iter().enumerate() {
            let events = &mut batch.groups[index];
            events.offsets.clear();
            events.fields.resize_with(group.fields.len(), Default::default);
            for (column, field) in events.fields.iter_mut().zip(&group.fields) {
                column.clear(field.cardinality == Cardinality::Many);
            }
            if group.role == Role::Behaviors {
                events.offsets.push(0);
                let mut total = 0;
                for &row in rows {
                    let history = self.history(samples, row as usize, max_history);
                    let (from, to) = (history.start as usize, history.end as usize);
                    for (column, source) in events.fields.iter_mut().zip(&self.sequences.fields) {
                        column.extend_from(source, from, to);
                    }
                    total += history.end - history.start;
                    events.offsets.push(total);
                }
            } else {
                for (column, source) in events.fields.iter_mut().zip(&samples.groups[index]) {
                    for &row in rows {
                        column.extend_from(source, row as usize, row as usize + 1);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Two users with three and two events; goods g has category 1 + g % 2.
    pub(crate) fn small() -> Dataset {
        let cates = |goods: &[u32]| goods.iter().map(|g| 1 + g % 2).collect::<Vec<_>>();
        let samples = |users: &[u32], lengths: &[u32], goods: &[u32], labels: &[u8]| Samples {
            users: users.to_vec(),
            sequences: Vec::new(),
            history_lengths: lengths.to_vec(),
            labels: labels.to_vec(),
            groups: vec![
                Vec::new(),
                vec![EventColumn::single(goods.to_vec()), EventColumn::single(cates(goods))],
            ],
        };
        let goods = [1, 2, 3, 4, 5];
        Dataset {
            id: "small".into(),
            content_sha256: String::new(),
            protocol: Protocol::Authors,
            split_rule: "last-item".into(),
            negatives: "uniform-1".into(),
            history_limit: None,
            simulated: true,
            ceiling: None,
            statistics: BTreeMap::new(),
            schema: Schema::goods_and_categories(5, 2),
            sequences: Sequences {
                offsets: vec![0, 3, 5],
                fields: vec![
                    EventColumn::single(goods.to_vec()),
                    EventColumn::single(cates(&goods)),
                ],
            },
            train: samples(&[0, 0], &[1, 2], &[2, 5], &[1, 0]),
            validation: samples(&[], &[], &[], &[]),
            test: samples(&[1, 1], &[1, 0], &[5, 1], &[1, 0]),
        }
    }

    #[test]
    fn batches_are_ragged_and_follow_the_rows_asked_for() {
        let dataset = small();
        dataset.validate().unwrap();
        let mut batch = Batch::default();
        dataset.fill_batch(Split::Train, &[1, 0], None, &mut batch);
        assert_eq!(batch.labels, [0.0, 1.0]);
        assert_eq!(batch.groups[0].offsets, [0, 2, 3]);
        assert_eq!(batch.groups[0].fields[0].ids, [1, 2, 1]);
        assert_eq!(batch.groups[1].fields[0].ids, [5, 2]);
        // The same memory serves the next batch; an empty history stays empty.
        dataset.fill_batch(Split::Test, &[0, 1], None, &mut batch);
        assert_eq!(batch.groups[0].offsets, [0, 1, 1]);
        assert_eq!(batch.groups[0].fields[0].ids, [4]);
    }

    #[test]
    fn a_history_limit_keeps_the_latest_events() {
        let mut batch = Batch::default();
        small().fill_batch(Split::Train, &[1], Some(1), &mut batch);
        assert_eq!(batch.groups[0].fields[0].ids, [2]);
    }

    #[test]
    fn the_smaller_of_two_limits_counts_and_rows_may_name_their_sequence() {
        let mut dataset = small();
        dataset.history_limit = Some(1);
        dataset.train.sequences = vec![1, 0];
        dataset.validate().unwrap();
        let mut batch = Batch::default();
        dataset.fill_batch(Split::Train, &[0, 1], Some(2), &mut batch);
        assert_eq!(batch.groups[0].fields[0].ids, [4, 2]);
        assert_eq!(batch.groups[0].offsets, [0, 1, 2]);

        dataset.train.sequences = vec![1];
        assert!(dataset.validate().unwrap_err().to_string().contains("different lengths"));
        dataset.train.sequences = vec![2, 0];
        assert!(dataset.validate().unwrap_err().to_string().contains("sequence 2 of 2"));
    }

    #[test]
    fn wrong_columns_are_named() {
        let mut dataset = small();
        dataset.test.groups[1][0].ids[1] = 99;
        let message = dataset.validate().unwrap_err().to_string();
        assert!(message.contains("test") && message.contains("id 99"), "{message}");

        let mut dataset = small();
        dataset.train.history_lengths[0] = 4;
        assert!(dataset.validate().unwrap_err().to_string().contains("history of 4 events"));
    }

    #[test]
    fn protocols_are_written_as_they_are_read() {
        for protocol in [Protocol::HeldOut, Protocol::Authors] {
            assert_eq!(protocol.to_string().parse(), Ok(protocol));
            let json = serde_json::to_value(protocol).unwrap();
            assert_eq!(json, serde_json::json!(protocol.to_string()));
        }
    }
}
