//! The commands of the README's first section answer as the README says.

use std::path::Path;
use std::process::Command;

use jig_tests::{Server, artifacts, jig};
use serde_json::json;

/// `curl` sends a form's content type, which the server must accept.
#[test]
fn a_request_of_curl_without_headers_gets_the_answer_in_the_readme() {
    let server = Server::demo();
    for (body, expected) in [
        (
            r#"{"prompt":"What is the capital of France?","schema":{"type":"string","maxLength":5},"temperature":0}"#,
            r#"{"text":["What is the capital of France?\"Paris\""]}"#,
        ),
        (
            r#"{"prompt":"What is Pi? Give me the first 15 digits: ","regex":"(-)?(0|[1-9][0-9]*)(\\.[0-9]+)?([eE][+-][0-9]+)?","temperature":0}"#,
            r#"{"text":["What is Pi? Give me the first 15 digits: 3.14159"#,
        ),
    ] {
        let url = format!("{}/generate", server.address());
        let text = match Command::new("curl").args(["-sS", &url, "-d", body]).output() {
            Ok(output) => String::from_utf8(output.stdout).unwrap(),
            Err(_) => server.client().post("/generate", body).body.to_string(),
        };
        assert!(text.starts_with(expected), "{text}");
    }
}

#[test]
fn the_embedded_backend_and_the_plugin_generate_the_same_text() {
    let body = json!({"prompt": "Give me a JSON record of Japan: ", "schema": {"type": "object",
        "properties": {"capital": {"type": "string", "maxLength": 20}, "currency": {"type": "string", "maxLength": 20}},
        "required": ["capital", "currency"]}, "seed": 7, "n": 3, "temperature": 0.8});
    let plugin = Server::demo().client().generate(&body);
    let embedded = Server::start(&["--model", "demo", "--port", "0"]).client().generate(&body);
    assert_eq!(plugin.texts().len(), 3);
    assert_eq!(plugin, embedded);
}

#[test]
fn jig_generate_prints_the_answer_without_a_server() {
    let output = jig()
        .args(["generate", "--model", "demo", "--schema", r#"{"type":"string","maxLength":5}"#, "--temperature", "0"])
        .arg("What is the capital of France?")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim_end(), r#""Paris""#);
}

#[test]
fn jig_backends_lists_embedded_and_found_backends_and_names_a_broken_file() {
    let directory = tempfile::tempdir_in(&artifacts().scratch).unwrap();
    std::fs::copy(&artifacts().cpu_plugin, directory.path().join("libjig_backend_copy.so")).unwrap();
    std::fs::write(directory.path().join("libjig_backend_broken.so"), "no library").unwrap();
    let output = jig().arg("backends").arg("--backend-dir").arg(directory.path()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("libjig_backend_copy.so") && text.contains("libjig_backend_broken.so"), "{text}");
    assert!(text.contains("embedded"), "{text}");
}

#[test]
fn jig_check_plugin_passes_the_cpu_backend_and_names_a_file_that_is_no_plugin() {
    let scratch = tempfile::tempdir_in(&artifacts().scratch).unwrap();
    // The conformance kit needs the files of some model; these are in the repository.
    let model = concat!(env!("CARGO_MANIFEST_DIR"), "/../host/demo");
    let check = |file: &Path| jig().arg("check-plugin").arg(file).args(["--model", model]).output().unwrap();

    let good = check(&artifacts().cpu_plugin);
    let table = String::from_utf8_lossy(&good.stdout);
    assert!(good.status.success(), "{table}\n{}", String::from_utf8_lossy(&good.stderr));
    assert!(table.to_lowercase().contains("pass") && !table.contains("FAIL"), "{table}");

    let text = scratch.path().join("text.so");
    std::fs::write(&text, "no library").unwrap();
    let missing = scratch.path().join("missing.so");
    for file in [Path::new("/bin/true"), &text, &missing] {
        let bad = check(file);
        let message = String::from_utf8_lossy(&bad.stderr);
        assert_eq!(bad.status.code(), Some(1), "{message}");
        assert!(message.contains(&*file.to_string_lossy()), "the file is named: {message}");
        assert!(message.starts_with("error: ") && !message.contains("panicked"), "{message}");
        assert!(message.len() < 2000, "the error is short: {message}");
    }
}
