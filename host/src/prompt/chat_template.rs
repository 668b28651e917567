//! The chat template of a model: its variables, its kinds, and what it makes of a conversation.

use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;

use minijinja::Value as Variable;
use serde_json::{Map, Value, json};

use super::jinja::{Clock, Failure, MARK, Template, is_blank, of_json};
use super::literal::{self, Place, SpecialTokens};
use super::messages::{self, ContentFormat, Wanted};
use super::{Conversation, PromptError, RenderError, TemplateError, continuation, files};
use crate::request::Rendered;

/// The variables that a conversation itself sets.
const OF_CONVERSATION: [&str; 4] = ["messages", "tools", "documents", "add_generation_prompt"];

/// How conversations are brought into a template.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ChatTemplateOptions {
    /// The time that templates ask for.
    pub clock: Clock,
    /// Variables for all conversations; those of a conversation win.
    pub variables: Map<String, Value>,
    /// Whether the text of a special token in a message is that token.
    pub special_in_content: bool,
    /// In which form the template gets the content of messages.
    pub content_format: ContentFormat,
}

/// The chat template of a model.
pub struct ChatTemplate {
    default: Template,
    /// For conversations with tools, where the model has another template for them.
    with_tools: Option<Template>,
    special_tokens: Arc<SpecialTokens>,
    /// The named special tokens (`bos_token`), as templates know them.
    variables: Map<String, Value>,
    options: ChatTemplateOptions,
    source: String,
    /// The roles whose content the template takes as parts, and only so.
    parts: Vec<(&'static str, TakesParts)>,
}

/// Whether a template takes a content as a list of parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TakesParts {
    No,
    /// And as a text, too.
    Also,
    Only,
}

/// The work that a template may do for a conversation, in instructions: a second or so. Templates in use take some hundreds for each message.
const FUEL: u64 = 5_000_000;
/// And for each byte of its texts: sixteen copies of it.
const FUEL_BYTES: usize = 4;
/// The work that a template may do for a content that is tried.
const FUEL_TRIED: u64 = 200_000;

/// The roles whose content is tried in both forms. Others are taken for users.
const ROLES: [&str; 4] = ["user", "system", "assistant", "tool"];

impl ChatTemplate {
    /// Compiles templates. `source` says where they are from; `variables` are the named special tokens (`bos_token`), `special_tokens` the
    /// texts of all that the tokenizer has.
    ///
    /// # Errors
    /// What is wrong with a template, and in which line.
    pub fn new(
        source: String,
        default: &str,
        with_tools: Option<&str>,
        variables: Map<String, Value>,
        special_tokens: impl IntoIterator<Item = String>,
        options: ChatTemplateOptions,
    ) -> Result<Self, String> {
        let special_tokens = Arc::new(SpecialTokens::new(special_tokens));
        Self::compile(source, default, with_tools, variables, special_tokens, options)
    }

    fn compile(
        source: String,
        default: &str,
        with_tools: Option<&str>,
        variables: Map<String, Value>,
        special_tokens: Arc<SpecialTokens>,
        options: ChatTemplateOptions,
    ) -> Result<Self, String> {
        let default = Template::compile(default, options.clock)?;
        let with_tools = with_tools.map(|text| Template::compile(text, options.clock)).transpose()?;
        let mut template = Self { default, with_tools, special_tokens, variables, options, source, parts: Vec::new() };
        template.parts = ROLES.map(|role| (role, template.takes_parts(role))).to_vec();
        Ok(template)
    }

    /// The same with another template, as a client may send one. It takes a millisecond or so.
    ///
    /// # Errors
    /// As [`ChatTemplate::new`].
    pub fn replaced(&self, template: &str) -> Result<Self, String> {
        let (variables, special_tokens) = (self.variables.clone(), self.special_tokens.clone());
        Self::compile("the request".to_owned(), template, None, variables, special_tokens, self.options.clone())
    }

    /// Finds and compiles the template of a model whose files lie in these directories; the first that has one wins. `flag` is the value
    /// of `--chat-template`: a file, a template, or the name of one of the model's own. `None` where there is none.
    ///
    /// # Errors
    /// See [`TemplateError`].
    pub fn find(
        directories: &[&Path],
        flag: Option<&str>,
        special_tokens: impl IntoIterator<Item = String>,
        options: ChatTemplateOptions,
    ) -> Result<Option<Self>, TemplateError> {
        let mut directories = directories.to_vec();
        directories.dedup();
        let Some(found) = files::find(&directories, flag)? else { return Ok(None) };
        let variables = files::variables(&directories)?;
        let (default, with_tools) = (&found.default, found.with_tools.as_deref());
        let template = Self::new(found.source.clone(), default, with_tools, variables, special_tokens, options);
        template.map(Some).map_err(|problem| TemplateError::Syntax { place: found.source, problem })
    }

