//! The logical content of a prepared dataset: what is hashed, written and read.

use ctr_core::Digest;

/// Keys, categories and events under their final ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Content {
    /// Key of user `u`.
    pub(crate) user_keys: Vec<String>,
    /// Key of good `g` at `g - 1`: id 0 is reserved.
    pub(crate) goods_keys: Vec<String>,
    /// Category of good `g` at `g - 1`.
    pub(crate) goods_categories: Vec<u32>,
    /// Key of category `c` at `c - 1`: id 0 is reserved.
    pub(crate) category_keys: Vec<String>,
    /// User `u` has events `offsets[u]..offsets[u + 1]`.
    pub(crate) offsets: Vec<u32>,
    /// Goods, in time order within a user.
    pub(crate) goods: Vec<u32>,
    /// The negative of each event.
    pub(crate) negatives: Vec<u32>,
}

impl Content {
    /// SHA-256 over all of it. Lengths go in with every column, so the counts are covered.
    pub(crate) fn sha256(&self) -> String {
        let keys = [&*self.user_keys, &*self.goods_keys, &*self.category_keys];
        let mut digest = begin_digest(keys, &self.goods_categories, &self.offsets);
        digest.ids(&self.goods);
        digest.ids(&self.negatives);
        digest.finish()
    }

    /// Events of user `user`.
    pub(crate) fn events(&self, user: usize) -> std::ops::Range<usize> {
        self.offsets[user] as usize..self.offsets[user + 1] as usize
    }

    /// The first thing that cannot be: an id out of range, a user without events, a negative that the
    /// user touched. Lengths of columns must be right.
    pub(crate) fn problem(&self) -> Option<String> {
        let (goods, categories) = (self.goods_keys.len() as u32, self.category_keys.len() as u32);
        let out = |ids: &[u32], size: u32| ids.iter().position(|&id| id == 0 || id > size);
        for (name, ids, size) in [
            ("cate_id", &self.goods_categories, categories),
            ("goods_id", &self.goods, goods),
            ("negative_id", &self.negatives, goods),
        ] {
            if let Some(row) = out(ids, size) {
                let id = ids[row];
                return Some(format!("{name} {id} in row {} is not in 1..={size}", row + 1));
            }
        }
        let mut last_user = vec![0u32; goods as usize + 1];
        for user in 0..self.user_keys.len() {
            let events = self.events(user);
            if events.is_empty() {
                return Some(format!("user {user} has no events"));
            }
            for &good in &self.goods[events.clone()] {
                last_user[good as usize] = user as u32 + 1;
            }
            for row in events {
                if last_user[self.negatives[row] as usize] == user as u32 + 1 {
                    return Some(format!(
                        "the negative in row {} is one of the user's own",
                        row + 1
                    ));
                }
            }
        }
        None
    }
}

/// The content hash up to the events: keys of users, goods and categories, and offsets. The goods of all events
/// follow, and all negatives, each with their number before them.
pub(crate) fn begin_digest(
    keys: [&[String]; 3],
    goods_categories: &[u32],
    offsets: &[u32],
) -> Digest {
    let mut digest = Digest::new();
    digest.text("goods and categories, version 1");
    for keys in keys {
        digest.update(&(keys.len() as u64).to_le_bytes());
        for key in keys {
            digest.text(key);
        }
    }
    digest.ids(goods_categories);
    digest.ids(offsets);
    digest
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Users with 4, 1, 2 and 3 events over six goods of two categories.
    pub(crate) fn small() -> Content {
        let keys = |texts: &[&str]| texts.iter().map(ToString::to_string).collect();
        Content {
            user_keys: keys(&["a", "b", "c", "d"]),
            goods_keys: keys(&["g1", "g2", "g3", "g4", "g5", "g6"]),
            goods_categories: vec![1, 1, 2, 2, 1, 2],
            category_keys: keys(&["x", "y"]),
            offsets: vec![0, 4, 5, 7, 10],
            goods: vec![1, 2, 3, 4, 5, 6, 1, 2, 4, 6],
            negatives: vec![5, 6, 5, 6, 1, 2, 3, 1, 3, 5],
        }
    }

    #[test]
    fn the_hash_is_fixed_for_ever_and_moves_with_every_part() {
        let content = small();
        assert_eq!(content.problem(), None);
        let golden = content.sha256();
        assert_eq!(golden, "a90ffac1e060b134899037a8456a08153b9bc5ada2d2848d91f27c4d0953ca1b");
        let changes: [fn(&mut Content); 7] = [
            |content| content.user_keys[1].push('!'),
            |content| content.goods_keys.swap(0, 1),
            |content| content.category_keys[0].push('!'),
            |content| content.goods_categories[0] = 2,
            |content| content.offsets[1] = 3,
            |content| content.goods[9] = 3,
            |content| content.negatives[0] = 6,
        ];
        for change in changes {
            let mut changed = small();
            change(&mut changed);
            assert_ne!(changed.sha256(), golden);
        }
    }

    #[test]
    fn what_cannot_be_is_named() {
        let problem = |change: fn(&mut Content)| {
            let mut content = small();
            change(&mut content);
            content.problem().unwrap_or_default()
        };
        assert!(problem(|c| c.goods[3] = 7).contains("goods_id 7 in row 4"));
        assert!(problem(|c| c.negatives[0] = 0).contains("negative_id 0 in row 1"));
        assert!(problem(|c| c.goods_categories[5] = 3).contains("cate_id 3 in row 6"));
        assert!(problem(|c| c.offsets[2] = 4).contains("user 1 has no events"));
        assert!(problem(|c| c.negatives[4] = 5).contains("row 5 is one of the user's own"));
    }
}
