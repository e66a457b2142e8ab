//! One file a verb.

pub mod compare;
pub mod demo;
pub mod doctor;
pub mod evaluate;
pub mod explain;
pub mod export;
pub mod inspect;
pub mod phantom;
pub mod predict;
pub mod prepare;
pub mod report;
pub mod serve;
pub mod sweep;
pub mod train;
