//! Escapes of JSON strings (RFC 8259, section 7).

/// The short escapes: the character after the backslash, and its meaning. All but the slash must be escaped.
const SHORT: [(u8, u8); 8] =
    [(b'"', b'"'), (b'\\', b'\\'), (b'/', b'/'), (b'b', 8), (b'f', 12), (b'n', b'\n'), (b'r', b'\r'), (b't', b'\t')];

/// The meaning of a short escape, by the character after the backslash.
pub(crate) fn short_escape(byte: u8) -> Option<char> {
    SHORT.iter().find(|(name, _)| *name == byte).map(|(_, meaning)| char::from(*meaning))
}

/// The short escape of a character that must be escaped.
fn needed_short(byte: u8) -> Option<u8> {
    SHORT.iter().find(|(_, meaning)| *meaning == byte && byte != b'/').map(|(name, _)| *name)
}

/// Bytes of JSON for a byte of a character, in the shortest spelling of that character.
pub(crate) fn spelled_length(byte: u8) -> u32 {
    match byte {
        b'"' | b'\\' | 8 | 12 | b'\n' | b'\r' | b'\t' => 2,
        0..0x20 => 6,
        _ => 1,
    }
}

/// Writes a string as JSON. A character is escaped only if it must be, and in the shortest form.
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

/// Whether a character that begins with this byte may be escaped in a key.
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
