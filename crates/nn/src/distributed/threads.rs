//! Ranks that are threads of one process: to test what ranks compute without a network.

use super::{Communicator, Parcels};
use crate::{Error, Result};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// A rank that is a thread of this process.
#[derive(Debug)]
pub struct ThreadRanks {
    rank: usize,
    hall: Arc<Hall>,
    sent: AtomicU64,
}

/// Where all threads meet.
#[derive(Debug)]
struct Hall {
    size: usize,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    brought: Vec<Option<Parcels>>,
    /// Of the last meeting, until all have taken it.
    all: Arc<Vec<Parcels>>,
    meeting: u64,
    lost: Option<usize>,
}

impl ThreadRanks {
    /// So many ranks that know one another, for a thread each.
    pub fn group(size: usize) -> Vec<Self> {
        let state =
            State { brought: vec![None; size], all: Arc::default(), meeting: 0, lost: None };
        let hall = Arc::new(Hall { size, state: Mutex::new(state), changed: Condvar::new() });
        (0..size).map(|rank| Self { rank, hall: hall.clone(), sent: AtomicU64::new(0) }).collect()
    }

    /// As when this rank died: the others learn it at their next meeting, or in the one that they wait in.
    pub fn leave(&self) {
        self.hall.lock().lost.get_or_insert(self.rank);
        self.hall.changed.notify_all();
    }

    fn meet(&self, mine: Parcels) -> Result<Arc<Vec<Parcels>>> {
        let hall = &self.hall;
        let mut state = hall.lock();
        let meeting = state.meeting;
        state.brought[self.rank] = Some(mine);
        if state.brought.iter().all(Option::is_some) {
            state.all = Arc::new(
                state.brought.iter_mut().map(|one| one.take().unwrap_or_default()).collect(),
            );
            state.meeting += 1;
            hall.changed.notify_all();
        }
        while state.meeting == meeting {
            if let Some(rank) = state.lost {
                return Err(Error::Rank(format!("rank {rank} left")));
            }
            state = hall.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        Ok(state.all.clone())
    }

    fn count(&self, words: usize) {
        self.sent.fetch_add(4 * words as u64, Ordering::Relaxed);
    }
}

impl Hall {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Communicator for ThreadRanks {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.hall.size
    }

    fn all_gather(&self, mine: &[u32]) -> Result<Parcels> {
        self.count(mine.len() * (self.hall.size - 1));
        let mut parcels = Parcels::default();
        parcels.push(mine);
        let mut gathered = Parcels::default();
        self.meet(parcels)?.iter().for_each(|one| gathered.push(one.of(0)));
        Ok(gathered)
    }

    fn all_to_all(&self, parcels: Parcels) -> Result<Parcels> {
        let whole: usize = parcels.iter().map(<[u32]>::len).sum();
        self.count(whole - parcels.of(self.rank).len());
        let mut received = Parcels::default();
        self.meet(parcels)?.iter().for_each(|one| received.push(one.of(self.rank)));
        Ok(received)
    }

    fn bytes_sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }
}
