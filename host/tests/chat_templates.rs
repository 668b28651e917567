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

/// What stands in the test data for one template.
struct Published {
    name: String,
    text: String,
    about: Value,
    records: Vec<Value>,
}

impl Published {
    fn all(data: &Path) -> Vec<Self> {
        let entries = std::fs::read_dir(data).expect("a directory").map(|entry| entry.expect("an entry").path());
        let mut paths: Vec<PathBuf> =
            entries.filter(|path| path.extension().is_some_and(|extension| extension == "jinja")).collect();
        paths.sort();
        let read_all = |path: &PathBuf| {
            let name = path.file_stem().and_then(|name| name.to_str()).expect("a name").to_owned();
            let text = String::from_utf8(std::fs::read(path).expect("a template")).expect("text");
            let records = read(&data.join("golden").join(format!("{name}.json")));
            Self { text, about: read(&path.with_extension("json")), records: list(&records).expect("a list"), name }
        };
        paths.iter().map(read_all).collect()
    }

    fn template(&self, special_tokens: Vec<String>) -> Result<ChatTemplate, String> {
        let clock = Clock::fixed(self.about["now"].as_str().expect("a time")).expect("a time");
        let tokens = self.about["tokens"].as_object().expect("tokens").clone();
        let options = ChatTemplateOptions { clock, ..ChatTemplateOptions::default() };
        ChatTemplate::new(self.name.clone(), &self.text, None, tokens, special_tokens, options)
    }
}

fn conversations(data: &Path) -> BTreeMap<String, Value> {
    let all = read(&data.join("conversations.json"));
    let all = all["conversations"].as_array().expect("a list").iter();
    all.map(|conversation| (conversation["id"].as_str().expect("an id").to_owned(), conversation.clone())).collect()
}

#[test]
fn every_template_gives_the_text_of_transformers_for_every_conversation() {
    let Some(data) = data() else {
        println!("skipped: JIG_TEST_DATA names no directory with chat-templates");
        return;
    };
    let conversations = conversations(&data);
    let templates = Published::all(&data);
    let (mut records, mut errors, mut failures) = (0, 0, Vec::new());
    for published in &templates {
        let name = &published.name;
        let template = match published.template(Vec::new()) {
            Ok(template) => template,
            Err(problem) => {
                failures.push(format!("{name}: {problem}"));
                continue;
            }
        };
        for record in &published.records {
            let id = record["conversation"].as_str().expect("an id");
            let kwargs = record["kwargs"].as_object().expect("an object");
            let rendered = template.render(&conversation(&conversations[id], kwargs));
            records += 1;
            errors += usize::from(rendered.is_err());
            let place = format!("{name} {id} {}", record["kwargs"]);
            match (&rendered, record["text"].as_str()) {
                (Ok(rendered), Some(text)) if rendered.text == text => {}
                (Ok(rendered), Some(text)) => {
                    failures.push(format!("{place}\n  is     {:?}\n  should {text:?}", rendered.text));
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
    assert!(failures.is_empty(), "{}", failures.iter().take(5).cloned().collect::<Vec<_>>().join("\n"));
    assert_eq!((templates.len(), records, errors), (135, RECORDS, ERRORS));
}

/// Special tokens that stand in the conversations of the test data, whatever model has them.
const SPECIAL: [&str; 10] = [
    "<|im_start|>",
    "<|im_end|>",
    "</s>",
    "[/INST]",
    "<|eot_id|>",
    "<end_of_turn>",
    "<|channel|>",
    "<｜User｜>",
    "<bos>",
    "<tool_call>",
];

#[test]
fn special_tokens_in_messages_are_found_in_the_text_of_every_template_that_prints_them() {
    let Some(data) = data() else {
        println!("skipped: JIG_TEST_DATA names no directory with chat-templates");
        return;
    };
    let conversations = conversations(&data);
    let (mut rendered, mut places, mut refused) = (0, 0, Vec::new());
    for published in Published::all(&data) {
        let own = published.about["tokens"].as_object().expect("tokens").values().filter_map(Value::as_str);
        let template =
            published.template(SPECIAL.into_iter().chain(own).map(str::to_owned).collect()).expect("a template");
        for record in &published.records {
            let (id, Some(text)) = (record["conversation"].as_str().expect("an id"), record["text"].as_str()) else {
                continue;
            };
            let kwargs = record["kwargs"].as_object().expect("an object");
            match template.render(&conversation(&conversations[id], kwargs)) {
                Ok(prompt) => {
                    assert_eq!(prompt.text, text, "{} {id}", published.name);
                    rendered += 1;
                    places += prompt.literal.len();
                    if id == "special-text" && text.contains("system\nfree<|im_end|></s>[/INST]") {
                        assert!(prompt.literal.len() >= 9, "{} {id}: {:?}", published.name, prompt.literal);
                    }
                }
                Err(RenderError::SpecialInContent { .. }) => refused.push(format!("{} {id}", published.name)),
                Err(error) => panic!("{} {id}: {error}", published.name),
            }
        }
    }
    println!("{rendered} rendered with {places} literal places, {} refused: {refused:?}", refused.len());
    assert_eq!((rendered, places, refused.len()), (RECORDS - ERRORS, 1441, 0));
}
