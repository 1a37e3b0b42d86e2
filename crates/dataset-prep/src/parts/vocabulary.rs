//! Global numbers: the keys of all parts in one order.

use super::{CATEGORIES, ITEMS, Part, USERS};
use crate::numbering::ranks;
use crate::raw::Interner;
use crate::{Error, Result};
use std::path::Path;

/// Keys of all parts under their final numbers.
#[derive(Debug)]
pub(super) struct Vocabulary {
    pub user_keys: Vec<String>,
    /// Events of each user.
    pub events: Vec<u32>,
    /// The part of each user.
    pub part_of: Vec<u32>,
    pub goods_keys: Vec<String>,
    pub goods_categories: Vec<u32>,
    pub category_keys: Vec<String>,
}

impl Vocabulary {
    pub fn of(dir: &Path, parts: &[Part]) -> Result<Self> {
        let mut users: Vec<(String, u32, u32)> = Vec::new();
        let (mut goods, mut categories) = (Interner::default(), Interner::default());
        let mut category_of: Vec<u32> = Vec::new();
        for (index, part) in (0u32..).zip(parts) {
            let (keys, events) = part.keys(USERS, Some("events"))?;
            users.extend(keys.into_iter().zip(events).map(|(key, events)| (key, index, events)));
            let (texts, _) = part.keys(CATEGORIES, None)?;
            let (items, of_items) = part.keys(ITEMS, Some("category"))?;
            for (item, &category) in items.iter().zip(&of_items) {
                let Some(text) = (category as usize).checked_sub(1).and_then(|at| texts.get(at))
                else {
                    return part.damaged(format!("item {item:?} has category {category}"));
                };
                let category = categories.intern(text);
                let number = goods.intern(item) as usize;
                if number == category_of.len() {
                    category_of.push(category);
                }
                if category_of[number] != category {
                    return part.damaged(format!(
                        "item {item:?} has category {text:?}, in an earlier part {:?}",
                        categories.text(category_of[number])
                    ));
                }
            }
        }
        users.sort_unstable();
        if let Some(pair) = users.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            let reason =
                format!("user {:?} is in parts {} and {}", pair[0].0, pair[0].1, pair[1].1);
            return Err(Error::damaged(dir, format!("{reason}; prepare the parts again")));
        }
        let (order, _) = ranks(&goods, 1);
        let (category_order, category_ids) = ranks(&categories, 1);
        let keys = |interner: &Interner, order: &[u32]| -> Vec<String> {
            order.iter().map(|&number| interner.text(number).to_string()).collect()
        };
        let of_good = |&good: &u32| category_ids[category_of[good as usize] as usize];
        let mut vocabulary = Self {
            user_keys: Vec::with_capacity(users.len()),
            events: Vec::with_capacity(users.len()),
            part_of: Vec::with_capacity(users.len()),
            goods_keys: keys(&goods, &order),
            goods_categories: order.iter().map(of_good).collect(),
            category_keys: keys(&categories, &category_order),
        };
        for (key, part, events) in users {
            vocabulary.user_keys.push(key);
            vocabulary.part_of.push(part);
            vocabulary.events.push(events);
        }
        Ok(vocabulary)
    }

    /// Ends of the users' events, in the order of the whole dataset; none when there are more than can be counted.
    pub fn offsets(&self) -> Option<Vec<u32>> {
        let mut offsets = vec![0u32];
        let mut total = 0u32;
        for &events in &self.events {
            total = total.checked_add(events)?;
            offsets.push(total);
        }
        // Two rows an event are counted too.
        (total < u32::MAX / 2).then_some(offsets)
    }
}

/// The places of some keys among all of them, from 1; both in byte order. None when one is not there.
pub(super) fn places(all: &[String], some: &[String]) -> Option<Vec<u32>> {
    let mut rest = (1u32..).zip(all);
    some.iter().map(|key| rest.find(|(_, other)| *other == key).map(|(place, _)| place)).collect()
}

#[cfg(test)]
mod tests {
    use super::places;

    #[test]
    fn places_count_from_one_and_what_is_missing_is_noticed() {
        let keys = |texts: &[&str]| texts.iter().map(ToString::to_string).collect::<Vec<_>>();
        let all = keys(&["a", "b", "c", "d"]);
        assert_eq!(places(&all, &keys(&["b", "d"])), Some(vec![2, 4]));
        assert_eq!(places(&all, &[]), Some(vec![]));
        assert_eq!(places(&all, &keys(&["b", "x"])), None);
    }
}
