//! Figures as SVG, of panels that a page lays out anew on a narrow screen and a file holds in a grid.

pub mod axes;
pub mod confusion;
pub mod embedding;
pub mod forest;
pub mod heat;
pub mod learning;
pub mod panel;
pub mod pointing;
pub mod ranks;
pub mod recall;
pub mod reliability;
pub mod roc;
