//! Histories of the simulator: their lengths, then their goods.

use super::world::{STYLES, Weighted, World};
use super::{CORE, Counts};
use ctr_core::{RandomStream, SeedStreams};

/// Longest history.
const LONGEST: u32 = 400;

/// Share of each interest of a user, largest first.
const SHARES: [u64; 8] = [4, 3, 2, 2, 1, 1, 1, 1];

/// Every user's goods in time order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sequences {
    pub(crate) offsets: Vec<u32>,
    pub(crate) goods: Vec<u32>,
}

impl Sequences {
    pub(crate) fn of(&self, user: u32) -> &[u32] {
        let user = user as usize;
        &self.goods[self.offsets[user] as usize..self.offsets[user + 1] as usize]
    }
}

/// Number of events of each user; they add up to the reviews wanted.
pub(crate) fn lengths(counts: Counts, streams: SeedStreams) -> Result<Vec<u32>, String> {
    let Counts { users, goods, reviews, .. } = counts;
    let longest = LONGEST.min(goods / 2);
    let (least, most) =
        (u64::from(users.max(goods)) * u64::from(CORE), u64::from(users) * u64::from(longest));
    if !(least..=most).contains(&u64::from(reviews)) {
        return Err(format!(
            "{reviews} reviews do not give {users} users {CORE} to {longest} and {goods} goods {CORE} \
             reviews each"
        ));
    }
    // P(x) ∝ 1 / (x + c)³ with c = the mean wanted, in sixteenths to stay within integers.
    let extra = u64::from(reviews) - u64::from(users) * u64::from(CORE);
    let shift = (16 * extra / u64::from(users)).max(8);
    let mut weighted = Weighted::default();
    for x in 0..=longest - CORE {
        weighted.push(x, (1 << 56) / (16 * u64::from(x) + shift).pow(3));
    }
    let mut stream = streams.stream("simulate/lengths");
    let mut lengths: Vec<u32> =
        (0..users).map(|_| CORE + weighted.draw(&mut stream).unwrap_or(0)).collect();
    let mut sum: u64 = lengths.iter().map(|&length| u64::from(length)).sum();
    while sum != u64::from(reviews) {
        let length = &mut lengths[stream.below(u64::from(users)) as usize];
        if sum < u64::from(reviews) && *length < longest {
            *length += 1;
            sum += 1;
        } else if sum > u64::from(reviews) && *length > CORE {
            *length -= 1;
            sum -= 1;
        }
    }
    Ok(lengths)
}

/// Draws all events. A user's draws depend on the user alone.
pub(crate) fn draw(world: &World, lengths: &[u32], streams: SeedStreams) -> Sequences {
    let stream = streams.stream("simulate/events");
    let mut sequences = Sequences { offsets: vec![0], goods: Vec::new() };
    // `owner[g]` is the last user who got good `g`, plus one.
    let mut owner = vec![0u32; world.counts.goods as usize];
    for (user, &length) in lengths.iter().enumerate() {
        let mut stream = stream.substream(user as u64);
        let mut tastes = Tastes::new(world, length, &mut stream);
        for _ in 0..length {
            let good = loop_until_new(world, &mut tastes, user as u32 + 1, &owner, &mut stream);
            owner[good as usize] = user as u32 + 1;
            sequences.goods.push(good);
        }
        sequences.offsets.push(sequences.goods.len() as u32);
    }
    sequences
}

/// Draws until the user does not have the good yet: by taste, then by popularity alone, and if the
/// user's interests are used up, any good. Histories are at most half of the goods, so this ends.
fn loop_until_new(
    world: &World,
    tastes: &mut Tastes,
    mark: u32,
    owner: &[u32],
    stream: &mut RandomStream,
) -> u32 {
    let mut attempt = 0;
    loop {
        attempt += 1;
        let (interest, good) = match attempt {
            1..=24 => tastes.next(world, stream),
            25..=56 => (None, world.all.draw(stream).unwrap_or(0)),
            _ => (None, stream.below(u64::from(world.counts.goods)) as u32),
        };
        if owner[good as usize] != mark {
            if let Some(interest) = interest {
                tastes.last[interest] = Some(good);
            }
            return good;
        }
    }
}

