//! A conversation on the terminal: `jig generate --chat` and `jig chat`.

use std::io::Write;
use std::path::Path;
use std::process::{Output, Stdio};

use jig_tests::jig;

/// Runs `jig` with a text as its standard input.
fn run(arguments: &[&str], input: &str) -> Output {
    let mut command = jig();
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("jig starts");
    child.stdin.take().expect("a pipe").write_all(input.as_bytes()).expect("jig reads");
    child.wait_with_output().expect("jig ends")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_prompt_in_the_chat_template_is_answered_as_a_question() {
    let demo = ["generate", "--model", "demo", "--temperature", "0", "--chat"];
    let question = "What is the capital of France?";
    assert_eq!(text(&run(&[&demo[..], &[question]].concat(), "").stdout).trim(), "Paris");
    let guided = [&demo[..], &["--schema", r#"{"type":"string"}"#, "--system", "Be short.", question]].concat();
    let answer = text(&run(&guided, "").stdout);
    assert!(serde_json::from_str::<String>(&answer).is_ok(), "{answer}");
}

#[test]
fn a_conversation_goes_on_until_the_end_of_input_and_begins_anew_on_reset() {
    let lines = "What is the capital of Norway?\n\n/nothing\n/reset\nWhat is the symbol of gold?\n";
    let output = run(&["chat", "--model", "demo", "--temperature", "0"], lines);
    let said = text(&output.stdout);
    let lines: Vec<&str> = said.lines().collect();
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(matches!(lines[..], ["Oslo", unknown, "Au"] if unknown.starts_with("/nothing: unknown")), "{said}");
}

#[test]
fn a_model_without_a_chat_template_is_refused_with_the_flag_that_gives_one() {
    let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("../host/demo");
    let directory = tempfile::tempdir().expect("a directory");
    for file in ["config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors"] {
        std::fs::copy(demo.join(file), directory.path().join(file)).expect("a file of demo");
    }
    let model = directory.path().to_str().expect("a path");
    for arguments in [&["chat", "--model", model][..], &["generate", "--model", model, "--chat", "x"]] {
        let output = run(arguments, "");
        assert!(!output.status.success());
        assert!(text(&output.stderr).contains("--chat-template FILE"), "{}", text(&output.stderr));
    }
    let template = "{% for m in messages %}Q: {{ m.content }}\nA:{% endfor %}";
    let arguments = ["generate", "--model", model, "--temperature", "0", "--chat-template", template, "--chat"];
    let output = run(&[&arguments[..], &["What is the capital of Peru?"]].concat(), "");
    assert_eq!(text(&output.stdout).trim(), "Lima");
}
