//! What the readers and the simulator deliver: events and items under their own keys, in file order.

use crate::manifest::{FileRecord, Simulation};
use crate::{Error, Place, Result};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// Texts numbered in the order of first appearance. Nothing depends on the map's own order.
#[derive(Debug, Default)]
pub(crate) struct Interner {
    numbers: HashMap<Box<str>, u32>,
    texts: Vec<Box<str>>,
}

impl Interner {
    pub(crate) fn intern(&mut self, text: &str) -> u32 {
        if let Some(&number) = self.numbers.get(text) {
            return number;
        }
        // Rows are limited to u32 before anything is numbered, and a row adds one text at most.
        let number = self.texts.len() as u32;
        self.numbers.insert(text.into(), number);
        self.texts.push(text.into());
        number
    }

    pub(crate) fn number(&self, text: &str) -> Option<u32> {
        self.numbers.get(text).copied()
    }

    pub(crate) fn text(&self, number: u32) -> &str {
        &self.texts[number as usize]
    }

    pub(crate) fn len(&self) -> usize {
        self.texts.len()
    }
}

/// Events, column by column, in the order of the file.
#[derive(Debug)]
pub(crate) struct Events {
    pub(crate) file: PathBuf,
    /// Place of event 0; event `i` stands `i` rows further on.
    pub(crate) first: Place,
    pub(crate) user_keys: Interner,
    pub(crate) item_keys: Interner,
    pub(crate) users: Vec<u32>,
    pub(crate) items: Vec<u32>,
    /// Order or timestamp: only comparisons between events of one user matter.
    pub(crate) times: Vec<u64>,
    /// Name of the item field in the file, for messages.
    pub(crate) item_field: &'static str,
}

impl Events {
    pub(crate) fn new(file: &Path, first: Place, item_field: &'static str) -> Self {
        Self {
            file: file.to_path_buf(),
            first,
            user_keys: Interner::default(),
            item_keys: Interner::default(),
            users: Vec::new(),
            items: Vec::new(),
            times: Vec::new(),
            item_field,
        }
    }

    pub(crate) fn push(&mut self, user: &str, item: &str, time: u64) -> Result<()> {
        // Two rows an event must still be countable by u32, which row numbers are.
        if self.users.len() >= (u32::MAX / 2) as usize {
            return Err(Error::input(
                &self.file,
                self.place(self.users.len()),
                "",
                "more events than a prepared dataset can hold",
                "split the file",
            ));
        }
        self.users.push(self.user_keys.intern(user));
        self.items.push(self.item_keys.intern(item));
        self.times.push(time);
        Ok(())
    }

    pub(crate) fn place(&self, event: usize) -> Place {
        self.first.plus(event as u64)
    }
}

/// One item as its file has it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Item {
    /// Number in [`Items::categories`]; none when the file has the item without a category.
    pub(crate) category: Option<u32>,
    pub(crate) place: Place,
}

/// Items with their category.
#[derive(Debug)]
pub(crate) struct Items {
    pub(crate) file: PathBuf,
    pub(crate) keys: Interner,
    pub(crate) items: Vec<Item>,
    pub(crate) categories: Interner,
    /// Name of the category field in the file, for messages.
    pub(crate) category_field: &'static str,
    /// Category of items without one, where the release has a rule for them.
    gaps: Option<u32>,
}

impl Items {
    pub(crate) fn new(file: &Path, category_field: &'static str) -> Self {
        Self {
            file: file.to_path_buf(),
            keys: Interner::default(),
            items: Vec::new(),
            categories: Interner::default(),
            category_field,
            gaps: None,
        }
    }

    /// From here on, items without category have this one, and an item that comes again with another
    /// category has the first of them in byte order: unlike the first in the file, that does not depend
    /// on the order of the lines.
    pub(crate) fn fill_gaps(&mut self, category: &str) {
        self.gaps = Some(self.categories.intern(category));
    }

    /// The category of an item by number.
    pub(crate) fn category_of(&self, number: u32) -> Option<u32> {
        self.items[number as usize].category.or(self.gaps)
    }

    /// Adds an item. The same item may come again with the same category.
    pub(crate) fn push(&mut self, key: &str, category: Option<&str>, place: Place) -> Result<()> {
        let category = category.map(|text| self.categories.intern(text));
        if let Some(number) = self.keys.number(key) {
            let known = self.items[number as usize];
            if known.category == category {
                return Ok(());
            }
            if self.gaps.is_some() {
                let both = [known.category, category].into_iter().flatten();
                let first = both.min_by_key(|&category| self.categories.text(category));
                self.items[number as usize].category = first;
                return Ok(());
            }
            let name = |category: Option<u32>| {
                category.map_or("none".into(), |c| format!("{:?}", self.categories.text(c)))
            };
            return Err(Error::input(
                &self.file,
                place,
                self.category_field,
                format!(
                    "item {key:?} has category {}, but{} gave it {}",
                    name(category),
                    known.place.to_string().trim_start_matches(','),
                    name(known.category)
                ),
                "keep one category for each item",
            ));
        }
        self.keys.intern(key);
        self.items.push(Item { category, place });
        Ok(())
    }
}

/// Everything a preparation starts from.
#[derive(Debug)]
pub(crate) struct Raw {
    pub(crate) id: String,
    pub(crate) events: Events,
    pub(crate) items: Items,
    pub(crate) sources: Vec<FileRecord>,
    pub(crate) simulation: Option<Simulation>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_numbered_by_first_appearance() {
        let mut interner = Interner::default();
        let numbers: Vec<u32> = ["b", "a", "b"].iter().map(|text| interner.intern(text)).collect();
        assert_eq!(numbers, [0, 1, 0]);
        assert_eq!((interner.text(1), interner.number("c"), interner.len()), ("a", None, 2));
    }

    #[test]
    fn an_item_may_repeat_itself_but_not_contradict_itself() {
        let mut items = Items::new(Path::new("items.csv"), "cate");
        items.push("i", Some("x"), Place::Line(2)).unwrap();
        items.push("i", Some("x"), Place::Line(3)).unwrap();
        assert_eq!(items.items.len(), 1);
        let message = items.push("i", Some("y"), Place::Line(4)).unwrap_err().to_string();
        assert_eq!(
            message,
            "items.csv, line 4, field cate: item \"i\" has category \"y\", but line 2 gave it \"x\"; \
             keep one category for each item"
        );
    }
}
