//! Conversations through small templates.

use serde_json::{Map, Value, json};

use super::*;
use crate::request::Rendered;

const CHATML: &str = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}\
                      {% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";
const TOKENS: [&str; 3] = ["<|im_start|>", "<|im_end|>", "[INST]"];

fn template_with(text: &str, options: ChatTemplateOptions) -> ChatTemplate {
    let variables = json!({"bos_token": "<s>"}).as_object().cloned().expect("an object");
    let tokens = TOKENS.map(str::to_owned);
    ChatTemplate::new("a test".to_owned(), text, None, variables, tokens, options).expect("a template")
}

fn template(text: &str) -> ChatTemplate {
    template_with(text, ChatTemplateOptions::default())
}

fn conversation(messages: Value) -> Conversation {
    let messages = messages.as_array().cloned().expect("a list");
    Conversation { messages, add_generation_prompt: true, ..Conversation::default() }
}

fn prompt(text: &str, messages: Value) -> Result<String, PromptError> {
    template(text).prompt(&conversation(messages)).map(|rendered| rendered.text)
}

/// The texts at the literal places.
fn literal(rendered: &Rendered) -> Vec<&str> {
    rendered.literal.iter().map(|place| &rendered.text[place.clone()]).collect()
}

#[test]
fn special_tokens_of_the_template_are_tokens_and_those_of_a_message_are_text() {
    let said = json!([{"role": "user", "content": "a <|im_end|> b <|im_start|>"}, {"role": "user", "content": "c"}]);
    let rendered = template(CHATML).prompt(&conversation(said.clone())).expect("a prompt");
    assert_eq!(literal(&rendered), ["<|im_end|>", "<|im_start|>"]);
    assert_eq!(rendered.literal[0].start, rendered.text.find("<|im_end|>").expect("a place"));
    assert_eq!(rendered.text.matches("<|im_end|>").count(), 3);
    let options = ChatTemplateOptions { special_in_content: true, ..ChatTemplateOptions::default() };
    let allowed = template_with(CHATML, options).prompt(&conversation(said)).expect("a prompt");
    assert_eq!((allowed.text, allowed.literal), (rendered.text, Vec::new()));
}

#[test]
fn a_conversation_without_special_tokens_has_no_literal_places() {
    let rendered =
        template(CHATML).prompt(&conversation(json!([{"role": "user", "content": "a < b"}]))).expect("a prompt");
    assert!(rendered.literal.is_empty());
    assert_eq!(rendered.text, "<|im_start|>user\na < b<|im_end|>\n<|im_start|>assistant\n");
}

#[test]
fn a_special_token_put_together_from_two_messages_is_text() {
    let text = "{% for m in messages %}{{ m.content }}{% endfor %}";
    let said = json!([{"role": "user", "content": "x <|im_"}, {"role": "user", "content": "end|> y"}]);
    let rendered = template(text).render(&conversation(said)).expect("a prompt");
    assert_eq!(literal(&rendered), ["<|im_end|>"]);
}

#[test]
fn special_tokens_in_tools_roles_and_arguments_are_text_too() {
    let text =
        "{{ tools | tojson }}{% for m in messages %}<|im_start|>{{ m.role }} {{ m.tool_calls | tojson }}{% endfor %}";
    let messages =
        json!([{"role": "[INST]", "tool_calls": [{"function": {"name": "f", "arguments": {"a": "<|im_end|>"}}}]}]);
    let tools = json!([{"description": "[INST]"}]).as_array().cloned();
    let rendered = template(text).render(&Conversation { tools, ..conversation(messages) }).expect("a prompt");
    assert_eq!(literal(&rendered), ["[INST]", "[INST]", "<|im_end|>"]);
}

#[test]
fn a_template_that_reads_special_tokens_in_a_message_is_served_where_the_place_can_be_told() {
    // It looks for the token, and it looks at how the text begins.
    for text in [
        "{% set p = m.split('<|im_end|>') %}{{ p[0] ~ '|' ~ p[1] }}",
        "{{ 'yes' if m.startswith('[') else 'no' }}{{ m }}",
    ] {
        let text = format!("{{% set m = messages[0].content %}}{text}");
        let rendered =
            template(&text).render(&conversation(json!([{"role": "user", "content": "[INST] <|im_end|>x"}])));
        assert!(rendered.is_ok(), "{text}: {rendered:?}");
    }
    let text = "{{ messages[0].content | length }} {{ messages[0].content }}";
    let error =
        template(text).render(&conversation(json!([{"role": "user", "content": "[INST]"}]))).expect_err("an error");
    assert_eq!(error, RenderError::SpecialInContent { token: "[INST]".to_owned() });
}

#[test]
fn marks_survive_json_that_is_all_ascii() {
    let text = "{{ messages[0].content | tojson(ensure_ascii=true) }}";
    let rendered =
        template(text).render(&conversation(json!([{"role": "user", "content": "é[INST]"}]))).expect("a prompt");
    assert_eq!((rendered.text.as_str(), literal(&rendered)), ("\"\\u00e9[INST]\"", vec!["[INST]"]));
}

#[test]
fn a_last_message_is_continued_where_its_content_ends() {
    let continued = |text: &str, content: Value| {
        let messages = vec![json!({"role": "user", "content": "a"}), json!({"role": "assistant", "content": content})];
        let conversation = Conversation { messages, continue_final_message: true, ..Conversation::default() };
        template(text).prompt(&conversation).map(|rendered| rendered.text)
    };
    let text = "<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\none, ";
    assert_eq!(continued(CHATML, json!("one, ")).expect("a prompt"), text);
    assert_eq!(continued(CHATML, json!([{"type": "text", "text": "one, "}])).expect("a prompt"), text);
    assert_eq!(continued("{{ messages[-1].content | trim }}<|im_end|>", json!("one, ")).expect("a prompt"), "one,");
    let error = continued("{{ messages[0].content }}", json!("one")).expect_err("an error");
    assert!(matches!(error, PromptError::Render(RenderError::NotContinued(_))), "{error}");
}

#[test]
fn what_a_template_refuses_is_tried_in_the_forms_that_mean_the_same() {
    let once = "{% for m in messages %}{% if m.role == 'system' and not loop.first %}{{ raise_exception('first!') }}{% endif %}\
                {{ m.role + ': ' + m.content + ';' }}{% endfor %}";
    let late = json!([{"role": "system", "content": "a"}, {"role": "user", "content": "b"}, {"role": "system", "content": "c"}]);
    assert_eq!(prompt(once, late).expect("a prompt"), "system: a\n\nc;user: b;");
    let none = json!([{"role": "user", "content": "b"}, {"role": "assistant", "content": null, "tool_calls": [
        {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{\"x\": 1}"}}]}]);
    assert_eq!(prompt(once, none.clone()).expect("a prompt"), "user: b;assistant: ;");
    let texts = "{% for c in messages[1].tool_calls %}{{ c.function.name + c.function.arguments }}{% endfor %}";
    assert_eq!(prompt(texts, none.clone()).expect("a prompt"), "f{\"x\":1}");
    let objects = "{% for c in messages[1].tool_calls %}{{ c.function.arguments | tojson }}{% endfor %}";
    assert_eq!(prompt(objects, none.clone()).expect("a prompt"), "{\"x\": 1}");
    let nine = "{% set id = messages[1].tool_calls[0].id %}{% if id|length != 9 %}{{ raise_exception('9') }}{% endif %}{{ id }}";
    assert_eq!(prompt(nine, none).expect("a prompt").len(), 9);
}

#[test]
fn a_refusal_is_the_templates_own_with_the_messages_that_clash() {
    let text = "{{ raise_exception('Roles must alternate') }}";
    let twice = json!([{"role": "user", "content": "a"}, {"role": "user", "content": "b"}]);
    let error = prompt(text, twice).expect_err("an error").to_string();
    assert_eq!(error, "Roles must alternate (messages[0] and messages[1] are both of the role \"user\")");
}

#[test]
fn content_is_given_as_the_template_takes_it() {
    let parts = json!([{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}]);
    let text = json!([{"role": "user", "content": "a"}]);
    let only_texts = "{{ messages[0].content }}";
    assert_eq!(prompt(only_texts, parts.clone()).expect("a prompt"), "a\nb");
    let only_parts = "{% for p in messages[0].content %}{{ p.text }}|{% endfor %}";
    assert_eq!(prompt(only_parts, parts.clone()).expect("a prompt"), "a|b|");
    assert_eq!(prompt(only_parts, text.clone()).expect("a prompt"), "a|");
    let both = "{% if messages[0].content is string %}{{ messages[0].content }}{% else %}{% for p in messages[0].content %}{{ p.text }}\
                {% endfor %}{% endif %}";
    assert_eq!(prompt(both, parts.clone()).expect("a prompt"), "ab");
    assert_eq!(prompt(both, text).expect("a prompt"), "a");
    let options = ChatTemplateOptions { content_format: ContentFormat::Text, ..ChatTemplateOptions::default() };
    assert_eq!(template_with(both, options).prompt(&conversation(parts)).expect("a prompt").text, "a\nb");
}

#[test]
fn variables_of_a_conversation_win_over_those_for_all_and_can_not_set_what_the_server_sets() {
    let variables = json!({"x": 1, "y": 1}).as_object().cloned().expect("an object");
    let template = template_with(
        "{{ bos_token }}{{ x }}{{ y }}",
        ChatTemplateOptions { variables, ..ChatTemplateOptions::default() },
    );
    let mut asked = conversation(json!([{"role": "user", "content": "a"}]));
    asked.variables.insert("y".to_owned(), 2.into());
    assert_eq!(template.prompt(&asked).expect("a prompt").text, "<s>12");
    for name in ["messages", "bos_token", "add_generation_prompt"] {
        let mut asked = asked.clone();
        asked.variables.insert(name.to_owned(), "x".into());
        let error = template.prompt(&asked).expect_err("an error");
        assert_eq!(error, PromptError::Variable { name: name.to_owned() });
    }
    assert!(template.reads("x") && !template.reads("enable_thinking") && template.mentions("bos_token"));
}

#[test]
fn tools_have_their_own_template_where_there_is_one() {
    let variables = Map::new();
    let template =
        ChatTemplate::new("a test".to_owned(), "plain", Some("tools"), variables, [], ChatTemplateOptions::default());
    let template = template.expect("a template");
    let asked = conversation(json!([{"role": "user", "content": "a"}]));
    assert_eq!(template.prompt(&asked).expect("a prompt").text, "plain");
    let tools = |tools: Value| Conversation { tools: tools.as_array().cloned(), ..asked.clone() };
    assert_eq!(template.prompt(&tools(json!([{"name": "f"}]))).expect("a prompt").text, "tools");
    assert_eq!(template.prompt(&tools(json!([]))).expect("a prompt").text, "plain");
}

#[test]
fn work_without_end_ends_with_an_error() {
    let asked = conversation(json!([{"role": "user", "content": "a"}]));
    for text in [
        "{% for i in range(100000) %}{% for j in range(100000) %}{{ j }}{% endfor %}{% endfor %}",
        "{% set ns = namespace(x='aaaaaaaa') %}{% for i in range(64) %}{% set ns.x = ns.x + ns.x %}{% endfor %}{{ ns.x }}",
        "{% set x = 'a' * 50000000 %}{{ x }}{{ x }}{{ x }}{{ x }}",
    ] {
        let error = template(text).render(&asked).expect_err("an error");
        assert!(matches!(error, RenderError::TooLarge(_) | RenderError::Failed(_)), "{text}: {error}");
    }
    let deep = "{% macro f(n) %}{{ f(n + 1) }}{% endmacro %}{{ f(0) }}";
    let error = template(deep).render(&asked).expect_err("an error");
    assert!(matches!(error, RenderError::Failed(_)), "{error}");
}
