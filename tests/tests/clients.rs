//! The clients that people have get what they ask for, unchanged.
//!
//! Each program of `tests/clients` plays a user of one client library against the real binary. A library that is not installed skips its
//! program, and the test says so. `.ci/run` installs all of them: Python's into two environments, since some want an older client of OpenAI's
//! than the newest, and Node's with a Node that is new enough.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Mutex;

use jig_tests::Server;

/// The libraries want room for prompts with tools.
const MODEL_VARIABLE: &str = "JIG_TEST_MODEL";
/// Interpreters of Python to try after `python3`, separated by colons.
const PYTHONS_VARIABLE: &str = "JIG_TEST_PYTHONS";
/// A folder with `node_modules`, as `package.json` of `tests/clients/node` asks for.
const NODE_VARIABLE: &str = "JIG_TEST_NODE";

/// A program does little but wait for its server: several at a time would only wait for each other.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("clients")
}

/// The modules that a Python program names in its line `needs:`.
fn needs(program: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(program).expect("the program is in the tree");
    let line = text.lines().find_map(|line| line.strip_prefix("needs: ")).expect("a program names what it needs");
    line.split(", ").map(str::to_owned).collect()
}

/// The first interpreter that has the modules.
fn python_with(modules: &[String]) -> Option<OsString> {
    let further = std::env::var_os(PYTHONS_VARIABLE).unwrap_or_default();
    let further = std::env::split_paths(&further).map(PathBuf::into_os_string).collect::<Vec<_>>();
    let import = format!("import {}", modules.join(", "));
    std::iter::once(OsString::from("python3")).chain(further).find(|python| {
        let output = Command::new(python).args(["-c", &import]).env("LITELLM_LOCAL_MODEL_COST_MAP", "True").output();
        output.is_ok_and(|output| output.status.success())
    })
}

/// The servers that the programs are run against: the embedded model for form and, where there is one, a trained model for sense.
fn servers() -> Vec<Server> {
    let trained = std::env::var(MODEL_VARIABLE).ok();
    if trained.is_none() {
        println!("not run with a trained model: {MODEL_VARIABLE} names none");
    }
    let trained = trained.map(|model| Server::start(&["--model", &model, "--port", "0"]));
    std::iter::once(Server::demo()).chain(trained).collect()
}

fn succeeded(output: &Output, server: &Server) {
    let [out, error] = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
    assert!(output.status.success(), "{out}\n{error}\n{}", server.log());
    assert!(out.trim_end().ends_with("all as expected"), "{out}");
}

fn python(name: &str) {
    python_against(name, servers);
}

/// Runs a program against each of these servers.
fn python_against(name: &str, servers: impl Fn() -> Vec<Server>) {
    let program = folder().join(name);
    let modules = needs(&program);
    let Some(python) = python_with(&modules) else {
        println!("skipped: no Python has {}", modules.join(", "));
        return;
    };
    let _turn = ONE_AT_A_TIME.lock();
    for server in servers() {
        succeeded(&Command::new(&python).arg(&program).arg(server.address()).output().unwrap(), &server);
    }
}

fn node(name: &str) {
    let Some(installed) = std::env::var_os(NODE_VARIABLE).map(PathBuf::from) else {
        println!("skipped: {NODE_VARIABLE} names no folder with the packages of tests/clients/node/package.json");
        return;
    };
    let _turn = ONE_AT_A_TIME.lock();
    // Node looks for packages beside the program.
    let program = installed.join(name);
    std::fs::copy(folder().join("node").join(name), &program).expect("the folder is writable");
    for server in servers() {
        let node = installed.join("node_modules/.bin/node");
        succeeded(&Command::new(node).arg(&program).arg(server.address()).output().unwrap(), &server);
    }
}

#[test]
fn openai_for_python_gets_answers_streams_structures_and_tool_calls() {
    python("openai_client.py");
}

#[test]
fn openai_for_python_is_told_of_wrong_keys_and_comes_again_where_the_queue_is_full() {
    let flags = ["--api-key", "right", "--max-num-seqs", "1", "--max-queue", "1"];
    python_against("openai_errors_client.py", || vec![Server::demo_with(&flags)]);
}

#[test]
fn curl_gets_answers_streams_and_metrics_as_people_type_it() {
    python("curl_client.py");
}

#[test]
fn langchain_gets_answers_streams_structures_and_tool_calls() {
    python("langchain_client.py");
}

#[test]
fn pydantic_ai_gets_its_models_in_all_three_modes() {
    python("pydantic_ai_client.py");
}

#[test]
fn litellm_gets_answers_and_its_own_kinds_of_errors() {
    python("litellm_client.py");
}

#[test]
fn outlines_gets_what_its_types_ask_for() {
    python("outlines_client.py");
}

#[test]
fn openai_agents_run_by_chat_completions_and_by_responses() {
    python("openai_agents_client.py");
}

#[test]
fn instructor_gets_its_models_without_asking_again() {
    python("instructor_client.py");
}

#[test]
fn llama_index_gets_answers_structures_and_tool_calls() {
    python("llama_index_client.py");
}

#[test]
fn openai_for_node_gets_answers_streams_structures_and_tool_calls() {
    node("openai.mjs");
}

#[test]
fn the_ai_sdk_gets_answers_streams_structures_and_tool_calls() {
    node("ai.mjs");
}
