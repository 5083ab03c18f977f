//! Whether standard output can be written to, which nobody can tell later: Rust's runtime opens `/dev/null` in place of a
//! closed descriptor, and its `Stdout` reports success for writes to a descriptor that is open for reading only (`EBADF`).
//!
//! A crate of its own, because the macro that runs a function before the runtime contains unsafe code, which all other crates
//! forbid.

/// Whether there is a standard output that takes writes.
#[cfg(unix)]
#[must_use]
pub fn is_writable() -> bool {
    unix::IS_WRITABLE.load(std::sync::atomic::Ordering::Relaxed)
}

/// Whether there is a standard output. Windows has no handle for a missing one, and the runtime adds none.
#[cfg(windows)]
#[must_use]
pub fn is_writable() -> bool {
    use std::os::windows::io::AsRawHandle as _;

    !std::io::stdout().as_raw_handle().is_null()
}

#[cfg(unix)]
mod unix {
    use std::sync::atomic::{AtomicBool, Ordering};

    use rustix::{
        fs::{OFlags, fcntl_getfl},
        stdio,
    };

    pub(super) static IS_WRITABLE: AtomicBool = AtomicBool::new(true);

    ctor::declarative::ctor! {
        /// Runs before the runtime, and needs nothing of the standard library, which is not ready yet.
        #[ctor(unsafe)]
        fn look_at_standard_output() {
            let mode = fcntl_getfl(stdio::stdout()).map(|flags| flags & OFlags::RWMODE);
            let is_writable = mode.is_ok_and(|mode| mode != OFlags::RDONLY);
            IS_WRITABLE.store(is_writable, Ordering::Relaxed);
        }
    }
}
