//! Tables of which every rank has some rows, so that they need not fit into the memory of one.

use std::cell::Cell;

/// How the rows of a table are spread over ranks: by their ids modulo the number of ranks. (Ids are numbered by
/// the byte order of keys, which has nothing to do with how frequent they are.)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Partition {
    rank: u32,
    size: u32,
}

thread_local! {
    static WHILE_BUILDING: Cell<Option<Partition>> = const { Cell::new(None) };
}

impl Partition {
    /// Builds weights of whose tables this rank has its rows alone. What builds a model need not know it.
    pub fn build<R>(rank: usize, size: usize, build: impl FnOnce() -> R) -> R {
        struct Restore(Option<Partition>);
        impl Drop for Restore {
            fn drop(&mut self) {
                WHILE_BUILDING.set(self.0);
            }
        }
        let partition = Self { rank: rank as u32, size: size.max(1) as u32 };
        let _restore = Restore(WHILE_BUILDING.replace(Some(partition)));
        build()
    }

    /// The partition of tables that are built now.
    pub(crate) fn while_building() -> Option<Self> {
        WHILE_BUILDING.get()
    }

    /// Whether this rank has a row.
    pub(crate) fn has(self, id: u32) -> bool {
        id % self.size == self.rank
    }

    /// The rank that has a row.
    pub(crate) fn owner(self, id: u32) -> usize {
        (id % self.size) as usize
    }

    /// The place of a row among those of its owner. It rises with the id.
    pub(crate) fn place(self, id: u32) -> u32 {
        id / self.size
    }
}
