//! Pictures of features: t-SNE, and how well neighbours agree in the space that it flattens.

pub mod affinities;
pub mod neighbours;
pub mod principal;
pub mod tsne;
