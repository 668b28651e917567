//! The client against a server that speaks the hub's protocol, over real HTTP.

mod server;

use std::fs;
use std::path::Path;
use std::time::Duration;

use server::{File, Model, Server};
use tempfile::TempDir;

use super::super::environment::Environment;
use super::*;

const ALL: Need<'_> = Need { model: true, choose: None, tokenizer: true };
const ID: &str = "org/small";

/// A cache, and the variables to use it.
struct Cache {
    directory: TempDir,
}

impl Cache {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn settings<const N: usize>(&self, endpoint: &str, more: [(&str, &str); N]) -> Settings {
        let mut pairs = vec![("HF_HOME", self.path().to_str().unwrap()), ("HF_ENDPOINT", endpoint)];
        pairs.extend(more);
        let mut settings = Settings::read(&Environment::of_slice(&pairs)).unwrap();
        settings.bars = false;
        settings.retry.first_wait = Duration::from_millis(1);
        settings.retry.longest_wait = Duration::from_millis(5);
        settings.retry.attempts = 3;
        settings
    }

    fn repository(&self) -> std::path::PathBuf {
        self.path().join("hub/models--org--small")
    }
}

fn id() -> RepositoryId {
    RepositoryId::parse(ID).unwrap()
}

fn fetch_main(cache: &Cache, server: &Server) -> Result<Snapshot, ModelError> {
    fetch(&cache.settings(&server.endpoint(), []), &id(), None, ALL)
}

fn refusal(cache: &Cache, server: &Server) -> String {
    fetch_main(cache, server).unwrap_err().to_string()
}

