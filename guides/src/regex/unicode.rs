//! Sets of characters by the properties that Unicode gives them.
//!
//! The tables are those of `icu_properties`, which follow the newest version of Unicode, as ECMA-262 (section 22.2.1) and Python ask for.
//! The classes of Python's `re` are its methods of `str`:
//!
//! | class | Python | characters |
//! |---|---|---|
//! | `\d` | `str.isdecimal` | general category Nd |
//! | `\w` | `str.isalnum`, or `_` | general categories L and N |
//! | `\s` | `str.isspace` | general category Zs, and those of bidirectional class WS, B or S |

use crate::automaton::expression::Symbols;
use crate::regex::sets::{GREATEST, complement, normalized};
use icu_properties::props::{GeneralCategory, GeneralCategoryGroup, Script};
use icu_properties::script::ScriptWithExtensions;
use icu_properties::{CodePointMapData, CodePointSetData, PropertyParser};
use std::ops::RangeInclusive;
use std::sync::{Arc, OnceLock};

fn symbols(ranges: impl Iterator<Item = RangeInclusive<u32>>) -> Symbols {
    normalized(ranges.map(|range| (*range.start(), *range.end())).collect())
}

fn category(group: GeneralCategoryGroup) -> Symbols {
    symbols(CodePointMapData::<GeneralCategory>::new().iter_ranges_for_group(group))
}

/// `\d` of Python.
pub(super) fn digits() -> Arc<Symbols> {
    static DIGITS: OnceLock<Arc<Symbols>> = OnceLock::new();
    DIGITS.get_or_init(|| Arc::new(category(GeneralCategoryGroup::DecimalNumber))).clone()
}

/// `\w` of Python.
pub(super) fn word() -> Arc<Symbols> {
    static WORD: OnceLock<Arc<Symbols>> = OnceLock::new();
    let make = || {
        let parts =
            [category(GeneralCategoryGroup::Letter), category(GeneralCategoryGroup::Number), vec![(0x5F, 0x5F)]];
        Arc::new(normalized(parts.concat()))
    };
    WORD.get_or_init(make).clone()
}

/// `\s` of Python.
pub(super) const SPACE: &[(u32, u32)] = &[
    (0x09, 0x0D),
    (0x1C, 0x20),
    (0x85, 0x85),
    (0xA0, 0xA0),
    (0x1680, 0x1680),
    (0x2000, 0x200A),
    (0x2028, 0x2029),
    (0x202F, 0x202F),
    (0x205F, 0x205F),
    (0x3000, 0x3000),
];

/// The characters of a property as ECMA-262 writes it in `\p{...}` (tables 66 to 70): a general category with or without its name, a script,
/// or a binary property. Names are exact: `\p{lu}` is none.
pub(super) fn property(written: &str) -> Option<Symbols> {
    let group = |value: &str| PropertyParser::<GeneralCategoryGroup>::new().get_strict(value).map(category);
    let script = |value: &str| PropertyParser::<Script>::new().get_strict(value);
    match written.split_once('=') {
        Some(("General_Category" | "gc", value)) => group(value),
        Some(("Script" | "sc", value)) => {
            Some(symbols(CodePointMapData::<Script>::new().iter_ranges_for_value(script(value)?)))
        }
        Some(("Script_Extensions" | "scx", value)) => {
            Some(symbols(ScriptWithExtensions::new().get_script_extensions_ranges(script(value)?)))
        }
        Some(_) => None,
        // These three are no tables.
        None if written == "Any" => Some(vec![(0, GREATEST)]),
        None if written == "ASCII" => Some(vec![(0, 0x7F)]),
        None if written == "Assigned" => Some(complement(&category(GeneralCategoryGroup::Unassigned))),
        None => {
            let binary = CodePointSetData::new_for_ecma262(written.as_bytes());
            binary.map(|set| symbols(set.iter_ranges())).or_else(|| group(written))
        }
    }
}

#[cfg(test)]
mod tests {
    fn has(property: &str, code: u32) -> bool {
        let set = super::property(property).unwrap_or_else(|| panic!("{property}"));
        set.iter().any(|&(low, high)| (low..=high).contains(&code))
    }

    #[test]
    fn properties_are_those_of_ecma_262_in_the_newest_version_of_unicode() {
        for (property, code, expected) in [
            ("L", 0x61, true),
            ("Letter", 0x61, true),
            ("gc=Lu", 0x41, true),
            ("General_Category=Lu", 0x61, false),
            ("Script=Greek", 0x3B1, true),
            ("sc=Grek", 0x61, false),
            ("scx=Deva", 0x1CD0, true),
            ("Script=Devanagari", 0x1CD0, false),
            ("Alphabetic", 0xE9, true),
            ("ASCII", 0x80, false),
            ("Any", 0x10_FFFF, true),
            ("Emoji", 0x1F600, true),
            ("Extended_Pictographic", 0x2630, false),
            // Beria Erfe came with Unicode 17.
            ("L", 0x16EA0, true),
            ("Assigned", 0x16EA0, true),
        ] {
            assert_eq!(has(property, code), expected, "{property} {code:x}");
        }
        for unknown in ["", "lu", "Nope", "Script=Nope", "gc", "Age=1", "Greek", "InGreek", "Line_Break=XX"] {
            assert!(super::property(unknown).is_none(), "{unknown}");
        }
    }
}
