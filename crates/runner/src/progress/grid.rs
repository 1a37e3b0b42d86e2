//! How far a grid is: a bar, lines, and what they are made of.

use indicatif::ProgressBar;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What came of a run of a grid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Came {
    /// Its record was there.
    Before,
    /// It was trained now.
    Trained,
    /// It was trained now, to a loss that is no number.
    Diverged,
}

/// Counts the runs of a grid and says how much is left.
pub struct GridProgress {
    bar: ProgressBar,
    begun: Instant,
    counts: Mutex<Counts>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    all: usize,
    before: usize,
    trained: usize,
    diverged: usize,
}

impl GridProgress {
    pub(super) fn new(bar: ProgressBar) -> Self {
        let counts = Counts { all: bar.length().unwrap_or_default() as usize, ..Counts::default() };
        Self { bar, begun: Instant::now(), counts: Mutex::new(counts) }
    }

    /// Counts a run and says how far the grid is: "3 of 9, about 2 min left".
    pub fn count(&self, came: Came) -> String {
        let counts = {
            let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
            match came {
                Came::Before => counts.before += 1,
                Came::Trained => counts.trained += 1,
                Came::Diverged => counts.diverged += 1,
            }
            *counts
        };
        let left = counts.left(self.begun.elapsed());
        let left = left.map_or(String::new(), |left| format!(", about {} left", duration(left)));
        self.bar.set_position(counts.done() as u64);
        self.bar.set_message(left.replace("about ", ""));
        format!("{} of {}{left}", counts.done(), counts.all)
    }

    /// Takes the true number of runs, once it is known.
    pub fn set_all(&self, runs: usize) {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).all = runs;
        self.bar.set_length(runs as u64);
    }

    /// Takes the bar away and says in one line what came of the grid.
    pub fn end(&self) -> String {
        self.bar.finish_and_clear();
        let counts = *self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        format!("{} in {}", counts.told(), duration(self.begun.elapsed()))
    }
}

impl Counts {
    fn done(self) -> usize {
        self.before + self.trained + self.diverged
    }

    /// As long for each run to come as for those of now; runs of before cost nothing and tell nothing.
    fn left(self, gone: Duration) -> Option<Duration> {
        let now = self.trained + self.diverged;
        let left = self.all.saturating_sub(self.done());
        (now > 0 && left > 0).then(|| gone.mul_f64(left as f64 / now as f64))
    }

    fn told(self) -> String {
        let parts = [
            (self.trained + self.diverged, "trained"),
            (self.before, "finished before"),
            (self.diverged, "diverged"),
        ];
        let parts: Vec<String> = parts
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{count} {what}"))
            .collect();
        let separator = if parts.is_empty() { "" } else { ": " };
        format!("{} runs{separator}{}", self.done(), parts.join(", "))
    }
}

/// A time as one says it: 8 s, 12 min, 3 h 20 min.
fn duration(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..100 => format!("{seconds} s"),
        seconds @ 100..6000 => format!("{} min", (seconds + 30) / 60),
        seconds => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_follows_the_runs_of_now() {
        let grid = GridProgress::new(ProgressBar::hidden());
        grid.set_all(4);
        assert_eq!(grid.count(Came::Before), "1 of 4");
        assert_eq!(grid.count(Came::Trained), "2 of 4, about 0 s left");
        assert_eq!(grid.count(Came::Diverged), "3 of 4, about 0 s left");
        assert_eq!(grid.count(Came::Before), "4 of 4");
        assert_eq!(grid.end(), "4 runs: 2 trained, 2 finished before, 1 diverged in 0 s");
        let counts = Counts { all: 10, before: 4, trained: 2, diverged: 0 };
        assert_eq!(counts.left(Duration::from_secs(30)), Some(Duration::from_secs(60)));
        assert_eq!(Counts::default().told(), "0 runs");
    }

    #[test]
    fn times_are_told_roughly() {
        let told = |seconds| duration(Duration::from_secs(seconds));
        assert_eq!(told(99), "99 s");
        assert_eq!(told(12 * 60 + 31), "13 min");
        assert_eq!(told(3 * 3600 + 20 * 60), "3 h 20 min");
    }
}
