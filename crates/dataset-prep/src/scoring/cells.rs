//! One column of a piece of rows, whatever the file's form.

use super::{EVENTS, IDS};
use crate::columns::guarded;
use crate::{Error, Result};
use polars::prelude::{Column, DataType, NamedFrom, Series, StringChunked};
use std::ops::Range;
use std::path::Path;

/// The values of one column.
#[derive(Clone, Debug)]
pub(super) enum Cells {
    /// All texts one after the other, and where each ends.
    Text { text: String, ends: Vec<usize> },
    /// A column of a Parquet file.
    Column(Column),
}

impl Cells {
    pub fn push(&mut self, value: &str) {
        if let Self::Text { text, ends } = self {
            text.push_str(value);
            ends.push(text.len());
        }
    }

    /// The column for output, under its name.
    pub fn column(&self, name: &str) -> Column {
        match self {
            Self::Text { text, ends } => {
                let texts: Vec<&str> = (0..ends.len()).map(|row| piece(text, ends, row)).collect();
                Series::new(name.into(), texts).into()
            }
            // In one chunk, as scores are: where the chunks of columns differ, polars writes row groups that
            // its own reader cannot put together.
            Self::Column(column) => column.as_materialized_series().rechunk().into(),
        }
    }
}

fn piece<'t>(text: &'t str, ends: &[usize], row: usize) -> &'t str {
    let start = if row == 0 { 0 } else { ends[row - 1] };
    &text[start..ends[row]]
}

/// Texts below some levels of lists.
pub(super) struct Nested<'c> {
    /// Boundaries of each level of lists, the outermost first.
    levels: Vec<Vec<usize>>,
    leaves: Leaves<'c>,
}

enum Leaves<'c> {
    Text(&'c str, &'c [usize]),
    Column(StringChunked),
}

/// A value of some level: a list's element, or a part of a text.
#[derive(Clone, Copy)]
enum Item<'n> {
    Of(usize, usize),
    Text(&'n str),
}

impl<'c> Nested<'c> {
    /// Looks through a column's lists, of which there may be `most`.
    pub fn new(path: &Path, name: &str, cells: &'c Cells, most: usize) -> Result<Self> {
        let column = match cells {
            Cells::Text { text, ends } => {
                return Ok(Self { levels: Vec::new(), leaves: Leaves::Text(text, ends) });
            }
            Cells::Column(column) => column,
        };
        let mut levels = Vec::new();
        let mut series = column.as_materialized_series().clone();
        while matches!(series.dtype(), DataType::List(_)) {
            let list = series.list().map_err(|error| Error::damaged(path, error.to_string()))?;
            let list = list.rechunk();
            let list: &polars::prelude::ListChunked = list.as_ref();
            levels.push(list.downcast_as_array().offsets().iter().map(|&at| at as usize).collect());
            series = list.get_inner();
        }
        let kind = series.dtype().clone();
        if levels.len() > most || !(kind == DataType::String || kind.is_integer()) {
            let found = column.dtype();
            let reason = format!(
                "column {name} is {found}, expected texts or whole numbers{}",
                ["", ", or lists of them", ", or lists of lists of them"][most.min(2)]
            );
            return Err(Error::damaged(path, format!("{reason}; convert the column")));
        }
        let texts = guarded(path, || series.cast(&DataType::String))?;
        let texts = texts.str().map_err(|error| Error::damaged(path, error.to_string()))?.clone();
        Ok(Self { levels, leaves: Leaves::Column(texts.rechunk().into_owned()) })
    }

    fn leaf(&self, index: usize) -> &str {
        match &self.leaves {
            Leaves::Text(text, ends) => piece(text, ends, index),
            Leaves::Column(texts) => texts.get(index).unwrap_or_default(),
        }
    }

    /// The values of an item: those of a list, or of a text that `letter` joins; an empty text has none.
    fn parts<'n>(&'n self, item: Item<'n>, letter: char) -> Parts<'n> {
        match item {
            Item::Of(level, index) if level < self.levels.len() => {
                let bounds = &self.levels[level];
                Parts::Of(level + 1, bounds[index]..bounds[index + 1])
            }
            Item::Of(_, index) => Parts::of_text(self.leaf(index), letter),
            Item::Text(text) => Parts::of_text(text, letter),
        }
    }

    fn text<'n>(&'n self, item: Item<'n>) -> &'n str {
        match item {
            Item::Of(_, index) => self.leaf(index),
            Item::Text(text) => text,
        }
    }

    /// Calls `id` with each id's text of a row, and `end` after each event.
    pub fn each(
        &self,
        row: usize,
        (history, many): (bool, bool),
        mut id: impl FnMut(&str) -> Result<u32>,
        ids: &mut Vec<u32>,
        ends: &mut Vec<u32>,
    ) -> Result<()> {
        ids.clear();
        ends.clear();
        let mut event = |item: Item<'_>| -> Result<()> {
            if many {
                for part in self.parts(item, IDS) {
                    ids.push(id(self.text(part))?);
                }
            } else {
                ids.push(id(self.text(item))?);
            }
            ends.push(ids.len() as u32);
            Ok(())
        };
        if history {
            self.parts(Item::Of(0, row), EVENTS).try_for_each(event)
        } else {
            event(Item::Of(0, row))
        }
    }
}

/// The values of an item, one by one.
enum Parts<'n> {
    Of(usize, Range<usize>),
    Split(std::str::Split<'n, char>),
    None,
}

impl<'n> Parts<'n> {
    fn of_text(text: &'n str, letter: char) -> Self {
        if text.is_empty() { Self::None } else { Self::Split(text.split(letter)) }
    }
}

impl<'n> Iterator for Parts<'n> {
    type Item = Item<'n>;

    fn next(&mut self) -> Option<Item<'n>> {
        match self {
            Self::Of(level, range) => range.next().map(|index| Item::Of(*level, index)),
            Self::Split(parts) => parts.next().map(Item::Text),
            Self::None => None,
        }
    }
}
