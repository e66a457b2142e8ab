//! `clip-lung doctor`: what is here, and what is missing and how to get it.

use std::path::PathBuf;

use anyhow::Result;
use serde_json::json;

use crate::failure::Failure;
use crate::io::default_model;
use crate::machine::device;
use crate::run::hub;

#[derive(clap::Args)]
pub struct Args {
    /// Print as JSON
    #[arg(long)]
    json: bool,
    /// Find the fastest kernels for an NVIDIA GPU, keep them, and write them as a bundle for other machines with such a card
    #[arg(long, conflicts_with = "json")]
    warm: bool,
    /// The GPU of --warm, cuda or cuda:N, for whose number the choice is kept
    #[arg(long, default_value = "cuda", requires = "warm")]
    device: String,
    /// The bundle's file [default: kernels-CARD-cubecl-VERSION.sqlite]
    #[arg(long, requires = "warm")]
    out: Option<PathBuf>,
}

pub fn run(args: Args) -> Result<()> {
    if args.warm {
        return warm(&args.device, args.out);
    }
    let devices: Vec<(&str, std::result::Result<String, String>)> = ["cpu", "cuda:0", "wgpu"]
        .map(|name| (name, device::select(name).map(|(_, n)| n).map_err(|e| format!("{e:#}"))))
        .into();
    let clip = hub::CLIP.cached();
    let model = default_model::find(None);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    if args.json {
        let found = devices.iter().map(|(n, r)| {
            let about = json!({"ok": r.is_ok(), "reason": r.as_ref().err(), "adapter": device::adapter(n)});
            (n.to_string(), about)
        });
        let document = json!({
            "version": env!("CARGO_PKG_VERSION"), "commit": env!("CLIP_LUNG_COMMIT"), "features": device::features(), "threads": threads,
            "devices": found.collect::<serde_json::Map<_, _>>(), "clip_weights": clip, "default_model": model.ok(), "embedded_data": "lidc-phantom",
        });
        println!("{document}");
        return Ok(());
    }
    println!(
        "clip-lung {} ({}), built with: {}",
        env!("CARGO_PKG_VERSION"),
        env!("CLIP_LUNG_COMMIT"),
        device::features().join(", ")
    );
    println!("threads: {threads} (RAYON_NUM_THREADS changes that)");
    for (name, result) in devices {
        match result {
            Ok(_) => {
                let adapter = device::adapter(name).map_or_else(String::new, |adapter| format!(": {adapter}"));
                println!("device {name}: ready{adapter}");
            }
            Err(reason) => println!("device {name}: not available: {reason}"),
        }
    }
    match clip {
        Some(path) => println!("CLIP text weights: {}", path.display()),
        None => println!(
            "CLIP text weights: not in the cache; `clip-lung train` fetches them when the machine is online, or give a file with \
             --text-encoder PATH; --text-encoder random works without"
        ),
    }
    match model {
        Ok(path) => println!("model without --model: {}", path.display()),
        Err(reason) => println!("model without --model: {reason}"),
    }
    println!("embedded data: lidc-phantom, 2651 synthetic nodules (`clip-lung phantom --out DIR` writes them)");
    Ok(())
}

/// Only where kernels are chosen by time: on an NVIDIA GPU.
fn warm(choice: &str, out: Option<PathBuf>) -> Result<()> {
    if device::parts(choice)?.0 != "cuda" {
        let message = format!(
            "--device {choice}: --warm is for NVIDIA GPUs, whose kernels are chosen by time: choose cuda or cuda:N"
        );
        return Err(Failure::Usage(message).into());
    }
    #[cfg(feature = "cuda")]
    {
        println!("{}", crate::run::warm::run(choice, out)?.display());
        Ok(())
    }
    #[cfg(not(feature = "cuda"))]
    {
        let _ = out;
        Err(device::missing("cuda"))
    }
}
