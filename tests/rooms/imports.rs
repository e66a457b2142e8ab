//! What a source file names of its own crate outside of `#[cfg(test)]`: paths from `crate`, `super`, `self` or a child module.

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// A module by its segments from the crate's root, which is the empty one.
pub type Module = Vec<String>;
/// What a file names.
#[derive(Default)]
pub struct Names {
    pub paths: Vec<Module>,
    /// Macros that it defines, which the crate's root has when they are exported.
    pub macros: Vec<String>,
    /// Where the files may lie that it declares as modules for tests alone.
    pub tests: Vec<Module>,
}

impl Names {
    /// Reads the tokens of a module.
    pub fn read(&mut self, tokens: TokenStream, module: &[String]) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let mut i = 0;
        while i < tokens.len() {
            i = match &tokens[i..] {
                [TokenTree::Punct(p), TokenTree::Group(attribute), ..] if p.as_char() == '#' => {
                    if is_test(attribute.stream()) {
                        let end = end_of_item(&tokens, i);
                        self.tests.extend(test_files(&tokens[i..end], module));
                        end
                    } else {
                        i + 2
                    }
                }
                // a visibility, `pub(crate)`, is not an import
                [TokenTree::Ident(word), TokenTree::Group(g), ..]
                    if word == "pub" && g.delimiter() == Delimiter::Parenthesis =>
                {
                    i + 2
                }
                [TokenTree::Ident(word), TokenTree::Ident(name), TokenTree::Group(body), ..] if word == "mod" => {
                    self.read(body.stream(), &[module, &[name.to_string()]].concat());
                    i + 3
                }
                [TokenTree::Ident(word), TokenTree::Punct(_), TokenTree::Ident(name), ..] if word == "macro_rules" => {
                    // its body is read where it is expanded: by the compiler alone
                    self.macros.push(name.to_string());
                    i + 4
                }
                [TokenTree::Ident(_), ..] if i < 2 || !is_colons(&tokens[i - 2..]) => {
                    self.path(&tokens, i, module, &[])
                }
                [TokenTree::Group(g), ..] => {
                    self.read(g.stream(), module);
                    i + 1
                }
                _ => i + 1,
            };
        }
    }

    /// The path that begins at `tokens[i]`, after the segments `before` of a use tree; the place after it.
    fn path(&mut self, tokens: &[TokenTree], mut i: usize, module: &[String], before: &[String]) -> usize {
        let mut segments = before.to_vec();
        while let Some(TokenTree::Ident(segment)) = tokens.get(i) {
            segments.push(segment.to_string());
            i += 1;
            if tokens.len() < i + 2 || !is_colons(&tokens[i..]) {
                break;
            }
            i += 2;
        }
        match tokens.get(i) {
            Some(TokenTree::Group(tree)) if i >= 2 && is_colons(&tokens[i - 2..]) => {
                let parts: Vec<TokenTree> = tree.stream().into_iter().collect();
                for part in parts.split(|t| matches!(t, TokenTree::Punct(p) if p.as_char() == ',')) {
                    self.path(part, 0, module, &segments);
                }
                i + 1
            }
            _ => {
                self.paths.extend(absolute(&segments, module));
                i
            }
        }
    }
}

/// Whether these tokens begin with `::`.
fn is_colons(tokens: &[TokenTree]) -> bool {
    let colon = |t: Option<&TokenTree>| matches!(t, Some(TokenTree::Punct(p)) if p.as_char() == ':');
    colon(tokens.first()) && colon(tokens.get(1))
}

/// Whether an attribute is `cfg(test)` or `cfg(all(test, ..))`.
fn is_test(attribute: TokenStream) -> bool {
    let text: String = attribute.to_string().split_whitespace().collect();
    text == "cfg(test)" || text.starts_with("cfg(all(test,")
}

/// Where the file of a module may lie that an item with these tokens declares in `module`: below it or, by `#[path]`, beside it.
fn test_files(item: &[TokenTree], module: &[String]) -> Vec<Module> {
    let [.., TokenTree::Ident(word), TokenTree::Ident(name), TokenTree::Punct(_)] = item else { return Vec::new() };
    if word != "mod" {
        return Vec::new();
    }
    let path = item.iter().find_map(|t| match t {
        TokenTree::Group(g) => {
            g.stream().to_string().strip_prefix("path = \"").map(|rest| rest.trim_end_matches(".rs\"").to_owned())
        }
        _ => None,
    });
    let folders = [module, &module[..module.len().saturating_sub(1)]];
    let name = path.unwrap_or_else(|| name.to_string());
    folders.iter().map(|folder| [folder, &[name.clone()][..]].concat()).collect()
}

/// The place after the item that begins at `tokens[i]`: behind its body or its semicolon.
fn end_of_item(tokens: &[TokenTree], i: usize) -> usize {
    let is_end = |t: &TokenTree| match t {
        TokenTree::Group(g) => g.delimiter() == Delimiter::Brace,
        TokenTree::Punct(p) => p.as_char() == ';',
        _ => false,
    };
    tokens[i..].iter().position(is_end).map_or(tokens.len(), |n| i + n + 1)
}

/// A path from the crate's root; none where it begins with something else than a module of this crate can. A path from a child
/// module begins as one from another crate does; the caller tells them apart.
fn absolute(segments: &[String], module: &[String]) -> Option<Module> {
    match segments {
        [first, rest @ ..] if first == "crate" => Some(rest.to_vec()),
        [first, rest @ ..] if first == "self" => Some([module, rest].concat()),
        [first, ..] if first == "super" => {
            let up = segments.iter().take_while(|s| *s == "super").count();
            Some([&module[..module.len().checked_sub(up)?], &segments[up..]].concat())
        }
        [_, _, ..] => Some([module, segments].concat()),
        _ => None,
    }
}