/// Weights of a size that no buffer on the way holds at once.
fn weights() -> Vec<u8> {
    (0..3_000_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

fn small_model() -> Model {
    Model::new([
        ("config.json", File::small("{\"model_type\":\"llama\"}")),
        ("generation_config.json", File::small("{}")),
        ("tokenizer.json", File::small("{}")),
        ("tokenizer_config.json", File::small("{}")),
        ("model.safetensors", File::large(weights())),
        ("pytorch_model.bin", File::large(vec![0; 10])),
        ("README.md", File::small("# small")),
    ])
}

fn sharded_model(index: &str) -> Model {
    Model::new([
        ("config.json", File::small("{}")),
        ("tokenizer.json", File::small("{}")),
        ("model.safetensors.index.json", File::small(index)),
        ("model-00001-of-00002.safetensors", File::large(b"one".to_vec())),
        ("model-00002-of-00002.safetensors", File::large(b"two".to_vec())),
    ])
}

#[test]
fn a_model_is_downloaded_into_the_layout_of_python() {
    let (cache, server) = (Cache::new(), Server::start([(ID, small_model())]));
    let snapshot = fetch_main(&cache, &server).unwrap();
    let commit = server.commit(ID);
    assert_eq!(snapshot.commit, commit);
    assert_eq!(snapshot.directory, cache.repository().join("snapshots").join(&commit));
    assert_eq!(fs::read_to_string(cache.repository().join("refs/main")).unwrap(), commit);
    assert_eq!(fs::read(snapshot.directory.join("model.safetensors")).unwrap(), weights());
    let link = fs::read_link(snapshot.directory.join("model.safetensors")).unwrap();
    assert_eq!(link, Path::new("../../blobs").join(File::large(weights()).etag()));
    assert_eq!(fs::read_dir(cache.repository().join("blobs")).unwrap().count(), 3, "equal files are one blob");
}

#[test]
fn only_the_files_that_are_needed_are_downloaded() {
    let (cache, server) = (Cache::new(), Server::start([(ID, small_model())]));
    let snapshot = fetch_main(&cache, &server).unwrap();
    for file in ["pytorch_model.bin", "README.md"] {
        assert!(!snapshot.directory.join(file).exists());
        assert!(!server.requests().iter().any(|request| request.path.contains(file)));
    }
    let tokenizer = Cache::new();
    let need = Need { model: false, choose: None, tokenizer: true };
    let snapshot = fetch(&tokenizer.settings(&server.endpoint(), []), &id(), None, need).unwrap();
    assert!(snapshot.directory.join("tokenizer.json").is_file());
    assert!(!snapshot.directory.join("model.safetensors").exists());
}

#[test]
fn chat_templates_are_downloaded_and_other_files_of_their_folder_are_not() {
    let model = Model::new([
        ("config.json", File::small("{}")),
        ("tokenizer.json", File::small("{}")),
        ("model.safetensors", File::large(weights())),
        ("chat_template.jinja", File::small("a")),
        ("additional_chat_templates/tool_use.jinja", File::small("b")),
        ("additional_chat_templates/README.md", File::small("c")),
        ("additional_chat_templates/deep/x.jinja", File::small("d")),
    ]);
    let (cache, server) = (Cache::new(), Server::start([(ID, model)]));
    let directory = fetch_main(&cache, &server).unwrap().directory;
    assert_eq!(fs::read_to_string(directory.join("chat_template.jinja")).unwrap(), "a");
    assert_eq!(fs::read_to_string(directory.join("additional_chat_templates/tool_use.jinja")).unwrap(), "b");
    assert_eq!(fs::read_dir(directory.join("additional_chat_templates")).unwrap().count(), 1);
}

#[test]
fn the_files_that_a_backend_chooses_are_downloaded_with_their_folders() {
    let model = Model::new([
        ("config.json", File::small("{}")),
        ("tokenizer.json", File::small("{}")),
        ("onnx/model_q4.onnx", File::large(b"graph".to_vec())),
        ("onnx/model_q4.onnx_data", File::large(weights())),
        ("onnx/model.onnx", File::large(vec![0; 10])),
    ]);
    let (cache, server) = (Cache::new(), Server::start([(ID, model)]));
    let choose = |names: &[String]| {
        let q4: Vec<_> = names.iter().filter(|name| name.contains("q4")).cloned().collect();
        if q4.is_empty() { Err("no q4".to_owned()) } else { Ok(Some(q4)) }
    };
    let need = Need { choose: Some(&choose), ..ALL };
    let settings = cache.settings(&server.endpoint(), []);
    let snapshot = fetch(&settings, &id(), None, need).unwrap();
    assert_eq!(fs::read(snapshot.directory.join("onnx/model_q4.onnx")).unwrap(), b"graph");
    assert_eq!(fs::read(snapshot.directory.join("onnx/model_q4.onnx_data")).unwrap(), weights());
    assert!(!snapshot.directory.join("onnx/model.onnx").exists());
    server.forget_requests();
    fetch(&settings, &id(), None, need).unwrap();
    assert_eq!(server.requests().len(), 1, "one question for the commit");
}

#[test]
fn what_is_in_the_cache_is_not_downloaded_again() {
    let (cache, server) = (Cache::new(), Server::start([(ID, small_model())]));
    let first = fetch_main(&cache, &server).unwrap();
    server.forget_requests();
    assert_eq!(fetch_main(&cache, &server).unwrap().directory, first.directory);
    assert_eq!(server.requests().len(), 1, "one question for the commit");
    server.forget_requests();
    fetch(&cache.settings(&server.endpoint(), []), &id(), Some(&first.commit), ALL).unwrap();
    assert!(server.requests().is_empty(), "a commit never changes");
}

#[test]
fn a_new_commit_is_noticed_and_takes_what_has_not_changed_from_the_cache() {
    let (cache, server) = (Cache::new(), Server::start([(ID, small_model())]));
    let first = fetch_main(&cache, &server).unwrap();
    server.update(ID, |model| model.commit("config.json", File::small("{\"new\":1}")));
    server.forget_requests();
    let second = fetch_main(&cache, &server).unwrap();
    assert_ne!(first.commit, second.commit);
    assert_eq!(fs::read_to_string(second.directory.join("config.json")).unwrap(), "{\"new\":1}");
    assert!(
        !server.requests().iter().any(|request| request.method == "GET" && request.path.contains("model.safetensors"))
    );
}

#[test]
fn a_branch_a_tag_and_a_commit_can_be_named() {
    let mut model = small_model();
    let old = model.commit_id();
    model.refer("v1.0", &old);
    model.refer("refs/pr/1", &old);
    model.commit("config.json", File::small("{\"new\":1}"));
    let server = Server::start([(ID, model)]);
    for revision in ["v1.0", "refs/pr/1", old.as_str()] {
        let cache = Cache::new();
        let settings = cache.settings(&server.endpoint(), []);
        let snapshot = fetch(&settings, &id(), Some(revision), ALL).unwrap();
        assert_eq!(snapshot.commit, old, "{revision}");
        let offline = cache.settings(&server.endpoint(), [("HF_HUB_OFFLINE", "1")]);
        assert_eq!(fetch(&offline, &id(), Some(revision), ALL).unwrap().commit, old, "{revision}");
    }
    assert_ne!(fetch_main(&Cache::new(), &server).unwrap().commit, old);
}

#[test]
fn the_files_of_an_index_are_downloaded() {
    let index = r#"{"weight_map":{"a":"model-00001-of-00002.safetensors","b":"model-00002-of-00002.safetensors"}}"#;
    let (cache, server) = (Cache::new(), Server::start([(ID, sharded_model(index))]));
    let snapshot = fetch_main(&cache, &server).unwrap();
    assert_eq!(fs::read_to_string(snapshot.directory.join("model-00002-of-00002.safetensors")).unwrap(), "two");
}

#[test]
fn an_index_that_leads_out_of_the_repository_is_refused() {
    for name in ["../../../../evil.safetensors", "/tmp/evil.safetensors", "a/../../evil.safetensors"] {
        let index = serde_json::json!({"weight_map": {"a": name}}).to_string();
        let (cache, server) = (Cache::new(), Server::start([(ID, sharded_model(&index))]));
        let message = refusal(&cache, &server);
        assert!(message.contains("weight_map.a"), "{message}");
        assert!(!server.requests().iter().any(|request| request.path.contains("evil")));
    }
}

#[test]
fn an_index_that_names_a_file_the_repository_lacks_is_an_error() {
    let (cache, server) =
        (Cache::new(), Server::start([(ID, sharded_model(r#"{"weight_map":{"a":"x.safetensors"}}"#))]));
    let message = refusal(&cache, &server);
    assert!(message.contains("x.safetensors is missing"), "{message}");
}

#[test]
fn a_download_goes_on_where_the_connection_was_cut() {
    let (cache, server) = (Cache::new(), Server::start([(ID, small_model())]));
    // Four cuts are more than the attempts, but each brings something.
    server.cut_content_after("model.safetensors", &[1_000_000, 500_000, 700_000, 10_000]);
    let snapshot = fetch_main(&cache, &server).unwrap();
    assert_eq!(fs::read(snapshot.directory.join("model.safetensors")).unwrap(), weights());
    let ranges: Vec<_> =
        server.content_requests("model.safetensors").into_iter().map(|request| request.range).collect();
    assert_eq!(ranges.len(), 5);
    assert_eq!(ranges[0], None);
    assert!(ranges[1..].iter().all(Option::is_some), "{ranges:?}");
}

#[test]
fn a_download_goes_on_in_the_next_process() {
    let (cache, server) = (Cache::new(), Server::start([(ID, small_model())]));
    server.cut_content_after("model.safetensors", &[1_000_000, 0, 0]);
    let message = refusal(&cache, &server);
    assert!(message.contains("model.safetensors") && message.contains("start again to resume"), "{message}");
    server.forget_requests();
    fetch_main(&cache, &server).unwrap();
    let range = server.content_requests("model.safetensors").remove(0).range.unwrap();
    let start: u64 = range.strip_prefix("bytes=").unwrap().strip_suffix('-').unwrap().parse().unwrap();
    assert!(start > 0 && start <= 1_000_000, "{range}");
}

#[test]
fn a_server_without_ranges_is_read_from_the_start() {
    let (cache, server) = (Cache::new(), Server::start([(ID, small_model())]));
    server.ignore_ranges();
    server.cut_content_after("model.safetensors", &[1_000_000]);
    let snapshot = fetch_main(&cache, &server).unwrap();
    assert_eq!(fs::read(snapshot.directory.join("model.safetensors")).unwrap(), weights());
}

#[test]
fn a_wrong_beginning_is_found_by_the_checksum_and_replaced() {
    let (cache, server) = (Cache::new(), Server::start([(ID, small_model())]));
    let blobs = cache.repository().join("blobs");
    fs::create_dir_all(&blobs).unwrap();
    let name = format!("{}.jig.incomplete", File::large(weights()).etag());
    fs::write(blobs.join(name), vec![0; 1_000_000]).unwrap();
    let snapshot = fetch_main(&cache, &server).unwrap();
    assert_eq!(fs::read(snapshot.directory.join("model.safetensors")).unwrap(), weights());
}

#[test]
fn content_that_is_always_wrong_never_gets_into_the_cache() {
    for file in ["model.safetensors", "config.json"] {
        let (cache, server) = (Cache::new(), Server::start([(ID, small_model())]));
        server.corrupt(file);
        let message = refusal(&cache, &server);
        assert!(message.contains(file) && message.contains("checksum"), "{message}");
        assert!(!cache.repository().join("snapshots").join(server.commit(ID)).join(file).exists());
        let blobs = fs::read_dir(cache.repository().join("blobs")).unwrap();
        assert!(!blobs.flatten().any(|entry| entry.file_name().to_string_lossy().contains("incomplete")));
    }
}

#[test]
fn the_token_goes_to_the_hub_and_to_no_other_server() {
    let (cache, server) = (Cache::new(), Server::start([(ID, small_model().private("hf_right"))]));
    let settings = cache.settings(&server.endpoint(), [("HF_TOKEN", "hf_right")]);
    fetch(&settings, &id(), None, ALL).unwrap();
    let requests = server.requests();
    let (to_store, to_hub): (Vec<_>, Vec<_>) = requests.iter().partition(|request| request.path.starts_with("/store/"));
    assert!(!to_store.is_empty() && to_store.iter().all(|request| request.authorization.is_none()));
    assert!(to_hub.iter().all(|request| request.authorization.as_deref() == Some("Bearer hf_right")));
}

#[test]
fn a_missing_model_and_a_private_one_look_alike() {
    let server = Server::start([(ID, small_model().private("hf_right"))]);
    let cache = Cache::new();
    let settings = cache.settings(&server.endpoint(), []);
    for name in [ID, "org/missing"] {
        let error = fetch(&settings, &RepositoryId::parse(name).unwrap(), None, ALL).unwrap_err();
        assert!(matches!(error, ModelError::NotFound { .. }), "{error}");
        let message = error.to_string();
        assert!(message.contains(name) && message.contains("HF_TOKEN") && message.contains("spelling"), "{message}");
    }
}

#[test]
fn a_bad_token_is_named_by_where_it_comes_from() {
    let (cache, server) = (Cache::new(), Server::start([(ID, small_model())]));
    fs::write(cache.path().join("token"), "hf_wrong").unwrap();
    let message = refusal(&cache, &server);
    assert!(message.contains("refuses the access token") && message.contains("/token"), "{message}");
    assert!(!message.contains("hf_wrong"));
}

#[test]
fn a_gated_model_says_where_to_accept_its_conditions() {
    let (cache, server) = (Cache::new(), Server::start([(ID, small_model().gated("hf_right"))]));
    let message = refusal(&cache, &server);
    let page = format!("{}/{ID}", server.endpoint());
    for part in ["gated", page.as_str(), "HF_TOKEN"] {
        assert!(message.contains(part), "{part}: {message}");
    }
    server.accept_token("hf_other");
    let settings = cache.settings(&server.endpoint(), [("HF_TOKEN", "hf_other")]);
    let message = fetch(&settings, &id(), None, ALL).unwrap_err().to_string();
    assert!(message.contains("as the user of the access token from HF_TOKEN"), "{message}");
    let settings = cache.settings(&server.endpoint(), [("HF_TOKEN", "hf_right")]);
    fetch(&settings, &id(), None, ALL).unwrap();
}

#[test]
fn a_missing_revision_is_named() {
    let (cache, server) = (Cache::new(), Server::start([(ID, small_model())]));
    fetch_main(&cache, &server).unwrap();
    let settings = cache.settings(&server.endpoint(), []);
    let message = fetch(&settings, &id(), Some("v9"), ALL).unwrap_err().to_string();
    assert!(message.contains("no revision `v9`"), "{message}");
    for revision in ["", "../x", "a..b", "/a", "a b", "a\\b", "a//b"] {
        let error = fetch(&settings, &id(), Some(revision), ALL).unwrap_err();
        assert!(matches!(error, ModelError::InvalidRevision { .. }), "{revision}: {error}");
    }
}

#[test]
fn weights_in_other_formats_are_refused_before_anything_is_downloaded() {
    let model = small_model().without("model.safetensors");
    let (cache, server) = (Cache::new(), Server::start([(ID, model)]));
    let message = refusal(&cache, &server);
    assert!(message.contains("pytorch_model.bin") && message.contains("save_pretrained"), "{message}");
    assert!(!server.requests().iter().any(|request| request.path.contains("/resolve/")));
}

#[test]
fn a_model_without_a_file_that_it_needs_is_refused() {
    for file in ["config.json", "tokenizer.json"] {
        let (cache, server) = (Cache::new(), Server::start([(ID, small_model().without(file))]));
        let message = refusal(&cache, &server);
        assert!(message.contains(&format!("{file} is missing")), "{message}");
    }
}

#[test]
fn the_conversion_of_the_hubs_bot_is_used_where_main_has_no_safetensors() {
    let pickled = small_model().without("model.safetensors");
    let mut model = pickled.clone();
    model.pull_request(2, "someone", "model.safetensors", File::large(b"a stranger's".to_vec()));
    let server = Server::start([(ID, model.clone())]);
    assert!(refusal(&Cache::new(), &server).contains("pytorch_model.bin"), "a stranger's proposal is not taken");

    model.pull_request(7, "SFconvertbot", "model.safetensors", File::large(weights()));
    let (cache, server) = (Cache::new(), Server::start([(ID, model)]));
    let snapshot = fetch_main(&cache, &server).unwrap();
    assert_eq!(fs::read(snapshot.directory.join("model.safetensors")).unwrap(), weights());
    assert_eq!(fs::read_to_string(cache.repository().join("refs/refs/pr/7")).unwrap(), snapshot.commit);
    let offline = cache.settings(&server.endpoint(), [("HF_HUB_OFFLINE", "1")]);
    assert_eq!(fetch(&offline, &id(), None, ALL).unwrap().directory, snapshot.directory);
}

#[test]
fn vocabulary_and_merges_are_downloaded_where_there_is_no_tokenizer_json() {
    let mut model = small_model().without("tokenizer.json");
    model.commit("vocab.json", File::small("{}"));
    model.commit("merges.txt", File::small("#version: 0.2"));
    let (cache, server) = (Cache::new(), Server::start([(ID, model)]));
    let snapshot = fetch_main(&cache, &server).unwrap();
    assert!(snapshot.directory.join("vocab.json").is_file() && snapshot.directory.join("merges.txt").is_file());
}

#[test]
fn offline_a_cached_model_works_and_nothing_is_asked() {
    let (cache, server) = (Cache::new(), Server::start([(ID, small_model())]));
    let first = fetch_main(&cache, &server).unwrap();
    server.forget_requests();
    for variable in ["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"] {
        let settings = cache.settings(&server.endpoint(), [(variable, "1")]);
        assert_eq!(fetch(&settings, &id(), None, ALL).unwrap().directory, first.directory);
        let empty = Cache::new();
        let settings = empty.settings(&server.endpoint(), [(variable, "1")]);
        let message = fetch(&settings, &id(), None, ALL).unwrap_err().to_string();
        assert!(message.contains(variable) && message.contains(ID), "{message}");
    }
    assert!(server.requests().is_empty());
}

#[test]
fn offline_an_incomplete_model_says_what_is_missing() {
    let (cache, server) = (Cache::new(), Server::start([(ID, small_model())]));
    let first = fetch_main(&cache, &server).unwrap();
    fs::remove_file(first.directory.join("tokenizer.json")).unwrap();
    let settings = cache.settings(&server.endpoint(), [("HF_HUB_OFFLINE", "1")]);
    let message = fetch(&settings, &id(), None, ALL).unwrap_err().to_string();
    assert!(message.contains("tokenizer.json is missing"), "{message}");
}

#[test]
fn without_a_network_a_cached_model_works() {
    let (cache, server) = (Cache::new(), Server::start([(ID, small_model())]));
    let first = fetch_main(&cache, &server).unwrap();
    let endpoint = server.endpoint();
    drop(server);
    let settings = cache.settings(&endpoint, []);
    assert_eq!(fetch(&settings, &id(), None, ALL).unwrap().directory, first.directory);
    let empty = Cache::new();
    let message = fetch(&empty.settings(&endpoint, []), &id(), None, ALL).unwrap_err().to_string();
    assert!(
        message.contains("can't reach") && message.contains(&endpoint) && message.contains("not in the cache"),
        "{message}"
    );
}

#[test]
fn a_hub_that_is_busy_is_asked_again() {
    for status in [429, 500, 502, 503, 504] {
        let (cache, server) = (Cache::new(), Server::start([(ID, small_model())]));
        server.answer_with(&[status, status]);
        fetch_main(&cache, &server).unwrap();
        let cache = Cache::new();
        server.answer_with(&[status; 10]);
        let message = refusal(&cache, &server);
        assert!(message.contains(&status.to_string()), "{message}");
    }
}

#[test]
fn a_hub_in_trouble_does_not_stop_a_cached_model() {
    let (cache, server) = (Cache::new(), Server::start([(ID, small_model())]));
    let first = fetch_main(&cache, &server).unwrap();
    for status in [401, 403, 404, 418, 429, 503] {
        server.answer_with(&[status]);
        assert_eq!(fetch_main(&cache, &server).unwrap().directory, first.directory, "{status}");
    }
}

#[test]
fn an_answer_that_is_not_the_hubs_is_an_error_that_names_the_endpoint_variable() {
    let (cache, server) = (Cache::new(), Server::start([(ID, small_model())]));
    for answer in ["<html>log in</html>", "{}", r#"{"sha":"../../x","siblings":[]}"#] {
        server.answer_api_with(answer);
        let message = refusal(&cache, &server);
        assert!(message.contains("HF_ENDPOINT"), "{message}");
    }
}

#[test]
fn two_processes_download_a_file_once() {
    let (cache, server) = (Cache::new(), Server::start([(ID, small_model())]));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| fetch_main(&cache, &server).unwrap());
        }
    });
    assert_eq!(server.content_requests("model.safetensors").len(), 1);
}

#[test]
fn a_cache_that_can_not_be_written_is_an_error_that_names_it() {
    let (cache, server) = (Cache::new(), Server::start([(ID, small_model())]));
    fs::write(cache.path().join("hub"), "a file where the directory should be").unwrap();
    let message = refusal(&cache, &server);
    assert!(message.contains(cache.path().to_str().unwrap()), "{message}");
}
