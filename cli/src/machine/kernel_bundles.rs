//! Bundles of kernels: files with those that were chosen and compiled for a card, made by `clip-lung doctor --warm`. A program that starts
//! on such a card copies what lies beside it into its own cache, once.

use std::env;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use burn::cubecl::bundle::{
    self, BundleError, BundleFormat, BundleManifest, EnvironmentInfo, ExportOptions, SqliteBundle,
};
use burn::cubecl::environment::{self, CacheOption, Namespace, Store, StoreOptions};

use crate::io::installed;

/// The variable that names the one folder where bundles are looked for.
pub const VARIABLE: &str = "CLIP_LUNG_KERNELS";
/// The end of a bundle's name.
const ENDING: &str = "sqlite";

/// A bundle on the disk, with what tells it from one that lay there before.
#[derive(Debug, PartialEq)]
struct Found {
    path: PathBuf,
    mark: String,
}

/// Where bundles are looked for: in what the variable names, else with the program and beside the active cache.
pub fn folders() -> Vec<PathBuf> {
    match named() {
        Some(named) => vec![named],
        None => installed::places("kernels").into_iter().chain([environment::root().join("kernels")]).collect(),
    }
}

fn named() -> Option<PathBuf> {
    env::var_os(VARIABLE).filter(|named| !named.is_empty()).map(PathBuf::from)
}

/// What is wrong with the folder that the variable names, in words.
pub fn named_amiss() -> Option<String> {
    let named = named()?;
    let amiss = if named.is_file() {
        "is a file: name the folder that it lies in".to_owned()
    } else if !named.is_dir() {
        "is no folder".to_owned()
    } else if look(std::slice::from_ref(&named)).is_empty() {
        format!("holds no bundle of kernels, *.{ENDING}")
    } else {
        return None;
    };
    Some(format!("{VARIABLE}: {} {amiss}; no kernels are taken from it", named.display()))
}

/// The name of a card's bundle: the kernels are those of one version of the compiler, too.
pub fn name(card: &str) -> String {
    format!("kernels-{card}-cubecl-{}.{ENDING}", version())
}

/// Writes the active cache as the bundle of a card.
///
/// # Errors
/// A file of something else in the place, or one that can't be written.
pub fn export(card: &str, out: &Path) -> Result<(), BundleError> {
    let options = ExportOptions {
        name: format!("clip-lung on {card}"),
        environments: vec![EnvironmentInfo { label: card.into(), ..EnvironmentInfo::default() }],
        excluded_namespaces: vec![seen().as_str().into(), "records".into()],
        format: BundleFormat::Sqlite,
        ..ExportOptions::default()
    };
    bundle::export(&[environment::path()], out, &options).map(drop)
}

/// Copies the bundles of a card in these folders into the active cache, each once; what is wrong with the others, in words. Those of
/// other cards are passed over.
pub fn import(folders: &[PathBuf], card: &str) -> Vec<String> {
    let found = look(folders);
    if found.is_empty() {
        return Vec::new();
    }
    let mut seen: Store<String, String> = Store::new(StoreOptions::new().storage(seen()).cache(CacheOption::Eager));
    let new = found.into_iter().filter(|one| seen.get(&one.mark).is_none()).collect::<Vec<_>>();
    let one = |one: Found| {
        let place = one.path.display().to_string();
        // the database's reader may panic on a damaged file, which must not end the program
        let taken = catch_unwind(AssertUnwindSafe(|| take(one, card, &mut seen)));
        let fault = taken.unwrap_or_else(|_| Err("it is damaged".into())).err()?;
        Some(format!(
            "{place}: kernels not taken, since {fault}; remove it, and make another with `clip-lung doctor --warm`"
        ))
    };
    new.into_iter().filter_map(one).collect()
}

/// The cache's own list of bundles that were copied.
fn seen() -> Namespace {
    Namespace::scoped("clip-lung", "bundles")
}

/// The compiler's version, a part of every name in a cache.
fn version() -> String {
    let versioned = Namespace::new("");
    versioned.as_str().split('/').nth(1).unwrap_or_default().to_owned()
}

/// The bundles in these folders, in the order of their names.
fn look(folders: &[PathBuf]) -> Vec<Found> {
    let files = folders.iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten().flatten();
    let mut paths: Vec<PathBuf> =
        files.map(|file| file.path()).filter(|p| p.extension().is_some_and(|e| e == ENDING)).collect();
    paths.sort();
    let mark = |path: PathBuf| {
        let about = fs::metadata(&path).ok()?;
        let time = about.modified().ok().and_then(|t| t.duration_since(UNIX_EPOCH).ok()).map_or(0, |t| t.as_nanos());
        Some(Found { mark: format!("{} {} {time}", path.display(), about.len()), path })
    };
    paths.into_iter().filter_map(mark).collect()
}

