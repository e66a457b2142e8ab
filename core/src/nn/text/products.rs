//! How exact the products of matrices of a frozen text tower are.

use burn::tensor::{Device, FloatDType};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// The precision of their factors; they are nearly all of a tower's arithmetic. Everything else is in 32 bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Products {
    /// 32 bits, of which the matrix units of NVIDIA's GPUs read the first 19 (TF32).
    #[default]
    F32,
    /// The first 16 of those bits: half of the memory; sums are in 32.
    Bf16,
}

impl Products {
    /// That a device computes with it.
    ///
    /// # Errors
    /// When it does not.
    pub fn check(self, device: &Device) -> Result<()> {
        if device.supports_dtype(self.float()) {
            return Ok(());
        }
        Err(Error::Precision(self.name()))
    }

    /// As options and files have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::Bf16 => "bf16",
        }
    }

    /// burn's word for it.
    pub fn float(self) -> FloatDType {
        match self {
            Self::F32 => FloatDType::F32,
            Self::Bf16 => FloatDType::BF16,
        }
    }
}
