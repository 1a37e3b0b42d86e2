//! What models see of a dataset: its fields counted, and datasets with less in them.

use crate::{
    Cardinality, Dataset, Error, EventColumn, FieldSummary, Result, Role, Samples, Schema, Split,
};
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;

impl Dataset {
    /// Every field as the paper's table 1 describes it; ids a row are counted over training rows.
    pub fn field_summaries(&self) -> Vec<FieldSummary> {
        let mut counts = TrainingCounts::default();
        counts.add(self);
        counts.summaries(&self.schema)
    }

    /// Ids of a behaviors field in the histories of all training rows.
    fn history_ids(&self, column: &EventColumn) -> u64 {
        let ids_before = |event: u32| match column.offsets.get(event as usize) {
            Some(&offset) => u64::from(offset),
            None => u64::from(event),
        };
        (0..self.train.rows())
            .map(|row| {
                let history = self.history(&self.train, row, None);
                ids_before(history.end) - ids_before(history.start)
            })
            .sum()
    }

    /// The dataset without the fields of one vocabulary: the paper's "without goods_ids feature".
    ///
    /// # Errors
    /// When there is no such vocabulary, or a group would have no field left.
    pub fn without_vocabulary(&self, name: &str) -> Result<Self> {
        let vocabulary = self.vocabulary_number(name)?;
        let mut less = self.clone();
        for (index, group) in self.schema.groups.iter().enumerate() {
            for place in (0..group.fields.len()).rev() {
                if group.fields[place].vocabulary != vocabulary {
                    continue;
                }
                less.schema.groups[index].fields.remove(place);
                if group.role == Role::Behaviors {
                    less.sequences.fields.remove(place);
                } else {
                    for split in Split::ALL {
                        less.split_mut(split).groups[index].remove(place);
                    }
                }
            }
        }
        less.schema.vocabularies.remove(vocabulary);
        for group in &mut less.schema.groups {
            for field in &mut group.fields {
                field.vocabulary -= usize::from(field.vocabulary > vocabulary);
            }
        }
        less.validate()?;
        Ok(less)
    }

    /// The dataset with only the most frequent ids of one vocabulary: `share` of its real ids stay, the
    /// rest become the reserved id 0. Frequency is the number of training rows with the id in their
    /// history; equal ones stay in the order of ids. Ids are replaced in histories, with `candidates` in
    /// all other groups too (paper, section 6.5: "filter visited goods_id by occurrence frequency").
    ///
    /// # Errors
    /// When there is no such vocabulary or no behaviors field of it, or `share` is not from 0 to 1.
    pub fn keep_frequent(&self, name: &str, share: f64, candidates: bool) -> Result<Self> {
        self.keep_ids(name, &self.frequent_ids(name, share)?, candidates)
    }

    /// The dataset with only those ids of one vocabulary that `kept` has true for; see
    /// [`Dataset::keep_frequent`].
    ///
    /// # Errors
    /// When there is no such vocabulary or no behaviors field of it, or `kept` is not of its size.
    pub fn keep_ids(&self, name: &str, kept: &[bool], candidates: bool) -> Result<Self> {
        let vocabulary = self.vocabulary_number(name)?;
        let size = self.schema.vocabularies[vocabulary].size;
        if kept.len() != size as usize {
            return self.refused(format!("{} ids of {name} are judged, not {size}", kept.len()));
        }
        let place = self.behaviors_place(name)?;
        let mut less = self.clone();
        let filter = |column: &mut EventColumn| {
            for id in &mut column.ids {
                *id = if kept[*id as usize] { *id } else { 0 };
            }
        };
        filter(&mut less.sequences.fields[place]);
        for (index, group) in self.schema.groups.iter().enumerate() {
            if !candidates || group.role == Role::Behaviors {
                continue;
            }
            for (place, field) in group.fields.iter().enumerate() {
                if field.vocabulary == vocabulary {
                    for split in Split::ALL {
                        filter(&mut less.split_mut(split).groups[index][place]);
                    }
                }
            }
        }
        Ok(less)
    }

