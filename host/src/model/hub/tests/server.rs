//! A server that speaks the hub's protocol, with faults on demand.
//!
//! `/api/models/ID/revision/REV` lists, `/ID/resolve/REV/FILE` gives small files by way of a relative redirect and large
//! ones by a redirect to another server, the store, as the hub does.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};

use ring::digest;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A file of a repository.
#[derive(Clone)]
pub(super) struct File {
    content: Vec<u8>,
    large: bool,
}

impl File {
    pub(super) fn small(content: &str) -> Self {
        Self { content: content.as_bytes().to_vec(), large: false }
    }

    pub(super) fn large(content: Vec<u8>) -> Self {
        Self { content, large: true }
    }

    pub(super) fn etag(&self) -> String {
        if self.large {
            return hex(digest::digest(&digest::SHA256, &self.content).as_ref());
        }
        let mut blob = format!("blob {}\0", self.content.len()).into_bytes();
        blob.extend(&self.content);
        hex(digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, &blob).as_ref())
    }
}

type Files = BTreeMap<String, File>;

/// A repository: its commits, and what its branches and tags refer to.
#[derive(Clone, Default)]
pub(super) struct Model {
    commits: HashMap<String, Files>,
    refs: HashMap<String, String>,
    discussions: Vec<serde_json::Value>,
    private: Option<String>,
    gated: Option<String>,
}

impl Model {
    pub(super) fn new<const N: usize>(files: [(&str, File); N]) -> Self {
        let mut model = Self::default();
        model.set("main", files.into_iter().map(|(name, file)| (name.to_owned(), file)).collect());
        model
    }

    fn set(&mut self, reference: &str, files: Files) {
        let mut text = String::new();
        for (name, file) in &files {
            text.push_str(&format!("{name} {}\n", file.etag()));
        }
        let commit = hex(digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes()).as_ref());
        self.commits.insert(commit.clone(), files);
        self.refer(reference, &commit);
    }

    pub(super) fn commit_id(&self) -> String {
        self.refs["main"].clone()
    }

    fn main(&self) -> Files {
        self.commits[&self.commit_id()].clone()
    }

    pub(super) fn refer(&mut self, reference: &str, commit: &str) {
        self.refs.insert(reference.to_owned(), commit.to_owned());
    }

    pub(super) fn commit(&mut self, name: &str, file: File) {
        let mut files = self.main();
        files.insert(name.to_owned(), file);
        self.set("main", files);
    }

    pub(super) fn without(mut self, name: &str) -> Self {
        let mut files = self.main();
        files.remove(name);
        self.set("main", files);
        self
    }

    pub(super) fn pull_request(&mut self, number: u64, author: &str, name: &str, file: File) {
        let mut files = self.main();
        files.insert(name.to_owned(), file);
        self.set(&format!("refs/pr/{number}"), files);
        self.discussions.push(serde_json::json!({
            "num": number, "title": "Adding `safetensors` variant of this model", "status": "open",
            "isPullRequest": true, "author": {"name": author},
        }));
    }

    pub(super) fn private(mut self, token: &str) -> Self {
        self.private = Some(token.to_owned());
        self
    }

    pub(super) fn gated(mut self, token: &str) -> Self {
        self.gated = Some(token.to_owned());
        self
    }
}

/// A request as it came.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) range: Option<String>,
    pub(super) authorization: Option<String>,
}

#[derive(Default)]
struct State {
    models: HashMap<String, Model>,
    tokens: Vec<String>,
    requests: Vec<Request>,
    cuts: HashMap<String, VecDeque<usize>>,
    statuses: VecDeque<u16>,
    api_answer: Option<String>,
    corrupted: Option<String>,
    no_ranges: bool,
    store: String,
}

/// The hub and, on another port, its store of large files.
pub(super) struct Server {
    state: Arc<Mutex<State>>,
    stopped: Arc<AtomicBool>,
    listeners: Vec<(String, JoinHandle<()>)>,
}

