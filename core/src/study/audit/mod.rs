//! What a data set and its split are worth: leaks between the sides, classes under other rules, how far readers agree.

pub mod document;
pub mod labels;
pub mod leakage;
pub mod readers;
