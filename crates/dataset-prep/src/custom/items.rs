//! Columns that stand in a table of items.

use super::description::{ItemsTable, Parsed};
use crate::Result;
use crate::records::Records;
use std::collections::HashMap;

/// The items' columns that rows lack.
pub(super) struct Items {
    pub key: String,
    /// Position of an item's values, by its key.
    pub places: HashMap<String, u32>,
    pub names: Vec<String>,
    pub values: Vec<Vec<String>>,
}

pub(super) fn read_items(
    parsed: &Parsed,
    table: &ItemsTable,
) -> Result<(Items, crate::FileRecord)> {
    let mut records = Records::open(&parsed.folder.join(&table.file))?;
    let key = records.column(&table.key)?;
    let mut items = Items {
        key: table.key.clone(),
        places: HashMap::new(),
        names: records.names().to_vec(),
        values: Vec::new(),
    };
    while records.advance()? {
        let values: Vec<String> =
            (0..items.names.len()).map(|column| records.value(column).to_string()).collect();
        let next = items.values.len() as u32;
        let place = *items.places.entry(records.filled(key)?.to_string()).or_insert(next);
        if place < next && items.values[place as usize] != values {
            let problem =
                format!("item {:?} stands here with other values than before", values[key]);
            return Err(records.fail_in(key, &problem, "keep one row for each item"));
        }
        if place == next {
            items.values.push(values);
        }
    }
    Ok((items, records.finish()?))
}
