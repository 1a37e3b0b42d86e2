//! AmazonElectronics_x1: the authors' own training and test rows, as BARS passes them on.
//!
//! Rows have a label, a user, a good with its category, and the history of both joined by `^`. Nothing is
//! drawn: these are the authors' negatives. A user's histories are beginnings of one another, so only the
//! longest is kept. Under the protocol `held-out` the training rows with a user's longest history are
//! validation, which are those of the last but one event, as for the raw reviews.

use crate::assemble::{Division, GivenRows, Histories, RawField, RawGroup, RawRows};
use crate::prepare::{PrepOptions, SourceRows};
use crate::records::Records;
use crate::rows::part;
use crate::{Result, inputs};
use ctr_core::{Cardinality, EventColumn, Role, Sequences};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The two files, with or without `.gz`, and the part that their rows belong to.
const FILES: [(&str, u8); 2] = [("train.csv", part::TRAIN), ("test.csv", part::TEST)];

fn find(folder: &Path, name: &str) -> Result<PathBuf> {
    inputs::plain_or_packed(folder, name, "train.csv and test.csv of AmazonElectronics_x1")
}

/// Whether the folder holds both files.
pub(crate) fn is_there(folder: &Path) -> bool {
    FILES.iter().all(|(name, _)| find(folder, name).is_ok())
}

/// A user's longest history so far.
#[derive(Clone, Default)]
struct Longest {
    goods: Vec<u32>,
    categories: Vec<u32>,
    /// Longest among the training rows.
    training: u32,
}

/// Reads both files.
pub(crate) fn read(options: &PrepOptions) -> Result<SourceRows> {
    let mut rows = RawRows::new(find(&options.raw, FILES[0].0)?);
    let goods = rows.vocabulary("goods_id");
    let categories = rows.vocabulary("cate_id");
    let mut good_field = RawField::new("goods_id", goods, Cardinality::One);
    let mut category_field = RawField::new("cate_id", categories, Cardinality::One);
    let mut longest: Vec<Longest> = Vec::new();
    let (mut parts, mut lengths, mut sources) = (Vec::new(), Vec::new(), Vec::new());
    for (name, own_part) in FILES {
        let mut records = Records::open(&find(&options.raw, name)?)?;
        let [label, user, good, category, good_history, category_history] =
            ["label", "user_id", "item_id", "cate_id", "item_history", "cate_history"]
                .map(|name| records.column(name));
        let (label, user, good, category) = (label?, user?, good?, category?);
        let (good_history, category_history) = (good_history?, category_history?);
        while records.advance()? {
            let clicked = match records.value(label).trim_end_matches(".0") {
                "0" => 0,
                "1" => 1,
                other => {
                    let problem = format!("{other:?} is neither 0 nor 1");
                    return Err(records.fail_in(label, &problem, "give 1 for a click, 0 for none"));
                }
            };
            let number = rows.user_keys.intern(records.filled(user)?);
            if number as usize == longest.len() {
                longest.push(Longest::default());
            }
            let own = &mut longest[number as usize];
            let mut texts =
                |vocabulary: usize, text: &str| rows.vocabularies[vocabulary].texts.intern(text);
            good_field.column.ids.push(texts(goods, records.filled(good)?));
            category_field.column.ids.push(texts(categories, records.filled(category)?));
            let mut length = 0;
            for (vocabulary, column, kept) in [
                (goods, good_history, &mut own.goods),
                (categories, category_history, &mut own.categories),
            ] {
                let mut position = 0;
                for text in records.value(column).split('^').filter(|text| !text.is_empty()) {
                    let event = texts(vocabulary, text);
                    match kept.get(position) {
                        None => kept.push(event),
                        Some(&known) if known == event => {}
                        Some(_) => {
                            return Err(records.fail_in(
                                column,
                                &format!("event {} differs from another history of this user", position + 1),
                                "histories of a user must be beginnings of one another, as in the published files",
                            ));
                        }
                    }
                    position += 1;
                }
                if column == category_history && position != length {
                    let problem = format!("{position} categories for {length} goods");
                    return Err(records.fail_in(
                        column,
                        &problem,
                        "give a category for every good",
                    ));
                }
                length = position;
            }
            let length = length as u32;
            if own_part == part::TRAIN {
                own.training = own.training.max(length);
            }
            rows.users.push(number);
            rows.times.push(u64::from(length));
            rows.labels.push(clicked);
            parts.push(own_part);
            lengths.push(length);
        }
        sources.push(records.finish()?);
    }
    for (row, part) in parts.iter_mut().enumerate() {
        if *part == part::TRAIN && lengths[row] == longest[rows.users[row] as usize].training {
            *part = part::VALIDATION;
        }
    }
    let mut sequences = Sequences {
        offsets: vec![0],
        fields: vec![EventColumn::default(), EventColumn::default()],
    };
    for own in &longest {
        sequences.fields[0].ids.extend_from_slice(&own.goods);
        sequences.fields[1].ids.extend_from_slice(&own.categories);
        sequences.offsets.push(sequences.fields[0].ids.len() as u32);
    }
    rows.groups.push(RawGroup {
        name: "candidate".into(),
        role: Role::Candidate,
        fields: vec![good_field, category_field],
    });
    rows.histories = Histories::Given {
        sequences,
        fields: vec![
            ("goods_id".into(), goods, Cardinality::One),
            ("cate_id".into(), categories, Cardinality::One),
        ],
        rows: GivenRows::OfUser { lengths },
    };
    let count = |vocabulary: usize| rows.vocabularies[vocabulary].texts.len() as u64;
    Ok(SourceRows {
        id: None,
        counts: BTreeMap::from([
            ("goods".to_string(), count(goods)),
            ("categories".to_string(), count(categories)),
        ]),
        division: Division::Given(parts),
        split_rule: "last-item".into(),
        choices: BTreeMap::new(),
        history_limit: options.limit(0),
        sources,
        rows,
    })
}
