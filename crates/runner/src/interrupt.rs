//! Ctrl-C: once finishes the step and keeps the state, twice ends at once.

use crate::output;
use std::sync::atomic::{AtomicBool, Ordering};

static STOP: AtomicBool = AtomicBool::new(false);

/// The flag that Ctrl-C raises.
pub fn flag() -> &'static AtomicBool {
    &STOP
}

/// Installs the handler; without one (an unusual system) Ctrl-C simply ends the program.
pub fn install() {
    let installed = ctrlc::set_handler(|| {
        if STOP.swap(true, Ordering::SeqCst) {
            std::process::exit(130);
        }
        output::message("stopping after this step; press Ctrl-C again to stop at once");
    });
    if installed.is_err() {
        output::message("note: Ctrl-C will not write a checkpoint on this system");
    }
}
