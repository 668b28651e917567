//! vLLM's `structured_outputs`.

use jig_guides::Whitespace;

use super::Constraints;
use super::members::Members;
use crate::protocol::fields::{Field, Refusal};

impl Constraints {
    pub(super) fn structured_outputs(&mut self, field: &Field<'_>) -> Result<(), Refusal> {
        const KNOWN: [&str; 12] = [
            "json",
            "regex",
            "choice",
            "json_object",
            "grammar",
            "structural_tag",
            "disable_any_whitespace",
            "disable_additional_properties",
            "whitespace_pattern",
            "whitespace",
            "property_order",
            "formats",
        ];
        let before = self.asked.len();
        let entries = Members::of(field, &KNOWN)?;
        for entry in &entries.members {
            match entry.name.rsplit('.').next().unwrap_or_default() {
                "json" => self.json(entry)?,
                "regex" => self.regex(entry)?,
                "choice" => self.choice(entry)?,
                "json_object" => self.json_object(entry)?,
                "disable_any_whitespace" => {
                    if entry.boolean()? {
                        self.set_whitespace(entry, Whitespace::Compact)?;
                    }
                }
                "disable_additional_properties" => {
                    if entry.boolean()? {
                        self.closes = Some(entry.name.clone());
                    }
                }
                "whitespace_pattern" => self.whitespace_pattern(entry)?,
                "grammar" => self.grammar_text(entry)?,
                "structural_tag" => self.structural_tag(entry)?,
                _ => self.option(entry)?,
            }
        }
        match self.asked.len() - before {
            0 => Err(Refusal::value(
                &field.name,
                "must have one of `json`, `regex`, `choice`, `json_object`, `grammar` and `structural_tag`, and has none",
            )),
            1 => Ok(()),
            _ => Err(Refusal::value(
                &field.name,
                "must have one of `json`, `regex`, `choice`, `json_object`, `grammar` and `structural_tag`, and has several",
            )),
        }
    }
}
