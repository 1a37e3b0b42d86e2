//! Groups, fields and vocabularies of the simulated log, after the paper's table 1.

use super::{AD_LEVELS, AGE_LEVELS, CREATIVE_TYPES, Counts, HOURS, POSITIONS, PRICE_LEVELS};
use ctr_core::{Cardinality, Field, Group, Role, Schema, Vocabulary};

/// Names of vocabularies with the beginning of their keys.
const VOCABULARIES: [(&str, &str); 13] = [
    ("goods_id", "g"),
    ("shop_id", "s"),
    ("cate_id", "c"),
    ("gender", "gender"),
    ("age_level", "age"),
    ("brand_id", "brand"),
    ("campaign_id", "campaign"),
    ("customer_id", "customer"),
    ("price_level", "price"),
    ("creative_type", "creative"),
    ("ad_level", "level"),
    ("pid", "pid"),
    ("hour", "hour"),
];

/// Key of an id: equal widths, so that the byte order of keys is the order of ids.
pub(super) fn key(vocabulary: usize, id: u32) -> String {
    format!("{}{id:08}", VOCABULARIES[vocabulary].1)
}

/// Behaviors, user, candidate, context: sixteen fields.
pub(super) fn schema(counts: &Counts) -> Schema {
    let sizes = [
        counts.goods,
        counts.shops,
        counts.categories,
        2,
        AGE_LEVELS,
        counts.brands,
        counts.campaigns,
        counts.customers,
        PRICE_LEVELS,
        CREATIVE_TYPES,
        AD_LEVELS,
        POSITIONS,
        HOURS,
    ];
    let vocabularies = VOCABULARIES
        .iter()
        .zip(sizes)
        .map(|((name, _), size)| Vocabulary { name: (*name).into(), size: size + 1 })
        .collect();
    let group = |name: &str, role, numbers: &[usize]| Group {
        name: name.into(),
        role,
        fields: numbers
            .iter()
            .map(|&vocabulary| Field {
                name: VOCABULARIES[vocabulary].0.into(),
                vocabulary,
                cardinality: Cardinality::One,
            })
            .collect(),
    };
    Schema {
        vocabularies,
        groups: vec![
            group("behaviors", Role::Behaviors, &[0, 1, 2]),
            group("user", Role::UserProfile, &[3, 4]),
            group("candidate", Role::Candidate, &[0, 1, 2, 5, 6, 7, 8, 9, 10]),
            group("context", Role::Context, &[11, 12]),
        ],
    }
}
