//! How far a grid is: a bar, lines, and what they are made of.

use indicatif::{ProgressBar, ProgressState, ProgressStyle};
use std::fmt::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
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
    counts: Arc<Mutex<Counts>>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    all: usize,
    /// Runs under way at a time.
    workers: usize,
    before: usize,
    trained: usize,
    diverged: usize,
    /// When it will be over, as it looked when the last run ended.
    end: Option<Instant>,
}

impl GridProgress {
    /// `bar` shows it, where it is not hidden.
    pub(super) fn new(bar: ProgressBar, template: &str, jobs: usize, workers: usize) -> Self {
        let counts = Counts { all: jobs, workers, ..Counts::default() };
        let counts = Arc::new(Mutex::new(counts));
        if let Ok(style) = ProgressStyle::with_template(template) {
            let counts = Arc::clone(&counts);
            let left = move |_: &ProgressState, text: &mut dyn Write| {
                let end = counts.lock().unwrap_or_else(PoisonError::into_inner).end;
                let left = end.map(|end| end.saturating_duration_since(Instant::now()));
                if let Some(left) = left.filter(|left| !left.is_zero()) {
                    let _ = write!(text, ", {} left", duration(left));
                }
            };
            bar.set_style(style.with_key("left", left));
        }
        Self { bar, begun: Instant::now(), counts }
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a run. Where no bar shows it, says how far the grid is: " (3 of 9, about 2 min left)".
    pub fn count(&self, came: Came) -> String {
        let mut counts = self.counts();
        match came {
            Came::Before => counts.before += 1,
            Came::Trained => counts.trained += 1,
            Came::Diverged => counts.diverged += 1,
        }
        let left = counts.left(self.begun.elapsed());
        counts.end = left.map(|left| Instant::now() + left);
        let (done, all) = (counts.done(), counts.all);
        drop(counts);
        self.bar.set_position(done as u64);
        if !self.bar.is_hidden() {
            return String::new();
        }
        let left = left.map_or(String::new(), |left| format!(", about {} left", duration(left)));
        format!(" ({done} of {all}{left})")
    }

    /// Takes the true number of runs, once it is known.
    pub fn set_all(&self, runs: usize) {
        self.counts().all = runs;
        self.bar.set_length(runs as u64);
    }

    /// Takes the bar away and says in one line what came of the grid.
    pub fn end(&self) -> String {
        self.bar.finish_and_clear();
        format!("{} in {}", self.counts().told(), duration(self.begun.elapsed()))
    }
}

impl Counts {
    fn done(self) -> usize {
        self.before + self.trained + self.diverged
    }

    /// As long for each run to come as for those of now, with those under way half done; runs of before cost
    /// nothing and tell nothing.
    fn left(self, gone: Duration) -> Option<Duration> {
        let now = self.trained + self.diverged;
        let left = self.all.saturating_sub(self.done());
        let half_done = self.workers.min(left) as f64 / 2.0;
        let share = (left as f64 - half_done) / (now as f64 + half_done);
        (now > 0 && left > 0).then(|| gone.mul_f64(share))
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
        let grid = GridProgress::new(ProgressBar::hidden(), "", 5, 1);
        grid.set_all(4);
        assert_eq!(grid.count(Came::Before), " (1 of 4)");
        assert_eq!(grid.count(Came::Trained), " (2 of 4, about 0 s left)");
        assert_eq!(grid.count(Came::Diverged), " (3 of 4, about 0 s left)");
        assert_eq!(grid.count(Came::Before), " (4 of 4)");
        assert_eq!(grid.end(), "4 runs: 2 trained, 2 finished before, 1 diverged in 0 s");
        let left = |all, workers, before, trained| {
            let counts = Counts { all, workers, before, trained, ..Counts::default() };
            counts.left(Duration::from_secs(30)).map(|left| left.as_secs())
        };
        // Of three runs a core has done one and a half in 30 seconds, and as much is left.
        assert_eq!(left(3, 1, 0, 1), Some(30));
        assert_eq!(left(10, 1, 7, 1), Some(30));
        assert_eq!(left(6, 2, 0, 1), Some(60));
        assert_eq!(left(3, 2, 0, 0), None);
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
