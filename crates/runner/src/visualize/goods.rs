//! The goods of a dataset: their categories, how often they were clicked, and where they stand as candidates.

use anyhow::{Context, Result};
use ctr_core::{Batch, Cardinality, Dataset, NamedGood, Split};
use ctr_dataset_prep::Keys;

/// Every good that is a candidate somewhere.
pub struct Goods<'d> {
    dataset: &'d Dataset,
    /// The candidate's group.
    group: usize,
    /// The behaviors' group, and the place of the categories in it.
    pub behaviors: usize,
    behavior_categories: usize,
    /// Vocabularies of goods and categories.
    pub vocabulary: usize,
    pub category_vocabulary: usize,
    /// Where each good is a candidate for the first time; by id.
    first: Vec<Option<(Split, u32)>>,
    categories: Vec<Vec<u32>>,
    /// Training rows with a click on the good; by id.
    pub clicks: Vec<u32>,
}

impl<'d> Goods<'d> {
    /// The candidate's first field names the good; its categories are the field whose name says so, or else the next
    /// one that behaviors have too.
    ///
    /// # Errors
    /// When the data has no histories, or no such fields.
    pub fn new(dataset: &'d Dataset) -> Result<Self> {
        let schema = &dataset.schema;
        let group = schema.candidate().context("the data has no candidates")?;
        let behaviors = schema.behaviors().context("the data has no histories")?;
        let fields = &schema.groups[group].fields;
        let good = fields.first().context("the candidate has no field")?;
        let in_behaviors = |vocabulary: usize| {
            schema.groups[behaviors].fields.iter().position(|field| field.vocabulary == vocabulary)
        };
        let shared: Vec<(usize, usize)> = (1..fields.len())
            .filter_map(|field| Some((field, in_behaviors(fields[field].vocabulary)?)))
            .collect();
        let says_so = |&&(field, _): &&(usize, usize)| {
            let name = &schema.vocabularies[fields[field].vocabulary].name;
            ["cate", "genre"].iter().any(|word| name.contains(word))
        };
        let &(category, behavior_categories) = shared
            .iter()
            .find(says_so)
            .or_else(|| shared.first())
            .context("candidates and behaviors have no categories in common")?;
        if good.cardinality == Cardinality::Many {
            anyhow::bail!("the candidate's first field, {}, holds several ids a row", good.name);
        }
        let size = schema.vocabularies[good.vocabulary].size as usize;
        let mut goods = Self {
            dataset,
            group,
            behaviors,
            behavior_categories,
            vocabulary: good.vocabulary,
            category_vocabulary: fields[category].vocabulary,
            first: vec![None; size],
            categories: vec![Vec::new(); size],
            clicks: vec![0; size],
        };
        for split in Split::ALL {
            let samples = dataset.split(split);
            let Some(columns) = samples.groups.get(group) else { continue };
            for row in 0..samples.rows() {
                let id = columns[0].ids[row] as usize;
                if goods.first[id].is_none() {
                    goods.first[id] = Some((split, row as u32));
                    goods.categories[id] = columns[category].event(row).to_vec();
                }
                if split == Split::Train && samples.labels[row] == 1 {
                    goods.clicks[id] += 1;
                }
            }
        }
        Ok(goods)
    }

    /// Goods that are candidates somewhere, the most clicked first, among equals the lower id.
    pub fn by_clicks(&self) -> Vec<u32> {
        let mut ids: Vec<u32> = (1..self.first.len() as u32)
            .filter(|&id| self.first[id as usize].is_some() && !self.categories(id).is_empty())
            .collect();
        ids.sort_by_key(|&id| std::cmp::Reverse(self.clicks[id as usize]));
        ids
    }

    /// Categories of a good.
    pub fn categories(&self, good: u32) -> &[u32] {
        &self.categories[good as usize]
    }

    /// The candidate of a row.
    pub fn candidate(&self, split: Split, row: u32) -> u32 {
        self.dataset.split(split).groups[self.group][0].ids[row as usize]
    }

    /// The good of an event of a batch's histories, and its categories.
    pub fn of_event<'b>(&self, batch: &'b Batch, event: usize) -> (u32, &'b [u32]) {
        let schema = &self.dataset.schema;
        let fields = &schema.groups[self.behaviors].fields;
        let columns = &batch.groups[self.behaviors].fields;
        let good = fields.iter().position(|field| field.vocabulary == self.vocabulary);
        let good = good.and_then(|field| columns[field].event(event).first().copied());
        (good.unwrap_or(0), columns[self.behavior_categories].event(event))
    }

    /// Puts other candidates, one a row, into a batch.
    pub fn set_candidates(&self, batch: &mut Batch, goods: &[u32]) {
        for (field, column) in batch.groups[self.group].fields.iter_mut().enumerate() {
            column.clear(!column.offsets.is_empty());
            for &good in goods {
                // Only goods that are candidates somewhere are ever asked for.
                let Some((split, row)) = self.first[good as usize] else { continue };
                let row = row as usize;
                column.extend_from(
                    &self.dataset.split(split).groups[self.group][field],
                    row,
                    row + 1,
                );
            }
        }
    }

    /// A good in words.
    pub fn named(&self, names: &[Keys], good: u32, categories: &[u32]) -> NamedGood {
        NamedGood {
            name: names[self.vocabulary].name(good).to_string(),
            categories: categories
                .iter()
                .map(|&id| names[self.category_vocabulary].name(id).to_string())
                .collect(),
        }
    }
}

/// Whether two goods share a category.
pub fn share(one: &[u32], other: &[u32]) -> bool {
    one.iter().any(|category| other.contains(category))
}
