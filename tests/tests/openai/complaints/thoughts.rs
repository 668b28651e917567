//! Complaints about models that think before they answer.

use jig_tests::Server;
use serde_json::{Value, json};

use super::{ask, calls, content, is_valid, message, streamed, tides, token};
use crate::tools::joined;

/// Thoughts are opened by the prompt, closed by it, or left to the model, as a request's variable has it.
const TEMPLATE: &str = "{{ messages[-1].content }}:{% if mode == 'open' %}<think>\n{% elif mode == 'closed' %}<think>\n\n</think>\n\n{% endif %}\
                        {# tools <tool_call> \"arguments\" </think> #}";

fn server() -> Server {
    Server::demo_with(&["--chat-template", TEMPLATE])
}

fn reasoning(answer: &Value) -> Option<&str> {
    assert_eq!(message(answer).get("reasoning"), message(answer).get("reasoning_content"), "under both names");
    message(answer).get("reasoning_content").map(|text| text.as_str().unwrap())
}

#[test]
fn thoughts_are_free_and_the_answer_after_them_is_held_to_its_form() {
    let server = server();
    let client = server.client();
    for seed in 0..4 {
        let common = json!({"chat_template_kwargs": {"mode": "open"}, "seed": seed, "max_tokens": 60});
        let with = |fields: Value| {
            let mut all = common.clone();
            all.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
            ask(&client, all)
        };
        let answer = with(json!({"guided_regex": "[0-9]{4}"}));
        assert!(content(&answer).len() == 4 && content(&answer).parse::<u32>().is_ok(), "{answer}");
        let thoughts = reasoning(&answer).unwrap();
        assert!(thoughts.parse::<u32>().is_err() && !thoughts.contains("</think>"), "{answer}");
        assert!(answer["usage"]["completion_tokens_details"]["reasoning_tokens"].as_u64().unwrap() > 0, "{answer}");
        let answer = with(json!({"tools": [tides()], "tool_choice": "required", "max_tokens": 120}));
        let calls = calls(message(&answer));
        assert!(!calls.is_empty() && calls.iter().all(is_valid) && reasoning(&answer).is_some(), "{answer}");
        // The stream brings thoughts before the answer, and the same of both.
        let mut fields = common.clone();
        fields["guided_regex"] = json!("[0-9]{4}");
        let whole = ask(&client, fields.clone());
        let (mut thoughts, mut text) = (String::new(), String::new());
        for chunk in streamed(&client, fields) {
            let delta = &chunk["choices"][0]["delta"];
            if let Some(more) = delta["reasoning_content"].as_str() {
                assert!(text.is_empty(), "thoughts come first");
                thoughts.push_str(more);
            }
            text.push_str(delta["content"].as_str().unwrap_or_default());
        }
        assert_eq!((Some(&*thoughts), &*text), (reasoning(&whole), content(&whole)));
    }
}

#[test]
fn the_prompt_says_whether_the_output_begins_with_thoughts() {
    let server = server();
    let client = server.client();
    for (mode, first, thinks) in
        [("open", "z", true), ("closed", "<", false), ("left", "y", false), ("left", "<", true)]
    {
        let bias = json!({token(&client, first): 100});
        let variables = json!({"mode": mode});
        let fields = json!({"chat_template_kwargs": variables, "guided_choice": ["yes", "<no"], "logit_bias": bias, "max_tokens": 40});
        let answer = ask(&client, fields);
        assert_eq!(reasoning(&answer).is_some(), thinks, "{mode} {first}: {answer}");
        let expected = if first == "<" && mode == "closed" { "<no" } else { content(&answer) };
        assert!(["yes", "<no"].contains(&content(&answer)) && content(&answer) == expected, "{mode} {first}: {answer}");
    }
}

#[test]
fn stop_strings_look_at_the_answer_alone() {
    let server = server();
    let client = server.client();
    let mut seen = 0;
    for seed in 0..6 {
        let fields =
            json!({"chat_template_kwargs": {"mode": "open"}, "stop": ["e", "a"], "seed": seed, "max_tokens": 80});
        let answer = ask(&client, fields.clone());
        let thoughts = reasoning(&answer).unwrap_or_default();
        seen += usize::from(thoughts.contains(['e', 'a']));
        assert!(!content(&answer).contains(['e', 'a']), "{answer}");
        let chunks = streamed(&client, fields);
        let (message, end) = &joined(&chunks, 1)[0];
        assert_eq!(
            (message["content"].as_str().unwrap(), end),
            (content(&answer), &answer["choices"][0]["finish_reason"])
        );
    }
    assert!(seen > 0, "some thoughts have a stop string in them");
}
