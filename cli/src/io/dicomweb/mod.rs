//! DICOMweb: a series from a PACS (WADO-RS), and a report back to it (STOW-RS).

mod multipart;
mod server;

pub use server::Server;
