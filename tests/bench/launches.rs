//! What one training step asks of a GPU: kernels launched, the memory they read and write, arrays uploaded and read back, and whether a
//! reading stands between its first kernel and its last, which leaves the GPU idle. Counted from the trace that burn and cubecl write of
//! themselves, on whichever thread they work, so that wgpu and CUDA are counted alike; the kernels' memory by the driver of null_gpu.sh.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// Spans of burn and cubecl by name. Arrays are counted where they reach the device: the queue before it opens spans of these names too.
const LAUNCH: &str = "launch_inner";
const UPLOAD: &str = "float_from_data";
const READ: &str = "float_into_data";
const DEVICE: &str = "burn_cubecl::";

static COUNTED: Mutex<Option<Counts>> = Mutex::new(None);

/// What was counted.
#[derive(Default)]
pub struct Counts {
    /// Launches by the kernel's name.
    pub kernels: BTreeMap<String, usize>,
    pub launches: usize,
    pub uploads: usize,
    /// Bytes of the arrays uploaded and read back.
    pub uploaded: usize,
    pub read: usize,
    /// The number of launches before each reading.
    pub reads: Vec<usize>,
    /// Bytes that the kernels read and write of the card's memory, where the driver counts them.
    pub moved: Option<[u64; 2]>,
}

/// Cells of a table.
impl Display for Counts {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { launches, uploads, uploaded, read, reads, moved, .. } = self;
        let within = reads.iter().filter(|before| (1..*launches).contains(*before)).count();
        let moved = moved.map_or("not counted".to_owned(), |both| both.map(|bytes| bytes.to_string()).join(" + "));
        write!(f, "{launches} | {moved} | {uploads} ({uploaded}) | {} ({read}) | {within} |", reads.len())
    }
}

/// From now on everything is counted that happens within [`count`].
pub fn listen() {
    tracing::subscriber::set_global_default(Listener(AtomicU64::new(1))).unwrap();
}

/// What `work` asks of the device; it must wait for it at its end.
pub fn count(work: impl FnOnce()) -> Counts {
    *COUNTED.lock().unwrap() = Some(Counts::default());
    let before = moved();
    work();
    let moved = moved().zip(before).map(|(after, before)| [0, 1].map(|i| after[i] - before[i]));
    Counts { moved, ..COUNTED.lock().unwrap().take().unwrap_or_default() }
}

/// Bytes that kernels have read and written so far, as a driver keeps them that counts (null_gpu_bytes.h).
fn moved() -> Option<[u64; 2]> {
    let totals = std::fs::read(std::env::var_os("NULL_GPU_BYTES")?).ok()?;
    let number = |at: usize| totals.get(at..at + 8)?.try_into().ok().map(u64::from_le_bytes);
    Some([number(0)?, number(8)?])
}

struct Listener(AtomicU64);

impl Subscriber for Listener {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_span()
            && match metadata.name() {
                LAUNCH => true,
                UPLOAD | READ => metadata.target().starts_with(DEVICE),
                _ => false,
            }
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        if let Some(counts) = COUNTED.lock().unwrap().as_mut() {
            let mut fields = Fields::default();
            span.record(&mut fields);
            match span.metadata().name() {
                LAUNCH => {
                    counts.launches += 1;
                    *counts.kernels.entry(short(&fields.kernel)).or_default() += 1;
                }
                UPLOAD => {
                    counts.uploads += 1;
                    counts.uploaded += fields.bytes;
                }
                _ => {
                    counts.reads.push(counts.launches);
                    counts.read += fields.bytes;
                }
            }
        }
        Id::from_u64(self.0.fetch_add(1, Ordering::Relaxed))
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, _: &Event<'_>) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

/// What a span says of itself.
#[derive(Default)]
struct Fields {
    kernel: String,
    bytes: usize,
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        match field.name() {
            "kernel.name" => self.kernel = format!("{value:?}"),
            // four bytes a value, which all arrays here have
            "shape" | "meta" => self.bytes = 4 * elements(&format!("{value:?}")),
            _ => {}
        }
    }
}

/// The product of the first list of numbers: a shape's, or that of metadata, whose shape comes first.
fn elements(text: &str) -> usize {
    let list = text.split_once('[').and_then(|(_, rest)| rest.split_once(']')).map_or("", |(list, _)| list);
    list.split(',').filter_map(|n| n.trim().parse::<usize>().ok()).product()
}

/// A kernel's name without the modules and types it was made with.
fn short(name: &str) -> String {
    let plain = name.split('<').next().unwrap_or(name);
    plain.rsplit("::").take(2).collect::<Vec<_>>().into_iter().rev().collect::<Vec<_>>().join("::")
}
