//! Inputs of the graph, and what a preparation makes of them.

use super::Preparation;
use super::builder::{Builder, Setting, value_info};
use super::proto::{ValueInfoProto, kind};
use crate::{Error, Result};
use ctr_core::{Cardinality, FieldReference, Role, Schema};
use ctr_nn::Events;
use std::collections::BTreeMap;

/// Ids of a field.
#[derive(Clone)]
pub(super) struct Ids {
    /// `[batch]`, or `[batch, length]`, and one dimension more for bags.
    pub ids: String,
    /// How many ids of each bag are real; none for one id an event.
    pub counts: Option<String>,
}

/// Which places of a padded history are real.
#[derive(Clone)]
pub(super) struct Places {
    /// Number of events, `[batch]`.
    pub lengths: String,
    /// The same, `[batch, 1]`.
    pub length_column: String,
    /// 0, 1, 2, … as `[length]`.
    pub range: String,
    /// Whether a place is real, `[batch, length]`.
    pub real: String,
    /// The same as 1 and 0 of f32, `[batch, length, 1]`.
    pub mask: String,
}

/// The inputs used so far.
pub(super) struct Inputs<'i> {
    schema: &'i Schema,
    preparation: &'i Preparation,
    declared: BTreeMap<(usize, usize, u8), ValueInfoProto>,
    ids: BTreeMap<FieldReference, Ids>,
    places: BTreeMap<Events, Places>,
    /// For each history with a limit, the place of the first event that stays, `[batch, 1]`.
    first: BTreeMap<usize, Option<String>>,
}

impl<'i> Inputs<'i> {
    pub fn new(schema: &'i Schema, preparation: &'i Preparation) -> Self {
        Self {
            schema,
            preparation,
            declared: BTreeMap::new(),
            ids: BTreeMap::new(),
            places: BTreeMap::new(),
            first: BTreeMap::new(),
        }
    }

    /// All inputs in the order of the schema.
    pub fn finish(self) -> Result<Vec<ValueInfoProto>> {
        let inputs: Vec<ValueInfoProto> = self.declared.into_values().collect();
        for (index, input) in inputs.iter().enumerate() {
            if inputs[..index].iter().any(|other| other.name == input.name) {
                let reason = format!("two inputs would be called {}; rename a field", input.name);
                return Err(Error::Model(reason));
            }
        }
        Ok(inputs)
    }

    fn is_history(&self, group: usize) -> bool {
        self.schema.groups[group].role == Role::Behaviors
    }

    fn declare(&mut self, field: FieldReference) -> Ids {
        let group = &self.schema.groups[field.group];
        let name = format!("{}.{}", group.name, self.schema.field(field).name);
        let mut dimensions = vec!["batch".to_string()];
        if group.role == Role::Behaviors {
            dimensions.push(format!("{}_length", group.name));
        }
        let counts = (self.schema.field(field).cardinality == Cardinality::Many).then(|| {
            let counts = format!("{name}.count");
            let text = format!("real ids in {name}");
            let info = value_info(&counts, kind::INT64, &dimensions, &text);
            self.declared.insert((field.group, field.field, 1), info);
            dimensions.push(format!("{name}_count"));
            counts
        });
        let size = self.schema.vocabulary(field).size;
        let text = format!("ids from 0 to {}", size - 1);
        let info = value_info(&name, kind::INT64, &dimensions, &text);
        self.declared.insert((field.group, field.field, 0), info);
        Ids { ids: name, counts }
    }

    /// A field's ids as the network wants them.
    pub fn field(&mut self, builder: &mut Builder, field: FieldReference) -> Ids {
        if let Some(known) = self.ids.get(&field) {
            return known.clone();
        }
        let mut ids = self.declare(field);
        let history = self.is_history(field.group);
        let kept = self.preparation.kept.get(&self.schema.field(field).vocabulary);
        if let Some((kept, _)) = kept.filter(|(_, everywhere)| history || *everywhere) {
            let become_id: Vec<i64> =
                (0..).zip(kept).map(|(id, &kept)| if kept { id } else { 0 }).collect();
            let table = builder.ints(&[become_id.len() as i64], &become_id);
            ids.ids = builder.node("Gather", &[&table, &ids.ids]);
        }
        if history && let Some(first) = self.first_place(builder, field.group) {
            ids.ids = shifted(builder, &ids.ids, &first);
            ids.counts = ids.counts.map(|counts| shifted(builder, &counts, &first));
        }
        self.ids.insert(field, ids.clone());
        ids
    }

    fn raw_length(&mut self, group: usize) -> String {
        let name = format!("{}.length", self.schema.groups[group].name);
        let text = format!("real events in {}", self.schema.groups[group].name);
        let info = value_info(&name, kind::INT64, &["batch".to_string()], &text);
        self.declared.insert((group, usize::MAX, 0), info);
        name
    }

    /// The place of the first event that the limit leaves, `[batch, 1]`; none without a limit.
    fn first_place(&mut self, builder: &mut Builder, group: usize) -> Option<String> {
        if let Some(known) = self.first.get(&group) {
            return known.clone();
        }
        let first = self.preparation.max_history.map(|most| {
            let length = self.raw_length(group);
            let (most, zero) = (builder.int(i64::from(most)), builder.int(0));
            let more = builder.node("Sub", &[&length, &most]);
            let first = builder.node("Max", &[&more, &zero]);
            builder.unsqueeze(&first, &[1])
        });
        self.first.insert(group, first.clone());
        first
    }

    /// The real places of a history.
    pub fn places(&mut self, builder: &mut Builder, events: &Events) -> Result<Places> {
        if let Some(known) = self.places.get(events) {
            return Ok(known.clone());
        }
        let (lengths, range) = match events {
            Events::OneARow => {
                return Err(Error::Model(
                    "a history is wanted where each row has one event".into(),
                ));
            }
            Events::Group(group) => {
                let mut lengths = self.raw_length(*group);
                if let Some(most) = self.preparation.max_history {
                    let most = builder.int(i64::from(most));
                    lengths = builder.node("Min", &[&lengths, &most]);
                }
                let field = FieldReference { group: *group, field: 0 };
                let ids = self.field(builder, field).ids;
                (lengths, builder.range_of(&ids, 1))
            }
            Events::WithCandidate(inner) => {
                let inner = self.places(builder, inner)?;
                let one = builder.int(1);
                let lengths = builder.node("Add", &[&inner.lengths, &one]);
                let (zero, one) = (builder.ints(&[1], &[0]), builder.int(1));
                let behind = builder.node("Add", &[&inner.range, &one]);
                (lengths, builder.concat(&[zero, behind], 0))
            }
        };
        let length_column = builder.unsqueeze(&lengths, &[1]);
        let real = builder.node("Less", &[&range, &length_column]);
        let mask = builder.cast(&real, kind::FLOAT);
        let mask = builder.unsqueeze(&mask, &[2]);
        let places = Places { lengths, length_column, range, real, mask };
        self.places.insert(events.clone(), places.clone());
        Ok(places)
    }
}

/// The values of a history from place `first` on, `[batch, length]` or more. Behind their end the last place is
/// repeated, which is padding.
fn shifted(builder: &mut Builder, value: &str, first: &str) -> String {
    let range = builder.range_of(value, 1);
    let place = builder.node("Add", &[&range, first]);
    let length = builder.size_of(value, 1);
    let one = builder.int(1);
    let last = builder.node("Sub", &[&length, &one]);
    let place = builder.node("Min", &[&place, &last]);
    let place = builder.unsqueeze(&place, &[2]);
    builder.node_with("GatherND", &[value, &place], &[("batch_dims", Setting::Int(1))])
}
