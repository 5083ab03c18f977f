//! Reserves one core for the function that is measured, as at AWS. Otherwise Linux would schedule the fakes, which answer
//! over loopback, onto the function's core, and their work would count as the function's.

use std::{io, sync::OnceLock};

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

struct Cores {
    function: CpuSet,
    bench: CpuSet,
}

/// The last core is the function's. `None` on a machine with one core, which all share.
fn cores() -> Option<&'static Cores> {
    static CORES: OnceLock<Option<Cores>> = OnceLock::new();
    let find = || {
        let all = sched_getaffinity(None).ok().filter(|all| all.count() > 1)?;
        let last = (0..CpuSet::MAX_CPU).rev().find(|core| all.is_set(*core))?;
        let (mut function, mut bench) = (CpuSet::new(), all);
        function.set(last);
        bench.unset(last);
        Some(Cores { function, bench })
    };
    CORES.get_or_init(find).as_ref()
}

/// Moves this thread to the other cores.
pub(crate) fn leave_the_functions_core() -> io::Result<()> {
    cores().map_or(Ok(()), |cores| Ok(sched_setaffinity(None, &cores.bench)?))
}

/// Calls `start`, which starts a process, on the function's core: a process inherits its parent's affinity.
pub(crate) fn on_the_functions_core<T>(start: impl FnOnce() -> T) -> io::Result<T> {
    if let Some(cores) = cores() {
        sched_setaffinity(None, &cores.function)?;
    }
    let started = start();
    leave_the_functions_core()?;
    Ok(started)
}
