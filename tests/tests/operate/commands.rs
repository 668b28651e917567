//! Commands: what they print, where that goes, and what they refuse.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use jig_tests::{Server, artifacts, jig};

fn run(arguments: &[&str]) -> Output {
    jig().args(arguments).stdin(Stdio::null()).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_command_ends_quietly_where_nobody_reads_and_with_an_error_where_the_disk_is_full() {
    let plugin = artifacts().cpu_plugin.to_str().unwrap();
    let schema = tempfile::NamedTempFile::new().unwrap();
    fs::write(schema.path(), r#"{"type": "string"}"#).unwrap();
    for arguments in [&["backends"][..], &["check-plugin", plugin], &["check-schema", schema.path().to_str().unwrap()]]
    {
        let mut child = jig().args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        // Reads a line and closes the pipe.
        BufReader::with_capacity(1, child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(!line.is_empty() && output.status.success(), "{arguments:?}: {line} {}", text(&output.stderr));
        assert!(!text(&output.stderr).contains("error"), "{arguments:?}: {}", text(&output.stderr));

        let full = fs::File::create("/dev/full").unwrap();
        let output = jig().args(arguments).stdout(full).stderr(Stdio::piped()).output().unwrap();
        let message = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {message}");
        assert!(message.contains("standard output") && !message.contains("panicked"), "{arguments:?}: {message}");
    }
}

#[test]
fn a_level_of_the_log_is_known_as_people_spell_it_and_anything_else_is_refused() {
    for level in ["WARNING", "Error", "", "info,jig=DEBUG"] {
        let output = jig().env("JIG_LOG_LEVEL", level).arg("backends").output().unwrap();
        assert!(output.status.success(), "{level}: {}", text(&output.stderr));
    }
    for level in ["loud", "jig"] {
        let output = run(&["backends", "--log-level", level]);
        let message = text(&output.stderr);
        assert!(output.status.code() == Some(1) && message.contains("is no level"), "{level}: {message}");
    }
    let server = Server::spawn(jig().args(["--model", "demo", "--port", "0", "--log-format", "json"]));
    for line in server.log().lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert!(line["ts"].is_string() && line["level"] == "info" && line["message"].is_string(), "{line}");
    }
}

#[test]
fn a_plugin_that_is_cut_off_or_for_another_machine_is_an_error_and_not_the_end_of_the_process() {
    let whole = fs::read(&artifacts().cpu_plugin).unwrap();
    let directory = tempfile::tempdir_in(&artifacts().scratch).unwrap();
    let file = directory.path().join("libjig_backend_broken.so");
    let path = file.to_str().unwrap();
    let mut foreign = whole.clone();
    // `e_machine`: Alpha.
    foreign[18..20].copy_from_slice(&[0x26, 0x90]);
    let cut = |length: usize| whole[..length].to_vec();
    for (bytes, says) in [
        (cut(100), "cut off"),
        (cut(100_000), "cut off"),
        (cut(whole.len() / 2), "cut off"),
        (cut(whole.len() - 1), "cut off"),
        (foreign, "36902"),
    ] {
        fs::write(&file, &bytes).unwrap();
        for arguments in [
            &["backends", "--backend-dir", directory.path().to_str().unwrap()][..],
            &["check-plugin", path],
            &["--model", "demo", "--port", "0", "--backend", path],
        ] {
            let output = run(arguments);
            let said = text(&output.stdout) + &text(&output.stderr);
            assert!(output.status.code().is_some_and(|code| code <= 1), "{arguments:?}: {:?} {said}", output.status);
            assert!(said.contains(says) && said.contains(path), "{arguments:?}: {said}");
        }
    }
}

#[test]
fn a_hub_that_does_not_answer_is_told_of_at_once() {
    // It accepts, and says nothing.
    let hub = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", hub.local_addr().unwrap());
    let mut server = Server::begin(
        jig()
            .args(["--model", "org/model", "--port", "0"])
            .env("HF_ENDPOINT", &endpoint)
            .env("HF_HOME", "/nonexistent"),
    );
    server.line_with(&format!("asking {endpoint} for `org/model`"), Duration::from_secs(20));
    server.terminate();
    assert!(server.wait(Duration::from_secs(20)).success());

    // Nobody listens: the second attempt is the last.
    drop(hub);
    let output = jig()
        .args(["--model", "org/model", "--port", "0"])
        .env("HF_ENDPOINT", &endpoint)
        .env("HF_HOME", "/nonexistent")
        .output();
    let output = output.unwrap();
    let log = text(&output.stderr);
    assert_eq!((output.status.code(), log.matches("asking once more").count()), (Some(1), 1), "{log}");
}

#[test]
fn schemas_of_a_config_map_are_read() {
    let directory = tempfile::tempdir_in(&artifacts().scratch).unwrap();
    let path = |name: &str| directory.path().join(name);
    fs::create_dir(path("..2026")).unwrap();
    fs::write(path("..2026/a.json"), r#"{"$id": "https://example.com/a", "const": "yes"}"#).unwrap();
    std::os::unix::fs::symlink("..2026", path("..data")).unwrap();
    std::os::unix::fs::symlink("..data/a.json", path("a.json")).unwrap();
    let server = Server::demo_with(&["--schemas", directory.path().to_str().unwrap()]);
    let body = serde_json::json!({"prompt": "x", "schema": {"$ref": "https://example.com/a"}});
    assert_eq!(server.client().generate(&body).output("x"), "\"yes\"");
    assert!(!server.log().contains("left out"), "{}", server.log());
    // A pipe does not hold up the start.
    assert!(Command::new("mkfifo").arg(path("pipe.json")).status().unwrap().success());
    let output = run(&["--model", "demo", "--port", "0", "--schemas", directory.path().to_str().unwrap()]);
    assert!(text(&output.stderr).contains("pipe.json"), "{}", text(&output.stderr));
}