/// Copies one, unless it is another card's.
fn take(Found { path, mark }: Found, card: &str, seen: &mut Store<String, String>) -> Result<(), String> {
    let opened = SqliteBundle::open(&path).map_err(|e| e.to_string())?;
    match fit(opened.manifest(), card) {
        Fit::OtherCard => return Ok(()),
        Fit::OtherVersion => {
            let theirs = &opened.manifest().cubecl_version;
            return Err(format!("they are of cubecl {theirs}, this program of {}", version()));
        }
        Fit::Own => {}
    }
    let report = bundle::import(&opened);
    let taken = report.imported + report.skipped;
    if taken == 0 {
        return Err(format!("none could be read or kept ({} failed)", report.failed));
    }
    if report.failed > 0 {
        return Err(format!("{taken} of them could be read or kept, {} could not", report.failed));
    }
    // a mark that can't be written costs another import
    let _ = seen.insert(mark, format!("{} of {taken}", report.imported));
    Ok(())
}

#[derive(Debug, PartialEq)]
enum Fit {
    Own,
    OtherCard,
    OtherVersion,
}

fn fit(manifest: &BundleManifest, card: &str) -> Fit {
    if manifest.environments.iter().all(|environment| environment.label != card) {
        return Fit::OtherCard;
    }
    if manifest.cubecl_version == version() { Fit::Own } else { Fit::OtherVersion }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A card's bundle fills another machine's cache once; other cards' are passed over, damaged and foreign ones named. One test, since
    /// the active cache is the process's.
    #[test]
    fn bundles_are_taken_once() {
        let place = tempfile::tempdir().unwrap();
        let at = |name: &str| place.path().join(name);
        let kept = || Store::<String, String>::new(StoreOptions::new().storage(Namespace::scoped("autotune", "test")));
        environment::set_root(at("made"));
        environment::activate("card-a");
        kept().insert("size".into(), "kernel 3".into()).unwrap();
        let folder = at("kernels");
        let own = folder.join(name("card-a"));
        export("card-a", &own).unwrap();
        // over itself, and never over a file of something else
        export("card-a", &own).unwrap();
        fs::write(at("notes.txt"), "mine").unwrap();
        assert!(export("card-a", &at("notes.txt")).unwrap_err().to_string().contains("notes.txt"));
        fs::write(folder.join("damaged.sqlite"), &fs::read(&own).unwrap()[..5000]).unwrap();
        fs::write(folder.join("foreign.sqlite"), "a table of something").unwrap();
        fs::write(folder.join("readme.txt"), "not looked at").unwrap();

        environment::set_root(at("elsewhere"));
        environment::activate("card-b");
        let faults = import(&[at("none"), folder.clone()], "card-b");
        assert_eq!(kept().get(&"size".to_owned()), None);
        assert_eq!(faults.len(), 2, "{faults:?}");
        environment::activate("card-a");
        let faults = import(&[folder.clone()], "card-a");
        assert_eq!(kept().get(&"size".to_owned()).unwrap(), "kernel 3");
        for (fault, file) in faults.iter().zip(["damaged.sqlite", "foreign.sqlite"]) {
            assert!(fault.contains(file) && fault.contains("doctor --warm"), "{fault}");
        }

        // a second start has nothing to copy, and one after the file changed has
        let known = || Store::<String, String>::new(StoreOptions::new().storage(seen())).len();
        import(&[folder.clone()], "card-a");
        assert_eq!(known(), 1);
        kept().insert("other".into(), "kernel 5".into()).unwrap();
        export("card-a", &own).unwrap();
        import(&[folder], "card-a");
        assert_eq!(known(), 2);
    }

    #[test]
    fn of_another_card_or_version() {
        let made = |version: &str| BundleManifest {
            schema: 1,
            name: String::new(),
            cubecl_version: version.into(),
            created_unix_secs: None,
            environments: vec![EnvironmentInfo { label: "card-a".into(), ..EnvironmentInfo::default() }],
        };
        assert_eq!(fit(&made(&version()), "card-a"), Fit::Own);
        assert_eq!(fit(&made("0.1.0"), "card-a"), Fit::OtherVersion);
        assert_eq!(fit(&made("0.1.0"), "card-b"), Fit::OtherCard);
        let name = name("nvidia-h100-80gb-hbm3");
        assert!(name.starts_with("kernels-nvidia-h100-80gb-hbm3-cubecl-0."), "{name}");
    }
}
