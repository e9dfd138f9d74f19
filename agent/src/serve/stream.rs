//! Bodies: one document, or JSON lines as they come.
//!
//! Promises: every event is one line, said as soon as it is known; a client that is gone is noticed
//! by the room that tells the events, because its channel closes with this body. Must not know:
//! what the events mean.

#![forbid(unsafe_code)]

use http_body_util::{BodyExt as _, Full, combinators::UnsyncBoxBody};
use hyper::body::{Body, Bytes, Frame};
use serde::Serialize;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::sync::mpsc::Receiver;

/// Media type of a stream of JSON lines.
pub(super) const JSON_LINES: &str = "application/x-ndjson";

/// A body of an answer.
pub(super) type Answer = UnsyncBoxBody<Bytes, Infallible>;

/// One document.
pub(super) fn whole(bytes: impl Into<Bytes>) -> Answer {
    Full::new(bytes.into()).boxed_unsync()
}

/// One line an event, until the teller is done.
pub(super) fn lines<E: Serialize + Send + 'static>(events: Receiver<E>) -> Answer {
    Lines { events }.boxed_unsync()
}

struct Lines<E> {
    events: Receiver<E>,
}

impl<E: Serialize> Body for Lines<E> {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.events.poll_recv(cx).map(|event| {
            // An event that has no JSON form ends the stream: the client sees a use without an end.
            let mut line = serde_json::to_vec(&event?).ok()?;
            line.push(b'\n');
            Some(Ok(Frame::data(line.into())))
        })
    }
}
