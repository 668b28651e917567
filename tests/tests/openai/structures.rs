//! Structural tags: outputs in which free text and guided text alternate.

use jig_tests::{Client, Server};
use serde_json::{Value, json};

fn ask(client: &Client, path: &str, fields: Value) -> Value {
    let mut body = json!({"messages": [{"role": "user", "content": "What is the capital of France?"}], "prompt": "What is the capital of France?"});
    body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    body.as_object_mut().unwrap().remove(if path.contains("chat") { "prompt" } else { "messages" });
    let answer = client.post(path, &body.to_string());
    assert_eq!(answer.status, 200, "{body}: {}", answer.body);
    answer.body["choices"][0].clone()
}

fn text(choice: &Value) -> &str {
    choice["text"].as_str().or(choice["message"]["content"].as_str()).unwrap()
}

/// Free text, then a number in tags; in all forms and places that clients know.
fn spellings() -> Vec<Value> {
    let schema = json!({"type": "integer", "minimum": 10, "maximum": 99});
    let older = json!({"type": "structural_tag", "triggers": ["<"], "structures": [{"begin": "<n>", "schema": schema, "end": "</n>"}]});
    let content = json!({"type": "json_schema", "json_schema": schema});
    let tag = json!({"type": "tag", "begin": "<n>", "content": content, "end": "</n>"});
    let newer =
        json!({"type": "structural_tag", "format": {"type": "triggered_tags", "triggers": ["<"], "tags": [tag]}});
    vec![
        json!({"response_format": older}),
        json!({"response_format": newer}),
        json!({"structured_outputs": {"structural_tag": older}}),
        json!({"structured_outputs": {"structural_tag": newer.to_string()}}),
    ]
}

#[test]
fn text_is_free_up_to_a_trigger_and_guided_after_it() {
    let server = Server::demo();
    let client = server.client();
    let id = |text: &str| {
        let answer = client.post("/tokenize", &json!({"prompt": text, "add_special_tokens": false}).to_string());
        answer.body["tokens"].as_array().unwrap().last().unwrap().to_string()
    };
    for path in ["/v1/chat/completions", "/v1/completions"] {
        for spelling in spellings() {
            let mut free = spelling.clone();
            (free["temperature"], free["max_tokens"]) = (json!(0), json!(6));
            let choice = ask(&client, path, free);
            assert!(text(&choice).contains("Paris"), "what has no trigger is as without tags: {choice}");
            // Where `<` is all that the model likes, it writes it, and has to go on.
            let mut biased = spelling;
            (biased["logit_bias"], biased["max_tokens"]) = (json!({id("<"): 100}), json!(60));
            let choice = ask(&client, path, biased);
            let tags: Vec<&str> = text(&choice).split("<n").skip(1).collect();
            assert!(!tags.is_empty(), "{choice}");
            for tag in tags {
                let (number, _) = tag.strip_prefix('>').and_then(|rest| rest.split_once("</n>")).expect("a whole tag");
                assert!((10..100).contains(&number.parse::<u32>().unwrap()), "{choice}");
            }
            let end = (choice["finish_reason"].as_str().unwrap(), choice["stop_reason"].as_str());
            assert!(end == ("length", None) || end == ("stop", Some("max_tokens")), "the limit has struck: {choice}");
        }
    }
}

#[test]
fn a_format_holds_all_of_the_output_streamed_or_whole() {
    let server = Server::demo();
    let client = server.client();
    let constant = |value: &str| json!({"type": "const_string", "value": value});
    let json_of = |schema: Value| json!({"type": "json_schema", "json_schema": schema});
    let format = json!({"type": "sequence", "elements": [
        constant("<think>"),
        {"type": "any_text", "excludes": ["<"], "max_chars": null},
        constant("</think>"),
        {"type": "tags_with_separator", "separator": ";", "at_least_one": true, "stop_after_first": false, "tags": [
            {"begin": "[a]", "content": json_of(json!({"type": "boolean"})), "end": ""},
            {"begin": "[b]", "content": json_of(json!({"enum": ["x", "y"]})), "end": ["[/b]"]},
        ]},
    ]});
    for seed in 0..4 {
        let fields = json!({"response_format": {"type": "structural_tag", "format": format}, "seed": seed, "temperature": 2, "max_tokens": 80});
        let choice = ask(&client, "/v1/completions", fields.clone());
        let (thoughts, rest) = text(&choice).strip_prefix("<think>").unwrap().split_once("</think>").unwrap();
        assert!(!thoughts.contains('<'), "{choice}");
        for tag in rest.split(';') {
            let known = ["[a]true", "[a]false", "[b]\"x\"[/b]", "[b]\"y\"[/b]"];
            assert!(known.contains(&tag), "{choice}");
        }
        let mut body = fields;
        (body["prompt"], body["stream"]) = (json!("What is the capital of France?"), json!(true));
        let chunks = client.events("/v1/completions", &body);
        let streamed: String = chunks.iter().map(|chunk| chunk["choices"][0]["text"].as_str().unwrap()).collect();
        assert_eq!(streamed, text(&choice));
    }
}

