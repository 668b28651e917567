//! Texts that are not complete yet.

/// Whether a text begins with a marker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// It does, and the marker ends here.
    At(usize),
    /// It ends before that can be told.
    Unknown,
    /// It does not.
    No,
}

/// Whether `text` begins with `marker`. A line feed of the marker stands for any white space, none included; white space at its end is
/// left to what follows.
pub(super) fn begins_with(text: &str, marker: &str) -> Found {
    let marker = marker.trim_end();
    let mut rest = text;
    for (number, part) in marker.split('\n').enumerate() {
        if number > 0 {
            rest = rest.trim_start();
        }
        match rest.strip_prefix(part) {
            Some(after) => rest = after,
            None if part.starts_with(rest) => return Found::Unknown,
            None => return Found::No,
        }
    }
    Found::At(text.len() - rest.len())
}

/// Where the first of some markers begins in a text, with the marker's number; or else how much of the text certainly belongs to none.
pub(super) fn first_of(text: &str, markers: &[&str]) -> Result<(usize, usize), usize> {
    let found = markers.iter().enumerate().filter(|(_, marker)| !marker.is_empty());
    let first = found.clone().filter_map(|(number, marker)| text.find(marker).map(|at| (at, number))).min();
    // A marker that may have begun before the one that was found would win.
    let sure = found.map(|(_, marker)| text.len() - longest_beginning(text, marker)).min().unwrap_or(text.len());
    first.filter(|(at, _)| *at <= sure).ok_or(sure)
}

/// The length of the longest end of `text` that is a beginning of `marker`, and not all of it.
pub(super) fn longest_beginning(text: &str, marker: &str) -> usize {
    let most = text.len().min(marker.len().saturating_sub(1));
    (1..=most).rev().find(|&length| marker.as_bytes().starts_with(&text.as_bytes()[text.len() - length..])).unwrap_or(0)
}

/// The content of a text within the quotation marks of JSON.
pub(super) fn escaped(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_of_a_marker_is_preferred_and_not_demanded() {
        assert_eq!(begins_with("<a>\n{", "<a>\n"), Found::At(3));
        assert_eq!(begins_with("<a>{", "<a>\n{"), Found::At(4));
        assert_eq!(begins_with("<a>  \n{", "<a>\n{"), Found::At(7));
        assert_eq!(begins_with("<a>  \n", "<a>\n{"), Found::Unknown);
        assert_eq!(begins_with("<", "<a>\n{"), Found::Unknown);
        assert_eq!(begins_with("<b", "<a>\n{"), Found::No);
    }

    #[test]
    fn the_first_marker_counts_and_what_may_begin_one_is_not_sure() {
        assert_eq!(first_of("ab</x>", &["</x>", "<y>"]), Ok((2, 0)));
        assert_eq!(first_of("ab</x", &["</x>"]), Err(2));
        assert_eq!(first_of("abc", &["</x>"]), Err(3));
        assert_eq!(first_of("a<{", &["{", "<{>"]), Err(1));
    }

    #[test]
    fn a_character_of_several_bytes_is_not_cut() {
        assert_eq!(longest_beginning("é", "\u{e9}x"), 2);
        assert_eq!(longest_beginning("a\u{ff5c}", "<\u{ff5c}"), 0);
    }
}
