//! Text that others wrote: in the encodings that say what they are, and as words alone.

/// UTF-8 or UTF-16, with or without a byte order mark (UTF-16 with one).
pub fn decode(bytes: &[u8]) -> Option<String> {
    let wide = |rest: &[u8], read: fn([u8; 2]) -> u16| {
        let units: Vec<u16> = rest.chunks_exact(2).map(|b| read([b[0], b[1]])).collect();
        String::from_utf16(&units).ok()
    };
    match bytes {
        [0xff, 0xfe, rest @ ..] => wide(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => wide(rest, u16::from_be_bytes),
        [0xef, 0xbb, 0xbf, rest @ ..] => String::from_utf8(rest.to_vec()).ok(),
        _ => String::from_utf8(bytes.to_vec()).ok(),
    }
}

/// Foreign words on one line: control characters, which could move a terminal's cursor or clear it, become spaces.
pub fn line(text: &str) -> String {
    text.replace(char::is_control, " ")
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_line_is_words_alone() {
        assert_eq!(super::line("Kopf\u{1b}[2J\r\nHals \u{e4}"), "Kopf [2J  Hals \u{e4}");
    }
}
