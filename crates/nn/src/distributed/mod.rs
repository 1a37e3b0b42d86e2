//! Ranks: processes, on one machine or several, that do each training step together.
//!
//! Every rank has all rows of a batch and computes some of its lanes (see `shards.rs`). What the lanes give is
//! exchanged and summed in the order of lanes, so that a step has the same bits on any number of ranks.

mod bytes;
mod files;
mod join;
mod owners;
mod parcels;
mod partition;
mod rows;
mod scoring;
mod threads;

pub use bytes::gather_bytes;
pub(crate) use files::SpreadRows;
pub use files::{read_metadata, read_spread, write_spread};
pub(crate) use join::{join, own_lanes};
use owners::OwnGradients;
pub use parcels::{Parcels, Words};
pub use partition::Partition;
pub(crate) use rows::{pass_over_owned, uses_of_rows};
pub use scoring::FetchedRows;
pub use threads::ThreadRanks;

use crate::Result;
use std::ops::Range;

/// What ranks need to do a step together: the collective operations of the Message Passing Interface that are
/// used here. All ranks must call the same ones in the same order.
pub trait Communicator: Send + Sync {
    /// The number of this rank, from 0.
    fn rank(&self) -> usize;

    /// The number of ranks.
    fn size(&self) -> usize;

    /// What every rank gives, in the order of ranks (`MPI_Allgatherv`).
    ///
    /// # Errors
    /// [`crate::Error::Rank`] when a rank is lost.
    fn all_gather(&self, mine: &[u32]) -> Result<Parcels>;

    /// Gives each rank its parcel, and what each rank has for this one, in the order of ranks (`MPI_Alltoallv`).
    ///
    /// # Errors
    /// [`crate::Error::Rank`] when a rank is lost.
    fn all_to_all(&self, parcels: Parcels) -> Result<Parcels>;

    /// Bytes that this rank has given to others so far. What goes to several counts for each.
    fn bytes_sent(&self) -> u64;
}

/// The one rank of a process that works alone.
#[derive(Clone, Copy, Debug, Default)]
pub struct Alone;

impl Communicator for Alone {
    fn rank(&self) -> usize {
        0
    }

    fn size(&self) -> usize {
        1
    }

    fn all_gather(&self, mine: &[u32]) -> Result<Parcels> {
        let mut all = Parcels::default();
        all.push(mine);
        Ok(all)
    }

    fn all_to_all(&self, parcels: Parcels) -> Result<Parcels> {
        Ok(parcels)
    }

    fn bytes_sent(&self) -> u64 {
        0
    }
}

/// The part of `count` things that is a rank's: parts follow one another and differ by one at most.
pub fn share_of(count: usize, rank: usize, size: usize) -> Range<usize> {
    let bound = |rank| (count as u128 * rank as u128 / size.max(1) as u128) as usize;
    bound(rank)..bound(rank + 1)
}
