//! What a row is made of: groups of fields over shared vocabularies (paper, table 1).

use crate::{Error, Result};
use serde::{Deserialize, Serialize};

/// A set of ids that fields draw from. Fields of the same vocabulary share embedding tables, as the
/// visited goods and the candidate good do in the paper's figure 2.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vocabulary {
    /// Name, such as `goods_id`.
    pub name: String,
    /// Number of ids including the reserved id 0: ids are `0..size`, real ones `1..size`.
    pub size: u32,
}

/// What part a group plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Gender, age level: one event a row.
    UserProfile,
    /// The user's history: any number of events a row, oldest first.
    Behaviors,
    /// The ad, good or movie to be scored: one event a row.
    Candidate,
    /// Time, position: one event a row.
    Context,
}

/// How many ids of a field one event carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cardinality {
    /// Exactly one, such as a good's category.
    One,
    /// A bag of any size, such as a movie's genres.
    Many,
}

/// One column of a group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Field {
    /// Name, unique in its group.
    pub name: String,
    /// Index into [`Schema::vocabularies`].
    pub vocabulary: usize,
    /// Ids an event carries.
    pub cardinality: Cardinality,
}

/// Fields that belong together: the fields of a behaviors group are aligned, so that one event is one
/// visited good with its shop and category.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// Name, unique in the schema.
    pub name: String,
    /// The group's part.
    pub role: Role,
    /// Its columns.
    pub fields: Vec<Field>,
}

/// Position of a field in a schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FieldReference {
    /// Index into [`Schema::groups`].
    pub group: usize,
    /// Index into [`Group::fields`].
    pub field: usize,
}

/// Groups of fields over vocabularies. Models are written on this type and know no dataset's names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schema {
    /// All vocabularies.
    pub vocabularies: Vec<Vocabulary>,
    /// All groups: at most one of behaviors, exactly one candidate.
    pub groups: Vec<Group>,
}

impl Schema {
    /// The schema of the paper's Amazon data: behaviors and candidate, each of goods and category.
    ///
    /// `goods` and `categories` are the numbers of real ids, to which the reserved id 0 is added.
    pub fn goods_and_categories(goods: u32, categories: u32) -> Self {
        let fields = || {
            vec![
                Field { name: "goods_id".into(), vocabulary: 0, cardinality: Cardinality::One },
                Field { name: "cate_id".into(), vocabulary: 1, cardinality: Cardinality::One },
            ]
        };
        Self {
            vocabularies: vec![
                Vocabulary { name: "goods_id".into(), size: goods + 1 },
                Vocabulary { name: "cate_id".into(), size: categories + 1 },
            ],
            groups: vec![
                Group { name: "behaviors".into(), role: Role::Behaviors, fields: fields() },
                Group { name: "candidate".into(), role: Role::Candidate, fields: fields() },
            ],
        }
    }

