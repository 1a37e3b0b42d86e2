//! Jobs on several cores, a job a core, shared with other processes at work on the same.

use crate::failure::{Failure, defect, is_interruption};
use crate::{environment, interrupt};
use anyhow::{Context, Result, anyhow};
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError};
use std::thread::ScopedJoinHandle;
use std::time::Duration;

/// What became of a job when its turn came.
pub enum Turn<T> {
    /// It is done.
    Done(T),
    /// Another process is at it; ask again later.
    Elsewhere,
}

/// How long to wait before asking again.
const PAUSE: Duration = Duration::from_millis(200);

/// Gives all jobs their turn, `workers` at a time, each on one thread, and gives what they gave in the order
/// of the jobs. Jobs that another process has come again at the end, until they are done here or there.
///
/// Workers are plain threads with a queue: on one shared pool a job waiting for its parts would begin another job
/// inside itself. Each worker has a pool of one thread, so that a job computes alike beside others and alone.
///
/// # Errors
/// The first error of a job, after the others that were begun have ended; [`Failure::Interrupted`] when the user
/// stopped it.
pub fn work_off<J: Sync, T: Send>(
    jobs: &[J],
    workers: usize,
    turn: impl Fn(&J) -> Result<Turn<T>> + Sync,
) -> Result<Vec<T>> {
    let first = (0..jobs.len()).map(|index| Waiting { index, elsewhere: false });
    let state = Mutex::new(State { waiting: first.collect(), ended: false, told: false });
    let done: Mutex<Vec<(usize, T)>> = Mutex::new(Vec::new());
    let lock = || state.lock().unwrap_or_else(PoisonError::into_inner);
    let work = || -> Result<()> {
        let pool = environment::pool(1)?;
        loop {
            let next = {
                let mut state = lock();
                let over = state.ended || interrupt::is_raised();
                if over { None } else { state.waiting.pop_front() }
            };
            let Some(Waiting { index, elsewhere }) = next else { return Ok(()) };
            if elsewhere {
                std::thread::sleep(PAUSE);
            }
            match pool.install(|| turn(&jobs[index]))? {
                Turn::Done(result) => {
                    done.lock().unwrap_or_else(PoisonError::into_inner).push((index, result));
                }
                Turn::Elsewhere => {
                    let mut state = lock();
                    state.waiting.push_back(Waiting { index, elsewhere: true });
                    if !state.told && state.waiting.iter().all(|job| job.elsewhere) {
                        state.told = true;
                        tracing::info!(
                            "what is left is under way in another process; waiting for it"
                        );
                    }
                }
            }
        }
    };
    // The others end after the job they are in, whose work is kept.
    let outcomes: Vec<Result<()>> = std::thread::scope(|scope| {
        let worker = || {
            let ended = catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|p| Err(defect(&*p)));
            ended.inspect_err(|_| lock().ended = true)
        };
        let begin = |_| {
            let begun = std::thread::Builder::new().spawn_scoped(scope, worker);
            begun.inspect_err(|_| lock().ended = true)
        };
        let threads: Vec<_> = (0..workers.clamp(1, jobs.len().max(1))).map(begin).collect();
        let end = |thread: std::io::Result<ScopedJoinHandle<'_, Result<()>>>| {
            let thread = thread.context("cannot start a thread; --jobs 1 needs fewer")?;
            thread.join().unwrap_or_else(|payload| Err(defect(&*payload)))
        };
        threads.into_iter().map(end).collect()
    });
    // One that was stopped says less than one that failed.
    let (stopped, failed): (Vec<_>, Vec<_>) =
        outcomes.into_iter().filter_map(Result::err).partition(is_interruption);
    if let Some(error) = failed.into_iter().next() {
        return Err(error);
    }
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    if done.len() < jobs.len() || !stopped.is_empty() {
        return Err(anyhow!(Failure::Interrupted(format!(
            "{} of {} are done; the same command goes on from here",
            done.len(),
            jobs.len()
        ))));
    }
    done.sort_by_key(|(index, _)| *index);
    Ok(done.into_iter().map(|(_, result)| result).collect())
}

struct State {
    waiting: VecDeque<Waiting>,
    ended: bool,
    /// Whether the user knows that another process is at work.
    told: bool,
}

struct Waiting {
    index: usize,
    elsewhere: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn results_come_in_the_order_of_the_jobs() {
        let jobs: Vec<u64> = (0..20).collect();
        let squares = work_off(&jobs, 3, |&job| {
            std::thread::sleep(Duration::from_millis(job % 3));
            Ok(Turn::Done(job * job))
        });
        assert_eq!(squares.unwrap(), jobs.iter().map(|job| job * job).collect::<Vec<_>>());
        assert!(work_off(&[0; 0], 2, |_| Ok(Turn::Done(1))).unwrap().is_empty());
    }

    #[test]
    fn what_is_done_elsewhere_is_asked_for_again_after_the_rest() {
        let asked = AtomicUsize::new(0);
        let order = Mutex::new(Vec::new());
        let results = work_off(&["theirs", "ours"], 1, |&job| {
            order.lock().unwrap().push(job);
            let busy = job == "theirs" && asked.fetch_add(1, Ordering::Relaxed) < 2;
            Ok(if busy { Turn::Elsewhere } else { Turn::Done(job) })
        });
        assert_eq!(results.unwrap(), ["theirs", "ours"]);
        assert_eq!(order.into_inner().unwrap(), ["theirs", "ours", "theirs", "theirs"]);
    }

    #[test]
    fn an_error_ends_the_work_and_is_the_one_reported() {
        let begun = AtomicUsize::new(0);
        let error = work_off(&[1, 2, 3, 4], 1, |&job| {
            begun.fetch_add(1, Ordering::Relaxed);
            if job == 2 { Err(anyhow!("no {job}")) } else { Ok(Turn::Done(())) }
        });
        assert_eq!(error.unwrap_err().to_string(), "no 2");
        assert_eq!(begun.into_inner(), 2);
    }
}
