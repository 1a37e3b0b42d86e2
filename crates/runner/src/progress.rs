//! What one sees while it runs: bars on a terminal, plain lines elsewhere.

mod grid;
mod layout;

pub use grid::{Came, GridProgress};

use crate::log::BARS;
use crate::{environment, output};
use console::Term;
use ctr_core::CurvePoint;
use ctr_nn::Network;
use ctr_train::Observer;
use indicatif::{ProgressBar, ProgressState, ProgressStyle};
use layout::Layout;
use std::fmt::Write;
use std::io::IsTerminal;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What one command tells of its progress.
#[derive(Clone, Copy)]
pub struct Progress {
    bars: bool,
}

impl Progress {
    /// Bars on stderr if that is a terminal, lines if not; nothing at all when `quiet`.
    ///
    /// A bar is drawn by control codes, so it is none either for who sets NO_COLOR or has a terminal that is dumb.
    pub fn new(quiet: bool) -> Self {
        let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        let plain = set("NO_COLOR").is_some() || set("TERM").is_none_or(|term| term == "dumb");
        Self { bars: std::io::stderr().is_terminal() && !plain && !quiet }
    }

    /// What is told of a grid of `jobs` runs, `workers` at a time.
    pub fn grid(&self, jobs: usize, workers: usize) -> GridProgress {
        let template = Layout::of_terminal().grid();
        let bar = self.bar(jobs as u64, template);
        let grid = GridProgress::new(bar.clone(), template, jobs, workers);
        if self.bars {
            bar.enable_steady_tick(Duration::from_secs(1));
        }
        grid
    }

    /// The bar of a download whose size may be unknown.
    pub fn download(&self, name: &str, bytes: Option<u64>) -> ProgressBar {
        let bar = self.bar(bytes.unwrap_or(0), Layout::of_terminal().download(bytes.is_some()));
        bar.set_message(name.to_string());
        bar
    }

    fn bar(&self, length: u64, template: &str) -> ProgressBar {
        if !self.bars {
            return ProgressBar::hidden();
        }
        let bar = BARS.add(ProgressBar::new(length));
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar
    }

    /// An observer for one run, which is `titles` in full and in short.
    pub fn run(&self, titles: [String; 2]) -> RunProgress {
        RunProgress {
            progress: *self,
            titles,
            bar: Mutex::new(ProgressBar::hidden()),
            rows_a_step: Arc::new(AtomicU64::new(0)),
            begun: Mutex::new((Instant::now(), 0)),
        }
    }
}

/// Steps from one look at the memory to the next.
const MEMORY_EVERY_STEPS: u64 = 10_000;

/// The bar of one run.
pub struct RunProgress {
    progress: Progress,
    titles: [String; 2],
    bar: Mutex<ProgressBar>,
    rows_a_step: Arc<AtomicU64>,
    begun: Mutex<(Instant, u64)>,
}

impl RunProgress {
    fn bar(&self) -> ProgressBar {
        self.bar.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes the bar away.
    pub fn close(&self) {
        self.bar().finish_and_clear();
    }
}

impl Observer for RunProgress {
    fn started(&self, step: u64, steps: u64, batch_size: usize) {
        self.rows_a_step.store(batch_size as u64, Ordering::Relaxed);
        *self.begun.lock().unwrap_or_else(PoisonError::into_inner) = (Instant::now(), step);
        let layout = Layout::of_terminal();
        let bar = self.progress.bar(steps, layout.run());
        if let Ok(style) = ProgressStyle::with_template(layout.run()) {
            let rows = Arc::clone(&self.rows_a_step);
            bar.set_style(style.with_key(
                "samples",
                move |state: &ProgressState, text: &mut dyn Write| {
                    let rate = state.per_sec() * rows.load(Ordering::Relaxed) as f64;
                    let _ = write!(text, "{} samples/s", output::grouped(rate as u64));
                },
            ));
        }
        bar.set_prefix(layout.title(&self.titles).to_string());
        bar.set_position(step);
        bar.reset_eta();
        *self.bar.lock().unwrap_or_else(PoisonError::into_inner) = bar;
    }

    fn stepped(&self, step: u64, _: f64) {
        // A bar costs a lock and a look at the clock; a step may take 50 microseconds.
        if step.is_multiple_of(64) {
            self.bar().set_position(step);
        }
        if step.is_multiple_of(MEMORY_EVERY_STEPS) {
            let bytes = environment::resident_bytes().unwrap_or_default();
            tracing::debug!("{}: step {step}, {} MiB of memory", self.titles[0], bytes >> 20);
        }
    }

    fn evaluated(&self, point: &CurvePoint, chosen: bool, _: &Network) {
        let gauc = |value: Option<f64>| value.map_or("-".into(), |value| format!("{value:.4}"));
        let mark = if chosen { " (best so far)" } else { "" };
        self.bar().set_position(point.step);
        // What is chosen by, where there is such a split.
        self.bar().set_message(format!("gAUC {}", gauc(point.valid_gauc.or(point.test_gauc))));
        if !self.progress.bars {
            let (begun, first) = *self.begun.lock().unwrap_or_else(PoisonError::into_inner);
            let rows = (point.step - first) * self.rows_a_step.load(Ordering::Relaxed);
            let rate = rows as f64 / begun.elapsed().as_secs_f64().max(1e-9);
            tracing::info!(
                "{}: step {} epoch {:.2} gAUC valid {} test {}{mark}, {} samples/s with evaluations",
                self.titles[0],
                point.step,
                point.epoch,
                gauc(point.valid_gauc),
                gauc(point.test_gauc),
                output::grouped(rate as u64)
            );
        }
    }
}

/// Columns of the terminal behind stderr.
fn columns() -> usize {
    Term::stderr().size().1.into()
}