    /// Checks that the schema makes sense.
    ///
    /// # Errors
    /// Names the first of: no or two candidate groups, two behaviors groups, an empty group, a
    /// duplicate name, a vocabulary that does not exist or is empty, a behaviors field whose vocabulary
    /// no candidate field has.
    pub fn validate(&self) -> Result<()> {
        let fail = |reason: String| Err(Error::Schema(reason));
        for (index, vocabulary) in self.vocabularies.iter().enumerate() {
            if vocabulary.size < 2 {
                return fail(format!("vocabulary {} has no real id", vocabulary.name));
            }
            if self.vocabularies[..index].iter().any(|other| other.name == vocabulary.name) {
                return fail(format!("two vocabularies are called {}", vocabulary.name));
            }
        }
        for (index, group) in self.groups.iter().enumerate() {
            if group.fields.is_empty() {
                return fail(format!("group {} has no field", group.name));
            }
            if self.groups[..index].iter().any(|other| other.name == group.name) {
                return fail(format!("two groups are called {}", group.name));
            }
            for (position, field) in group.fields.iter().enumerate() {
                if field.vocabulary >= self.vocabularies.len() {
                    return fail(format!(
                        "field {} of group {} names vocabulary {}, but there are {}",
                        field.name,
                        group.name,
                        field.vocabulary,
                        self.vocabularies.len()
                    ));
                }
                if group.fields[..position].iter().any(|other| other.name == field.name) {
                    return fail(format!("group {} has two fields {}", group.name, field.name));
                }
            }
        }
        let count = |role| self.groups.iter().filter(|group| group.role == role).count();
        if count(Role::Candidate) != 1 {
            return fail(format!("{} candidate groups, expected 1", count(Role::Candidate)));
        }
        if count(Role::Behaviors) > 1 {
            return fail(format!(
                "{} behaviors groups, expected at most 1",
                count(Role::Behaviors)
            ));
        }
        if let Some(behaviors) = self.behaviors() {
            let candidate = self.candidate();
            for field in &self.groups[behaviors].fields {
                let known = candidate.is_some_and(|group| {
                    self.groups[group].fields.iter().any(|c| c.vocabulary == field.vocabulary)
                });
                if !known {
                    return fail(format!("behaviors field {} has no candidate field", field.name));
                }
            }
        }
        Ok(())
    }

    /// Index of the behaviors group.
    pub fn behaviors(&self) -> Option<usize> {
        self.groups.iter().position(|group| group.role == Role::Behaviors)
    }

    /// Index of the candidate group; every valid schema has one.
    pub fn candidate(&self) -> Option<usize> {
        self.groups.iter().position(|group| group.role == Role::Candidate)
    }

    /// References to all fields of a group, in order.
    pub fn fields_of(&self, group: usize) -> Vec<FieldReference> {
        (0..self.groups[group].fields.len()).map(|field| FieldReference { group, field }).collect()
    }

    /// The candidate's fields that correspond one to one to the behaviors' fields: same vocabulary,
    /// in the order of the behaviors. Empty without behaviors.
    pub fn candidate_like_behaviors(&self) -> Vec<FieldReference> {
        let (Some(behaviors), Some(candidate)) = (self.behaviors(), self.candidate()) else {
            return Vec::new();
        };
        self.groups[behaviors]
            .fields
            .iter()
            .filter_map(|wanted| {
                self.groups[candidate]
                    .fields
                    .iter()
                    .position(|field| field.vocabulary == wanted.vocabulary)
                    .map(|field| FieldReference { group: candidate, field })
            })
            .collect()
    }

    /// The field behind a reference.
    pub fn field(&self, reference: FieldReference) -> &Field {
        &self.groups[reference.group].fields[reference.field]
    }

    /// The vocabulary of a referenced field.
    pub fn vocabulary(&self, reference: FieldReference) -> &Vocabulary {
        &self.vocabularies[self.field(reference).vocabulary]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_amazon_schema_is_valid_and_shares_vocabularies() {
        let schema = Schema::goods_and_categories(10, 3);
        schema.validate().unwrap();
        assert_eq!(schema.vocabularies[0].size, 11);
        let aligned = schema.candidate_like_behaviors();
        assert_eq!(aligned.len(), 2);
        assert_eq!(aligned[1], FieldReference { group: 1, field: 1 });
    }

    #[test]
    fn contradictions_are_named() {
        let mut two_candidates = Schema::goods_and_categories(10, 3);
        two_candidates.groups[0].role = Role::Candidate;
        assert!(two_candidates.validate().unwrap_err().to_string().contains("2 candidate groups"));

        let mut missing = Schema::goods_and_categories(10, 3);
        missing.groups[0].fields[1].vocabulary = 7;
        assert!(missing.validate().unwrap_err().to_string().contains("vocabulary 7"));

        let mut unmatched = Schema::goods_and_categories(10, 3);
        unmatched.groups[1].fields.pop();
        assert!(unmatched.validate().unwrap_err().to_string().contains("no candidate field"));
    }
}
