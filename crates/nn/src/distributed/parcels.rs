//! What ranks send one another.

/// Lists of 32-bit words, one after the other in one memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parcels {
    /// The words of all lists.
    pub words: Vec<u32>,
    /// Where each list ends in `words`.
    pub ends: Vec<usize>,
}

impl Parcels {
    /// Adds a list.
    pub fn push(&mut self, words: &[u32]) {
        self.words.extend_from_slice(words);
        self.close();
    }

    /// Ends the list whose words were put into `words` since the last one.
    pub fn close(&mut self) {
        self.ends.push(self.words.len());
    }

    /// The number of lists.
    pub fn count(&self) -> usize {
        self.ends.len()
    }

    /// One list.
    pub fn of(&self, index: usize) -> &[u32] {
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        &self.words[start..self.ends[index]]
    }

    /// All lists, in order.
    pub fn iter(&self) -> impl Iterator<Item = &[u32]> {
        (0..self.count()).map(|index| self.of(index))
    }

    /// Takes the memory back for new lists.
    pub fn clear(&mut self) {
        self.words.clear();
        self.ends.clear();
    }
}