    /// Which ids of a vocabulary [`Dataset::keep_frequent`] keeps.
    ///
    /// # Errors
    /// Those of [`Dataset::keep_frequent`].
    pub fn frequent_ids(&self, name: &str, share: f64) -> Result<Vec<bool>> {
        self.most_frequent(name, share, &self.rows_with(name)?)
    }

    /// [`Dataset::frequent_ids`] by counts of training rows that are known, in [`Dataset::rows_with`]'s
    /// order; sums of it over shards are the counts of all.
    ///
    /// # Errors
    /// Those of [`Dataset::keep_frequent`].
    pub fn most_frequent(&self, name: &str, share: f64, counts: &[u32]) -> Result<Vec<bool>> {
        if !(0.0..=1.0).contains(&share) {
            return self
                .refused(format!("a share of {share} of {name} cannot stay, expected 0 to 1"));
        }
        let size = self.schema.vocabularies[self.vocabulary_number(name)?].size;
        let mut order: Vec<u32> = (1..size).collect();
        let count_of = |id: u32| counts.get(id as usize).copied().unwrap_or_default();
        order.sort_by_key(|&id| (Reverse(count_of(id)), id));
        let mut kept = vec![false; size as usize];
        let count = (f64::from(size - 1) * share).round() as usize;
        order[..count.min(order.len())].iter().for_each(|&id| kept[id as usize] = true);
        Ok(kept)
    }

    /// The field of behaviors that holds ids of a vocabulary.
    fn behaviors_place(&self, name: &str) -> Result<usize> {
        let vocabulary = self.vocabulary_number(name)?;
        let behaviors = self.schema.behaviors().and_then(|group| {
            let fields = &self.schema.groups[group].fields;
            fields.iter().position(|field| field.vocabulary == vocabulary)
        });
        behaviors.map_or_else(
            || {
                self.refused(format!(
                    "{name} is no field of behaviors, so nothing says how frequent it is"
                ))
            },
            Ok,
        )
    }

    fn refused<T>(&self, reason: String) -> Result<T> {
        Err(Error::Dataset { dataset: self.id.clone(), reason })
    }

    /// In how many training rows' histories each id of a vocabulary occurs.
    ///
    /// # Errors
    /// When there is no such vocabulary or no behaviors field of it.
    pub fn rows_with(&self, name: &str) -> Result<Vec<u32>> {
        let column = &self.sequences.fields[self.behaviors_place(name)?];
        let size = self.schema.vocabularies[self.vocabulary_number(name)?].size;
        let mut counts = vec![0u32; size as usize];
        let mut last = vec![usize::MAX; size as usize];
        for row in 0..self.train.rows() {
            for event in self.history(&self.train, row, None) {
                for &id in column.event(event as usize) {
                    if last[id as usize] != row {
                        last[id as usize] = row;
                        counts[id as usize] += 1;
                    }
                }
            }
        }
        Ok(counts)
    }

    fn vocabulary_number(&self, name: &str) -> Result<usize> {
        let vocabularies = &self.schema.vocabularies;
        vocabularies.iter().position(|vocabulary| vocabulary.name == name).ok_or_else(|| {
            let known: Vec<&str> = vocabularies.iter().map(|one| one.name.as_str()).collect();
            let reason = format!("no vocabulary {name:?}: there are {}", known.join(", "));
            Error::Dataset { dataset: self.id.clone(), reason }
        })
    }

    fn split_mut(&mut self, split: Split) -> &mut Samples {
        match split {
            Split::Train => &mut self.train,
            Split::Validation => &mut self.validation,
            Split::Test => &mut self.test,
        }
    }
}

/// Ids of each field in training rows, for [`FieldSummary`]: of a dataset, or of its shards one after the other.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct TrainingCounts {
    rows: u64,
    /// Ids by group and field.
    ids: Vec<Vec<u64>>,
}

