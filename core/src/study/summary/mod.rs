//! Everything that a study's report shows, from predictions alone: levels with published figures beside, paired comparisons, rank
//! stability, curves, and which model to use.

pub mod ablation;
pub mod choice;
pub mod cohorts;
pub mod document;
pub mod entry;
pub mod finished;
pub mod level;
pub mod published;
pub mod reliability;
pub mod roc;
pub mod scores;
pub mod stability;
pub mod subgroups;
pub mod task;
