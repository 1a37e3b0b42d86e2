//! From raw events to final ids, time order and negatives (paper, section 6.1; the authors' scripts
//! `1_convert_pd.py`, `2_remap_id.py` and `build_dataset.py`).
//!
//! Goods, categories and users are numbered in the byte order of their keys, goods and categories from
//! 1, because id 0 is reserved. Only goods with events are numbered, as in the authors' code. A user's
//! events stand in time order, at equal times in the byte order of the goods' keys: the order of the raw
//! file's lines decides nothing. The published 5-core files are sorted by good, so there the authors'
//! stable sort gives the same order.
//!
//! Where we differ: the authors' ids begin at 0, so padding there is a real good; and their negatives
//! come from one random stream over all users, ours from one stream a user, so that a user's negatives
//! depend on nothing but the seed, the user's own events and the number of goods.

use crate::content::Content;
use crate::raw::{Events, Interner, Raw};
use crate::{Error, Place, Result};
use ctr_core::{RandomStream, SeedStreams};

/// Numbers everything and draws the negatives.
///
/// # Errors
/// No events, an item without category, a user who touched all goods.
pub(crate) fn number(raw: &Raw, seed: u64) -> Result<Content> {
    let events = &raw.events;
    let (mut content, order) = arrange(raw)?;
    content.negatives = negatives(&content, seed).map_err(|user| {
        let first = order[content.offsets[user] as usize] as usize;
        Error::input(
            &events.file,
            events.place(first),
            events.item_field,
            nothing_left(&content.user_keys[user], content.goods_keys.len()),
            NOTHING_LEFT_REMEDY,
        )
    })?;
    Ok(content)
}

/// What is wrong with a user who touched all goods.
pub(crate) fn nothing_left(user_key: &str, goods: usize) -> String {
    format!(
        "user {user_key:?} has events with all {goods} goods, so that no good is left for a negative"
    )
}

pub(crate) const NOTHING_LEFT_REMEDY: &str = "give more goods or remove this user";

/// Numbers everything that is there; the negatives are left empty. The second is the place of each event among the
/// raw ones.
///
/// # Errors
/// No events, an item without category.
pub(crate) fn arrange(raw: &Raw) -> Result<(Content, Vec<u32>)> {
    let events = &raw.events;
    if events.read == 0 {
        return Err(Error::input(
            &events.file,
            Place::File,
            "",
            "no rows",
            "give at least one event",
        ));
    }
    let raw_categories = categories_of_items(raw)?;

    let (user_order, user_ids) = ranks(&events.user_keys, 0);
    let (good_order, good_ids) = ranks(&events.item_keys, 1);
    let goods_raw: Vec<u32> =
        good_order.iter().map(|&item| raw_categories[item as usize]).collect();

    // Categories of goods with events only, by key.
    let mut used = goods_raw.clone();
    used.sort_unstable_by_key(|&category| raw.items.categories.text(category));
    used.dedup();
    let mut category_ids = vec![0u32; raw.items.categories.len()];
    for (position, &category) in used.iter().enumerate() {
        category_ids[category as usize] = position as u32 + 1;
    }

    let keys = |interner: &Interner, order: &[u32]| -> Vec<String> {
        order.iter().map(|&number| interner.text(number).to_string()).collect()
    };
    let (offsets, order) = by_user_and_time(events, &user_ids, &good_ids);
    let goods: Vec<u32> =
        order.iter().map(|&event| good_ids[events.items[event as usize] as usize]).collect();
    let content = Content {
        user_keys: keys(&events.user_keys, &user_order),
        goods_keys: keys(&events.item_keys, &good_order),
        goods_categories: goods_raw.iter().map(|&raw| category_ids[raw as usize]).collect(),
        category_keys: keys(&raw.items.categories, &used),
        offsets,
        goods,
        negatives: Vec::new(),
    };
    Ok((content, order))
}

