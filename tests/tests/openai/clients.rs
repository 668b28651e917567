//! Random requests by the official Python client; what a user does with it is in `tests/tests/clients.rs`.

use std::process::Command;

use jig_tests::Server;

/// A template that tells the model nothing of its tools, so that many fit into the demo's 512 tokens.
const SHORT: &str = r#"{% if tools %}{{ '' }}{% endif %}{{ messages[-1].content }}{# <tool_call> "arguments" #}:"#;

#[test]
fn random_requests_with_tools_get_valid_calls() {
    let has = Command::new("python3").args(["-c", "import openai, jsonschema"]).output();
    if !has.is_ok_and(|output| output.status.success()) {
        println!("skipped: needs python3 with the packages of tests/clients/requirements.txt");
        return;
    }
    let server = Server::demo_with(&["--chat-template", SHORT]);
    let program = concat!(env!("CARGO_MANIFEST_DIR"), "/clients/tool_stress.py");
    // More by `tool_stress.py ADDRESS --count 10000 --schemas maskbench-dev.jsonl.gz`.
    let output = Command::new("python3").args([program, server.address(), "--count", "120"]).output().unwrap();
    let told = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && told.contains("120 requests, 0 failures"), "{told}\n{}", server.log());
}
