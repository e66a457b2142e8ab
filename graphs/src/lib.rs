//! Work recorded on a GPU once (a CUDA graph; on Vulkan and Metal the commands) and replayed by one call, so that the host no longer
//! launches each kernel.

use std::fmt::{self, Debug, Formatter};
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};

use burn::backend::{Backend, Dispatch};
use burn::tensor::{Device, Graph, capture};

/// Recorded work, which owns every tensor that it reads and writes.
///
/// It can't leave its thread: a replay is in order with the work of the thread that recorded it, and with nothing else.
pub struct Recorded<T> {
    graph: Graph<T, Box<dyn FnMut() -> T>>,
    thread: PhantomData<*const ()>,
}

impl<T> Recorded<T> {
    /// Runs `work` three times and records it once more; `None` where the device has no such recordings, or where this one failed, as
    /// it does when `work` uploads or reads anything: then `work` has run once more.
    ///
    /// `work` keeps the tensors it reads, writes them in place where anything is to last from one replay to the next, and computes the
    /// same each time: what it takes from the host is what it was while recording.
    pub fn new(device: &Device, work: impl FnMut() -> T + 'static) -> Option<Self> {
        // a driver that refuses something within a recording can end in a panic of burn's
        let recorded = || capture(device, Box::new(work) as Box<dyn FnMut() -> T>);
        let Ok(graph) = catch_unwind(AssertUnwindSafe(recorded)) else {
            // what is launched now must not go into a recording that the panic left open
            let _ = catch_unwind(AssertUnwindSafe(|| Dispatch::graph_stop_capture(device.as_dispatch())));
            return None;
        };
        graph.is_hardware().then_some(Self { graph, thread: PhantomData })
    }

    /// Repeats the work: what it gives, in the same arrays each time, so that what is kept must be copied before the next replay.
    pub fn replay(&mut self) -> &T {
        // SAFETY: every array of the recording belongs to `work` or to what it gave, and both live in `self`. No other replay runs
        // meanwhile (`&mut`), and none on another thread (not `Send`), so that it is in order with what this thread does with arrays
        // that it shares with `work`. An array that another thread writes meanwhile would have other values, never another place.
        unsafe { self.graph.replay() }
    }
}

impl<T> Debug for Recorded<T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorded").finish_non_exhaustive()
    }
}