/// The raw category of every item that occurs in the events.
fn categories_of_items(raw: &Raw) -> Result<Vec<u32>> {
    let (events, items) = (&raw.events, &raw.items);
    // Items are numbered by first appearance, so the first one that fails is the earliest in the file.
    (0..events.item_keys.len() as u32)
        .map(|item| {
            let key = events.item_keys.text(item);
            let number = items.keys.number(key);
            if let Some(category) = number.and_then(|number| items.category_of(number)) {
                return Ok(category);
            }
            let found = number.map(|number| items.items[number as usize]);
            let reason = match found {
                None => format!("{} does not have it", items.file.display()),
                Some(known) => {
                    format!("{}{} gives it none", items.file.display(), known.place)
                }
            };
            let event = events.items.iter().position(|&other| other == item).unwrap_or_default();
            Err(Error::input(
                &events.file,
                events.place(event),
                events.item_field,
                format!("item {key:?} has no category: {reason}"),
                format!("add the item's {} or remove its events", items.category_field),
            ))
        })
        .collect()
}

/// The texts' numbers in byte order, and for each number its rank counted from `first`.
pub(crate) fn ranks(keys: &Interner, first: u32) -> (Vec<u32>, Vec<u32>) {
    let mut order: Vec<u32> = (0..keys.len() as u32).collect();
    order.sort_unstable_by_key(|&number| keys.text(number));
    let mut ids = vec![0; order.len()];
    for (rank, &number) in order.iter().enumerate() {
        ids[number as usize] = first + rank as u32;
    }
    (order, ids)
}

/// Offsets a user, and the events' positions by user, time and good. Events equal in all three are the
/// same to everything that follows.
fn by_user_and_time(events: &Events, user_ids: &[u32], good_ids: &[u32]) -> (Vec<u32>, Vec<u32>) {
    let mut offsets = vec![0u32; user_ids.len() + 1];
    for &user in &events.users {
        offsets[user_ids[user as usize] as usize + 1] += 1;
    }
    for user in 0..user_ids.len() {
        offsets[user + 1] += offsets[user];
    }
    let mut next = offsets.clone();
    let mut order = vec![0u32; events.users.len()];
    for (event, &user) in events.users.iter().enumerate() {
        let slot = &mut next[user_ids[user as usize] as usize];
        order[*slot as usize] = event as u32;
        *slot += 1;
    }
    for pair in offsets.windows(2) {
        order[pair[0] as usize..pair[1] as usize].sort_by_key(|&event| {
            let event = event as usize;
            (events.times[event], good_ids[events.items[event] as usize])
        });
    }
    (offsets, order)
}

/// One negative a position; or the user who leaves none.
fn negatives(content: &Content, seed: u64) -> std::result::Result<Vec<u32>, usize> {
    let mut draw = Negatives::new(content.goods_keys.len(), seed);
    let mut negatives = Vec::with_capacity(content.goods.len());
    for user in 0..content.user_keys.len() {
        if !draw.of_user(user as u32, &content.goods[content.events(user)], &mut negatives) {
            return Err(user);
        }
    }
    Ok(negatives)
}

/// Draws negatives by rejection, user by user; in any order of users they are the same.
pub(crate) struct Negatives {
    stream: RandomStream,
    goods: usize,
    /// The last user seen with a good, plus one: no clearing between users.
    touched_by: Vec<u32>,
}

impl Negatives {
    pub fn new(goods: usize, seed: u64) -> Self {
        let stream = SeedStreams::new(seed).stream("negatives");
        Self { stream, goods, touched_by: vec![0; goods + 1] }
    }

