//! The README's requests get the README's answers.

use jig_tests::{Server, jig};
use serde_json::Value;

/// The fenced blocks of the README: language and text.
fn blocks() -> Vec<(String, String)> {
    let readme = include_str!("../../README.md");
    let fences = readme.split("\n```").skip(1).step_by(2);
    fences.filter_map(|block| block.split_once('\n')).map(|(kind, text)| (kind.to_owned(), text.to_owned())).collect()
}

#[test]
fn every_curl_command_of_the_readme_gets_the_answer_below_it() {
    let server = Server::demo();
    let mut seen = 0;
    for pair in blocks().windows(2) {
        let [(_, command), (kind, expected)] = pair else { continue };
        let Some((_, body)) = command.split_once("/generate -d '") else { continue };
        assert_eq!(kind, "json", "an answer stands below {command}");
        let body = body.trim_end().strip_suffix('\'').expect("the body is quoted");
        let answer = server.client().post("/generate", body);
        assert_eq!(answer.body, serde_json::from_str::<Value>(expected).unwrap(), "{command}");
        seen += 1;
    }
    assert!(seen >= 3, "the README shows requests");
}

#[test]
fn the_chat_of_the_readme_gets_the_content_below_it() {
    let server = Server::demo();
    let mut seen = 0;
    for pair in blocks().windows(2) {
        let [(_, command), (_, expected)] = pair else { continue };
        let Some((_, rest)) = command.split_once("/v1/chat/completions -d '") else { continue };
        let (body, _) = rest.split_once("' | jq").expect("the content is taken out of the answer");
        let answer = server.client().post("/v1/chat/completions", body).body;
        assert_eq!(answer["choices"][0]["message"]["content"].as_str(), Some(expected.trim()), "{command}");
        seen += 1;
    }
    assert!(seen > 0, "the README shows a chat");
}

#[test]
fn the_python_examples_of_the_readme_print_the_text_below_each() {
    let server = Server::demo();
    let blocks = blocks();
    let mut seen = 0;
    for (at, (_, program)) in blocks.iter().enumerate().filter(|(_, (kind, _))| kind == "python") {
        seen += 1;
        let imports = program.lines().filter(|line| line.starts_with("import ") || line.starts_with("from "));
        let imports = imports.collect::<Vec<_>>().join("\n");
        let has = std::process::Command::new("python3").args(["-c", &imports]).output();
        if !has.is_ok_and(|output| output.status.success()) {
            println!("skipped: python3 has not what this needs:\n{imports}");
            continue;
        }
        let program = program.replace("http://127.0.0.1:8000", server.address());
        let output = std::process::Command::new("python3").args(["-c", &program]).output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), blocks[at + 1].1.trim(), "{errors}");
    }
    assert!(seen >= 2, "the README has Python examples");
}

#[test]
fn every_flag_of_the_help_is_in_the_readme() {
    let help = jig().arg("--help").output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    // A description may name a flag, too: a line that begins with one is its own.
    let lines = help.lines().map(str::trim_start).filter(|line| line.starts_with('-'));
    let flags = lines.filter_map(|line| line.split([' ', '<']).find(|word| word.starts_with("--")));
    for flag in flags.filter(|flag| !["--help", "--version"].contains(flag)) {
        assert!(include_str!("../../README.md").contains(&format!("`{flag}`")), "{flag}");
    }
}
