//! The methods, a file each: what is trained beside the image encoder, the loss, and the readout that is left of it.
//!
//! A method is a file with `Config` and `Head` (the trait [`MethodHead`] says what they give) and one line of the list below, which
//! makes the names, the configurations, the heads and the command line's choices.

pub mod heads;
mod list;
pub mod pool;
pub mod readout;

#[cfg(feature = "cli")]
pub mod flags;
#[cfg(feature = "train")]
pub mod head;
#[cfg(feature = "train")]
pub mod loss;
#[cfg(feature = "train")]
pub mod setup;

#[cfg(feature = "train")]
pub use head::{MethodHead, Outputs, Truth};
#[cfg(feature = "train")]
pub use loss::Loss;
#[cfg(feature = "train")]
pub use setup::Setup;

/// The list: a line a method, with its file, its name and the readouts that a trained model of it can have.
macro_rules! methods {
    ($then:ident) => {
        $then! {
            /// Cross-entropy of a linear classifier.
            Ce = ce "ce" [Softmax],
            /// One output, the rate of a Poisson (or binomial) law over the ordered classes (Beckham and Pal, ICML 2017).
            Poisson = poisson "poisson" [Poisson, Binomial],
            /// Neuron stick-breaking: each output breaks off a class's share of what the classes before left (Liu et al., 2018).
            Nsb = nsb "nsb" [Sticks],
            /// Unsure data model: one score between two learned thresholds (Wu et al., ICCV 2019).
            Udm = udm "udm" [Cumulative],
            /// Convolutional ordinal regression forest: soft decision trees whose leaves hold class shares (Zhu et al., 2022).
            Corf = corf "corf" [Forest],
            /// Cross-entropy, and alignment of the image feature with fixed class prompts (after Radford et al., 2021).
            Clip = clip "clip" [Softmax],
            /// As clip, with learned prompts that the image feature conditions (after Zhou et al., CVPR 2022).
            Cocoop = cocoop "cocoop" [Softmax],
            /// Prompts conditioned by channel groups, aligned with classes and with the attributes' words (Lei et al., MICCAI 2023).
            ClipLung = clip_lung "clip-lung" [Softmax],
        }
    };
}

macro_rules! method_modules {
    ($($(#[doc = $doc:literal])* $variant:ident = $module:ident $name:literal [$($readout:ident),+],)+) => {
        $(#[cfg(feature = "train")] pub mod $module;)+
    };
}

methods!(method_modules);
methods!(method_names);
#[cfg(feature = "train")]
methods!(method_heads);
#[cfg(feature = "cli")]
methods!(method_flags);

#[cfg(feature = "cli")]
use crate::method_flags;
#[cfg(feature = "train")]
use crate::method_heads;
use crate::method_names;
