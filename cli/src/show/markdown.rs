//! Text of Markdown: foreign words, and sections.

use clip_lung_core::base::unicode::line;

/// Foreign text stays text.
pub fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in line(text).chars() {
        match c {
            '|' | '<' | '>' | '*' | '_' | '`' | '[' | ']' | '\\' | '#' => out.extend(['\\', c]),
            c => out.push(c),
        }
    }
    out
}

/// A document with these sections, each of which starts with its heading of the second level: one of the same heading is replaced, others
/// stay, new ones come last.
pub fn with_sections(document: &str, sections: &[String]) -> String {
    let mut all = parts(document);
    for part in sections.iter().flat_map(|section| parts(section)) {
        match all.iter_mut().find(|known| name(known) == name(&part)) {
            Some(known) => *known = part,
            None => all.push(part),
        }
    }
    all.join("\n\n") + "\n"
}

/// What tells a part: its heading, or all of it where it has none.
fn name(part: &str) -> &str {
    if part.starts_with("## ") { part.lines().next().unwrap_or(part) } else { part }
}

/// What stands before the first heading of the second level, if anything, and every section.
fn parts(text: &str) -> Vec<String> {
    let mut starts: Vec<usize> = text.match_indices("\n## ").map(|(at, _)| at + 1).collect();
    starts.insert(0, 0);
    let ends = starts.iter().skip(1).copied().chain([text.len()]);
    let trimmed = starts.iter().zip(ends).map(|(start, end)| text[*start..end].trim().to_owned());
    trimmed.filter(|part| !part.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_is_no_markup() {
        assert_eq!(escaped("a|b <c>\nd\u{1b}[2J"), "a\\|b \\<c\\> d \\[2J");
    }

    #[test]
    fn a_section_takes_the_place_of_its_namesake() {
        let card = "# ce\n\nWords.\n\n## Results\n\n1\n\n## Limits\n\nMany.\n";
        let new = ["\n## Results\n\n2\n".to_owned(), "## Data\n\nSome.\n\n### Of whom\n\nAll.\n".to_owned()];
        let expected =
            "# ce\n\nWords.\n\n## Results\n\n2\n\n## Limits\n\nMany.\n\n## Data\n\nSome.\n\n### Of whom\n\nAll.\n";
        assert_eq!(with_sections(card, &new), expected);
        assert_eq!(with_sections(expected, &new), expected);
        // notes without a heading of their own
        let plain = with_sections(card, &["Words alone.".to_owned()]);
        assert!(plain.ends_with("Many.\n\nWords alone.\n"), "{plain}");
        assert_eq!(with_sections(card, &[]), card);
    }
}
