//! Bytes instead of words.

use super::Communicator;
use crate::{Error, Result};

/// Bytes of one exchange, of all ranks: less than what the Message Passing Interface counts, in 32-bit words.
const EXCHANGE: usize = 1 << 30;

/// The bytes that every rank gives, in the order of ranks.
///
/// # Errors
/// When a rank is lost, or sends something else.
pub fn gather_bytes(ranks: &dyn Communicator, mine: &[u8]) -> Result<Vec<Vec<u8>>> {
    in_pieces(ranks, mine, (EXCHANGE / ranks.size()).next_multiple_of(4))
}

/// So many bytes of each rank at a time, which is a multiple of a word's.
fn in_pieces(ranks: &dyn Communicator, mine: &[u8], piece: usize) -> Result<Vec<Vec<u8>>> {
    let length = mine.len() as u64;
    let lengths = ranks.all_gather(&[length as u32, (length >> 32) as u32])?;
    let lengths: Vec<usize> = lengths
        .iter()
        .map(|words| match *words {
            [low, high] => Ok((u64::from(high) << 32 | u64::from(low)) as usize),
            _ => Err(unlike()),
        })
        .collect::<Result<_>>()?;
    let mut all: Vec<Vec<u8>> = vec![Vec::new(); lengths.len()];
    let longest = lengths.iter().max().copied().unwrap_or_default();
    for start in (0..longest).step_by(piece) {
        let rest = mine.get(start..).unwrap_or_default();
        let words: Vec<u32> = rest[..rest.len().min(piece)].chunks(4).map(word).collect();
        for ((bytes, words), length) in
            all.iter_mut().zip(ranks.all_gather(&words)?.iter()).zip(&lengths)
        {
            bytes.extend(words.iter().flat_map(|word| word.to_le_bytes()));
            bytes.truncate(*length);
        }
    }
    if all.iter().zip(&lengths).any(|(bytes, length)| bytes.len() != *length) {
        return Err(unlike());
    }
    Ok(all)
}

/// Up to four bytes.
fn word(bytes: &[u8]) -> u32 {
    bytes.iter().rev().fold(0, |word, &byte| word << 8 | u32::from(byte))
}

fn unlike() -> Error {
    Error::Exchange(
        "another rank does something else: give all of them the same command and program".into(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ThreadRanks;

    #[test]
    fn every_rank_has_the_bytes_of_all() {
        let of = |rank: usize| -> Vec<u8> {
            (0..[0, 5, 4000][rank]).map(|at| (at * 7 + rank) as u8).collect()
        };
        std::thread::scope(|scope| {
            for (rank, ranks) in ThreadRanks::group(3).into_iter().enumerate() {
                scope.spawn(move || {
                    let expected: Vec<_> = (0..3).map(of).collect();
                    assert_eq!(gather_bytes(&ranks, &of(rank)).unwrap(), expected);
                    for piece in [4, 8, 4000] {
                        assert_eq!(in_pieces(&ranks, &of(rank), piece).unwrap(), expected);
                    }
                });
            }
        });
    }

    #[test]
    fn a_rank_that_does_something_else_is_an_error() {
        std::thread::scope(|scope| {
            let mut ranks = ThreadRanks::group(2).into_iter();
            let (one, other) = (ranks.next().unwrap(), ranks.next().unwrap());
            scope.spawn(move || gather_bytes(&one, b"abc").unwrap_err());
            scope.spawn(move || other.all_gather(&[1, 2, 3]).unwrap());
        });
    }
}
