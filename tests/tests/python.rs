//! A Python client gets valid answers, streams and errors.

use std::process::Command;

use jig_tests::Server;

#[test]
fn a_python_client_gets_answers_that_an_independent_validator_accepts() {
    let has = Command::new("python3").args(["-c", "import requests, jsonschema"]).output();
    if !has.is_ok_and(|output| output.status.success()) {
        println!("skipped: needs python3 with the packages of tests/clients/requirements.txt");
        return;
    }
    let server = Server::demo();
    let program = concat!(env!("CARGO_MANIFEST_DIR"), "/clients/user.py");
    let output = Command::new("python3").args([program, server.address()]).output().unwrap();
    assert!(output.status.success(), "{}\n{}", String::from_utf8_lossy(&output.stderr), server.log());
}
