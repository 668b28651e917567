//! `tools`, `tool_choice` and `parallel_tool_calls` of a body.

use std::collections::HashSet;

use serde_json::{Map, Value, json};

use super::offer::{Offer, Offered};
use crate::output::{Calling, parameters};
use crate::protocol::fields::{Field, Refusal};

/// The fields that [`ToolFields::take`] reads.
pub(in crate::protocol::openai) const NAMES: &[&str] = &["tools", "tool_choice", "parallel_tool_calls"];

/// The most tools of a request.
const MOST_TOOLS: usize = 1024;
/// The longest name of a tool, in bytes.
const LONGEST_NAME: usize = 256;
/// What stands around names in calls.
const DELIMITERS: &str = "\"\\<>{}[]()=|";

/// The fields that were read so far.
#[derive(Clone, Debug, Default)]
pub(in crate::protocol::openai) struct ToolFields {
    tools: Vec<Offered>,
    choice: Choice,
    parallel: Option<bool>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Choice {
    /// Nothing was said.
    #[default]
    Absent,
    None,
    Auto,
    Required,
    Named(String),
    Allowed {
        is_required: bool,
        names: Vec<String>,
    },
}

impl ToolFields {
    /// Reads a field that is not null. Returns whether it is one of [`NAMES`].
    pub(in crate::protocol::openai) fn take(&mut self, field: &Field<'_>) -> Result<bool, Refusal> {
        match field.name.as_str() {
            "tools" => self.tools = read_tools(field)?,
            "tool_choice" => self.choice = read_choice(field)?,
            "parallel_tool_calls" => self.parallel = Some(field.boolean()?),
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// What the request offers; `None` where it offers nothing.
    ///
    /// # Errors
    /// A choice of a tool that is not there.
    pub(in crate::protocol::openai) fn finish(self) -> Result<Option<Offer>, Refusal> {
        if self.tools.is_empty() {
            return match self.choice {
                Choice::Absent | Choice::None | Choice::Auto => Ok(None),
                _ => Err(Refusal::value(
                    "tool_choice",
                    "wants a call, and there are no `tools`; send some, or leave it out",
                )),
            };
        }
        let known: Vec<&str> = self.tools.iter().map(|tool| tool.name.as_str()).collect();
        let place = |name: &String| {
            known.iter().position(|known| known == name).ok_or_else(|| {
                let listed = known.iter().take(20).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
                Refusal::value("tool_choice", format_args!("names `{name}`, which is none of the `tools`: {listed}"))
            })
        };
        let all = || (0..self.tools.len()).collect();
        let (calling, callable, is_named) = match &self.choice {
            Choice::Absent | Choice::Auto => (Calling::MayCall, all(), false),
            Choice::None => (Calling::Never, Vec::new(), false),
            Choice::Required => (Calling::Must, all(), false),
            Choice::Named(name) => (Calling::Must, vec![place(name)?], true),
            Choice::Allowed { is_required, names } => {
                let mut places = names.iter().map(place).collect::<Result<Vec<_>, _>>()?;
                places.sort_unstable();
                places.dedup();
                (if *is_required { Calling::Must } else { Calling::MayCall }, places, false)
            }
        };
        // One tool is named for one call.
        let is_parallel = self.parallel.unwrap_or(true) && !is_named;
        Ok(Some(Offer { tools: self.tools, calling, callable, is_named, is_parallel, relaxed: Vec::new() }))
    }
}

fn read_tools(field: &Field<'_>) -> Result<Vec<Offered>, Refusal> {
    let entries = field.list(r#"a list of tools, such as [{"type": "function", "function": {"name": "clock"}}]"#)?;
    if entries.len() > MOST_TOOLS {
        let rest = format_args!("has {} entries, and at most {MOST_TOOLS} are allowed", entries.len());
        return Err(Refusal::value("tools", rest));
    }
    let mut names = HashSet::new();
    let mut tools = Vec::with_capacity(entries.len());
    for entry in &entries {
        let tool = read_tool(entry).map_err(|refusal| {
            let param = refusal.param.clone();
            let refusal = refusal.within("tools");
            Refusal { param: param.or(refusal.param.clone()), ..refusal }
        })?;
        if !names.insert(tool.name.clone()) {
            let name = &tool.name;
            return Err(Refusal::value(
                &format!("{}.function.name", entry.name),
                format_args!("is `{name}`, as that of another tool is"),
            ));
        }
        tools.push(tool);
    }
    Ok(tools)
}

fn read_tool(entry: &Field<'_>) -> Result<Offered, Refusal> {
    let members = entry.object("an object")?;
    let member = |name: &str| {
        let found = members.iter().find(|member| member.name == name && !member.is_null());
        found.map(|member| Field { name: format!("{}.{name}", entry.name), value: member.value })
    };
    let kind = match member("type") {
        Some(kind) => kind.string()?,
        None => "function".to_owned(),
    };
    if kind != "function" {
        let place = format!("{}.type", entry.name);
        let rest = format_args!("is \"{kind}\"; tools of the type \"function\" are supported");
        return Err(Refusal { code: "unsupported", ..Refusal::value(&place, rest) });
    }
    let function = member("function");
    let Some(function) = function else {
        return Err(Refusal::missing(
            &format!("{}.function", entry.name),
            r#"give a function, such as {"name": "clock"}"#,
        ));
    };
    let place = &function.name;
    let mut name = None;
    let mut rendered = Map::new();
    let mut parameters = None;
    let mut is_strict = false;
    for member in function.object("an object")? {
        let path = Field { name: format!("{place}.{}", member.name), value: member.value };
        match member.name.as_str() {
            "name" => {
                let text = path.string()?;
                check_name(&path, &text)?;
                rendered.insert(member.name.clone(), text.as_str().into());
                name = Some(text);
            }
            "description" if !path.is_null() => {
                rendered.insert(member.name.clone(), path.string()?.into());
            }
            "parameters" if !path.is_null() => {
                let schema = path.json()?;
                if !schema.is_object() && !schema.is_boolean() {
                    return Err(path.must_be("a JSON Schema"));
                }
                rendered.insert(member.name.clone(), schema.clone());
                parameters = Some(schema);
            }
            "strict" if !path.is_null() => is_strict = path.boolean()?,
            _ => {}
        }
    }
    let Some(name) = name else {
        return Err(Refusal::missing(&format!("{place}.name"), "give the function's name"));
    };
    rendered.entry("parameters").or_insert_with(|| json!({"type": "object", "properties": {}}));
    let is_empty = parameters.as_ref().is_none_or(|schema| schema.as_object().is_some_and(Map::is_empty));
    let parameters = parameters.filter(|_| !is_empty).map_or_else(parameters::none, parameters::closed);
    // The client's order, without what templates do not know.
    let mut outer = Map::new();
    for member in &members {
        match member.name.as_str() {
            "type" => _ = outer.insert("type".to_owned(), "function".into()),
            "function" => _ = outer.insert("function".to_owned(), Value::Object(std::mem::take(&mut rendered))),
            _ => {}
        }
    }
    outer.entry("type").or_insert_with(|| "function".into());
    Ok(Offered { name, rendered: outer.into(), parameters, is_strict, place: place.clone() })
}

fn check_name(field: &Field<'_>, name: &str) -> Result<(), Refusal> {
    if name.is_empty() || name.len() > LONGEST_NAME {
        return Err(field.must_be(format_args!("a name of 1 to {LONGEST_NAME} bytes")));
    }
    let is_bad = |c: &char| c.is_control() || DELIMITERS.contains(*c);
    match name.chars().find(is_bad) {
        Some(bad) => {
            Err(Refusal::value(&field.name, format_args!("has the character {bad:?}, which no name of a function has")))
        }
        None if name.trim() != name => {
            Err(Refusal::value(&field.name, "has white space around the name; leave it out"))
        }
        None => Ok(()),
    }
}

fn read_choice(field: &Field<'_>) -> Result<Choice, Refusal> {
    const WHAT: &str = r#""none", "auto", "required", {"type": "function", "function": {"name": ...}} or {"type": "allowed_tools", ...}"#;
    if field.value.get().starts_with('"') {
        return match field.string()?.as_str() {
            "none" => Ok(Choice::None),
            "auto" => Ok(Choice::Auto),
            "required" | "any" => Ok(Choice::Required),
            _ => Err(field.must_be(WHAT)),
        };
    }
    let value = field.json()?;
    let kind = value["type"].as_str().unwrap_or_default();
    // The flat form is that of another endpoint of the same API.
    let name = |value: &Value| {
        let name = value["function"]["name"].as_str().or_else(|| value["name"].as_str());
        name.map(ToOwned::to_owned)
    };
    match kind {
        "function" => name(&value).map(Choice::Named).ok_or_else(|| field.must_be(WHAT)),
        "none" => Ok(Choice::None),
        "auto" => Ok(Choice::Auto),
        "required" => Ok(Choice::Required),
        "allowed_tools" => {
            let allowed = value.get("allowed_tools").unwrap_or(&value);
            let is_required = match allowed["mode"].as_str() {
                Some("auto") | None => false,
                Some("required") => true,
                Some(_) => {
                    return Err(Refusal::value("tool_choice.allowed_tools.mode", "must be \"auto\" or \"required\""));
                }
            };
            let tools = allowed["tools"].as_array().filter(|tools| !tools.is_empty());
            let names = tools.and_then(|tools| tools.iter().map(name).collect::<Option<Vec<_>>>());
            let missing =
                || Refusal::value("tool_choice.allowed_tools.tools", "must be a list of at least one tool by its name");
            Ok(Choice::Allowed { is_required, names: names.ok_or_else(missing)? })
        }
        _ => Err(field.must_be(WHAT)),
    }
}
