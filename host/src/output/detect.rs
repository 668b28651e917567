//! Which family a model is of, by its chat template and its vocabulary.

use super::families::FAMILIES;
use super::family::{Call, Family};
use super::thinking::{THINKING, Thinking};

/// The forms in which a model writes what is no plain text.
#[derive(Clone, Copy, Debug)]
pub struct Forms {
    /// How it writes calls.
    pub calls: Calls,
    /// How it marks its reasoning; `None` where it has none that can be told from the answer.
    pub thinking: Option<&'static Thinking>,
}

/// How a model writes calls.
#[derive(Clone, Copy, Debug)]
pub enum Calls {
    /// Never: tools are not offered to it.
    Never,
    /// As its template says, which describes the tools, too.
    Native(&'static Family),
    /// As a system prompt says: the template knows no tools, or writes calls in a way that is not known here.
    Described(&'static Family),
}

impl Calls {
    /// The family whose form the calls have.
    #[must_use]
    pub fn family(&self) -> Option<&'static Family> {
        match self {
            Self::Never => None,
            Self::Native(family) | Self::Described(family) => Some(family),
        }
    }
}

/// What a model shows of its ways.
#[derive(Clone, Copy)]
pub struct Traits<'a> {
    /// Whether its chat template contains a text.
    pub mentions: &'a dyn Fn(&str) -> bool,
    /// Whether its chat template does something with tools.
    pub reads_tools: bool,
    /// Whether its vocabulary has a token of a name.
    pub has_token: &'a dyn Fn(&str) -> bool,
}

impl Forms {
    /// The forms of a model. `calls` and `thinking` are names as `--tool-call-parser` and `--reasoning-parser` take them.
    ///
    /// # Errors
    /// A name that is none; the text lists those that are.
    pub fn of(traits: Traits<'_>, calls: &str, thinking: &str) -> Result<Self, String> {
        let (calls, mut thinking) = (calls_by(traits, calls)?, thinking_by(traits, thinking)?);
        // Calls in channels are among the messages of a turn that is read as a whole.
        if matches!(calls, Calls::Native(family) if family.call == Call::Channel) {
            thinking = Thinking::named("harmony");
        }
        Ok(Self { calls, thinking })
    }

    /// Whether these are names that [`Forms::of`] takes.
    ///
    /// # Errors
    /// A name that is none; the text lists those that are.
    pub fn check_names(calls: &str, thinking: &str) -> Result<(), String> {
        let nothing = |_: &str| false;
        Self::of(Traits { mentions: &nothing, reads_tools: false, has_token: &nothing }, calls, thinking).map(|_| ())
    }

    /// Has the tools described where a guide can't hold the model to its own way of writing calls.
    pub fn describe_unless(&mut self, can_write: impl Fn(&Family) -> bool) {
        if let Calls::Native(family) = self.calls
            && !can_write(family)
        {
            self.calls = described();
        }
    }

    /// A model of which nothing is known but its plain text.
    #[must_use]
    pub fn plain() -> Self {
        Self { calls: Calls::Never, thinking: None }
    }
}

