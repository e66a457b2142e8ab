//! The ground floor: random numbers, digests, tensors in files, text. Nothing of medicine, nothing of networks.

pub mod decision;
pub mod digest;
pub mod random;
pub mod tensors;
pub mod unicode;
