//! What a long command shows and listens to.

use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::Result;
use indicatif::{ProgressBar, ProgressStyle};

/// A progress bar with the time left, on a terminal only.
pub fn bar(total: u64, unit: &str) -> Option<ProgressBar> {
    std::io::stderr().is_terminal().then(|| {
        let template = format!("{{bar:30}} {{pos}}/{{len}} {unit}, {{elapsed}} elapsed, {{eta}} left  {{msg}}");
        let bar = ProgressBar::new(total);
        bar.set_style(ProgressStyle::with_template(&template).unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar
    })
}

/// A flag that SIGINT and SIGTERM set; a second SIGINT ends the process at once.
pub fn stop_signal() -> Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register_conditional_shutdown(signal, 130, Arc::clone(&stop))?;
        signal_hook::flag::register(signal, Arc::clone(&stop))?;
    }
    Ok(stop)
}
