//! Sums over lanes in the middle of a pass: for statistics of the whole batch.

use crate::Error;
use crate::distributed::{Communicator, Parcels, share_of};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What all lanes brought to one meeting, in the order of lanes.
pub(crate) type Brought = Arc<Vec<Vec<f32>>>;

/// A meeting point of lanes that run on threads of their own. No more of them run at a time than there
/// are permits: on one core the lanes take turns.
pub(crate) struct Exchange {
    state: Mutex<State>,
    changed: Condvar,
    /// Number of meetings held, to be read without the lock.
    held: AtomicU64,
    /// Whether all lanes may run at a time, so that one who waits awake is in nobody's way.
    roomy: bool,
    /// Lanes of other ranks that come to the same meetings.
    others: Option<Others>,
}

/// What it takes to meet the lanes of other ranks.
pub(crate) struct Others {
    pub ranks: Arc<dyn Communicator>,
    /// Lanes of all ranks.
    pub lanes: usize,
    /// Whether what the lanes here bring counts; else their owner is another rank.
    pub counts: bool,
}

/// How long a lane waits awake: about the time that it takes to be woken.
const AWAKE: Duration = Duration::from_micros(60);

#[derive(Debug)]
struct State {
    permits: usize,
    meeting: u64,
    brought: Vec<Option<Vec<f32>>>,
    last: Brought,
    abandoned: bool,
    /// Why there was no meeting with other ranks.
    failure: Option<Error>,
}

/// Another lane failed, so that a meeting will never be complete.
#[derive(Debug)]
pub(crate) struct Abandoned;

impl Exchange {
    /// A meeting point for `lanes` lanes here, of which at most `permits` run at a time.
    pub fn new(lanes: usize, permits: usize, others: Option<Others>) -> Self {
        let state = State {
            permits: permits.max(1),
            meeting: 0,
            brought: vec![None; lanes],
            last: Brought::default(),
            abandoned: false,
            failure: None,
        };
        Self {
            state: Mutex::new(state),
            changed: Condvar::new(),
            held: AtomicU64::new(0),
            roomy: permits >= lanes,
            others,
        }
    }

    /// Why a meeting with other ranks failed, if one did. Lanes go on after it with numbers that nobody may use.
    pub fn failure(&self) -> Option<Error> {
        self.lock().failure.take()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'s>(&self, state: MutexGuard<'s, State>) -> MutexGuard<'s, State> {
        self.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
    }

    fn take_permit<'s>(&'s self, mut state: MutexGuard<'s, State>) -> MutexGuard<'s, State> {
        while state.permits == 0 {
            state = self.wait(state);
        }
        state.permits -= 1;
        state
    }

    /// Runs a lane. When it fails, lanes that wait for it fail too.
    pub fn run<R, E>(&self, lane: impl FnOnce() -> Result<R, E>) -> Result<R, E> {
        drop(self.take_permit(self.lock()));
        // A guard, because a panic must not leave the others waiting.
        struct Leave<'e>(&'e Exchange, bool);
        impl Drop for Leave<'_> {
            fn drop(&mut self) {
                let mut state = self.0.lock();
                state.permits += 1;
                state.abandoned |= !self.1;
                self.0.changed.notify_all();
            }
        }
        let mut leave = Leave(self, false);
        let result = lane();
        leave.1 = result.is_ok();
        result
    }

    /// Brings `mine` and waits for what the other lanes bring.
    pub fn meet(&self, lane: usize, mine: Vec<f32>) -> Result<Brought, Abandoned> {
        let mut state = self.lock();
        state.brought[lane] = Some(mine);
        if state.brought.iter().all(Option::is_some) {
            let here: Vec<Vec<f32>> =
                state.brought.iter_mut().map(|one| one.take().unwrap_or_default()).collect();
            let all = match &self.others {
                // The lock is held meanwhile, as all lanes here wait for this.
                Some(others) => others.gather(&here),
                None => Ok(here),
            };
            match all {
                Ok(all) => state.last = Arc::new(all),
                Err(error) => {
                    state.failure = Some(error);
                    state.abandoned = true;
                    self.changed.notify_all();
                    return Err(Abandoned);
                }
            }
            state.meeting += 1;
            self.held.store(state.meeting, Ordering::Release);
            self.changed.notify_all();
            return Ok(state.last.clone());
        }
        let meeting = state.meeting;
        if state.abandoned {
            return Err(Abandoned);
        }
        if self.roomy {
            drop(state);
            let begun = Instant::now();
            while self.held.load(Ordering::Acquire) == meeting && begun.elapsed() < AWAKE {
                std::hint::spin_loop();
            }
            state = self.lock();
            if state.meeting != meeting {
                return Ok(state.last.clone());
            }
        }
        state.permits += 1;
        self.changed.notify_all();
        while state.meeting == meeting && !state.abandoned {
            state = self.wait(state);
        }
        let complete = state.meeting != meeting;
        let brought = state.last.clone();
        drop(self.take_permit(state));
        if complete { Ok(brought) } else { Err(Abandoned) }
    }
}

impl Others {
    /// What the lanes of all ranks bring, in their order.
    fn gather(&self, here: &[Vec<f32>]) -> Result<Vec<Vec<f32>>, Error> {
        let brought = if self.counts { here.concat() } else { Vec::new() };
        let all: Parcels = self.ranks.all_gather(bytemuck::cast_slice(&brought))?;
        let mut lanes = Vec::with_capacity(self.lanes);
        for (rank, words) in all.iter().enumerate() {
            let count = share_of(self.lanes, rank, self.ranks.size()).len();
            let numbers: &[f32] = bytemuck::cast_slice(words);
            lanes.extend(
                (0..count).map(|lane| numbers[share_of(numbers.len(), lane, count)].to_vec()),
            );
        }
        Ok(lanes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_lanes_see_the_same_sums_whatever_the_permits() {
        for permits in [1, 2, 5] {
            let exchange = Exchange::new(3, permits, None);
            let results: Vec<Vec<f32>> = std::thread::scope(|scope| {
                let threads: Vec<_> = (0..3)
                    .map(|lane| {
                        let exchange = &exchange;
                        scope.spawn(move || {
                            exchange
                                .run(|| {
                                    let mut seen = Vec::new();
                                    for round in 0..50 {
                                        let mine = vec![(lane * 100 + round) as f32];
                                        let all = exchange.meet(lane, mine)?;
                                        seen.push(all.iter().map(|one| one[0]).sum::<f32>());
                                    }
                                    Ok::<_, Abandoned>(seen)
                                })
                                .unwrap()
                        })
                    })
                    .collect();
                threads.into_iter().map(|thread| thread.join().unwrap()).collect()
            });
            let expected: Vec<f32> = (0..50).map(|round| (300 + 3 * round) as f32).collect();
            assert!(results.iter().all(|result| *result == expected));
        }
    }

    #[test]
    fn a_failed_lane_frees_the_others() {
        let exchange = Exchange::new(2, 1, None);
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| exchange.run(|| exchange.meet(0, vec![1.0]).map(drop)));
            let failing = exchange.run(|| Err::<(), &str>("no"));
            assert!(failing.is_err());
            assert!(waiting.join().unwrap().is_err());
        });
    }
}
