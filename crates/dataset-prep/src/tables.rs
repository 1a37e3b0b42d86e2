//! The pair of tables: `interactions.*` (user, item, order or timestamp) and `items.*` (item, cate).

use crate::columns;
use crate::manifest::FileRecord;
use crate::raw::{Events, Items, Partition};
use crate::source::Source;
use crate::text::{self, Dialect};
use crate::{Error, Place, Result};
use polars::prelude::{DataFrame, DataType, StringChunked};
use std::path::Path;

/// A table whose columns are texts.
struct Table<'a> {
    path: &'a Path,
    frame: DataFrame,
    /// Place of row 0.
    first: Place,
}

/// Reads the events, or those of some users.
pub(crate) fn interactions(path: &Path, users: Option<Partition>) -> Result<(Events, FileRecord)> {
    let (table, record) = read(path, &["user", "item", "order", "timestamp", "rating"])?;
    let time = match (table.has("order"), table.has("timestamp")) {
        (true, false) => "order",
        (false, true) => "timestamp",
        (false, false) => {
            return Err(table.header_error("order", "missing column", "add order or timestamp"));
        }
        (true, true) => {
            let remedy = "keep the one to sort by";
            return Err(table.header_error("timestamp", "there is a column order as well", remedy));
        }
    };
    let mut events = Events::new(path, table.first, "item").of(users);
    let (users, items, times) = (table.texts("user")?, table.texts("item")?, table.texts(time)?);
    for (row, ((user, item), order)) in users.iter().zip(items.iter()).zip(times.iter()).enumerate()
    {
        let user = table.filled(row, "user", user)?;
        let item = table.filled(row, "item", item)?;
        let order = order.unwrap_or_default();
        let order = whole_number(order).map_err(|problem| {
            let remedy = "give whole numbers from 0 up";
            Error::input(path, table.first.plus(row as u64), time, problem, remedy)
        })?;
        events.push(user, item, order)?;
    }
    Ok((events, record))
}

/// Reads the items.
pub(crate) fn items(path: &Path) -> Result<(Items, FileRecord)> {
    let (table, record) = read(path, &["item", "cate", "attrs"])?;
    let mut all = Items::new(path, "cate");
    let (keys, categories) = (table.texts("item")?, table.texts("cate")?);
    for (row, (key, category)) in keys.iter().zip(categories.iter()).enumerate() {
        let key = table.filled(row, "item", key)?;
        let category = table.filled(row, "cate", category)?;
        all.push(key, Some(category), table.first.plus(row as u64))?;
    }
    Ok((all, record))
}

/// A whole number from 0 up, or what is wrong with the text.
pub(crate) fn whole_number(text: &str) -> std::result::Result<u64, String> {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if digits(text) {
        text.parse().map_err(|_| format!("{text} is too large"))
    } else if text.strip_prefix('-').is_some_and(digits) {
        Err(format!("{text} is negative"))
    } else if text.is_empty() {
        Err("empty".into())
    } else {
        Err(format!("{text:?} is not a whole number"))
    }
}

fn read<'a>(path: &'a Path, accepted: &[&str]) -> Result<(Table<'a>, FileRecord)> {
    let mut source = Source::open(path)?;
    let bytes = source.read_all()?;
    let record = source.finish()?;
    let parquet = path.extension().is_some_and(|extension| extension == "parquet");
    let (names, frame, first) = if parquet {
        let frame = columns::decode(path, &bytes)?;
        let names = frame.get_column_names().iter().map(ToString::to_string).collect();
        (names, Some(frame), Place::Row(1))
    } else {
        (text::header(path, &bytes, Dialect::of(path))?, None, Place::Line(2))
    };
    check_names(path, &names, accepted, if parquet { Place::File } else { Place::Line(1) })?;
    let frame = match frame {
        Some(frame) => frame,
        None => text::table(path, &bytes, Dialect::of(path))?,
    };
    if frame.height() == 0 {
        return Err(Error::input(path, Place::File, "", "no rows", "give at least one row"));
    }
    Ok((Table { path, frame, first }, record))
}

/// Refuses unknown and repeated columns: a misspelled `timestamp` must not pass silently.
fn check_names(path: &Path, names: &[String], accepted: &[&str], place: Place) -> Result<()> {
    for (position, name) in names.iter().enumerate() {
        let fail = |problem: &str| {
            let remedy = format!("accepted columns are {}", accepted.join(", "));
            Err(Error::input(path, place, &format!("{name:?}"), problem, remedy))
        };
        if !accepted.contains(&name.as_str()) {
            return fail("unknown column");
        }
        if names[..position].contains(name) {
            return fail("column given twice");
        }
    }
    Ok(())
}

impl Table<'_> {
    fn has(&self, name: &str) -> bool {
        self.frame.column(name).is_ok()
    }

    fn header_error(&self, column: &str, problem: &str, remedy: &str) -> Error {
        let place = match self.first {
            Place::Line(_) => Place::Line(1),
            _ => Place::File,
        };
        Error::input(self.path, place, column, problem, remedy)
    }

    /// A column as text, whatever type a Parquet file gives it.
    fn texts(&self, name: &str) -> Result<StringChunked> {
        let column = self.frame.column(name).map_err(|_| {
            self.header_error(name, "missing column", &format!("add the column {name}"))
        })?;
        let column = columns::guarded(self.path, || column.cast(&DataType::String))?;
        Ok(column.str().map_err(|error| Error::damaged(self.path, error.to_string()))?.clone())
    }

    fn filled<'t>(&self, row: usize, column: &str, value: Option<&'t str>) -> Result<&'t str> {
        value.filter(|text| !text.is_empty()).ok_or_else(|| {
            let remedy = "give every row a value or remove the row";
            Error::input(self.path, self.first.plus(row as u64), column, "empty", remedy)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events_of(name: &str, text: &str) -> Result<Events> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        interactions(&path, None).map(|(events, _)| events)
    }

    #[test]
    fn columns_may_stand_in_any_order_and_ratings_are_ignored() {
        let text = "rating,order,item,user\n5,7,b,u\nx,3,a,u\n";
        let events = events_of("interactions.csv", text).unwrap();
        assert_eq!(events.times, [7, 3]);
        assert_eq!(events.item_keys.text(events.items[1]), "a");
        assert_eq!(events.place(1), Place::Line(3));
    }

    #[test]
    fn a_time_column_is_needed_and_only_one() {
        let message = |text| events_of("interactions.csv", text).unwrap_err().to_string();
        assert!(message("user,item\nu,a\n").contains("line 1, field order: missing column"));
        assert!(message("item,order\na,1\n").contains("line 1, field user: missing column"));
        let both = message("user,item,order,timestamp\nu,a,1,1\n");
        assert!(both.contains("line 1, field timestamp: there is a column order"), "{both}");
        assert!(message("user,item,order,user\nu,a,1,u\n").contains("twice"));
    }

    #[test]
    fn whole_numbers_and_nothing_else() {
        assert_eq!(whole_number("18446744073709551615"), Ok(u64::MAX));
        assert_eq!(whole_number("007"), Ok(7));
        for (text, part) in [
            ("-3", "negative"),
            ("3.0", "not a whole number"),
            ("+3", "not a whole number"),
            ("", "empty"),
            ("18446744073709551616", "too large"),
            ("-", "not a whole number"),
        ] {
            assert!(whole_number(text).unwrap_err().contains(part), "{text}");
        }
    }
}
