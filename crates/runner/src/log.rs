//! Messages to stderr: levels, words before them, and room for progress bars.

use indicatif::MultiProgress;
use std::fmt;
use std::io::{self, Write};
use std::panic::PanicHookInfo;
use std::sync::LazyLock;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// All progress bars of this process: a message takes them away, is written, and they come back below it.
pub static BARS: LazyLock<MultiProgress> = LazyLock::new(MultiProgress::new);

/// How much is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum LogLevel {
    /// Errors only.
    Error,
    /// What one should know of as well.
    Warn,
    /// What is done.
    #[default]
    Info,
    /// Also what is opened, locked, written and kept, with sizes and times.
    Debug,
}

/// Begins to write messages of this level and above.
pub fn install(level: LogLevel) {
    let filter = match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
    };
    let subscriber =
        tracing_subscriber::fmt().with_max_level(filter).event_format(Plain).with_writer(|| Stderr);
    // Fails only when there is one already.
    let _ = subscriber.try_init();
    // A defect is reported where it is caught, as an error of the program; the place is for its authors.
    std::panic::set_hook(Box::new(|defect: &PanicHookInfo<'_>| {
        tracing::debug!("{defect}");
    }));
}

/// A message as people write it; below the level of what is done, with the part of the program it comes from.
struct Plain;

impl<S, N> FormatEvent<S, N> for Plain
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        match *event.metadata().level() {
            Level::ERROR => writer.write_str("error: ")?,
            Level::WARN => writer.write_str("warning: ")?,
            Level::INFO => {}
            _ => write!(writer, "debug: {}: ", event.metadata().target())?,
        }
        context.field_format().format_fields(writer.by_ref(), event)?;
        writeln!(writer)
    }
}

/// Standard error, between the bars.
struct Stderr;

impl Write for Stderr {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // A closed stderr is nobody's concern.
        BARS.suspend(|| io::stderr().write_all(bytes)).ok();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
