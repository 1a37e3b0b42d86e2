//! Memory, with an end that a user understands.
//!
//! Where no memory is left, Rust's standard library aborts, and a hook for it is not stable. Here the program ends
//! with a message, a remedy and exit code 2 instead; what was finished lies on disk whole either way.
#![allow(unsafe_code)] // an allocator cannot be written without

use mimalloc::MiMalloc;
use std::alloc::{GlobalAlloc, Layout};
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// mimalloc, and [`end`] in place of null.
pub struct Allocator;

// SAFETY: every call goes to mimalloc with the caller's arguments, whose contract is the caller's; what is given
// back is what mimalloc gave, and never null.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: see above.
        or_end(unsafe { MiMalloc.alloc(layout) }, layout.size())
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: see above.
        or_end(unsafe { MiMalloc.alloc_zeroed(layout) }, layout.size())
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: see above.
        or_end(unsafe { MiMalloc.realloc(place, layout, size) }, size)
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        // SAFETY: see above.
        unsafe { MiMalloc.dealloc(place, layout) }
    }
}

#[inline]
fn or_end(place: *mut u8, size: usize) -> *mut u8 {
    if place.is_null() { end(size) } else { place }
}

#[cold]
fn end(size: usize) -> ! {
    static ENDING: AtomicBool = AtomicBool::new(false);
    if ENDING.swap(true, Ordering::SeqCst) {
        // Another thread finds no memory either while the first writes its message; should it be the message itself,
        // nothing more can be done.
        std::thread::sleep(Duration::from_secs(5));
        std::process::abort();
    }
    // Neither this nor the numbers in it take memory.
    let _ = writeln!(
        std::io::stderr(),
        "error: out of memory: {size} bytes more could not be had. Give the program more memory, or \
         less to do: --jobs 1 (reproduce), --memory-limit (prep), a smaller train.batch_size. What is \
         finished is kept, and reproduce goes on from the last checkpoint, as train does with --resume"
    );
    leave(2)
}

/// Ends the process without the handlers of an orderly exit, which would ask for memory again.
#[cfg(unix)]
fn leave(code: i32) -> ! {
    // SAFETY: nothing is demanded of the caller; files were written by the system already, or are not whole.
    unsafe { libc::_exit(code) }
}

/// Ends the process.
#[cfg(not(unix))]
fn leave(code: i32) -> ! {
    std::process::exit(code)
}
