//! What a source file names of its own crate outside of `#[cfg(test)]`: paths from `crate`, `super`, `self` or a child module.

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// A module by its segments from the crate's root, which is the empty one.
pub type Module = Vec<String>;
/// What a file names: modules it declares that are files, and paths.
#[derive(Default)]
pub struct Names {
    pub declared: Vec<Module>,
    /// Modules that are files and that only tests have.
    pub tests: Vec<Module>,
    pub paths: Vec<Module>,
}

impl Names {
    /// Reads the tokens of a module.
    pub fn read(&mut self, tokens: TokenStream, module: &[String]) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let mut i = 0;
        while i < tokens.len() {
            i = match &tokens[i..] {
                [TokenTree::Punct(p), TokenTree::Group(attribute), ..] if p.as_char() == '#' => {
                    let end = if is_test(attribute.stream()) { end_of_item(&tokens, i) } else { i + 2 };
                    if let [.., TokenTree::Ident(word), TokenTree::Ident(name), TokenTree::Punct(_)] = &tokens[i..end]
                        && word == "mod"
                    {
                        self.tests.push([module, &[name.to_string()]].concat());
                    }
                    end
                }
                // a visibility, `pub(crate)`, is not an import
                [TokenTree::Ident(word), TokenTree::Group(g), ..]
                    if word == "pub" && g.delimiter() == Delimiter::Parenthesis =>
                {
                    i + 2
                }
                [TokenTree::Ident(word), TokenTree::Ident(name), rest, ..] if word == "mod" => {
                    let child = [module, &[name.to_string()]].concat();
                    match rest {
                        TokenTree::Group(body) => self.read(body.stream(), &child),
                        _ => self.declared.push(child),
                    }
                    i + 3
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
