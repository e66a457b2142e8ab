//! An archive of CT on disk: what is in it, and the work of turning it into a data set.

pub mod account;
pub mod identity;
pub mod search;
pub mod series;
pub mod store;
pub mod work;
