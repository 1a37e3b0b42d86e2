//! What the readers and the simulator deliver: events and items under their own keys, in file order.

use crate::manifest::{FileRecord, Simulation};
use crate::store::{MOST_SHARDS, shard_of};
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

/// The users that one task of several prepares: those of one shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Partition {
    /// The shard, from 0.
    pub index: u32,
    /// Number of shards.
    pub of: u32,
}

impl Partition {
    /// Whether a user belongs to it.
    pub(crate) fn has(self, user_key: &str) -> bool {
        shard_of(user_key, self.of) == self.index
    }
}

impl std::fmt::Display for Partition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.index, self.of)
    }
}

impl std::str::FromStr for Partition {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let parsed = text.split_once('/').and_then(|(index, of)| {
            Some(Self { index: index.parse().ok()?, of: of.parse().ok()? })
        });
        match parsed {
            Some(parts) if parts.index < parts.of && parts.of <= MOST_SHARDS => Ok(parts),
            _ => Err(format!(
                "{text:?} is no part of a whole: expected I/N, such as 0/16 for the first of 16, up to \
                 {MOST_SHARDS}"
            )),
        }
    }
}

/// Which events are kept, of all that a file has.
#[derive(Debug)]
struct Kept {
    of: Partition,
    /// Places of those that were kept, counted from the first event.
    places: Vec<u64>,
}

/// Events, column by column, in the order of the file.
#[derive(Debug)]
pub(crate) struct Events {
    pub(crate) file: PathBuf,
    /// Place of the file's first event; the next one stands a row further on, and so on.
    pub(crate) first: Place,
    pub(crate) user_keys: Interner,
    pub(crate) item_keys: Interner,
    pub(crate) users: Vec<u32>,
    pub(crate) items: Vec<u32>,
    /// Order or timestamp: only comparisons between events of one user matter.
    pub(crate) times: Vec<u64>,
    /// Name of the item field in the file, for messages.
    pub(crate) item_field: &'static str,
    /// Events that the file has so far.
    pub(crate) read: u64,
    /// None where all of them are kept.
    kept: Option<Kept>,
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
            read: 0,
            kept: None,
        }
    }

    /// The same, but only events of some users are kept.
    pub(crate) fn of(mut self, users: Option<Partition>) -> Self {
        self.kept = users.map(|of| Kept { of, places: Vec::new() });
        self
    }

    pub(crate) fn push(&mut self, user: &str, item: &str, time: u64) -> Result<()> {
        if let Some(kept) = &mut self.kept {
            if !kept.of.has(user) {
                self.read += 1;
                return Ok(());
            }
            kept.places.push(self.read);
        }
        // Two rows an event must still be countable by u32, which row numbers are.
        if self.users.len() >= (u32::MAX / 2) as usize {
            return Err(Error::input(
                &self.file,
                self.first.plus(self.read),
                "",
                "more events than a prepared dataset can hold",
                "split the file",
            ));
        }
        self.read += 1;
        self.users.push(self.user_keys.intern(user));
        self.items.push(self.item_keys.intern(item));
        self.times.push(time);
        Ok(())
    }

    pub(crate) fn place(&self, event: usize) -> Place {
        let places = self.kept.as_ref().map_or(&[][..], |kept| &kept.places);
        self.first.plus(places.get(event).copied().unwrap_or(event as u64))
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
    fn events_that_are_kept_know_their_place_in_the_file() {
        let of = Partition { index: 1, of: 3 };
        let first = Place::Line(2);
        let mut events = Events::new(Path::new("x"), first, "item").of(Some(of));
        let users: Vec<String> = (0..50).map(|user| format!("u{user}")).collect();
        users.iter().for_each(|user| events.push(user, "i", 1).unwrap());
        let kept: Vec<u64> = (0..50).filter(|&row| of.has(&users[row as usize])).collect();
        assert!(events.users.len() == kept.len() && (5..30).contains(&kept.len()));
        for (event, &row) in kept.iter().enumerate() {
            assert_eq!(events.place(event), Place::Line(2 + row));
        }
        assert_eq!(events.read, 50);
    }

    #[test]
    fn a_part_of_a_whole_is_read_from_its_text() {
        assert_eq!("3/16".parse(), Ok(Partition { index: 3, of: 16 }));
        for text in ["16/16", "3", "a/b", "-1/4", "1/0", "0/70000", "1/2/3"] {
            let message = text.parse::<Partition>().unwrap_err();
            assert!(message.contains("expected I/N"), "{message}");
        }
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