impl Server {
    pub(super) fn start<const N: usize>(models: [(&str, Model); N]) -> Self {
        let models: HashMap<_, _> = models.into_iter().map(|(id, model)| (id.to_owned(), model)).collect();
        let known = |model: &Model| model.private.iter().chain(&model.gated).cloned().collect::<Vec<_>>();
        let tokens = models.values().flat_map(known).collect();
        let state = Arc::new(Mutex::new(State { models, tokens, ..State::default() }));
        let stopped = Arc::new(AtomicBool::new(false));
        let listeners: Vec<_> = (0..2).map(|_| listen(Arc::clone(&state), Arc::clone(&stopped))).collect();
        state.lock().unwrap().store = format!("http://{}", listeners[1].0);
        Self { state, stopped, listeners }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub(super) fn endpoint(&self) -> String {
        format!("http://{}", self.listeners[0].0)
    }

    pub(super) fn commit(&self, id: &str) -> String {
        self.state().models[id].commit_id()
    }

    pub(super) fn update(&self, id: &str, change: impl FnOnce(&mut Model)) {
        change(self.state().models.get_mut(id).unwrap());
    }

    pub(super) fn requests(&self) -> Vec<Request> {
        self.state().requests.clone()
    }

    /// The requests for the content of a large file.
    pub(super) fn content_requests(&self, file: &str) -> Vec<Request> {
        self.requests()
            .into_iter()
            .filter(|request| request.path.starts_with("/store/") && request.path.ends_with(file))
            .collect()
    }

    pub(super) fn forget_requests(&self) {
        self.state().requests.clear();
    }

    /// Cuts the connections that carry a large file, each after so many bytes of content.
    pub(super) fn cut_content_after(&self, file: &str, bytes: &[usize]) {
        self.state().cuts.insert(file.to_owned(), bytes.iter().copied().collect());
    }

    /// Answers the next requests with these statuses.
    pub(super) fn answer_with(&self, statuses: &[u16]) {
        self.state().statuses = statuses.iter().copied().collect();
    }

    pub(super) fn answer_api_with(&self, answer: &str) {
        self.state().api_answer = Some(answer.to_owned());
    }

    pub(super) fn accept_token(&self, token: &str) {
        self.state().tokens.push(token.to_owned());
    }

    /// Sends other bytes than those that the ETag is of.
    pub(super) fn corrupt(&self, file: &str) {
        self.state().corrupted = Some(file.to_owned());
    }

    pub(super) fn ignore_ranges(&self) {
        self.state().no_ranges = true;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::SeqCst);
        for (address, thread) in self.listeners.drain(..) {
            drop(TcpStream::connect(address));
            drop(thread.join());
        }
    }
}

fn listen(state: Arc<Mutex<State>>, stopped: Arc<AtomicBool>) -> (String, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let thread = thread::spawn(move || {
        for stream in listener.incoming() {
            if stopped.load(Ordering::SeqCst) {
                return;
            }
            let (stream, state) = (stream.unwrap(), Arc::clone(&state));
            thread::spawn(move || {
                // A client that goes away is no fault of the server.
                drop(answer(stream, &state));
            });
        }
    });
    (address, thread)
}

/// A response; the body is cut after `cut` bytes.
struct Response {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    cut: Option<usize>,
}

impl Response {
    fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { status, headers: Vec::new(), body: body.into(), cut: None }
    }

    fn with(mut self, name: &str, value: impl ToString) -> Self {
        self.headers.push((name.to_owned(), value.to_string()));
        self
    }

    fn error(status: u16, code: &str, message: &str) -> Self {
        Self::new(status, "").with("X-Error-Code", code).with("X-Error-Message", message)
    }
}

fn answer(stream: TcpStream, state: &Mutex<State>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut line = String::new();
    reader.by_ref().take(8192).read_line(&mut line)?;
    let mut words = line.split_whitespace().map(str::to_owned);
    let (Some(method), Some(path)) = (words.next(), words.next()) else { return Ok(()) };
    let mut request = Request { method, path: path.replace("%2F", "/"), range: None, authorization: None };
    loop {
        let mut line = String::new();
        reader.by_ref().take(8192).read_line(&mut line)?;
        let Some((name, value)) = line.trim().split_once(": ") else { break };
        match name.to_ascii_lowercase().as_str() {
            "range" => request.range = Some(value.to_owned()),
            "authorization" => request.authorization = Some(value.to_owned()),
            _ => {}
        }
    }
    let response = respond(&request, &mut state.lock().unwrap());
    send(stream, &request, response)
}

fn send(mut stream: TcpStream, request: &Request, mut response: Response) -> std::io::Result<()> {
    let mut head = format!("HTTP/1.1 {} x\r\nConnection: close\r\n", response.status);
    for (name, value) in &response.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str(&format!("Content-Length: {}\r\n\r\n", response.body.len()));
    stream.write_all(head.as_bytes())?;
    if request.method == "GET" {
        response.body.truncate(response.cut.unwrap_or(usize::MAX));
        stream.write_all(&response.body)?;
    }
    stream.flush()
}

fn respond(request: &Request, state: &mut State) -> Response {
    state.requests.push(request.clone());
    if let Some(status) = state.statuses.pop_front() {
        return Response::new(status, "").with("Retry-After", 0);
    }
    if let Some(path) = request.path.strip_prefix("/store/") {
        return store(request, path, state);
    }
    let token = request.authorization.as_deref().and_then(|value| value.strip_prefix("Bearer "));
    if token.is_some_and(|token| !state.tokens.iter().any(|known| known == token)) {
        return Response::error(401, "", "Invalid credentials in Authorization header");
    }
    if let Some(rest) = request.path.strip_prefix("/api/models/") {
        return api(rest, token, state);
    }
    let found = request
        .path
        .trim_start_matches('/')
        .split_once("/resolve/")
        .and_then(|(id, rest)| Some((id, rest.split_once('/')?)));
    match found {
        Some((id, (commit, name))) => file(id, commit, name, token, state),
        None => match request.path.strip_prefix("/cached/").and_then(|rest| rest.split_once("/at/")) {
            Some((id, rest)) => small(id, rest, state),
            None => Response::error(404, "RepoNotFound", "Repository not found"),
        },
    }
}

