//! Schedulers that run a study's cells on a cluster, each told in its own language.

pub mod hyperqueue;
pub mod slurm;
pub mod task;
