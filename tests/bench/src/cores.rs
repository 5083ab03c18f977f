//! One core for the function that is measured, the others for everybody else, as at AWS: left alone, Linux puts a process
//! that answers over loopback onto the core of the one that asks, and its work counts as the function's.

use std::{io, sync::OnceLock};

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

struct Shares {
    functions: CpuSet,
    ours: CpuSet,
}

/// The last core is the function's. `None` where there is only one, which everybody shares.
fn shares() -> Option<&'static Shares> {
    static SHARES: OnceLock<Option<Shares>> = OnceLock::new();
    let find = || {
        let all = sched_getaffinity(None).ok().filter(|all| all.count() > 1)?;
        let last = (0..CpuSet::MAX_CPU).rev().find(|core| all.is_set(*core))?;
        let (mut functions, mut ours) = (CpuSet::new(), all);
        functions.set(last);
        ours.unset(last);
        Some(Shares { functions, ours })
    };
    SHARES.get_or_init(find).as_ref()
}

/// Leaves the function's core.
pub(crate) fn leave() -> io::Result<()> {
    shares().map_or(Ok(()), |shares| Ok(sched_setaffinity(None, &shares.ours)?))
}

/// Starts a process on the function's core: it stays where its parent was.
pub(crate) fn start_on_the_functions<T>(start: impl FnOnce() -> T) -> io::Result<T> {
    if let Some(shares) = shares() {
        sched_setaffinity(None, &shares.functions)?;
    }
    let started = start();
    leave()?;
    Ok(started)
}
