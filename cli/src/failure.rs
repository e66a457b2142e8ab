//! How a failure ends the program: 2 usage, 3 bad input, 4 interrupted with the state saved, 5 device, 1 otherwise.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

use clip_lung_core::Error;

/// Exit code for usage errors.
pub const USAGE: u8 = 2;

/// Failures that the core does not know.
#[derive(Debug)]
pub enum Failure {
    /// The command line asks for something that does not exist.
    Usage(String),
    /// A file can't be read or written: where, why, what to do.
    File(String),
    /// None of the places where a model is looked for holds one.
    NoDefaultModel { variable: &'static str, looked: Vec<PathBuf> },
    /// The variable that names a model names no directory.
    NoModel { variable: &'static str, named: PathBuf },
    /// A finished run has predictions and no model.
    ModelNotKept { run: PathBuf, remedy: String },
    /// A signal came; the state is saved.
    Interrupted(String),
    /// No such device, or it failed.
    Device(String),
    /// A process that this one started could not go on; it has said why, and ended with this exit code.
    Process { message: String, code: u8 },
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Usage(m)
            | Self::File(m)
            | Self::Interrupted(m)
            | Self::Device(m)
            | Self::Process { message: m, .. } => f.write_str(m),
            Self::NoDefaultModel { variable, looked } => {
                let looked: Vec<String> = looked.iter().map(|place| place.display().to_string()).collect();
                write!(
                    f,
                    "no model is named, and none lies where one is looked for: {variable} is not set, and there is none in {}; \
                     name one with --model DIR or {variable} (`clip-lung demo` makes demo/model)",
                    looked.join(", ")
                )
            }
            Self::NoModel { variable, named } => {
                let named = named.display();
                write!(f, "{variable} names {named}, which is no directory; let it name a model directory, or unset it")
            }
            Self::ModelNotKept { run, remedy } => {
                write!(f, "{}: the run is finished, but its model was not kept; {remedy}", run.display())
            }
        }
    }
}

impl std::error::Error for Failure {}

/// The exit code of a failure.
pub fn code(error: &anyhow::Error) -> u8 {
    if let Some(failure) = error.chain().find_map(|e| e.downcast_ref::<Failure>()) {
        return match failure {
            Failure::Usage(_) => USAGE,
            Failure::File(_)
            | Failure::NoDefaultModel { .. }
            | Failure::NoModel { .. }
            | Failure::ModelNotKept { .. } => 3,
            Failure::Interrupted(_) => 4,
            Failure::Device(_) => 5,
            Failure::Process { code, .. } => *code,
        };
    }
    match error.chain().find_map(|e| e.downcast_ref::<Error>()) {
        Some(Error::Device(_) | Error::Precision(_) | Error::SelfTest { .. }) => 5,
        Some(Error::Asset(..)) | None => 1,
        Some(_) => 3,
    }
}

/// Runs `work`; a panic of a library becomes an error, so that no user meets one.
pub fn catch(work: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<()> {
    std::panic::set_hook(Box::new(|_| {}));
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(result) => result,
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
            let text = text.unwrap_or("no message");
            if text.contains("Broken pipe") {
                // whoever reads our output has seen enough
                return Ok(());
            }
            if text.contains("failed printing to") {
                let message = format!("{text}; free some space there, or send the output elsewhere");
                return Err(Failure::File(message).into());
            }
            let device = ["adapter", "wgpu", "Wgpu", "CUDA", "cuda", "cubecl"].iter().any(|w| text.contains(w));
            let message = format!(
                "an internal failure stopped the command ({text}); please report it with the output of `clip-lung doctor`"
            );
            Err(if device { Failure::Device(message).into() } else { anyhow::anyhow!(message) })
        }
    }
}
