//! How the text of JSON is written: white space, the order of members, formats.

use jig_guides::{Formats, Order, Whitespace};

use super::Constraints;
use crate::protocol::fields::{Field, Refusal, one_of};

impl Constraints {
    /// How JSON is written, by this server's own names.
    pub(super) fn option(&mut self, field: &Field<'_>) -> Result<(), Refusal> {
        let known = |name| field.name == name || field.name.ends_with(&format!(".{name}"));
        if known("whitespace") {
            let whitespace = one_of(
                field,
                &[
                    ("optional", Whitespace::Optional),
                    ("compact", Whitespace::Compact),
                    ("spaces", Whitespace::Spaces),
                    ("pretty", Whitespace::Pretty),
                    ("any", Whitespace::Any),
                ],
            )?;
            return self.set_whitespace(field, whitespace);
        }
        if known("property_order") {
            let order = one_of(field, &[("schema", Order::Schema), ("any", Order::Any)])?;
            self.order = Some((field.name.clone(), order));
        } else {
            let formats = one_of(field, &[("assert", Formats::Assert), ("annotate", Formats::Annotate)])?;
            self.formats = Some((field.name.clone(), formats));
        }
        Ok(())
    }

    /// A regex of the white space between the tokens of JSON. Those that clients send are known by their text: what stands for each is the
    /// richest that the regex allows, if it is not the regex itself.
    pub(super) fn whitespace_pattern(&mut self, field: &Field<'_>) -> Result<(), Refusal> {
        let whitespace = match field.string()?.as_str() {
            "" => Whitespace::Compact,
            " ?" | "[ ]?" | "[ ]{0,1}" | r"\s?" | r"[\s]?" | r"[\n ]?" | "[\n ]?" | r"[ \n]?" | " *" | "[ ]*"
            | r"[\n ]*" | "[\n ]*" | r"[ \n]*" => Whitespace::Optional,
            r"\s*" | r"[\s]*" | r"[\n\t ]*" | "[\n\t ]*" | r"[ \n\t]*" | "[ \n\t]*" | r"[ \t\n]*" | r"[ \t\n\r]*"
            | "[ \t\n\r]*" | r"[\t\n\r ]*" | r"[\n\r\t ]*" | r"[ \t\r\n]*" | r"[ \n\r\t]*" => Whitespace::Any,
            _ => {
                let rest = r#"is a pattern that is not known; use `whitespace` ("optional", "compact", "spaces", "pretty" or "any")"#;
                return Err(Refusal::value(&field.name, rest));
            }
        };
        self.set_whitespace(field, whitespace)
    }

    pub(super) fn set_whitespace(&mut self, field: &Field<'_>, whitespace: Whitespace) -> Result<(), Refusal> {
        match &self.whitespace {
            Some((other, before)) if *before != whitespace => {
                Err(Refusal::value(&field.name, format_args!("says otherwise than `{other}`; give one of the two")))
            }
            _ => {
                self.whitespace = Some((field.name.clone(), whitespace));
                Ok(())
            }
        }
    }
}