/// A user's interests with their styles and last goods.
struct Tastes {
    interests: Vec<u32>,
    styles: Vec<u32>,
    last: Vec<Option<u32>>,
    shares: u64,
}

impl Tastes {
    fn new(world: &World, length: u32, stream: &mut RandomStream) -> Self {
        let wanted = (1 + stream.below(4) as usize + length as usize / 24)
            .min(SHARES.len())
            .min(world.counts.interests as usize);
        let mut interests = Vec::with_capacity(wanted);
        while interests.len() < wanted {
            let interest = world.interests.draw(stream).unwrap_or(0);
            if !interests.contains(&interest) {
                interests.push(interest);
            }
        }
        let styles = (0..wanted).map(|_| stream.below(u64::from(STYLES)) as u32).collect();
        let shares = SHARES[..wanted].iter().sum();
        Self { interests, styles, last: vec![None; wanted], shares }
    }

    /// The next good, and which of the user's interests it came from.
    fn next(&self, world: &World, stream: &mut RandomStream) -> (Option<usize>, u32) {
        let any = |stream: &mut RandomStream| world.all.draw(stream).unwrap_or(0);
        if stream.below(16) == 0 {
            return (None, any(stream));
        }
        let mut point = stream.below(self.shares);
        let mut index = 0;
        while point >= SHARES[index] {
            point -= SHARES[index];
            index += 1;
        }
        let (interest, style) = (self.interests[index], self.styles[index]);
        let good = match self.last[index] {
            Some(last) if stream.below(16) < 6 => world.complement(last, stream),
            _ => {
                // A small world may have an interest without goods of this style.
                let of_style = (stream.below(16) < 13)
                    .then(|| world.of_style(interest, style).draw(stream))
                    .flatten();
                match of_style.or_else(|| world.of_interest(interest).draw(stream)) {
                    Some(good) => good,
                    None => any(stream),
                }
            }
        };
        (Some(index), good)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COUNTS: Counts =
        Counts { users: 2000, goods: 900, categories: 30, reviews: 18_000, interests: 6 };

    #[test]
    fn lengths_add_up_and_have_a_long_tail() {
        let lengths = lengths(COUNTS, SeedStreams::new(1)).unwrap();
        assert_eq!(lengths.iter().sum::<u32>(), 18_000);
        assert_eq!(lengths.iter().min(), Some(&5));
        let (longest, mut sorted) = (lengths.iter().max().copied().unwrap(), lengths.clone());
        sorted.sort_unstable();
        assert!((5..=8).contains(&sorted[1000]), "median {}", sorted[1000]);
        assert!((60..=300).contains(&longest), "longest {longest}");
    }

    #[test]
    fn counts_that_contradict_each_other_are_refused() {
        let few = Counts { reviews: 9_999, ..COUNTS };
        assert!(lengths(few, SeedStreams::new(1)).unwrap_err().contains("9999 reviews"));
        let many = Counts { reviews: 2000 * 400 + 1, ..COUNTS };
        assert!(lengths(many, SeedStreams::new(1)).is_err());
    }

    #[test]
    fn the_next_event_depends_on_the_history_of_its_own_interest() {
        let streams = SeedStreams::new(3);
        let world = World::new(COUNTS, streams);
        let lengths = lengths(COUNTS, streams).unwrap();
        let sequences = draw(&world, &lengths, streams);
        let (mut events, mut same_style, mut complements, mut others) = (0, 0, 0, 0);
        for user in 0..COUNTS.users {
            let goods = sequences.of(user);
            for position in 1..goods.len() {
                let next = goods[position];
                let mut past = goods[..position].iter().rev();
                let Some(&last) = past.find(|&&good| world.interest(good) == world.interest(next))
                else {
                    continue;
                };
                events += 1;
                same_style += u32::from(world.style(last) == world.style(next));
                complements += u32::from(world.complements(last).contains(&next));
                // The complements of a good of another interest never fit.
                others += u32::from(
                    goods[..position]
                        .iter()
                        .filter(|&&good| world.interest(good) != world.interest(next))
                        .any(|&good| world.complements(good).contains(&next)),
                );
            }
        }
        // A style is one of four by chance; a complement one of some 150 goods.
        assert!(same_style * 2 > events, "{same_style} of {events}");
        assert!(complements * 5 > events, "{complements} of {events}");
        assert_eq!(others, 0);
    }
}
