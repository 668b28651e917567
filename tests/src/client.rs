//! A small HTTP client: complete answers with `ureq`, and streams over a plain socket that the test can close before their end.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

/// A client of one server.
#[derive(Clone, Debug)]
pub struct Client {
    address: String,
    agent: ureq::Agent,
}

/// A status and a body.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body as JSON; a string if it is not JSON.
    pub body: Value,
}

/// A status, headers and a body as they came.
#[derive(Clone, Debug)]
pub struct Raw {
    /// The HTTP status.
    pub status: u16,
    /// The headers, by their lower-case names.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

impl Raw {
    /// The value of a header; empty if there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(own, _)| own == name).map_or("", |(_, value)| value)
    }

    /// The body as JSON; null if it is none.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }
}

impl Answer {
    /// The texts of a successful answer.
    ///
    /// # Panics
    /// If the answer is an error; the message holds it.
    pub fn texts(&self) -> Vec<String> {
        assert_eq!(self.status, 200, "{}", self.body);
        let texts = self.body["text"].as_array().expect("an answer has an array `text`");
        texts.iter().map(|text| text.as_str().expect("a text is a string").to_owned()).collect()
    }

    /// The text of a successful answer, without the prompt.
    ///
    /// # Panics
    /// If the answer is an error or does not have exactly one text, or if the text does not begin with the prompt.
    pub fn output(&self, prompt: &str) -> String {
        let [text] = <[String; 1]>::try_from(self.texts()).expect("one text");
        text.strip_prefix(prompt).expect("a text begins with the prompt").to_owned()
    }

    /// The error's message.
    pub fn message(&self) -> &str {
        self.body["error"]["message"].as_str().unwrap_or_default()
    }
}

impl Client {
    pub(crate) fn new(address: &str) -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(300)))
            .build();
        Self { address: address.to_owned(), agent: config.into() }
    }

    /// `GET path`.
    ///
    /// # Panics
    /// If the server does not answer.
    pub fn get(&self, path: &str) -> Answer {
        answer(self.agent.get(format!("{}{path}", self.address)).call())
    }

    /// `POST /generate` with a JSON value.
    ///
    /// # Panics
    /// If the server does not answer.
    pub fn generate(&self, body: &Value) -> Answer {
        self.post("/generate", &body.to_string())
    }

    /// `POST path` with a text that need not be JSON, and with the content type of `curl -d`.
    ///
    /// # Panics
    /// If the server does not answer.
    pub fn post(&self, path: &str, body: &str) -> Answer {
        let request = self.agent.post(format!("{}{path}", self.address));
        answer(request.content_type("application/x-www-form-urlencoded").send(body))
    }

    /// `POST /generate` with `stream`: reads to the end and returns the chunks, each of which ends with NUL.
    ///
    /// # Panics
    /// If the server does not answer, or if a chunk is not JSON or has no NUL after it.
    pub fn stream(&self, body: &Value) -> Vec<Value> {
        let request = self.agent.post(format!("{}/generate", self.address));
        let mut response = request.send(body.to_string()).expect("the server answers");
        let text = response.body_mut().read_to_string().expect("the body is UTF-8");
        let mut chunks: Vec<&str> = text.split('\0').collect();
        assert_eq!(chunks.pop(), Some(""), "the last chunk is ended by NUL: {text:?}");
        chunks.iter().map(|chunk| serde_json::from_str(chunk).expect("a chunk is JSON")).collect()
    }

    /// Any request, with headers. Returns the status, the headers of the answer by their lower-case names, and the body.
    ///
    /// # Panics
    /// If the server does not answer.
    pub fn request(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Raw {
        let mut request = ureq::http::Request::builder().method(method).uri(format!("{}{path}", self.address));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = match body {
            "" => self.agent.run(request.body(()).expect("a request")),
            body => self.agent.run(request.body(body).expect("a request")),
        };
        let mut response = response.expect("the server answers");
        let text = |value: &ureq::http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let headers = response.headers().iter().map(|(name, value)| (name.to_string(), text(value))).collect();
        let body = response.body_mut().read_to_string().expect("the body is UTF-8");
        Raw { status: response.status().as_u16(), headers, body }
    }

    /// The data of a stream of server-sent events, which ends with `[DONE]`. Comments are skipped.
    ///
    /// # Panics
    /// If the answer is no stream, or one that ends otherwise.
    pub fn events(&self, path: &str, body: &Value) -> Vec<Value> {
        let answer = self.request("POST", path, &[], &body.to_string());
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert_eq!(answer.header("content-type"), "text/event-stream; charset=utf-8");
        let frames: Vec<&str> = answer.body.split("\n\n").filter(|frame| !frame.starts_with(':')).collect();
        let (last, frames) = frames.split_last().expect("a stream has frames");
        let (done, frames) = frames.split_last().expect("a stream has frames");
        assert_eq!((*done, *last), ("data: [DONE]", ""), "{}", answer.body);
        let data = |frame: &&str| serde_json::from_str(frame.strip_prefix("data: ").expect("data")).expect("JSON");
        frames.iter().map(data).collect()
    }

    /// The value of a metric by its name. Its labels, if it has any, are ignored.
    ///
    /// # Panics
    /// If the server has no such metric.
    pub fn metric(&self, name: &str) -> f64 {
        let metrics = self.get("/metrics");
        let text = metrics.body.as_str().expect("metrics are text");
        let line = text.lines().find(|line| line.split([' ', '{']).next() == Some(name));
        let value = line.and_then(|line| line.rsplit(' ').next()).and_then(|value| value.parse().ok());
        value.unwrap_or_else(|| panic!("no metric {name} in:\n{text}"))
    }
}

fn answer(result: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Answer {
    let mut response = result.expect("the server answers");
    let text = response.body_mut().read_to_string().expect("the body is UTF-8");
    let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
    Answer { status: response.status().as_u16(), body }
}

/// Starts a streamed `POST /generate` and closes the connection after `chunks` NUL bytes. Returns the number that arrived, which is
/// smaller if the answer ended before.
///
/// # Panics
/// If the connection fails before.
pub fn stream_until(address: &str, body: &Value, chunks: usize) -> usize {
    let host = address.strip_prefix("http://").expect("a plain HTTP address");
    let mut socket = TcpStream::connect(host).expect("the server accepts");
    socket.set_read_timeout(Some(Duration::from_secs(120))).expect("the socket takes a time limit");
    let body = body.to_string();
    let head = format!("POST /generate HTTP/1.1\r\nHost: {host}\r\nContent-Length: {}\r\n\r\n", body.len());
    socket.write_all(head.as_bytes()).and_then(|()| socket.write_all(body.as_bytes())).expect("the server reads");
    let (mut seen, mut buffer) = (0, [0; 4096]);
    while seen < chunks {
        let length = socket.read(&mut buffer).expect("the server writes");
        if length == 0 {
            break;
        }
        seen += buffer[..length].iter().filter(|&&byte| byte == 0).count();
        if buffer[..length].ends_with(b"0\r\n\r\n") {
            return seen;
        }
    }
    // One read may return more chunks than the caller asked for.
    seen.min(chunks)
}
