//! UIDs made of what they name, so that the same finding always has the same one.

use sha2::{Digest, Sha256};

/// The UID of these words: `2.25.` and, in decimal, a UUID of version 8 (RFC 9562) from their SHA-256.
pub fn uid(words: &[&str]) -> String {
    let digest = Sha256::digest(words.join("\n"));
    let number = digest.iter().take(16).fold(0u128, |number, byte| number << 8 | u128::from(*byte));
    let version = number & !(0xf << 76) | 8 << 76;
    format!("2.25.{}", version & !(3 << 62) | 2 << 62)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By Python: `u = bytearray(hashlib.sha256(b"a\nb").digest()[:16])`, version and variant set as `uuid` does, `int.from_bytes(u)`.
    #[test]
    fn golden() {
        assert_eq!(uid(&["a", "b"]), "2.25.167612356721423352038156871554819517187");
        assert_ne!(uid(&["a", "b"]), uid(&["a", "c"]));
        assert!(uid(&["a"]).len() <= 64);
    }
}
