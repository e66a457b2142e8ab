//! NoduleMNIST3D, an archive of NumPy arrays.

use std::io::{Cursor, Read};
use std::path::Path;
use std::time::Instant;

use anyhow::Result;
use clip_lung_core::base::digest::hex;
use clip_lung_core::dataset::medmnist::{Meaning, PARTS, dataset};
use clip_lung_core::volume::npy::{self, Array};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::args::Args;
use super::report::{ACCOUNT, data_files, shown, told};
use crate::failure::Failure;
use crate::io::archive::account::Account;
use crate::io::archive::work::Work;
use crate::io::files;

/// The side of the crops of NoduleMNIST3D in mm: 28 voxels of 1 mm.
const SIDE_MM: f64 = 28.0;
/// No array of an archive unpacks to more.
const MOST_BYTES: u64 = 4 << 30;

/// The archive with its bytes.
pub struct Npz<'a> {
    path: &'a Path,
    bytes: Vec<u8>,
    meaning: Meaning,
}

impl<'a> Npz<'a> {
    /// `--npz`.
    pub fn of(args: &'a Args) -> Result<Option<Self>> {
        let Some(path) = args.npz.as_deref() else { return Ok(None) };
        let side_mm = args.fov_mm.and_then(|side| side.in_mm()).unwrap_or(SIDE_MM);
        let meaning = Meaning { hu: args.hu_range, side_mm };
        Ok(Some(Self { path, bytes: files::read(path)?, meaning }))
    }

    /// What a data set keeps of it.
    pub fn described(&self) -> Value {
        let Meaning { hu, side_mm } = self.meaning;
        json!({"npz_sha256": hex(&Sha256::digest(&self.bytes)), "hu_range": hu, "side_mm": side_mm})
    }

    fn array(&self, name: &str) -> Result<Array> {
        let shown = self.path.display();
        let bad = |e: &dyn std::fmt::Display| Failure::File(format!("{shown}: not a readable .npz file ({name}: {e})"));
        let mut archive = zip::ZipArchive::new(Cursor::new(&self.bytes)).map_err(|e| bad(&e))?;
        let entry = archive.by_name(&format!("{name}.npy")).map_err(|e| bad(&e))?;
        let mut bytes = Vec::new();
        entry.take(MOST_BYTES).read_to_end(&mut bytes).map_err(|e| bad(&e))?;
        Ok(npy::read(&bytes, &format!("{shown}, {name}"))?)
    }
}

pub fn work(args: &Args, npz: &Npz, described: &Value, start: Instant) -> Result<()> {
    let work = args.target().map(|out| Work::open(out, described)).transpose()?;
    let part = |name: &str| -> Result<(Array, Array)> {
        Ok((npz.array(&format!("{name}_images"))?, npz.array(&format!("{name}_labels"))?))
    };
    let [test, val, train] = PARTS;
    let data = dataset([part(test)?, part(val)?, part(train)?], npz.meaning, &npz.path.display().to_string())?;
    let account = Account { series: data.len(), annotated: data.len(), ..Account::default() };
    let document = account.document(&data.rows, described);
    let opening = args.out.as_ref().map_or("checked".into(), |out| format!("{}:", out.display()));
    if let (Some(work), Some(out)) = (work, args.target()) {
        let mut written = data_files(&data, "")?;
        written.insert("skipped.csv".into(), account.csv()?);
        written.insert(ACCOUNT.into(), format!("{document:#}\n").into_bytes());
        work.finish(out, &written)?;
    }
    shown(&document, args.json, &told(&account, &document, start, &opening));
    Ok(())
}
