//! Ali_Display_Ad_Click: displayed ads of Taobao, the public data nearest to the paper's table 1.
//!
//! | group | fields | file |
//! |---|---|---|
//! | user profile | eight columns | `user_profile.csv` |
//! | behaviors | category and brand of what the user viewed, favored, put into the cart or bought before the impression | `behavior_log.csv` |
//! | candidate | ad, category, brand, campaign, customer, price (in half powers of two) | `raw_sample.csv`, `ad_feature.csv` |
//! | context | position (`pid`), hour of day in China | `raw_sample.csv` |
//!
//! The last day is test, all before it training; under the protocol `held-out` the last but one day is
//! validation. Histories keep the latest 50 events (`--history-limit`), as in BARS.

mod log;

use crate::assemble::{Division, GivenRows, Histories, RawField, RawGroup, RawRows};
use crate::manifest::FileRecord;
use crate::prepare::{PrepOptions, SourceRows};
use crate::raw::Interner;
use crate::records::Records;
use crate::{Result, inputs};
use ctr_core::{Cardinality, Role};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The log's clock is China's, eight hours ahead of universal time.
const CLOCK_AHEAD: u64 = 8 * 3600;
const DAY: u64 = 86_400;
/// Latest events of a history unless another limit is asked for: BARS's.
const HISTORY_LIMIT: u32 = 50;

const SAMPLES: &str = "raw_sample.csv";
const ADS: &str = "ad_feature.csv";
const USERS: &str = "user_profile.csv";
const LOG: &str = "behavior_log.csv";

/// Columns of `user_profile.csv` behind the user.
const PROFILE: [&str; 8] = [
    "cms_segid",
    "cms_group_id",
    "final_gender_code",
    "age_level",
    "pvalue_level",
    "shopping_level",
    "occupation",
    "new_user_class_level",
];
/// Columns of `ad_feature.csv` behind the ad, category and brand first as behaviors have them.
const FEATURES: [&str; 5] = ["cate_id", "brand", "campaign_id", "customer", "price"];
/// Positions of category and brand in [`FEATURES`].
const CATEGORY: usize = 0;
const BRAND: usize = 1;

fn file(folder: &Path, name: &str) -> Result<PathBuf> {
    let expected = format!("{SAMPLES}, {ADS}, {USERS} and {LOG}, each also as .gz");
    inputs::plain_or_packed(folder, name, &expected)
}

/// Whether the folder holds all four files.
pub(crate) fn is_there(folder: &Path) -> bool {
    [SAMPLES, ADS, USERS, LOG].iter().all(|name| file(folder, name).is_ok())
}

/// Values of some columns by a key.
struct Attributes {
    keys: Interner,
    /// Texts by key, column by column.
    values: Vec<Vec<u32>>,
    texts: Interner,
}

impl Attributes {
    fn read(path: &Path, key: &[&str], columns: &[&str]) -> Result<(Self, FileRecord)> {
        let mut records = Records::open(path)?;
        let key_column = key
            .iter()
            .find_map(|name| records.column(name).ok())
            .map_or_else(|| records.column(key[0]), Ok)?;
        // The published header has a blank behind `new_user_class_level`; names are trimmed.
        let places: Vec<usize> =
            columns.iter().map(|name| records.column(name)).collect::<Result<_>>()?;
        let mut attributes = Self {
            keys: Interner::default(),
            values: vec![Vec::new(); columns.len()],
            texts: Interner::default(),
        };
        while records.advance()? {
            let key = records.filled(key_column)?;
            if attributes.keys.number(key).is_some() {
                let problem = format!("{key} stands here twice");
                return Err(records.fail_in(key_column, &problem, "keep one row for each"));
            }
            attributes.keys.intern(key);
            for (column, &place) in places.iter().enumerate() {
                let text = match columns[column] {
                    "price" => price_level(records.decimal(place)?),
                    _ => records.value(place).to_string(),
                };
                let number = attributes.texts.intern(&text);
                attributes.values[column].push(number);
            }
        }
        Ok((attributes, records.finish()?))
    }

    /// A value; empty for a key that the file does not have.
    fn text(&self, key: Option<u32>, column: usize) -> &str {
        key.map_or("", |key| self.texts.text(self.values[column][key as usize]))
    }
}

/// Prices in half powers of two: neighbors share a level, and there are some fifty.
fn price_level(price: f64) -> String {
    format!("{}", ((1.0 + price.max(0.0)).log2() * 2.0).floor())
}

