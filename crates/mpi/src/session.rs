//! MPI's collectives, waited for with an eye on the user's wish to stop.
#![allow(unsafe_code)] // MPI reads and writes buffers after a call has returned, see `Leaked`

use ctr_nn::{Communicator, Error, Parcels, Result};
use mpi::Threading;
use mpi::datatype::{Partition, PartitionMut};
use mpi::environment::Universe;
use mpi::request::{Request, Scope};
use mpi::topology::SimpleCommunicator;
use mpi::traits::{Communicator as _, CommunicatorCollectives};
use std::mem::ManuallyDrop;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How long launchers leave to processes that they have asked to stop, which `mpirun` does when one dies: what it was told
/// or its second, and Slurm's 30.
fn granted() -> Duration {
    let told = std::env::var("OMPI_MCA_odls_base_sigkill_timeout").ok();
    let usual = if std::env::var_os("OMPI_COMM_WORLD_RANK").is_some() { 1 } else { 30 };
    Duration::from_secs(told.and_then(|seconds| seconds.parse().ok()).unwrap_or(usual))
}

/// Tests of an operation before other threads get a turn.
const SPINS: u32 = 2_000;

/// MPI from here to the end of this.
pub struct Session {
    ranks: Arc<MpiRanks>,
    universe: ManuallyDrop<Universe>,
}

impl Session {
    /// Joins the processes that the launcher started. `stop` is raised by the launcher's signal.
    ///
    /// # Errors
    /// When MPI does not let several threads take turns, or was begun before.
    pub fn begin(stop: &'static AtomicBool) -> Result<Self> {
        let fail = |reason: &str| Error::Exchange(format!("MPI: {reason}"));
        let (universe, threading) = mpi::initialize_with_threading(Threading::Serialized)
            .ok_or_else(|| fail("it was begun before"))?;
        if threading < Threading::Serialized {
            return Err(fail("this library allows no threads; use another build of it"));
        }
        let world = universe.world();
        if world.size() == 1 {
            return Err(fail(
                "several processes were started, and each finds itself alone: start them by the `mpirun` of the library \
                 that this program was built with, or by `srun --mpi=pmix`",
            ));
        }
        let ranks = MpiRanks {
            rank: world.rank() as usize,
            size: world.size() as usize,
            stop,
            sent: AtomicU64::new(0),
            longest: AtomicU64::new(0),
            granted: granted(),
        };
        Ok(Self { ranks: Arc::new(ranks), universe: ManuallyDrop::new(universe) })
    }

    /// The processes.
    pub fn ranks(&self) -> Arc<MpiRanks> {
        self.ranks.clone()
    }

    /// Waits for all others and ends MPI. Without it the launcher ends all processes.
    pub fn end(self) {
        drop(ManuallyDrop::into_inner(self.universe));
    }
}

/// The processes that a launcher of MPI programs started together.
#[derive(Debug)]
pub struct MpiRanks {
    rank: usize,
    size: usize,
    stop: &'static AtomicBool,
    sent: AtomicU64,
    /// Microseconds of the longest operation so far.
    longest: AtomicU64,
    granted: Duration,
}

/// A scope that does not track its requests.
struct Leaked;

// SAFETY: a scope promises that buffers live as long as requests. Here every request is either completed or given
// up by `MpiRanks::complete`, and each buffer of one that is given up is in a `Flight` that then is never dropped.
unsafe impl Scope<'_> for Leaked {
    fn register(&self) {}
    unsafe fn unregister(&self) {}
}

/// What MPI reads and writes in an operation.
struct Flight {
    send: Vec<u32>,
    send_counts: Vec<i32>,
    send_starts: Vec<i32>,
    receive: Vec<u32>,
    receive_counts: Vec<i32>,
    receive_starts: Vec<i32>,
}

impl Flight {
    fn new(send: Vec<u32>, send_counts: Vec<i32>, receive_counts: Vec<i32>) -> Result<Self> {
        let (send_starts, _) = starts(&send_counts)?;
        let (receive_starts, words) = starts(&receive_counts)?;
        let receive = vec![0; words];
        Ok(Self { send, send_counts, send_starts, receive, receive_counts, receive_starts })
    }

    fn into_parcels(self) -> Parcels {
        let bounds = self.receive_starts.iter().zip(&self.receive_counts);
        // The spare word of each list came along.
        let bounds = bounds.map(|(start, count)| *start as usize..(start + count - 1) as usize);
        let bounds = bounds.collect();
        Parcels::at(self.receive, bounds)
    }
}

