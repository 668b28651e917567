//! What users complain of most where they use servers with this API, and a test for each complaint, named after it.
//!
//! | complaint | test |
//! |---|---|
//! | `guided_json` and its like are dropped, and the text is free | `formats::a_field_that_constrains_is_obeyed_or_refused_in_every_spelling` |
//! | with `response_format` and tools no call is ever made | `calls::a_response_format_and_tools_leave_both_the_call_and_the_json_reachable` |
//! | calls of `auto` have broken JSON, wrong types, invented names unless they are strict | `calls::calls_of_auto_are_valid_whether_strict_or_not` |
//! | `required` is not enforced; `tool_calls` without calls; an empty message | `calls::required_brings_calls_and_tool_calls_ends_messages_with_calls_alone` |
//! | `required` with many tools is slow, or stalls the streams of others | `calls::a_hundred_tools_are_no_obstacle`, and `tests/clients/tool_speed.py` for the times |
//! | `auto` is treated as `required` | `calls::auto_with_tools_answers_a_greeting_by_text` |
//! | `finish_reason` differs between stream and not, for named and required | `calls::the_finish_reason_is_the_same_streamed_and_whole` |
//! | `max_tokens` cuts a call, and its broken JSON poisons the conversation | `calls::a_call_fits_its_limit_and_a_broken_one_in_the_history_does_no_harm` |
//! | streamed arguments lose their last brace or quotes, or repeat | `calls::fragments_of_arguments_add_up_to_the_arguments` |
//! | a tool without parameters has no arguments in a stream | `calls::a_tool_without_parameters_gets_an_empty_object_in_a_stream` |
//! | a call that begins and ends in one step is lost | `calls::a_call_that_comes_in_one_step_is_not_lost` |
//! | with n > 1 the calls of streamed choices are mixed up | `calls::choices_of_a_stream_do_not_mix_their_calls` |
//! | `parallel_tool_calls: false` is ignored | `calls::one_call_at_most_where_calls_are_not_parallel` |
//! | text before a call is cut off in a stream | `calls::text_before_a_call_is_whole_in_a_stream` |
//! | `<tool_call>` or `<think>` in prose is eaten though there are no tools | `calls::tags_in_prose_are_prose_where_no_tools_are_given` |
//! | `strict` and other fields leak into the prompt, the order of keys changes | `prompts::tools_stand_in_the_prompt_as_the_client_wrote_them` |
//! | keywords of schemas are ignored in silence | `formats::keywords_are_enforced_or_named_in_a_refusal` |
//! | endless white space until `max_tokens` | `formats::white_space_never_goes_on_and_on` |
//! | a grammar that fails leaves the text free, or a description crashes the server | `formats::what_can_not_be_compiled_is_refused_and_descriptions_are_no_grammar` |
//! | thoughts are held to the grammar, suppressed, or swallow the answer | `thoughts::thoughts_are_free_and_the_answer_after_them_is_held_to_its_form` |
//! | the reasoning parser is wrong where the template opens the thoughts or turns them off | `thoughts::the_prompt_says_whether_the_output_begins_with_thoughts` |
//! | stop strings match in thoughts, leak, or delay the first chunks | `thoughts::stop_strings_look_at_the_answer_alone`, `streams::stop_strings_neither_leak_nor_delay` |
//! | `content: null` is shown as `None`, `tool_calls: []` breaks templates | `prompts::nothing_is_shown_for_null_and_for_no_calls` |
//! | roles must alternate, the system message must be first: 400 or 500 | `prompts::a_template_that_wants_its_system_message_first_gets_it_and_other_complaints_of_it_are_told` |
//! | two tokens begin the text | `prompts::one_token_begins_the_text` |
//! | ids of Mistral's calls must have nine characters | `prompts::ids_of_calls_have_nine_characters_where_the_template_demands_it` |
//! | `tojson` escapes HTML, and other letters than English ones | `prompts::tojson_writes_what_python_writes`, and all published templates in `host/tests/chat_templates.rs` |
//! | an agent can't tell that the context is full, or its reservation for the output fills it | `prompts::a_full_context_is_told_in_the_words_that_agents_know` |
//! | usage is missing or wrong in streams, cached tokens are absent | `streams::usage_is_the_same_streamed_and_whole` |
//! | log-probabilities do not fit the content, and are refused with tools and streams | `streams::log_probabilities_fit_the_content_with_tools_and_in_a_stream` |
//! | U+FFFD in streams of emoji and Chinese | `streams::characters_come_whole` |
//! | a stream ends without `finish_reason` or `[DONE]`, or its last chunk has content | `streams::a_stream_ends_each_choice_once_without_content_and_then_itself` |
//! | the work goes on after the client left | `streams::a_client_that_leaves_ends_the_work` |
//! | arguments are an object instead of JSON text | `calls::arguments_are_a_text_and_objects_are_taken_back` |
//! | output that the parser does not understand is a 500 | `calls::what_looks_like_a_call_and_is_none_is_content` |
//! | a message is not continued properly | `prompts::a_message_is_continued_where_it_ends` |
//! | masks for many tools slow down every token | `tests/clients/tool_speed.py`: a time is no matter for a test |

