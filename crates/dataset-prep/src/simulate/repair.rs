//! The 5-core: every good gets its least number of reviews.

use super::CORE;
use super::events::Sequences;
use super::world::World;
use ctr_core::SeedStreams;

/// Replaces events of goods that have more than enough until no good has too few.
///
/// # Errors
/// When no event can be replaced, which takes counts without any slack.
pub(crate) fn to_core(
    world: &World,
    sequences: &mut Sequences,
    streams: SeedStreams,
) -> Result<(), String> {
    let mut stream = streams.stream("simulate/core");
    let mut counts = vec![0u32; world.counts.goods as usize];
    let mut by_interest = vec![Vec::new(); world.counts.interests as usize];
    let mut users = vec![0u32; sequences.goods.len()];
    for user in 0..world.counts.users {
        let from = sequences.offsets[user as usize];
        for position in from..sequences.offsets[user as usize + 1] {
            let good = sequences.goods[position as usize];
            counts[good as usize] += 1;
            users[position as usize] = user;
            // A replacement of the same interest keeps this list right; one from elsewhere does not,
            // so what it holds is checked again when it is used.
            by_interest[world.interest(good) as usize].push(position);
        }
    }
    for good in 0..world.counts.goods {
        let near = &by_interest[world.interest(good) as usize];
        while counts[good as usize] < CORE {
            let fits = |position: u32| {
                let present = sequences.goods[position as usize];
                counts[present as usize] > CORE
                    && !sequences.of(users[position as usize]).contains(&good)
            };
            let mut found = None;
            for attempt in 0..288 {
                let Some(&position) = near.get(stream.below(near.len() as u64) as usize) else {
                    break;
                };
                let present = sequences.goods[position as usize];
                let alike = world.interest(present) == world.interest(good)
                    && (attempt >= 32 || world.style(present) == world.style(good));
                if alike && fits(position) {
                    found = Some(position);
                    break;
                }
            }
            let events = sequences.goods.len() as u32;
            let start = stream.below(u64::from(events)) as u32;
            let position = found
                .or_else(|| (start..events).chain(0..start).find(|&position| fits(position)))
                .ok_or("too few reviews to give every good its five; choose a larger scale")?;
            counts[sequences.goods[position as usize] as usize] -= 1;
            counts[good as usize] += 1;
            sequences.goods[position as usize] = good;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulate::{Counts, events};

    #[test]
    fn every_good_gets_five_and_nobody_gets_a_good_twice() {
        let counts =
            Counts { users: 300, goods: 280, categories: 20, reviews: 1_600, interests: 4 };
        let streams = SeedStreams::new(4);
        let world = World::new(counts, streams);
        let lengths = events::lengths(counts, streams).unwrap();
        let drawn = events::draw(&world, &lengths, streams);
        let mut sequences = drawn.clone();
        to_core(&world, &mut sequences, streams).unwrap();
        assert_ne!(sequences, drawn, "nothing had to be repaired: the test shows nothing");
        assert_eq!(sequences.offsets, drawn.offsets);
        for good in 0..counts.goods {
            let count = sequences.goods.iter().filter(|&&other| other == good).count();
            assert!(count >= 5, "good {good} has {count}");
        }
        for user in 0..counts.users {
            let mut goods = sequences.of(user).to_vec();
            goods.sort_unstable();
            goods.dedup();
            assert_eq!(goods.len() as u32, lengths[user as usize]);
        }
    }
}
