//! The body of an answer that holds something until it is sent.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::body::{Body, Bytes};
use axum::response::Response;
use hyper::body::{Body as HttpBody, Frame, SizeHint};

/// What is held until an answer is sent, or its client has left.
pub(super) trait Guard: Send + Unpin + 'static {
    /// All of the answer was handed over.
    fn is_sent(&mut self) {}
}

/// A body that holds a guard until it is dropped, which is when its last byte is on its way or its client has left.
pub(super) struct Guarded<G> {
    body: Body,
    guard: G,
}

impl<G: Guard> Guarded<G> {
    /// An answer that holds `guard`.
    pub(super) fn answer(response: Response, mut guard: G) -> Response {
        response.map(|body| {
            // Of a body without a byte, nothing will be asked for.
            if body.is_end_stream() {
                guard.is_sent();
            }
            Body::new(Self { body, guard })
        })
    }
}

impl<G: Guard> HttpBody for Guarded<G> {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if frame.is_none() || self.body.is_end_stream() {
            self.guard.is_sent();
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
