//! What is installed with the program: the page and a model.

use std::path::{Path, PathBuf};

/// Where something of this name that is installed with this program may lie, the first place first.
pub fn places(name: &str) -> Vec<PathBuf> {
    // a command may be a link to the program
    let program = std::env::current_exe().and_then(|path| path.canonicalize());
    program.map(|path| around(&path, name)).unwrap_or_default()
}

/// Beside the program, where a build puts it; or in `share/clip-lung` of the same prefix, where a Python wheel does.
fn around(program: &Path, name: &str) -> Vec<PathBuf> {
    let beside = program.parent();
    let shared = beside.and_then(Path::parent).map(|prefix| prefix.join("share/clip-lung").join(name));
    beside.map(|dir| dir.join(name)).into_iter().chain(shared).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beside_the_program_or_shared_under_its_prefix() {
        let places = around(Path::new("/opt/tools/bin/clip-lung"), "page");
        assert_eq!(places, [Path::new("/opt/tools/bin/page"), Path::new("/opt/tools/share/clip-lung/page")]);
    }
}
