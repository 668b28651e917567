//! The meta-schemas of all drafts, to which a schema may refer without any document of the server.
//!
//! The files are those of json-schema.org; their licence stands beside them.

use crate::json::schema::references::normal_uri;
use crate::json::text::value::{self, Value};
use std::collections::HashMap;
use std::sync::OnceLock;

/// Nesting of their JSON text.
const DEEPEST_META: usize = 64;

macro_rules! texts {
    ($($file:literal),* $(,)?) => { [$(include_str!(concat!("meta_schemas/", $file))),*] };
}

const TEXTS: [&str; 19] = texts![
    "draft4.json",
    "draft6.json",
    "draft7.json",
    "draft2019-09/schema.json",
    "draft2019-09/applicator.json",
    "draft2019-09/content.json",
    "draft2019-09/core.json",
    "draft2019-09/format.json",
    "draft2019-09/meta-data.json",
    "draft2019-09/validation.json",
    "draft2020-12/schema.json",
    "draft2020-12/applicator.json",
    "draft2020-12/content.json",
    "draft2020-12/core.json",
    "draft2020-12/format-annotation.json",
    "draft2020-12/format-assertion.json",
    "draft2020-12/meta-data.json",
    "draft2020-12/unevaluated.json",
    "draft2020-12/validation.json",
];

/// The meta-schema with a URI in normal form.
pub(super) fn meta_schema(uri: &str) -> Option<&'static Value> {
    static KNOWN: OnceLock<HashMap<String, Value>> = OnceLock::new();
    let known = KNOWN.get_or_init(|| {
        let parsed = TEXTS.iter().filter_map(|text| value::parse(text, DEEPEST_META).ok());
        let by_id = parsed.filter_map(|schema| {
            let Some(Value::String(id)) = schema.get("$id").or_else(|| schema.get("id")) else { return None };
            Some((normal_uri(id)?, schema))
        });
        by_id.collect()
    });
    // The older drafts are often named with https, under which the same files are served.
    known.get(uri).or_else(|| known.get(&format!("http{}", uri.strip_prefix("https")?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_found_by_its_id_and_others_are_not() {
        for draft in ["draft-04", "draft-06", "draft-07"] {
            assert!(meta_schema(&format!("http://json-schema.org/{draft}/schema")).is_some(), "{draft}");
            assert!(meta_schema(&format!("https://json-schema.org/{draft}/schema")).is_some(), "{draft}");
        }
        for draft in ["2019-09", "2020-12"] {
            for name in ["schema", "meta/core", "meta/applicator", "meta/validation", "meta/meta-data", "meta/content"]
            {
                assert!(
                    meta_schema(&format!("https://json-schema.org/draft/{draft}/{name}")).is_some(),
                    "{draft} {name}"
                );
            }
        }
        assert!(meta_schema("https://json-schema.org/draft/2020-12/meta/format-assertion").is_some());
        assert!(meta_schema("http://json-schema.org/draft-05/schema").is_none());
        assert!(meta_schema("https://example.com/").is_none());
    }
}
