//! Histories that stand in columns of the rows.

use super::description::{ColumnName, Parsed};
use crate::Result;
use crate::assemble::{GivenRows, Histories, RawRows};
use crate::records::Records;
use ctr_core::{Cardinality, EventColumn, Sequences};
use std::collections::HashMap;

/// Histories that rows bring along: each distinct one is kept once.
pub(super) struct Given {
    columns: Vec<ColumnName>,
    fields: Vec<(String, usize, Cardinality)>,
    sequences: Sequences,
    known: HashMap<Vec<u32>, u32>,
    of_row: Vec<u32>,
    lengths: Vec<u32>,
}

impl Given {
    pub fn new(parsed: &Parsed, vocabularies: &HashMap<&str, usize>) -> Self {
        let behaviors = &parsed.description.behaviors;
        let fields = behaviors.iter().filter_map(|name| {
            Some((name.clone(), *vocabularies.get(name.as_str())?, Cardinality::One))
        });
        Self {
            columns: parsed.history_columns.clone(),
            fields: fields.collect(),
            sequences: Sequences {
                offsets: vec![0],
                fields: vec![EventColumn::default(); parsed.history_columns.len()],
            },
            known: HashMap::new(),
            of_row: Vec::new(),
            lengths: Vec::new(),
        }
    }

    pub fn push(&mut self, records: &Records, places: &[usize], rows: &mut RawRows) -> Result<()> {
        let Some(&first) = places.first() else { return Ok(()) };
        let mut events: Vec<u32> = Vec::new();
        let mut length = None;
        for ((&place, column), (_, vocabulary, _)) in
            places.iter().zip(&self.columns).zip(&self.fields)
        {
            let before = events.len();
            let letter = column.joined_by.unwrap_or('^');
            let texts = &mut rows.vocabularies[*vocabulary].texts;
            let values = records.value(place).split(letter).filter(|value| !value.is_empty());
            events.extend(values.map(|value| texts.intern(value)));
            let count = events.len() - before;
            if *length.get_or_insert(count) != count {
                let problem = format!("{count} events, {:?} has others", self.columns[0].name);
                let remedy = "give every event a value in each history column";
                return Err(records.fail_in(place.max(first), &problem, remedy));
            }
        }
        let length = length.unwrap_or_default();
        let next = self.sequences.offsets.len() as u32 - 1;
        let sequence = match self.known.get(&events) {
            Some(&known) => known,
            None => {
                for (field, column) in self.sequences.fields.iter_mut().enumerate() {
                    column.ids.extend_from_slice(&events[field * length..(field + 1) * length]);
                }
                let end = self.sequences.offsets[next as usize] + length as u32;
                self.sequences.offsets.push(end);
                self.known.insert(events, next);
                next
            }
        };
        self.of_row.push(sequence);
        self.lengths.push(length as u32);
        Ok(())
    }

    pub fn finish(self) -> Histories {
        Histories::Given {
            sequences: self.sequences,
            fields: self.fields,
            rows: GivenRows::OfRow { sequences: self.of_row, lengths: self.lengths },
        }
    }
}
