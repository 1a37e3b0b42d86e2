//! What one sees while it runs: bars on a terminal, plain lines elsewhere.

use crate::log::BARS;
use crate::{environment, output};
use ctr_core::CurvePoint;
use ctr_nn::Network;
use ctr_train::Observer;
use indicatif::{ProgressBar, ProgressState, ProgressStyle};
use std::fmt::Write;
use std::io::IsTerminal;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What one command tells of its progress.
#[derive(Clone, Copy)]
pub struct Progress {
    terminal: bool,
    quiet: bool,
}

impl Progress {
    /// Bars on stderr, if that is a terminal; nothing at all when `quiet`.
    pub fn new(quiet: bool) -> Self {
        Self { terminal: std::io::stderr().is_terminal(), quiet }
    }

    /// The bar of a grid of `jobs` runs.
    pub fn grid(&self, jobs: u64) -> ProgressBar {
        let bar =
            self.bar(jobs, "{msg:32} {wide_bar} {pos}/{len} runs, {elapsed} gone, {eta} left");
        bar.set_message("all runs");
        bar.enable_steady_tick(Duration::from_secs(1));
        bar
    }

    /// The bar of a download whose size may be unknown.
    pub fn download(&self, name: &str, bytes: Option<u64>) -> ProgressBar {
        let template = match bytes {
            Some(_) => "{msg:32} {wide_bar} {bytes}/{total_bytes}, {bytes_per_sec}, {eta} left",
            None => "{msg:32} {bytes}, {bytes_per_sec}",
        };
        let bar = self.bar(bytes.unwrap_or(0), template);
        bar.set_message(name.to_string());
        bar
    }

    fn bar(&self, length: u64, template: &str) -> ProgressBar {
        if !self.terminal || self.quiet {
            return ProgressBar::hidden();
        }
        let bar = BARS.add(ProgressBar::new(length));
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar
    }

    /// An observer for one run.
    pub fn run(&self, title: &str) -> RunProgress {
        RunProgress {
            progress: *self,
            title: title.to_string(),
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
    title: String,
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
        let template = "{prefix:32} {wide_bar} {pos}/{len} steps, {samples}, {eta} left {msg}";
        let bar = self.progress.bar(steps, template);
        if let Ok(style) = ProgressStyle::with_template(template) {
            let rows = Arc::clone(&self.rows_a_step);
            bar.set_style(style.with_key(
                "samples",
                move |state: &ProgressState, text: &mut dyn Write| {
                    let rate = state.per_sec() * rows.load(Ordering::Relaxed) as f64;
                    let _ = write!(text, "{} samples/s", output::grouped(rate as u64));
                },
            ));
        }
        bar.set_prefix(self.title.clone());
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
            tracing::debug!("{}: step {step}, {} MiB of memory", self.title, bytes >> 20);
        }
    }

    fn evaluated(&self, point: &CurvePoint, chosen: bool, _: &Network) {
        let gauc = |value: Option<f64>| value.map_or("-".into(), |value| format!("{value:.4}"));
        let mark = if chosen { " (best so far)" } else { "" };
        let summary =
            format!("gAUC valid {} test {}", gauc(point.valid_gauc), gauc(point.test_gauc));
        self.bar().set_position(point.step);
        self.bar().set_message(summary.clone());
        if !self.progress.terminal {
            let (begun, first) = *self.begun.lock().unwrap_or_else(PoisonError::into_inner);
            let rows = (point.step - first) * self.rows_a_step.load(Ordering::Relaxed);
            let rate = rows as f64 / begun.elapsed().as_secs_f64().max(1e-9);
            tracing::info!(
                "{}: step {} epoch {:.2} {summary}{mark}, {} samples/s with evaluations",
                self.title,
                point.step,
                point.epoch,
                output::grouped(rate as u64)
            );
        }
    }
}
