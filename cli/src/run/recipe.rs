//! What every method is trained with, as options.

use clip_lung_core::dataset::augment::Augment;
use clip_lung_core::methods::MethodConfig;
use clip_lung_core::methods::pool::Pool;
use clip_lung_core::nn::text::products::Products;
use clip_lung_core::train::config::{Choose, DataId, EmaBn, Grouping, HeldOut, TrainConfig};

use crate::io::word::word;

/// The validation split that is a part of the training patients, as `--validate` takes it.
pub const INNER: &str = "inner";

/// What every method is trained with.
#[derive(clap::Args, Clone)]
pub struct Recipe {
    /// Features from layer4: mean (over its cells) or view (CLIP-Lung's) [default: view for clip-lung, mean for all others]
    #[arg(long, value_enum)]
    pub pool: Option<Pool>,
    /// Give the classifier the nodule's diameter (ln De) beside the image
    #[arg(long)]
    pub diameter: bool,
    /// Deal whole patients to folds, or single nodules (leaks patients)
    #[arg(long, value_parser = word::<Grouping>, default_value = "patient")]
    pub grouping: Grouping,
    /// Score on the fold, or on an eighth of the training patients (for choosing a recipe)
    #[arg(long, value_parser = word::<HeldOut>, default_value = "test")]
    pub held_out: HeldOut,
    #[arg(long, default_value_t = 100)]
    pub epochs: usize,
    /// The most samples a batch; the batches of an epoch differ by one at most
    #[arg(long, default_value_t = 32)]
    pub batch_size: usize,
    /// Learning rate of the first epoch; a cosine takes it to 0
    #[arg(long, default_value_t = 1e-3, allow_negative_numbers = true)]
    pub lr: f64,
    #[arg(long, default_value_t = 0.9, allow_negative_numbers = true)]
    pub momentum: f64,
    #[arg(long, default_value_t = 1e-4, allow_negative_numbers = true)]
    pub weight_decay: f64,
    /// Decay a step of the averaged weights, which are what is scored and exported
    #[arg(long, default_value_t = 0.999, allow_negative_numbers = true)]
    pub ema: f64,
    /// The averaged weights' running statistics: copy (from the trained weights) or recompute (one pass over the training data)
    #[arg(long, value_parser = word::<EmaBn>, default_value = "copy")]
    pub ema_bn: EmaBn,
    /// Scale a step's gradient to this norm where it is longer [default: never]
    #[arg(long, allow_negative_numbers = true)]
    pub clip_norm: Option<f64>,
    /// Of the folds: runs that are compared share it
    #[arg(long, default_value_t = 2)]
    pub fold_seed: u64,
    /// default (flips, quarter turns, shifts), flip-turn (in the plane only), jitter (that, and centres, diameters and HU as when users mark
    /// nodules by hand) or none
    #[arg(long, value_parser = word::<Augment>, default_value = "default")]
    pub augment: Augment,
    /// Of the products of a frozen text encoder, where a method's steps run one (cocoop, clip-lung): f32 (TF32 on NVIDIA GPUs) or bf16; the
    /// image network computes in f32
    #[arg(long, value_parser = word::<Products>, default_value = "f32")]
    pub precision: Products,
    /// The weights the run ends with: last, or best (of the epoch with the lowest validation loss)
    #[arg(long, value_parser = word::<Choose>, default_value = "last")]
    pub choose_epoch: Choose,
}

impl Recipe {
    /// The settings of a run of `method`, but for task, folds and seed, which are the defaults.
    pub fn config(&self, method: MethodConfig, data: DataId) -> TrainConfig {
        TrainConfig {
            pool: self.pool.unwrap_or(method.default_pool()),
            method,
            diameter: self.diameter,
            grouping: self.grouping,
            held_out: self.held_out,
            epochs: self.epochs,
            batch_size: self.batch_size,
            lr: self.lr,
            momentum: self.momentum,
            weight_decay: self.weight_decay,
            ema: self.ema,
            ema_bn: self.ema_bn,
            clip_norm: self.clip_norm,
            fold_seed: self.fold_seed,
            augment: self.augment,
            choose: self.choose_epoch,
            precision: self.precision,
            data,
            ..TrainConfig::default()
        }
    }
}