/// The family whose calls a model's template writes, if it is known; only of a template that describes tools.
#[must_use]
pub fn family_of(traits: Traits<'_>) -> Option<&'static Family> {
    FAMILIES.iter().find(|family| traits.reads_tools && is_marked(family, traits))
}

/// The reasoning that a model's template knows of.
#[must_use]
pub fn thinking_of(traits: Traits<'_>) -> Option<&'static Thinking> {
    THINKING.iter().find(|thinking| thinking.markers.iter().any(|marker| (traits.mentions)(marker)))
}

fn is_marked(family: &Family, traits: Traits<'_>) -> bool {
    // A family whose calls have no text of their own is told by its tokens.
    let needs_token = match family.name {
        "llama3_json" => Some("<|eot_id|>"),
        _ => None,
    };
    family.markers.iter().any(|texts| texts.iter().all(|text| (traits.mentions)(text)))
        && needs_token.is_none_or(|token| (traits.mentions)(token) || (traits.has_token)(token))
}

/// The way that is described to models of no known way.
fn described() -> Calls {
    Family::named("hermes").map_or(Calls::Never, Calls::Described)
}

fn calls_by(traits: Traits<'_>, name: &str) -> Result<Calls, String> {
    match name {
        "auto" => {
            let family = family_of(traits).filter(|family| family.is_guidable());
            Ok(family.map_or_else(described, Calls::Native))
        }
        "none" => Ok(Calls::Never),
        _ => {
            let marked = Family::all_named(name).find(|family| is_marked(family, traits));
            let family = marked.or_else(|| Family::named(name)).ok_or_else(|| {
                let names: Vec<&str> = FAMILIES.iter().map(|family| family.name).collect();
                format!(
                    "no way of writing tool calls has the name `{name}`; choose auto, none, or one of {}",
                    names.join(", ")
                )
            })?;
            match (family.is_guidable(), traits.reads_tools) {
                (true, true) => Ok(Calls::Native(family)),
                // The description shows one way of writing calls only.
                _ => Ok(described()),
            }
        }
    }
}

fn thinking_by(traits: Traits<'_>, name: &str) -> Result<Option<&'static Thinking>, String> {
    match name {
        "auto" => Ok(thinking_of(traits)),
        "none" => Ok(None),
        _ => Thinking::named(name).map(Some).ok_or_else(|| {
            let names: Vec<&str> = THINKING.iter().map(|thinking| thinking.name).collect();
            format!(
                "no way of marking reasoning has the name `{name}`; choose auto, none, or one of {}",
                names.join(", ")
            )
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    /// What is found in the text of a template, beside a vocabulary of one token.
    fn with_traits<T>(template: &str, token: &str, find: impl FnOnce(Traits<'_>) -> T) -> T {
        let is_part = |c: char| c.is_alphanumeric() || c == '_';
        let reads_tools = template
            .match_indices("tools")
            .any(|(at, word)| !template[..at].ends_with(is_part) && !template[at + word.len()..].starts_with(is_part));
        find(Traits { mentions: &|text| template.contains(text), reads_tools, has_token: &|name| name == token })
    }

    /// Rows `template family thinking`, `-` for none. Names only: the templates are data beside the repository.
    const EXPECTED: &str = include_str!("../../tests/data/template-families.txt");

    /// The folder of chat templates, if this machine has it.
    fn corpus() -> Option<std::path::PathBuf> {
        let data = std::env::var_os("JIG_TEST_DATA")?;
        let folder = std::path::Path::new(&data).join("chat-templates");
        folder.is_dir().then_some(folder)
    }

    #[test]
    fn published_templates_are_of_the_families_in_the_table() {
        let Some(folder) = corpus() else {
            eprintln!("skipped: JIG_TEST_DATA names no folder with chat-templates");
            return;
        };
        let mut found = BTreeMap::new();
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "jinja") {
                let template = std::fs::read_to_string(&path).unwrap();
                let family = with_traits(&template, "", family_of).map_or("-", |family| family.name);
                let thinking = with_traits(&template, "", thinking_of).map_or("-", |thinking| thinking.name);
                let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
                found.insert(name, format!("{family} {thinking}"));
            }
        }
        let found: String = found.iter().map(|(name, forms)| format!("{name} {forms}\n")).collect();
        if std::env::var_os("JIG_BLESS").is_some() {
            std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/template-families.txt"), &found).unwrap();
        }
        assert_eq!(found, EXPECTED);
    }

    #[test]
    fn the_table_counts_each_family_as_often_as_the_corpus_has_it() {
        let mut families: BTreeMap<&str, usize> = BTreeMap::new();
        for line in EXPECTED.lines() {
            *families.entry(line.split(' ').nth(1).unwrap()).or_default() += 1;
        }
        assert_eq!(EXPECTED.lines().count(), 135);
        let often = ["hermes", "qwen3_coder", "mistral", "mistral_args", "glm47", "deepseek_v3", "kimi_k2", "-"];
        assert_eq!(often.map(|family| families[family]), [17, 8, 7, 4, 4, 3, 3, 68]);
    }

    #[test]
    fn templates_without_a_text_of_their_own_are_told_by_their_tokens() {
        let llama =
            r#"{% if tools %}{{ '{"name": "' + call.name + '", "parameters": ' }}{% endif %}<|start_header_id|>"#;
        assert_eq!(with_traits(llama, "<|eot_id|>", family_of).unwrap().name, "llama3_json");
        assert!(with_traits(llama, "", family_of).is_none());
    }

    #[test]
    fn a_name_that_several_families_share_is_settled_by_the_template() {
        let forms = |template: &str| with_traits(template, "", |traits| Forms::of(traits, "mistral", "auto")).unwrap();
        assert_eq!(forms("tools [TOOL_CALLS] name [ARGS]").calls.family().unwrap().name, "mistral_args");
        assert_eq!(forms("tools [TOOL_CALLS] [").calls.family().unwrap().name, "mistral");
    }

    #[test]
    fn a_template_without_tools_gets_them_described() {
        let forms = |template: &str, name| with_traits(template, "", |traits| Forms::of(traits, name, "auto"));
        let described = forms("{{ messages }}", "auto").unwrap();
        assert!(matches!(described.calls, Calls::Described(family) if family.name == "hermes"));
        assert!(matches!(forms("tools", "none").unwrap().calls, Calls::Never));
        let error = forms("tools", "hermes2").unwrap_err();
        assert!(error.contains("`hermes2`") && error.contains("qwen3_coder"), "{error}");
    }
}
