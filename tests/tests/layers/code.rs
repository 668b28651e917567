//! Source text without comments, literals and tests.

/// Replaces comments, literals and items under `#[cfg(test)]` by blanks. All other text keeps its position, and so its line
/// number.
pub(crate) fn code(text: &str) -> String {
    without_tests(without_literals(text.as_bytes()))
}

fn without_literals(text: &[u8]) -> Vec<u8> {
    let mut code = text.to_vec();
    let mut at = 0;
    while at < text.len() {
        let end = at + literal(&text[at..], at.checked_sub(1).map(|before| text[before]));
        if end == at {
            at += 1;
            continue;
        }
        blank(&mut code[at..end]);
        at = end;
    }
    code
}

/// The length of the comment or literal at the start of `text`; 0 if there is neither.
fn literal(text: &[u8], before: Option<u8>) -> usize {
    let to = |end: &[u8], from: usize| find(text, end, from).map_or(text.len(), |at| at + end.len());
    match text {
        [b'/', b'/', ..] => find(text, b"\n", 0).unwrap_or(text.len()),
        [b'/', b'*', ..] => to(b"*/", 2),
        [b'"', ..] => quoted(text, b'"'),
        // A character literal, or a lifetime or label, which has no closing quote.
        [b'\'', b'\\', ..] => quoted(text, b'\''),
        [b'\'', _, b'\'', ..] => 3,
        [b'r', rest @ ..] if !before.is_some_and(is_name) || before == Some(b'b') => {
            let hashes = rest.iter().take_while(|&&byte| byte == b'#').count();
            if rest.get(hashes) != Some(&b'"') {
                return 0;
            }
            to(&[b"\"", vec![b'#'; hashes].as_slice()].concat(), hashes + 2)
        }
        _ => 0,
    }
}

/// The length of a literal that may have escapes, with its quotes.
fn quoted(text: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while at < text.len() && text[at] != quote {
        at += if text[at] == b'\\' { 2 } else { 1 };
    }
    (at + 1).min(text.len())
}

fn without_tests(mut code: Vec<u8>) -> String {
    const TEST: &[u8] = b"#[cfg(test)]";
    let mut from = 0;
    while let Some(start) = find(&code, TEST, from) {
        from = start + item(&code[start..]);
        blank(&mut code[start..from]);
    }
    String::from_utf8_lossy(&code).into_owned()
}

/// The length of the item at the start of `text`: up to a semicolon, or to the brace that closes its first one.
fn item(text: &[u8]) -> usize {
    let mut open = 0;
    for (at, byte) in text.iter().enumerate() {
        match byte {
            b'{' | b'(' | b'[' => open += 1,
            b')' | b']' => open -= 1,
            b'}' if open == 1 => return at + 1,
            b'}' => open -= 1,
            b';' if open == 0 => return at + 1,
            _ => {}
        }
    }
    text.len()
}

fn blank(text: &mut [u8]) {
    text.iter_mut().filter(|byte| **byte != b'\n').for_each(|byte| *byte = b' ');
}

fn find(text: &[u8], wanted: &[u8], from: usize) -> Option<usize> {
    let text = text.get(from..)?;
    text.windows(wanted.len()).position(|window| window == wanted).map(|at| at + from)
}

/// Whether a byte may be part of a name.
pub(crate) fn is_name(byte: u8) -> bool {
    byte == b'_' || byte.is_ascii_alphanumeric()
}

#[test]
fn comments_literals_and_tests_become_blanks_and_line_numbers_stay() {
    let text = "use a; // use b\n/* use\nc */ let d = (\"use \\\" e\", r#\"use\" f\"#, '\"', 'x'); fn g<'h>() {}\n";
    let kept = "use a;         \n      \n     let d = (          ,            ,    ,    ); fn g<'h>() {}\n";
    assert_eq!(code(text), kept);
    let text = "use a;\n#[cfg(test)]\nmod tests {\n use b; {}\n}\n#[cfg(test)]\nuse c;\nuse d;\n";
    assert_eq!(code(text).split_whitespace().collect::<Vec<_>>(), ["use", "a;", "use", "d;"]);
    assert_eq!(code(text).lines().position(|line| line == "use d;"), Some(7));
}