impl TrainingCounts {
    /// Counts the training rows of a dataset, or of one more shard of it.
    pub fn add(&mut self, dataset: &Dataset) {
        self.rows += dataset.train.rows() as u64;
        self.ids.resize_with(dataset.schema.groups.len(), Vec::new);
        for (index, group) in dataset.schema.groups.iter().enumerate() {
            self.ids[index].resize(group.fields.len(), 0);
            for (place, count) in self.ids[index].iter_mut().enumerate() {
                *count += if group.role == Role::Behaviors {
                    let column = dataset.sequences.fields.get(place);
                    column.map_or(0, |column| dataset.history_ids(column))
                } else {
                    let column = dataset.train.groups.get(index).and_then(|one| one.get(place));
                    column.map_or(0, |column| column.ids.len() as u64)
                };
            }
        }
    }

    /// Adds what another counted in other shards.
    pub fn merge(&mut self, other: &Self) {
        self.rows += other.rows;
        self.ids.resize_with(self.ids.len().max(other.ids.len()), Vec::new);
        for (sums, counts) in self.ids.iter_mut().zip(&other.ids) {
            sums.resize(sums.len().max(counts.len()), 0);
            sums.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
        }
    }

    /// Training rows so far.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Every field of the schema as the paper's table 1 describes it.
    pub fn summaries(&self, schema: &Schema) -> Vec<FieldSummary> {
        let rows = self.rows.max(1) as f64;
        let mut summaries = Vec::new();
        for (index, group) in schema.groups.iter().enumerate() {
            for (place, field) in group.fields.iter().enumerate() {
                let ids = self.ids.get(index).and_then(|counts| counts.get(place)).copied();
                summaries.push(FieldSummary {
                    group: group.name.clone(),
                    role: group.role,
                    name: field.name.clone(),
                    dimensionality: u64::from(schema.vocabularies[field.vocabulary].size) - 1,
                    multi_hot: group.role == Role::Behaviors
                        || field.cardinality == Cardinality::Many,
                    ids_per_row: ids.unwrap_or_default() as f64 / rows,
                });
            }
        }
        summaries
    }
}

#[cfg(test)]
mod tests {
    use crate::dataset::tests::small;

    #[test]
    fn fields_are_counted_over_training_rows() {
        let summaries = small().field_summaries();
        let of = |group: &str, name: &str| {
            summaries.iter().find(|field| field.group == group && field.name == name).unwrap()
        };
        // Histories of 1 and 2 events.
        let visited = of("behaviors", "goods_id");
        assert_eq!(
            (visited.dimensionality, visited.ids_per_row, visited.multi_hot),
            (5, 1.5, true)
        );
        let cate = of("candidate", "cate_id");
        assert_eq!((cate.dimensionality, cate.ids_per_row, cate.multi_hot), (2, 1.0, false));
    }

    #[test]
    fn a_vocabulary_can_be_left_out() {
        let dataset = small();
        let less = dataset.without_vocabulary("goods_id").unwrap();
        assert_eq!(less.schema.vocabularies.len(), 1);
        assert_eq!(less.schema.groups[0].fields[0].name, "cate_id");
        assert_eq!(less.sequences.fields, [dataset.sequences.fields[1].clone()]);
        assert_eq!(less.test.groups[1], [dataset.test.groups[1][1].clone()]);
        let message = dataset.without_vocabulary("shop_id").unwrap_err().to_string();
        assert!(message.contains("goods_id, cate_id"), "{message}");
        assert!(less.without_vocabulary("cate_id").is_err());
    }

    #[test]
    fn only_the_most_frequent_ids_stay() {
        // Training histories are [1] and [1, 2]: good 1 is in two rows, good 2 in one.
        let dataset = small();
        let visited = |share, candidates| {
            let less = dataset.keep_frequent("goods_id", share, candidates).unwrap();
            (less.sequences.fields[0].ids.clone(), less.test.groups[1][0].ids.clone())
        };
        assert_eq!(visited(0.2, false), (vec![1, 0, 0, 0, 0], vec![5, 1]));
        assert_eq!(visited(0.4, true), (vec![1, 2, 0, 0, 0], vec![0, 1]));
        assert_eq!(visited(1.0, true), (vec![1, 2, 3, 4, 5], vec![5, 1]));
        assert!(dataset.keep_frequent("goods_id", 1.5, false).is_err());
    }
}