/// Reads all four files.
pub(crate) fn read(options: &PrepOptions) -> Result<SourceRows> {
    let folder = &options.raw;
    let log_file = file(folder, LOG)?;
    let (users, users_record) =
        Attributes::read(&file(folder, USERS)?, &["userid", "user"], &PROFILE)?;
    let (ads, ads_record) = Attributes::read(&file(folder, ADS)?, &["adgroup_id"], &FEATURES)?;

    let samples = file(folder, SAMPLES)?;
    let mut rows = RawRows::new(samples.clone());
    let one = |rows: &mut RawRows, name: &str| {
        RawField::new(name, rows.vocabulary(name), Cardinality::One)
    };
    let mut profile: Vec<RawField> = PROFILE.iter().map(|name| one(&mut rows, name)).collect();
    let mut ad = one(&mut rows, "adgroup_id");
    let mut features: Vec<RawField> = FEATURES.iter().map(|name| one(&mut rows, name)).collect();
    let mut context: Vec<RawField> =
        ["pid", "hour"].iter().map(|name| one(&mut rows, name)).collect();

    let mut records = Records::open(&samples)?;
    let user = records.column("user").or_else(|_| records.column("user_id"))?;
    let (time, adgroup) = (records.column("time_stamp")?, records.column("adgroup_id")?);
    let (pid, click) = (records.column("pid")?, records.column("clk")?);
    while records.advance()? {
        let mut add = |field: &mut RawField, text: &str| {
            field.column.ids.push(rows.vocabularies[field.vocabulary].texts.intern(text));
        };
        let key = records.filled(adgroup)?;
        let Some(known) = ads.keys.number(key) else {
            let problem = format!("ad {key} is not in {ADS}");
            return Err(records.fail_in(adgroup, &problem, "add it there or remove its rows"));
        };
        add(&mut ad, key);
        for (column, field) in features.iter_mut().enumerate() {
            add(field, ads.text(Some(known), column));
        }
        let text = records.filled(user)?;
        let known = users.keys.number(text);
        for (column, field) in profile.iter_mut().enumerate() {
            add(field, users.text(known, column));
        }
        let moment = records.number(time)?;
        if moment >= u64::from(u32::MAX) {
            let problem = format!("{moment} is not a time in seconds");
            return Err(records.fail_in(time, &problem, "give seconds since 1970"));
        }
        add(&mut context[0], records.value(pid));
        add(&mut context[1], &((moment + CLOCK_AHEAD) / 3600 % 24).to_string());
        let label = match records.value(click) {
            "0" => 0,
            "1" => 1,
            other => {
                let problem = format!("{other:?} is neither 0 nor 1");
                return Err(records.fail_in(click, &problem, "give 1 for a click, 0 for none"));
            }
        };
        rows.users.push(rows.user_keys.intern(text));
        rows.times.push(moment);
        rows.labels.push(label);
    }
    let samples_record = records.finish()?;
    let last = rows.times.iter().max().copied().unwrap_or_default();
    let test = ((last + CLOCK_AHEAD) / DAY * DAY).saturating_sub(CLOCK_AHEAD);

    let limit = options.limit(HISTORY_LIMIT);
    let (category, brand) = (features[CATEGORY].vocabulary, features[BRAND].vocabulary);
    let log = log::read(&log_file, &mut rows, (category, brand), limit, options.memory_limit)?;
    rows.histories = Histories::Given {
        sequences: log.sequences,
        fields: vec![
            (FEATURES[CATEGORY].into(), category, Cardinality::One),
            (FEATURES[BRAND].into(), brand, Cardinality::One),
        ],
        rows: GivenRows::OfUser { lengths: log.lengths },
    };
    let count = |vocabulary: usize| rows.vocabularies[vocabulary].texts.len() as u64;
    let counts = BTreeMap::from([
        ("goods".to_string(), count(ad.vocabulary)),
        ("categories".to_string(), count(category)),
        ("ads".to_string(), ads.keys.len() as u64),
        ("behaviors".to_string(), log.behaviors),
    ]);
    features.insert(0, ad);
    for (name, role, fields) in [
        ("user_profile", Role::UserProfile, profile),
        ("candidate", Role::Candidate, features),
        ("context", Role::Context, context),
    ] {
        rows.groups.push(RawGroup { name: name.into(), role, fields });
    }
    Ok(SourceRows {
        id: None,
        counts,
        division: Division::Times { validation: test.saturating_sub(DAY), test },
        split_rule: "last-day".into(),
        choices: BTreeMap::from([("behaviors".to_string(), "pv,fav,cart,buy".to_string())]),
        history_limit: limit,
        sources: vec![samples_record, ads_record, users_record, log.record],
        rows,
    })
}
