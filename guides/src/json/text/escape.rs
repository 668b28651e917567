//! Escapes of JSON strings (RFC 8259, section 7).

/// The short escapes: the character after the backslash, and the one that it means. An encoder need not escape the slash.
const SHORT: [(u8, u8); 8] =
    [(b'"', b'"'), (b'\\', b'\\'), (b'/', b'/'), (b'b', 8), (b'f', 12), (b'n', b'\n'), (b'r', b'\r'), (b't', b'\t')];

/// What a short escape means.
pub(crate) fn short_escape(byte: u8) -> Option<char> {
    SHORT.iter().find(|(name, _)| *name == byte).map(|(_, meaning)| char::from(*meaning))
}

/// The short escape of a character that may not stand for itself.
fn needed_short(byte: u8) -> Option<u8> {
    SHORT.iter().find(|(_, meaning)| *meaning == byte && byte != b'/').map(|(name, _)| *name)
}

/// Bytes of JSON that spell a byte of a character, in its shortest spelling.
pub(crate) fn spelled_length(byte: u8) -> u32 {
    match byte {
        b'"' | b'\\' | 8 | 12 | b'\n' | b'\r' | b'\t' => 2,
        0..0x20 => 6,
        _ => 1,
    }
}

/// Writes a string as JSON: what must be escaped is escaped in the shortest way, the rest stands for itself.
pub(crate) fn write_string(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match u8::try_from(c).ok().and_then(needed_short) {
            Some(name) => out.extend(['\\', char::from(name)]),
            None if c < ' ' => out.push_str(&format!("\\u{:04x}", c as u32)),
            None => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Whether a character of a key that begins with this byte may be spelled with an escape.
pub(crate) fn may_be_escaped(byte: u8) -> bool {
    byte < 0x20 || matches!(byte, b'"' | b'\\' | b'/')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spelled_length_of_a_byte_is_what_write_string_writes() {
        for byte in 0..0x80u8 {
            let written = write_string(&char::from(byte).to_string());
            assert_eq!(written.len() as u32 - 2, spelled_length(byte), "{written}");
            assert_eq!(serde_json::from_str::<String>(&written).expect("JSON"), char::from(byte).to_string());
        }
    }
}