    /// Where the template is from: a file, or the command line.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Whether the template asks for a variable (`enable_thinking`).
    #[must_use]
    pub fn reads(&self, variable: &str) -> bool {
        [Some(&self.default), self.with_tools.as_ref()].into_iter().flatten().any(|template| template.reads(variable))
    }

    /// Whether a text stands in the template (`developer`, `<tool_call>`).
    #[must_use]
    pub fn mentions(&self, text: &str) -> bool {
        let templates = [Some(&self.default), self.with_tools.as_ref()];
        templates.into_iter().flatten().any(|template| template.text().contains(text))
    }

    /// The prompt for a conversation as a client sends it: its messages are brought into the form that the template expects, then it is
    /// rendered.
    ///
    /// Where the template refuses what another form of the same conversation would mend, that form is tried: system messages in one at the
    /// front, an empty content for none, arguments of calls as texts, short ids of calls.
    ///
    /// # Errors
    /// A message that no template can be given, a variable that is not the client's to set, and what the template says of the conversation
    /// in its plainest form.
    pub fn prompt(&self, conversation: &Conversation) -> Result<Rendered, PromptError> {
        let is_taken = |name: &&String| OF_CONVERSATION.contains(&name.as_str()) || self.variables.contains_key(*name);
        if let Some(name) = conversation.variables.keys().find(is_taken) {
            return Err(PromptError::Variable { name: name.clone() });
        }
        let parts = |role: &str, content: &Value| self.wants_parts(role, content);
        let wanted = Wanted { developers: self.mentions("developer"), parts: &parts };
        let messages = messages::normalize(&conversation.messages, wanted)?;
        let tools = conversation.tools.clone().filter(|tools| !tools.is_empty());
        let (documents, variables) = (conversation.documents.clone(), conversation.variables.clone());
        let Conversation { add_generation_prompt, continue_final_message, .. } = *conversation;
        let normal =
            Conversation { messages, tools, documents, variables, add_generation_prompt, continue_final_message };
        let first = match self.render(&normal) {
            Ok(rendered) => return Ok(rendered),
            Err(error @ (RenderError::Raised(_) | RenderError::Failed(_) | RenderError::NotContinued(_))) => error,
            Err(error) => return Err(error.into()),
        };
        // Each form is built on the one before.
        let mut messages = normal.messages.clone();
        for form in [
            messages::with_system_first,
            messages::with_contents,
            messages::with_short_ids,
            messages::with_texts_as_arguments,
        ] {
            let Some(other) = form(&messages) else { continue };
            messages = other;
            if let Ok(rendered) = self.render(&Conversation { messages: messages.clone(), ..normal.clone() }) {
                return Ok(rendered);
            }
        }
        Err(explained(first, &normal.messages).into())
    }

    /// Whether a content is given to the template as parts.
    fn wants_parts(&self, role: &str, content: &Value) -> bool {
        let takes =
            || self.parts.iter().find(|(known, _)| *known == role).or(self.parts.first()).map(|(_, takes)| *takes);
        match self.options.content_format {
            ContentFormat::Text => false,
            ContentFormat::Parts => true,
            ContentFormat::Auto if content.is_array() => takes() != Some(TakesParts::No),
            ContentFormat::Auto => takes() == Some(TakesParts::Only),
        }
    }

    /// Tries a content in both forms.
    fn takes_parts(&self, role: &str) -> TakesParts {
        const MARKS: [&str; 2] = ["firstprobe", "secondprobe"];
        let call = json!([{"type": "function", "id": "a1b2c3d4e", "function": {"name": "probe", "arguments": {}}}]);
        let writes = |content: Value| {
            let own = match role {
                "tool" => json!({"role": role, "content": content, "name": "probe", "tool_call_id": "a1b2c3d4e"}),
                _ => json!({"role": role, "content": content}),
            };
            let user = json!({"role": "user", "content": "probe"});
            let messages = match role {
                "user" => vec![own],
                "system" => vec![own, user],
                "tool" => vec![user, json!({"role": "assistant", "content": "", "tool_calls": call}), own],
                _ => vec![user.clone(), own, user],
            };
            let text =
                self.text(&Conversation { messages, ..Conversation::default() }, None, FUEL_TRIED).unwrap_or_default();
            // In quotes where the template writes the list as it is.
            let is_written = |mark: &str| {
                text.contains(mark) && !text.contains(&format!("'{mark}'")) && !text.contains(&format!("\"{mark}\""))
            };
            MARKS.into_iter().all(is_written)
        };
        let parts = MARKS.iter().map(|mark| json!({"type": "text", "text": mark})).collect();
        match (writes(parts), writes(MARKS.join(" ").into())) {
            (false, _) => TakesParts::No,
            (true, true) => TakesParts::Also,
            (true, false) => TakesParts::Only,
        }
    }

