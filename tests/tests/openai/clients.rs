//! The official Python client gets what it expects.

use std::process::Command;

use jig_tests::Server;

#[test]
fn the_python_client_of_openai_gets_what_it_expects() {
    let has = Command::new("python3").args(["-c", "import openai, pydantic"]).output();
    if !has.is_ok_and(|output| output.status.success()) {
        println!("skipped: needs python3 with the packages of tests/clients/requirements.txt");
        return;
    }
    let server = Server::demo();
    let program = concat!(env!("CARGO_MANIFEST_DIR"), "/clients/openai_client.py");
    let output = Command::new("python3").args([program, server.address()]).output().unwrap();
    let told = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && told.contains("all as expected"), "{told}\n{}", server.log());
}

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