/// Where each part begins, and their sum.
fn starts(counts: &[i32]) -> Result<(Vec<i32>, usize)> {
    let mut end = 0i32;
    let starts = counts
        .iter()
        .map(|count| {
            let start = end;
            end = end.checked_add(*count).ok_or_else(too_long)?;
            Ok(start)
        })
        .collect::<Result<_>>()?;
    Ok((starts, end as usize))
}

fn too_long() -> Error {
    Error::Exchange(format!(
        "more than {} numbers in one exchange, which MPI cannot count: use a smaller train.batch_size",
        i32::MAX
    ))
}

/// Words of a list, with the spare one.
fn count_of(words: &[u32]) -> Result<i32> {
    i32::try_from(words.len() + 1).map_err(|_| too_long())
}

impl MpiRanks {
    /// Waits for the end of an operation, or gives it up.
    fn complete<'a, D: ?Sized>(&self, mut request: Request<'a, D, Leaked>) -> Result<()> {
        let begun = Instant::now();
        let mut asked: Option<Instant> = None;
        loop {
            for _ in 0..SPINS {
                request = match request.test() {
                    Ok(_) => {
                        let micros = begun.elapsed().as_micros() as u64;
                        self.longest.fetch_max(micros, Ordering::Relaxed);
                        return Ok(());
                    }
                    Err(request) => request,
                };
            }
            if self.stop.load(Ordering::Relaxed) {
                let since = asked.get_or_insert_with(Instant::now).elapsed();
                // Others may be at a long step, or the first at a slow disk, as they were before. Half of the time is for
                // what is to be kept.
                let usual = Duration::from_micros(self.longest.load(Ordering::Relaxed));
                if since > (3 * usual).clamp(self.granted / 4, self.granted / 2) {
                    std::mem::forget(request);
                    return Err(Error::Rank(format!(
                        "rank {} of {} waited for another that is gone or stopped by force",
                        self.rank, self.size
                    )));
                }
            }
            std::thread::yield_now();
        }
    }

    /// What each rank has for this one, one word each.
    fn counts(&self, send: Vec<i32>) -> Result<Vec<i32>> {
        let mut flight = ManuallyDrop::new((send, vec![0i32; self.size]));
        {
            let (send, receive) = &mut *flight;
            let world = SimpleCommunicator::world();
            let (send, receive) = (&send[..], &mut receive[..]);
            self.complete(world.immediate_all_to_all_into(Leaked, send, receive))?;
        }
        Ok(ManuallyDrop::into_inner(flight).1)
    }

    fn count_sent(&self, words: usize) {
        self.sent.fetch_add(4 * words as u64, Ordering::Relaxed);
    }
}

impl Communicator for MpiRanks {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.size
    }

    fn all_gather(&self, mine: &[u32]) -> Result<Parcels> {
        let counts = self.counts(vec![count_of(mine)?; self.size])?;
        let mut flight = ManuallyDrop::new(Flight::new([mine, &[0]].concat(), Vec::new(), counts)?);
        {
            let Flight { send, receive, receive_counts, receive_starts, .. } = &mut *flight;
            let (counts, starts) = (&receive_counts[..], &receive_starts[..]);
            let mut receive =
                ManuallyDrop::new(PartitionMut::new(&mut receive[..], counts, starts));
            let world = SimpleCommunicator::world();
            let request =
                world.immediate_all_gather_varcount_into(Leaked, &send[..], &mut *receive);
            self.complete(request)?;
        }
        self.count_sent(mine.len() * (self.size - 1));
        Ok(ManuallyDrop::into_inner(flight).into_parcels())
    }

    fn all_to_all(&self, parcels: Parcels) -> Result<Parcels> {
        let own = parcels.of(self.rank).len();
        let send_counts = parcels.iter().map(count_of).collect::<Result<Vec<_>>>()?;
        let receive_counts = self.counts(send_counts.clone())?;
        let sent = parcels.words.len() - parcels.count() - own;
        let mut flight =
            ManuallyDrop::new(Flight::new(parcels.words, send_counts, receive_counts)?);
        {
            let Flight { send, send_counts, send_starts, receive, receive_counts, receive_starts } =
                &mut *flight;
            let send =
                ManuallyDrop::new(Partition::new(&send[..], &send_counts[..], &send_starts[..]));
            let (counts, starts) = (&receive_counts[..], &receive_starts[..]);
            let mut receive =
                ManuallyDrop::new(PartitionMut::new(&mut receive[..], counts, starts));
            let world = SimpleCommunicator::world();
            let request = world.immediate_all_to_all_varcount_into(Leaked, &*send, &mut *receive);
            self.complete(request)?;
        }
        self.count_sent(sent);
        Ok(ManuallyDrop::into_inner(flight).into_parcels())
    }

    fn bytes_sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }
}