    /// What the template makes of a conversation as it is: the text of transformers' `apply_chat_template`.
    ///
    /// # Errors
    /// See [`RenderError`].
    pub fn render(&self, conversation: &Conversation) -> Result<Rendered, RenderError> {
        let fuel = FUEL + (literal::length(conversation) / FUEL_BYTES) as u64;
        let text = self.text(conversation, None, fuel)?;
        if self.options.special_in_content {
            return Ok(Rendered::from(text));
        }
        let Some(token) = self.special_tokens.found_in(conversation) else { return Ok(Rendered::from(text)) };
        let refused = || RenderError::SpecialInContent { token: token.to_owned() };
        let mark = literal::mark_for(conversation, &text).ok_or_else(refused)?;
        for place in [Place::Before, Place::Within] {
            let marked = self.special_tokens.mark(conversation, mark, place);
            let Ok(marked) = self.text(&marked, Some(mark), fuel) else { continue };
            let (unmarked, literal) = self.special_tokens.unmark(&marked, mark, place);
            if unmarked == text {
                return Ok(Rendered { text, literal });
            }
        }
        Err(refused())
    }

    fn text(&self, conversation: &Conversation, mark: Option<char>, fuel: u64) -> Result<String, RenderError> {
        let mut conversation = Cow::Borrowed(conversation);
        let content = match conversation.continue_final_message {
            true => Some(continuation::open(conversation.to_mut())?),
            false => None,
        };
        let template = match &self.with_tools {
            Some(template) if conversation.tools.is_some() => template,
            _ => &self.default,
        };
        let mut text = template.render(self.variables(&conversation, mark), fuel).map_err(|failure| match failure {
            Failure::Raised(message) => RenderError::Raised(message),
            Failure::Failed(problem) => RenderError::Failed(problem),
            Failure::TooLarge(problem) => RenderError::TooLarge(problem),
        })?;
        if let Some(content) = content {
            continuation::close(&mut text, &content, is_blank)?;
        }
        Ok(text)
    }

    /// What stands in the template's scope.
    fn variables(&self, conversation: &Conversation, mark: Option<char>) -> Variable {
        let list = |items: &Option<Vec<Value>>| match items {
            Some(items) => items.iter().map(of_json).collect(),
            None => Variable::from(()),
        };
        let own = [
            ("messages", conversation.messages.iter().map(|message| of_json(&known(message))).collect()),
            ("tools", list(&conversation.tools)),
            ("documents", list(&conversation.documents)),
            ("add_generation_prompt", Variable::from(conversation.add_generation_prompt)),
        ];
        let mark = mark.map(|mark| (MARK, Variable::from(mark)));
        let further = [&self.variables, &self.options.variables, &conversation.variables];
        let further = further.into_iter().flatten().filter(|(name, _)| !OF_CONVERSATION.contains(&name.as_str()));
        let further = further.map(|(name, value)| (name.as_str(), of_json(value)));
        Variable::from_pairs(further.chain(own).chain(mark))
    }
}

/// A template's refusal with the messages that it is most often about: two of the same role that follow each other.
fn explained(error: RenderError, messages: &[Value]) -> RenderError {
    match (error, messages::same_roles(messages)) {
        (RenderError::Raised(text), Some((index, role))) => {
            let next = index + 1;
            RenderError::Raised(format!(
                "{text} (messages[{index}] and messages[{next}] are both of the role \"{role}\")"
            ))
        }
        (error, _) => error,
    }
}

/// A message as transformers gives it to a template: without keys whose value is null, and with its reasoning under all names that
/// templates have for it.
fn known(message: &Value) -> Value {
    const REASONING: [&str; 3] = ["reasoning_content", "thinking", "reasoning"];
    let Value::Object(entries) = message else { return message.clone() };
    let mut known = Map::new();
    let reasoning = REASONING.iter().find_map(|name| entries.get(*name).filter(|value| !value.is_null()));
    if let Some(reasoning) = reasoning {
        known.insert("thinking".to_owned(), reasoning.clone());
    }
    known.extend(
        entries.iter().filter(|(_, value)| !value.is_null()).map(|(name, value)| (name.clone(), value.clone())),
    );
    if let Some(reasoning) = reasoning {
        known.entry("reasoning_content").or_insert_with(|| reasoning.clone());
    }
    Value::Object(known)
}
