//! What a long command shows and listens to.

use std::io::IsTerminal;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::Result;
use indicatif::{ProgressBar, ProgressStyle};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

/// A line this often where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(30);

/// A progress bar with the time left, on a terminal only.
pub fn bar(total: u64, unit: &str) -> Option<ProgressBar> {
    std::io::stderr().is_terminal().then(|| {
        let template = format!("{{bar:30}} {{pos}}/{{len}} {unit}, {{elapsed}} elapsed, {{eta}} left  {{msg}}");
        let bar = ProgressBar::new(total);
        bar.set_style(ProgressStyle::with_template(&template).unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar
    })
}

/// Progress of work that many threads do: a bar on a terminal, now and then a line elsewhere.
pub struct Progress {
    bar: Option<ProgressBar>,
    unit: &'static str,
    start: Instant,
    told: Mutex<Instant>,
}

impl Progress {
    pub fn new(unit: &'static str) -> Self {
        Self { bar: bar(0, unit), unit, start: Instant::now(), told: Mutex::new(Instant::now()) }
    }

    /// `done` of `total`.
    pub fn set(&self, done: u64, total: u64) {
        if let Some(bar) = &self.bar {
            bar.set_length(total);
            bar.set_position(done);
        } else if let Ok(mut told) = self.told.try_lock()
            && told.elapsed() >= LINE_EVERY
        {
            *told = Instant::now();
            let elapsed = self.start.elapsed().as_secs_f64();
            let left = elapsed / done.max(1) as f64 * total.saturating_sub(done) as f64;
            eprintln!("{done}/{total} {}, {elapsed:.0} s elapsed, {left:.0} s left", self.unit);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// A flag that SIGINT, SIGTERM and SIGHUP (the terminal is gone) set. A second SIGINT ends the process at once; a second SIGTERM does not:
/// who sends it to a whole job, as schedulers do, reaches both a process and the script that passes it on. Under `nohup`, which has SIGHUP
/// ignored, it stays so.
pub fn stop_signal() -> Result<Arc<AtomicBool>> {
    let (stop, interrupted) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    // a flag of its own: who is told to stop otherwise too, as a worker by its command, has not met a SIGINT yet
    signal_hook::flag::register_conditional_shutdown(SIGINT, 130, Arc::clone(&interrupted))?;
    signal_hook::flag::register(SIGINT, interrupted)?;
    for signal in [SIGINT, SIGTERM].into_iter().chain((!hangup_is_ignored()).then_some(SIGHUP)) {
        signal_hook::flag::register(signal, Arc::clone(&stop))?;
    }
    Ok(stop)
}

/// As Linux tells: the mask of ignored signals, SIGHUP its lowest bit.
fn hangup_is_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & 1 == 1)
}
