//! The best epoch so far, where a run is to end with it.

use super::network::Network;

/// The averaged network of the epoch that did best so far.
#[derive(Clone)]
pub struct Best {
    /// Counted from 0.
    pub epoch: usize,
    pub loss: f64,
    pub network: Network,
}
