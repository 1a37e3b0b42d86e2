//! What ranks send one another.

use crate::{Error, Result};
use std::ops::Range;

/// Lists of 32-bit words, one after the other in one memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parcels {
    /// The words of all lists.
    pub words: Vec<u32>,
    bounds: Vec<Range<usize>>,
}

impl Parcels {
    /// Lists at these places of `words`.
    pub fn at(words: Vec<u32>, bounds: Vec<Range<usize>>) -> Self {
        Self { words, bounds }
    }

    /// Adds a list.
    pub fn push(&mut self, words: &[u32]) {
        self.words.extend_from_slice(words);
        self.close();
    }

    /// Ends the list whose words were put into `words` since the last one.
    ///
    /// A word that nobody reads follows each list: Open MPI 4.1 never ends an exchange in which some ranks have
    /// nothing at all for each other and others have.
    pub fn close(&mut self) {
        let start = self.bounds.last().map_or(0, |last| last.end + SPARE);
        self.bounds.push(start..self.words.len());
        self.words.extend([0; SPARE]);
    }

    /// The number of lists.
    pub fn count(&self) -> usize {
        self.bounds.len()
    }

    /// One list.
    pub fn of(&self, index: usize) -> &[u32] {
        &self.words[self.bounds[index].clone()]
    }

    /// All lists, in order.
    pub fn iter(&self) -> impl Iterator<Item = &[u32]> {
        (0..self.count()).map(|index| self.of(index))
    }
}

/// Words after each list.
const SPARE: usize = 1;

/// A number of double precision as two words, lower half first.
pub fn words_of(double: f64) -> [u32; 2] {
    [double.to_bits() as u32, (double.to_bits() >> 32) as u32]
}

/// What is left of the words of a message.
#[derive(Clone, Copy, Debug)]
pub struct Words<'w>(pub &'w [u32]);

impl<'w> Words<'w> {
    /// The next words.
    ///
    /// # Errors
    /// When there are fewer.
    pub fn take(&mut self, count: usize) -> Result<&'w [u32]> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or_else(|| {
            Error::Exchange(
                "a message of another rank is too short: run one program everywhere".into(),
            )
        })?;
        self.0 = rest;
        Ok(taken)
    }

    /// The next word.
    ///
    /// # Errors
    /// When there is none.
    pub fn one(&mut self) -> Result<u32> {
        Ok(self.take(1)?[0])
    }

    /// The next two words as a number of double precision, lower half first.
    ///
    /// # Errors
    /// When there are fewer.
    pub fn double(&mut self) -> Result<f64> {
        let taken = self.take(2)?;
        Ok(f64::from_bits(u64::from(taken[0]) | u64::from(taken[1]) << 32))
    }

    /// As many words as the next one says.
    ///
    /// # Errors
    /// When there are fewer.
    pub fn list(&mut self) -> Result<&'w [u32]> {
        let count = self.one()? as usize;
        self.take(count)
    }

    /// The next words as numbers.
    pub(crate) fn numbers<const N: usize>(&mut self) -> Result<[usize; N]> {
        let taken = self.take(N)?;
        Ok(std::array::from_fn(|index| taken[index] as usize))
    }
}
