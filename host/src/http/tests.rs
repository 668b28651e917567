//! Requests through the router, without a socket: what waits for what.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use http_body_util::BodyExt;
use hyper::service::Service as _;
use hyper_util::service::TowerToHyperService;
use jig_guides::{Compiler, Limits};
use serde_json::{Value, json};

use super::{AppState, HttpOptions, routes};
use crate::engine::testing::SmallModel;
use crate::engine::{Engine, EngineConfig};
use crate::measure::Startup;
use crate::prepare::{Preparation, Stages};
use crate::protocol::Service;
use crate::protocol::openai::Settings;
use crate::tokenizer::testing;

/// A regex whose automaton has a million states.
const ENDLESS: &str = "(a|b)*a(a|b){20}";

/// A small model whose requests wait for a turn as long as `patience`.
fn state(patience: Duration) -> AppState {
    state_with(patience, Duration::from_secs(600))
}

/// One that compiles whatever a request asks for, for as long as `compile_timeout`.
fn state_with(patience: Duration, compile_timeout: Duration) -> AppState {
    let tokenizer = testing::byte_level();
    let engine = Engine::start(Box::new(SmallModel::new(4096)), tokenizer.clone(), EngineConfig::default());
    let mut limits = Limits::default();
    (limits.states, limits.bytes, limits.work) = (usize::MAX, usize::MAX, usize::MAX);
    let vocabulary = tokenizer.vocabulary(testing::TOKENS).unwrap();
    let compiler = Arc::new(Compiler::new(Arc::new(vocabulary), limits));
    let preparation = Preparation::new(tokenizer, compiler, engine.info().max_model_len, compile_timeout);
    let stages = Stages::with_permits(preparation, 2, patience);
    let service = Service::with_stages("small".to_owned(), engine, stages, Settings::new("small"));
    let state = AppState::loading(Startup::default(), HttpOptions::default());
    state.serve(service, "small");
    state
}

fn stages(state: &AppState) -> &Stages {
    state.service().unwrap().stages()
}

async fn post(state: &AppState, body: Value) -> (u16, Value) {
    let service = TowerToHyperService::new(routes::router(state.clone()).unwrap());
    let request = Request::post("/generate").body(Body::from(body.to_string())).unwrap();
    let response = service.call(request).await.unwrap();
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&body).unwrap())
}

fn plain() -> Value {
    json!({"prompt": "Iron", "max_tokens": 3})
}

fn guided(regex: &str) -> Value {
    json!({"prompt": "x", "regex": regex})
}

/// A request whose bad words take long to tokenize.
fn long() -> Value {
    json!({"prompt": "x", "max_tokens": 1, "bad_words": vec!["word"; 1000]})
}

#[tokio::test]
async fn plain_requests_and_known_guides_are_answered_while_all_permits_for_long_work_are_held() {
    let state = state(Duration::from_millis(1));
    assert_eq!(post(&state, guided("[ab]{3}")).await.0, 200);
    let permits = stages(&state).permits();
    let mut held = Vec::new();
    for turns in [&permits.compiling, &permits.compiling, &permits.compiling_long, &permits.tokenizing] {
        held.push(turns.take().await.unwrap());
    }
    assert_eq!(post(&state, plain()).await.0, 200);
    assert_eq!(post(&state, guided("[ab]{3}")).await.0, 200);
    for (body, what) in [(guided("[cd]{3}"), "schema or regex compiled"), (long(), "bad words tokenized")] {
        let (status, answer) = post(&state, body).await;
        let message = answer["error"]["message"].as_str().unwrap();
        assert!(status == 503 && message.contains(what), "{status}: {message}");
    }
    drop(held);
    assert_eq!(post(&state, guided("[cd]{3}")).await.0, 200);
    assert_eq!(post(&state, long()).await.0, 200);
}

#[tokio::test]
async fn a_request_that_waits_for_its_turn_is_told_when_the_server_shuts_down() {
    let state = state(Duration::from_secs(3600));
    let permits = stages(&state).permits();
    let _held = (permits.compiling.take().await.unwrap(), permits.compiling.take().await.unwrap());
    let drained = async {
        tokio::task::yield_now().await;
        stages(&state).drain();
    };
    let ((status, answer), ()) = tokio::join!(post(&state, guided("[ab]{3}")), drained);
    assert_eq!((status, answer["error"]["message"].as_str()), (503, Some("the server is shutting down")));
    assert_eq!(post(&state, plain()).await.0, 503);
}

#[tokio::test]
async fn a_prompt_that_is_far_too_long_is_refused_by_its_length() {
    let state = state(Duration::from_millis(1));
    // Nobody could tokenize it: the permits for that are held.
    let _held = stages(&state).permits().tokenizing.take().await.unwrap();
    let (status, answer) = post(&state, json!({"prompt": "1".repeat(3_000_000)})).await;
    let message = answer["error"]["message"].as_str().unwrap();
    assert_eq!((status, answer["error"]["param"].as_str()), (400, Some("prompt")), "{message}");
    assert!(message.contains("3000000 bytes") && message.contains("96"), "{message}");
}

/// Waits until a compilation runs, or until none does.
async fn until_compiling(state: &AppState, is_running: bool) {
    while (stages(state).compilations_running() > 0) != is_running {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test]
async fn others_are_answered_while_a_guide_compiles_and_it_ends_when_its_client_leaves() {
    let state = state(Duration::from_secs(3600));
    assert_eq!(post(&state, guided("[ab]{3}")).await.0, 200);
    let compiling = tokio::spawn({
        let state = state.clone();
        async move { post(&state, guided(ENDLESS)).await }
    });
    until_compiling(&state, true).await;
    for body in [plain(), guided("[ab]{3}"), guided("[cd]{3}")] {
        assert_eq!(post(&state, body.clone()).await.0, 200, "{body}");
    }
    assert!(!compiling.is_finished() && stages(&state).compilations_running() > 0);
    compiling.abort();
    until_compiling(&state, false).await;
}

#[tokio::test]
async fn a_guide_that_compiles_is_given_up_when_the_server_shuts_down() {
    let state = state(Duration::from_secs(3600));
    let drained = async {
        until_compiling(&state, true).await;
        stages(&state).drain();
    };
    let ((status, answer), ()) = tokio::join!(post(&state, guided(ENDLESS)), drained);
    assert_eq!((status, answer["error"]["message"].as_str()), (503, Some("the server is shutting down")));
    until_compiling(&state, false).await;
}

#[tokio::test]
async fn a_guide_that_takes_too_long_is_refused_with_the_limit() {
    let state = state_with(Duration::from_secs(3600), Duration::from_nanos(1));
    for (body, param) in [(guided("[ab]{3}"), "regex"), (json!({"prompt": "x", "schema": {}}), "schema")] {
        let (status, answer) = post(&state, body).await;
        let error = &answer["error"];
        assert_eq!((status, &error["param"], &error["code"]), (400, &json!(param), &json!("invalid_value")));
        let message = error["message"].as_str().unwrap();
        assert!(message.contains("too slow") && message.contains("--compile-timeout"), "{message}");
    }
}
