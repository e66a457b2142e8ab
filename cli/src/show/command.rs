//! Commands that people are told to type.

/// A path as a command line takes it: quoted where a shell would take it for something else.
pub fn typed(path: &std::path::Path) -> String {
    let path = path.display().to_string();
    shlex::try_quote(&path).map_or_else(|_| path.clone(), std::borrow::Cow::into_owned)
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_path_is_one_word() {
        let typed = ["out/study", "my study", "it's"].map(|path| super::typed(path.as_ref()));
        assert_eq!(typed, ["out/study", "'my study'", "\"it's\""]);
    }
}
