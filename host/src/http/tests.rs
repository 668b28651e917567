//! Requests through the router, without a socket: what waits for what.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use http_body_util::BodyExt;
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use jig_guides::{Compiler, Limits};
use serde_json::{Value, json};

use super::permits::Permits;
use super::{AppState, routes};
use crate::engine::testing::SmallModel;
use crate::engine::{Engine, EngineConfig};
use crate::prepare::Preparation;
use crate::tokenizer::testing;

/// A small model whose requests wait for a turn as long as `patience`.
fn state(patience: Duration) -> AppState {
    let tokenizer = testing::byte_level();
    let engine = Engine::start(Box::new(SmallModel::new(4096)), tokenizer.clone(), EngineConfig::default());
    let vocabulary = tokenizer.vocabulary(testing::TOKENS).unwrap();
    let compiler = Arc::new(Compiler::new(Arc::new(vocabulary), Limits::default()));
    let preparation = Preparation::new(tokenizer, compiler, engine.info().max_model_len, Duration::from_secs(60));
    AppState::with_permits("small".to_owned(), engine, preparation, Permits::new(2, patience))
}

async fn post(state: &AppState, body: Value) -> (u16, Value) {
    let service = TowerToHyperService::new(routes::router(state.clone()));
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
    let permits = &state.0.permits;
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
    let permits = &state.0.permits;
    let _held = (permits.compiling.take().await.unwrap(), permits.compiling.take().await.unwrap());
    let drained = async {
        tokio::task::yield_now().await;
        state.drain();
    };
    let ((status, answer), ()) = tokio::join!(post(&state, guided("[ab]{3}")), drained);
    assert_eq!((status, answer["error"]["message"].as_str()), (503, Some("the server is shutting down")));
    assert_eq!(post(&state, plain()).await.0, 503);
}

#[tokio::test]
async fn a_prompt_that_is_far_too_long_is_refused_by_its_length() {
    let state = state(Duration::from_millis(1));
    // Nobody could tokenize it: the permits for that are held.
    let _held = state.0.permits.tokenizing.take().await.unwrap();
    let (status, answer) = post(&state, json!({"prompt": "1".repeat(3_000_000)})).await;
    let message = answer["error"]["message"].as_str().unwrap();
    assert_eq!((status, answer["error"]["param"].as_str()), (400, Some("prompt")), "{message}");
    assert!(message.contains("3000000 bytes") && message.contains("96"), "{message}");
}
