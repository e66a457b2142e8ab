//! `clip-lung prepare`: scans as people have them -> a dataset directory with an account of what was left out. LIDC-IDRI as downloaded, or
//! scans of one's own with a list of nodules, or NoduleMNIST3D.

mod args;
mod lidc;
mod npz;
mod own;
mod report;

use std::path::Path;
use std::time::Instant;

use anyhow::Result;
use serde_json::{Value, json};

use crate::io::archive::work::Work;
use npz::Npz;
use own::List;

pub use args::Args;
pub use lidc::DROPPED;

/// What a data set is made of.
enum Source<'a> {
    Lidc,
    List(List<'a>),
    Npz(Npz<'a>),
}

impl<'a> Source<'a> {
    fn of(args: &'a Args) -> Result<Self> {
        Ok(match (Npz::of(args)?, List::of(args)?) {
            (Some(npz), _) => Self::Npz(npz),
            (None, Some(list)) => Self::List(list),
            (None, None) => Self::Lidc,
        })
    }

    /// What a data set keeps of how it was made; the same gives the same data set.
    fn described(&self, args: &Args) -> Value {
        let (settings, version) = (args.settings(), env!("CARGO_PKG_VERSION"));
        match self {
            Self::Lidc => json!({"prepare": settings, "annotations": args.annotations, "version": version}),
            Self::List(list) => json!({"prepare": settings, "source": list.described(), "version": version}),
            Self::Npz(npz) => json!({"source": npz.described(), "version": version}),
        }
    }

    /// That what a finished data set was made of is still there as it was.
    fn same(&self, args: &Args, out: &Path) -> Result<()> {
        match self {
            Self::Lidc => lidc::same_archive(args, out),
            Self::List(_) => own::same_archive(args, out),
            // its digest is among the settings
            Self::Npz(_) => Ok(()),
        }
    }
}

pub fn run(args: Args) -> Result<()> {
    let start = Instant::now();
    let source = Source::of(&args)?;
    let described = source.described(&args);
    let jobs = args.jobs.map_or_else(|| std::thread::available_parallelism().map_or(1, usize::from), |n| n as usize);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(jobs).build()?;
    if let Some(out) = args.target()
        && let Some(done) = report::finished(out, &described)?
    {
        pool.install(|| source.same(&args, out))?;
        Work::clear(out)?;
        let text = format!("{}: complete already, made of the same archive with the same settings", out.display());
        report::shown(&done, args.json, &text);
        return Ok(());
    }
    pool.install(|| match &source {
        Source::Lidc => lidc::work(&args, &args.settings(), &described, start),
        Source::List(list) => own::work(&args, list, &described, start),
        Source::Npz(npz) => npz::work(&args, npz, &described, start),
    })
}
