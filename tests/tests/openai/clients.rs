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