#[test]
fn a_token_by_its_name_is_written_by_its_id() {
    let server = Server::demo();
    let client = server.client();
    let format = |token: Value| {
        let elements = json!([{"type": "token", "token": token}, {"type": "const_string", "value": "x"}]);
        json!({"response_format": {"type": "structural_tag", "format": {"type": "sequence", "elements": elements}}, "return_token_ids": true})
    };
    let choice = ask(&client, "/v1/completions", format(json!("<s>")));
    assert_eq!((choice["token_ids"][0].clone(), text(&choice)), (json!(0), "<s>x"));
    assert_eq!(ask(&client, "/v1/completions", format(json!(0)))["token_ids"][0], 0);
    let mut body = format(json!("<|nothing|>"));
    body["prompt"] = json!("x");
    let answer = client.post("/v1/completions", &body.to_string());
    let error = &answer.body["error"];
    assert_eq!((answer.status, &error["param"]), (400, &json!("response_format.format.elements[0].token")), "{error}");
    assert!(error["message"].as_str().unwrap().contains("`<|nothing|>`"), "{error}");
}

#[test]
fn a_grammar_holds_in_all_its_spellings_and_a_broken_one_is_refused_at_its_place() {
    let server = Server::demo();
    let client = server.client();
    // Brackets that match, which no regex describes, in both syntaxes; left-recursive.
    let gbnf = "root ::= group | root group\ngroup ::= \"(\" root? \")\" | \"[\" root? \"]\"";
    let lark = "start: group | start group\ngroup: \"(\" start? \")\" | \"[\" start? \"]\"";
    let matches = |text: &str| {
        let mut open = Vec::new();
        let whole = text.chars().all(|c| match c {
            '(' | '[' => {
                open.push(c);
                true
            }
            ')' => open.pop() == Some('('),
            ']' => open.pop() == Some('['),
            _ => false,
        });
        whole && open.is_empty() && !text.is_empty()
    };
    let tag = json!({"type": "structural_tag", "format": {"type": "grammar", "grammar": gbnf}});
    let spellings = [
        json!({"structured_outputs": {"grammar": gbnf}}),
        json!({"structured_outputs": {"grammar": lark}}),
        json!({"guided_grammar": lark}),
        json!({"grammar": gbnf}),
        json!({"ebnf": gbnf}),
        json!({"response_format": {"type": "grammar", "grammar": lark}}),
        json!({"response_format": tag}),
    ];
    for path in ["/v1/chat/completions", "/v1/completions"] {
        for (spelling, limit) in spellings.iter().zip([2, 3, 5, 8, 13, 21, 34]) {
            for seed in 0..4 {
                let mut fields = spelling.clone();
                (fields["temperature"], fields["seed"], fields["max_tokens"]) = (json!(2), json!(seed), json!(limit));
                let choice = ask(&client, path, fields);
                assert!(matches(text(&choice)), "{spelling}: {choice}");
                assert_eq!(choice["finish_reason"], "stop", "{choice}");
            }
        }
    }
    for (grammar, says) in [
        ("root ::= \"a\" nothing", "line 1, column 14"),
        ("start: A\nA: /(?=a)b/", "line 2, column 4"),
        ("root ::= \"a\" root", "root derives no text that ends"),
        ("a = b", "neither of the two syntaxes"),
    ] {
        let body = json!({"prompt": "x", "structured_outputs": {"grammar": grammar}});
        let answer = client.post("/v1/completions", &body.to_string());
        assert_eq!(answer.status, 400, "{}", answer.body);
        assert!(answer.message().contains(says), "{}", answer.message());
    }
}

#[test]
fn what_no_guide_enforces_is_refused_by_its_name() {
    let server = Server::demo();
    let client = server.client();
    for (format, says) in [
        (json!({"type": "any_text", "max_tokens": 5}), "`response_format.format.max_tokens`"),
        (json!({"type": "json_schema", "json_schema": {}, "style": "kimi_k3_xml"}), "kimi_k3_xml"),
        (json!({"type": "json_schema", "json_schema": {"type": "strin"}}), "`response_format`"),
        (
            json!({"type": "triggered_tags", "triggers": ["<a"], "tags": [{"begin": "<b>", "content": {"type": "any_text"}, "end": "</b>"}]}),
            "trigger",
        ),
        (json!({"type": "token", "token": 1_000_000}), "1000000"),
    ] {
        let body = json!({"prompt": "x", "response_format": {"type": "structural_tag", "format": format}});
        let answer = client.post("/v1/completions", &body.to_string());
        assert_eq!(answer.status, 400, "{}", answer.body);
        assert!(answer.message().contains(says), "{}", answer.message());
    }
}
