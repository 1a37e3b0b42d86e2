//! Ctrl-C and SIGTERM: once finishes the step and keeps the state; Ctrl-C twice ends at once.

use ctr_core::remove_workshops;
use std::io::Write;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

static STOP: AtomicBool = AtomicBool::new(false);
static WATCHERS: AtomicUsize = AtomicUsize::new(0);

/// The flag that Ctrl-C raises. Who looks at it says so by [`watch`].
pub fn flag() -> &'static AtomicBool {
    &STOP
}

/// Whether Ctrl-C was pressed.
pub fn is_raised() -> bool {
    STOP.load(Ordering::Relaxed)
}

/// While one of these lives, somebody has state to keep and looks at the flag soon.
pub struct Watch(());

/// Says that this thread looks at the flag from now on.
pub fn watch() -> Watch {
    WATCHERS.fetch_add(1, Ordering::SeqCst);
    Watch(())
}

impl Drop for Watch {
    fn drop(&mut self) {
        WATCHERS.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Exit code of a process that SIGTERM ended before there was anything to keep, as shells have it.
#[cfg(unix)]
const TERMINATED: i32 = 143;

/// SIGTERM is what schedulers send before they kill, often several times: to a job's script, which passes it on, and
/// to all processes of the job. So the second one hurries nobody; SIGKILL follows anyway.
#[cfg(unix)]
fn listen_for_termination() {
    use signal_hook::{consts::SIGTERM, iterator::Signals};
    let listen = || {
        let Ok(mut signals) = Signals::new([SIGTERM]) else {
            tracing::warn!("SIGTERM will not write a checkpoint on this system");
            return;
        };
        for _ in signals.forever() {
            let again = STOP.swap(true, Ordering::SeqCst);
            if WATCHERS.load(Ordering::SeqCst) == 0 {
                remove_workshops();
                std::process::exit(TERMINATED);
            }
            if !again {
                tracing::warn!("told to end: stopping after this step");
            }
        }
    };
    // Where no thread can be had, SIGTERM ends the program as it does any other.
    let _ = std::thread::Builder::new().name("sigterm".into()).spawn(listen);
}

/// Installs the handlers; without them (an unusual system) Ctrl-C simply ends the program.
pub fn install() {
    #[cfg(unix)]
    listen_for_termination();
    let installed = ctrlc::set_handler(|| {
        let again = STOP.swap(true, Ordering::SeqCst);
        if again || WATCHERS.load(Ordering::SeqCst) == 0 {
            // All that is finished lies under its own name already.
            remove_workshops();
            let _ = writeln!(
                std::io::stderr(),
                "interrupted: what is finished is kept, and the same command goes on"
            );
            std::process::exit(130);
        }
        tracing::warn!("stopping after this step; press Ctrl-C again to stop at once");
    });
    if installed.is_err() {
        tracing::warn!("Ctrl-C will not write a checkpoint on this system");
    }
}
