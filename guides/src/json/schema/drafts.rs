//! The draft of a schema, by its `$schema` (JSON Schema 2020-12 core, section 8.1.1), and the keywords that the draft lacks.

use crate::json::text::value::Value;

/// A draft; later ones are greater. A schema that names none has the newest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Draft {
    /// Draft 6 and all before it.
    Six,
    Seven,
    Of2019,
    Of2020,
}

impl Draft {
    /// The draft of a schema, by its `$schema`; `outer` where it names none.
    pub(super) fn of(schema: &Value, outer: Draft) -> Draft {
        match schema.get("$schema") {
            Some(Value::String(uri)) => Draft::named(uri),
            _ => outer,
        }
    }

    fn named(uri: &str) -> Draft {
        let is_one = |names: &[&str]| names.iter().any(|name| uri.contains(name));
        if is_one(&["draft-03", "draft-04", "draft-05", "draft-06"]) {
            Draft::Six
        } else if is_one(&["draft-07"]) {
            Draft::Seven
        } else if is_one(&["2019-09"]) {
            Draft::Of2019
        } else {
            Draft::Of2020
        }
    }

    /// Whether only later drafts define a keyword, so that it constrains nothing in this one.
    ///
    /// `const`, `contains`, `propertyNames`, `dependentRequired` and `dependentSchemas` are read in every draft: beside an older `$schema`
    /// their author means them, and the output that they allow is valid under the older draft too.
    pub(super) fn lacks(self, keyword: &str) -> bool {
        let since = match keyword {
            "if" | "then" | "else" => Draft::Seven,
            "unevaluatedItems" | "unevaluatedProperties" | "minContains" | "maxContains" => Draft::Of2019,
            "$recursiveRef" | "$dynamicRef" => Draft::Of2019,
            "prefixItems" => Draft::Of2020,
            _ => return false,
        };
        self < since
    }
}

/// Whether the draft that a `$schema` names has a keyword. Schemas are read without keywords that their draft lacks: `if`, for one, came
/// with draft 7.
pub fn draft_has_keyword(schema_uri: &str, keyword: &str) -> bool {
    !Draft::named(schema_uri).lacks(keyword)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drafts_older_than_a_keyword_lack_it() {
        let drafts = [
            "http://json-schema.org/draft-04/schema#",
            "http://json-schema.org/draft-06/schema#",
            "http://json-schema.org/draft-07/schema#",
            "https://json-schema.org/draft/2019-09/schema",
            "https://json-schema.org/draft/2020-12/schema",
            "",
        ];
        for (keyword, first) in [("if", 2), ("maxContains", 3), ("prefixItems", 4), ("const", 0), ("type", 0)] {
            for (index, draft) in drafts.into_iter().enumerate() {
                assert_eq!(draft_has_keyword(draft, keyword), index >= first, "{keyword} in {draft}");
            }
        }
    }
}