    /// Appends a negative for each of a user's events; false when the user touched all goods.
    #[must_use]
    pub fn of_user(&mut self, user: u32, events: &[u32], negatives: &mut Vec<u32>) -> bool {
        let mark = user + 1;
        let mut distinct = 0;
        for &good in events {
            let touched = &mut self.touched_by[good as usize];
            if *touched != mark {
                *touched = mark;
                distinct += 1;
            }
        }
        if distinct == self.goods {
            return false;
        }
        let mut draws = self.stream.substream(u64::from(user));
        for _ in events {
            let negative = loop {
                let good = 1 + draws.below(self.goods as u64) as u32;
                if self.touched_by[good as usize] != mark {
                    break good;
                }
            };
            negatives.push(negative);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raw::Items;
    use std::path::Path;

    fn raw(events: &[(&str, &str, u64)], items: &[(&str, &str)]) -> Raw {
        let mut all = Events::new(Path::new("interactions.csv"), Place::Line(2), "item");
        for &(user, item, time) in events {
            all.push(user, item, time).unwrap();
        }
        let mut known = Items::new(Path::new("items.csv"), "cate");
        for (line, &(item, category)) in items.iter().enumerate() {
            let category = Some(category).filter(|text| !text.is_empty());
            known.push(item, category, Place::Line(line as u64 + 2)).unwrap();
        }
        Raw { id: "t".into(), events: all, items: known, sources: vec![], simulation: None }
    }

    const ITEMS: [(&str, &str); 6] =
        [("i9", "z"), ("i10", "y"), ("i2", "z"), ("unused", "a"), ("i1", "x"), ("i3", "y")];

    #[test]
    fn ids_follow_the_byte_order_of_keys_and_skip_what_has_no_events() {
        let events = [("u2", "i9", 5), ("u10", "i10", 3), ("u2", "i1", 1), ("u10", "i2", 1)];
        let content = number(&raw(&events, &ITEMS), 1).unwrap();
        assert_eq!(content.user_keys, ["u10", "u2"]);
        assert_eq!(content.goods_keys, ["i1", "i10", "i2", "i9"]);
        assert_eq!(content.category_keys, ["x", "y", "z"]);
        assert_eq!(content.goods_categories, [1, 2, 3, 3]);
        assert_eq!(content.offsets, [0, 2, 4]);
        assert_eq!(content.goods, [3, 2, 1, 4]);
        assert_eq!(content.problem(), None);
    }

    #[test]
    fn equal_times_follow_the_byte_order_of_the_goods_keys() {
        let events =
            [("u", "i9", 7), ("u", "i1", 7), ("u", "i2", 0), ("u", "i10", 7), ("v", "i3", 1)];
        let content = number(&raw(&events, &ITEMS), 1).unwrap();
        let keys: Vec<&str> = content.goods[..4]
            .iter()
            .map(|&good| &*content.goods_keys[good as usize - 1])
            .collect();
        assert_eq!(keys, ["i2", "i1", "i10", "i9"]);
    }

    #[test]
    fn an_item_without_category_is_named_with_its_first_event() {
        let events = [("u", "i9", 1), ("u", "nowhere", 2), ("v", "i1", 1)];
        let message = number(&raw(&events, &ITEMS), 1).unwrap_err().to_string();
        assert_eq!(
            message,
            "interactions.csv, line 3, field item: item \"nowhere\" has no category: items.csv does \
             not have it; add the item's cate or remove its events"
        );
        let message = number(&raw(&events, &[("i9", "z"), ("nowhere", "")]), 1).unwrap_err();
        assert!(message.to_string().contains("items.csv, line 3 gives it none"), "{message}");
    }

    #[test]
    fn a_user_who_touched_everything_is_an_error() {
        let events = [("u", "i9", 1), ("v", "i1", 1), ("v", "i9", 2), ("v", "i1", 3)];
        let message = number(&raw(&events, &ITEMS), 1).unwrap_err().to_string();
        assert!(message.contains("line 3, field item: user \"v\""), "{message}");
        assert!(message.contains("all 2 goods"), "{message}");
    }

    #[test]
    fn negatives_of_a_user_do_not_depend_on_other_users_events() {
        let first =
            [("u", "i9", 1), ("u", "i1", 2), ("v", "i2", 1), ("w", "i10", 1), ("w", "i3", 2)];
        let mut second = first.to_vec();
        second.insert(0, ("v", "i3", 9));
        let first = number(&raw(&first, &ITEMS), 1234).unwrap();
        let second = number(&raw(&second, &ITEMS), 1234).unwrap();
        assert_eq!(first.negatives[..2], second.negatives[..2]);
        assert_eq!(first.negatives[3..], second.negatives[4..]);
    }

    #[test]
    fn negatives_are_uniform_over_the_goods_left() {
        let events: Vec<(String, String, u64)> = (0..4000)
            .map(|user| (format!("u{user:04}"), format!("i{}", [1, 2, 3, 9, 10][user % 5]), 1))
            .collect();
        let events: Vec<(&str, &str, u64)> =
            events.iter().map(|(user, item, time)| (&**user, &**item, *time)).collect();
        let content = number(&raw(&events, &ITEMS), 1234).unwrap();
        let mut counts = [0; 6];
        for &negative in &content.negatives {
            counts[negative as usize] += 1;
        }
        // Each good is left for 3200 users, one draw in four: mean 800, standard deviation 24.
        assert!(counts[1..].iter().all(|count| (700..900).contains(count)), "{counts:?}");
    }
}