mod calls;
mod formats;
mod prompts;
mod streams;
mod thoughts;

use jig_tests::Client;
use serde_json::{Value, json};

use crate::{CHAT, answered, conversation};

/// A body with one message, and these fields.
fn body(fields: Value) -> Value {
    conversation("When is high tide in Husum?", fields)
}

/// The answer to a body that is right.
fn ask(client: &Client, fields: Value) -> Value {
    answered(client, &body(fields))
}

/// The error of a body that is wrong.
fn refused(client: &Client, fields: Value) -> Value {
    let body = body(fields);
    let answer = client.post(CHAT, &body.to_string());
    assert_eq!(answer.status, 400, "{body}: {}", answer.body);
    answer.body["error"].clone()
}

/// The prompt of a body.
fn rendered(client: &Client, fields: Value) -> Value {
    let body = body(fields);
    let answer = client.post("/v1/chat/completions/render", &body.to_string());
    assert_eq!(answer.status, 200, "{body}: {}", answer.body);
    answer.body
}

/// The chunks of a body's stream.
fn streamed(client: &Client, fields: Value) -> Vec<Value> {
    let mut body = body(fields);
    body["stream"] = json!(true);
    client.events(CHAT, &body)
}

fn message(answer: &Value) -> &Value {
    &answer["choices"][0]["message"]
}

fn content(answer: &Value) -> &str {
    message(answer)["content"].as_str().unwrap_or_else(|| panic!("no content: {answer}"))
}

/// Names and arguments of a message's calls.
fn calls(message: &Value) -> Vec<(String, Value)> {
    let read = |call: &Value| {
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        let arguments = text(&call["function"]["arguments"]);
        let arguments = serde_json::from_str(&arguments).unwrap_or_else(|error| panic!("{error}: {arguments}"));
        (text(&call["function"]["name"]), arguments)
    };
    message["tool_calls"].as_array().map(|calls| calls.iter().map(read).collect()).unwrap_or_default()
}

/// A token that spells a text, as `logit_bias` names it.
fn token(client: &Client, text: &str) -> String {
    let answer = client.post("/tokenize", &json!({"prompt": text, "add_special_tokens": false}).to_string());
    answer.body["tokens"].as_array().unwrap().last().unwrap().to_string()
}

fn tool(name: &str, parameters: Value) -> Value {
    json!({"type": "function", "function": {"name": name, "parameters": parameters}})
}

/// A tool with arguments of two types.
fn tides() -> Value {
    let properties = json!({"harbour": {"type": "string", "maxLength": 12}, "days": {"type": "integer", "minimum": 1, "maximum": 9}});
    tool("tides", json!({"type": "object", "properties": properties, "required": ["harbour"]}))
}

/// A tool without arguments.
fn clock() -> Value {
    json!({"type": "function", "function": {"name": "clock"}})
}

fn named(name: &str) -> Value {
    json!({"type": "function", "function": {"name": name}})
}

/// Whether arguments of [`tides`] or [`clock`] are valid.
fn is_valid((name, arguments): &(String, Value)) -> bool {
    let Some(object) = arguments.as_object() else { return false };
    match name.as_str() {
        "clock" => object.is_empty(),
        "tides" => {
            let days = object.get("days");
            object.get("harbour").and_then(Value::as_str).is_some_and(|name| name.chars().count() <= 12)
                && days.is_none_or(|days| days.as_i64().is_some_and(|days| (1..=9).contains(&days)))
                && object.len() == 1 + usize::from(days.is_some())
        }
        _ => false,
    }
}