fn visible<'a>(id: &str, token: Option<&str>, state: &'a State) -> Result<&'a Model, Response> {
    let model = state.models.get(id).filter(|model| model.private.is_none() || model.private.as_deref() == token);
    model.ok_or_else(|| match token {
        None => Response::error(401, "RepoNotFound", "Repository not found"),
        Some(_) => Response::error(404, "RepoNotFound", "Repository not found"),
    })
}

fn api(path: &str, token: Option<&str>, state: &State) -> Response {
    if let Some(answer) = &state.api_answer {
        return Response::new(200, answer.as_bytes());
    }
    if let Some(id) = path.strip_suffix("/discussions") {
        return match visible(id, token, state) {
            Ok(model) => Response::new(200, serde_json::json!({"discussions": model.discussions}).to_string()),
            Err(response) => response,
        };
    }
    let (id, revision) = path.split_once("/revision/").unwrap_or((path, "main"));
    let model = match visible(id, token, state) {
        Ok(model) => model,
        Err(response) => return response,
    };
    let commit = model.refs.get(revision).map_or(revision, String::as_str);
    let Some(files) = model.commits.get(commit) else {
        return Response::error(404, "RevisionNotFound", "Invalid rev id");
    };
    let siblings: Vec<_> = files.keys().map(|name| serde_json::json!({"rfilename": name})).collect();
    let gated = if model.gated.is_some() { serde_json::json!("auto") } else { serde_json::json!(false) };
    let answer = serde_json::json!({"id": id, "sha": commit, "gated": gated, "siblings": siblings});
    Response::new(200, answer.to_string()).with("Content-Type", "application/json")
}

/// The hub's own answer for a file: always a redirect.
fn file(id: &str, revision: &str, name: &str, token: Option<&str>, state: &State) -> Response {
    let model = match visible(id, token, state) {
        Ok(model) => model,
        Err(response) => return response,
    };
    if model.gated.is_some() && model.gated.as_deref() != token {
        let status = if token.is_some() { 403 } else { 401 };
        return Response::error(status, "GatedRepo", "Access to this model is restricted");
    }
    let commit = model.refs.get(revision).map_or(revision, String::as_str);
    let Some(files) = model.commits.get(commit) else {
        return Response::error(404, "RevisionNotFound", "Invalid rev id");
    };
    let Some(found) = files.get(name) else {
        return Response::error(404, "EntryNotFound", "Entry not found").with("X-Repo-Commit", commit);
    };
    if !found.large {
        let location = format!("/cached/{id}/at/{commit}/{name}");
        return Response::new(307, "").with("Location", location).with("X-Repo-Commit", commit);
    }
    Response::new(302, "")
        .with("Location", format!("{}/store/{id}/at/{commit}/{name}", state.store))
        .with("X-Repo-Commit", commit)
        .with("X-Linked-Etag", format!("\"{}\"", found.etag()))
        .with("X-Linked-Size", found.content.len())
        .with("ETag", "\"of-the-redirect\"")
}

fn content(state: &State, id: &str, commit: &str, name: &str) -> Option<Vec<u8>> {
    let mut content = state.models.get(id)?.commits.get(commit)?.get(name)?.content.clone();
    if state.corrupted.as_deref() == Some(name)
        && let Some(last) = content.last_mut()
    {
        *last ^= 1;
    }
    Some(content)
}

/// A small file, from the hub itself.
fn small(id: &str, rest: &str, state: &State) -> Response {
    let found = rest.split_once('/').and_then(|(commit, name)| {
        let etag = state.models.get(id)?.commits.get(commit)?.get(name)?.etag();
        Some((content(state, id, commit, name)?, etag, commit))
    });
    match found {
        Some((content, etag, commit)) => {
            Response::new(200, content).with("ETag", format!("W/\"{etag}\"")).with("X-Repo-Commit", commit)
        }
        None => Response::error(404, "EntryNotFound", "Entry not found"),
    }
}

/// A large file, from the store, which knows no tokens.
fn store(request: &Request, path: &str, state: &mut State) -> Response {
    let found = path.split_once("/at/").and_then(|(id, rest)| {
        let (commit, name) = rest.split_once('/')?;
        Some((content(state, id, commit, name)?, name))
    });
    let Some((content, name)) = found else { return Response::new(404, "") };
    let total = content.len();
    let range = request.range.as_deref().filter(|_| !state.no_ranges);
    let start = range.and_then(|range| range.strip_prefix("bytes=")?.split('-').next()?.parse::<usize>().ok());
    let mut response = match start {
        None => Response::new(200, content),
        Some(start) if start >= total => Response::new(416, "").with("Content-Range", format!("bytes */{total}")),
        Some(start) => {
            let range = format!("bytes {start}-{}/{total}", total - 1);
            Response::new(206, &content[start..]).with("Content-Range", range)
        }
    };
    response = response.with("ETag", "\"of-the-store\"");
    if request.method == "GET" {
        response.cut = state.cuts.get_mut(name).and_then(VecDeque::pop_front);
    }
    response
}
