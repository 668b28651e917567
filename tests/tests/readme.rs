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
fn the_python_example_of_the_readme_prints_the_text_below_it() {
    let has = std::process::Command::new("python3").args(["-c", "import requests"]).output();
    if !has.is_ok_and(|output| output.status.success()) {
        println!("skipped: needs python3 with the package requests");
        return;
    }
    let server = Server::demo();
    let blocks = blocks();
    let at = blocks.iter().position(|(kind, _)| kind == "python").expect("the README has a Python example");
    let program = blocks[at].1.replace("http://127.0.0.1:8000", server.address());
    let output = std::process::Command::new("python3").args(["-c", &program]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), blocks[at + 1].1.trim());
}

#[test]
fn every_flag_of_the_help_is_in_the_readme() {
    let help = jig().arg("--help").output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let flags = help.lines().filter_map(|line| line.trim_start().split([' ', '<']).find(|word| word.starts_with("--")));
    for flag in flags.filter(|flag| !["--help", "--version"].contains(flag)) {
        assert!(include_str!("../../README.md").contains(&format!("`{flag}`")), "{flag}");
    }
}
