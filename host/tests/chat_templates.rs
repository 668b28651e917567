//! Chat templates as models publish them, against what transformers makes of them: where `JIG_TEST_DATA` names a directory with
//! `chat-templates/`, every template is rendered for every conversation, and each text is the same, byte for byte.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use jig::prompt::{ChatTemplate, ChatTemplateOptions, Clock, Conversation, RenderError};
use serde_json::{Map, Value};

/// All records, and among them those where the template, or Python, raises.
const RECORDS: usize = 6766;
const ERRORS: usize = 980;

fn data() -> Option<PathBuf> {
    let directory = Path::new(&std::env::var_os("JIG_TEST_DATA")?).join("chat-templates");
    directory.is_dir().then_some(directory)
}

fn read(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).expect("a file of the test data");
    serde_json::from_str(&text).expect("JSON")
}

fn list(value: &Value) -> Option<Vec<Value>> {
    value.as_array().cloned()
}

/// The conversation of a record: keyword arguments of transformers are fields here.
fn conversation(given: &Value, kwargs: &Map<String, Value>) -> Conversation {
    let mut conversation = Conversation {
        messages: list(&given["messages"]).expect("messages"),
        tools: list(&given["tools"]),
        documents: list(&given["documents"]),
        ..Conversation::default()
    };
    for (name, value) in kwargs {
        match name.as_str() {
            "tools" => conversation.tools = list(value),
            "documents" => conversation.documents = list(value),
            "add_generation_prompt" => conversation.add_generation_prompt = value == true,
            "continue_final_message" => conversation.continue_final_message = value == true,
            _ => drop(conversation.variables.insert(name.clone(), value.clone())),
        }
    }
    conversation
}

#[test]
fn every_template_gives_the_text_of_transformers_for_every_conversation() {
    let Some(data) = data() else {
        println!("skipped: JIG_TEST_DATA names no directory with chat-templates");
        return;
    };
    let conversations = read(&data.join("conversations.json"));
    let conversations: BTreeMap<&str, &Value> = conversations["conversations"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|conversation| (conversation["id"].as_str().expect("an id"), conversation))
        .collect();
    let mut templates: Vec<PathBuf> =
        std::fs::read_dir(&data).expect("a directory").map(|entry| entry.expect("an entry").path()).collect();
    templates.retain(|path| path.extension().is_some_and(|extension| extension == "jinja"));
    templates.sort();
    let (mut records, mut errors, mut failures) = (0, 0, Vec::new());
    for path in &templates {
        let name = path.file_stem().and_then(|name| name.to_str()).expect("a name");
        let about = read(&path.with_extension("json"));
        let text = std::fs::read(path).expect("a template");
        let text = String::from_utf8(text).expect("text");
        let clock = Clock::fixed(about["now"].as_str().expect("a time")).expect("a time");
        let tokens = about["tokens"].as_object().expect("tokens").clone();
        let options = ChatTemplateOptions { clock, ..ChatTemplateOptions::default() };
        let template = match ChatTemplate::new(name.to_owned(), &text, None, tokens, [], options) {
            Ok(template) => template,
            Err(problem) => {
                failures.push(format!("{name}: {problem}"));
                continue;
            }
        };
        for record in read(&data.join("golden").join(format!("{name}.json"))).as_array().expect("a list") {
            let id = record["conversation"].as_str().expect("an id");
            let kwargs = record["kwargs"].as_object().expect("an object");
            let rendered = template.render(&conversation(conversations[id], kwargs));
            records += 1;
            errors += usize::from(rendered.is_err());
            let place = format!("{name} {id} {}", record["kwargs"]);
            match (&rendered, record["text"].as_str()) {
                (Ok(rendered), Some(text)) if rendered.text == text => {}
                (Ok(rendered), Some(text)) => {
                    failures.push(format!("{place}\n  is     {:?}\n  should {text:?}", rendered.text))
                }
                (Ok(rendered), None) => {
                    failures.push(format!("{place}\n  is {:?}\n  should raise {}", rendered.text, record["error"]));
                }
                (Err(error), Some(text)) => failures.push(format!("{place}\n  raises {error:?}\n  should {text:?}")),
                (Err(error), None) if record["kind"] == "TemplateError" => {
                    let message = record["error"].as_str().expect("a message");
                    if *error != RenderError::Raised(message.to_owned()) {
                        failures.push(format!("{place}\n  raises {error:?}\n  should raise {message:?}"));
                    }
                }
                (Err(_), None) => {}
            }
        }
    }
    println!("{} templates, {records} records, {errors} of them errors, {} differ", templates.len(), failures.len());
    if std::env::var_os("JIG_SHOW_ALL").is_some() {
        for failure in &failures {
            println!("{failure}");
        }
    }
    assert!(failures.is_empty(), "{}", failures.iter().take(5).cloned().collect::<Vec<_>>().join("\n"));
    assert_eq!((templates.len(), records, errors), (135, RECORDS, ERRORS));
}
